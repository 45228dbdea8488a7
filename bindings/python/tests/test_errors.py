"""Exceptions: a class for each kind, as the Rust crate has them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import tracehouse
from tracehouse import errors

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent


def test_every_kind_of_rust_has_a_class() -> None:
    text = (REPOSITORY / "storage/src/error.rs").read_text()
    body = re.search(r"pub enum ErrorKind \{(.*?)\n\}", text, flags=re.DOTALL)
    assert body is not None
    kinds = set(re.findall(r"^    (\w+),", body[1], flags=re.MULTILINE))
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.Error)]
    # The last three are a server's.
    assert {each.kind for each in classes} == kinds | {"NotSupported", "Unauthenticated", "PermissionDenied"}
    for each in classes:
        assert getattr(tracehouse, each.__name__) is each


def test_classes_are_those_that_people_catch() -> None:
    assert issubclass(tracehouse.InvalidInputError, ValueError)
    assert issubclass(tracehouse.NotFoundError, KeyError)
    assert issubclass(tracehouse.QueryTimeoutError, TimeoutError)
    assert issubclass(tracehouse.UnavailableError, tracehouse.StorageError)


def test_messages_are_plain_and_go_through_pickle(db: tracehouse.Database) -> None:
    with pytest.raises(tracehouse.NotFoundError) as raised:
        db.get_trace("nothing")
    assert str(raised.value) == "trace nothing not found"
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy), copy.kind) == (tracehouse.NotFoundError, "trace nothing not found", "NotFound")

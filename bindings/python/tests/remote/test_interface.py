"""The calls of a database behind a server: each is there with its signature, or refused with a word on what to do."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import tracehouse
from tracehouse._engine import Engine
from tracehouse.remote import _engine
from tracehouse.remote.database import _REFUSED, RemoteDatabase

URL = "http://127.0.0.1:1"


def public(cls: type) -> set[str]:
    """The public names of a class."""
    return {name for name in dir(cls) if not name.startswith("_")}


def test_both_have_the_same_names_and_signatures() -> None:
    assert public(RemoteDatabase) == public(tracehouse.Database)
    assert set(_REFUSED) <= public(tracehouse.Database)
    for name in public(tracehouse.Database):
        own, other = getattr(tracehouse.Database, name), getattr(RemoteDatabase, name)
        if callable(own):
            assert inspect.signature(own) == inspect.signature(other), name


def test_what_asks_the_native_module_is_refused_or_has_a_twin() -> None:
    calls = {name for name in public(tracehouse.Database) if callable(getattr(tracehouse.Database, name))}
    left = {
        name for name in calls - set(_REFUSED) if getattr(RemoteDatabase, name) is getattr(tracehouse.Database, name)
    }
    for name in left:
        source = inspect.getsource(getattr(tracehouse.Database, name)).replace("self._native", "")
        assert "_native." not in source, f"{name} neither works behind a server nor is refused"


@pytest.mark.parametrize("name", sorted(_REFUSED))
def test_a_refusal_says_what_to_do_instead(name: str) -> None:
    with tracehouse.connect(URL) as db, pytest.raises(tracehouse.NotSupportedError) as raised:
        getattr(db, name)()
    said = str(raised.value)
    assert said.startswith(f"{name} is not there for a database behind a server: ")
    assert isinstance(raised.value, NotImplementedError)


def test_the_engine_has_every_function() -> None:
    wanted = {name for name in vars(Engine) if not name.startswith("_")}
    assert wanted == set(_engine.__all__)
    for name in wanted:
        ours = list(inspect.signature(getattr(_engine, name)).parameters)
        assert ours == [one for one in inspect.signature(getattr(Engine, name)).parameters if one != "self"], name
    assert typing.get_type_hints(RemoteDatabase._engine.search)


def test_importing_the_package_imports_no_http(tmp_path: Path) -> None:
    code = (
        "import sys, tracehouse; db = tracehouse.connect(); db.close(); "
        "print([name for name in ('http.client', 'ssl', 'socket', 'urllib.request', 'tracehouse.remote') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_a_handle_says_where_it_is_and_not_with_which_token() -> None:
    with tracehouse.connect("http://127.0.0.1:1/", token="secret-token") as db:
        assert isinstance(db, tracehouse.Database)
        assert (db.path, db.read_only, db.closed, db.refresh()) == (URL, False, False, False)
        assert repr(db) == f"Database({URL!r}, remote)"
        assert "secret-token" not in repr(vars(db)) + repr(db._client) + str(db._client.address)  # type: ignore[attr-defined]
    assert db.closed
    assert repr(db) == f"Database({URL!r}, closed)"
    with pytest.raises(tracehouse.ClosedError, match="open it again"):
        db.count_traces()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "http://"}, "http://HOST:PORT"),
        ({"path": "http://host:port"}, "http://HOST:PORT"),
        ({"path": "http://user:hush@host"}, "token"),
        ({"path": "http://host?x=1"}, "http://HOST:PORT"),
        ({"path": URL, "read_only": True}, "read_only is an option of a folder"),
        ({"path": URL, "memory_limit": "1GB"}, "memory_limit is an option of a folder"),
        ({"path": URL, "token": "a b"}, "printable ASCII"),
        ({"path": URL, "timeout": -1}, "timeout -1"),
        ({"path": "https://host", "verify": "/no/such/file"}, "verify='/no/such/file'"),
        ({"path": ":memory:", "token": "t"}, "options of a server"),
    ],
)
def test_what_cannot_be_opened_is_named(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(tracehouse.InvalidInputError) as raised:
        tracehouse.connect(**arguments)  # type: ignore[arg-type]
    assert said in str(raised.value)
    assert "hush" not in str(raised.value)


def test_who_cannot_be_reached_is_named() -> None:
    with tracehouse.connect(URL) as db, pytest.raises(tracehouse.UnavailableError) as raised:
        db.count_traces()
    assert f"{URL} cannot be reached" in str(raised.value)

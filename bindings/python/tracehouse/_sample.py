"""What a sample of a dataset is asked for with, in the form that engines take; used by `dataset`."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tracehouse.errors import InvalidInputError

if TYPE_CHECKING:
    from tracehouse._engine import SampleArguments


def sample_of(
    count: int | None,
    seed: int,
    stratify: str | None,
    quotas: Mapping[str | None, int] | None,
    newest_per_session: bool,
) -> SampleArguments | None:
    """A sample; `None` where all is taken.

    Raises:
        InvalidInputError: a key without a number, or a number that is none.
    """
    if count is None and not quotas:
        if stratify is not None:
            raise InvalidInputError("stratify without sample: say how many, sample=N or quotas={VALUE: N}")
        if not newest_per_session:
            return None
    of_strata = [(value, _whole(number, f"the quota of {value!r}")) for value, number in (quotas or {}).items()]
    of_all = None if count is None else _whole(count, "the sample's number")
    return of_all, seed, stratify, of_strata, newest_per_session


def some_of(
    count: int | None, seed: int, stratify: str | None, quotas: Mapping[str | None, int] | None
) -> SampleArguments:
    """A sample of records."""
    if (chosen := sample_of(count, seed, stratify, quotas, False)) is None:
        raise InvalidInputError("a sample without a number: say how many, count=N or quotas={VALUE: N}")
    return chosen


def _whole(number: int, what: str) -> int:
    try:
        whole = operator.index(number)
    except TypeError:
        whole = -1
    if whole < 0:
        raise InvalidInputError(f"{what} is {number!r}: a whole number, 0 or more, expected")
    return whole

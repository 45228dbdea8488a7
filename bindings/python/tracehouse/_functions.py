"""Functions that need no open database."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from tracehouse import _native
from tracehouse._record import to_datetime

if TYPE_CHECKING:
    from tracehouse.reports import BackupReport, CheckReport, Convention, RepairReport
    from tracehouse.trace import Span


def check(path: str | os.PathLike[str], deep: bool = False) -> CheckReport:
    """Checks the database in a folder, whether or not it opens, and beside a process that writes it.

    Args:
        path: the folder.
        deep: look at every byte and row, and at the text indexes; otherwise at the manifest, the log and the ends of
            files.

    Raises:
        NotFoundError: there is no such folder. Damage is no error: it is in the report.
    """
    return _native.check_path(os.fspath(path), deep)


def repair(path: str | os.PathLike[str], *, apply: bool = False) -> RepairReport:
    """Says what a repair of the database in a folder would do and, with `apply`, does it: damaged files are copied to
    `quarantine/`, what cannot be read is left out and reported, indexes are rebuilt.

    Raises:
        NotFoundError: there is no such folder.
        ConflictError: a process writes the database.
    """
    return _native.repair_path(os.fspath(path), apply)


def backup(path: str | os.PathLike[str], copy: str | os.PathLike[str]) -> BackupReport:
    """Copies the database in a folder to the new folder `copy`, beside whatever process writes it.

    Raises:
        NotFoundError: there is no database.
        ConflictError: `copy` is not empty.
        CorruptError: names a damaged file.
    """
    return _native.backup_path(os.fspath(path), os.fspath(copy))


def check_filter(filter: str) -> None:
    """Reads a filter without a database.

    Raises:
        InvalidInputError: names the offending token and its position.
    """
    _native.check_filter(filter)


def conventions() -> list[Convention]:
    """All attribute keys that fill typed columns, by producer, in the order in which they are believed."""
    return _native.conventions()


def csv_cell(text: str) -> str:
    """A text as a cell of CSV that neither a spreadsheet nor a terminal obeys."""
    return _native.csv_cell(text)


def decode_otlp(data: bytes, *, experiment_id: str = "0") -> tuple[list[Span], list[str]]:
    """The spans that an import of one request would keep, and why it would reject others; nothing is stored.

    Raises:
        InvalidInputError: it is no OTLP request.
    """
    return _native.decode_otlp(data, experiment_id)


def parse_time(text: str) -> datetime:
    """The time of a text: RFC 3339, a date in UTC, Unix milliseconds, `now() - 7d`, `24h` ago; cut to microseconds.

    Raises:
        InvalidInputError: the text is no time.
    """
    return to_datetime(_native.parse_time(text))

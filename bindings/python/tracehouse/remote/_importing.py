"""Imports through a server: a source is read here in parts of bounded size; each is durable when it is answered.

Lines go together up to `_PART_BYTES`; what is not made of lines (protobuf, one JSON document, another product's export)
is one request. gzip is opened here; zstd is sent as it is.

Invariant: memory does not grow with a source of lines.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from tracehouse._engine import Source
from tracehouse.errors import InvalidInputError, NotFoundError, StorageError
from tracehouse.remote import _forms
from tracehouse.remote._client import Client
from tracehouse.remote._reading import API
from tracehouse.remote._writing import add_report
from tracehouse.reports import ImportReport

_PART_BYTES = 8 << 20
_GZIP = b"\x1f\x8b"
_Progress = Callable[[int, "int | None"], object]


def import_otlp(
    db: Client, source: Source, experiment_id: str, strict: bool, batch_lines: int, progress: _Progress | None
) -> ImportReport:
    """Imports traces in any form that `tracehouse import` reads."""
    query = [("experiment_id", experiment_id), *([("strict", "true")] if strict else [])]
    return _kept(_import(db, source, query, batch_lines, progress))


def import_assessments(db: Client, source: Source, strict: bool) -> ImportReport:
    """Imports assessments, JSON lines."""
    query = [("kind", "assessments"), *([("strict", "true")] if strict else [])]
    return _import(db, source, query, 0, None)


def _import(
    db: Client, source: Source, query: list[tuple[str, str]], batch_lines: int, progress: _Progress | None
) -> ImportReport:
    began = time.monotonic()
    report = ImportReport()
    name, file, total, is_own = opened(source)
    try:
        counted = _Counted(file)
        for first_line, part in _parts(counted, batch_lines):
            told = [*query, ("name", name)]
            add_report(report, _sent(db, told, part, first_line))
            if progress is not None:
                progress(counted.read_bytes, total)
    except OSError as error:
        raise StorageError(f"{name} cannot be read: {error.strerror or error}") from error
    finally:
        if is_own:
            file.close()
    report.seconds = time.monotonic() - began
    return report


def _sent(db: Client, query: list[tuple[str, str]], part: bytes, lines_before: int) -> ImportReport:
    """What the import of a part did, with the lines of the whole."""
    try:
        with db.open("POST", f"{API}/import", query, part, "application/octet-stream") as answer:
            report = _forms.import_report(json.loads(answer.read()))
    except InvalidInputError as error:
        if not lines_before:
            raise
        raise InvalidInputError(f"{error} (lines are counted from line {lines_before + 1} on)") from None
    for one in report.rejected:
        if one.line is not None:
            one.line += lines_before
    return report


def _kept(report: ImportReport) -> ImportReport:
    """The report; an error when nothing of an input was anything that is understood."""
    nothing = not (
        report.spans or report.duplicate_spans or report.assessments or report.started_traces or report.log_records
    )
    if nothing and report.rejected and not report.dropped_spans:
        first = report.rejected[0]
        line = "" if first.line is None else f":{first.line}"
        more = report.rejected_count - 1
        others = f" (and {more} others)" if more else ""
        raise InvalidInputError(f"nothing was kept: {first.file}{line}: {first.error}{others}")
    return report


def opened(source: Source) -> tuple[str, IO[bytes], int | None, bool]:
    """The name of a source, its bytes, how many there are, and whether it is to be closed: as the native module does.

    Raises:
        NotFoundError: there is no such file.
        StorageError: it cannot be opened.
        InvalidInputError: it is a folder.
        TypeError: it is no source.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>", io.BytesIO(source), len(source), True
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return name if isinstance(name, str) else "<file>", cast("IO[bytes]", source), None, False
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        raise TypeError(f"a {kind} cannot be read: a path, bytes or a file opened for reading expected")
    path = os.fspath(source)
    try:
        file = open(path, "rb")  # noqa: SIM115 closed by who asked
    except IsADirectoryError:
        raise InvalidInputError(f"{path} is a folder: a file expected") from None
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    found = os.fstat(file.fileno())
    return path, file, found.st_size if stat.S_ISREG(found.st_mode) else None, True


class _Counted(io.RawIOBase):
    """A file that counts what was read of it; texts as UTF-8."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = b""
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._left:
            data = self._file.read(len(into))
            self._left = data.encode() if isinstance(data, str) else bytes(data)
            self.read_bytes += len(self._left)
        part, self._left = self._left[: len(into)], self._left[len(into) :]
        into[: len(part)] = part
        return len(part)


def _parts(counted: _Counted, batch_lines: int) -> Iterator[tuple[int, bytes]]:
    """The parts of a source, and how many lines came before each."""
    plain: Any = io.BufferedReader(counted, 1 << 16)
    if plain.peek(2)[:2] == _GZIP:
        plain = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=plain)))
    first, second = plain.readline(), plain.readline()
    if not (_is_document(first) and _is_document(second)):
        # No lines: it is read as a whole.
        yield 0, first + second + plain.read()
        return
    yield from _lines(plain, [first, second], batch_lines)


def _is_document(line: bytes) -> bool:
    """Whether a line is one by itself, and not a piece of something that goes over several."""
    text = line.strip()
    return line.endswith(b"\n") and text[:1] == b"{" and text[-1:] == b"}"


def _lines(plain: Any, some: list[bytes], batch_lines: int) -> Iterator[tuple[int, bytes]]:
    begin, size = 0, sum(map(len, some))
    for line in plain:
        if size + len(line) > _PART_BYTES or len(some) == (batch_lines or -1):
            yield begin, b"".join(some)
            begin, some, size = begin + len(some), [], 0
        some.append(line)
        size += len(line)
    yield begin, b"".join(some)

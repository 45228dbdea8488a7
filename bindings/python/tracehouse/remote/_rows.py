"""The rows of an answer in Arrow: read as they are asked for, kept while they are few.

Does for an answer of HTTP what the native module does for a statement of its own (`Rows` of `_engine`): batches are
numbered from 0; those that were read are kept up to `_KEPT_BYTES_MAX`, so that the cursor and any number of exports see
the same rows. When they take more, the older ones go, and who comes for them afterwards gets an error.

Invariant: a row that was not received is never left out in silence: an answer that breaks off is an error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tracehouse.errors import Error, InvalidInputError, NotSupportedError
from tracehouse.remote._cells import rows_of

if TYPE_CHECKING:
    import pyarrow

    from tracehouse.remote._client import Answer

ARROW = "application/vnd.apache.arrow.stream"
_KEPT_BYTES_MAX = 32 << 20


def check_pyarrow() -> None:
    """Says before anything is asked that Arrow cannot be read.

    Raises:
        NotSupportedError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise NotSupportedError(
            "rows come from a server as Arrow, which pyarrow reads: pip install 'tracehouse[pyarrow]'"
        ) from error


class RemoteRows:
    """The rows of one answer."""

    def __init__(self, answer: Answer) -> None:
        import pyarrow

        self._answer = answer
        self._lock = threading.RLock()
        self._raised: BaseException | None = None
        self._kept: list[pyarrow.RecordBatch] = []
        self._first = 0
        self._kept_bytes = 0
        self._is_at_end = False
        # The cursor: a batch, its rows, and how many of these were given.
        self._number = -1
        self._rows: list[tuple[Any, ...]] = []
        self._given = 0
        self._reader = self._read(lambda: pyarrow.ipc.open_stream(pyarrow.PythonFile(answer, mode="r")))
        self._schema: pyarrow.Schema = self._reader.schema

    def _read(self, read: Any) -> Any:
        """What pyarrow reads; an error of the answer is raised as itself."""
        import pyarrow

        try:
            return read()
        except pyarrow.ArrowException as error:
            self._answer.close()
            raise Error(f"the server's answer is no Arrow stream: {error}") from error

    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._schema.names)

    def types(self) -> list[str]:
        """The Arrow types of the columns, as pyarrow writes them."""
        return [str(kind) for kind in self._schema.types]

    def fetch(self, n: int | None) -> list[tuple[Any, ...]]:
        """The next `n` rows; all that are left without a number."""
        found: list[tuple[Any, ...]] = []
        with self._lock:
            while n is None or len(found) < n:
                if self._given == len(self._rows):
                    batch = self._batch(self._number + 1)
                    if batch is None:
                        break
                    self._number, self._rows, self._given = self._number + 1, rows_of(batch), 0
                    continue
                end = len(self._rows) if n is None else min(len(self._rows), self._given + n - len(found))
                found.extend(self._rows[self._given : end])
                self._given = end
        return found

    def peek(self, n: int) -> tuple[list[tuple[Any, ...]], bool]:
        """The first `n` rows, and whether these are all."""
        found: list[tuple[Any, ...]] = []
        with self._lock:
            number = 0
            # One more than wanted tells whether there are more.
            while len(found) <= n and (batch := self._batch(number)) is not None:
                found.extend(rows_of(batch.slice(0, n + 1 - len(found))))
                number += 1
        return found[:n], len(found) <= n

    def take_error(self) -> BaseException | None:
        """What went wrong inside the Arrow stream since it was last asked."""
        raised, self._raised = self._raised, None
        return raised

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        import pyarrow

        reader = pyarrow.RecordBatchReader.from_batches(self._schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pyarrow.RecordBatch]:
        number = 0
        while True:
            try:
                batch = self._batch(number)
            except BaseException as error:
                self._raised = error
                raise
            if batch is None:
                return
            yield batch
            number += 1

    def _batch(self, number: int) -> pyarrow.RecordBatch | None:
        """The batch with this number; `None` after the last one."""
        with self._lock:
            if number < self._first:
                raise InvalidInputError(
                    "the result has been read to its end and is too large to be kept: run the statement again"
                )
            while number - self._first >= len(self._kept):
                if self._is_at_end or not self._receive():
                    return None
            return self._kept[number - self._first]

    def _receive(self) -> bool:
        """Keeps the next batch; whether there was one."""
        try:
            batch = self._read(self._reader.read_next_batch)
        except StopIteration:
            self._is_at_end = True
            # What ends the answer itself: until that is here, it may be that the server broke off.
            self._answer.read()
            return False
        self._kept.append(batch)
        self._kept_bytes += batch.nbytes
        while self._kept_bytes > _KEPT_BYTES_MAX and len(self._kept) > 1:
            self._kept_bytes -= self._kept.pop(0).nbytes
            self._first += 1
        return True

"""The database a program opens: `connect` and the `Database` it gives.

A thin, typed layer over the native module: it makes lists of texts, times and JSON of what Python callers give, and
objects of what comes back. Every call that does work releases the interpreter for other threads; in the main thread
Ctrl-C ends it as `KeyboardInterrupt`.

Invariant: what `close` has closed stays closed, in every handle on it: a dataset, a result that is not read to its end.
Other handles that `connect` gave on the same folder are not touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

from tracehouse import _native
from tracehouse._evaluating import Evaluating
from tracehouse._keeping import Keeping
from tracehouse._options import as_texts, size_bytes
from tracehouse._prompting import Prompting
from tracehouse._reading import Reading
from tracehouse._reviewing import Reviewing
from tracehouse._writing import Writing
from tracehouse.errors import InvalidInputError

if TYPE_CHECKING:
    from tracehouse.dataset import Dataset, DatasetInfo
    from tracehouse.likeness import Holding

Redact: TypeAlias = Callable[[str, str, str | None], str | None]
"""Called with a text, the part it stands in and the key nearest to it; gives what is stored, or `None` to keep it."""


def connect(
    path: str | os.PathLike[str] = ":memory:",
    *,
    read_only: bool = False,
    create: bool = True,
    memory_limit: int | str | None = None,
    redact: Redact | None = None,
    redact_name: str = "redact",
    settings: Mapping[str, Any] | None = None,
    token: str | None = None,
    timeout: float | None = 300.0,
    verify: bool | str = True,
) -> Database:
    """Opens the database in a folder, or behind a server.

    Opening the same folder again in one process gives another handle on the same instance, and needs the same options.
    For the address of a server (`http://host:4318`, `https://..`) nothing is sent yet: the first call finds out whether
    somebody answers. There are the same calls; what is not there for a server raises `NotSupportedError`.

    Args:
        path: the folder, created when there is none; `":memory:"` is a database that never touches the disk. Or the
            address of a server.
        read_only: open beside the process that writes it, and follow it; see `Database.refresh`.
        create: whether a missing database is created.
        memory_limit: one budget for all of the database, in bytes or as text (`"1GB"`, `"512MiB"`); 1.5 GiB by default.
        redact: a function that sees every text before it is stored: `redact(text, part, key)` gives what is stored
            instead, or `None` to keep it. Where it raises, or gives something else, the text is replaced by
            `[REDACTED:callback failed]`, never stored. It is called from several threads.
        redact_name: the name of that function, for databases that may not be written without it.
        settings: further settings by the names that SQL's `settings()` lists, such as `{"index_text": False}`.
        token: for a server, the token that `tracehouse token` printed; that of the variable `TRACEHOUSE_TOKEN` unless
            given.
        timeout: for a server, the longest wait for it to say something, seconds.
        verify: for a server with TLS, `True` to trust the authorities of the system, a file (PEM) to trust those in
            it, `False` to trust anybody.

    Returns:
        An open database; use it in a `with` statement, or close it.

    Raises:
        NotFoundError: there is none, and none may be created.
        ConflictError: another process writes it, or this one has it open with other options.
        InvalidInputError: the folder is something else, or has a newer format; an option is not for what is opened.
        CorruptError: a file is damaged.
    """
    if isinstance(path, str) and path.startswith(("http://", "https://")):
        from tracehouse.remote import database as remote

        own = {"read_only": read_only, "create": not create, "memory_limit": memory_limit is not None}
        own |= {"redact": redact is not None, "settings": settings is not None}
        return remote.connect(path, token, timeout, verify, own)
    if token is not None or verify is not True:
        raise InvalidInputError(f"token and verify are options of a server, and {os.fspath(path)!r} is a folder")
    options = {**(settings or {})}
    if memory_limit is not None:
        options["memory_limit"] = size_bytes(memory_limit)
    redactor = None if redact is None else _redactor(redact, redact_name)
    return Database(_native.open(os.fspath(path), read_only, create, options, redactor), redactor)


class Database(Reading, Writing, Keeping, Evaluating, Prompting, Reviewing):
    """An open database. It may be used from many threads at the same time."""

    def __init__(self, native: _native.Database, redactor: _native.Redactor | None = None) -> None:
        self._native = native
        # Keeps it the one object for its function as long as the database is open.
        self._redactor = redactor

    @property
    def path(self) -> str:
        """The folder, or `:memory:`."""
        return self._native.path

    @property
    def read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self._native.read_only

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""
        return self._native.closed

    def close(self) -> None:
        """Closes this handle; the last one on a folder seals what is in memory. Closing again does nothing.

        Nothing that was acknowledged is lost without it.
        """
        self._native.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def with_views(self) -> Database:
        """Another handle on the same database with temporary views: `CREATE VIEW v AS SELECT ..` and
        `CREATE TEMP TABLE t AS SELECT ..` work on it. Nothing of them is written, and other handles do not see them."""
        return Database(self._native.with_views(), self._redactor)

    def create_dataset(
        self,
        name: str,
        *,
        experiment_ids: str | Iterable[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Creates an empty dataset.

        Raises:
            ConflictError: there is one of that name.
        """
        from tracehouse.dataset import Dataset

        return Dataset(
            self._engine.create_dataset(self._native, name, as_texts(experiment_ids) or [], dict(tags or {}))
        )

    def dataset(self, name: str) -> Dataset:
        """The dataset of a name, or of an id (`d-` and 32 hex digits).

        Raises:
            NotFoundError: there is none; the message names the nearest.
        """
        from tracehouse.dataset import Dataset

        return Dataset(self._engine.dataset(self._native, name))

    def datasets(self) -> list[DatasetInfo]:
        """All datasets in their newest version, by name."""
        return self._engine.datasets(self._native)

    def delete_dataset(self, name: str) -> None:
        """Deletes a dataset with all its versions.

        Raises:
            NotFoundError: there is none.
        """
        self._engine.delete_dataset(self._native, name)

    def datasets_holding(self, trace_id: str) -> list[Holding]:
        """The records of datasets, in their newest versions, that were made of a trace or of a span of it."""
        from tracehouse._given import record_of
        from tracehouse.likeness import Holding

        return [record_of(Holding, one) for one in self._engine.datasets_holding(self._native, trace_id)]

    def __repr__(self) -> str:
        state = "closed" if self.closed else "read only" if self.read_only else "open"
        return f"Database({self.path!r}, {state})"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a Database cannot be pickled: in the other process open it again, "
            f"tracehouse.connect({self.path!r}, read_only=True)"
        )


_REDACTORS: WeakValueDictionary[tuple[Redact, str], _native.Redactor] = WeakValueDictionary()


def _redactor(redact: Redact, name: str) -> _native.Redactor:
    """The one object for a function: opening a folder twice with one function is opening it with the same options."""
    if not callable(redact):
        raise TypeError(f"redact is a {type(redact).__name__}: a function of text, part and key expected")
    try:
        return _REDACTORS[redact, name]
    except KeyError:
        made = _REDACTORS[redact, name] = _native.Redactor(redact, name)
        return made

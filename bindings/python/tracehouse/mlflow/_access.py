"""Who reads and who writes: one process holds the writer's lock of a database, the others ask it.

```text
store.reading() --> the database, followed read-only until this process first writes
store.write(..) --> no owner yet?  take the writer's lock, listen on mlflow/writer.sock
                    an owner?      send it the operation; it answers when the change is durable
                    owner gone?    the next one to write takes the lock
```

Invariants
1. Nothing is opened before the first call about traces: MLflow's server builds its stores in a parent process that
   never uses them.
2. An operation that was sent to an owner that died is sent again to the next one. That is safe because operations are
   written so that repeating one changes nothing: ids are made by who sends it.
3. What a process has written it sees: a reader catches up before each question.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import tracehouse
from tracehouse.errors import ConflictError
from tracehouse.mlflow import _operations
from tracehouse.mlflow._owner import Owner, OwnerGoneError, ask

# How long a write waits for an owner that answers: another process may be opening a large database just now.
_OWNER_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.02

_SHARED: WeakValueDictionary[Path, Access] = WeakValueDictionary()
_SHARED_LOCK = threading.Lock()


class Access:
    """The database in a folder, as one process has it. Use `shared`: a process has one for each folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forget()

    @classmethod
    def shared(cls, folder: Path) -> Access:
        """The one for a folder."""
        with _SHARED_LOCK:
            found = _SHARED.get(folder)
            if found is None:
                found = _SHARED[folder] = cls(folder)
            return found

    def _forget(self) -> None:
        """Begins anew, as a process that was forked must: what its parent had open is not its own."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._database: tracehouse.Database | None = None
        self._owner: Owner | None = None
        self._readers = 0
        self._opening = False

    @contextmanager
    def reading(self) -> Iterator[tracehouse.Database]:
        """The database for one question, with all that was written before. Do not write meanwhile."""
        if self._process != os.getpid():
            self._forget()
        with self._changed:
            self._changed.wait_for(lambda: not self._opening)
            database = self._database or self._open_reader()
            self._readers += 1
        try:
            if database.read_only:
                database.refresh()
            yield database
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    def write(self, operation: str, /, **given: Any) -> Any:
        """Runs an operation of `_operations` in the process that writes, and gives what it gives. Durable when it
        returns.

        Raises:
            ConflictError: another process writes the database and takes no requests, such as a running import.
        """
        if self._process != os.getpid():
            self._forget()
        until = time.monotonic() + _OWNER_WAIT_SECONDS
        while True:
            if self._owner is not None:
                return self._owner.run(operation, given)
            try:
                return ask(self._folder, operation, given)
            except OwnerGoneError:
                pass
            try:
                self._become_owner()
            except ConflictError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _open_reader(self) -> tracehouse.Database:
        try:
            self._database = tracehouse.connect(self._folder, read_only=True, create=False)
        except ConflictError:
            # This process has it open for writing, outside of MLflow.
            self._database = tracehouse.connect(self._folder)
        return self._database

    def _become_owner(self) -> None:
        """Takes the writer's lock. Questions wait meanwhile: one process cannot read and write by two handles.

        Raises:
            ConflictError: another process has it.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._opening)
            if self._owner is not None:
                return
            self._opening = True
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._readers == 0)
            reader, self._database = self._database, None
            if reader is not None and reader.read_only:
                reader.close()
            database = tracehouse.connect(self._folder)
            self._owner = Owner(self._folder, database, _operations.OPERATIONS)
            self._database = database
        finally:
            with self._changed:
                self._opening = False
                self._changed.notify_all()

"""Where a store's files are: the folder of the database, and MLflow's own files in `mlflow/` inside it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import tracehouse
from tracehouse.errors import ConflictError, InvalidInputError

_SCHEME = "tracehouse"
_MAKING_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Location:
    """The folder of a database, absolute: a process that works in another folder must find the same one."""

    folder: Path

    @classmethod
    def of(cls, uri: str) -> Location:
        """The location of `tracehouse:PATH` or `tracehouse://PATH`; `%20` and the like are decoded.

        Raises:
            InvalidInputError: another scheme, no path, or a database in memory, which has no place for MLflow's files.
        """
        scheme, separator, path = uri.partition(":")
        path = unquote(path.removeprefix("//"))
        if scheme != _SCHEME or not separator or not path:
            raise InvalidInputError(
                f"URI {uri!r}: tracehouse:./app.traces, tracehouse:///data/app.traces or, for a server, "
                "tracehouse+http://HOST:PORT?metadata=URI expected"
            )
        if path == ":memory:":
            raise InvalidInputError(f"URI {uri!r}: a folder expected, MLflow's own files need one")
        return cls(Path(os.path.abspath(os.path.expanduser(path))))

    @property
    def mlflow(self) -> Path:
        """The folder of MLflow's own files."""
        return self.folder / "mlflow"

    @property
    def sql_uri(self) -> str:
        """MLflow's SQLite file, as a URI."""
        return f"sqlite:///{self.mlflow / 'mlflow.db'}"

    @property
    def artifacts(self) -> str:
        """Where artifacts go unless told otherwise."""
        return (self.mlflow / "artifacts").as_uri()

    @contextmanager
    def making(self) -> Iterator[None]:
        """Makes the folders. Inside, no other process makes MLflow's SQLite file."""
        self._make_database()
        self.mlflow.mkdir(exist_ok=True)
        with open(self.mlflow / "making.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_database(self) -> None:
        """Makes an empty database where there is none: it is made in a folder that is empty."""
        until = time.monotonic() + _MAKING_SECONDS_MAX
        while not (self.folder / "FORMAT").exists():
            try:
                tracehouse.connect(self.folder).close()
            except ConflictError:
                # Another process makes it.
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

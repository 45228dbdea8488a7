"""A store whose traces are behind a server: `tracehouse+http://host:4318?metadata=sqlite:////data/mlflow.db`.

```text
store.reading() --> the database of `tracehouse.connect("http://..")`
store.write(..) --> the operation runs here and changes the database through the server, which is the one that writes
```

Many processes and machines may have one server: it orders their changes, and each sees what it has written.
Experiments, runs, models and prompts are in an SQL database that the address names, by any URI of SQLAlchemy; whoever
shares the server shares that database as well.

Invariants
1. Nothing is sent before the first call about traces, and a child after a fork has connections of its own.
2. What is sent may come twice: operations are written so that repeating one changes nothing.
3. What an operation reads and then changes is not changed by another thread of this process meanwhile. Another process
   may: of two that change the experiments of one dataset at the same time, the later counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import tracehouse
from tracehouse.errors import InvalidInputError
from tracehouse.mlflow import _operations

SCHEMES = ("tracehouse+http", "tracehouse+https")
_OPTIONS = ("metadata", "token_file", "artifacts", "verify")
_EXPECTED = "tracehouse+http://HOST:PORT?metadata=sqlite:////path/mlflow.db expected"


@dataclass(frozen=True)
class RemoteLocation:
    """Where a store's things are: a server, and a database of SQL."""

    url: str
    sql_uri: str = field(repr=False)  # There may be a password in it.
    artifacts: str
    """Where artifacts go unless told otherwise."""
    token: str | None = field(repr=False)
    verify: bool | str = True

    @classmethod
    def of(cls, uri: str) -> RemoteLocation:
        """The location of a URI; values of its options are percent-encoded.

        Raises:
            InvalidInputError: another form, an option that is missing or unknown, a file that cannot be read.
        """
        parts = urlsplit(uri)
        options: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name not in _OPTIONS or name in options:
                what = "there twice" if name in options else "unknown"
                raise InvalidInputError(f"option {name!r} of the URI is {what}: {', '.join(_OPTIONS)} are options")
            options[name] = value
        if not options.get("metadata"):
            raise InvalidInputError(
                "the URI of a server needs metadata=URI, the SQL database of experiments, runs and models, "
                f"percent-encoded: {_EXPECTED}"
            )
        # MLflow's default for a database of SQL is the same.
        artifacts = options.get("artifacts") or "./mlruns"
        url = f"{parts.scheme.removeprefix('tracehouse+')}://{parts.netloc}{parts.path}"
        return cls(
            url, options["metadata"], artifacts, _token(options.get("token_file")), options.get("verify") or True
        )

    @contextmanager
    def making(self) -> Iterator[None]:
        """Makes nothing: MLflow makes the tables of its database, and the server the rest."""
        yield


def _token(file: str | None) -> str | None:
    """The token in a file; that of the variable `TRACEHOUSE_TOKEN` without one."""
    if file is None:
        return None
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"token_file {file!r} cannot be read: {error}") from error
    return text.strip()


_SHARED: dict[RemoteLocation, RemoteAccess] = {}
_SHARED_LOCK = threading.Lock()


class RemoteAccess:
    """The database behind a server, as one process has it. Use `shared`: a process has one for each location."""

    def __init__(self, location: RemoteLocation) -> None:
        self._database = tracehouse.connect(location.url, token=location.token, verify=location.verify)

    @classmethod
    def shared(cls, location: RemoteLocation) -> RemoteAccess:
        """The one for a location."""
        with _SHARED_LOCK:
            if location not in _SHARED:
                _SHARED[location] = cls(location)
            return _SHARED[location]

    @contextmanager
    def reading(self) -> Iterator[tracehouse.Database]:
        """The database for one question."""
        yield self._database

    def write(self, operation: str, /, **given: Any) -> Any:
        """Runs an operation of `_operations`, and gives what it gives. Durable when it returns."""
        return _operations.OPERATIONS[operation](self._database, **given)

"""The MLflow database that is imported: opened for reading only, and checked; a part of `_migration`."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import sqlalchemy
from mlflow.store.db.utils import _get_latest_schema_revision
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

_OWN_TABLES = {"alembic_version", "experiments", "runs"}
# Where a transaction that reads must be told to see one moment.
_ISOLATED = ("postgresql", "mysql", "mariadb")


class RefusedError(Exception):
    """What keeps an import from being done, in words for whoever asked for it."""


@dataclass(frozen=True)
class Source:
    """An MLflow database."""

    name: str
    """What tells it from others: the file's path, or the URL without its password."""
    engine: Engine
    path: Path | None
    """Its file, if it is SQLite's."""

    @classmethod
    def of(cls, text: str) -> Source:
        """The source of a path or of a URL.

        Raises:
            RefusedError: no file, no URL, or one that needs what is not installed.
        """
        if "://" not in text:
            return cls._of_file(Path(text))
        try:
            url = make_url(text)
            if url.get_backend_name() == "sqlite":
                return cls._of_file(Path(url.database or ""))
            return cls(url.render_as_string(hide_password=True), sqlalchemy.create_engine(url), None)
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            # Not the text itself: it may have a password.
            raise RefusedError(f"the URL of the source is not understood: {error}") from None
        except ImportError as error:
            raise RefusedError(f"the driver of the source is not installed: {error}") from None

    @classmethod
    def _of_file(cls, path: Path) -> Source:
        if path.is_dir():
            raise RefusedError(f"{path} is a folder: the SQLite file of an MLflow database, or a URL, expected")
        if not path.is_file():
            raise RefusedError(f"{path}: no such file")
        path = path.resolve()
        return cls(str(path), sqlalchemy.create_engine("sqlite://", creator=lambda: read_only(path)), path)

    def check(self) -> None:
        """Checks that it is MLflow's, of the version that is installed.

        Raises:
            RefusedError: it is not.
        """
        with self.errors(), self.one_moment() as connection:
            self.check_version(connection)

    def check_version(self, connection: Connection) -> None:
        """The same on an open connection."""
        missing = _OWN_TABLES - set(sqlalchemy.inspect(connection).get_table_names())
        if missing:
            raise RefusedError(f"{self.name} is not an MLflow database: it has no table {min(missing)!r}")
        versions = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalars().all()
        found, installed = ", ".join(versions) or "none", _get_latest_schema_revision()
        if found != installed:
            raise RefusedError(
                f"{self.name} has schema version {found}, the installed MLflow {installed}: "
                f"run `mlflow db upgrade {self.url}` on a copy first"
            )

    @property
    def url(self) -> str:
        """The source as MLflow is told of it."""
        return self.name if self.path is None else f"sqlite:///{self.path}"

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raises what the source's database says inside as a refusal."""
        try:
            yield
        except (DatabaseError, sqlite3.Error) as error:
            said = " ".join(str(getattr(error, "orig", error)).split())
            raise RefusedError(f"{self.name} cannot be read: {said}") from None

    @contextlib.contextmanager
    def one_moment(self) -> Iterator[Connection]:
        """A connection that sees the database as it is now, and changes nothing."""
        with self.engine.connect() as connection:
            name = self.engine.dialect.name
            if name in _ISOLATED:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            if name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            yield connection


def read_only(path: Path) -> sqlite3.Connection:
    """An SQLite file, opened so that it is never written."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)

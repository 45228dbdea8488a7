"""What the parts of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

import tracehouse
from tracehouse.mlflow._errors import mlflow_errors
from tracehouse.mlflow._places import AnyAccess


class Base(SqlAlchemyStore):
    """A part of the store: it asks the database and writes to it."""

    _access: AnyAccess

    @contextmanager
    def _reading(self) -> Iterator[tracehouse.Database]:
        """The database for one question; errors are MLflow's."""
        with mlflow_errors(), self._access.reading() as database:
            yield database

    def _write(self, operation: str, /, **given: Any) -> Any:
        """Runs an operation of `_operations`; errors are MLflow's."""
        with mlflow_errors():
            return self._access.write(operation, **given)

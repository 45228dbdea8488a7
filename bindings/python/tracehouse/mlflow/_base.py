"""What the parts of the store share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

import tracehouse
from tracehouse.mlflow._errors import mlflow_errors
from tracehouse.mlflow._places import AnyAccess

_FILTERS = "TRACEHOUSE_MLFLOW_FILTERS"
"""The variable that says whose filters are taken: `all` that the database knows, or those of `mlflow` alone."""


class Base(SqlAlchemyStore):
    """A part of the store: it asks the database and writes to it."""

    _access: AnyAccess

    @contextmanager
    def _reading(self) -> Iterator[tracehouse.Database]:
        """The database for one question; errors are MLflow's."""
        with mlflow_errors(), self._access.reading() as database:
            yield database

    def _check_filters(self, ask: Callable[[], object]) -> None:
        """Where MLflow's filters alone are taken, raises what MLflow says of others.

        Args:
            ask: asks MLflow's own method the same. Its tables have no traces, but it looks at the question first.
        """
        taken = os.environ.get(_FILTERS) or "all"
        if taken == "mlflow":
            ask()
        elif taken != "all":
            raise MlflowException.invalid_parameter_value(f"{_FILTERS} is {taken!r}: 'all' or 'mlflow' expected")

    def _write(self, operation: str, /, **given: Any) -> Any:
        """Runs an operation of `_operations`; errors are MLflow's."""
        with mlflow_errors():
            return self._access.write(operation, **given)

"""MLflow's registry of models and prompts, in its own SQLite file inside the database's folder."""

from __future__ import annotations

from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from tracehouse.mlflow._places import located


class TracehouseRegistryStore(SqlAlchemyStore):
    """MLflow's SQL registry on `mlflow/mlflow.db`."""

    def __init__(self, store_uri: str) -> None:
        location = located(store_uri)
        with location.making():
            super().__init__(location.sql_uri)

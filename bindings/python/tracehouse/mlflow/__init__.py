"""MLflow on Tracehouse: `mlflow.set_tracking_uri("tracehouse:./app.traces")`.

```text
MLflow client, server, UI --> TracehouseStore --> traces, spans, assessments, datasets   app.traces/
                                      |---------> experiments, runs, models, prompts     app.traces/mlflow/mlflow.db
                                      '-- _access: who writes
```

MLflow finds the two functions of this module by the entry points of the package.

Invariant: this module imports nothing of MLflow, which loads it while it is being imported itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracehouse.mlflow.registry import TracehouseRegistryStore
    from tracehouse.mlflow.store import TracehouseStore

__all__ = ["registry_store", "tracking_store"]


def tracking_store(store_uri: str, artifact_uri: str | None = None, **_: Any) -> TracehouseStore:
    """The tracking store of a URI such as `tracehouse:./app.traces` or `tracehouse:///data/app.traces`."""
    from tracehouse.mlflow.store import TracehouseStore

    return TracehouseStore(store_uri, artifact_uri)


def registry_store(store_uri: str, **_: Any) -> TracehouseRegistryStore:
    """The model and prompt registry of such a URI."""
    from tracehouse.mlflow.registry import TracehouseRegistryStore

    return TracehouseRegistryStore(store_uri)

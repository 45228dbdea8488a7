"""MLflow's tracking store on a Tracehouse database.

Traces with all that belongs to them are in the database; experiments, runs, models, scorers, review queues in MLflow's
own SQLite file beside it (for a server: in the database of SQL that the URI names), by the class that this one extends.
The parts are in files of their own:

```text
TracehouseStore = _traces (write, read, search) + _judging (assessments, links) + _measuring (metrics, sessions)
                  + _datasets + _experiments (deletes over both stores) + MLflow's SqlAlchemyStore
```

Invariant: no method of MLflow's class that reads or writes its tables of traces, spans, assessments or datasets is
reached, but where its empty tables are asked for the wording of an error; a test reads the installed class and names
what is new.
"""

from __future__ import annotations

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from tracehouse.mlflow._datasets import Datasets
from tracehouse.mlflow._experiments import Experiments
from tracehouse.mlflow._judging import Judging
from tracehouse.mlflow._measuring import Measuring
from tracehouse.mlflow._places import access, located
from tracehouse.mlflow._traces import Traces


class TracehouseStore(Traces, Judging, Measuring, Datasets, Experiments, SqlAlchemyStore):
    """The tracking store of a URI `tracehouse:PATH`, or of one of a server."""

    def __init__(self, store_uri: str, artifact_uri: str | None = None) -> None:
        location = located(store_uri)
        with location.making():
            super().__init__(location.sql_uri, artifact_uri or location.artifacts)
        self._access = access(location)

    @property
    def supports_trace_archival(self) -> bool:
        """Spans stay in the database: it keeps them compressed, and retention deletes them."""
        return False

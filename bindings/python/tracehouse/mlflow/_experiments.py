"""Deletes that touch both stores: runs and experiments of MLflow's file, their traces and assessments here.

No transaction reaches over both, so each delete has an order:

```text
delete a run or an experiment   MLflow's rows changed, not committed --> assessments deleted here --> commit
mlflow gc                       checked --> traces and links deleted here --> MLflow's rows deleted
```

Invariant: whatever is interrupted leaves MLflow's row as it was. So the delete can be asked for again (`mlflow gc` does
so by itself), and then finds less to do here; nothing here belongs to a run or an experiment that is not there.
"""

from __future__ import annotations

import time
from typing import Any

from mlflow.entities import ViewType
from mlflow.exceptions import MlflowNotImplementedException
from mlflow.store.tracking.dbmodels.models import SqlRun
from sqlalchemy import event
from sqlalchemy.orm import Session

from tracehouse.mlflow._base import Base

_RUNS = "tracehouse.runs"


class Experiments(Base):
    """What MLflow deletes of runs and experiments."""

    def _mark_run_deleted(self, session: Session, run: SqlRun) -> None:
        """Marks a run, and deletes the assessments that it made, for good: to restore it does not bring them back."""
        super()._mark_run_deleted(session, run)
        if _RUNS not in session.info:
            session.info[_RUNS] = []
            event.listen(session, "before_commit", self._delete_assessments_of_runs, once=True)
        session.info[_RUNS].append(run.run_uuid)

    def _delete_assessments_of_runs(self, session: Session) -> None:
        """Deletes what the runs of a session have assessed, when all that MLflow's file may refuse is written."""
        session.flush()
        self._write("delete_assessments_of_runs", run_ids=session.info.pop(_RUNS))

    def _hard_delete_run(self, run_id: str) -> None:
        """Deletes a run with its links to traces; `mlflow gc` calls it."""
        with self.ManagedSessionMaker() as session:
            self._get_run(session, run_id)
        self._write("unlink_run", run_id=run_id)
        super()._hard_delete_run(run_id)

    def _hard_delete_experiment(self, experiment_id: str) -> None:
        """Deletes a deleted experiment with its traces and its links to datasets; `mlflow gc` calls it."""
        with self.ManagedSessionMaker() as session:
            self._get_experiment(session, experiment_id, ViewType.DELETED_ONLY)
        self._delete_traces(str(experiment_id))
        self._write("unlink_experiment", experiment_id=str(experiment_id), now_ms=time.time_ns() // 1_000_000)
        super()._hard_delete_experiment(experiment_id)

    def archive_traces(self, **_: Any) -> int:
        """Not supported, as `supports_trace_archival` says."""
        raise MlflowNotImplementedException()

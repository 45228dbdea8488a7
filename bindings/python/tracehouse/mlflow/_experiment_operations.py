"""What the process that writes does when runs and experiments are deleted; a part of `_operations`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from tracehouse.database import Database
from tracehouse.errors import NotFoundError
from tracehouse.mlflow._dataset_operations import remove_dataset_experiments

_MADE_BY_RUNS = """
    SELECT trace_id, assessment_id FROM assessments
    WHERE metadata['mlflow.assessment.sourceRunId'] = $run
"""


def delete_assessments_of_runs(db: Database, run_ids: list[str]) -> int:
    """Deletes the assessments that runs made; those that they overrode are valid again."""
    made = [row for run_id in run_ids for row in db.sql(_MADE_BY_RUNS, {"run": run_id})]
    return sum(db.delete_assessment(trace_id, assessment_id) for trace_id, assessment_id in made)


def unlink_run(db: Database, run_id: str) -> int:
    """Takes the links of traces to a run away. Traces that were made in the run say so still."""
    run = run_id.replace("'", "''")
    made_in = "metadata.`mlflow.sourceRun`"
    linked = db.search_trace_ids(f"run_id = '{run}' AND ({made_in} IS NULL OR {made_in} != '{run}')")
    if linked:
        db.unlink_traces_from_run(linked, run_id)
    return len(linked)


def unlink_experiment(db: Database, experiment_id: str, now_ms: int) -> None:
    """Takes an experiment out of the datasets that belong to it; they stay."""
    for info in db.datasets():
        if experiment_id in info.experiment_ids:
            with contextlib.suppress(NotFoundError):  # It is deleted just now.
                remove_dataset_experiments(db, info.dataset_id, [experiment_id], now_ms)


OPERATIONS: dict[str, Callable[..., Any]] = {
    operation.__name__: operation for operation in (delete_assessments_of_runs, unlink_run, unlink_experiment)
}
"""The operations of this file by their names."""

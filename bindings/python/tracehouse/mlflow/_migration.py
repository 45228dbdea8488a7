"""Moving an MLflow database into a Tracehouse database, which `TracehouseStore` then serves.

```text
source --copy--> mlflow/source.db --traces, spans, assessments, links, datasets--> the database
                        |   '--> counted on both sides: equal or not
                        '-- rows that the database has taken over are removed --> mlflow/mlflow.db
```

| file | what it knows |
|---|---|
| `_migration_source` | the source: opened, checked |
| `_migration_copy` | the copy: made, cleared |
| `_migration_traces`, `_migration_spans`, `_migration_datasets` | what is read of the copy and how it is written |
| `_migration_state` | how far it is: `mlflow/import.db` |
| `_migration_counts`, `_migration_meter` | the report, the progress |

Invariants
1. The source is never written.
2. An import may be killed at any time. Begun again it goes on, and ends with the same content: what is done twice
   changes nothing, and each phase is noted when it is durable.
3. `mlflow/mlflow.db` is there when all of the import is, and not before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.store.tracking.dbmodels.models import SqlTraceInfo
from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

import tracehouse
from tracehouse.mlflow import _migration_counts as counts
from tracehouse.mlflow._location import Location
from tracehouse.mlflow._migration_copy import is_unused, make_copy, opened, remove_taken_over
from tracehouse.mlflow._migration_datasets import dataset_ids, import_dataset
from tracehouse.mlflow._migration_meter import Meter
from tracehouse.mlflow._migration_source import RefusedError, Source
from tracehouse.mlflow._migration_state import REFUSED, WITHOUT_SPANS, State
from tracehouse.mlflow._migration_traces import Traces

# Problems of a kind that the report names.
_NAMED = 1_000
_COPIED, _WRITTEN, _EQUAL, _DONE = "copied", "written", "equal", "done"


@dataclass(frozen=True)
class Report:
    """What came of an import."""

    text: str
    """The counts of both sides, and what is missing."""
    is_equal: bool
    """Whether all of the source is there."""
    was_done: bool = False
    """Whether it was done already, and nothing was done now."""


class Migration:
    """One import."""

    def __init__(self, source: Source, folder: Path, *, artifacts: str | None, merge: bool, meter: Meter) -> None:
        self._source = source
        self._location = Location(folder)
        self._artifacts = artifacts
        self._merge = merge
        self._meter = meter
        own = self._location.mlflow
        self._state_path, self._copy, self._kept = own / "import.db", own / "source.db", own / "mlflow.db"

    def run(self) -> Report:
        """Imports all, or what is left of it.

        Raises:
            RefusedError: the source or the database is not what it must be; nothing was changed.
            Error: the database cannot be written.
        """
        if not self._state_path.exists():
            self._source.check()
        with self._location.making():
            pass
        with tracehouse.connect(self._location.folder) as database:
            self._refuse_strangers(database)
            state = State(self._state_path)
            try:
                return self._go_on(database, state)
            finally:
                state.close()
                self._meter.end()

    def _go_on(self, database: tracehouse.Database, state: State) -> Report:
        """Does the phases that are not done."""
        phase = state.get("phase")
        if phase == _DONE:
            return Report(state.get("report"), True, was_done=True)
        if phase is None:
            state.set({"source": self._source.name})
            rows = make_copy(self._source, self._copy, self._meter)
            phase = self._reach(state, _COPIED, tables=rows)
        if phase == _COPIED:
            self._write(database, state)
            phase = self._reach(state, _WRITTEN)
        if phase == _WRITTEN:
            report = self._compared(database, state)
            if not report.is_equal:
                state.begin_again(_COPIED)
                return report
            self._reach(state, _EQUAL, report=report.text)
        self._keep()
        self._reach(state, _DONE)
        return Report(state.get("report"), True)

    def _reach(self, state: State, phase: str, **facts: Any) -> str:
        state.set({"phase": phase, **facts})
        return phase

    def _refuse_strangers(self, database: tracehouse.Database) -> None:
        """Refuses a database that has what this import did not bring.

        Raises:
            RefusedError: it has.
        """
        folder = self._location.folder
        if self._state_path.exists():
            state = State(self._state_path)
            begun = state.get("source")
            state.close()
            if begun not in (None, self._source.name):
                raise RefusedError(f"{folder}: an import of {begun} was begun; import {self._source.name} elsewhere")
            if begun is not None:
                return
        if self._kept.exists() and not is_unused(self._kept):
            raise RefusedError(f"{folder} has experiments or models of its own in mlflow/mlflow.db: import elsewhere")
        if database.stats().traces and not self._merge:
            raise RefusedError(f"{folder} has traces that this import did not bring: import elsewhere, or say --merge")

    def _write(self, database: tracehouse.Database, state: State) -> None:
        with opened(self._copy) as copy:
            self._write_traces(Traces(database, copy, state, self._artifacts), copy, state)
            ids = dataset_ids(copy)
            for number, dataset_id in enumerate(ids, 1):
                if not state.get(f"dataset {dataset_id}"):
                    import_dataset(database, copy, state, dataset_id)
                    state.set({f"dataset {dataset_id}": True})
                self._meter.step("datasets", number, len(ids))

    def _write_traces(self, traces: Traces, copy: Engine, state: State) -> None:
        counted = select(func.count()).select_from(SqlTraceInfo)
        with Session(copy) as session:
            total = session.scalar(counted) or 0
            done = session.scalar(counted.where(SqlTraceInfo.request_id <= (state.get("last") or ""))) or 0
        while written := traces.import_page():
            done += written
            self._meter.step("traces", done, total)

    def _compared(self, database: tracehouse.Database, state: State) -> Report:
        """Counts both sides."""
        with opened(self._copy) as copy:
            lines = counts.kept_lines(state.get("tables"), self._copy)
            lines += counts.trace_lines(database, copy, state)
            lines += counts.link_lines(database, copy)
            lines += counts.dataset_lines(database, copy)
        text = "\n".join([counts.table(lines), *_problems(state)])
        return Report(text, all(line.is_equal for line in lines) and not state.problem_count(REFUSED))

    def _keep(self) -> None:
        """Makes the copy MLflow's own file, without what the database has."""
        if not self._copy.exists():
            # It was killed after this.
            return
        remove_taken_over(self._copy)
        with self._location.making():
            if self._kept.exists() and not is_unused(self._kept):
                raise RefusedError(f"{self._kept} was written by another program meanwhile")
            os.replace(self._copy, self._kept)


def _problems(state: State) -> list[str]:
    """What the report says of what is missing."""
    lines = []
    for kind, words in ((WITHOUT_SPANS, "traces whose spans were not found"), (REFUSED, "not imported")):
        count = state.problem_count(kind)
        if count:
            lines.append(f"\n{words}: {count:,}")
            lines += [f"  {item}: {problem}" for item, problem in state.problems(kind, _NAMED)]
        if count > _NAMED:
            lines.append("  ... all of them are in mlflow/import.db, table problems")
    return lines

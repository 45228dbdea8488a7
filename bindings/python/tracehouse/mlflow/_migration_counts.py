"""What the source has and what was written, counted on both sides; a part of `_migration`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities.entity_type import EntityAssociationType as Kind
from mlflow.store.tracking.dbmodels.models import (
    SqlAssessments,
    SqlEntityAssociation,
    SqlEvaluationDataset,
    SqlEvaluationDatasetRecord,
    SqlExperiment,
    SqlSpan,
    SqlTraceInfo,
)
from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from tracehouse.database import Database
from tracehouse.mlflow._ids import plain_trace_id
from tracehouse.mlflow._migration_copy import DERIVED, TAKEN_OVER, opened, table_counts
from tracehouse.mlflow._migration_datasets import imported
from tracehouse.mlflow._migration_state import State

_IDS = 20_000
_OF_TRACES = """
    SELECT experiment_id, count(*), sum(span_count) FROM traces WHERE trace_id IN (SELECT id FROM ids) GROUP BY 1
"""
_OF_ASSESSMENTS = """
    SELECT t.experiment_id, count(*) FROM assessments a JOIN traces t ON a.trace_id = t.trace_id
    WHERE t.trace_id IN (SELECT id FROM ids) GROUP BY 1
"""


@dataclass(frozen=True)
class Line:
    """What one line of the report counts."""

    what: str
    source: int
    written: int

    @property
    def is_equal(self) -> bool:
        """Whether both sides have as many."""
        return self.source == self.written


def kept_lines(counts: dict[str, int], kept: Path) -> list[Line]:
    """The tables that stay in MLflow's own file.

    Args:
        counts: the rows that the source has by table.
        kept: the file.
    """
    with opened(kept) as engine, engine.connect() as connection:
        written = table_counts(connection)
    names = sorted(name for name in counts if name not in {*TAKEN_OVER, *DERIVED})
    return [Line(name, counts[name], written[name]) for name in names if counts[name] or written[name]]


def trace_lines(database: Database, copy: Engine, state: State) -> list[Line]:
    """Traces, spans and assessments, in all and by experiment."""
    with Session(copy) as session:
        names = dict(session.execute(select(SqlExperiment.experiment_id, SqlExperiment.name)).tuples().all())
        source = _in_source(session, state)
        written = _written(database, session)
    lines = []
    for what, found in source.items():
        lines.append(Line(what, found.total(), written[what].total()))
        for experiment in sorted({*found, *written[what]}, key=int):
            of = f"  in experiment {experiment} ({names.get(int(experiment), 'deleted')})"
            lines.append(Line(of, found[experiment], written[what][experiment]))
    return lines


def link_lines(database: Database, copy: Engine) -> list[Line]:
    """Links of traces that are there: those of others are not kept."""
    lines = []
    for kind, what, key in ((Kind.RUN, "runs", "run_id"), (Kind.PROMPT_VERSION, "prompts", "prompt")):
        source = written = 0
        for linked, trace_ids in _linked(copy, kind):
            text = linked.replace("'", "''")
            found = set(database.search_trace_ids(f"{key} = '{text}'"))
            source += len(trace_ids)
            written += len(trace_ids & found)
        lines.append(Line(f"links of traces to {what}", source, written))
    return lines


def dataset_lines(database: Database, copy: Engine) -> list[Line]:
    """Evaluation datasets and their records."""
    record = SqlEvaluationDatasetRecord
    with Session(copy) as session:
        records = dict(
            session.execute(select(record.dataset_id, func.count()).group_by(record.dataset_id)).tuples().all()
        )
        ids = [*session.scalars(select(SqlEvaluationDataset.dataset_id))]
    written = imported(database)
    return [
        Line("evaluation datasets", len(ids), sum(one in written for one in ids)),
        Line("records of these", sum(records.values()), sum(written.get(one, 0) for one in ids)),
    ]


def _in_source(session: Session, state: State) -> dict[str, Counter[str]]:
    def counted(question: object) -> Counter[str]:
        return Counter({str(experiment): count for experiment, count in session.execute(question).tuples()})

    trace, of = SqlTraceInfo, SqlTraceInfo.experiment_id
    spans = select(of, func.count()).join(SqlSpan, SqlSpan.trace_id == trace.request_id).where(SqlSpan.content != "")
    judged = select(of, func.count()).join(SqlAssessments, SqlAssessments.trace_id == trace.request_id)
    return {
        "traces": counted(select(of, func.count()).group_by(of)),
        "spans": counted(spans.group_by(of)) + Counter(state.loaded_spans()),
        "assessments": counted(judged.group_by(of)),
    }


def _written(database: Database, session: Session) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {what: Counter() for what in ("traces", "spans", "assessments")}
    for ids in _pages_of_ids(session):
        tables = {"ids": {"id": ids}}
        for experiment, traces, spans in database.sql(_OF_TRACES, tables=tables):
            counts["traces"][experiment] += traces
            counts["spans"][experiment] += spans
        for experiment, assessments in database.sql(_OF_ASSESSMENTS, tables=tables):
            counts["assessments"][experiment] += assessments
    return counts


def _pages_of_ids(session: Session) -> Iterator[list[str]]:
    """The ids of all traces, as the database has them, in pages."""
    found = session.scalars(select(SqlTraceInfo.request_id).execution_options(yield_per=_IDS))
    for part in found.partitions():
        yield [plain_trace_id(trace_id) for trace_id in part]


def _linked(copy: Engine, kind: str) -> Iterator[tuple[str, set[str]]]:
    """What traces are linked to, each with its traces."""
    link = SqlEntityAssociation
    columns = (link.destination_id, link.source_id)
    question = select(*columns).join(SqlTraceInfo, SqlTraceInfo.request_id == link.source_id)
    of_kind = question.where(link.source_type == Kind.TRACE, link.destination_type == kind).order_by(*columns)
    with Session(copy) as session:
        found = session.execute(of_kind.execution_options(yield_per=_IDS)).tuples()
        for linked, rows in itertools.groupby(found, lambda row: row[0]):
            yield linked, {plain_trace_id(trace_id) for _, trace_id in rows}


def table(lines: list[Line]) -> str:
    """The lines as text."""
    rows = [("", "source", "written", "")]
    rows += [
        (one.what, f"{one.source:,}", f"{one.written:,}", "equal" if one.is_equal else "DIFFERENT") for one in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{what:<{widths[0]}}  {source:>{widths[1]}}  {written:>{widths[2]}}  {is_equal}".rstrip()
        for what, source, written, is_equal in rows
    )

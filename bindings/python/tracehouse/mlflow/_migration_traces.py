"""Traces of the source's copy into the database, page by page in the order of their ids; a part of `_migration`.

```text
page of infos --> spans of the table, spans of artifacts --> starts --> assessments --> links --> noted in `State`
```

Invariant: every write is one that changes nothing when it is repeated, so that a page that was not noted is done again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from mlflow.entities import TraceInfo
from mlflow.entities.entity_type import EntityAssociationType as Kind
from mlflow.store.tracking.dbmodels.models import SqlEntityAssociation, SqlExperiment, SqlSpan, SqlTraceInfo
from mlflow.tracing.constant import AssessmentMetadataKey, TraceMetadataKey, TraceTagKey
from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, selectinload

from tracehouse.database import Database
from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.mlflow._assessments import assessment_row
from tracehouse.mlflow._ids import plain_trace_id
from tracehouse.mlflow._infos import trace_info, trace_start
from tracehouse.mlflow._migration_spans import MissingSpansError, artifact_fields, is_in_table, stored_fields
from tracehouse.mlflow._migration_state import REFUSED, WITHOUT_SPANS, Page, State
from tracehouse.mlflow._operations import trace_row
from tracehouse.trace import Assessment, TraceStart

_PAGE = 200
_SPANS_MAX, _SPAN_CHARS_MAX = 2_000, 8 << 20
_Item = TypeVar("_Item")


class Traces:
    """The traces of a copy, on their way into a database."""

    def __init__(self, database: Database, copy: Engine, state: State, artifacts: str | None) -> None:
        self._database = database
        self._copy = copy
        self._state = state
        self._artifacts = artifacts
        with Session(copy) as session:
            found = session.execute(select(SqlExperiment.experiment_id, SqlExperiment.artifact_location)).tuples()
            self._homes = {str(experiment_id): location for experiment_id, location in found}

    def import_page(self) -> int:
        """Imports the next page, and returns how many traces it had: none after the last."""
        with Session(self._copy) as session:
            rows = self._rows(session)
            if not rows:
                return 0
            page = Page(last=rows[-1].request_id)
            infos = self._without_others(_infos(rows, page), page)
            with_spans = self._write_table_spans(session, list(infos), page)
            with_spans |= self._write_artifact_spans(infos.values(), with_spans, page)
            there = self._write_starts(infos, with_spans, page)
            self._write_assessments(there, page)
            self._write_links(session, list(there), page)
        self._state.finish_page(page)
        return len(rows)

    def _rows(self, session: Session) -> Sequence[SqlTraceInfo]:
        parts = (SqlTraceInfo.tags, SqlTraceInfo.request_metadata, SqlTraceInfo.assessments)
        question = select(SqlTraceInfo).order_by(SqlTraceInfo.request_id).limit(_PAGE)
        last = self._state.get("last")
        if last is not None:
            question = question.where(SqlTraceInfo.request_id > last)
        return list(session.scalars(question.options(*(selectinload(part) for part in parts))))

    def _without_others(self, infos: dict[str, TraceInfo], page: Page) -> dict[str, TraceInfo]:
        """Those of these traces that no other experiment of the database has."""
        kept = {}
        for trace_id, info in infos.items():
            row = trace_row(self._database, plain_trace_id(trace_id))
            if row is None or row.experiment_id == info.experiment_id:
                kept[trace_id] = info
            else:
                problem = f"the database has one of this id in experiment {row.experiment_id}"
                page.problems.append((f"trace {trace_id}", REFUSED, problem))
        return kept

    def _write_table_spans(self, session: Session, trace_ids: list[str], page: Page) -> set[str]:
        """Writes the spans of these traces that are in the table, and returns the traces that have any."""
        columns = (SqlSpan.trace_id, SqlSpan.span_id, SqlSpan.experiment_id, SqlSpan.content)
        # Archived spans are there still, without their content.
        question = select(*columns).where(SqlSpan.trace_id.in_(trace_ids), SqlSpan.content != "")
        found = session.execute(question.order_by(*columns[:2]).execution_options(yield_per=_PAGE))
        batch: list[dict[str, Any]] = []
        chars, with_spans = 0, set()
        for trace_id, span_id, experiment_id, content in found:
            try:
                batch.append(stored_fields(content, trace_id, str(experiment_id)))
            except Exception as error:
                page.problems.append((f"span {span_id} of trace {trace_id}", REFUSED, str(error)))
                continue
            with_spans.add(trace_id)
            chars += len(content)
            if len(batch) >= _SPANS_MAX or chars >= _SPAN_CHARS_MAX:
                self._append(batch, page)
                batch, chars = [], 0
        self._append(batch, page)
        return with_spans

    def _write_artifact_spans(self, infos: Any, known: set[str], page: Page) -> set[str]:
        """Writes the spans of the traces that have none in the table, and returns those that have them as artifacts."""
        with_spans = set()
        for info in infos:
            if info.trace_id in known or is_in_table(info):
                continue
            try:
                spans = artifact_fields(info, self._artifacts)
            except MissingSpansError as error:
                page.problems.append((info.trace_id, WITHOUT_SPANS, str(error)))
                continue
            self._append(spans, page)
            page.loaded[info.trace_id] = (info.experiment_id, len(spans))
            with_spans.add(info.trace_id)
        return with_spans

    def _append(self, spans: list[dict[str, Any]], page: Page) -> None:
        def name(span: dict[str, Any]) -> str:
            return f"span {span['span_id']} of trace {span['trace_id']}"

        _each(spans, lambda some: self._database._engine.append(self._database._native, some), name, page)

    def _write_starts(self, infos: dict[str, TraceInfo], with_spans: set[str], page: Page) -> dict[str, TraceInfo]:
        """Writes what is known of the traces as a whole, and returns those that are there now."""
        homes = self._homes
        starts = {one: _start(info, one in with_spans, homes.get(info.experiment_id)) for one, info in infos.items()}
        self._start([TraceStart(**start) for start in starts.values()], page)
        settled = []
        there = {}
        for trace_id, info in infos.items():
            row = trace_row(self._database, plain_trace_id(trace_id))
            if row is None:
                continue
            there[trace_id] = info
            given = trace_info(row, [], None)
            if (given.state, given.execution_duration) != (info.state, info.execution_duration):
                # Spans say something else: what the source says of the trace is made its final word.
                settled.append(TraceStart(**{**starts[trace_id], "finalised": True}))
        self._start(settled, page)
        return there

    def _start(self, starts: list[TraceStart], page: Page) -> None:
        _each(starts, self._database.start_traces, lambda start: f"trace {start.trace_id}", page)

    def _write_assessments(self, there: dict[str, TraceInfo], page: Page) -> None:
        rows = [_assessment(given, info.trace_id) for info in there.values() for given in info.assessments]
        _each(rows, self._database.put_assessments, lambda row: f"assessment {row.assessment_id}", page)

    def _write_links(self, session: Session, there: list[str], page: Page) -> None:
        runs, prompts = defaultdict(list), []
        for trace_id, kind, linked in _links_of(session, there):
            if kind == Kind.RUN:
                runs[linked].append(plain_trace_id(trace_id))
            else:
                prompts.append((plain_trace_id(trace_id), linked))
        for run_id, trace_ids in runs.items():
            link = partial(self._database.link_traces_to_run, run_id=run_id)
            _each(trace_ids, link, partial("link of run {} to trace {}".format, run_id), page)
        for trace_id, version in prompts:
            link = partial(self._database.link_prompts_to_trace, trace_id)
            _each([version], link, partial("link of trace {} to prompt {}".format, trace_id), page)


def _links_of(session: Session, trace_ids: list[str]) -> Iterator[tuple[str, str, str]]:
    """What traces are linked to: the trace, the kind, and the run or the version of a prompt."""
    link = SqlEntityAssociation
    question = select(link.source_id, link.destination_type, link.destination_id).where(
        link.source_type == Kind.TRACE,
        link.source_id.in_(trace_ids),
        link.destination_type.in_([Kind.RUN, Kind.PROMPT_VERSION]),
    )
    yield from session.execute(question.order_by(link.source_id, link.destination_id)).tuples()


def _infos(rows: Sequence[SqlTraceInfo], page: Page) -> dict[str, TraceInfo]:
    """The rows as MLflow has them."""
    infos = {}
    for row in rows:
        try:
            infos[row.request_id] = row.to_mlflow_entity()
        except Exception as error:
            page.problems.append((f"trace {row.request_id}", REFUSED, str(error)))
    return infos


def _start(info: TraceInfo, has_spans: bool, home: str | None) -> dict[str, Any]:
    """What the database is told of a trace.

    Args:
        info: the trace.
        has_spans: whether its spans are in the database now.
        home: where the artifacts of its experiment are.
    """
    start = trace_start(info)
    tags = dict(start["tags"])
    # What the store says by itself is not kept.
    if has_spans:
        tags.pop(TraceTagKey.SPANS_LOCATION, None)
    if home is not None and tags.get(MLFLOW_ARTIFACT_LOCATION) == append_to_uri_path(
        home, "traces", info.trace_id, "artifacts"
    ):
        del tags[MLFLOW_ARTIFACT_LOCATION]
    if info.execution_duration is not None:
        # A clock that was set back makes negative ones.
        start["duration_ms"] = max(info.execution_duration, 0)
    is_final = TraceMetadataKey.TRACE_INFO_FINALIZED in info.trace_metadata
    return {**start, "tags": tags, "finalised": is_final}


def _assessment(given: Any, trace_id: str) -> Assessment:
    row = assessment_row(given, trace_id)
    if given.run_id is not None:
        # The store reads the run from there; MLflow has a column for it, too.
        row["metadata"].setdefault(AssessmentMetadataKey.SOURCE_RUN_ID, given.run_id)
    return Assessment(**row)


def _each(items: list[_Item], write: Callable[[list[_Item]], object], name: Callable[[_Item], str], page: Page) -> None:
    """Writes items together; where one is refused, one by one, and notes those that are."""
    if not items:
        return
    try:
        write(items)
    except (InvalidInputError, NotFoundError) as error:
        if len(items) == 1:
            page.problems.append((name(items[0]), REFUSED, str(error)))
            return
        for item in items:
            _each([item], write, name, page)

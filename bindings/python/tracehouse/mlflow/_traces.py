"""Traces of the store: spans in, infos and spans out, search, tags, deletes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from mlflow.entities import Experiment, LifecycleStage, Span, Trace, TraceData, TraceInfo
from mlflow.entities.trace_info_v2 import TraceInfoV2
from mlflow.exceptions import MlflowException, MlflowTracingException
from mlflow.store.tracking import SEARCH_TRACES_DEFAULT_MAX_RESULTS
from mlflow.store.tracking.dbmodels.models import SqlExperiment
from mlflow.tracing.constant import SpanAttributeKey, SpansLocation, TraceMetadataKey, TraceSizeStatsKey, TraceTagKey
from mlflow.tracing.otel.translation import translate_span_when_storing
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import bindparam, select

import tracehouse
from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.mlflow import _calls
from tracehouse.mlflow._assessments import assessment_row, by_trace
from tracehouse.mlflow._base import Base
from tracehouse.mlflow._costs import cost_of_spans, costs_of_traces
from tracehouse.mlflow._errors import not_found, refusal
from tracehouse.mlflow._ids import ID_METADATA, mlflow_trace_id, plain_trace_id
from tracehouse.mlflow._infos import trace_info, trace_start
from tracehouse.mlflow._measuring_metrics import experiment_text
from tracehouse.mlflow._operations import trace_row
from tracehouse.mlflow._spans import Resources, resource_attributes, span_fields, stored_span
from tracehouse.trace import TraceInfo as Row

# How often, and how long between, a trace is looked at whose spans are not all here yet.
_PARTIAL_PAUSES_SECONDS = (1, 2)
_DELETE_PAGE = 1_000
_ANY_TRACE_ID = f"tr-{'any-trace':-^32}"
_STAGE = select(SqlExperiment.lifecycle_stage).where(SqlExperiment.experiment_id == bindparam("wanted"))


class _Home(NamedTuple):
    """Where the artifacts of an experiment are, and those of a trace of it that has the id `_ANY_TRACE_ID`."""

    location: str
    of_any_trace: str


class Traces(Base):
    """What MLflow asks and writes of traces."""

    # Writing.

    def log_spans(self, location: str, spans: list[Span], tracking_uri: str | None = None) -> list[Span]:
        """Stores spans, of one trace or of several."""
        if not spans:
            return []
        self._check_experiment(str(location))
        for trace_id in {span.trace_id for span in spans}:
            _calls.check_new_trace_id(trace_id)
        resources = Resources()
        fields = [span_fields(span, translate_span_when_storing(span), str(location), resources) for span in spans]
        self._write("log_spans", spans=fields, experiment_id=str(location), tags=_resource_tags(spans))
        return spans

    def _check_experiment(self, experiment_id: str) -> None:
        if self._experiment_stage(experiment_id) is None:
            # Says so as MLflow does.
            self.get_experiment(experiment_id)

    def _experiment_stage(self, experiment_id: str) -> str | None:
        """In what stage of its life an experiment is; `None` when there is none.

        Asked for each batch, for another process may have deleted it, and so of the tables: MLflow's entity takes as
        long as writing the batch.
        """
        with self.engine.connect() as connection:
            stage: str | None = connection.execute(_STAGE, {"wanted": experiment_id}).scalar()
            return stage

    def start_trace(self, trace_info: TraceInfo) -> TraceInfo:
        """Stores what is known of a trace as a whole; before, after or between its spans."""
        _calls.check_trace_name(trace_info.tags.get(TraceTagKey.TRACE_NAME))
        if self._experiment_stage(trace_info.experiment_id) != LifecycleStage.ACTIVE:
            self._check_experiment_is_active(self.get_experiment(trace_info.experiment_id))
        _calls.check_new_trace_id(trace_info.trace_id)
        rows = [assessment_row(given, trace_info.trace_id) for given in trace_info.assessments]
        self._write("start_trace", start=trace_start(trace_info), assessments=rows)
        return self.get_trace_info(trace_info.trace_id)

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        """Sets a tag of a trace."""
        key, value = _calls.check_trace_tag(key, value)
        if key == TraceTagKey.TRACE_NAME:
            _calls.check_trace_name(value)
        try:
            self._write("set_tag", trace_id=plain_trace_id(trace_id), key=key, value=value)
        except MlflowException as error:
            raise _calls.missing(error, f"Trace with ID '{trace_id}' not found.") from None

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Deletes a tag of a trace."""
        try:
            self._write("delete_tag", trace_id=plain_trace_id(trace_id), key=key)
        except MlflowException as error:
            message = f"No trace tag with key '{key}' for trace with ID '{trace_id}'"
            if key == TraceTagKey.TRACE_NAME and not self.batch_get_trace_infos([trace_id]):
                message = f"Trace with ID '{trace_id}' not found."
            raise _calls.missing(error, message) from None

    def _delete_traces(
        self,
        experiment_id: str,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: list[str] | None = None,
    ) -> int:
        experiment_id = experiment_text(experiment_id)
        deleted = 0
        for found in self._doomed(experiment_id, max_timestamp_millis, max_traces, trace_ids):
            # Before the traces: whoever is interrupted in between finds them again, and their items with them.
            with self.ManagedSessionMaker(read_only=False) as session:
                self._delete_review_queue_items_for_traces(session, [mlflow_trace_id(one) for one in found])
            deleted += self._write("delete_traces", trace_ids=found)
        return deleted

    def _doomed(
        self, experiment_id: str, until_ms: int | None, max_traces: int | None, trace_ids: list[str] | None
    ) -> Iterable[list[str]]:
        """The traces to be deleted, oldest first, in pages."""
        if trace_ids:
            with self._reading() as database:
                rows = [trace_row(database, plain_trace_id(trace_id)) for trace_id in dict.fromkeys(trace_ids)]
            yield [row.trace_id for row in rows if row is not None and row.experiment_id == str(experiment_id)]
            return
        left = max_traces
        while left is None or left > 0:
            filter = "" if until_ms is None else f"timestamp_ms <= {until_ms}"
            limit = _DELETE_PAGE if left is None else min(left, _DELETE_PAGE)
            order = ["timestamp_ms ASC", "request_id ASC"]
            with self._reading() as database:
                found = database._engine.search_ids(
                    database._native, (filter, order, limit, None, [str(experiment_id)], 0, None)
                )
            if not found:
                return
            yield found
            left = None if left is None else left - len(found)

    # Reading.

    def get_trace_info(self, trace_id: str) -> TraceInfo:
        """The info of a trace."""
        infos = self.batch_get_trace_infos([trace_id])
        if not infos:
            raise not_found(f"Trace with ID '{trace_id}' not found.")
        return infos[0]

    def batch_get_trace_infos(
        self, trace_ids: list[str], location: str | None = None, experiment_ids: list[str] | None = None
    ) -> list[TraceInfo]:
        """The infos of traces in the order of the ids; those that are not there are left out."""
        wanted = None if experiment_ids is None else {str(one) for one in experiment_ids}
        ids = _distinct(trace_ids)
        with self._reading() as database:
            rows = [row for trace_id in ids if (row := trace_row(database, trace_id)) is not None]
            if wanted is not None:
                rows = [row for row in rows if row.experiment_id in wanted]
            return self._infos(database, rows)

    def get_trace(self, trace_id: str, *, allow_partial: bool = False) -> Trace:
        """A trace with its spans.

        Raises:
            MlflowException: there is none, or, unless `allow_partial`, not all its spans are here yet.
        """
        for pause in (*_PARTIAL_PAUSES_SECONDS, 0):
            with self._reading() as database:
                found = self._trace(database, plain_trace_id(trace_id))
            if found is None:
                raise not_found(f"Trace with ID {trace_id} is not found.")
            _check_spans_are_here(found)
            if allow_partial or _is_complete(found):
                return found
            time.sleep(pause)
        raise not_found(f"Trace with ID {trace_id} is not fully exported yet, please try again later.")

    def batch_get_traces(
        self, trace_ids: list[str], location: str | None = None, experiment_ids: list[str] | None = None
    ) -> list[Trace]:
        """Complete traces in the order of the ids; those that are not there, or not complete, are left out.

        Raises:
            MlflowTracingException: the spans of one of them are in a file; the client reads it then.
        """
        wanted = None if experiment_ids is None else {str(one) for one in experiment_ids}
        ids = _distinct(trace_ids)
        with self._reading() as database:
            traces = [self._trace(database, trace_id) for trace_id in ids]
        found = [trace for trace in traces if trace is not None]
        if wanted is not None:
            found = [trace for trace in found if trace.info.experiment_id in wanted]
        for trace in found:
            _check_spans_are_here(trace)
        return [trace for trace in found if _is_complete(trace)]

    def search_traces(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = SEARCH_TRACES_DEFAULT_MAX_RESULTS,
        order_by: list[str] | None = None,
        page_token: str | None = None,
        model_id: str | None = None,
        locations: list[str] | None = None,
    ) -> tuple[list[TraceInfo], str | None]:
        """A page of the infos of traces that a filter finds, and the token of the next page."""
        scope = _calls.resolved_locations(experiment_ids, locations)
        self._validate_max_results_param(max_results)
        if scope is not None and not scope:
            return [], None
        search = (
            filter_string or "",
            list(order_by or []),
            max_results,
            _calls.page_token_text(page_token),
            None if scope is None else [str(one) for one in scope],
            0,
            None,
        )
        question = {"filter_string": filter_string, "order_by": order_by, "max_results": 1}

        def ask() -> object:
            return super(Traces, self).search_traces(**question)

        self._check_filters(ask)
        with self._reading() as database:
            try:
                traces, token = database._engine.search(database._native, search, False)
            except InvalidInputError as error:
                raise refusal(error, ask) from error
            return self._infos(database, [trace.info for trace in traces]), token

    def _trace(self, database: tracehouse.Database, trace_id: str) -> Trace | None:
        try:
            found = database._engine.get_trace(database._native, trace_id)
        except NotFoundError:
            return None
        info = trace_info(
            found.info,
            by_trace(found.assessments).get(found.trace_id, []),
            self._artifact_location(found.info),
            cost_of_spans(found.info, found.spans),
        )
        ordered = sorted(found.spans, key=lambda span: (span.parent_span_id is not None, span.start_time_ns))
        return Trace(info=info, data=TraceData(spans=[stored_span(span) for span in ordered]))

    def _infos(self, database: tracehouse.Database, rows: list[Row]) -> list[TraceInfo]:
        judged = by_trace(database.assessments([row.trace_id for row in rows]))
        costs = costs_of_traces(database, rows)
        return [
            trace_info(row, judged.get(row.trace_id, []), self._artifact_location(row), costs.get(row.trace_id))
            for row in rows
        ]

    def _artifact_location(self, row: Row) -> str | None:
        """Where the artifacts of a trace are; `None` when there is no such experiment."""
        home = self._experiment_home(row.experiment_id)
        if home is None:
            return None
        trace_id = row.metadata.get(ID_METADATA) or mlflow_trace_id(row.trace_id)
        if trace_id == f"tr-{row.trace_id}":
            # MLflow's joining of an address takes as long as all else that is done for an info.
            return home.of_any_trace.replace(_ANY_TRACE_ID, trace_id)
        return self._joined(home.location, trace_id)

    def _joined(self, home: str, trace_id: str) -> str:
        location: str = append_to_uri_path(home, self.TRACE_FOLDER_NAME, trace_id, self.ARTIFACTS_FOLDER_NAME)
        return location

    def _experiment_home(self, experiment_id: str) -> _Home | None:
        """Where the artifacts of an experiment are, which never changes."""
        known: dict[str, _Home] = self.__dict__.setdefault("_homes", {})
        if experiment_id not in known:
            try:
                experiment: Experiment = self.get_experiment(experiment_id)
            except MlflowException:
                return None
            location = experiment.artifact_location
            known[experiment_id] = _Home(location, self._joined(location, _ANY_TRACE_ID))
        return known[experiment_id]

    # MLflow's second protocol, which its oldest clients speak.

    def deprecated_start_trace_v2(
        self, experiment_id: str, timestamp_ms: int, request_metadata: dict[str, str], tags: dict[str, str]
    ) -> TraceInfoV2:
        """Starts a trace that is not finished yet."""
        return _calls.start_v2(self, experiment_id, timestamp_ms, request_metadata, tags)

    def deprecated_end_trace_v2(
        self, request_id: str, timestamp_ms: int, status: Any, request_metadata: dict[str, str], tags: dict[str, str]
    ) -> TraceInfoV2:
        """Finishes a trace."""
        return _calls.end_v2(self, request_id, timestamp_ms, status, request_metadata, tags)


def _distinct(trace_ids: list[str]) -> list[str]:
    """The ids as the database has them; of one that is there twice the later, as MLflow counts."""
    return list(dict.fromkeys(plain_trace_id(trace_id) for trace_id in reversed(trace_ids)))[::-1]


def _check_spans_are_here(trace: Trace) -> None:
    if trace.info.tags.get(TraceTagKey.SPANS_LOCATION) != SpansLocation.TRACKING_STORE.value:
        raise MlflowTracingException("Trace data not stored in tracking store")


def _is_complete(trace: Trace) -> bool:
    """Whether as many spans are here as the client that made the trace has counted."""
    stats = trace.info.trace_metadata.get(TraceMetadataKey.SIZE_STATS)
    if not stats:
        return bool(trace.data.spans)
    return len(trace.data.spans) >= int(json.loads(stats).get(TraceSizeStatsKey.NUM_SPANS, 0))


def _resource_tags(spans: list[Span]) -> dict[str, dict[str, str]]:
    """The tags that a resource gives the traces of its spans: its attributes, but for MLflow's and the SDK's own, and
    but for those that a root span sets."""
    tags: dict[str, dict[str, str]] = {}
    by_root = {
        (plain_trace_id(span.trace_id), key)
        for span in spans
        if span.parent_id is None
        for key in span._span.attributes
    }
    for span in spans:
        trace_id = plain_trace_id(span.trace_id)
        if trace_id in tags:
            continue
        attributes = resource_attributes(span)
        if not attributes:
            continue
        tags[trace_id] = _calls.valid_tags(
            (key, value if isinstance(value, str) else json.dumps(value))
            for key, value in attributes.items()
            if not key.startswith(("telemetry.sdk.", "mlflow."))
            and (trace_id, SpanAttributeKey.TRACE_TAG_PREFIX + key) not in by_root
        )
    return {trace_id: given for trace_id, given in tags.items() if given}

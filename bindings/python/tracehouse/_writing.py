"""Changes of a database: imports, spans, tags, assessments, links, deletes. A part of `database.Database`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from tracehouse._base import Base
from tracehouse._options import Time, as_texts, as_time_ms, as_time_ns, json_text, optional_text

if TYPE_CHECKING:
    from tracehouse.reports import EraseReceipt, ImportReport
    from tracehouse.trace import Assessment, Span, TraceInfo, TraceStart

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the bytes read so far and, where it is known, how many there are."""


class Writing(Base):
    """What writes."""

    def import_otlp(
        self,
        source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | IO[str] | Mapping[str, Any],
        *,
        experiment_id: str = "0",
        strict: bool = False,
        progress: Progress | bool | None = None,
        batch_lines: int = 0,
        assessments: str | os.PathLike[str] | bytes | IO[bytes] | None = None,
    ) -> ImportReport:
        """Imports traces: OTLP as JSON, JSON lines or protobuf, files of other products; plain, gzip or zstd.

        Args:
            source: a path, the bytes themselves, a file object, or an OTLP/JSON request as a dictionary.
            experiment_id: the scope that new traces belong to.
            strict: stop at the first line or span that cannot be kept; otherwise it is in the report.
            progress: a function called with bytes read and bytes in all; `True` shows a bar of `tqdm` where it is
                installed.
            batch_lines: lines acknowledged together; 0 chooses by size.
            assessments: a source of assessments to import after it, as `import_assessments` does.

        Returns:
            What was stored, and what was not with the place and the reason. All of it is durable.

        Raises:
            InvalidInputError: in strict mode, the first thing that cannot be kept; always, when nothing of an input is
                anything that is understood.
            StorageError: the source cannot be read or the disk written. What was acknowledged before stays.
        """
        if isinstance(source, Mapping):
            source = json.dumps(source).encode()
        if progress is True:
            from tracehouse.progress import progress_bar

            with progress_bar("import") as shown:
                report = self._engine.import_otlp(self._native, source, experiment_id, strict, batch_lines, shown)
        else:
            report = self._engine.import_otlp(
                self._native, source, experiment_id, strict, batch_lines, progress or None
            )
        if assessments is not None:
            _add(report, self.import_assessments(assessments, strict=strict))
        return report

    def append(self, spans: Span | Iterable[Span]) -> ImportReport:
        """Stores spans that a program makes; durable when it returns.

        Columns that a span leaves empty (`model`, `input_tokens`, `inputs`, ...) are read from its attributes where a
        convention that is understood names them; see `tracehouse.conventions`.

        Raises:
            InvalidInputError: an id that is empty, too long or has control characters, a negative time, a value that is
                no attribute.
        """
        from tracehouse._otlp import span_fields
        from tracehouse.span import Span

        given = [spans] if isinstance(spans, Span) else spans
        return self._engine.append(self._native, [span_fields(span) for span in given])

    def import_assessments(
        self, source: str | os.PathLike[str] | bytes | IO[bytes], *, strict: bool = False
    ) -> ImportReport:
        """Imports assessments: JSON lines with `trace_id`, `name`, `value`, `source`, `rationale`, `type` and perhaps
        `span_id`, or MLflow's form of one. Importing a file again adds nothing.

        Raises:
            InvalidInputError: in strict mode, the first bad line; otherwise these are in the report.
        """
        return self._engine.import_assessments(self._native, source, strict)

    def start_trace(
        self,
        trace_id: str,
        request_time: Time | None = None,
        *,
        experiment_id: str = "0",
        duration_ms: float | None = None,
        state: str = "STATE_UNSPECIFIED",
        finalised: bool = True,
        name: str | None = None,
        client_request_id: str | None = None,
        request_preview: str | None = None,
        response_preview: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        usage: Mapping[str, float] | None = None,
    ) -> TraceInfo:
        """Says what is known of a trace as a whole, before, between or after its spans, or without any.

        Args:
            trace_id: the trace; `tr-` and 32 hex digits mean the 32 digits.
            request_time: when it began; now, unless told otherwise.
            experiment_id: the scope it belongs to.
            duration_ms: how long it took, milliseconds.
            state: `OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`.
            finalised: whether duration and state are settled: spans do not change them then.
            name: the trace's name.
            client_request_id: the client's own id of the request.
            request_preview: what was asked, cut to 1,000 characters.
            response_preview: what was answered, cut likewise.
            session_id: the session.
            user_id: the user.
            tags: tags at the start; one that a user sets or deletes goes before.
            metadata: metadata.
            usage: tokens and costs: `input_tokens`, `output_tokens`, `total_tokens`, `cache_read_input_tokens`,
                `cache_creation_input_tokens`, `input_cost`, `output_cost`, `total_cost` (USD).

        Returns:
            The row of the trace as it is now.

        Raises:
            InvalidInputError: an id, a state, a duration or a size that is not allowed.
        """
        from tracehouse.trace import TraceStart

        start = TraceStart(
            trace_id,
            request_time,
            experiment_id=experiment_id,
            duration_ms=duration_ms,
            state=state,
            finalised=finalised,
            name=name,
            client_request_id=client_request_id,
            request_preview=request_preview,
            response_preview=response_preview,
            session_id=session_id,
            user_id=user_id,
            tags=tags or {},
            metadata=metadata or {},
            usage=usage or {},
        )
        return self._engine.start_trace(self._native, trace_id, _start(start))

    def start_traces(self, starts: Iterable[TraceStart]) -> None:
        """Starts many traces in one commit, all or none; see `start_trace`."""
        self._engine.start_traces(self._native, [(start.trace_id, _start(start)) for start in starts])

    def set_tag(self, trace_id: str | Iterable[str], key: str, value: str) -> None:
        """Sets a tag of a trace, or of several in one commit; of these, ids that are unknown are left out.

        Raises:
            NotFoundError: there is no such trace.
            InvalidInputError: a key or a value that is not allowed.
        """
        if isinstance(trace_id, str):
            self._engine.set_tags(self._native, trace_id, {key: optional_text(value)})
        else:
            self._engine.set_tag_on(self._native, list(trace_id), key, optional_text(value))

    def set_tags(self, trace_id: str, tags: Mapping[str, str]) -> None:
        """Sets several tags of a trace in one commit; see `set_tag`."""
        self._engine.set_tags(self._native, trace_id, {key: optional_text(value) for key, value in tags.items()})

    def delete_tag(self, trace_id: str, key: str | Iterable[str]) -> None:
        """Deletes a tag of a trace, or several in one commit.

        Raises:
            NotFoundError: there is no such trace, or it lacks one of the tags; then none is deleted.
        """
        self._engine.delete_tags(self._native, trace_id, as_texts(key) or [])

    def log_feedback(
        self,
        trace_id: str,
        name: str,
        value: Any,
        *,
        source: tuple[str, str] | str | None = None,
        rationale: str | None = None,
        span_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        overrides: str | None = None,
        error: tuple[str, str] | BaseException | None = None,
    ) -> Assessment:
        """Stores a verdict on a trace, or on a span of it.

        Args:
            trace_id: the trace.
            name: the name of the feedback: `feedback.NAME` in filters.
            value: anything JSON has: `True`, `4.5`, `"good"`, a list, a dictionary, `None`.
            source: who judges: `("HUMAN", "ana")`, `("LLM_JUDGE", "gpt-4o")`, `("CODE", "scorer.py")`; `CODE` by
                default.
            rationale: why.
            span_id: the span it is about.
            metadata: free key-value pairs.
            overrides: the id of the assessment that it makes invalid.
            error: what kept a scorer from a value: a code and a message, or an exception.

        Returns:
            The assessment as it is stored.

        Raises:
            NotFoundError: there is no such trace, or none with the overridden id on it.
            InvalidInputError: a value that JSON has not, or another type of source.
        """
        given = _assessment(value, source, rationale, span_id, metadata, overrides, error)
        return self._engine.assess(self._native, trace_id, "feedback", name, given)

    def log_expectation(
        self,
        trace_id: str,
        name: str,
        value: Any,
        *,
        source: tuple[str, str] | str | None = None,
        rationale: str | None = None,
        span_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        overrides: str | None = None,
    ) -> Assessment:
        """Stores the truth that a trace should have met: `expectation.NAME` in filters. Its source is `HUMAN` by
        default; the arguments are those of `log_feedback`."""
        given = _assessment(value, source, rationale, span_id, metadata, overrides, None)
        return self._engine.assess(self._native, trace_id, "expectation", name, given)

    def log_issue(
        self,
        trace_id: str,
        issue_id: str,
        issue_name: str,
        *,
        source: tuple[str, str] | str | None = None,
        rationale: str | None = None,
        span_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Assessment:
        """Stores a reference to an issue. Its source is `LLM_JUDGE` by default; see `log_feedback`."""
        given = _assessment(issue_name, source, rationale, span_id, metadata, None, None)
        return self._engine.assess(self._native, trace_id, "issue", issue_id, given)

    def log_assessments(self, assessments: Iterable[Assessment]) -> list[str]:
        """Stores many assessments in one commit and gives their ids, in order: all of them or, when one is wrong, none.

        Of each, `trace_id`, `type`, `name`, `value`, `span_id`, `source_type`, `source_id`, `rationale`, `metadata`,
        `overrides` and the error are used; ids and times are new.
        """
        return self._engine.assess_many(
            self._native,
            [
                (
                    given.trace_id,
                    given.type,
                    given.name,
                    _given(given),
                )
                for given in assessments
            ],
        )

    def put_assessments(self, assessments: Iterable[Assessment]) -> None:
        """Stores assessments as they are, with their ids, times and validity, in one commit; each takes the place of
        the one with its id on its trace. For assessments of another store: storing them again changes nothing.

        Raises:
            NotFoundError: there is no such trace; then none is stored.
            InvalidInputError: an empty id or name, a value that JSON has not, or another type of source.
        """
        self._engine.put_assessments(
            self._native,
            [
                {
                    **_given(given),
                    "assessment_id": given.assessment_id,
                    "trace_id": given.trace_id,
                    "type": given.type,
                    "name": given.name,
                    "valid": given.valid,
                    "created_at_ns": given.created_at_ns,
                    "updated_at_ns": given.updated_at_ns,
                }
                for given in assessments
            ],
        )

    def assessments(self, trace_ids: str | Iterable[str]) -> list[Assessment]:
        """The assessments of traces, trace by trace in the order of the ids, oldest first, overridden ones included.
        Ids of no trace have none."""
        return self._engine.assessments(self._native, as_texts(trace_ids) or [])

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        """One assessment of a trace.

        Raises:
            NotFoundError: there is no such trace or assessment.
        """
        return self._engine.get_assessment(self._native, trace_id, assessment_id)

    def update_assessment(
        self,
        trace_id: str,
        assessment_id: str,
        *,
        name: str | None = None,
        value: Any = ...,
        rationale: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Assessment:
        """Changes an assessment and gives it as it is now. What is not given stays; metadata is laid over.

        Raises:
            NotFoundError: there is no such trace or assessment.
            InvalidInputError: a value that JSON has not.
        """
        text = None if value is ... else json_text(value)
        return self._engine.update_assessment(
            self._native, trace_id, assessment_id, name, text, rationale, dict(metadata or {})
        )

    def delete_assessment(self, trace_id: str, assessment_id: str) -> bool:
        """Deletes an assessment; the one it overrode is valid again. Returns whether it was there."""
        return self._engine.delete_assessment(self._native, trace_id, assessment_id)

    def link_traces_to_run(self, trace_ids: str | Iterable[str], run_id: str) -> None:
        """Links traces to a run.

        Raises:
            NotFoundError: one of the traces is not there; then none is linked.
        """
        self._engine.link_run(self._native, as_texts(trace_ids) or [], run_id, True)

    def unlink_traces_from_run(self, trace_ids: str | Iterable[str], run_id: str) -> None:
        """Takes the link of traces to a run away."""
        self._engine.link_run(self._native, as_texts(trace_ids) or [], run_id, False)

    def link_prompts_to_trace(self, trace_id: str, prompts: str | Iterable[str]) -> None:
        """Links versions of prompts, `NAME/VERSION` each, to a trace.

        Raises:
            NotFoundError: there is no such trace.
            InvalidInputError: a prompt of another form.
        """
        self._engine.link_prompts(self._native, trace_id, as_texts(prompts) or [], True)

    def unlink_prompts_from_trace(self, trace_id: str, prompts: str | Iterable[str]) -> None:
        """Takes the link of versions of prompts to a trace away."""
        self._engine.link_prompts(self._native, trace_id, as_texts(prompts) or [], False)

    def delete_traces(
        self,
        trace_ids: str | Iterable[str] | None = None,
        *,
        filter: str = "",
        before: Time | None = None,
        max_traces: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
    ) -> int:
        """Deletes traces with everything below them; invisible when it returns. Returns how many there were.

        Args:
            trace_ids: these traces; unknown ids are ignored. Otherwise:
            filter: the traces that this filter holds for, oldest first.
            before: of these, those that began at this time, in whole milliseconds, or earlier.
            max_traces: at most so many.
            experiment_ids: in these experiments.

        Raises:
            InvalidInputError: neither ids nor a filter nor a time: every trace is not deleted by an omission.
        """
        if trace_ids is not None:
            return self._engine.delete_traces(self._native, as_texts(trace_ids) or [])
        until_ms = None if before is None else as_time_ms(before)
        return self._engine.delete_where(self._native, filter, until_ms, max_traces, as_texts(experiment_ids))

    def erase_traces(self, trace_ids: str | Iterable[str]) -> EraseReceipt:
        """Deletes traces and removes their bytes from every file: segments, log, indexes, datasets. Traces deleted
        before may be named, too. It does not reach backups, exports and free blocks of the disk.

        Raises:
            CorruptError: a file that cannot be read; repair first. What was begun is completed by calling it again.
        """
        return self._engine.erase_traces(self._native, as_texts(trace_ids) or [])


def _start(start: TraceStart) -> dict[str, Any]:
    return {
        "request_time_ns": as_time_ns(start.request_time),
        "experiment_id": start.experiment_id,
        "duration_ns": None if start.duration_ms is None else round(start.duration_ms * 1_000_000),
        "state": start.state,
        "finalised": start.finalised,
        "name": start.name,
        "client_request_id": start.client_request_id,
        "request_preview": start.request_preview,
        "response_preview": start.response_preview,
        "session_id": start.session_id,
        "user_id": start.user_id,
        "tags": {str(key): optional_text(value) for key, value in start.tags.items()},
        "metadata": {str(key): optional_text(value) for key, value in start.metadata.items()},
        "usage": dict(start.usage),
    }


def _add(report: ImportReport, other: ImportReport) -> None:
    """Adds the figures of an import of assessments."""
    report.assessments += other.assessments
    report.rejected += other.rejected
    report.rejected_count += other.rejected_count
    report.redacted += other.redacted
    report.seconds += other.seconds


def _given(made: Assessment) -> dict[str, Any]:
    """What an assessment that is made already says."""
    return _assessment(
        made.value,
        (made.source_type, made.source_id or ""),
        made.rationale,
        made.span_id,
        made.metadata,
        made.overrides,
        (made.error_code, made.error_message or "") if made.error_code else None,
    )


def _assessment(
    value: Any,
    source: tuple[str, str] | str | None,
    rationale: str | None,
    span_id: str | None,
    metadata: Mapping[str, str] | None,
    overrides: str | None,
    error: tuple[str | None, str] | BaseException | None,
) -> dict[str, Any]:
    if isinstance(error, BaseException):
        error = (type(error).__name__, str(error))
    return {
        "value": json_text(value),
        "source": (source, "") if isinstance(source, str) else source and tuple(source),
        "rationale": rationale,
        "span_id": span_id,
        "metadata": {str(key): optional_text(item) for key, item in (metadata or {}).items()},
        "overrides": overrides,
        "error": error and tuple(error),
    }

"""The database a program opens: `connect` and the `Database` it gives.

A thin, typed layer over the native module: it makes lists of texts, times and JSON of what Python callers give, and
objects of what comes back. Every call that does work releases the interpreter for other threads; in the main thread
Ctrl-C ends it as `KeyboardInterrupt`.

Invariant: what `close` has closed stays closed, in every handle on it: a dataset, a result that is not read to its end.
Other handles that `connect` gave on the same folder are not touched.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from types import TracebackType
from typing import IO, Any

from tracehouse import _native
from tracehouse._options import aggregation, as_texts, as_time_ms, as_time_ns, json_text, optional_text, size_bytes
from tracehouse.dataset import Dataset, DatasetInfo
from tracehouse.errors import NoticeWarning
from tracehouse.reports import (
    BackupReport,
    CheckReport,
    Compacted,
    CompletedSession,
    EraseReceipt,
    FilterCorrelation,
    ImportReport,
    MetricPoint,
    Price,
    Redaction,
    RetentionReport,
    Session,
    Sessions,
    Stats,
    TextHit,
)
from tracehouse.result import Result
from tracehouse.trace import Assessment, Span, Trace, TraceInfo, TracePage

Time = datetime | date | str | int
"""A time: a `datetime` (without a zone: UTC), RFC 3339 text, `now() - 7d`, or Unix nanoseconds."""
Progress = Callable[[int, int | None], object]
"""Called with the bytes read so far and, where it is known, how many there are."""
Redact = Callable[[str, str, str | None], str | None]
"""Called with a text, the part it stands in and the key nearest to it; gives what is stored, or `None` to keep it."""

_PAGE_TRACES = 100


def connect(
    path: str | os.PathLike[str] = ":memory:",
    *,
    read_only: bool = False,
    create: bool = True,
    memory_limit: int | str | None = None,
    redact: Redact | None = None,
    redact_name: str = "redact",
    settings: Mapping[str, Any] | None = None,
) -> Database:
    """Opens the database in a folder.

    Opening the same folder again in one process gives another handle on the same instance, and needs the same options.

    Args:
        path: the folder, created when there is none; `":memory:"` is a database that never touches the disk.
        read_only: open beside the process that writes it, and follow it; see `Database.refresh`.
        create: whether a missing database is created.
        memory_limit: one budget for all of the database, in bytes or as text (`"1GB"`, `"512MiB"`); 1.5 GiB by default.
        redact: a function that sees every text before it is stored: `redact(text, part, key)` gives what is stored
            instead, or `None` to keep it. Where it raises, or gives something else, the text is replaced by
            `[REDACTED:callback failed]`, never stored. It is called from several threads.
        redact_name: the name of that function, for databases that may not be written without it.
        settings: further settings by the names that SQL's `settings()` lists, such as `{"index_text": False}`.

    Returns:
        An open database; use it in a `with` statement, or close it.

    Raises:
        NotFoundError: there is none, and none may be created.
        ConflictError: another process writes it, or this one has it open with other options.
        InvalidInputError: the folder is something else, or has a newer format.
        CorruptError: a file is damaged.
    """
    options = {**(settings or {})}
    if memory_limit is not None:
        options["memory_limit"] = size_bytes(memory_limit)
    return Database(_native.open(os.fspath(path), read_only, create, options, redact, redact_name))


class Database:
    """An open database. It may be used from many threads at the same time."""

    def __init__(self, native: _native.Database) -> None:
        self._native = native

    # Life.

    @property
    def path(self) -> str:
        """The folder, or `:memory:`."""
        return self._native.path

    @property
    def read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self._native.read_only

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""
        return self._native.closed

    def close(self) -> None:
        """Closes this handle; the last one on a folder seals what is in memory. Closing again does nothing.

        Nothing that was acknowledged is lost without it.
        """
        self._native.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Putting traces in.

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
                report = self._native.import_otlp(source, experiment_id, strict, batch_lines, shown)
        else:
            report = self._native.import_otlp(source, experiment_id, strict, batch_lines, progress or None)
        if assessments is not None:
            self._native.add_report(report, self._native.import_assessments(assessments, strict))
        return report

    def append(self, spans: Span | Iterable[Span]) -> ImportReport:
        """Stores spans that a program makes; durable when it returns.

        Columns that a span leaves empty (`model`, `input_tokens`, `inputs`, ...) are read from its attributes where a
        convention that is understood names them; see `tracehouse.conventions`.

        Raises:
            InvalidInputError: an id that is empty, too long or has control characters, a negative time, a value that is
                no attribute.
        """
        return self._native.append([spans] if isinstance(spans, Span) else list(spans))

    def import_assessments(
        self, source: str | os.PathLike[str] | bytes | IO[bytes], *, strict: bool = False
    ) -> ImportReport:
        """Imports assessments: JSON lines with `trace_id`, `name`, `value`, `source`, `rationale`, `type` and perhaps
        `span_id`, or MLflow's form of one. Importing a file again adds nothing.

        Raises:
            InvalidInputError: in strict mode, the first bad line; otherwise these are in the report.
        """
        return self._native.import_assessments(source, strict)

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
        start: dict[str, Any] = {
            "request_time_ns": as_time_ns(request_time),
            "experiment_id": experiment_id,
            "duration_ns": None if duration_ms is None else round(duration_ms * 1_000_000),
            "state": state,
            "finalised": finalised,
            "name": name,
            "client_request_id": client_request_id,
            "request_preview": request_preview,
            "response_preview": response_preview,
            "session_id": session_id,
            "user_id": user_id,
            "tags": dict(tags or {}),
            "metadata": dict(metadata or {}),
            "usage": dict(usage or {}),
        }
        return self._native.start_trace(trace_id, start)

    # Finding traces.

    def search_traces(
        self,
        filter: str = "",
        *,
        order_by: str | Iterable[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        include_spans: bool = True,
        offset: int = 0,
        timeout: float | None = None,
    ) -> TracePage:
        """Finds traces by the filter language, newest first unless told otherwise.

        Args:
            filter: such as `"state = 'ERROR' AND span.tool = 'refund'"`; empty for every trace.
            order_by: `"KEY [ASC|DESC]"`, one or several.
            max_results: traces of the page.
            page_token: the `next_page_token` of the page before.
            experiment_ids: only traces of these experiments.
            include_spans: whether traces come with spans and assessments, or with `info` alone, which is faster.
            offset: traces skipped before the page.
            timeout: longest time it may take, seconds.

        Returns:
            A list of traces with `next_page_token`, `to_df`, `to_arrow` and `to_polars`. Where a first page is empty and
            the filter names something that the database does not have, a `NoticeWarning` says what may be meant.

        Raises:
            InvalidInputError: names the offending token of the filter, order or page token.
            QueryTimeoutError: it took longer than `timeout`.
        """
        search = self._search(filter, order_by, max_results, page_token, experiment_ids, offset, timeout)
        traces, token = self._native.search(search, include_spans)
        page = TracePage(traces, token, _database=self)
        if not page and page_token is None and filter:
            self._warn(filter)
        return page

    def iter_traces(
        self,
        filter: str = "",
        *,
        order_by: str | Iterable[str] | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        include_spans: bool = True,
        page_size: int = _PAGE_TRACES,
        timeout: float | None = None,
    ) -> Iterator[Trace]:
        """The traces of a search over all its pages, in order, a page of `page_size` in memory at a time.

        Each page is of the database as it is then: no trace is given twice, what comes meanwhile may be among them. The
        other arguments are those of `search_traces`; `timeout` is for each page.
        """
        token: str | None = None
        while True:
            search = self._search(filter, order_by, page_size, token, experiment_ids, 0, timeout)
            traces, token = self._native.search(search, include_spans)
            yield from traces
            if token is None:
                return

    def count_traces(
        self,
        filter: str = "",
        *,
        experiment_ids: str | Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """How many traces a filter holds for. The arguments are those of `search_traces`."""
        return self._native.count(self._search(filter, None, None, None, experiment_ids, 0, timeout))

    def search_trace_ids(
        self,
        filter: str = "",
        *,
        order_by: str | Iterable[str] | None = None,
        max_results: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> list[str]:
        """The ids of the traces that a search finds, in order, all unless `max_results` says otherwise."""
        return self._native.search_ids(self._search(filter, order_by, max_results, None, experiment_ids, 0, timeout))

    def explain(
        self,
        filter: str = "",
        *,
        order_by: str | Iterable[str] | None = None,
        max_results: int = 100,
        experiment_ids: str | Iterable[str] | None = None,
        analyze: bool = False,
    ) -> str:
        """How a search is carried out, as text: which index answers which condition, what is read and what is left out.

        With `analyze`, also what each stage took. The other arguments are those of `search_traces`.
        """
        return self._native.explain(
            self._search(filter, order_by, max_results, None, experiment_ids, 0, None), analyze
        )

    def notices(self, filter: str) -> list[str]:
        """What a person should hear about a filter: names in it that no trace has, values that their key never has, and
        what may have been meant. It reads up to every row."""
        return self._native.notices(filter)

    def search_text(
        self,
        query: str,
        *,
        where: str | None = None,
        limit: int = 10,
        by_trace: bool = False,
        timeout: float | None = None,
    ) -> list[TextHit]:
        """The best spans for words, phrases and prefixes in anything searchable, best first, ranked by BM25.

        Args:
            query: such as `'"refund policy" -test'`: words, `"a phrase"`, `OR`, `NOT`, `pre*`, `fuzzy~1`, `inputs:word`.
            where: only spans of traces that this filter holds for.
            limit: most hits.
            by_trace: one hit a trace, its best span.
            timeout: longest time it may take, seconds.

        Raises:
            InvalidInputError: a wrong query or filter.
        """
        return self._native.search_text(query, where, limit, by_trace, timeout)

    def get_trace(self, trace_id: str) -> Trace:
        """A trace with all its spans and assessments.

        Raises:
            NotFoundError: there is no such trace.
        """
        return self._native.get_trace(trace_id)

    def get_trace_info(self, trace_id: str) -> TraceInfo:
        """The row of a trace.

        Raises:
            NotFoundError: there is no such trace.
        """
        return self._native.get_trace_info(trace_id)

    def find_trace_id(self, beginning: str) -> str:
        """The id of the only trace whose id is this or begins so.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: there are several; the message names some.
        """
        return self._native.find_trace_id(beginning)

    # SQL.

    def sql(
        self,
        statement: str,
        params: Mapping[str, Any] | Iterable[Any] | None = None,
        *,
        tables: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Runs one read-only SQL statement over the database as it is now.

        Args:
            statement: the statement; `$name` and `$1` stand for parameters.
            params: values by name, or in order: `None`, `bool`, `int`, `float`, `str`, `datetime`, `date`, `Decimal`.
            tables: tables of this statement by name: DataFrames, Arrow tables or streams, results, lists of
                dictionaries, or paths of CSV, JSON lines and Parquet files.
            timeout: longest time that it may take, seconds: until the first rows, and for each further batch.

        Returns:
            The rows, read as they are asked for.

        Raises:
            InvalidInputError: a wrong or refused statement, parameter or table.
            QueryTimeoutError: it took longer than `timeout`.
            ResourceExhaustedError: it needs more memory than its limit, and cannot go to the disk.
        """
        given = dict(params) if isinstance(params, Mapping) else params and list(params)
        return Result(self._native.sql(statement, given or None, dict(tables or {}), timeout))

    def sql_notices(self, statement: str) -> list[str]:
        """What a person should hear about a statement: keys that no row has, and values that a column never has. It reads
        up to every row."""
        return self._native.sql_notices(statement)

    def with_views(self) -> Database:
        """Another handle on the same database with temporary views: `CREATE VIEW v AS SELECT ..` and
        `CREATE TEMP TABLE t AS SELECT ..` work on it. Nothing of them is written, and other handles do not see them."""
        return Database(self._native.with_views())

    # Single writes.

    def set_tag(self, trace_id: str | Iterable[str], key: str, value: str) -> None:
        """Sets a tag of a trace, or of several in one commit; of these, ids that are unknown are left out.

        Raises:
            NotFoundError: there is no such trace.
            InvalidInputError: a key or a value that is not allowed.
        """
        if isinstance(trace_id, str):
            self._native.set_tags(trace_id, {key: optional_text(value)})
        else:
            self._native.set_tag_on(list(trace_id), key, optional_text(value))

    def set_tags(self, trace_id: str, tags: Mapping[str, str]) -> None:
        """Sets several tags of a trace in one commit; see `set_tag`."""
        self._native.set_tags(trace_id, {key: optional_text(value) for key, value in tags.items()})

    def delete_tag(self, trace_id: str, key: str | Iterable[str]) -> None:
        """Deletes a tag of a trace, or several in one commit.

        Raises:
            NotFoundError: there is no such trace, or it lacks one of the tags; then none is deleted.
        """
        self._native.delete_tags(trace_id, as_texts(key) or [])

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
            source: who judges: `("HUMAN", "ana")`, `("LLM_JUDGE", "gpt-4o")`, `("CODE", "scorer.py")`; `CODE` by default.
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
        return self._native.assess(trace_id, "feedback", name, given)

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
        """Stores the truth that a trace should have met: `expectation.NAME` in filters. Its source is `HUMAN` by default;
        the arguments are those of `log_feedback`."""
        given = _assessment(value, source, rationale, span_id, metadata, overrides, None)
        return self._native.assess(trace_id, "expectation", name, given)

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
        return self._native.assess(trace_id, "issue", issue_id, given)

    def log_assessments(self, assessments: Iterable[Assessment]) -> list[str]:
        """Stores many assessments in one commit and gives their ids, in order: all of them or, when one is wrong, none.

        Of each, `trace_id`, `type`, `name`, `value`, `span_id`, `source_type`, `source_id`, `rationale`, `metadata`,
        `overrides` and the error are used; ids and times are new.
        """
        return self._native.assess_many(
            [
                (
                    given.trace_id,
                    given.type,
                    given.name,
                    _assessment(
                        given.value,
                        (given.source_type, given.source_id or ""),
                        given.rationale,
                        given.span_id,
                        given.metadata,
                        given.overrides,
                        (given.error_code, given.error_message or "") if given.error_code else None,
                    ),
                )
                for given in assessments
            ]
        )

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        """One assessment of a trace.

        Raises:
            NotFoundError: there is no such trace or assessment.
        """
        return self._native.get_assessment(trace_id, assessment_id)

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
        return self._native.update_assessment(trace_id, assessment_id, name, text, rationale, dict(metadata or {}))

    def delete_assessment(self, trace_id: str, assessment_id: str) -> bool:
        """Deletes an assessment; the one it overrode is valid again. Returns whether it was there."""
        return self._native.delete_assessment(trace_id, assessment_id)

    def link_traces_to_run(self, trace_ids: str | Iterable[str], run_id: str) -> None:
        """Links traces to a run.

        Raises:
            NotFoundError: one of the traces is not there; then none is linked.
        """
        self._native.link_run(as_texts(trace_ids) or [], run_id, True)

    def unlink_traces_from_run(self, trace_ids: str | Iterable[str], run_id: str) -> None:
        """Takes the link of traces to a run away."""
        self._native.link_run(as_texts(trace_ids) or [], run_id, False)

    def link_prompts_to_trace(self, trace_id: str, prompts: str | Iterable[str]) -> None:
        """Links versions of prompts, `NAME/VERSION` each, to a trace.

        Raises:
            NotFoundError: there is no such trace.
            InvalidInputError: a prompt of another form.
        """
        self._native.link_prompts(trace_id, as_texts(prompts) or [], True)

    def unlink_prompts_from_trace(self, trace_id: str, prompts: str | Iterable[str]) -> None:
        """Takes the link of versions of prompts to a trace away."""
        self._native.link_prompts(trace_id, as_texts(prompts) or [], False)

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
            return self._native.delete_traces(as_texts(trace_ids) or [])
        until_ms = None if before is None else as_time_ms(before)
        return self._native.delete_where(filter, until_ms, max_traces, as_texts(experiment_ids))

    def erase_traces(self, trace_ids: str | Iterable[str]) -> EraseReceipt:
        """Deletes traces and removes their bytes from every file: segments, log, indexes, datasets. Traces deleted before
        may be named, too. It does not reach backups, exports and free blocks of the disk.

        Raises:
            CorruptError: a file that cannot be read; repair first. What was begun is completed by calling it again.
        """
        return self._native.erase_traces(as_texts(trace_ids) or [])

    # Many traces together.

    def sessions(
        self,
        filter: str = "",
        order_by: str | None = None,
        limit: int | None = 100,
        *,
        experiment_ids: str | Iterable[str] | None = None,
    ) -> Sessions:
        """The sessions of which some trace matches, with figures over all their traces.

        Args:
            filter: as in `search_traces`; empty for all.
            order_by: `session_id`, `trace_count`, `error_count`, `first_request_time`, `last_request_time`, `total_tokens`
                or `cost`, with `ASC` or `DESC` after it; the last request first by default.
            limit: most sessions given.
            experiment_ids: only sessions of these experiments.
        """
        found: list[Session] = self._native.sessions(filter, order_by, limit, as_texts(experiment_ids))
        return Sessions(found)

    def session_traces(
        self, session_id: str, *, experiment_ids: str | Iterable[str] | None = None
    ) -> list[TraceInfo]:
        """The rows of the traces of one session in order of time; none of an unknown session."""
        return self._native.session_traces(session_id, as_texts(experiment_ids))

    def completed_sessions(
        self,
        experiment_id: str,
        last_min: Time,
        last_max: Time,
        *,
        max_results: int | None = None,
        filter: str = "",
    ) -> list[CompletedSession]:
        """Sessions of an experiment whose last trace began between two times, both included, in order of that time.
        `filter` is about the session's first trace."""
        return self._native.completed_sessions(
            experiment_id, as_time_ns(last_min), as_time_ns(last_max), max_results, filter
        )

    def metrics(
        self,
        view: str,
        metric: str,
        *,
        aggregations: str | float | Iterable[str | float] | None = None,
        dimensions: str | Iterable[str] | None = None,
        filters: str | Iterable[str] | None = None,
        start: Time | None = None,
        end: Time | None = None,
        interval_seconds: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        max_results: int = 1000,
    ) -> list[MetricPoint]:
        """Computes a metric over traces, spans or assessments.

        Args:
            view: `traces` (`trace_count`, `session_count`, `latency`, token counts), `spans` (`span_count`, `latency`,
                `input_cost`, `output_cost`, `total_cost`) or `assessments` (`assessment_count`, `assessment_value`).
            metric: the metric. Latencies are milliseconds, costs USD.
            aggregations: `COUNT`, `SUM`, `AVG`, `MIN`, `MAX`, `P50`, `P99.5`, or a percentile as a number.
            dimensions: what points are told apart by.
            filters: `KEY = 'VALUE'` each; all must hold.
            start: the first millisecond looked at.
            end: the last millisecond looked at.
            interval_seconds: seconds of a time bucket; needs both bounds of time.
            experiment_ids: in these experiments.
            max_results: most points given.

        Raises:
            InvalidInputError: an unknown metric, aggregation, dimension or filter.
        """
        given = [aggregations] if isinstance(aggregations, (str, int, float)) else list(aggregations or [])
        query: dict[str, Any] = {
            "aggregations": [aggregation(one) for one in given],
            "dimensions": as_texts(dimensions) or [],
            "filters": as_texts(filters) or [],
            "start_ms": None if start is None else as_time_ms(start),
            "end_ms": None if end is None else as_time_ms(end),
            "interval_seconds": interval_seconds,
            "experiments": as_texts(experiment_ids),
            "max_results": max_results,
        }
        return self._native.metrics(view, metric, query)

    def filter_correlation(
        self, a: str, b: str, *, base: str = "", experiment_ids: str | Iterable[str] | None = None
    ) -> FilterCorrelation:
        """How much two filters have to do with each other over the traces that `base` holds for: normalised pointwise
        mutual information, as MLflow computes it."""
        return self._native.filter_correlation(a, b, base, as_texts(experiment_ids))

    # Care.

    def stats(self) -> Stats:
        """Counts, sizes and how far the indexes have come."""
        return self._native.stats()

    def refresh(self) -> bool:
        """In a database opened for reading only: sees what the writer has acknowledged by now. Without it, a question sees
        everything acknowledged up to a tenth of a second before. Returns whether there was something new."""
        return self._native.refresh()

    def seal(self) -> None:
        """Seals what is in memory into a segment; it is done in the background, too."""
        self._native.seal()

    def compact(self) -> Compacted:
        """Seals, then merges small segments into one; it is done in the background, too."""
        return self._native.compact()

    def index_text(self) -> int:
        """Builds text indexes that are missing; returns how many were. It is done in the background, too."""
        return self._native.index_text()

    def settle(self) -> int:
        """Settles traces that wait for their root for longer than the setting `settle_after`; returns how many. It is done
        in the background, too."""
        return self._native.settle()

    def check(self, *, deep: bool = False) -> CheckReport:
        """Checks the files of the database; deep, every byte and row. Damage is no error: it is in the report."""
        return self._native.check(deep)

    def backup(self, path: str | os.PathLike[str]) -> BackupReport:
        """Copies the database, consistently and while it is used, to a new folder.

        Raises:
            ConflictError: the folder is not empty.
            InvalidInputError: the database is in memory.
        """
        return self._native.backup(os.fspath(path))

    def export_parquet(self, folder: str | os.PathLike[str], *, filter: str = "") -> dict[str, int]:
        """Writes `traces.parquet`, `spans.parquet` and `assessments.parquet` into a folder, of the traces that a filter
        holds for. Returns the rows of each table. After an error none of them is there.

        Raises:
            ConflictError: one of the files is there.
        """
        return self._native.export_parquet(os.fspath(folder), filter)

    def retain(
        self,
        *,
        experiment_id: str | None = None,
        max_age_ms: int | None = None,
        max_traces: int | None = None,
        max_bytes: int | str | None = None,
        dry_run: bool = False,
        rules: Iterable[Mapping[str, Any]] | None = None,
    ) -> RetentionReport:
        """Deletes the traces that a rule does not keep; with `dry_run`, only says which. Datasets keep their records.

        Args:
            experiment_id: the experiment; each one by itself, unless given.
            max_age_ms: traces that began longer ago go, milliseconds.
            max_traces: at most so many traces stay.
            max_bytes: at most so many bytes stay: a trace counts its share of the files of its segment.
            dry_run: only say which.
            rules: several rules instead: dictionaries with the names above.

        Raises:
            InvalidInputError: a rule without a limit, or two for one experiment.
        """
        own = {
            "experiment_id": experiment_id,
            "max_age_ms": max_age_ms,
            "max_traces": max_traces,
            "max_bytes": max_bytes,
        }
        given = [own] if rules is None else [dict(rule) for rule in rules]
        for rule in given:
            if rule.get("max_bytes") is not None:
                rule["max_bytes"] = size_bytes(rule["max_bytes"])
        return self._native.retain(given, dry_run)

    def redaction(self) -> Redaction:
        """What is taken out of everything that is written, before it is written anywhere."""
        return self._native.redaction()

    def set_redaction(self, redaction: Redaction | None = None, **changes: Any) -> Redaction:
        """Changes what is redacted from now on, and keeps it with the database; what was stored before stays as it is.

        `db.set_redaction(emails=True, rules={"ticket": r"TICKET-\\d+"})` changes these alone.

        Raises:
            InvalidInputError: a name, size or pattern that is not allowed.
        """
        wanted = (redaction or self.redaction()).to_dict()
        unknown = [name for name in changes if name not in wanted]
        if unknown:
            raise TypeError(f"redaction has no {unknown[0]!r}: {', '.join(wanted)}")
        self._native.set_redaction({**wanted, **changes})
        return self.redaction()

    def prices(self) -> list[Price]:
        """The prices that costs are computed with: those that come with the program, and those set in this database."""
        return self._native.prices()

    def set_price(
        self,
        model: str,
        input: float,
        output: float,
        *,
        cache_read: float | None = None,
        cache_write: float | None = None,
    ) -> None:
        """Sets what a model costs, USD for a million tokens, for spans that come from now on."""
        self._native.set_prices({"set": (model, input, output, cache_read, cache_write)})

    def remove_price(self, model: str) -> None:
        """Takes the price of a model out: its cost is NULL for spans that come from now on."""
        self._native.set_prices({"remove": model})

    def reset_prices(self, *, enabled: bool = True) -> None:
        """Leaves the prices that come with the program and no others; `enabled` says whether costs are computed at all."""
        self._native.set_prices({"reset": enabled})

    # Datasets.

    def create_dataset(
        self,
        name: str,
        *,
        experiment_ids: str | Iterable[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Creates an empty dataset.

        Raises:
            ConflictError: there is one of that name.
        """
        return Dataset(self._native.create_dataset(name, as_texts(experiment_ids) or [], dict(tags or {})))

    def dataset(self, name: str) -> Dataset:
        """The dataset of a name, or of an id (`d-` and 32 hex digits).

        Raises:
            NotFoundError: there is none; the message names the nearest.
        """
        return Dataset(self._native.dataset(name))

    def datasets(self) -> list[DatasetInfo]:
        """All datasets in their newest version, by name."""
        return self._native.datasets()

    def delete_dataset(self, name: str) -> None:
        """Deletes a dataset with all its versions.

        Raises:
            NotFoundError: there is none.
        """
        self._native.delete_dataset(name)

    # Inside.

    @staticmethod
    def _search(
        filter: str,
        order_by: str | Iterable[str] | None,
        limit: int | None,
        page_token: str | None,
        experiment_ids: str | Iterable[str] | None,
        offset: int,
        timeout: float | None,
    ) -> _native.Search:
        return (filter, as_texts(order_by) or [], limit, page_token, as_texts(experiment_ids), offset, timeout)

    def _trace_rows(self, trace_ids: list[str]) -> Result:
        return Result(self._native.trace_rows("traces", trace_ids))

    def _warn(self, filter: str) -> None:
        for notice in self._native.notices(filter):
            warnings.warn(notice, NoticeWarning, stacklevel=3)

    def __repr__(self) -> str:
        state = "closed" if self.closed else "read only" if self.read_only else "open"
        return f"Database({self.path!r}, {state})"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a Database cannot be pickled: in the other process open it again, "
            f"tracehouse.connect({self.path!r}, read_only=True)"
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

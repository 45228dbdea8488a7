"""Questions to a database: searches, SQL, sessions, metrics. A part of `database.Database`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tracehouse._base import Base
from tracehouse._engine import SearchArguments
from tracehouse._options import Time, aggregation, as_texts, as_time_ms, as_time_ns
from tracehouse.errors import InvalidInputError, NoticeWarning
from tracehouse.result import Result

if TYPE_CHECKING:
    from tracehouse.reports import CompletedSession, FilterCorrelation, MetricPoint, Session, Sessions, TextHit
    from tracehouse.trace import Trace, TraceInfo, TracePage

_PAGE_TRACES = 100


class Reading(Base):
    """What reads."""

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
            A list of traces with `next_page_token`, `to_df`, `to_arrow` and `to_polars`. Where a first page is empty
            and the filter names something that the database does not have, a `NoticeWarning` says what may be meant.

        Raises:
            InvalidInputError: names the offending token of the filter, order or page token.
            QueryTimeoutError: it took longer than `timeout`.
        """
        from tracehouse.trace import TracePage

        search = self._search(filter, order_by, max_results, page_token, experiment_ids, offset, timeout)
        traces, token = self._engine.search(self._native, search, include_spans)
        page = TracePage(traces, token, _rows_of=self._trace_rows)
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
            traces, token = self._engine.search(self._native, search, include_spans)
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
        return self._engine.count(self._native, self._search(filter, None, None, None, experiment_ids, 0, timeout))

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
        return self._engine.search_ids(
            self._native, self._search(filter, order_by, max_results, None, experiment_ids, 0, timeout)
        )

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
        return self._engine.explain(
            self._native, self._search(filter, order_by, max_results, None, experiment_ids, 0, None), analyze
        )

    def notices(self, filter: str) -> list[str]:
        """What a person should hear about a filter: names in it that no trace has, values that their key never has, and
        what may have been meant. It reads up to every row."""
        return self._engine.notices(self._native, filter)

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
            query: such as `'"refund policy" -test'`: words, `"a phrase"`, `OR`, `NOT`, `pre*`, `fuzzy~1`,
                `inputs:word`.
            where: only spans of traces that this filter holds for.
            limit: most hits.
            by_trace: one hit a trace, its best span.
            timeout: longest time it may take, seconds.

        Raises:
            InvalidInputError: a wrong query or filter.
        """
        return self._engine.search_text(self._native, query, where, limit, by_trace, timeout)

    def get_trace(self, trace_id: str) -> Trace:
        """A trace with all its spans and assessments.

        Raises:
            NotFoundError: there is no such trace.
        """
        return self._engine.get_trace(self._native, trace_id)

    def get_trace_info(self, trace_id: str) -> TraceInfo:
        """The row of a trace.

        Raises:
            NotFoundError: there is no such trace.
        """
        return self._engine.get_trace_info(self._native, trace_id)

    def find_trace_id(self, beginning: str) -> str:
        """The id of the only trace whose id is this or begins so.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: there are several; the message names some.
        """
        return self._engine.find_trace_id(self._native, beginning)

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
            timeout: longest time it may take, seconds, all its rows included.

        Returns:
            The rows, read as they are asked for.

        Raises:
            InvalidInputError: a wrong or refused statement, parameter or table.
            QueryTimeoutError: it took longer than `timeout`.
            ResourceExhaustedError: it needs more memory than its limit, and cannot go to the disk.
        """
        given = dict(params) if isinstance(params, Mapping) else list(params or ())
        return Result(self._engine.sql(self._native, statement, given or None, dict(tables or {}), timeout))

    def sql_notices(self, statement: str) -> list[str]:
        """What a person should hear about a statement: keys that no row has, and values that a column never has. It
        reads up to every row."""
        return self._engine.sql_notices(self._native, statement)

    def sessions(
        self,
        filter: str = "",
        order_by: str | Iterable[str] | None = None,
        limit: int | None = 100,
        *,
        experiment_ids: str | Iterable[str] | None = None,
    ) -> Sessions:
        """The sessions of which some trace matches, with figures over all their traces.

        Args:
            filter: as in `search_traces`; empty for all.
            order_by: `session_id`, `trace_count`, `error_count`, `first_request_time`, `last_request_time`,
                `total_tokens` or `cost`, with `ASC` or `DESC` after it; the last request first by default.
            limit: most sessions given.
            experiment_ids: only sessions of these experiments.
        """
        from tracehouse.reports import Sessions

        clauses = as_texts(order_by) or []
        if len(clauses) > 1:
            raise InvalidInputError(f"sessions ordered by {clauses}: one key expected")
        order = clauses[0] if clauses else None
        found: list[Session] = self._engine.sessions(self._native, filter, order, limit, as_texts(experiment_ids))
        return Sessions(found)

    def session_traces(self, session_id: str, *, experiment_ids: str | Iterable[str] | None = None) -> list[TraceInfo]:
        """The rows of the traces of one session in order of time; none of an unknown session."""
        return self._engine.session_traces(self._native, session_id, as_texts(experiment_ids))

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
        return self._engine.completed_sessions(
            self._native, experiment_id, as_time_ns(last_min), as_time_ns(last_max), max_results, filter
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
        return self._engine.metrics(self._native, view, metric, query)

    def filter_correlation(
        self, a: str, b: str, *, base: str = "", experiment_ids: str | Iterable[str] | None = None
    ) -> FilterCorrelation:
        """How much two filters have to do with each other over the traces that `base` holds for: normalised pointwise
        mutual information, as MLflow computes it."""
        return self._engine.filter_correlation(self._native, a, b, base, as_texts(experiment_ids))

    @staticmethod
    def _search(
        filter: str,
        order_by: str | Iterable[str] | None,
        limit: int | None,
        page_token: str | None,
        experiment_ids: str | Iterable[str] | None,
        offset: int,
        timeout: float | None,
    ) -> SearchArguments:
        return (filter, as_texts(order_by) or [], limit, page_token, as_texts(experiment_ids), offset, timeout)

    def _trace_rows(self, trace_ids: list[str]) -> Result:
        return Result(self._engine.trace_rows(self._native, "traces", trace_ids))

    def _warn(self, filter: str) -> None:
        for notice in self._engine.notices(self._native, filter):
            warnings.warn(notice, NoticeWarning, stacklevel=3)

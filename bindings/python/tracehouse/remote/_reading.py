"""Questions to a server: the functions of `_engine.Engine` that read, over REST.

What REST has as a resource is asked there, and so works for tokens of single experiments, too; what only the engine
itself has goes through `operation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tracehouse._engine import SearchArguments
from tracehouse._options import as_time_ns
from tracehouse.errors import InvalidInputError, NotFoundError, NotSupportedError, ResourceExhaustedError
from tracehouse.remote import _forms
from tracehouse.remote._client import Client, json_bytes, path_part
from tracehouse.remote._rows import ARROW, RemoteRows, check_pyarrow
from tracehouse.reports import (
    CompletedSession,
    FilterCorrelation,
    MetricPoint,
    Price,
    Redaction,
    Session,
    Stats,
    TextHit,
)
from tracehouse.trace import Assessment, Trace, TraceInfo

API = "/api/v1"
_PAGE_TRACES = 1_000
_BATCH_TRACES = 100
"""Traces with their spans that are asked for together: an answer of all of a page may be larger than a server gives."""
_ROWS_MAX = 1_000_000
_NAMES_SHOWN = 3


def operation(db: Client, name: str, **arguments: Any) -> Any:
    """Has the server call its engine. Every operation may be sent again: repeating one changes nothing."""
    body = {"operation": name, "arguments": arguments}
    return db.ask("POST", f"{API}/operations", body=body)["result"]


def search(db: Client, search: SearchArguments, include_spans: bool) -> tuple[list[Trace], str | None]:
    """A page of traces, and the token of the next one."""
    found = db.ask("POST", f"{API}/search", body=_search(search), timeout=search[6])
    infos = [_forms.trace_info(row) for row in found["traces"]]
    if not include_spans:
        return [Trace(info) for info in infos], found["next_page_token"]
    return get_traces(db, [info.trace_id for info in infos], search[6]), found["next_page_token"]


def get_traces(db: Client, trace_ids: list[str], timeout: float | None = None) -> list[Trace]:
    """Traces with spans and assessments in the order of their ids; those that are not there are left out."""
    traces: list[Trace] = []
    for begin in range(0, len(trace_ids), _BATCH_TRACES):
        some = trace_ids[begin : begin + _BATCH_TRACES]
        found = db.ask("POST", f"{API}/traces:batch", body={"trace_ids": some}, timeout=timeout)
        traces.extend(_forms.trace(one) for one in found["traces"])
    return traces


def search_ids(db: Client, search: SearchArguments) -> list[str]:
    """The ids of all traces that a search finds."""
    return [row["trace_id"] for row in _all_rows(db, search, "trace_id")]


def _all_rows(db: Client, search: SearchArguments, columns: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a search over all its pages."""
    filter, order_by, limit, token, experiments, offset, timeout = search
    while limit is None or limit > 0:
        count = _PAGE_TRACES if limit is None else min(limit, _PAGE_TRACES)
        body = _search((filter, order_by, count, token, experiments, offset, timeout))
        found = db.ask("POST", f"{API}/search", body={**body, "columns": columns}, timeout=timeout)
        yield from found["traces"]
        token, offset = found["next_page_token"], 0
        if token is None:
            return
        limit = None if limit is None else limit - len(found["traces"])


def _search(search: SearchArguments) -> dict[str, Any]:
    filter, order_by, limit, page_token, experiments, offset, _ = search
    return {
        "filter": filter,
        "order_by": order_by,
        "limit": limit,
        "page_token": page_token,
        "experiment": some_experiments(experiments),
        "offset": offset or None,
    }


def some_experiments(experiments: list[str] | None) -> list[str] | None:
    """Experiments as REST takes them, where an empty list is all: here it is none, and so one that cannot be."""
    return ["\x00"] if experiments == [] else experiments


def count(db: Client, search: SearchArguments) -> int:
    """How many traces a search finds."""
    found = db.ask("POST", f"{API}/search", body={**_search(search), "count": True}, timeout=search[6])
    number: int = found["count"]
    return number


def explain(db: Client, search: SearchArguments, analyze: bool) -> str:
    """How a search is carried out, as text."""
    filter, order_by, limit, page_token, experiments, offset, _ = search
    given = {"filter": filter, "order_by": order_by, "limit": limit, "offset": offset, "experiments": experiments}
    text: str = operation(db, "explain", search={**given, "page_token": page_token}, analyze=analyze)
    return text


def notices(db: Client, filter: str) -> list[str]:
    """What a person should hear about a filter."""
    # A page without a trace comes with them.
    found = db.ask("POST", f"{API}/search", body={"filter": filter, "limit": 1, "columns": "trace_id"})
    return list(operation(db, "notices", filter=filter) if found["traces"] else found.get("notices", []))


def search_text(
    db: Client, query: str, where: str | None, limit: int, by_trace: bool, timeout: float | None
) -> list[TextHit]:
    """The best spans for words."""
    body = {"query": query, "where": where, "limit": limit, "by_trace": by_trace}
    return [_forms.text_hit(hit) for hit in db.ask("POST", f"{API}/text", body=body, timeout=timeout)["hits"]]


def get_trace(db: Client, trace_id: str) -> Trace:
    """A trace with its spans and assessments."""
    return _forms.trace(db.ask("GET", f"{API}/traces/{path_part(trace_id)}"))


def get_trace_info(db: Client, trace_id: str) -> TraceInfo:
    """The row of a trace."""
    quoted = trace_id.replace("'", "''")
    found = db.ask("POST", f"{API}/search", body={"filter": f"trace_id = '{quoted}'", "limit": 1})
    for row in found["traces"]:
        return _forms.trace_info(row)
    raise NotFoundError(f"trace {trace_id} not found")


def find_trace_id(db: Client, beginning: str) -> str:
    """The id of the only trace whose id begins so."""
    plain = beginning.removeprefix("tr-") if len(beginning) > len("tr-") else beginning
    statement = "SELECT trace_id FROM traces WHERE starts_with(trace_id, $1) ORDER BY trace_id LIMIT 4"
    found = db.ask("POST", f"{API}/sql", body={"sql": statement, "params": [plain]})
    ids = [str(row[0]) for row in found["rows"]]
    if not plain or not ids:
        raise NotFoundError(f"no trace has an id that begins with {beginning!r}")
    if plain in ids or len(ids) == 1:
        return plain if plain in ids else ids[0]
    shown = ", ".join(ids[:_NAMES_SHOWN]) + (", .." if len(ids) > _NAMES_SHOWN else "")
    raise InvalidInputError(f"several traces have ids that begin with {beginning!r}: {shown}")


def trace_rows(db: Client, table: str, trace_ids: list[str]) -> RemoteRows:
    """The rows of traces in a table, in the order of the ids."""
    names = {f"id{at}": trace_id for at, trace_id in enumerate(trace_ids)}
    if not names:
        return sql(db, f"SELECT * FROM {table} WHERE false", None, {}, None)  # noqa: S608 a name of ours
    places = " ".join(f"WHEN ${name} THEN {at}" for at, name in enumerate(names))
    wanted = ", ".join(f"${name}" for name in names)
    statement = f"SELECT * FROM {table} WHERE trace_id IN ({wanted}) ORDER BY CASE trace_id {places} END"  # noqa: S608
    return sql(db, statement, names, {}, None)


def sql(
    db: Client,
    statement: str,
    params: dict[str, Any] | list[Any] | None,
    tables: dict[str, Any],
    timeout: float | None,
) -> RemoteRows:
    """The rows of a statement, as they come."""
    if tables:
        raise NotSupportedError(
            f"tables has {next(iter(tables))!r}: a server takes no tables of its clients: fetch rows with sql() and "
            "join them here, or open the folder where it is"
        )
    check_pyarrow()
    body: dict[str, Any] = {"sql": statement, "params": _parameters(params)}
    if timeout:
        body["timeout_ms"] = max(1, round(timeout * 1_000))
    # The first answer comes with the first rows: what is waited for beyond that is the server's to limit.
    wait = 0.0 if timeout == 0 else None
    return RemoteRows(db.open("POST", f"{API}/sql", content=json_bytes(body), accept=ARROW, timeout=wait))


def _parameters(given: dict[str, Any] | list[Any] | None) -> dict[str, Any] | list[Any] | None:
    if isinstance(given, dict):
        return {name: _parameter(name, value) for name, value in given.items()}
    return given and [_parameter(str(at), value) for at, value in enumerate(given, start=1)]


def _parameter(name: str, value: Any) -> Any:
    """A value as the server reads it, by the rules of the native module."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        raise InvalidInputError(f"parameter {name} is {value}: whole numbers have 64 bits")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        if value != value or value in (float("inf"), float("-inf")):
            raise NotSupportedError(
                f"parameter {name} is {value}: write it into the statement, CAST('{value}' AS DOUBLE)"
            )
        return float(value)
    if isinstance(value, (datetime, date)) or type(value).__name__ in ("Timestamp", "datetime64"):
        return {"$time_ns": as_time_ns(value)}
    item = getattr(value, "item", None)
    if callable(item):  # Numbers of numpy and the like.
        return _parameter(name, item())
    kind = type(value).__name__
    raise TypeError(f"parameter {name} is a {kind}: None, bool, int, float, str, datetime or date expected")


def sql_notices(db: Client, statement: str) -> list[str]:
    """What a person should hear about a statement."""
    return list(operation(db, "sql_notices", statement=statement))


def sessions(
    db: Client, filter: str, order_by: str | None, limit: int | None, experiments: list[str] | None
) -> list[Session]:
    """The sessions of which some trace matches."""
    given = {"filter": filter, "order_by": order_by, "experiment": some_experiments(experiments)}
    found = db.ask("POST", f"{API}/sessions", body={**given, "limit": _ROWS_MAX if limit is None else limit})
    if limit is None and found["has_more"]:
        raise ResourceExhaustedError(f"there are more than {_ROWS_MAX} sessions: a limit or a filter is needed")
    return [_forms.session(one) for one in found["sessions"]]


def session_traces(db: Client, session_id: str, experiments: list[str] | None) -> list[TraceInfo]:
    """The rows of the traces of a session, in order of time."""
    quoted = session_id.replace("'", "''")
    order = ["request_time ASC", "trace_id ASC"]
    found = _all_rows(db, (f"session_id = '{quoted}'", order, None, None, experiments, 0, None))
    return [_forms.trace_info(row) for row in found]


def completed_sessions(
    db: Client, experiment_id: str, last_min_ns: int, last_max_ns: int, max_results: int | None, filter: str
) -> list[CompletedSession]:
    """Sessions whose last trace is in a span of time."""
    found = operation(
        db,
        "completed_sessions",
        experiment_id=experiment_id,
        last_min_ns=last_min_ns,
        last_max_ns=last_max_ns,
        max_results=max_results,
        filter=filter,
    )
    return [_forms.made(CompletedSession, one) for one in found]


def metrics(db: Client, view: str, metric: str, given: dict[str, Any]) -> list[MetricPoint]:
    """The points of a metric."""
    words = [word.lower() if word != "PERCENTILE" else f"p{percent}" for word, percent in given["aggregations"]]
    limit = min(given["max_results"], _ROWS_MAX)
    body = {
        "view": view,
        "metric": metric,
        "by": given["dimensions"],
        "aggregate": words,
        "filter": given["filters"],
        "from": given["start_ms"],
        "to": given["end_ms"],
        "interval": given["interval_seconds"],
        "experiment": some_experiments(given["experiments"]),
        "limit": limit,
    }
    found = db.ask("POST", f"{API}/metrics", body=body)
    if given["max_results"] > limit and found["has_more"]:
        raise ResourceExhaustedError(f"there are more than {limit} points: fewer dimensions or a filter are needed")
    return [_point(one, given["dimensions"]) for one in found["points"]]


def _point(given: dict[str, Any], dimensions: list[str]) -> MetricPoint:
    """A point, with its dimensions in the order asked for: JSON objects have none."""
    told = given["dimensions"]
    names = [name for name in ("time_bucket", *dimensions) if name in told]
    ordered = {name: told[name] for name in (*names, *told)}
    return MetricPoint(
        given["metric"], ordered, {name: _forms.number(value) for name, value in given["values"].items()}
    )


def filter_correlation(db: Client, a: str, b: str, base: str, experiments: list[str] | None) -> FilterCorrelation:
    """How much two filters have to do with each other."""
    found = operation(db, "filter_correlation", a=a, b=b, base=base, experiments=experiments)
    numbers = {name: _forms.number(found[name]) for name in ("npmi", "npmi_smoothed")}
    return _forms.made(FilterCorrelation, found, **numbers)


def assessments(db: Client, trace_ids: list[str]) -> list[Assessment]:
    """The assessments of traces, trace by trace in the order of the ids."""
    return [one for trace in get_traces(db, trace_ids) for one in trace.assessments]


def get_assessment(db: Client, trace_id: str, assessment_id: str) -> Assessment:
    """One assessment of a trace."""
    query = [("trace_id", trace_id)]
    return _forms.assessment(db.ask("GET", f"{API}/assessments/{path_part(assessment_id)}", query))


def stats(db: Client) -> Stats:
    """Counts and sizes."""
    return _forms.stats(db.ask("GET", f"{API}/stats"))


def redaction(db: Client) -> Redaction:
    """What is taken out of everything that is written."""
    return _forms.made(Redaction, operation(db, "redaction"))


def prices(db: Client) -> list[Price]:
    """The prices that costs are computed with."""
    return [_forms.made(Price, one) for one in operation(db, "prices")]

"""The parts of the cost of traces, as MLflow tells them: of inputs, of outputs and in total.

The database keeps the total. What a producer said of the parts is in the attributes of spans, from where it is read for
traces whose start has not said the cost:

```text
rows of a page --> those with a cost that their start has not said --> spans that said theirs --> topmost ones --> sums
```

A span that stands above others has their cost in its own (MLflow's rule): only the topmost one of a path counts.

Invariant: parts are told only where they are parts of all of the cost, that is where their total is the trace's. Of a
cost that the database has computed from prices only the total is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mlflow.tracing.constant import CostKey, SpanAttributeKey, TraceMetadataKey

import tracehouse
from tracehouse.errors import NotFoundError
from tracehouse.mlflow._measuring_metrics import listed
from tracehouse.trace import Span, TraceInfo

_PARTS = (CostKey.INPUT_COST, CostKey.OUTPUT_COST, CostKey.TOTAL_COST)
_SAID = """
    SELECT trace_id, span_id, parent_span_id, attributes ->> 'mlflow.llm.cost' FROM spans
    WHERE trace_id IN ({traces}) AND cost_source = 'reported'
    ORDER BY trace_id, start_time, span_id
"""
_PARENTS = "SELECT trace_id, span_id, parent_span_id FROM spans WHERE trace_id IN ({traces})"
# Ids of one statement.
_IDS_MAX = 5_000
# Traces that are read one after the other: a statement takes as long as some twenty of them.
_READ_WHOLE_MAX = 20


class _Said(NamedTuple):
    """What a span said of its cost."""

    span_id: str
    parent_id: str | None
    parts: dict[str, float]


def cost_of_spans(row: TraceInfo, spans: Iterable[Span]) -> dict[str, float] | None:
    """The cost of a trace by its spans; `None` where its start has said it, or it has none."""
    if row.cost_usd is None or TraceMetadataKey.COST in row.metadata:
        return None
    told = list(spans)
    said = [
        _Said(span.span_id, span.parent_span_id, _parts((span.attributes or {}).get(SpanAttributeKey.LLM_COST)))
        for span in told
        if span.cost_source == "reported"
    ]
    return _cost(row.cost_usd, said, {span.span_id: span.parent_span_id for span in told})


def costs_of_traces(database: tracehouse.Database, rows: Sequence[TraceInfo]) -> dict[str, dict[str, float]]:
    """The same for many traces, by the database's id of each that has a cost here."""
    totals = {
        row.trace_id: row.cost_usd
        for row in rows
        if row.cost_usd is not None and TraceMetadataKey.COST not in row.metadata
    }
    if len(totals) <= _READ_WHOLE_MAX:
        return {trace_id: cost for trace_id in totals if (cost := _cost_of_trace(database, trace_id))}
    said: dict[str, list[_Said]] = {}
    for trace_id, span_id, parent_id, text in _asked(database, _SAID, list(totals)):
        said.setdefault(trace_id, []).append(_Said(span_id, parent_id, _parts(text)))
    parents: dict[str, dict[str, str | None]] = {}
    several = [trace_id for trace_id, spans in said.items() if len(spans) > 1]
    for trace_id, span_id, parent_id in _asked(database, _PARENTS, several):
        parents.setdefault(trace_id, {})[span_id] = parent_id
    return {
        trace_id: _cost(total, said.get(trace_id, []), parents.get(trace_id, {})) for trace_id, total in totals.items()
    }


def _cost_of_trace(database: tracehouse.Database, trace_id: str) -> dict[str, float] | None:
    try:
        trace = database._engine.get_trace(database._native, trace_id)
    except NotFoundError:
        return None  # It is deleted just now.
    return cost_of_spans(trace.info, trace.spans)


def _cost(total: float, said: list[_Said], parents: Mapping[str, str | None]) -> dict[str, float]:
    """A cost with its parts, where they are known."""
    spans = _topmost(said, parents)
    if spans and all(len(span.parts) == len(_PARTS) for span in spans):
        sums = {part: sum(span.parts[part] for span in spans) for part in _PARTS}
        if math.isclose(sums[CostKey.TOTAL_COST], total):
            return sums
    return {CostKey.TOTAL_COST: total}


def _asked(database: tracehouse.Database, statement: str, trace_ids: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement about traces."""
    for begin in range(0, len(trace_ids), _IDS_MAX):
        names, given = listed("trace", trace_ids[begin : begin + _IDS_MAX])
        yield from database.sql(statement.format(traces=names), given)


def _parts(said: Any) -> dict[str, float]:
    """The parts that a span said which are numbers: of its attribute, or the JSON text of it."""
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except ValueError:
            return {}
    if not isinstance(said, Mapping):
        return {}
    return {part: float(said[part]) for part in _PARTS if isinstance(said.get(part), (int, float))}


def _topmost(spans: list[_Said], parents: Mapping[str, str | None]) -> list[_Said]:
    """Those that stand below no other one."""
    ids = {span.span_id for span in spans}
    found = []
    for span in spans:
        above, seen = span.parent_id, {span.span_id}
        while above is not None and above not in ids and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above not in ids or above == span.span_id:
            found.append(span)
    return found

"""A trace as text: its row, then a line a span, indented by depth, with durations, tokens and errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracehouse.trace import Span, Trace

_NAME_WIDTH_MAX = 60
_TEXT_WIDTH_MAX = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


def tree_text(trace: Trace) -> str:
    """The text of a trace. What it says of itself has no control characters: they could write to a terminal."""
    info = trace.info
    facts = [info.state, _duration(info.duration_ns)]
    if info.total_tokens is not None:
        facts.append(f"{info.total_tokens:,} tokens")
    if info.cost_usd is not None:
        facts.append(f"${info.cost_usd:.6f}")
    lines = [f"{_short(info.name or info.trace_id, _NAME_WIDTH_MAX)}  {'  '.join(filter(None, facts))}"]
    lines.append(f"trace {info.trace_id}  {info.request_time:%Y-%m-%d %H:%M:%S} UTC  {info.span_count} spans")
    for label, text in (("asked", info.request_preview), ("answered", info.response_preview)):
        if text:
            lines.append(f"{label}: {_short(text, _TEXT_WIDTH_MAX)}")
    lines.extend(_span_lines(trace))
    for assessment in trace.assessments:
        if assessment.valid:
            by = f" by {assessment.source_id}" if assessment.source_id else ""
            value = _short(repr(assessment.value), _NAME_WIDTH_MAX)
            lines.append(f"{assessment.type} {_short(assessment.name, _NAME_WIDTH_MAX)} = {value}{_short(by, 40)}")
    return "\n".join(lines)


def _span_lines(trace: Trace) -> Iterator[str]:
    rows = list(depth_first(trace))
    width = max((2 * depth + len(_short(span.name, _NAME_WIDTH_MAX)) for span, depth in rows), default=0)
    for span, depth in rows:
        name = "  " * depth + _short(span.name, _NAME_WIDTH_MAX)
        facts = [span.span_type, _duration(span.duration_ns) or "open"]
        if span.model:
            facts.append(_short(span.model, _NAME_WIDTH_MAX))
        if span.total_tokens is not None:
            facts.append(f"{span.total_tokens:,} tokens")
        if span.status == "ERROR":
            facts.append(f"ERROR {_short(span.status_message or '', _TEXT_WIDTH_MAX)}".rstrip())
        yield f"{name:<{width}}  {'  '.join(facts)}"


def depth_first(trace: Trace) -> Iterator[tuple[Span, int]]:
    """Each span with its depth, parents before children. Spans whose parents form a circle come last, at the top."""
    below: dict[str | None, list[Span]] = {}
    ids = {span.span_id for span in trace.spans}
    for span in trace.spans:
        is_top = span.parent_span_id not in ids or span.parent_span_id == span.span_id
        below.setdefault(None if is_top else span.parent_span_id, []).append(span)
    seen: set[int] = set()
    for start in (below.get(None, []), trace.spans):
        stack = [(span, 0) for span in reversed(start)]
        while stack:
            span, depth = stack.pop()
            if id(span) in seen:
                continue
            seen.add(id(span))
            yield span, depth
            stack.extend((child, depth + 1) for child in reversed(below.get(span.span_id, [])))


def _duration(ns: int | None) -> str:
    if ns is None:
        return ""
    if ns >= 1_000_000_000:
        return f"{ns / 1e9:.2f} s"
    if ns >= 1_000_000:
        return f"{ns / 1e6:.1f} ms"
    return f"{ns / 1e3:.0f} us"


def _short(text: str, width: int) -> str:
    text = _CONTROL.sub(" ", text)
    return text if len(text) <= width else f"{text[: width - 3]}..."

"""One trace: what is known of it, its assessments, and its spans as a tree with a waterfall.

Each span is a line that opens: messages, errors, attributes. No script: it works in a saved notebook, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ._html import Html, cut, element, joined
from ._messages import TEXT_CHARS_MAX, label, payloads, preformatted
from ._style import badge, dim, view
from ._tree import Line, lines
from ._units import duration, time, tokens, usd
from ._waterfall import TimeLine

if TYPE_CHECKING:
    from tracehouse.trace import Assessment, Span, Trace, TraceInfo

# More spans would make a page that no browser likes to scroll.
SPANS_MAX = 400
ASSESSMENTS_MAX = 50
EVENTS_MAX = 20
_INDENT_PX = 14
_DEPTH_SHOWN_MAX = 16
_PREVIEW_CHARS_MAX = 400
_TAGS_MAX = 30


def trace_html(trace: Trace) -> str:
    """The view of a trace."""
    shown = lines(trace.spans)
    time_line = TimeLine.of(trace.spans)
    opened = _opened(shown)
    rows = [_span(line, time_line, line.span is opened) for line in shown[:SPANS_MAX]]
    left_out = len(shown) - len(rows)
    if left_out:
        rows.append(element("div", f"{left_out:,} more spans are not shown", class_="th-dim th-row"))
    return view(_head(trace.info), _assessments(trace.assessments), element("div", *rows))


def _head(info: TraceInfo) -> Html:
    figures = [
        time(info.request_time_ns),
        duration(info.duration_ns),
        f"{info.span_count:,} spans",
        tokens(info.input_tokens, info.output_tokens, info.total_tokens),
        usd(info.cost_usd),
    ]
    names = [("session", info.session_id), ("user", info.user_id), ("service", info.service_name)]
    figures += [f"{name} {cut(value, _PREVIEW_CHARS_MAX)}" for name, value in names if value]
    title = element("span", cut(info.name or "(no name)", _PREVIEW_CHARS_MAX), class_="th-title")
    first = element("div", title, _state(info.state), *(dim(figure) for figure in figures if figure), class_="th-head")
    tags = [badge(cut(f"{key}: {value}", 200)) for key, value in sorted(info.tags.items())[:_TAGS_MAX]]
    models = [badge(model) for model in info.models]
    ids = element("span", info.trace_id, class_="th-dim th-mono")
    return joined(first, element("div", ids, *models, *tags, class_="th-head"))


def _state(state: str) -> Html:
    return badge(state, {"ERROR": "bad", "OK": "good"}.get(state, ""))


def _assessments(assessments: list[Assessment]) -> Html | None:
    shown = [assessment for assessment in assessments if assessment.valid][:ASSESSMENTS_MAX]
    if not shown:
        return None
    return element("div", *(_assessment(assessment) for assessment in shown), class_="th-more")


def _assessment(assessment: Assessment) -> Html:
    said = json.dumps(assessment.value, ensure_ascii=False)
    kind = "bad" if assessment.value is False else "good" if assessment.value is True else ""
    source = ":".join(part for part in (assessment.source_type, assessment.source_id) if part)
    rationale = cut(assessment.rationale, _PREVIEW_CHARS_MAX) if assessment.rationale else ""
    parts = [
        dim(assessment.type),
        badge(cut(f"{assessment.name} = {said}", 200), kind),
        dim(source),
        element("span", rationale) if rationale else None,
    ]
    return element("div", *(part for part in parts if part), class_="th-head")


def _opened(shown: list[Line]) -> Span | None:
    """The span to open: what failed deepest, else the first."""
    failed = [line for line in shown[:SPANS_MAX] if line.span.status == "ERROR"]
    if failed:
        return max(failed, key=lambda line: line.depth).span
    return shown[0].span if shown else None


def _span(line: Line, time_line: TimeLine, is_open: bool) -> Html:
    span = line.span
    indent = _INDENT_PX * min(line.depth, _DEPTH_SHOWN_MAX)
    name = element(
        "div",
        badge(span.span_type, "bad" if span.status == "ERROR" else ""),
        " ",
        cut(span.name, _PREVIEW_CHARS_MAX),
        dim(" (its parent is not there)") if line.lost else None,
        class_="th-name",
        style=f"padding-left:{indent}px",
        title=cut(span.name, _PREVIEW_CHARS_MAX),
    )
    took = element("div", duration(span.duration_ns), class_="th-num")
    summary = element("summary", element("div", name, time_line.bar(span), took, _figures(span), class_="th-row"))
    more = element("div", _error(span), payloads(span), _details(span), class_="th-more")
    return element("details", summary, more, open="open" if is_open else "")


def _figures(span: Span) -> Html:
    tool = span.tool_name if span.tool_name != span.name else None
    parts = [span.model or tool or "", tokens(span.input_tokens, span.output_tokens, span.total_tokens)]
    parts.append(usd(span.cost_usd))
    words = " \u00b7 ".join(part for part in parts if part)
    return element("div", words, class_="th-fig th-dim", title=words)


def _error(span: Span) -> Html | None:
    if span.status != "ERROR":
        return None
    return element("div", cut(span.status_message or "failed", 2_000), class_="th-bad")


def _details(span: Span) -> Html:
    parts: list[Html] = []
    for event in span.events[:EVENTS_MAX]:
        lines_of = {key: value for key, value in event.attributes.items() if isinstance(value, str) and "\n" in value}
        parts += [label(f"event {event.name}")]
        parts += [_object({key: value for key, value in event.attributes.items() if key not in lines_of})]
        # Stack traces, for the most part: as JSON they would be one long line.
        parts += [preformatted(value) for value in lines_of.values()]
    if span.attributes:
        parts.append(element("details", element("summary", dim("attributes")), _object(span.attributes)))
    return joined(*parts)


def _object(attributes: dict[str, Any]) -> Html:
    # A text within the attributes can be as long as it likes: it is cut before it is written as JSON.
    shown = {key: cut(value, TEXT_CHARS_MAX) if isinstance(value, str) else value for key, value in attributes.items()}
    return preformatted(json.dumps(shown, ensure_ascii=False, indent=2, default=str))

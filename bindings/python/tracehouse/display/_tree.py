"""Spans in the order of a tree: children below their parents, by start.

A span whose parent is not there, or whose parents lead in a circle, is a tree of its own: no span is left out, and none
comes twice. No recursion: a trace can be as deep as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracehouse.trace import Span


@dataclass(frozen=True)
class Line:
    """A span and how deep it is; `lost` says that its parent is not there."""

    span: Span
    depth: int
    lost: bool


def lines(spans: Sequence[Span]) -> list[Line]:
    """All spans, in the order in which they are shown."""
    ordered = sorted(spans, key=lambda span: (span.start_time_ns, span.span_id))
    known = {span.span_id for span in ordered}
    children: dict[str, list[Span]] = {}
    tops: list[Span] = []
    for span in ordered:
        parent = span.parent_span_id
        if parent is None or parent not in known:
            tops.append(span)
        else:
            children.setdefault(parent, []).append(span)
    # Roots before spans that lost their parent; what is left after both is in circles.
    tops.sort(key=lambda span: span.parent_span_id is not None)
    shown: list[Line] = []
    seen: set[str] = set()
    for top in [*tops, *ordered]:
        _below(top, children, seen, shown)
    return shown


def _below(top: Span, children: dict[str, list[Span]], seen: set[str], shown: list[Line]) -> None:
    waiting = [Line(top, 0, top.parent_span_id is not None)]
    while waiting:
        line = waiting.pop()
        if line.span.span_id in seen:
            continue
        seen.add(line.span.span_id)
        shown.append(line)
        below = children.get(line.span.span_id, [])
        waiting.extend(Line(child, line.depth + 1, False) for child in reversed(below))

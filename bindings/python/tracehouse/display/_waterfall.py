"""Where the bar of a span stands in the time of its trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._html import Html, element
from ._style import colour

if TYPE_CHECKING:
    from tracehouse.trace import Span


@dataclass(frozen=True)
class TimeLine:
    """From the first start of a trace to its last end, in Unix nanoseconds."""

    start_ns: int
    end_ns: int

    @staticmethod
    def of(spans: Sequence[Span]) -> TimeLine:
        """That of these spans; open ones last as long as anything is known of."""
        start = min((span.start_time_ns for span in spans), default=0)
        end = max((max(span.end_time_ns or 0, span.start_time_ns) for span in spans), default=start)
        return TimeLine(start, max(end, start))

    def bar(self, span: Span) -> Html:
        """The bar of a span: one that is open reaches to the end and is pale."""
        whole = max(self.end_ns - self.start_ns, 1)
        end = self.end_ns if span.end_time_ns is None else max(span.end_time_ns, span.start_time_ns)
        left = 100 * (span.start_time_ns - self.start_ns) / whole
        width = 100 * (end - span.start_time_ns) / whole
        style = f"left:{min(left, 99.6):.2f}%;width:{width:.2f}%;background:{colour(span.span_type, _failed(span))}"
        if span.end_time_ns is None:
            style += ";opacity:0.45"
        return element("div", element("div", class_="th-bar", style=style), class_="th-track")


def _failed(span: Span) -> bool:
    return span.status == "ERROR"

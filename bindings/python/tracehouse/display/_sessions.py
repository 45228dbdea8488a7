"""Sessions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._html import Html, cut, element
from ._style import badge, dim, table, view
from ._units import duration, time, usd

if TYPE_CHECKING:
    from tracehouse.reports import Session

ROWS_MAX = 100
_HEAD = [
    ("session", False),
    ("user", False),
    ("traces", True),
    ("errors", True),
    ("first", False),
    ("lasted", True),
    ("tokens", True),
    ("cost", True),
]


def sessions_html(sessions: Sequence[Session]) -> str:
    """The view of sessions."""
    shown = [_row(session) for session in sessions[:ROWS_MAX]]
    more = len(sessions) - len(shown)
    note = f"{len(sessions):,} sessions" + (f", of which {more:,} are not shown" if more else "")
    return view(table(_HEAD, shown), dim(note))


def _row(session: Session) -> list[Html]:
    lasted = session.last_request_time_ns - session.first_request_time_ns
    errors = badge(f"{session.error_count:,}", "bad") if session.error_count else dim("0")
    texts = [
        session.session_id,
        session.user_id or "",
        f"{session.trace_count:,}",
        errors,
        time(session.first_request_time_ns),
        duration(lasted),
        "" if session.total_tokens is None else f"{session.total_tokens:,}",
        usd(session.cost_usd),
    ]
    return [part if isinstance(part, Html) else element("span", cut(part, 200)) for part in texts]

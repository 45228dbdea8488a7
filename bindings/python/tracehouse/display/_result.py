"""The first rows of a result, as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ._html import Html, cut, element
from ._style import dim, table, view
from ._units import time

if TYPE_CHECKING:
    from tracehouse.result import Result

ROWS_MAX = 40
COLUMNS_MAX = 30
_CELL_CHARS_MAX = 300
_NUMBERS = ("Int", "UInt", "Float", "Decimal")


def result_html(result: Result) -> str:
    """The view of a result: its first rows, and whether there are more. It moves no cursor."""
    return view(*rows_table(result))


def rows_table(result: Result, names: Sequence[str] | None = None) -> list[Html]:
    """The table of a result's first rows, of all columns or of these, and the line below it."""
    rows, is_all = result.peek(ROWS_MAX)
    columns = result.columns
    places = [columns.index(name) for name in names] if names else list(range(len(columns)))
    head = [(columns[place], result.types[place].startswith(_NUMBERS)) for place in places[:COLUMNS_MAX]]
    body = [[cell(row[place]) for place in places[:COLUMNS_MAX]] for row in rows]
    notes = [_counted(len(rows), "row") if is_all else f"the first {len(rows)} rows"]
    if len(places) > COLUMNS_MAX:
        notes.append(f"{COLUMNS_MAX} of {len(places)} columns")
    return [table(head, body), dim(", ".join(notes))]


def cell(value: Any) -> Html:
    """A value in a table: on one line, in full as the title where it is cut."""
    if value is None:
        return dim("NULL")
    shown = _shown(value)
    short = cut(shown.replace("\n", "\u23ce"), _CELL_CHARS_MAX)
    return element("span", short, title=cut(shown, 2_000) if len(shown) > 60 else "")


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return time(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def _plain(value: Any) -> str:
    return time(value) if isinstance(value, datetime) else str(value)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")

"""A result as a table of text, for `Result.show`."""

from __future__ import annotations

import re
import shutil
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracehouse.result import Result

_CELL_WIDTH_MAX = 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


def table_text(result: Result, max_rows: int, max_width: int | None) -> str:
    """The first rows with as many columns as fit, and a line that says what is not shown."""
    width = max_width or shutil.get_terminal_size((120, 24)).columns
    rows, is_all = result.peek(max_rows)
    cells = [[_cell(value) for value in row] for row in rows]
    names = [_clean(name) for name in result.columns]
    widths = [max([_width(names[at]), *(_width(row[at]) for row in cells)]) for at in range(len(names))]
    shown, used = 0, 0
    while shown < len(names) and (shown == 0 or used + widths[shown] + 2 <= width):
        used += widths[shown] + 2
        shown += 1
    lines = [_line(names, widths, shown), "  ".join("-" * each for each in widths[:shown])]
    lines.extend(_line(row, widths, shown) for row in cells)
    hidden = len(names) - shown
    count = f"{len(rows)} rows" if is_all else f"the first {len(rows)} rows"
    lines.append(f"({count}{f', {hidden} more columns' if hidden else ''})")
    return "\n".join(lines)


def _line(row: list[str], widths: list[int], shown: int) -> str:
    cells = (text + " " * (width - _width(text)) for text, width in zip(row[:shown], widths, strict=False))
    return "  ".join(cells).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = _clean(str(value))
    return text if len(text) <= _CELL_WIDTH_MAX else f"{text[: _CELL_WIDTH_MAX - 3]}..."


def _clean(text: str) -> str:
    # A text of a trace may not write to the terminal.
    return _CONTROL.sub(" ", text)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)

"""HTML that is safe by its making: whatever is no `Html` is text, and text is escaped.

Nothing else in this package writes angle brackets. Control characters, which would be invisible or turn the direction
of what follows, are shown as pictures of themselves.
"""

from __future__ import annotations

import html
import re
from typing import TypeAlias

# Controls other than tab and line feed, and the characters that change the direction of text around them.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Html(str):
    """A piece of HTML: shown as it is."""

    __slots__ = ()


Child: TypeAlias = Html | str | int | float | None


def text(value: object) -> Html:
    """Any value as text."""
    shown = _SURROGATE.sub("\ufffd", str(value))
    return Html(html.escape(_INVISIBLE.sub(_picture, shown), quote=True))


def element(name: str, *children: Child, style: str = "", title: str = "", **attributes: str) -> Html:
    """An element. `class_` is the class; attributes that are empty are left out."""
    parts = [f"<{name}"]
    for key, value in {**attributes, "style": style, "title": title}.items():
        if value:
            parts.append(f' {key.rstrip("_")}="{text(value)}"')
    return Html("".join(parts) + ">" + joined(*children) + f"</{name}>")


def joined(*children: Child) -> Html:
    """Pieces one after the other."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children if child is not None))


def cut(value: str, chars_max: int) -> str:
    """A text that is not too long; what is missing is told."""
    if len(value) <= chars_max:
        return value
    return f"{value[:chars_max]}\u2026 ({len(value) - chars_max:,} more characters)"


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"[U+{code:04X}]"

"""What a span was given and what it made: as a conversation where it is one, else as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._html import Html, cut, element, joined

if TYPE_CHECKING:
    from tracehouse.trace import Message, Span

# Of one payload or message so much is shown; the whole of it is in the object.
TEXT_CHARS_MAX = 6_000
MESSAGES_MAX = 40
# Larger payloads are not parsed for the sake of their looks.
_PARSED_CHARS_MAX = 100_000
# Who speaks from the right side.
_ANSWERING = ("assistant", "tool", "model", "ai", "document")


def payloads(span: Span) -> Html:
    """Inputs and outputs of a span."""
    said = span.messages()
    parts = []
    for direction, payload in (("input", span.inputs), ("output", span.outputs)):
        messages = [message for message in said if message.direction == direction]
        if messages:
            parts.append(_conversation(direction, messages))
        elif payload:
            parts.append(joined(label(direction), preformatted(payload)))
    return joined(*parts)


def label(word: str) -> Html:
    """The heading of a part."""
    return element("div", word, class_="th-label")


def preformatted(payload: str) -> Html:
    """A text as it is; JSON with its structure to be seen."""
    return element("pre", cut(_indented(payload), TEXT_CHARS_MAX))


def _conversation(direction: str, messages: Sequence[Message]) -> Html:
    shown = [_message(message) for message in messages[-MESSAGES_MAX:]]
    left_out = len(messages) - len(shown)
    note = element("div", f"{left_out:,} earlier messages are not shown", class_="th-dim") if left_out else None
    return joined(label(direction), note, *shown)


def _message(message: Message) -> Html:
    content = message.content
    if content is None:
        said = element("div", "(nothing)", class_="th-said th-dim")
    elif _is_json(content):
        said = element("div", preformatted(content), class_="th-said")
    else:
        said = element("div", cut(content, TEXT_CHARS_MAX), class_="th-said")
    side = "th-chat th-left" if message.role in _ANSWERING else "th-chat"
    return element("div", element("div", message.role, class_="th-who"), said, class_=side)


def _is_json(text: str) -> bool:
    return _indented(text) is not text


def _indented(payload: str) -> str:
    """JSON structure with indents; any other text is given back as it is."""
    if len(payload) > _PARSED_CHARS_MAX or not payload.lstrip().startswith(("{", "[")):
        return payload
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload

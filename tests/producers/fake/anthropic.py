"""Anthropic messages: plain and streamed, tools, thinking, cache tokens.

`input_tokens` is what was neither read from the cache nor written to it, as the vendor has it.
"""

from . import answers
from .openai import flat


def ask(body):
    messages = []
    for message in body.get("messages", []):
        content = message["content"]
        parts = content if isinstance(content, list) else []
        results = [part for part in parts if part.get("type") == "tool_result"]
        if results:
            messages.append(("tool", flat(results[0].get("content"))))
        else:
            messages.append((message["role"], flat(content)))
    tools = {tool["name"]: tool.get("input_schema") for tool in body.get("tools") or []}
    return answers.Ask(body.get("model", ""), flat(body.get("system")), messages, tools, None, bool(body.get("stream")))


def usage(reply):
    used = reply.usage
    return {
        "input_tokens": used.input - used.cached - used.written,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": used.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": used.output,
        "service_tier": "standard",
    }


def blocks(reply, body):
    thinking = {"type": "thinking", "thinking": answers.REASONING, "signature": "ZmFrZQ=="}
    before = [thinking] if (body.get("thinking") or {}).get("type") == "enabled" else []
    if reply.call:
        call_id, name, arguments = reply.call
        text = {"type": "text", "text": "Let me look that up."}
        return [
            *before,
            text,
            {"type": "tool_use", "id": call_id.replace("call", "toolu"), "name": name, "input": arguments},
        ]
    return [*before, {"type": "text", "text": reply.text}]


def message(reply, body):
    return {
        "id": f"msg_fake{reply.number}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": blocks(reply, body),
        "stop_reason": "tool_use" if reply.call else "end_turn",
        "stop_sequence": None,
        "usage": usage(reply),
    }


def error(status, text):
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_fake"}


def stream(reply, body):
    """Pairs of an event's name and its data."""
    import json

    whole = message(reply, body)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": begun}
    for index, block in enumerate(whole["content"]):
        empty, deltas = dict(block), []
        if block["type"] == "text":
            empty["text"] = ""
            pieces = reply.chunks() if not reply.call else [block["text"]]
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
        elif block["type"] == "thinking":
            empty.update(thinking="", signature="")
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        else:
            empty["input"] = {}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": whole["usage"]}
    yield "message_stop", {"type": "message_stop"}

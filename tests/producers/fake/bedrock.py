"""Amazon Bedrock: Converse, ConverseStream (AWS event stream), InvokeModel of Anthropic models."""

import json
import struct
import zlib

from . import answers


def ask(body, model):
    messages = []
    for message in body.get("messages") or []:
        is_tool = any("toolResult" in part for part in message["content"])
        text = "\n".join(part.get("text", "") for part in message["content"])
        messages.append(("tool" if is_tool else message["role"], text))
    specs = [tool["toolSpec"] for tool in (body.get("toolConfig") or {}).get("tools") or [] if "toolSpec" in tool]
    tools = {spec["name"]: (spec.get("inputSchema") or {}).get("json") for spec in specs}
    system = "\n".join(part.get("text", "") for part in body.get("system") or [])
    return answers.Ask(model, system, messages, tools)


def usage(reply):
    used = reply.usage
    return {
        "inputTokens": used.input - used.cached - used.written,
        "outputTokens": used.output,
        "totalTokens": used.total,
        "cacheReadInputTokens": used.cached,
        "cacheWriteInputTokens": used.written,
    }


def converse(reply):
    content = [{"text": reply.text}]
    if reply.call:
        call_id, name, arguments = reply.call
        content = [{"toolUse": {"toolUseId": call_id.replace("call", "tooluse"), "name": name, "input": arguments}}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if reply.call else "end_turn",
        "usage": usage(reply),
        "metrics": {"latencyMs": 12},
    }


def converse_stream(reply):
    yield event("messageStart", {"role": "assistant"})
    if reply.call:
        call_id, name, arguments = reply.call
        start = {"toolUse": {"toolUseId": call_id.replace("call", "tooluse"), "name": name}}
        yield event("contentBlockStart", {"contentBlockIndex": 0, "start": start})
        yield event(
            "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": json.dumps(arguments)}}}
        )
    else:
        for piece in reply.chunks():
            yield event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
    yield event("contentBlockStop", {"contentBlockIndex": 0})
    yield event("messageStop", {"stopReason": "tool_use" if reply.call else "end_turn"})
    yield event("metadata", {"usage": usage(reply), "metrics": {"latencyMs": 12}})


def event(kind, payload):
    """One message of an AWS event stream: prelude, headers, payload, with their checksums."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def error(status, text):
    return {"message": text}

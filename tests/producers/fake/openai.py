"""OpenAI: chat completions, responses, embeddings (also spoken by Mistral, Groq and many gateways)."""

import json

from . import answers

DATED = {"gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4o": "gpt-4o-2024-08-06", "gpt-5-mini": "gpt-5-mini-2025-08-07"}
CREATED = 1_760_000_000


def flat(content):
    """The text of a message's content: a string, or the texts of its parts."""
    if isinstance(content, list):
        return "\n".join(part.get("text") or part.get("output") or "" for part in content if isinstance(part, dict))
    return content or ""


def error(status, message):
    kind = "rate_limit_exceeded" if status == 429 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


# --- chat completions


def chat_ask(body):
    messages, system = [], []
    for message in body.get("messages", []):
        role = message["role"]
        if role in ("system", "developer"):
            system.append(flat(message.get("content")))
        else:
            messages.append((role, flat(message.get("content"))))
    functions = [tool["function"] for tool in body.get("tools") or [] if "function" in tool]
    tools = {function["name"]: function.get("parameters") for function in functions}
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    called = [
        call["function"]["name"] for message in body.get("messages", []) for call in message.get("tool_calls") or []
    ]
    return answers.Ask(body["model"], "\n".join(system), messages, tools, schema, bool(body.get("stream")), called)


def chat_usage(usage):
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def chat_head(reply, kind):
    return {
        "id": f"chatcmpl-fake{reply.number}",
        "object": kind,
        "created": CREATED,
        "model": DATED.get(reply.model, reply.model),
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def chat_calls(reply):
    call_id, name, arguments = reply.call
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return [{"id": call_id, "type": "function", "function": function}]


def chat(reply):
    message = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.call:
        message["tool_calls"] = chat_calls(reply)
    reason = "tool_calls" if reply.call else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {**chat_head(reply, "chat.completion"), "choices": [choice], "usage": chat_usage(reply.usage)}


def chat_stream(reply, with_usage):
    head = chat_head(reply, "chat.completion.chunk")

    def chunk(delta, reason=None):
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": None if reply.call else ""})
    if reply.call:
        yield chunk({"tool_calls": [{"index": 0, **chat_calls(reply)[0]}]})
    else:
        for piece in reply.chunks():
            yield chunk({"content": piece})
    yield chunk({}, "tool_calls" if reply.call else "stop")
    if with_usage:
        yield {**head, "choices": [], "usage": chat_usage(reply.usage)}


# --- responses


def responses_ask(body):
    system, messages = [body.get("instructions") or ""], []
    items = body.get("input")
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items or []:
        if item.get("type") == "function_call_output":
            messages.append(("tool", flat(item.get("output"))))
        elif item.get("role") in ("system", "developer"):
            system.append(flat(item.get("content")))
        elif "role" in item:
            messages.append((item["role"], flat(item.get("content"))))
        else:
            messages.append(("assistant", ""))
    tools = {tool["name"]: tool.get("parameters") for tool in body.get("tools") or [] if tool.get("type") == "function"}
    schema = ((body.get("text") or {}).get("format") or {}).get("schema")
    called = [item["name"] for item in items if item.get("type") == "function_call"] if isinstance(items, list) else []
    return answers.Ask(body["model"], "\n".join(system), messages, tools, schema, bool(body.get("stream")), called)


def response_items(reply):
    thought = {"type": "summary_text", "text": answers.REASONING}
    items = (
        [{"id": "rs_fake1", "type": "reasoning", "summary": [thought]}]
        if reply.model.startswith(("gpt-5", "o"))
        else []
    )
    if reply.call:
        call_id, name, arguments = reply.call
        text = json.dumps(arguments, ensure_ascii=False)
        call = {
            "id": "fc_fake1",
            "type": "function_call",
            "status": "completed",
            "arguments": text,
            "call_id": call_id,
            "name": name,
        }
        return [*items, call]
    content = [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]
    return [
        *items,
        {"id": "msg_fake1", "type": "message", "status": "completed", "role": "assistant", "content": content},
    ]


def response(reply, body, is_done=True):
    usage = {
        "input_tokens": reply.usage.input,
        "input_tokens_details": {"cached_tokens": reply.usage.cached, "cache_write_tokens": reply.usage.written},
        "output_tokens": reply.usage.output,
        "output_tokens_details": {"reasoning_tokens": reply.usage.reasoning},
        "total_tokens": reply.usage.total,
    }
    return {
        "id": f"resp_fake{reply.number}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed" if is_done else "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": DATED.get(reply.model, reply.model),
        "output": response_items(reply) if is_done else [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "temperature": 1.0,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "text": body.get("text") or {"format": {"type": "text"}},
        "truncation": "disabled",
        "usage": usage if is_done else None,
    }


def response_stream(reply, body):
    """Pairs of an event's name and its data."""
    count = 0

    def event(kind, **members):
        nonlocal count
        count += 1
        return kind, {"type": kind, "sequence_number": count - 1, **members}

    yield event("response.created", response=response(reply, body, False))
    yield event("response.in_progress", response=response(reply, body, False))
    for index, item in enumerate(response_items(reply)):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            begun = {**item, "status": "in_progress", "content": []}
            yield event("response.output_item.added", output_index=index, item=begun)
            empty = {**item["content"][0], "text": ""}
            yield event("response.content_part.added", **place, content_index=0, part=empty)
            for piece in reply.chunks():
                yield event("response.output_text.delta", **place, content_index=0, delta=piece, logprobs=[])
            yield event("response.output_text.done", **place, content_index=0, text=reply.text, logprobs=[])
            yield event("response.content_part.done", **place, content_index=0, part=item["content"][0])
        elif item["type"] == "function_call":
            begun = {**item, "status": "in_progress", "arguments": ""}
            yield event("response.output_item.added", output_index=index, item=begun)
            yield event("response.function_call_arguments.delta", **place, delta=item["arguments"])
            yield event(
                "response.function_call_arguments.done", **place, arguments=item["arguments"], name=item["name"]
            )
        else:
            yield event("response.output_item.added", output_index=index, item={**item, "summary": []})
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=response(reply, body))


# --- embeddings


def embeddings(body):
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = []
    for index, text in enumerate(texts):
        numbers = answers.vector(str(text))
        data.append({"object": "embedding", "index": index, "embedding": encoded(numbers, body)})
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def encoded(numbers, body):
    if body.get("encoding_format") != "base64":
        return numbers
    import base64
    import struct

    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()

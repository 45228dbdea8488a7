"""Ollama (`/api/chat`) and Cohere (`/v2/chat`)."""

import json

from . import answers
from .openai import chat_ask, chat_calls


def ask(body):
    return chat_ask(body)


def frame(reply, text, is_done):
    message = {"role": "assistant", "content": text}
    if reply.call:
        message["tool_calls"] = [{"function": {"name": reply.call[1], "arguments": reply.call[2]}}]
    head = {"model": reply.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": is_done}
    if is_done:
        counts = {"prompt_eval_count": reply.usage.input, "eval_count": reply.usage.output}
        head.update(
            done_reason="stop", total_duration=9, load_duration=1, prompt_eval_duration=3, eval_duration=5, **counts
        )
    return head


def stream(reply):
    pieces = [""] if reply.call else reply.chunks()
    for index, piece in enumerate(pieces):
        yield frame(reply, piece, index == len(pieces) - 1)


def embeddings(body):
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return {"model": body["model"], "embeddings": [answers.vector(text) for text in texts], "prompt_eval_count": 8}


def cohere(reply):
    message = {"role": "assistant", "content": [{"type": "text", "text": reply.text}]}
    if reply.call:
        message = {"role": "assistant", "tool_plan": "Let me look that up.", "tool_calls": chat_calls(reply)}
    tokens = {"input_tokens": reply.usage.input, "output_tokens": reply.usage.output}
    reason = "TOOL_CALL" if reply.call else "COMPLETE"
    return {
        "id": "fake",
        "finish_reason": reason,
        "message": message,
        "usage": {"billed_units": tokens, "tokens": tokens},
    }


def lines(frames):
    return (json.dumps(frame, ensure_ascii=False) + "\n" for frame in frames)

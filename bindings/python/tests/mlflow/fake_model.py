"""A model server for tests and examples: OpenAI's protocol, on this machine, and the same answer every time.

`python fake_model.py 8099` serves `http://127.0.0.1:8099/v1`. Its "model" is a few rules over words:

* a question is answered with the sentence of the conversation that shares the most words with it, else "I do not
  know.";
* where tools are offered and the question has a number, the first tool is called with the number, and what the tool
  says is then the answer;
* a judge's prompt, which asks for JSON, is judged: of texts that the answer must say, `say "days"`, of a claim by the
  words of its document, else of a question by the words of its answer;
* the embedding of a text counts its words, so that texts with the same words are near each other.

Tokens are words.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

UNKNOWN = "I do not know."
DIMENSIONS = 256


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return re.findall(r"[a-z0-9]+", text.lower())


# These say nothing about what a text is about.
SMALL = {
    *words("a an and are as at be by can do does for how i if in is it long me my"),
    *words("of on or our take takes the to what you"),
}


def topic(text: str) -> set[str]:
    """The words that say what a text is about; one and many of a thing are the same word."""
    return {word.removesuffix("s") for word in words(text)} - SMALL


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [part.strip() for part in re.split(r"(?<=[.?!])\s+|\n", text) if part.strip()]


def answer(messages: list[dict[str, Any]]) -> str:
    """The sentence that answers the last question, from everything said before it."""
    if messages[-1]["role"] == "tool":
        return str(messages[-1]["content"])
    question = sentences(messages[-1]["content"])[-1]
    known = "\n".join(message.get("content") or "" for message in messages if message["role"] != "assistant")
    told = [one for one in sentences(known) if not one.endswith(("?", ":"))]
    best = max(told, key=lambda one: len(topic(one) & topic(question)), default=UNKNOWN)
    return best if topic(best) & topic(question) else UNKNOWN


def tool_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """The call of a tool that comes before an answer: a judge looks at the trace, others at what the number means."""
    last = body["messages"][-1]
    if not body.get("tools") or last["role"] == "tool":
        return None
    functions = {tool["function"]["name"]: tool["function"] for tool in body["tools"]}
    if "list_spans" in functions:
        return _call("list_spans", {})
    number = re.search(r"\d+", last["content"])
    if number is None:
        return None
    name, function = next(iter(functions.items()))
    return _call(name, {key: int(number[0]) for key in function["parameters"]["required"]})


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call_{name}", "type": "function", "function": function}


def verdict(messages: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether what a judge is asked about holds, and why."""
    asked = str(messages[0]["content"])
    given = "\n".join(str(message.get("content")) for message in messages[1:])
    must = re.findall(r'\bsays? "([^"]+)"', asked)
    parts = {name: "\n".join(_tagged(asked, name)) for name in ("claim", "document", "question", "answer", "response")}
    if must:
        missing = [one for one in must if one.lower() not in (given or parts["response"]).lower()]
    elif parts["claim"]:
        # The claim of some prompts is a question and its answer; the answer is what is claimed.
        claim = parts["answer"] or parts["claim"]
        missing = sorted(topic(claim) - topic(parts["document"]))
    else:
        shared = topic(parts["question"]) & topic(parts["answer"] + parts["document"])
        missing = [] if shared else ["the subject of the question"]
    reason = f"missing: {', '.join(missing)}" if missing else "nothing is missing"
    return not missing, f"Let's think step by step. I looked word by word, and {reason}."


def _tagged(text: str, name: str) -> list[str]:
    return re.findall(rf"<{name}>(.*?)</{name}>", text, flags=re.DOTALL)


def judgement(body: dict[str, Any]) -> str:
    """The JSON that a judge answers, with a result of the type that the prompt's schema says."""
    holds, rationale = verdict(body["messages"])
    wanted = body["response_format"]["json_schema"]["schema"]["properties"]["result"]
    results: dict[str, Any] = {"boolean": holds, "integer": int(holds), "number": float(holds)}
    yes, no = wanted.get("enum", ["yes", "no"])[:2]
    return json.dumps({"rationale": rationale, "result": results.get(wanted["type"], yes if holds else no)})


def message(body: dict[str, Any]) -> dict[str, Any]:
    """The assistant's message."""
    if call := tool_call(body):
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    is_judge = (body.get("response_format") or {}).get("type") == "json_schema"
    return {"role": "assistant", "content": judgement(body) if is_judge else answer(body["messages"])}


def usage(body: dict[str, Any], said: dict[str, Any]) -> dict[str, int]:
    """Tokens: the words that were read and those that were said."""
    read = sum(len(words(one.get("content") or "")) for one in body["messages"])
    wrote = len(words(said["content"] or said["tool_calls"][0]["function"]["arguments"]))
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to `chat/completions`."""
    said = message(body)
    reason = "tool_calls" if "tool_calls" in said else "stop"
    return {
        **_head(body, "chat.completion"),
        "choices": [{"index": 0, "message": said, "finish_reason": reason}],
        "usage": usage(body, said),
    }


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    number = zlib.crc32(json.dumps(body["messages"]).encode())
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1_700_000_000, "model": body["model"]}


def chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer in pieces: a word each, or a tool's name and then its arguments; tokens last, where asked for."""
    said = message(body)
    head = _head(body, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None}

    yield chunk({"role": "assistant", "content": None if "tool_calls" in said else ""})
    for call in said.get("tool_calls", []):
        arguments = call["function"].pop("arguments")
        yield chunk({"tool_calls": [{"index": 0, **call, "function": {**call["function"], "arguments": ""}}]})
        for part in re.findall(r"\S+\s*", arguments):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        call["function"]["arguments"] = arguments
    for part in re.findall(r"\S+\s*", said["content"] or ""):
        yield chunk({"content": part})
    yield chunk({}, "tool_calls" if "tool_calls" in said else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(body, said)}


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to `embeddings`."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": at, "embedding": vector(text)} for at, text in enumerate(texts)]
    count = sum(len(words(text)) for text in texts)
    used = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "model": body["model"], "data": data, "usage": used}


def vector(text: str) -> list[float]:
    """How often each word of a topic is there, at the word's own place, in length one."""
    counts = [0.0] * DIMENSIONS
    for word in topic(text):
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    length = sum(count * count for count in counts) ** 0.5
    return [count / length for count in counts] if length else counts


def reply(path: str, body: dict[str, Any]) -> tuple[str, str]:
    """The kind and the text of the answer to a request."""
    if path == "/v1/embeddings":
        return "application/json", json.dumps(embeddings(body))
    if path != "/v1/chat/completions":
        raise ValueError(f"there is no {path}")
    if body.get("stream"):
        return "text/event-stream", "".join(f"data: {json.dumps(one)}\n\n" for one in chunks(body)) + "data: [DONE]\n\n"
    return "application/json", json.dumps(completion(body))


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeModel

    def do_POST(self) -> None:
        """Answers a call of the protocol."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        try:
            kind, text = reply(self.path, body)
        except Exception as error:
            # A client tries again after other errors, and after none.
            self._send(400, "application/json", json.dumps({"error": {"message": repr(error)}}))
        else:
            self._send(200, kind, text)

    def _send(self, status: int, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class FakeModel(ThreadingHTTPServer):
    """The server, at a free port where none is given; it keeps what it was asked in `requests`."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """What `OPENAI_BASE_URL` is to be."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> FakeModel:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


if __name__ == "__main__":
    server = FakeModel(int(sys.argv[1]))
    print(f"export OPENAI_BASE_URL={server.url} OPENAI_API_KEY=none", flush=True)
    server.serve_forever()

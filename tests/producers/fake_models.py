"""A local server that speaks like the models of several vendors and always answers the same.

    python fake_models.py [--port 0] [--seconds 600]

Standard library only; it listens on 127.0.0.1 and stops by itself. The first line it prints is its address.
What it says is in `fake/answers.py`; how each vendor writes it in the other modules of `fake/`.
"""

import argparse
import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from fake import anthropic, answers, bedrock, gemini, ollama, openai

SECONDS_MAX = 3600


class Models(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        listed = [
            {"id": name, "object": "model", "created": openai.CREATED, "owned_by": "fake"} for name in openai.DATED
        ]
        self.send_json({"object": "list", "data": listed, "models": []})

    def do_POST(self):
        body = json.loads(self.body() or b"{}")
        path = unquote(urlsplit(self.path).path)
        for pattern, handle in ROUTES:
            if found := re.search(pattern, path):
                handle(self, body, *found.groups())
                return
        self.send_json({"error": {"message": f"no such path: {path}"}}, 404)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b"".join(iter(self.chunk, b""))
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    # --- vendors

    def openai_chat(self, body):
        reply = answers.answer(openai.chat_ask(body))
        if reply.error:
            self.send_json(openai.error(*reply.error), reply.error[0])
        elif body.get("stream"):
            with_usage = (body.get("stream_options") or {}).get("include_usage", False)
            self.send_events([(None, chunk) for chunk in openai.chat_stream(reply, with_usage)], "[DONE]")
        else:
            self.send_json(openai.chat(reply))

    def openai_responses(self, body):
        reply = answers.answer(openai.responses_ask(body))
        if reply.error:
            self.send_json(openai.error(*reply.error), reply.error[0])
        elif body.get("stream"):
            self.send_events(openai.response_stream(reply, body))
        else:
            self.send_json(openai.response(reply, body))

    def openai_embeddings(self, body):
        self.send_json(openai.embeddings(body))

    def anthropic_messages(self, body):
        reply = answers.answer(anthropic.ask(body))
        if reply.error:
            self.send_json(anthropic.error(*reply.error), reply.error[0])
        elif body.get("stream"):
            self.send_events(anthropic.stream(reply, body))
        else:
            self.send_json(anthropic.message(reply, body))

    def anthropic_count(self, body):
        self.send_json({"input_tokens": 120})

    def gemini_generate(self, body, model, verb):
        reply = answers.answer(gemini.ask(body, model))
        if reply.error:
            self.send_json(gemini.error(*reply.error), reply.error[0])
        elif verb == "streamGenerateContent":
            self.send_events([(None, frame) for frame in gemini.stream(reply)])
        else:
            self.send_json(gemini.frame(reply, gemini.parts(reply)))

    def gemini_embed(self, body, _model, _verb):
        self.send_json(gemini.embeddings(body))

    def bedrock_converse(self, body, model, verb):
        reply = answers.answer(bedrock.ask(body, model))
        if reply.error:
            kind = "ThrottlingException" if reply.error[0] == 429 else "ValidationException"
            self.send_json(bedrock.error(*reply.error), reply.error[0], {"x-amzn-ErrorType": kind})
        elif verb == "converse-stream":
            self.send_parts(bedrock.converse_stream(reply), "application/vnd.amazon.eventstream")
        else:
            self.send_json(bedrock.converse(reply))

    def bedrock_invoke(self, body, model):
        reply = answers.answer(anthropic.ask({**body, "model": model}))
        counts = {"X-Amzn-Bedrock-Input-Token-Count": "120", "X-Amzn-Bedrock-Output-Token-Count": "30"}
        self.send_json(anthropic.message(reply, body), 200, counts)

    def ollama_chat(self, body):
        reply = answers.answer(ollama.ask(body))
        if body.get("stream", True):
            self.send_parts((line.encode() for line in ollama.lines(ollama.stream(reply))), "application/x-ndjson")
        else:
            self.send_json(ollama.frame(reply, reply.text, True))

    def ollama_embed(self, body):
        self.send_json(ollama.embeddings(body))

    def cohere_chat(self, body):
        self.send_json(ollama.cohere(answers.answer(ollama.ask(body))))

    # --- wire

    def send_json(self, document, status=200, headers=()):
        data = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "x-request-id": "req_fake", **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_events(self, events, last=None):
        """Server-sent events."""

        def lines():
            for name, data in events:
                head = f"event: {name}\n" if name else ""
                yield f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
            if last:
                yield f"data: {last}\n\n".encode()

        self.send_parts(lines(), "text/event-stream")

    def send_parts(self, parts, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


ROUTES = [
    (r"/chat/completions$", Models.openai_chat),
    (r"/responses$", Models.openai_responses),
    (r"/messages/count_tokens$", Models.anthropic_count),
    (r"/messages$", Models.anthropic_messages),
    (r"/models/([^/:]+):(generateContent|streamGenerateContent)$", Models.gemini_generate),
    (r"/models/([^/:]+):(embedContent|batchEmbedContents)$", Models.gemini_embed),
    (r"/model/([^/]+)/(converse|converse-stream)$", Models.bedrock_converse),
    (r"/model/([^/]+)/invoke$", Models.bedrock_invoke),
    (r"/api/chat$", Models.ollama_chat),
    (r"/api/embed$", Models.ollama_embed),
    (r"/v2/chat$", Models.cohere_chat),
    (r"/embeddings$", Models.openai_embeddings),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up in the middle of an answer is none of our concern."""


def start(port=0, seconds=SECONDS_MAX):
    """Serves in a thread for at most so many seconds; returns the server."""
    server = Server(("127.0.0.1", port), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    timer = threading.Timer(min(seconds, SECONDS_MAX), server.shutdown)
    timer.daemon = True
    timer.start()
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    server = start(options.port, options.seconds)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    threading.Event().wait(options.seconds)


if __name__ == "__main__":
    main()

"""A local OTLP/HTTP receiver that writes down what producers send.

Takes traces, logs and metrics (`.../v1/traces`, `.../v1/logs`, `.../v1/metrics`) as protobuf or JSON, plain or
gzip, and writes two forms of the same, both scrubbed: lines of OTLP/JSON (hex ids, enums as numbers), and the
protobuf messages, each preceded by its length (four bytes, big-endian, as the Collector's file exporter has it).
JSON that is sent to other paths, such as the OpenAI Agents SDK's own export, is kept as it is (`others`), scrubbed
too, and answered `{}`. Needs the package `opentelemetry-proto`.

What is scrubbed, and how: nothing is dropped, values are replaced, so that a recording has all keys.
  * attributes of the machine and the process (`SCRUBBED_PREFIXES`, `SCRUBBED_KEYS`): text becomes "scrubbed",
    numbers become 0;
  * in every text: folders of the environment and of this checkout become `/venv` and `/app`, other folders of the
    machine `/home/user`; the names of the machine, its kernel and the user become `host`, `kernel` and `user`.
"""

import base64
import getpass
import gzip
import json
import platform
import re
import socket
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SIGNALS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}
SCRUBBED_PREFIXES = ("process.", "host.", "os.", "container.", "k8s.", "cloud.")
# The last two hold texts of a product that is not ours.
SCRUBBED_KEYS = ("os_platform", "os_release", "system_prompt_preview", "system_reminders")
ID_FIELDS = ("traceId", "spanId", "parentSpanId")
HERE = Path(__file__).resolve()


def replacements():
    """Patterns of what names this machine, with what stands for it."""
    found = [
        (r"(/[\w.@+-]+)+/lib/python[\d.]+/site-packages", "/venv/site-packages"),
        (r"(/[\w.@+-]+)+/node_modules", "/venv/node_modules"),
        (r"(/[\w.@+-]+)+/lib/python[\d.]+", "/usr/lib/python"),
        (re.escape(str(HERE.parents[2])), "/app"),
        (r"/(root|home/\w+|tmp)(/[\w.@+-]+)+", "/home/user"),
    ]
    for name, stands in ((socket.gethostname(), "host"), (platform.release(), "kernel"), (getpass.getuser(), "user")):
        # A short or common word would change texts that have nothing to do with the machine.
        if len(name) > 4 and name not in ("localhost",):
            found.append((rf"\b{re.escape(name)}\b", stands))
    return [(re.compile(pattern), stands) for pattern, stands in found]


REPLACEMENTS = replacements()


def scrubbed(text):
    for pattern, stands in REPLACEMENTS:
        text = pattern.sub(stands, text)
    return text


def scrub(node):
    """Scrubs all texts of a message in OTLP/JSON, in place."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and key not in ID_FIELDS:
                node[key] = scrubbed(value)
            elif key == "attributes":
                scrub_attributes(value)
                scrub(value)
            else:
                scrub(value)
    elif isinstance(node, list):
        for item in node:
            scrub(item)


def scrub_attributes(attributes):
    for attribute in attributes if isinstance(attributes, list) else []:
        if attribute["key"].startswith(SCRUBBED_PREFIXES) or attribute["key"] in SCRUBBED_KEYS:
            kind = next(iter(attribute["value"]), "stringValue")
            plain = {"intValue": "0", "doubleValue": 0.0, "boolValue": False}.get(kind, "scrubbed")
            name = kind if kind in ("intValue", "doubleValue", "boolValue") else "stringValue"
            attribute["value"] = {name: plain}


def turn_ids(node, turn):
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ID_FIELDS and isinstance(value, str):
                node[key] = turn(value)
            else:
                turn_ids(value, turn)
    elif isinstance(node, list):
        for item in node:
            turn_ids(item, turn)


def to_hex(text):
    return base64.b64decode(text).hex()


def to_base64(text):
    return base64.b64encode(bytes.fromhex(text)).decode()


def to_json(message):
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    turn_ids(document, to_hex)
    return document


def from_json(document, kind):
    turn_ids(document, to_base64)
    return json_format.ParseDict(document, kind(), ignore_unknown_fields=True)


class Recording:
    """What one producer sent, in the order of arrival."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lines = []
        self.messages = []

    def add(self, message):
        document = to_json(message)
        scrub(document)
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        clean = from_json(json.loads(line), type(message)).SerializeToString()
        with self.lock:
            self.lines.append(line)
            self.messages.append(struct.pack(">I", len(clean)) + clean)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        # Asked by Logfire for the project a token belongs to.
        self.send(b'{"project_name":"project","project_url":"http://127.0.0.1/project"}', "application/json")

    def do_POST(self):
        body = self.read_body()
        path = self.path.split("?")[0].rstrip("/")
        kind = next((kind for end, kind in SIGNALS.items() if path.endswith(end)), None)
        if kind is None:
            self.keep_other(path, body)
            self.send(b"{}", "application/json")
            return
        is_json = "json" in self.headers.get("Content-Type", "")
        message = from_json(json.loads(body), kind) if is_json else kind.FromString(body)
        self.server.recording.add(message)
        self.send(b"{}" if is_json else b"", "application/json" if is_json else "application/x-protobuf")

    do_PUT = do_PATCH = do_POST

    def keep_other(self, path, body):
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        scrub(document)
        self.server.others.append((path, document))

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self.read_chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            return gzip.decompress(body)
        return zlib.decompress(body) if encoding == "deflate" else body

    def read_chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def send(self, data, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def start(port=0):
    """Serves in a thread; `recording` of the server holds what came, `others` all else."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.daemon_threads = True
    server.recording = Recording()
    server.others = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server

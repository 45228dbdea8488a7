"""Load on `tracehouse serve`: CPU per span beside an import of the same requests, and how long an acknowledgement takes.

    python benches/server/load.py TRACEHOUSE OTLP.jsonl [--spans 512] [--connections 4] [--rounds 3]

The requests are those of the file, put together to so many spans each, as exporters send them. Ways in: the file itself
imported (protobuf with lengths, and JSON lines), HTTP with protobuf and with JSON, gRPC. The CPU time is that of the
whole process, sealing and indexing at its end included. Ways take turns, so that a noisy machine is noisy for all.
Needs `opentelemetry-proto`, and `grpcio` for gRPC.
"""

import argparse
import base64
import http.client
import json
import os
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = ("traceId", "spanId", "parentSpanId")


def protobuf_of(request):
    """The message of an OTLP/JSON request; ids are hex in one and bytes in the other."""
    for resource_spans in request["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for part in [span, *span.get("links", [])]:
                    for name in IDS:
                        if name in part:
                            part[name] = base64.b64encode(bytes.fromhex(part[name])).decode()
    return json_format.ParseDict(request, ExportTraceServiceRequest(), ignore_unknown_fields=True).SerializeToString()


def requests_of(path, spans_max):
    """Requests of about `spans_max` spans: their JSON texts, their messages, all spans."""
    texts, messages, resources, count, total = [], [], [], 0, 0
    for line in [*open(path), None]:
        if line is not None:
            request = json.loads(line)
            resources += request["resourceSpans"]
            added = sum(len(s["spans"]) for r in request["resourceSpans"] for s in r["scopeSpans"])
            count, total = count + added, total + added
        if resources and (line is None or count >= spans_max):
            whole = {"resourceSpans": resources}
            texts.append(json.dumps(whole, separators=(",", ":")).encode())
            messages.append(protobuf_of(whole))
            resources, count = [], 0
    return texts, messages, total


class Served:
    """A server as a process."""

    def __init__(self, binary, database):
        command = [binary, "serve", database, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--log-level", "error"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        _, self.http, _, self.grpc = self.process.stdout.readline().split()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            sys.exit("the server failed")


def http_sender(address, content_type):
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port))

    def send(body):
        connection.request("POST", "/v1/traces", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            sys.exit(f"{answer.status}: {said[:500]}")

    return send


def grpc_sender(address):
    import grpc

    channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    return lambda body: call(body, timeout=60)


def send_all(make_sender, bodies, connections, per_second=None):
    """Sends bodies over some connections; how long each answer took, in seconds."""
    took, lock, bodies = [], threading.Lock(), iter(enumerate(bodies))
    started = time.perf_counter()

    def work():
        send = make_sender()
        while True:
            with lock:
                number, body = next(bodies, (None, None))
            if body is None:
                return
            if per_second:
                time.sleep(max(0.0, started + number / per_second - time.perf_counter()))
            begun = time.perf_counter()
            send(body)
            took.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return took, time.perf_counter() - started


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary")
    arguments.add_argument("otlp")
    arguments.add_argument("--spans", type=int, default=512)
    arguments.add_argument("--connections", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    texts, messages, total = requests_of(given.otlp, given.spans)
    print(f"{len(texts)} requests, {total} spans, {sum(map(len, texts)) / 1e6:.0f} MB JSON, {sum(map(len, messages)) / 1e6:.0f} MB protobuf")
    folder = tempfile.mkdtemp(prefix="load")
    files = {"import protobuf": os.path.join(folder, "in.pb"), "import JSON": os.path.join(folder, "in.jsonl")}
    with open(files["import protobuf"], "wb") as file:
        file.writelines(struct.pack(">I", len(message)) + message for message in messages)
    with open(files["import JSON"], "wb") as file:
        file.writelines(text + b"\n" for text in texts)
    ways = {
        "HTTP protobuf": (messages, lambda at: lambda: http_sender(at.http, "application/x-protobuf")),
        "gRPC": (messages, lambda at: lambda: grpc_sender(at.grpc)),
        "HTTP JSON": (texts, lambda at: lambda: http_sender(at.http, "application/json")),
    }
    cpu, rate = {name: [] for name in [*files, *ways]}, {name: [] for name in ways}
    for _ in range(given.rounds):
        for name in cpu:
            database = os.path.join(folder, "load.traces")
            shutil.rmtree(database, ignore_errors=True)
            before = children_cpu()
            if name in files:
                subprocess.run([given.binary, "import", database, files[name]], check=True, capture_output=True)
            else:
                bodies, sender = ways[name]
                served = Served(given.binary, database)
                _, seconds = send_all(sender(served), bodies, given.connections)
                rate[name].append(total / seconds)
                served.stop()
            cpu[name].append(children_cpu() - before)
    for name, seconds in cpu.items():
        base = cpu["import JSON" if "JSON" in name else "import protobuf"]
        ratio = statistics.median(own / other for own, other in zip(seconds, base))
        print(f"{name:16} {statistics.median(seconds) / total * 1e6:7.1f} us CPU a span, {ratio:5.2f} of the import")
    for name, spans_per_second in rate.items():
        half = statistics.median(spans_per_second) / 2
        bodies, sender = ways[name]
        database = os.path.join(folder, "load.traces")
        shutil.rmtree(database, ignore_errors=True)
        served = Served(given.binary, database)
        took, _ = send_all(sender(served), bodies, given.connections, half / (total / len(bodies)))
        served.stop()
        took.sort()
        at = lambda part: took[min(len(took) - 1, int(len(took) * part))] * 1e3
        print(f"{name:16} {2 * half:9.0f} spans/s; at half of it acknowledged in {at(0.5):.1f} ms (median), {at(0.99):.1f} ms (p99)")
    shutil.rmtree(folder)


main()

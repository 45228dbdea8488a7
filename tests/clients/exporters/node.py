"""The application under the SDK for Node, `../node/send.js`, as a process.

`NODE_PATH` names the folder of its packages, of `../node/package-lock.json`; Rust's side of the tests sees to both.
"""

import json
import pathlib
import subprocess

from stored import canonical

SCRIPT = pathlib.Path(__file__).parent.parent / "node" / "send.js"


class Application:
    """One that is ready to work, and waits for the word."""

    def __init__(self, server, way, compression):
        endpoint = f"http://{server.grpc}" if way == "grpc" else server.http
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(["node", SCRIPT, way, compression, endpoint], **pipes, text=True)
        said = self.process.stdout.readline()
        assert said == "ready\n", said + self.process.communicate()[1]

    def work(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        """What it recorded, and what its SDK told as errors."""
        said, errors = self.process.communicate(timeout=300)
        assert (self.process.returncode == 0) == (errors == ""), errors
        return json.loads(said), errors


def recorded_spans(recorded):
    """What a database should have of it: a log record of GenAI is an event of its span."""
    resource = canonical(recorded["resource"])
    spans = {}
    for span in recorded["spans"]:
        of_span = [{**event, "attributes": canonical(event["attributes"])} for event in span["events"]]
        links = [{**link, "attributes": canonical(link["attributes"])} for link in span["links"]]
        nested = {"attributes": canonical(span["attributes"]), "links": links, "events": of_span}
        spans[span["span_id"]] = {**span, **nested, "resource": resource}
    for log in recorded["logs"]:
        span = spans[log["span_id"]]
        assert span["trace_id"] == log["trace_id"]
        attributes = canonical({**log["attributes"], "severity_number": log["severity_number"]})
        span["events"].append({"name": log["name"], "time": log["time"], "attributes": attributes})
    for span in spans.values():
        span["events"].sort(key=canonical)
    return spans

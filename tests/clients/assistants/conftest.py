"""Servers and clients of the MCP tests.

`TRACEHOUSE_SERVER` names the program: `serve DB --http A --grpc A` prints `http ADDR grpc ADDR` first, `mcp DB` speaks on
standard input and output. `TRACEHOUSE` names the command line that imports, `TRACEHOUSE_DATA` the folder of recorded
traces.
"""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

SERVER = os.environ["TRACEHOUSE_SERVER"]
IMPORTER = os.environ["TRACEHOUSE"]
DATA = Path(os.environ["TRACEHOUSE_DATA"])


class Answer:
    """What a tool answered."""

    def __init__(self, result):
        self.is_error = bool(result.is_error)
        [content] = result.content
        self.text = content.text
        self.bytes = len(self.text.encode())
        self.data = result.structured_content
        # Both forms say the same.
        assert json.loads(self.text) == self.data

    def __getitem__(self, name):
        return self.data[name]

    @property
    def message(self):
        assert self.is_error, self.text
        return self.data["error"]["message"]


class Assistant:
    """A client whose calls block."""

    def __init__(self, portal, client):
        self.portal, self.client = portal, client

    def tools(self):
        return {tool.name: tool for tool in self.portal.call(self.client.list_tools).tools}

    def raw(self, name, /, **arguments):
        return self.portal.call(self.client.call_tool, name, arguments)

    def ask(self, name, /, **arguments):
        """An answer that is none of an error, within its bytes."""
        answer = Answer(self.raw(name, **arguments))
        assert not answer.is_error, answer.text
        assert answer.bytes <= arguments.get("max_bytes", 20_000), (name, arguments, answer.bytes)
        return answer

    def refused(self, name, /, **arguments):
        """The message of an error."""
        answer = Answer(self.raw(name, **arguments))
        assert answer.bytes < 2_000
        return answer.message

    def pages(self, name, items, /, **arguments):
        """All items of a list, page by page."""
        token = "page_token" if name == "search_traces" else "offset"
        while True:
            answer = self.ask(name, **arguments)
            yield from answer[items]
            if f"next_{token}" not in answer.data:
                return
            arguments[token] = answer[f"next_{token}"]


@pytest.fixture(scope="session")
def portal():
    with start_blocking_portal() as portal:
        yield portal


def make(folder, *arguments):
    """A database of what is imported. Assessments of traces that are not in it are told, and are no failure here."""
    subprocess.run([IMPORTER, "import", folder, *arguments, "--quiet"], check=False, capture_output=True)
    return folder


def imported(folder, spans, *flags):
    """A database of OTLP spans: dictionaries with what the defaults lack."""
    scope = [{"spans": [otlp(span) for span in spans]}]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "hostile"}}]}
    line = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scope}]})
    file = Path(f"{folder}.jsonl")
    file.write_text(line + "\n")
    subprocess.run([IMPORTER, "import", folder, file, *flags, "--quiet"], check=True)
    return folder


def otlp(span):
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in span.pop("attributes", {}).items()]
    times = {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"}
    return {"name": "step", **times, "attributes": attributes, **span}


@pytest.fixture(scope="session")
def tau(tmp_path_factory):
    """200 recorded runs of an agent, of which some failed."""
    folder = tmp_path_factory.mktemp("tau") / "tau.traces"
    return make(folder, DATA / "tau1_airline_gpt4o.jsonl.gz", "--assessments", DATA / "assessments.jsonl")


class Served:
    """A server of HTTP; stopped at the end."""

    def __init__(self, folder, *flags):
        self.process = subprocess.Popen(
            [SERVER, "serve", folder, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        words = self.process.stdout.readline().split()
        assert words[:1] == ["http"], words
        self.address = words[1]
        self.url = f"http://{self.address}/mcp"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def connected(portal, target, **options):
    return portal.wrap_async_context_manager(Client(target, **options))


@contextmanager
def with_token(portal, url, token):
    """A client that sends a bearer token."""
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
    with connected(portal, streamable_http_client(url, http_client=http)) as client:
        yield Assistant(portal, client)


def stdio(folder, *flags):
    return StdioServerParameters(command=SERVER, args=["mcp", str(folder), *flags])


@pytest.fixture(scope="session")
def tau_server(tau):
    with Served(tau) as served:
        yield served


@pytest.fixture(scope="session", params=["http", "http legacy"])
def analyst(request, portal, tau_server):
    """A client of the recorded runs, by the newest protocol and by the one with a handshake."""
    mode = "legacy" if request.param == "http legacy" else "auto"
    with connected(portal, tau_server.url, mode=mode) as client:
        yield Assistant(portal, client)

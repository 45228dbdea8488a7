"""A server of this very build as a process, and what its database has, asked by the command line beside it.

`TRACEHOUSE` names the binary.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest

from node import Application

BINARY = os.environ["TRACEHOUSE"]


class Server:
    """`tracehouse serve` on free ports."""

    def __init__(self, path, *arguments):
        self.path = str(path)
        ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [BINARY, "serve", self.path, *ports, *arguments], stdout=subprocess.PIPE, text=True
        )
        words = self.process.stdout.readline().split()
        assert words[0::2] == ["http", "grpc"], words
        self.http, self.grpc = f"http://{words[1]}", words[3]

    def rows(self, statement):
        """What a statement says of the database, as dictionaries."""
        done = subprocess.run([BINARY, "sql", self.path, statement, "--json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def figures(self):
        """Its metrics, by name with labels."""
        with urllib.request.urlopen(f"{self.http}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        }

    def until(self, holds):
        """Waits until something holds of its figures, which it has to soon."""
        deadline = time.monotonic() + 60
        while not holds(figures := self.figures()):
            assert time.monotonic() < deadline, figures
            time.sleep(0.02)
        return figures

    def stop(self):
        """Ends it as an operator does; it has to end well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


@pytest.fixture
def start(tmp_path):
    """Starts servers, which end with the test."""
    started = []

    def start(*arguments, path=tmp_path / "served.traces"):
        started.append(Server(path, *arguments))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture
def server(start):
    """A server of an empty database."""
    return start()


@pytest.fixture
def application(server):
    """Starts applications under the SDK for Node, which send to the server and end with the test."""
    started = []

    def start(way, compression):
        started.append(Application(server, way, compression))
        return started[-1]

    yield start
    for application in started:
        if application.process.poll() is None:
            application.process.kill()
            application.process.wait()

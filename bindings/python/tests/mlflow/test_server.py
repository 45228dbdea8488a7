"""`mlflow server` on a database, with its usual four workers, also when the one that writes is killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_owner import owner_of, wait_until


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, uri: str, *, workers: int, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server in a folder, which may not answer yet; `answers` tells when it does."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    with (folder / "server.log").open("w") as log:
        running = subprocess.Popen(
            [*command, "--port", address.rpartition(":")[2], "--workers", str(workers)],
            cwd=folder,
            env={**os.environ, **(settings or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield address
    finally:
        os.killpg(running.pid, 9)
        running.wait()


def answers(address: str) -> bool:
    """Whether the server at an address has started."""
    try:
        return bool(urllib.request.urlopen(f"{address}/health", timeout=5).read())
    except OSError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server on `app.traces`."""
    with serving(tmp_path, "tracehouse:app.traces", workers=4) as address:
        wait_until(lambda: answers(address), "the server starts")
        yield address


CLIENT = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("web")
@mlflow.trace
def answer(number):
    with mlflow.start_span("double", span_type="TOOL") as span:
        span.set_inputs({"number": number})
        span.set_outputs(2 * number)
    return 2 * number
for number in range(10):
    answer(number)
mlflow.flush_trace_async_logging()
traces = mlflow.search_traces(return_type="list")
mlflow.log_feedback(trace_id=traces[0].info.trace_id, name="good", value=True)
judged = mlflow.search_traces(filter_string="feedback.good = 'true'", return_type="list")
print(len(traces), {len(trace.data.spans) for trace in traces}, len(judged))
"""


def test_four_workers_and_the_death_of_the_one_that_writes(server: str, tmp_path: Path) -> None:
    def logged() -> str:
        command = [sys.executable, "-c", CLIENT, server]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
        return done.stdout.strip().splitlines()[-1]

    assert logged() == "10 {2} 1"
    first = owner_of(tmp_path / "app.traces")
    os.kill(first, 9)
    assert logged() == "20 {2} 2"
    assert owner_of(tmp_path / "app.traces") != first

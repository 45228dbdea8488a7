"""Stands, filled with the same and each with a server: Tracehouse, and MLflow's own store on SQLite, the model."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from test_owner import wait_until
from test_server import free_port

FILLING = Path(__file__).with_name("filling.py")
URIS = {"tracehouse": "tracehouse:app.traces", "sqlite": "sqlite:///app.db"}
# Nothing is asked for outside, and jobs do not run: on Tracehouse they never do.
SETTINGS = {
    "LOGNAME": "ada",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS": "200",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@dataclass(frozen=True)
class Stand:
    """A store that is filled and served."""

    folder: Path
    address: str


@contextmanager
def open_stands(folder: Path, names: list[str]) -> Iterator[dict[str, Stand]]:
    """Stands, by name; they are filled at the same time, and served while they are."""
    now_ns = time.time_ns()
    with ExitStack() as stack:
        folders = {name: folder / name for name in names}
        fillings = {name: stack.enter_context(_filling(folders[name], URIS[name], now_ns)) for name in names}
        stands = {}
        for name, filling in fillings.items():
            assert filling.stdout is not None
            assert filling.stdout.readline() == "ready\n", (folders[name] / "filling.log").read_text()
            stands[name] = Stand(folders[name], stack.enter_context(_serving(folders[name], URIS[name])))
        for name, filling in fillings.items():
            filling.communicate()
            assert filling.returncode == 0, (folders[name] / "filling.log").read_text()
        for stand in stands.values():
            wait_until(lambda address=stand.address: _answers(address), f"a server starts in {stand.folder}")
        yield stands


@contextmanager
def _filling(folder: Path, uri: str, now_ns: int) -> Iterator[subprocess.Popen[str]]:
    folder.mkdir()
    command = [sys.executable, str(FILLING), uri, str(now_ns)]
    with (folder / "filling.log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **SETTINGS}, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def _serving(folder: Path, uri: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        running = subprocess.Popen(
            [*command, "--workers", "2"],
            cwd=folder,
            env={**os.environ, **SETTINGS},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(running.pid, 9)
        running.wait()


def _answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{address}/health", timeout=5).read())
    except OSError:
        return False

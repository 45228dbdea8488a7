"""Stands, filled with the same and each with a server: Tracehouse, and MLflow's own store on SQLite, the model."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from test_owner import wait_until
from test_server import answers, serving

FILLING = Path(__file__).with_name("filling.py")
URIS = {"tracehouse": "tracehouse:app.traces", "sqlite": "sqlite:///app.db"}
# Jobs do not run: on Tracehouse they never do. What keeps MLflow off the network is set for all tests.
SETTINGS = {
    "LOGNAME": "ada",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS": "200",
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
            served = serving(folders[name], URIS[name], workers=2, settings=SETTINGS)
            stands[name] = Stand(folders[name], stack.enter_context(served))
        for name, filling in fillings.items():
            filling.communicate()
            assert filling.returncode == 0, (folders[name] / "filling.log").read_text()
        for stand in stands.values():
            wait_until(lambda address=stand.address: answers(address), f"a server starts in {stand.folder}")
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

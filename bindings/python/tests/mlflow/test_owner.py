"""Several processes on one database: one writes, the others ask it; whoever dies, nothing acknowledged is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WORKER = Path(__file__).with_name("owner_worker.py")
WAIT_SECONDS_MAX = 60.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Waits until something holds; fails when it takes too long."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.05)


def owner_of(folder: Path) -> int:
    """The process that has the writer's lock."""
    found = re.search(r"pid (\d+)", (folder / "LOCK").read_text())
    assert found is not None
    return int(found[1])


def test_what_was_acknowledged_is_there_whichever_process_dies(tmp_path: Path) -> None:
    from tracehouse.mlflow.store import TracehouseStore

    folder = tmp_path / "app.traces"
    files = [tmp_path / f"acknowledged{number}" for number in range(3)]
    command = [sys.executable, str(WORKER), f"tracehouse:{folder}"]
    workers = [subprocess.Popen([*command, str(file)]) for file in files]

    def acknowledged() -> list[list[str]]:
        return [file.read_text().split() if file.exists() else [] for file in files]

    try:
        wait_until(lambda: all(len(ids) >= 10 for ids in acknowledged()), "every process logs")
        first = owner_of(folder)
        os.kill(first, 9)
        before = [len(ids) for ids in acknowledged()]
        alive = [number for number, worker in enumerate(workers) if worker.pid != first]
        wait_until(
            lambda: all(len(acknowledged()[number]) >= before[number] + 10 for number in alive),
            "the others go on without the owner",
        )
        assert owner_of(folder) != first
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    store = TracehouseStore(f"tracehouse:{folder}")
    ids = [trace_id for ids in acknowledged() for trace_id in ids]
    found = {trace.info.trace_id: len(trace.data.spans) for trace in store.batch_get_traces(ids)}
    assert found == dict.fromkeys(ids, 3)


def test_a_process_that_only_reads_leaves_the_lock_alone(tmp_path: Path) -> None:
    from tracehouse.mlflow.store import TracehouseStore

    folder = tmp_path / "app.traces"
    store = TracehouseStore(f"tracehouse:{folder}")
    assert store.search_traces() == ([], None)
    code = "import sys, tracehouse; tracehouse.connect(sys.argv[1]).start_trace('t1', 1_000_000)"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=tmp_path)
    # What another process has written since is found.
    assert [info.trace_id for info in store.search_traces()[0]] == ["t1"]
    store.set_trace_tag("t1", "env", "prod")
    assert owner_of(folder) == os.getpid()
    assert store.get_trace_info("t1").tags["env"] == "prod"


def test_a_forked_child_opens_the_database_itself(tmp_path: Path) -> None:
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")
from tracehouse.mlflow.store import TracehouseStore
from mlflow.entities import TraceInfo, TraceLocation, TraceState
store = TracehouseStore(sys.argv[1])
def start(trace_id):
    location = TraceLocation.from_experiment_id("0")
    store.start_trace(TraceInfo(trace_id=trace_id, trace_location=location, request_time=1, state=TraceState.OK))
start("of-parent")
child = os.fork()
if child == 0:
    start("of-child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(sorted(info.trace_id for info in store.search_traces()[0]))
"""
    uri = f"tracehouse:{tmp_path / 'app.traces'}"
    done = subprocess.run([sys.executable, "-c", code, uri], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip().splitlines()[-1] == "['of-child', 'of-parent']"


def test_who_asks_does_not_wait_for_a_child_of_a_dead_owner(tmp_path: Path) -> None:
    code = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
from tracehouse.mlflow.store import TracehouseStore
store = TracehouseStore(sys.argv[1])
store._write("put_assessments", assessments=[])
child = os.fork()
if child == 0:
    time.sleep(120)
    os._exit(0)
print(child, flush=True)
time.sleep(120)
"""
    ask = """
import pathlib, sys
from tracehouse.mlflow._owner import OwnerGoneError, ask
try:
    ask(pathlib.Path(sys.argv[1]), "put_assessments", {"assessments": []})
except OwnerGoneError:
    print("gone")
"""
    folder = tmp_path / "app.traces"
    command = [sys.executable, "-c", code, f"tracehouse:{folder}"]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    asking = [sys.executable, "-c", ask, str(folder)]
    try:
        assert subprocess.run(asking, capture_output=True, text=True, cwd=tmp_path, timeout=60).stdout == ""
        owner.kill()
        owner.wait()
        assert subprocess.run(asking, capture_output=True, text=True, cwd=tmp_path, timeout=60).stdout == "gone\n"
    finally:
        os.kill(child, 9)
        owner.kill()

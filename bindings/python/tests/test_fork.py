"""Processes: a forked child gets an error and never waits; processes of their own read beside a writer."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import sample

import tracehouse

# Where `import sample` finds it, and `import tracehouse` not the sources without the native module.
HERE = Path(__file__).resolve().parent

_FORKED = """
import gc, os, sys, threading
import tracehouse, sample

db = tracehouse.connect({path!r}{options})
db_reader = tracehouse.connect({path!r}, read_only=True)
db.import_otlp(sample.lines(20))
ds = db.create_dataset("d")
begun = db.sql("SELECT value FROM generate_series(1, 10000000) AS t(value)")
begun.fetchone()
stop = threading.Event()
def busy():
    while not stop.is_set():
        db.set_tag(sample.trace_id(1), "k", "v")
thread = threading.Thread(target=busy)
thread.start()
for _ in range(5):
    child = os.fork()
    if child == 0:
        said = []
        for call in (
            lambda: db.count_traces(), lambda: db.start_trace("c"), lambda: db.sql("SELECT 1"), lambda: ds.records(),
            lambda: db_reader.count_traces(), lambda: db.stats(), lambda: db.import_otlp(sample.lines(1)),
        ):
            try:
                call()
            except tracehouse.ClosedError as error:
                said.append("before this process was forked: open it again" in str(error))
        assert said == [True] * 7, said
        # What is open in the parent may be read in the child by a handle of its own.
        with tracehouse.connect({path!r}, read_only=True) as own:
            assert own.count_traces() == 20
        with tracehouse.connect() as own:
            own.start_trace("t")
            assert own.sql("SELECT count(*) FROM traces").fetchone() == (1,)
        try:
            tracehouse.connect({path!r})
        except tracehouse.ConflictError:
            pass
        else:
            sys.exit("a second writer")
        db.close()
        db_reader.close()
        del ds, begun, db, db_reader
        gc.collect()
        sys.exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status
stop.set()
thread.join()
assert db.count_traces() == 20
db.close()
print("done")
"""


@pytest.mark.parametrize("options", ["", ", settings={'threads': 1}"])
def test_a_forked_child_gets_an_error(path: Path, options: str) -> None:
    program = _FORKED.format(path=str(path), options=options)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HERE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_subprocesses_say_nothing(db: tracehouse.Database) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"


def _count(path: str) -> int:
    with tracehouse.connect(path, read_only=True) as db:
        return db.count_traces()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_read_beside_a_writer(path: Path, method: str) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(10))
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(_count, [str(path)] * 4) == [10] * 4
        db.start_trace("t")


def test_threads_of_all_kinds_use_one_database(path: Path) -> None:
    """Thirty-two threads write, read, ask SQL and open it again; `TRACEHOUSE_THREAD_SECONDS` says for how long."""
    seconds = float(os.environ.get("TRACEHOUSE_THREAD_SECONDS", "2"))
    end = time.monotonic() + seconds
    errors: list[BaseException] = []
    written = [0] * 32

    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(50))

        def write(number: int) -> None:
            db.start_trace(f"t-{number}-{written[number]}", state="OK", tags={"by": str(number)})
            written[number] += 1

        def read(number: int) -> None:
            mine = db.count_traces(f"tags.by = '{number - 1}'")
            assert mine >= 0
            page = db.search_traces("state = 'ERROR'", max_results=5)
            assert len(page) == 5
            assert db.get_trace(page[0].trace_id).info.state == "ERROR"

        def ask(number: int) -> None:
            rows = db.sql("SELECT state, count(*) FROM traces GROUP BY state").fetchall()
            assert dict(rows)["ERROR"] == 17
            assert len(db.search_text("refund", limit=3)) == 3

        def again(number: int) -> None:
            with tracehouse.connect(path) as other:
                feedback = other.log_feedback(sample.trace_id(number), "by", number)
                assert other.get_assessment(sample.trace_id(number), feedback.assessment_id).value == number

        def work(number: int) -> None:
            try:
                while time.monotonic() < end:
                    (write, read, ask, again)[number % 4](number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert db.count_traces("state = 'OK'") == sum(written) + 33
    with tracehouse.connect(path) as db:
        assert db.count_traces() == sum(written) + 50

"""Ctrl-C in each kind of call: `KeyboardInterrupt` comes while the work is still going on, and the database goes on.

Each case runs in a process of its own, which gets a SIGINT from outside. The work would take far longer than the test
waits, so that an interrupt that came at its end would be a failure.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

# Where `import sample` finds it, and `import tracehouse` not the sources without the native module.
HERE = Path(__file__).resolve().parent

_PROGRAM = """
import io, sys, time
import tracehouse
import sample

db = tracehouse.connect({path!r})
{setup}

def work():
{work}

print("ready", flush=True)
started = time.monotonic()
try:
    work()
except KeyboardInterrupt:
    print(f"interrupted {{time.monotonic() - started:.3f}}", flush=True)
else:
    print("ended", flush=True)
# What was interrupted left a database that works.
assert db.count_traces() >= 0
db.start_trace("after", state="OK")
assert db.get_trace_info("after").state == "OK"
db.close()
print("closed", flush=True)
"""

_SERIES = "generate_series(1, 10000000) AS a(x), generate_series(1, 10000000) AS b(y)"
_MANY = f"SELECT count(*) FROM {_SERIES} WHERE x < y"
_ROWS = f"SELECT x, y FROM {_SERIES}"
_ENDLESS = """
class Endless(io.RawIOBase):
    number = 0
    def read(self, size=-1):
        self.number += 1
        return sample.lines(1).replace(sample.trace_id(0).encode(), f"{self.number:032x}".encode())
"""

_CASES = {
    "sql": ("", f"db.sql({_MANY!r}).fetchall()"),
    "rows": ("", f"for _ in db.sql({_ROWS!r}): pass"),
    "fetchone": (
        f"r = db.sql({_ROWS!r})",
        "while r.fetchone(): pass",
    ),
    "arrow": ("import pyarrow", f"db.sql({_ROWS!r}).arrow()"),
    "polars": ("import polars", f"db.sql({_ROWS!r}).pl()"),
    "pandas": ("import pandas", f"db.sql({_ROWS!r}).df()"),
    "import": (_ENDLESS, "db.import_otlp(Endless())"),
    "progress": (_ENDLESS, "db.import_otlp(Endless(), progress=lambda done, total: None, batch_lines=1)"),
    "many calls": ("db.start_trace('t')", "while True: db.get_trace('t')"),
    "many writes": ("", "while True: db.start_trace('t')"),
    "iteration": (
        "db.import_otlp(sample.lines(50))",
        "while True:\n    for trace in db.iter_traces(page_size=1): pass",
    ),
    "search": (
        "db.import_otlp(sample.lines(2000, 2000)); pattern = 'trace.text RLIKE ' + repr('(x+x+)+y')",
        "while True: db.count_traces(pattern)",
    ),
    "text": ("db.import_otlp(sample.lines(200))", "while True: db.search_text('refund', limit=200)"),
    "check": ("db.import_otlp(sample.lines(200))", "while True: db.check(deep=True)"),
    "figures": (
        "db.import_otlp(sample.lines(200))",
        "while True: db.sessions(), db.metrics('traces', 'latency'), db.filter_correlation('', \"state = 'OK'\")",
    ),
    "dataset": (
        "db.import_otlp(sample.lines(200)); ds = db.create_dataset('d')",
        "while True: ds.add_traces(), ds.records(), ds.delete_records([r.dataset_record_id for r in ds.records()])",
    ),
    "copies": (
        "import itertools, tempfile; db.import_otlp(sample.lines(200)); folder = tempfile.mkdtemp()",
        "for n in itertools.count(): db.backup(f'{folder}/{n}'), db.export_parquet(f'{folder}/{n}p')",
    ),
    "upkeep": ("", "while True: db.start_trace('t'), db.seal(), db.compact(), db.index_text(), db.settle()"),
    "handler": (
        "import signal\n"
        "def handler(*_):\n"
        "    raise KeyboardInterrupt(db.count_traces())\n"
        "signal.signal(signal.SIGINT, handler)",
        f"db.sql({_MANY!r}).fetchall()",
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_ctrl_c_ends_a_call(case: str, path: Path) -> None:
    setup, work = _CASES[case]
    for module in ("pyarrow", "polars", "pandas"):
        if f"import {module}" in setup:
            importlib.import_module(module)
    program = _PROGRAM.format(path=str(path), setup=setup, work=textwrap.indent(work, "    "))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=HERE) as child:
        try:
            _interrupt(case, child)
        finally:
            child.kill()


def _interrupt(case: str, child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    sent = time.monotonic()
    said = child.stdout.readline()
    took = time.monotonic() - sent
    assert said.startswith("interrupted"), said
    # A fifth of a second is what it takes; this machine may be busy.
    assert took < 5
    print(f"{case}: {took * 1000:.0f} ms")
    assert child.stdout.readline() == "closed\n"
    assert child.wait(30) == 0


def test_other_threads_go_on() -> None:
    """A call does not keep the interpreter: a thread that counts gets on meanwhile."""
    program = """
import threading
import tracehouse
db = tracehouse.connect()
counted = 0
def count():
    global counted
    while not done.is_set():
        counted += 1
done = threading.Event()
threading.Thread(target=count, daemon=True).start()
def ask(results):
    series = "generate_series(1, 1000000)"
    results.append(db.sql(f"SELECT sum(a.x % 7) FROM {series} AS a(x), {series} AS b(y) WHERE x = y").fetchall())
before = counted
ask([])
in_main = counted - before
before, results = counted, []
asking = threading.Thread(target=ask, args=(results,))
asking.start(); asking.join()
in_thread = counted - before
done.set()
assert in_main > 1000 and in_thread > 1000, (in_main, in_thread)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=HERE)

"""What stays: memory and descriptors after many opens, and while a large result is read."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sample

import tracehouse

HERE = Path(__file__).resolve().parent
_OPENS = int(os.environ.get("TRACEHOUSE_OPENS", "150"))


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_opens_leave_nothing(path: Path) -> None:
    with tracehouse.connect(path) as db:
        db.import_otlp(sample.lines(5))

    def once(number: int) -> None:
        with tracehouse.connect(path, settings={"background": number % 2 == 0}) as db:
            assert db.sql("SELECT count(*) FROM traces").fetchall() == [(5,)]
            assert len(db.search_traces("state = 'ERROR'")) == 2
            begun = db.sql("SELECT value FROM generate_series(1, 100000) AS t(value)")
            assert begun.fetchone() == (1,)

    def left() -> tuple[int, int, int]:
        for number in range(_OPENS // 3):
            once(number)
        gc.collect()
        return _rss(), _descriptors(), _threads()

    seen = [left() for _ in range(4)]
    assert max(descriptors for _, descriptors, _ in seen) <= seen[0][1] + 2, seen
    assert max(threads for _, _, threads in seen) <= seen[0][2] + 2, seen
    # A leak grows each time; what allocators keep on a busy machine does not.
    grown = [after - before for (before, _, _), (after, _, _) in itertools.pairwise(seen)]
    assert min(grown) < 4 << 20, seen


_LARGE = """
import resource, sys
import tracehouse
rows = int(sys.argv[2])
statement = f"SELECT value AS n, repeat('x', 1000) AS text FROM generate_series(1, {rows}) AS t(value)"
with tracehouse.connect() as db:
    count = 0
    if sys.argv[1] == "rows":
        for row in db.sql(statement):
            count += 1
    else:
        import pyarrow
        for batch in pyarrow.RecordBatchReader.from_stream(db.sql(statement)):
            count += batch.num_rows
    assert count == rows, count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("way", ["rows", "arrow"])
def test_memory_does_not_grow_with_a_result(way: str) -> None:
    def peak_kb(rows: int) -> int:
        command = [sys.executable, "-c", _LARGE, way, str(rows)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=HERE).stdout)

    # 100 MB of rows, and 800 MB.
    small, large = peak_kb(100_000), peak_kb(800_000)
    assert large < small + (64 << 10), (small, large)

"""How long Ctrl-C takes: interrupts.py BINARY DATABASE [TIMES [TRACES]]. For each kind of long work, SIGINT is sent that many times
(20), each at another moment of it, and the median and the longest time until the process has ended are printed, with how it ended.

DATABASE wants some tens of thousands of spans, so that nothing is done before the signal comes: what ended by itself is
counted and not measured. It is copied where a command writes. TRACES is a file of as many to import, without which imports
that read are left out. Run by hand: a time is a figure and no test."""

import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BINARY, DATABASE = sys.argv[1:3]
TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else 20
TRACES = sys.argv[4] if len(sys.argv) > 4 else None
# When the signal comes, after the start.
EARLIEST_SECONDS, LATEST_SECONDS = 0.15, 0.9

CROSS = "spans a CROSS JOIN spans b"
LONG = {
    "sql scan": ["sql", "{db}", f"SELECT count(*) FROM {CROSS} WHERE a.duration_ns + b.duration_ns = 3"],
    "sql join": ["sql", "{db}", "SELECT count(*) FROM spans a JOIN spans b ON a.kind = b.kind JOIN spans c ON b.kind = c.kind"],
    "sql sort": ["sql", "{db}", f"SELECT a.name, b.inputs FROM {CROSS} ORDER BY a.name || b.name LIMIT 5"],
    "sql LIKE": ["sql", "{db}", f"SELECT count(*) FROM {CROSS} WHERE a.inputs || b.name LIKE '%a_b%c_d%' AND a.outputs NOT LIKE '%x_y%z%'"],
    "sql SUMMARIZE": ["sql", "{db}", f"SUMMARIZE SELECT a.* FROM {CROSS}"],
    "search RLIKE": ["search", "{db}", "trace.text RLIKE '(a|b|c)+d.*e(f|g)+h[^i]*jkl' AND NOT trace.text RLIKE 'x.*y.*z.*w'", "--explain", "--analyze"],
    "text": ["text", "{db}", "a* OR b* OR c* OR d* OR e* OR the* OR s* OR t*", "--limit", "100000"],
    "dataset add": ["dataset", "add", "{copy}", "d", "--where", ""],
    "import -": ["import", "{new}", "-"],
    **({"import FILE": ["import", "{new}", TRACES], "import - <FILE": ["import", "{new}", "-"]} if TRACES else {}),
    "backup": ["backup", "{db}", "{new}"],
    "export": ["export", "{db}", "{new}"],
}


def once(kind, arguments, folder):
    """Seconds from the signal to the end, and the exit code; the former None when it had ended before."""
    copy, new = folder / "copy.traces", folder / "new"
    for path in (copy, new):
        shutil.rmtree(path, ignore_errors=True)
    if "{copy}" in arguments:
        shutil.copytree(DATABASE, copy)
        subprocess.run([BINARY, "dataset", "create", copy, "d"], check=True, capture_output=True)
    words = [word.format(db=DATABASE, copy=copy, new=new) for word in arguments]
    given = open(TRACES) if kind.endswith("<FILE") else subprocess.PIPE
    process = subprocess.Popen([BINARY, *words], stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(random.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
        return None, process.returncode, new.exists()
    except subprocess.TimeoutExpired:
        pass
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = process.wait()
    return time.monotonic() - sent, code, new.exists()


def main():
    # Started in the background this process ignores the signal, and what it starts would as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(f"{'':14} {'median':>8} {'longest':>8}  measured, ended before the signal, exit codes")
    with tempfile.TemporaryDirectory() as folder:
        for kind, arguments in LONG.items():
            done = [once(kind, arguments, Path(folder)) for _ in range(TIMES)]
            times = [seconds for seconds, _, _ in done if seconds is not None]
            codes = sorted({code for seconds, code, _ in done if seconds is not None})
            left = sum(there and code != 0 for seconds, code, there in done if seconds is not None)
            shown = [f"{statistics.median(times):8.3f}", f"{max(times):8.3f}"] if times else ["        "] * 2
            print(f"{kind:14} {' '.join(shown)}  {len(times)}, {len(done) - len(times)}, {codes}; left behind {left}", flush=True)


main()

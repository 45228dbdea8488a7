"""A running `tracehouse serve` in the receiver's place, and what its database has, compared with `filled.txt`.

`run.py --serve` starts one for each producer, with a database of its own. When the driver is done the server is asked to
end, as an operator does; then the database is read by the command line beside it, in the form that `filled.txt` has. For
the comparison what differs from run to run is the same: ids (`_287b9f27`), ports, seconds, and the order of spans that
overlap. Folders of the machine are called as in the recordings.
"""

import json
import re
import signal
import subprocess
from collections import Counter
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The longest text of a cell, as in `tests/producers.rs`.
CELL_CHARS_MAX = 48
END_SECONDS_MAX = 120
# Ids (cut short where the cell ends), ports of the fake models, and how long something took.
OF_A_RUN = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]*)*|(?<=_)[0-9a-f]{5,}|(?<=127\.0\.0\.1:)\d+|\d+\.\d+(?=s\b)")

TRACES = (
    "SELECT name, state, session_id, user_id, request_preview, response_preview FROM traces ORDER BY request_time, trace_id"
)
# What a producer reports as its cost, and none that is computed.
SPANS = (
    "SELECT span_type, name, model, provider, input_tokens, output_tokens, cache_read_input_tokens,"
    " cache_creation_input_tokens, CASE WHEN cost_source = 'reported' THEN cost_usd END AS cost, tool_name, inputs, outputs"
    " FROM spans ORDER BY start_time, name, span_id"
)


class Server:
    """`tracehouse serve` on free ports."""

    def __init__(self, binary, database):
        self.binary, self.database = str(binary), str(database)
        # What it says of itself goes to a file: a pipe that nobody reads would fill.
        self.log = Path(f"{database}.log")
        ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", self.database, *ports], stdout=subprocess.PIPE, stderr=log, text=True
            )
        words = self.process.stdout.readline().split()
        if words[0::2] != ["http", "grpc"]:
            self.process.kill()
            raise SystemExit(f"{self.binary} does not serve {self.database}: {self.log.read_text()}")
        self.http, self.grpc = (f"http://{address}" for address in words[1::2])

    def stop(self):
        """Ends it; returns its exit code, 0 when it ended well."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def requests(self):
        """How many requests there were of each path and status (`200`; of gRPC `Ok`)."""
        counts = Counter()
        for line in self.log.read_text().splitlines():
            told = json.loads(line)
            if "path" in told:
                counts[f"{told['method']} {told['path']} {told['status']}"] += 1
        return counts


def rows(binary, database, statement):
    """What a statement says of a database, as dictionaries."""
    asked = [str(binary), "sql", str(database), statement, "--format", "jsonl"]
    done = subprocess.run(asked, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{database}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def filled(binary, database):
    """What is filled of a database, in the lines of `filled.txt`."""
    traces = [f"trace | {line(row)}" for row in rows(binary, database, TRACES)]
    return traces + [f"  {line(row)}" for row in rows(binary, database, SPANS)]


def line(row):
    return " | ".join(map(cell, row.values()))


def cell(value):
    from receiver import scrubbed

    if value is None:
        return "-"
    if isinstance(value, str):
        return re.sub(r"[\n|]", " ", scrubbed(value)[:CELL_CHARS_MAX])
    if isinstance(value, float):
        # Without an exponent, as the test has it.
        return format(Decimal(repr(value)), "f")
    return json.dumps(value)


def filled_by_import(name):
    """The lines of a producer in `filled.txt`: what an import of its recording fills."""
    sections = re.split(r"^# (.*)\n", (HERE / "filled.txt").read_text(), flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2]))[name].splitlines()


def differences(served, imported):
    """Lines that only one of the two has: `+` the server's database, `-` `filled.txt`."""
    served, imported = (Counter(OF_A_RUN.sub("#", each) for each in lines) for lines in (served, imported))
    only_served, only_imported = served - imported, imported - served
    return [f"+ {each}" for each in only_served.elements()] + [f"- {each}" for each in only_imported.elements()]

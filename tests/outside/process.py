"""Processes of the command line: run, watched while they report progress, killed, read beside."""

import json
import os
import signal
import subprocess
import threading
import time


class Difference(Exception):
    """The program and the model do not agree."""


class Outcome:
    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Difference(f"{self}: no JSON: {error}") from error

    def __str__(self):
        return f"{self.arguments} gave {self.code}\n  out: {self.out[:600]!r}\n  err: {self.err[:900]!r}"


class Binary:
    """The binary under test."""

    TIMEOUT_SECONDS = 300

    def __init__(self, path, nice=None):
        self.path, self.runs = path, 0

    def start(self, arguments):
        self.runs += 1
        pipe = subprocess.PIPE
        return subprocess.Popen([self.path, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments, expect=(0,)):
        child = self.start(arguments)
        try:
            out, err = child.communicate(timeout=self.TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Difference(f"{arguments}: not done after {self.TIMEOUT_SECONDS} s") from None
        outcome = Outcome(arguments, child.returncode, out, err)
        if expect is not None and outcome.code not in expect:
            raise Difference(f"{outcome}\n  expected exit code {expect}")
        if "panicked" in err or "RUST_BACKTRACE" in err:
            raise Difference(f"{outcome}\n  a panic")
        return outcome


class Watched:
    """A process whose progress is read while it runs."""

    def __init__(self, binary, arguments):
        self.arguments, self.acknowledged, self.errors = arguments, 0, []
        self.changed = threading.Condition()
        self.child = binary.start(arguments)
        self.out = []
        self.threads = [threading.Thread(target=self.read_errors), threading.Thread(target=self.read_output)]
        for thread in self.threads:
            thread.start()

    def read_errors(self):
        for line in self.child.stderr:
            if line.startswith('{"acked_lines":') and line.endswith("}\n"):
                with self.changed:
                    self.acknowledged = json.loads(line)["acked_lines"]
                    self.changed.notify_all()
            else:
                self.errors.append(line)
        with self.changed:
            self.changed.notify_all()

    def read_output(self):
        self.out.append(self.child.stdout.read())

    def wait_for(self, lines, seconds=120):
        """Waits until so many lines are acknowledged, or the process has ended."""
        with self.changed:
            has_ended = lambda: self.child.poll() is not None or not self.threads[0].is_alive()
            self.changed.wait_for(lambda: self.acknowledged >= lines or has_ended(), seconds)

    def kill(self):
        try:
            os.kill(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def finish(self):
        try:
            code = self.child.wait(timeout=Binary.TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Difference(f"{self.arguments}: not done after {Binary.TIMEOUT_SECONDS} s") from None
        for thread in self.threads:
            thread.join()
        outcome = Outcome(self.arguments, code, "".join(self.out), "".join(self.errors))
        if "panicked" in outcome.err:
            raise Difference(f"{outcome}\n  a panic")
        return outcome


def first_with(states, lines):
    """The place of the first state with so many lines of an import."""
    return next((at for at, state in enumerate(states) if state.get("lines", 0) >= lines), len(states) - 1)


def states_like(states, found):
    """The places of the states with what was found."""
    return [at for at, state in enumerate(states) if all(state[key] == value for key, value in found.items())]


class Readers:
    """Processes that read while another writes. Each must see a state that was acknowledged, or will be, and
    never an older one than a reader before it saw, or than was acknowledged when it began."""

    def __init__(self, binary, path, states, acknowledged, random):
        self.binary, self.path, self.states, self.acknowledged = binary, path, states, acknowledged
        self.random, self.is_done, self.failure, self.reads = random, False, None, 0
        self.thread = threading.Thread(target=self.read)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.is_done = True
        self.thread.join()
        if kind is None and self.failure is not None:
            raise self.failure

    def read(self):
        seen = 0
        try:
            while not self.is_done:
                ask = self.random.choice([ask_spans, ask_traces, ask_errors, ask_word, ask_stats, ask_long])
                first = max(seen, self.acknowledged())
                got = ask(self.binary, self.path)
                places = states_like(self.states, got)
                fits = [at for at in places if at >= first]
                if not fits:
                    known = {key: [state[key] for state in self.states] for key in got}
                    raise Difference(f"a reader ({ask.__name__}) saw {got}: no state from {first} on, but {places} of {known}")
                seen = fits[0]
                self.reads += 1
        except Difference as difference:
            self.failure = difference
        except Exception as error:
            self.failure = Difference(f"a reader failed: {type(error).__name__}: {error}")


def add(parts):
    return sum(parts) & ((1 << 64) - 1)


def ask_spans(binary, path):
    from model import digest
    statement = "SELECT trace_id, span_id, json_get_int(attributes, 'n') AS n FROM spans"
    rows = binary.run("sql", path, statement, "--format", "json").json()
    return {"spans": add(digest(row["trace_id"], row["span_id"], row["n"]) for row in rows), "span_count": len(rows)}


def ask_traces(binary, path):
    from model import canonical, digest
    statement = "SELECT trace_id, span_count, state, tags FROM traces"
    rows = binary.run("sql", path, statement, "--format", "json").json()
    parts = (digest(row["trace_id"], row["span_count"], row["state"], canonical(row["tags"])) for row in rows)
    return {"traces": add(parts), "trace_count": len(rows)}


def ask_states(binary, path):
    from model import digest
    rows = binary.run("sql", path, "SELECT trace_id, state FROM traces", "--format", "json").json()
    return {"states": add(digest(row["trace_id"], row["state"]) for row in rows)}


def ask_errors(binary, path):
    from model import digest
    ids = binary.run("search", path, "state = 'ERROR'", "--limit", 40_000, "--format", "ids").out.split()
    return {"errors": add(digest(i) for i in ids)}


def ask_word(binary, path):
    from model import WORD, digest
    hits = binary.run("text", path, WORD, "--limit", 40_000, "--format", "json").json()
    return {"word": add(digest(hit["trace_id"], hit["span_id"]) for hit in hits)}


def ask_stats(binary, path):
    stats = binary.run("stats", path, "--json").json()
    return {"trace_count": stats["traces"], "span_count": stats["spans"], "assessments": stats["assessments"]}


def ask_long(binary, path):
    """Reads each table twice in one statement, with all pairs of spans in between."""
    statement = (
        "SELECT (SELECT count(*) FROM spans) AS a, (SELECT coalesce(sum(span_count), 0) FROM traces) AS c, "
        "(SELECT count(*) FROM spans x CROSS JOIN spans y WHERE length(x.name || y.name) > 0) AS b, "
        "(SELECT count(*) FROM traces) AS d, (SELECT count(*) FROM assessments) AS e"
    )
    row, = binary.run("sql", path, statement, "--format", "json").json()
    if row["b"] != row["a"] ** 2 or row["c"] != row["a"]:
        raise Difference(f"one statement read several states: {row}")
    return {"span_count": row["a"], "trace_count": row["d"], "assessments": row["e"]}


def pause(microseconds):
    time.sleep(microseconds / 1_000_000)

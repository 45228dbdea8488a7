"""The operations: each is a JSON object that says all of it, is carried out by the command line, and by the model.

An operation works on whatever is there, so that a list of them can be replayed with some left out.
"""

import gzip
import json
import time
from pathlib import Path
from random import Random

import filters
from compare import check, same
from curating import FACTS, Curating
from importing import Importing
from model import World
from process import Difference, Watched, ask_spans, ask_traces, states_like


class Database(Importing, Curating):
    """A database, its model, and what was done to it."""

    def __init__(self, binary, compare, folder):
        self.binary, self.compare, self.folder = binary, compare, Path(folder)
        self.world, self.path, self.files = World(), self.folder / "a.traces", 0
        self.counts = {"operations": 0, "kills": 0, "reads": 0}

    def apply(self, operation):
        """Carries out an operation, then compares."""
        # What an operation leaves to chance comes from itself, for its repetition.
        random = Random(operation["seed"])
        getattr(self, "do_" + operation["op"])(operation, random)
        self.counts["operations"] += 1
        if self.path.exists():
            self.compare.all(self.world, self.path, random, operation.get("deep", False))

    def finish(self):
        """The end of a life: whatever was killed, a writer has left no file behind that nothing needs."""
        if self.path.exists():
            self.binary.run("compact", self.path)
            same("files that nothing names", check(self.binary, self.path), [])

    def file(self, text, is_gz=False, name=None):
        self.files += 1
        path = self.folder / (name or f"input-{self.files}.jsonl" + (".gz" if is_gz else ""))
        path.write_bytes(gzip.compress(text.encode()) if is_gz else text.encode())
        return path

    def new_path(self):
        self.files += 1
        return self.folder / f"db-{self.files}.traces"

    # Compaction, check and repair.

    def do_compact(self, operation, random):
        self.unchanged(["compact", self.path, "--json"], operation, random)

    def do_repair(self, operation, random):
        if self.path.exists():
            report = self.binary.run("repair", self.path, "--json", *(["--apply"] if operation["apply"] else [])).json()
            same("repair of an undamaged database", (report["actions"], report["applied"]), ([], False))

    def unchanged(self, arguments, operation, random):
        """Runs a process that changes no answer, and may be killed."""
        if not self.path.exists():
            return
        self.beside([self.world.sums()], arguments, operation, random)

    def beside(self, states, arguments, operation, random):
        """Runs a process, perhaps with readers beside it, and perhaps kills it. Gives its outcome."""
        watched = Watched(self.binary, arguments)
        kill = operation.get("kill")
        if operation.get("readers"):
            outcome = self.read_beside(watched, states, kill, random)
        else:
            self.disturb(watched, kill)
            outcome = watched.finish()
        if outcome.code < 0:
            self.counts["kills"] += 1
        elif outcome.code != 0:
            raise Difference(f"{outcome}\n  expected exit code 0")
        return outcome

    # Tags and assessments.

    def do_tag(self, operation, random):
        trace = self.world.traces.get(operation["trace"])
        if self.path.exists():
            pairs = [f"{key}={value}" for key, value in operation["tags"].items()]
            arguments = ["tag", self.path, operation["trace"], *pairs]
            if trace and operation.get("kill"):
                return self.tag_killed(operation, arguments, random)
            self.binary.run(*arguments, expect=(0 if trace else 2,))
        if trace:
            trace.tags.update(operation["tags"])
            trace.changed()

    def tag_killed(self, operation, arguments, random):
        after = self.world.copy()
        trace = after.traces[operation["trace"]]
        trace.tags.update(operation["tags"])
        trace.changed()
        states = [self.world.sums(), after.sums()]
        outcome = self.beside(states, arguments, operation, random)
        places = states_like(states, ask_traces(self.binary, self.path))
        if not places or outcome.code == 0 and 1 not in places:
            raise Difference(f"{outcome}\n  the tags are neither all there nor none of them")
        if outcome.code != 0 and places == [0, 1]:
            # The tags are those that it had: whether they are its own now would show when its root comes again.
            self.binary.run(*arguments)
        self.world = after if 1 in places else self.world

    def do_untag(self, operation, random):
        trace, key = self.world.traces.get(operation["trace"]), operation["key"]
        is_there = trace is not None and key in trace.row()["tags"]
        if self.path.exists():
            self.binary.run("untag", self.path, operation["trace"], key, expect=(0 if is_there else 2,))
        if is_there:
            trace.tags[key] = None
            trace.changed()

    def do_assess(self, operation, random):
        record = operation["record"]
        trace = self.world.traces.get(record["trace_id"])
        is_there = trace is not None and record.get("span_id", None) in [None, *trace.spans]
        if not self.path.exists():
            return
        value = f"{record['name']}={json.dumps(record['value'])}"
        arguments = ["assess", self.path, record["trace_id"], "--" + record["type"], value, "--source", record["source"]]
        arguments += ["--rationale", record["rationale"]] + (["--span", record["span_id"]] if record.get("span_id") else [])
        self.binary.run(*arguments, expect=(0 if is_there else 2,))
        if is_there:
            self.world.add_assessment(record)

    # Deletion.

    def do_delete(self, operation, random):
        if not self.path.exists():
            return
        world, arguments = self.world, ["delete", self.path, "--yes", "--json"]
        if "filter" in operation:
            tree = filters.random_filter(Random(operation["filter"]), FACTS)
            ids = {i for i, trace in world.traces.items() if filters.finds(tree, trace)}
            arguments += ["--where", filters.text_of(tree)]
        elif "before" in operation:
            ids = {i for i, trace in world.traces.items() if trace.row()["request_time"] < operation["before"] * 1_000_000}
            arguments += ["--before", operation["before"]]
        else:
            # Those that are not there are warned about; when none is, it is an error.
            ids = set(operation["traces"]) & set(world.traces)
            if not ids:
                self.binary.run(*arguments, *operation["traces"], expect=(2,))
                return
            arguments += operation["traces"]
        if "max" in operation:
            ids = set(world.newest_first(ids)[::-1][:operation["max"]])
            arguments += ["--max", operation["max"]]
        self.deletion(ids, arguments, operation, random)

    def deletion(self, ids, arguments, operation, random):
        after = self.world.copy()
        after.delete(ids)
        if operation.get("erase"):
            arguments = arguments + ["--erase"]
            for dataset in after.datasets.values():
                dataset.erase({i: self.world.traces[i] for i in ids})
        states = [self.world.sums(), after.sums()]
        outcome = self.beside(states, arguments, operation, random)
        if outcome.code < 0:
            if not states_like(states, ask_spans(self.binary, self.path)):
                raise Difference(f"{outcome}\n  killed, and neither all of {len(ids)} traces are there nor none")
            if operation.get("erase"):
                # An erase that was begun is completed by the next writer, its datasets among it.
                self.binary.run("compact", self.path, "--json")
            is_done = bool(ids) and states_like(states, ask_spans(self.binary, self.path)) == [1]
            self.world = after if is_done else self.world
            return
        report = outcome.json()
        if not operation.get("retain"):
            same(f"deleted by {outcome.arguments}", report["deleted"], len(ids))
        self.world = after
        if operation.get("erase") and report.get("complete"):
            self.no_bytes_of(ids)

    def no_bytes_of(self, ids):
        """No file has the id of an erased trace."""
        for file in self.path.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                for i in ids:
                    if i.encode() in data or bytes.fromhex(i) in data:
                        raise Difference(f"{file} still has the id of trace {i}, which was erased")

    def do_retain(self, operation, random):
        if not self.path.exists():
            return
        gone, arguments = set(), ["retain", self.path, "--yes", "--json"]
        if "cut" in operation:
            return self.retain_by_age(operation["cut"], arguments, operation, random)
        for experiment in {trace.experiment for trace in self.world.traces.values()}:
            ids = self.world.newest_first([i for i, t in self.world.traces.items() if t.experiment == experiment])
            gone.update(ids[operation["max_traces"]:])
        arguments += ["--max-traces", operation["max_traces"]]
        self.deletion(gone, arguments, dict(operation, retain=True), random)

    def retain_by_age(self, cut, arguments, operation, random):
        """An age is told in minutes: no trace may be as near to the cut as the process takes."""
        times = {i: trace.row()["request_time"] for i, trace in self.world.traces.items()}
        if any(abs(at - cut) < 150_000_000_000 for at in times.values()):
            return
        arguments += ["--max-age", f"{(time.time_ns() - cut) // 60_000_000_000}m"]
        gone = {i for i, at in times.items() if at < cut}
        self.deletion(gone, arguments, dict(operation, retain=True), random)

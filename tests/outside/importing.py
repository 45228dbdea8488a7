"""Importing, and what happens beside it: kills, readers, backups, a second writer, a renamed folder."""

import json
import os
import shutil

import rules
from compare import check, same
from model import World, steps_of
from process import Difference, Readers, Watched, ask_spans, ask_states, first_with, pause, states_like


class Importing:
    """The operations of a `Database` that import, copy or move it."""

    def import_arguments(self, operation):
        arguments = ["import", self.path, "--json", "--experiment", operation["experiment"], "--progress", "json"]
        if operation.get("memory"):
            arguments += ["--memory-limit", operation["memory"]]
        if operation.get("batch_lines"):
            arguments += ["--batch-lines", operation["batch_lines"]]
        arguments += [self.file("".join(line + "\n" for line in lines), is_gz) for lines, is_gz in operation["files"]]
        if operation.get("assessments"):
            text = "".join(json.dumps(record) + "\n" for record in operation["assessments"])
            arguments += ["--assessments", self.file(text)]
        return arguments

    def do_import(self, operation, random):
        steps = steps_of(operation["files"])
        before, experiment = self.world.copy(), operation["experiment"]
        states, existed = before.states(steps, experiment), self.path.exists()
        watched = Watched(self.binary, self.import_arguments(operation))
        kill, backup, rename, writer = (operation.get(key) for key in ("kill", "backup", "rename", "writer"))
        copy = moved = None
        if existed and operation.get("readers"):
            all_states = states_with_assessments(states, operation, before, steps)
            outcome = self.read_beside(watched, all_states, kill, random)
        else:
            try:
                copy = self.backup_beside(watched, backup) if backup and existed else None
                moved = self.rename_beside(watched, rename) if rename and rules.RENAME_WHILE_OPEN else None
                tagged = writer and existed and self.write_beside(watched, writer)
                self.disturb(watched, kill)
            finally:
                outcome = watched.finish()
        if moved:
            return self.renamed_under(operation, outcome, states, watched.acknowledged, moved)
        if outcome.code < 0:
            self.counts["kills"] += 1
            self.after_kill(operation, steps, states, watched.acknowledged)
        else:
            self.imported(operation, steps, outcome)
        if writer and existed and tagged:
            self.world.traces[writer["trace"]].tags.update(writer["tags"])
            self.world.traces[writer["trace"]].changed()
        if copy is not None:
            self.check_backup(copy, before, operation, states, random)

    def read_beside(self, watched, states, kill, random):
        first = lambda: first_with(states, watched.acknowledged)
        readers = Readers(self.binary, self.path, states, first, random)
        try:
            with readers:
                self.disturb(watched, kill)
                outcome = watched.finish()
        finally:
            self.counts["reads"] += readers.reads
        return outcome

    def write_beside(self, watched, writer):
        """A second writer is told that there is one, or comes before or after it. Whether it wrote."""
        watched.wait_for(writer["after_lines"])
        pairs = [f"{key}={value}" for key, value in writer["tags"].items()]
        outcome = self.binary.run("tag", self.path, writer["trace"], *pairs, expect=(0, 1, 2))
        is_there = writer["trace"] in self.world.traces
        if outcome.code != 1 and (outcome.code == 0) != is_there:
            raise Difference(f"{outcome}\n  the trace is {'' if is_there else 'not '}there")
        return outcome.code == 0

    def disturb(self, watched, kill):
        if kill:
            watched.wait_for(kill["after_lines"])
            pause(kill["wait_us"])
            watched.kill()

    def imported(self, operation, steps, outcome):
        """An import that was not killed: its report, and everything of it is there."""
        new = duplicates = rejected = 0
        known = set(self.world.traces)
        for step in steps:
            result = self.world.do(step, operation["experiment"])
            if step[0] == "settle":
                continue
            if result is None:
                rejected += 1
            else:
                new, duplicates = new + result[0], duplicates + result[1]
        stored = [self.world.add_assessment(record) for record in operation.get("assessments") or []]
        is_in_vain = rejected + len(stored) > 0 and not new + duplicates + sum(stored)
        if outcome.code != (2 if is_in_vain else 0):
            raise Difference(f"{outcome}\n  expected exit code {2 if is_in_vain else 0}")
        want = {"traces": len(set(self.world.traces) - known), "spans": new, "duplicate_spans": duplicates,
                "assessments": sum(stored), "rejected_count": rejected + len(stored) - sum(stored)}
        report = outcome.json()
        same("report of import", {key: report[key] for key in want}, want)

    def after_kill(self, operation, steps, states, acknowledged):
        """Finds out how much of a killed import is there: at least what was acknowledged, and no half line. What its
        end settles is there as a whole or not at all."""
        if not self.path.exists() or not (self.path / "FORMAT").exists():
            # Killed before the database was made.
            if acknowledged:
                raise Difference(f"{acknowledged} lines were acknowledged and there is no database")
            shutil.rmtree(self.path, ignore_errors=True)
            return
        found = ask_spans(self.binary, self.path) | ask_states(self.binary, self.path)
        fits = states_like(states, found)
        if not fits or states[max(fits)]["lines"] < acknowledged:
            what = f"killed after {acknowledged} acknowledged lines of {states[-1]['lines']}"
            raise Difference(f"{what}: found is the state after {fits} steps")
        keep = next(at for at in fits if states[at]["lines"] >= acknowledged)
        for step in steps[:keep]:
            self.world.do(step, operation["experiment"])
        if operation.get("assessments"):
            rows = self.binary.run("sql", self.path, "SELECT rationale FROM assessments", "--format", "json").json()
            there = {row["rationale"] for row in rows}
            stored = [record["rationale"] in there for record in operation["assessments"]]
            valid = [record["trace_id"] in self.world.traces for record in operation["assessments"]]
            if any(stored) and max(fits) < len(steps):
                raise Difference("assessments of a killed import are there, its last lines are not")
            count = max((at + 1 for at, is_there in enumerate(stored) if is_there), default=0)
            same("assessments of a killed import are the first", stored[:count], valid[:count])
            for record in operation["assessments"][:count]:
                self.world.add_assessment(record)

    # Backups, and changes of the folder.

    def backup_beside(self, watched, backup):
        watched.wait_for(backup["after_lines"])
        copy, first = self.new_path(), watched.acknowledged
        self.binary.run("backup", self.path, copy, "--json")
        return copy, first

    def check_backup(self, copy, before, operation, states, random):
        """A backup beside an import is one of the states from its begin on."""
        path, first = copy
        found = ask_spans(self.binary, path) | ask_states(self.binary, path)
        fits = [at for at in states_like(states, found) if states[at]["lines"] >= first]
        if not fits:
            raise Difference(f"a backup that began after {first} acknowledged lines has no state of the import: {found}")
        if operation.get("assessments"):
            # Which of them had come is not known.
            check(self.binary, path)
            return shutil.rmtree(path)
        for step in steps_of(operation["files"])[:fits[0]]:
            before.do(step, operation["experiment"])
        self.compare.all(before, path, random, True)
        if operation["backup"]["continue"]:
            shutil.rmtree(self.path)
            self.world, self.path = before, path
        else:
            shutil.rmtree(path)

    def do_backup(self, operation, random):
        if not self.path.exists():
            return
        copy = self.new_path()
        self.binary.run("backup", self.path, copy, "--json")
        self.compare.all(self.world, copy, random, True)
        if operation["continue"]:
            shutil.rmtree(self.path)
            self.path = copy
        else:
            shutil.rmtree(copy)

    def do_rename(self, operation, random):
        if self.path.exists():
            target = self.new_path()
            os.rename(self.path, target)
            self.path = target

    def rename_beside(self, watched, rename):
        # One that has acknowledged nothing may not have opened it yet, and may open what is there later.
        watched.wait_for(max(rename["after_lines"], 1))
        if watched.acknowledged == 0 or watched.child.poll() is not None:
            return None
        old = self.path
        target = self.new_path()
        os.rename(old, target)
        self.path = target
        other = self.file("".join(line + "\n" for line in rename["lines"]))
        outcome = self.binary.run("import", old, other, "--json", expect=None)
        return old, outcome, rename["lines"]

    def renamed_under(self, operation, outcome, states, acknowledged, moved):
        """A folder that was renamed while a process imported into it, and a new one made in its place."""
        old, other, lines = moved
        if outcome.code not in (0, 1):
            raise Difference(f"{outcome}\n  expected exit code 0 or 1")
        if other.code == 0:
            world = World()
            for step in steps_of([(lines, False)]):
                world.do(step, "0")
            self.compare.tables(world, old)
            check(self.binary, old)
        shutil.rmtree(old, ignore_errors=True)
        steps = steps_of(operation["files"])
        self.after_kill(dict(operation, assessments=operation.get("assessments")), steps, states, acknowledged)


def states_with_assessments(states, operation, before, steps):
    """The states of an import, and those while assessments come after its steps."""
    states, world = list(states), before.copy()
    records = operation.get("assessments") or []
    if records:
        for step in steps:
            world.do(step, operation["experiment"])
    for record in records:
        if world.add_assessment(record):
            states.append(dict(states[-1], assessments=states[-1]["assessments"] + 1))
    return states

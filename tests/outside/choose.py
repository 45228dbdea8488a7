"""Choosing operations at random, so that a database lives: it grows, is edited, loses traces, is moved."""

from generate import Generator

DATASETS = ["golden", "regressions", "third"]


class Chooser:
    def __init__(self, random):
        self.random, self.generator, self.count = random, Generator(random), 0

    def next(self, world):
        """The next operation for a database that holds `world`."""
        self.count += 1
        random = self.random
        choose = random.choices(*zip(*self.weights(world)))[0]
        operation = choose(world)
        operation.update(seed=random.getrandbits(60), deep=random.random() < 0.3)
        return operation

    def weights(self, world):
        grown = len(world.traces) > 150
        return [
            (self.imports, 6 if grown else 16), (self.imports_beside, 3 if grown else 10),
            (self.tag, 6), (self.untag, 3), (self.assess, 6), (self.dataset, 9), (self.backup, 2), (self.rename, 2),
            (self.delete, 4 + 6 * grown), (self.erase, 2 + 3 * grown), (self.retain, 0.5 + 2 * grown),
            (self.compact, 4), (self.repair, 1),
        ]

    def imports(self, world):
        random = self.random
        experiment = random.choice(["0", "0", "7"])
        files = []
        for _ in range(random.choice([1, 1, 2, 3])):
            lines = self.generator.lines(random.choice([1, 3, 8, 20, 40]), experiment)
            if random.random() < 0.1:
                lines.insert(random.randint(1, len(lines)), "this is no line of OTLP")
            if random.random() < 0.2:
                lines += random.sample(lines[:1] + lines[2:3], 1)
            files.append([lines, random.random() < 0.3])
        operation = {"op": "import", "experiment": experiment, "files": files}
        if random.random() < 0.5:
            operation["batch_lines"] = random.choice([1, 2, 5, 20])
        if random.random() < 0.5:
            # So little that rows are sealed, and segments merged, while it goes on.
            operation["memory"] = random.choice(["2MB", "4MB", "4MB", "16MB"])
        if random.random() < 0.3:
            operation["assessments"] = [self.record(world, True) for _ in range(random.randint(1, 8))]
        return operation

    def imports_beside(self, world):
        """An import beside which something happens: a kill, readers, a backup, a rename."""
        random, operation = self.random, self.imports(world)
        operation["batch_lines"] = random.choice([1, 1, 2, 5])
        lines = sum(len(part) for part, _ in operation["files"])
        what, after_lines = random.random(), random.randint(0, lines)
        if what < 0.55:
            operation["kill"] = self.kill(lines)
        if 0.35 < what < 0.75:
            operation["readers"] = True
        elif 0.75 <= what < 0.85:
            operation["backup"] = {"after_lines": after_lines, "continue": random.random() < 0.5}
        elif 0.85 <= what < 0.92:
            operation["writer"] = {"after_lines": after_lines, "trace": self.some_trace(world), "tags": {"env": "staging"}}
        elif what >= 0.92:
            operation["rename"] = {"after_lines": after_lines, "lines": self.generator.lines(3, "0")}
        return operation

    def kill(self, lines):
        random = self.random
        wait_us = random.choice([0, random.randint(0, 3_000), random.randint(0, 60_000), random.randint(0, 400_000)])
        return {"after_lines": random.choice([0, random.randint(0, lines)]), "wait_us": wait_us}

    def some_trace(self, world):
        # Now and then one that is not there.
        if not world.traces or self.random.random() < 0.03:
            return f"{self.random.getrandbits(128):032x}"
        return self.random.choice(sorted(world.traces))

    def tag(self, world):
        facts = self.generator.facts
        keys = self.random.sample(facts.tags + ["mlflow.traceName"], self.random.randint(1, 2))
        tags = {key: self.random.choice(facts.tag_values) for key in keys}
        return {"op": "tag", "trace": self.some_trace(world), "tags": tags, **self.perhaps_killed(0.15)}

    def perhaps_killed(self, chance):
        return {"kill": self.kill(0)} if self.random.random() < chance else {}

    def untag(self, world):
        return {"op": "untag", "trace": self.some_trace(world), "key": self.random.choice(self.generator.facts.tags)}

    def record(self, world, anywhere=False):
        begun = self.generator.begun
        is_new = anywhere and begun and self.random.random() < 0.5
        trace_id = self.random.choice(begun[-10:])["id"] if is_new else self.some_trace(world)
        trace = world.traces.get(trace_id)
        span = self.random.choice(sorted(trace.spans)) if trace and self.random.random() < 0.3 and not anywhere else None
        return self.generator.assessment(trace_id, span)

    def assess(self, world):
        return {"op": "assess", "record": self.record(world)}

    def delete(self, world):
        random, operation = self.random, {"op": "delete"}
        way = random.random()
        if way < 0.5:
            operation["traces"] = sorted({self.some_trace(world) for _ in range(random.randint(1, 4))})
        elif way < 0.85:
            operation["filter"] = random.getrandbits(60)
            operation["max"] = random.choice([1, 3, 10])
        else:
            times = sorted(trace.row()["request_time"] for trace in world.traces.values()) or [0]
            operation["before"] = times[random.randint(0, len(times) // 5)] // 1_000_000 + 1
        if random.random() < 0.2:
            operation["readers"] = True
        if random.random() < 0.15:
            operation["kill"] = self.kill(0)
        return operation

    def erase(self, world):
        operation = self.delete(world)
        operation["erase"] = True
        if self.random.random() < 0.4:
            operation["kill"] = {"after_lines": 0, "wait_us": self.random.randint(0, 500_000)}
        return operation

    def retain(self, world):
        most = len(world.traces)
        if self.random.random() < 0.4:
            times = sorted(trace.row()["request_time"] for trace in world.traces.values()) or [0]
            return {"op": "retain", "cut": times[self.random.randint(0, len(times) // 3)] + 200_000_000_000}
        return {"op": "retain", "max_traces": self.random.randint(most // 2, most + 1)}

    def compact(self, world):
        operation = {"op": "compact"}
        if self.random.random() < 0.4:
            operation["kill"] = {"after_lines": 0, "wait_us": self.random.randint(0, 500_000)}
        operation["readers"] = self.random.random() < 0.3
        return operation

    def repair(self, world):
        return {"op": "repair", "apply": self.random.random() < 0.5}

    def backup(self, world):
        return {"op": "backup", "continue": self.random.random() < 0.5}

    def rename(self, world):
        return {"op": "rename"}

    def dataset(self, world):
        random, name = self.random, self.random.choice(DATASETS)
        if name not in world.datasets:
            return {"op": "dataset_create", "name": name}
        way = random.random()
        if way < 0.45:
            operation = {"op": "dataset_add", "name": name, "filter": random.getrandbits(60)}
            if random.random() < 0.4:
                operation["limit"] = random.randint(1, 20)
            elif random.random() < 0.3:
                operation.update(sample=random.randint(1, 10), sample_seed=random.randint(0, 9))
            else:
                operation.update(self.perhaps_killed(0.3))
            return operation
        if way < 0.65:
            records = []
            for _ in range(random.randint(1, 4)):
                record = {"inputs": {"q": random.randint(1, 12)}}
                if random.random() < 0.7:
                    record["outputs"] = random.choice(["otter", {"a": [1, 2.5]}])
                if random.random() < 0.7:
                    record["expectations"] = {random.choice("xy"): random.randint(0, 3)}
                if random.random() < 0.4:
                    record["tags"] = {random.choice("st"): random.choice(["red", "blue"])}
                records.append(record)
            return {"op": "dataset_merge", "name": name, "records": records}
        if way < 0.8:
            return {"op": "dataset_diff", "name": name}
        if way < 0.9:
            return {"op": "dataset_sample", "name": name, "count": random.randint(1, 6), "into": random.choice(DATASETS)}
        return {"op": "dataset_delete", "name": name}

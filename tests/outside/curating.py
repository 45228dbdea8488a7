"""The operations on datasets."""

import json
from random import Random

import filters
from compare import same
from datasets import Dataset, exported, merged_record, records_of, source_trace
from generate import Facts
from process import Difference

FACTS = Facts()


class Curating:
    """The operations of a `Database` that make and use datasets."""

    def do_dataset_create(self, operation, random):
        name = operation["name"]
        if self.path.exists():
            self.binary.run("dataset", "create", self.path, name, "--json", expect=(1 if name in self.world.datasets else 0,))
            self.world.datasets.setdefault(name, Dataset())

    def do_dataset_delete(self, operation, random):
        dataset = self.world.datasets.pop(operation["name"], None)
        if self.path.exists():
            expect = (0,) if dataset else (2,)
            self.binary.run("dataset", "delete", self.path, operation["name"], "--yes", expect=expect)

    def do_dataset_add(self, operation, random):
        dataset = self.world.datasets.get(operation["name"])
        if dataset is None or not self.path.exists():
            return
        tree = filters.random_filter(Random(operation["filter"]), FACTS)
        ids = self.world.newest_first([i for i, trace in self.world.traces.items() if filters.finds(tree, trace)])
        arguments = ["dataset", "add", self.path, operation["name"], "--where", filters.text_of(tree), "--json"]
        if "limit" in operation:
            arguments += ["--limit", operation["limit"]]
        records, skipped, repeated = records_of(self.world, ids, operation.get("limit"))
        if "sample" in operation:
            return self.dataset_sampled(operation, arguments, ids, len(records), dataset)
        if operation.get("kill"):
            return self.add_killed(operation, arguments, records, dataset, random)
        counts = dataset.merge(records)
        counts["unchanged"] += repeated
        report = self.binary.run(*arguments).json()
        want = {**counts, "skipped": skipped, "record_count": len(dataset.newest), "version": len(dataset.versions) - 1}
        same(f"report of {arguments}", {key: report[key] for key in want}, want)

    def add_killed(self, operation, arguments, records, dataset, random):
        """A version is there or it is not."""
        after = dataset.copy()
        after.merge(records)
        self.beside([self.world.sums()], arguments, operation, random)
        listed = self.binary.run("dataset", "list", self.path, "--json").json()
        version = next(d["version"] for d in listed if d["name"] == operation["name"])
        same("a version after a kill", version in (len(dataset.versions) - 1, len(after.versions) - 1), True)
        if version == len(after.versions) - 1:
            self.world.datasets[operation["name"]] = after

    def dataset_sampled(self, operation, arguments, ids, records, dataset):
        """Which records a sample takes is not said; how many, of which traces, and that it repeats, is."""
        report = self.binary.run(*arguments, "--sample", operation["sample"], "--seed", operation["sample_seed"]).json()
        taken = min(operation["sample"], records)
        if report["inserted"] + report["updated"] > taken or sum(
            report[key] for key in ("inserted", "updated", "unchanged")
        ) < taken:
            raise Difference(f"{arguments} took {report}, {taken} sampled records expected")
        got = exported(self.binary.run("dataset", "export", self.path, operation["name"]).out)
        new = [key for key in got if key not in dataset.newest]
        same("sampled records come from the traces", {source_trace(got[key]) for key in new} <= set(ids), True)
        if got != dataset.newest:
            dataset.versions.append(got)
        same("version of a sampled dataset", report["version"], len(dataset.versions) - 1)

    def do_dataset_merge(self, operation, random):
        dataset = self.world.datasets.get(operation["name"])
        if dataset is None or not self.path.exists():
            return
        counts = dataset.merge([merged_record(record) for record in operation["records"]])
        file = self.file("".join(json.dumps(record) + "\n" for record in operation["records"]))
        report = self.binary.run("dataset", "merge", self.path, operation["name"], file, "--json").json()
        want = {**counts, "record_count": len(dataset.newest), "version": len(dataset.versions) - 1}
        same("report of dataset merge", {key: report[key] for key in want}, want)

    def do_dataset_diff(self, operation, random):
        dataset = self.world.datasets.get(operation["name"])
        if dataset is None or len(dataset.versions) < 3 or not self.path.exists():
            return
        later = random.randrange(2, len(dataset.versions))
        earlier = random.randrange(1, later)
        report = self.binary.run("dataset", "diff", self.path, operation["name"], earlier, later, "--json").json()
        old, new = dataset.versions[earlier], dataset.versions[later]
        want = {"added": len(new.keys() - old.keys()), "removed": len(old.keys() - new.keys()),
                "changed": sum(old[key] != new[key] for key in old.keys() & new.keys())}
        same(f"diff of {earlier} and {later}", {key: len(report[key]) for key in want}, want)

    def do_dataset_sample(self, operation, random):
        dataset, into = self.world.datasets.get(operation["name"]), operation["into"]
        if dataset is None or not self.path.exists() or into in self.world.datasets:
            return
        options = ["--count", operation["count"], "--into", into, "--json"]
        self.binary.run("dataset", "sample", self.path, operation["name"], *options)
        got = exported(self.binary.run("dataset", "export", self.path, into).out)
        same("number of sampled records", len(got), min(operation["count"], len(dataset.newest)))
        same("sampled records", {key: dataset.newest.get(key) for key in got}, got)
        self.world.datasets[into] = Dataset()
        if got:
            self.world.datasets[into].versions.append(got)

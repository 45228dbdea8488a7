"""Datasets: records by inputs, versions, and what traces and lines make of them."""

import json

from model import lead


def canonical(value):
    return json.dumps(value, sort_keys=True)


def as_json(text):
    """A payload as a JSON value: an object or array, or what a JSON string quotes; else the text as it is."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (dict, list, str)) else text


class Dataset:
    def __init__(self):
        self.versions = [{}]

    def copy(self):
        twin = Dataset()
        twin.versions = [dict(version) for version in self.versions]
        return twin

    @property
    def newest(self):
        return self.versions[-1]

    def merge(self, records):
        """Lays records over the newest version; a new version when that changes anything."""
        merged = dict(self.newest)
        counts = {"inserted": 0, "updated": 0, "unchanged": 0}
        for record in records:
            key = canonical(record["inputs"])
            older = merged.get(key)
            if older is None:
                merged[key] = record
                counts["inserted"] += 1
                continue
            newer = dict(older)
            if record["outputs"] is not None and record["outputs"] != older["outputs"]:
                newer["outputs"] = record["outputs"]
                # Source and outputs are of one trace; a person's record stays one.
                if older["source"]["source_type"] == "TRACE":
                    newer["source"] = record["source"]
            for part in ("expectations", "tags"):
                laid = {**(older[part] or {}), **(record[part] or {})}
                newer[part] = laid or older[part]
            counts["unchanged" if newer == older else "updated"] += 1
            merged[key] = newer
        if merged != self.newest:
            self.versions.append(merged)
        return counts

    def erase(self, traces):
        """Takes the records of traces out of every version, and out of others with the same inputs what is theirs."""
        for version in self.versions:
            for key in [key for key, record in version.items() if source_trace(record) in traces]:
                del version[key]
            for trace in traces.values():
                self.erase_parts(version, trace)

    def erase_parts(self, version, trace):
        row = trace.row()
        key = canonical(as_json(row["inputs"]))
        record = version.get(key)
        if row["inputs"] is None or record is None:
            return
        theirs = [(a["name"], a["value"]) for a in trace.assessments if a["type"] == "expectation"]
        left = {name: value for name, value in (record["expectations"] or {}).items() if (name, value) not in theirs}
        is_theirs = row["outputs"] is not None and record["outputs"] == as_json(row["outputs"])
        outputs = None if is_theirs else record["outputs"]
        version[key] = {**record, "outputs": outputs, "expectations": left or None}

    def trace_ids(self):
        return {source_trace(record) for record in self.newest.values()} - {None}


def source_trace(record):
    return record["source"]["source_data"].get("trace_id")


def records_of(world, ids, limit=None):
    """The records that traces make, newest first, how many make none, and how many have inputs of another: of as many
    traces as it takes to have `limit` records."""
    records, skipped, repeated = {}, 0, 0
    for trace in (world.traces[i] for i in world.newest_first(ids)):
        if len(records) == limit:
            break
        row = trace.row()
        if row["inputs"] is None:
            skipped += 1
            continue
        expectations = {a["name"]: a["value"] for a in trace.assessments if a["type"] == "expectation"}
        inputs = as_json(row["inputs"])
        known = records.get(canonical(inputs))
        if known is not None:
            known["expectations"] = {**expectations, **(known["expectations"] or {})} or None
            repeated += 1
            continue
        data = {"trace_id": trace.id, "span_id": lead(trace).id, "session_id": row["session_id"]}
        data = {key: value for key, value in data.items() if value is not None}
        records[canonical(inputs)] = {
            "inputs": inputs, "outputs": as_json(row["outputs"]), "expectations": expectations or None,
            "tags": {}, "source": {"source_type": "TRACE", "source_data": data},
        }
    return list(records.values()), skipped, repeated


def merged_record(record):
    """A record as a line of a merged file makes it."""
    # As in MLflow, expectations come from people.
    source = {"source_type": "HUMAN" if record.get("expectations") else "CODE", "source_data": {}}
    return {
        "inputs": record["inputs"], "outputs": record.get("outputs"), "expectations": record.get("expectations"),
        "tags": record.get("tags", {}), "source": source,
    }


def exported(text):
    """The records of an export by their inputs, without the ids that the database gives."""
    records = {}
    for line in text.splitlines():
        record = json.loads(line)
        record.pop("dataset_record_id", None)
        records[canonical(record["inputs"])] = record
    return records

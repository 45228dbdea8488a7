"""Comparing a database with the model: everything of the traces, and random questions."""

import json
from datetime import datetime, timezone

import filters
from datasets import exported
from model import text_fields
from process import Difference, ask_spans, ask_stats
from words import holds, random_query, written

TRACE_COLUMNS = [
    "trace_id", "experiment_id", "name", "state", "request_time", "end_time", "duration_ns", "service_name", "session_id",
    "user_id", "span_count", "error_span_count", "input_tokens", "output_tokens", "total_tokens", "cost_usd", "models",
    "tags", "metadata", "inputs", "outputs",
]


def time_text(nanoseconds):
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    if rest == 0:
        return text + "Z"
    digits = f"{rest:09d}"
    for size in (3, 6, 9):
        if set(digits[size:]) <= {"0"}:
            return f"{text}.{digits[:size]}Z"


def same(what, got, want):
    if got != want:
        raise Difference(f"{what}\n  got  {shown(got)}\n  want {shown(want)}{details(got, want)}")


def shown(value):
    text = repr(value)
    return text if len(text) < 1_500 else text[:1_500] + " ..."


def details(got, want):
    if isinstance(got, dict) and isinstance(want, dict):
        keys = [key for key in {**got, **want} if got.get(key, "absent") != want.get(key, "absent")]
        pairs = [(key, shown(got.get(key, "absent")), shown(want.get(key, "absent"))) for key in keys[:6]]
        return "".join(f"\n    {key}: got {there}, want {expected}" for key, there, expected in pairs)
    if isinstance(got, list) and isinstance(want, list) and all(isinstance(item, str) for item in got + want):
        return f"\n    only there: {[i for i in got if i not in want][:10]}, missing: {[i for i in want if i not in got][:10]}"
    return ""


def trace_row(trace):
    row = dict(trace.row())
    row["request_time"], row["end_time"] = time_text(row["request_time"]), time_text(row["end_time"])
    return {column: row[column] for column in TRACE_COLUMNS}


def span_row(span):
    return {
        "trace_id": span.trace_id, "span_id": span.id, "parent_span_id": span.parent, "session_id": span.session,
        "user_id": span.user, "name": span.name, "span_type": span.type, "kind": span.kind, "status": span.status,
        "status_message": span.message, "start_time": time_text(span.start), "end_time": time_text(span.end),
        "duration_ns": span.duration, "service_name": span.service, "scope_name": span.scope.get("name"),
        "scope_version": span.scope.get("version"), "operation": span.operation, "model": span.model,
        "provider": span.provider, "tool_name": span.tool, "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens, "total_tokens": span.total_tokens, "cost_usd": span.cost,
        "inputs": span.inputs, "outputs": span.outputs, "attributes": list(span.attributes.items()),
        "resource": span.resource,
        "events": [{"time": time_text(at), "name": name, "attributes": found} for at, name, found in span.events],
    }


def check(binary, path):
    """Nothing is found in any byte or row."""
    report = binary.run("check", path, "--deep", "--json").json()
    # A note is no damage: a file that a killed process left, an index that the next one makes.
    damage = [finding for finding in report["findings"] if finding["severity"] != "note"]
    same("check --deep", (report["clean"], damage), (True, []))
    return [finding for finding in report["findings"] if "nothing names it" in finding["message"]]


class Compare:
    """Questions to one database. Counts the comparisons."""

    def __init__(self, binary, facts):
        self.binary, self.facts, self.count = binary, facts, 0

    def all(self, world, path, random, is_deep):
        """Everything that is compared after an operation."""
        self.tables(world, path)
        asks = [self.search, self.search, self.text, self.aggregate, self.show, self.pages, self.assessments, self.stats, self.views]
        for ask in random.sample(asks, 4):
            ask(world, path, random)
            self.count += 1
        if world.datasets and random.random() < 0.4:
            self.dataset(world, path, random)
        if is_deep:
            check(self.binary, path)
            self.count += 1

    def tables(self, world, path):
        """All rows of traces, and which version of each span there is."""
        statement = f"SELECT {', '.join(TRACE_COLUMNS)} FROM traces"
        rows = self.binary.run("sql", path, statement, "--format", "json").json()
        got = {row["trace_id"]: row for row in rows}
        same("trace ids", sorted(row["trace_id"] for row in rows), sorted(world.traces))
        for trace in world.traces.values():
            same(f"row of trace {trace.id}", got[trace.id], trace_row(trace))
        sums = world.sums()
        same("spans", ask_spans(self.binary, path), {key: sums[key] for key in ("spans", "span_count")})
        self.count += len(rows) + 1

    def search(self, world, path, random):
        tree = filters.random_filter(random, self.facts)
        text = filters.text_of(tree)
        want = world.newest_first([i for i, trace in world.traces.items() if filters.finds(tree, trace)])
        if random.random() < 0.3:
            same(f"search --count {text!r}", self.binary.run("search", path, text, "--count").out.strip(), str(len(want)))
            return
        options, order = [], random.random()
        if order < 0.3:
            key = random.choice(["total_tokens", "duration_ms", "session_id", "span_count", "name"])
            way = random.choice(["ASC", "DESC"])
            options, want = ["--order-by", f"{key} {way}"], ordered(world, want, key, way)
        if order > 0.8:
            experiment = random.choice(["0", "7"])
            options += ["--experiment", experiment]
            want = [i for i in want if world.traces[i].experiment == experiment]
        got = self.binary.run("search", path, text, "--limit", 40_000, "--format", "ids", *options).out.split()
        same(f"search {text!r} {options}", got, want)

    def pages(self, world, path, random):
        tree = filters.random_filter(random, self.facts)
        text, got, token = filters.text_of(tree), [], None
        want = world.newest_first([i for i, trace in world.traces.items() if filters.finds(tree, trace)])[:60]
        limit = random.choice([7, 20, 40])
        while len(got) < 60:
            more = ["--page-token", token] if token else []
            page = self.binary.run("search", path, text, "--limit", limit, "--format", "json", *more).json()
            for found in page["traces"]:
                trace = world.traces.get(found["trace_id"])
                want_row = trace and {key: value for key, value in trace_row(trace).items() if key in found}
                same(f"row of a page of {text!r}", {key: found[key] for key in want_row or found}, want_row)
            got += [trace["trace_id"] for trace in page["traces"]]
            token = page["next_page_token"]
            if token is None:
                break
        same(f"pages of {limit} of {text!r}", got[:60], want)

    def text(self, world, path, random):
        query, options = random_query(random, self.facts.words), []
        spans = [span for trace in world.traces.values() for span in trace.spans.values()]
        want = [f"{span.trace_id} {span.id}" for span in spans if holds(query, text_fields(span))]
        if random.random() < 0.3:
            tree = filters.random_filter(random, self.facts)
            options = ["--where", filters.text_of(tree)]
            want = [pair for pair in want if filters.finds(tree, world.traces[pair.split()[0]])]
        hits = self.binary.run("text", path, written(query), "--limit", 40_000, "--format", "json", *options).json()
        got = sorted({f"{hit['trace_id']} {hit['span_id']}" for hit in hits})
        same(f"text {written(query)!r} {options}", got, sorted(want))

    def aggregate(self, world, path, random):
        rows = [trace.row() for trace in world.traces.values()]
        spans = [span for trace in world.traces.values() for span in trace.spans.values()]
        statement, of = random.choice([
            ("SELECT state AS k, count(*) AS c, sum(total_tokens) AS s FROM traces GROUP BY state",
             (rows, "state", "total_tokens")),
            ("SELECT session_id AS k, count(*) AS c, sum(span_count) AS s FROM traces GROUP BY 1",
             (rows, "session_id", "span_count")),
            ("SELECT t.user_id AS k, count(*) AS c, sum(s.output_tokens) AS s FROM traces t JOIN spans s USING (trace_id) "
             "GROUP BY t.user_id", None),
            ("SELECT model AS k, count(*) AS c, sum(total_tokens) AS s FROM spans GROUP BY model",
             ([vars(s) for s in spans], "model", "total_tokens")),
            ("SELECT span_type AS k, count(*) AS c, sum(duration_ns) AS s FROM spans GROUP BY span_type",
             ([vars(s) for s in spans], "type", "duration")),
            ("SELECT key AS k, count(*) AS c, count(DISTINCT value) AS s FROM tags GROUP BY key", None),
        ])
        if of is None and "tags" in statement:
            pairs = [pair for row in rows for pair in row["tags"].items()]
            want = {key: (sum(k == key for k, _ in pairs), len({v for k, v in pairs if k == key})) for key, _ in pairs}
        elif of is None:
            of = ([{"k": world.traces[s.trace_id].row()["user_id"], "v": s.output_tokens} for s in spans], "k", "v")
        if of is not None:
            want = grouped(*of)
        got = self.binary.run("sql", path, statement, "--format", "json").json()
        same(statement, {row["k"]: (row["c"], row["s"]) for row in got}, want)

    def show(self, world, path, random):
        if not world.traces:
            return
        trace = world.traces[random.choice(sorted(world.traces))]
        shown_trace = self.binary.run("show", path, trace.id, "--format", "json").json()
        same(f"show {trace.id}: trace", {key: shown_trace["trace"][key] for key in TRACE_COLUMNS}, trace_row(trace))
        spans = sorted(trace.spans.values(), key=lambda span: span.id)
        found = sorted(shown_trace["spans"], key=lambda span: span["span_id"])
        same(f"show {trace.id}: ids of spans", [span["span_id"] for span in found], [span.id for span in spans])
        for got, want in zip(found, map(span_row, spans)):
            # Attributes are compared with their order.
            got["attributes"] = list(json.loads(got["attributes"]).items())
            got["resource"] = json.loads(got["resource"] or "{}")
            for event in got["events"]:
                event["attributes"] = json.loads(event["attributes"])
            same(f"show {trace.id}: span {want['span_id']}", {key: got[key] for key in want}, want)
        got = sorted(map(assessment_got, shown_trace["assessments"]), key=str)
        same(f"show {trace.id}: assessments", got, sorted(map(assessment_want, trace.assessments), key=str))

    def assessments(self, world, path, random):
        statement = "SELECT trace_id, span_id, name, type, value, source_type, source_id, rationale, valid FROM assessments"
        rows = self.binary.run("sql", path, statement, "--format", "json").json()
        want = [assessment_want(a) for trace in world.traces.values() for a in trace.assessments]
        same("assessments", sorted(map(assessment_got, rows), key=str), sorted(want, key=str))

    def views(self, world, path, random):
        """Sessions, and events as rows of their own."""
        rows, want = [trace.row() for trace in world.traces.values()], {}
        for row in rows:
            if row["session_id"] is not None:
                group = want.setdefault((row["session_id"], row["experiment_id"]), [0, 0, 0])
                group[0] += 1
                group[1] += row["state"] == "ERROR"
                group[2] += row["total_tokens"] or 0
        columns = "session_id, experiment_id, trace_count, error_count, coalesce(total_tokens, 0) AS total_tokens"
        found = self.binary.run("sql", path, f"SELECT {columns} FROM sessions", "--format", "json").json()
        got = {tuple(row.values())[:2]: list(row.values())[2:] for row in found}
        same("sessions", (len(found), got), (len(want), want))
        count = sum(len(span.events) for trace in world.traces.values() for span in trace.spans.values())
        row, = self.binary.run("sql", path, "SELECT count(*) AS n FROM events", "--format", "json").json()
        same("number of events", row["n"], count)

    def stats(self, world, path, random):
        sums, found = world.sums(), ask_stats(self.binary, path)
        same("stats", found, {key: sums[key] for key in found})
        stats = self.binary.run("stats", path, "--json").json()
        times = [trace.row()["request_time"] for trace in world.traces.values()]
        bounds = {"min_time": time_text(min(times, default=None)), "max_time": time_text(max(times, default=None))}
        bounds["datasets"] = len(world.datasets)
        same("stats", {key: stats[key] for key in bounds}, bounds)

    def dataset(self, world, path, random):
        listed = self.binary.run("dataset", "list", path, "--json").json()
        want = {name: (len(d.versions) - 1, len(d.newest)) for name, d in world.datasets.items()}
        same("datasets", {d["name"]: (d["version"], d["record_count"]) for d in listed}, want)
        name = random.choice(sorted(world.datasets))
        dataset = world.datasets[name]
        version = random.randrange(1, len(dataset.versions)) if len(dataset.versions) > 1 else 0
        options = ["--version", version] if random.random() < 0.5 and version else []
        records = dataset.versions[version] if options else dataset.newest
        got = exported(self.binary.run("dataset", "export", path, name, *options).out)
        same(f"records of {name} {options}", got, records)
        ids = world.newest_first(dataset.trace_ids() & set(world.traces))
        found = self.binary.run("search", path, f"dataset = '{name}'", "--limit", 40_000, "--format", "ids").out.split()
        same(f"traces of dataset {name}", found, ids)
        self.count += 3


def grouped(rows, key, value):
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row[value])
    present = {k: [v for v in values if v is not None] for k, values in groups.items()}
    return {k: (len(values), sum(present[k]) if present[k] else None) for k, values in groups.items()}


def ordered(world, ids, key, way):
    """In the order of a key; what is absent comes last, ties newest first (which `ids` are in)."""
    key = {"duration_ms": "duration_ns"}.get(key, key)
    read = lambda i: world.traces[i].row()[key]
    present = [i for i in ids if read(i) is not None]
    as_bytes = lambda i: read(i).encode() if isinstance(read(i), str) else read(i)
    present = sorted(present, key=as_bytes) if way == "ASC" else sorted(present, key=as_bytes, reverse=True)
    return present + [i for i in ids if read(i) is None]


def assessment_want(record):
    kind, who = record["source"].split(":")
    value = json.dumps(record["value"])
    keys = (record["trace_id"], record.get("span_id"), record["name"], record["type"])
    return (*keys, value, kind, who, record["rationale"], True)


def assessment_got(row):
    value = row["value"]
    value = json.dumps(json.loads(value)) if isinstance(value, str) else json.dumps(value)
    keys = ("trace_id", "span_id", "name", "type")
    return (*[row[key] for key in keys], value, row["source_type"], row["source_id"], row["rationale"], row["valid"])

"""The model of a database: what was acknowledged, and what every question about it has for an answer.

Written from the public description of tables, filter language and text queries, never from the program.
Where the description is silent, this is what is expected:

* a resend counts as a duplicate whatever it holds; an open span that comes after an ended one changes nothing;
* a root without a status makes the trace OK, as in MLflow, once it has ended; so does a top span that decides;
* each file of an import is settled at its end; a trace of which no span has ended is settled by that alone, not by time;
* a deleted trace whose spans are sent again is a new trace, without the tags and assessments it had;
* `untag` removes a tag whoever set it, and it stays removed when spans come in later;
* a trace belongs to the experiment of the import that brought it.
"""

import hashlib
import json

import rules
from spans import spans_of_line
from words import fields_of

MASK = (1 << 64) - 1
# The figures by which the state that a reader sees is known.
SUMS = ("spans", "traces", "states", "errors", "word", "trace_count", "span_count", "assessments")


def digest(*parts):
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def canonical(value):
    return json.dumps(value, sort_keys=True)


class Trace:
    """A trace: its spans by id, what people set, what was said of it."""

    def __init__(self, trace_id, experiment):
        self.id, self.experiment = trace_id, experiment
        self.spans, self.tags, self.assessments, self.is_settled = {}, {}, [], False
        self.row_cache = self.sums_cache = None

    def copy(self):
        twin = Trace(self.id, self.experiment)
        twin.spans, twin.tags, twin.assessments = dict(self.spans), dict(self.tags), list(self.assessments)
        twin.is_settled = self.is_settled
        twin.row_cache, twin.sums_cache = self.row_cache, self.sums_cache
        return twin

    def changed(self):
        self.row_cache = self.sums_cache = None

    def row(self):
        if self.row_cache is None:
            self.row_cache = fold(self)
        return self.row_cache

    def sums(self):
        """What the trace adds to each figure by which a reader's state is known."""
        if self.sums_cache is None:
            row = self.row()
            self.sums_cache = {
                "spans": sum(digest(self.id, span.id, span.number) for span in self.spans.values()) & MASK,
                "traces": digest(self.id, len(self.spans), row["state"], canonical(row["tags"])),
                "states": digest(self.id, row["state"]),
                "errors": digest(self.id) if row["state"] == "ERROR" else 0,
                "word": sum(digest(self.id, span.id) for span in self.spans.values() if has_word(span)) & MASK,
                "trace_count": 1,
                "span_count": len(self.spans),
                "assessments": len(self.assessments),
            }
        return self.sums_cache


# The word that reading processes look for.
WORD = "heron"


def text_fields(span):
    if not hasattr(span, "fields"):
        span.fields = fields_of(span)
    return span.fields


def has_word(span):
    return any(WORD in run for run in text_fields(span)["text"])


def lead(trace):
    """The span that stands for a trace: its root, or its top span while there is none."""
    spans = sorted(trace.spans.values(), key=lambda span: (span.start, span.id))
    root = next((span for span in spans if span.parent is None), None)
    return root or next(span for span in spans if span.parent not in trace.spans)


def fold(trace):
    """The row of a trace."""
    spans = sorted(trace.spans.values(), key=lambda span: (span.start, span.id))
    top = lead(trace)
    own = [top] if rules.ROOTS_SESSION_FIRST else []
    ends = [span.end for span in spans if span.end is not None]
    row = {
        "trace_id": trace.id, "experiment_id": trace.experiment, "state": state_of(trace, top),
        "request_time": spans[0].start, "end_time": max(ends, default=None),
        "session_id": next((span.session for span in own + spans if span.session), None),
        "user_id": next((span.user for span in own + spans if span.user), None),
        "service_name": top.service or next((s.service for s in spans if s.service), None),
        "span_count": len(spans), "error_span_count": sum(span.status == "ERROR" for span in spans),
        "models": sorted({span.model for span in spans if span.model}),
        "inputs": top.inputs, "outputs": top.outputs,
        "tags": tags_of(trace, top),
    }
    row["name"] = row["tags"].get("mlflow.traceName", top.name)
    row["duration_ns"] = None if row["end_time"] is None else row["end_time"] - row["request_time"]
    row.update(usage(trace, spans))
    said = {"mlflow.trace.session": row["session_id"], "mlflow.trace.user": row["user_id"]}
    row["metadata"] = {key: value for key, value in said.items() if value is not None}
    return row


def state_of(trace, top):
    if top.parent is None and top.end is None and top.status == "UNSET":
        return "IN_PROGRESS"
    if top.parent is not None and not top.has_remote_parent and not trace.is_settled:
        return "IN_PROGRESS"
    return "ERROR" if top.status == "ERROR" else "OK"


def tags_of(trace, top):
    tags = {}
    for key, value in top.attributes.items():
        if key.startswith("mlflow.traceTag."):
            tags[key.removeprefix("mlflow.traceTag.")] = value
    tags.update(trace.tags)
    return {key: value for key, value in tags.items() if value is not None}


def usage(trace, spans):
    """Tokens and cost, each counted where no ancestor has one."""
    sums = {}
    for span in spans:
        for group in (("input_tokens", "output_tokens", "total_tokens"), ("cost",)):
            if all(getattr(span, key) is None for key in group):
                continue
            above = trace.spans.get(span.parent)
            while above is not None and all(getattr(above, key) is None for key in group):
                above = trace.spans.get(above.parent)
            for key in group if above is None else ():
                if getattr(span, key) is not None:
                    sums[key] = sums.get(key, 0) + getattr(span, key)
    sums["cost_usd"] = sums.pop("cost", None)
    return {key: sums.get(key) for key in ("input_tokens", "output_tokens", "total_tokens", "cost_usd")}


def steps_of(files):
    """What an import of these files does, step by step: a line comes in; at the end of a file the traces of its
    lines are settled, then all others whose last span ended long ago."""
    steps = []
    for lines, _ in files:
        steps += [("line", [line]) for line in lines] + [("settle", lines), ("settle", None)]
    return steps


class World:
    """Everything that a database holds."""

    def __init__(self):
        self.traces, self.datasets = {}, {}

    def copy(self):
        twin = World()
        twin.traces = {key: trace.copy() for key, trace in self.traces.items()}
        twin.datasets = {name: dataset.copy() for name, dataset in self.datasets.items()}
        return twin

    def sums(self):
        total = dict.fromkeys(SUMS, 0)
        for trace in self.traces.values():
            for key, value in trace.sums().items():
                total[key] = (total[key] + value) & MASK
        return total

    def add_line(self, line, experiment):
        """Applies a line of OTLP: (new spans, duplicates, ids of traces touched), or None for a bad line."""
        spans = spans_of_line(line)
        if spans is None:
            return None
        new = duplicates = 0
        touched = set()
        for span in spans:
            trace = self.traces.setdefault(span.trace_id, Trace(span.trace_id, experiment))
            older = trace.spans.get(span.id)
            new, duplicates = new + (older is None), duplicates + (older is not None)
            if older is None or older.end is None or span.end is not None:
                trace.spans[span.id] = span
                trace.changed()
            touched.add(span.trace_id)
        return new, duplicates, touched

    def touched(self, step):
        """The traces that a step of an import changes."""
        kind, lines = step
        if kind == "line" or lines is not None:
            return {span.trace_id for line in lines for span in spans_of_line(line) or []}
        return {i for i, trace in self.traces.items() if trace.row()["end_time"] is not None}

    def do(self, step, experiment):
        """Carries out a step of an import; of a line, what `add_line` says."""
        kind, lines = step
        if kind == "line":
            return self.add_line(*lines, experiment)
        for trace in (self.traces[i] for i in self.touched(step) if i in self.traces):
            # Settled is what waits; a later piece of another trace, with a remote parent until then, waits anew.
            if trace.row()["state"] == "IN_PROGRESS":
                trace.is_settled = True
                trace.changed()

    def states(self, steps, experiment):
        """The sums after each number of steps, from none to all, with the number of lines that are in."""
        world, total, lines = self.copy(), self.sums(), 0
        states = [dict(total, lines=lines)]
        for step in steps:
            ids = world.touched(step)
            for sign in (-1, 1):
                for trace in (world.traces[i] for i in ids if i in world.traces):
                    for key, value in trace.sums().items():
                        total[key] = (total[key] + sign * value) & MASK
                if sign == -1:
                    world.do(step, experiment)
            lines += step[0] == "line"
            states.append(dict(total, lines=lines))
        return states

    def add_assessment(self, record):
        trace = self.traces.get(record["trace_id"])
        if trace is None:
            return False
        trace.assessments.append(record)
        trace.sums_cache = None
        return True

    def newest_first(self, ids):
        return sorted(ids, key=lambda i: (-self.traces[i].row()["request_time"], i))

    def delete(self, ids):
        return [self.traces.pop(i) for i in ids if i in self.traces]

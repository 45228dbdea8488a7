"""MLflow on Tracehouse beside MLflow on its own SQLite store: the same traces, the same questions, one table.

    PYTHONPATH=PACKAGE python benches/python/mlflow_stores.py load DATA FOLDER [--traces 100000] [--exported 1000]
    PYTHONPATH=PACKAGE python benches/python/mlflow_stores.py ask DATA FOLDER [--rounds 7] [--only WORD]
    PYTHONPATH=PACKAGE python benches/python/mlflow_stores.py serve DATA FOLDER [--rounds 7]

DATA holds `otlp.jsonl`, `assessments.jsonl` and `manifest.json` of the traces' generator. PACKAGE is an installed
package (MLflow finds the store by its entry points) whose native module is built with optimisation.

`load` writes both stores through their methods, each in a process of its own: the first traces as MLflow's exporter
does, five spans a call and a `start_trace`, the others as its server does, one call for each OTLP request. SQLite gets
an `ANALYZE`, without which most searches do not end. What makes MLflow's spans of the file is not counted; CPU is that
of the whole process, the threads of the database included. `ask` has both stores search, in turn, and compares the ids
that they find; times are milliseconds. `serve` starts `mlflow server` on each and turns pages as the list of traces in
its interface does.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import requests

warnings.simplefilter("ignore")

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: E402
from mlflow_spans import assessments_of, info_of, requests_of  # noqa: E402

DAY_MS = 86_400_000
PAGE = 100
DEEP_PAGE = 50
WIDTH = 76
EXPORTED_SPANS = 5  # a call of MLflow's exporter, as it is set when nobody sets it
SERVED_PAGES = 20
NAMES = ("tracehouse", "sqlite")


def uri(name, folder):
    return f"tracehouse:{folder / 'app.traces'}" if name == "tracehouse" else f"sqlite:///{folder / 'mlflow.db'}"


def open_store(name, folder):
    if name == "sqlite":
        return SqlAlchemyStore(uri(name, folder), str(folder / "artifacts"))
    from tracehouse.mlflow.store import TracehouseStore

    return TracehouseStore(uri(name, folder))


# Loading.


class Meter:
    """CPU of the process and wall time of a stage, without what is spent inside `aside`."""

    def __init__(self):
        self.cpu, self.wall = -time.process_time(), -time.perf_counter()

    @contextmanager
    def aside(self):
        cpu, wall = time.thread_time(), time.perf_counter()
        yield
        self.cpu -= time.thread_time() - cpu
        self.wall -= time.perf_counter() - wall

    def end(self, items):
        self.cpu += time.process_time()
        self.wall += time.perf_counter()
        return {"items": items, "cpu_us": self.cpu / items * 1e6, "wall_us": self.wall / items * 1e6}


def taken(batches, meter, traces, known):
    """The spans and the roots of each request until so many traces are there, whose ids become known.

    Making them is not counted.
    """
    left = traces
    while left > 0:
        with meter.aside():
            spans = next(batches, None)
            if spans is None:
                return
            roots = [span for span in spans if span.parent_id is None]
            roots = roots[:left]
            own = {root.trace_id for root in roots}
            spans = [span for span in spans if span.trace_id in own]
            known |= own
            left -= len(roots)
        yield spans, roots


def load_exported(store, batches, traces, known):
    meter, count = Meter(), 0
    for spans, roots in taken(batches, meter, traces, known):
        with meter.aside():
            infos = [info_of(root) for root in roots]
        for start in range(0, len(spans), EXPORTED_SPANS):
            store.log_spans("1", spans[start : start + EXPORTED_SPANS])
        for info in infos:
            store.start_trace(info)
        count += len(spans)
    return meter.end(count)


def load_requests(store, batches, traces, known):
    meter, count = Meter(), 0
    for spans, _ in taken(batches, meter, traces, known):
        store.log_spans("1", spans)
        count += len(spans)
        print(f"\r{count:,} spans", end="", file=sys.stderr, flush=True)
    return meter.end(count)


def analyze(folder):
    """Gives SQLite's planner its figures, which MLflow does not.

    Without them it looks for the spans of a trace by their experiment: with 30,000 traces a search for a rare word does
    not end within ten minutes.
    """
    with sqlite3.connect(folder / "mlflow.db") as connection:
        connection.execute("ANALYZE")
    connection.close()


def load_assessments(store, data, known):
    given = assessments_of(data, known)
    meter = Meter()
    for assessment in given:
        store.create_assessment(assessment)
    return meter.end(len(given))


def load(options):
    """Fills the store that `--store` names, or both, each in a process of its own."""
    if options.store is None:
        for name in NAMES:
            subprocess.run([sys.executable, *sys.argv, "--store", name], check=True)
        return
    store = open_store(options.store, options.folder)
    store.create_experiment("one")
    batches, known = requests_of(options.data), set()
    figures = {"exporter, a span": load_exported(store, batches, options.exported, known)}
    left = options.traces - options.exported
    figures["OTLP requests, a span"] = load_requests(store, batches, left, known)
    figures["assessments, one"] = load_assessments(store, options.data, known)
    if options.store == "sqlite" and not options.as_created:
        analyze(options.folder)
    (options.folder / f"load-{options.store}.json").write_text(json.dumps(figures, indent=1))


def show_load(folder):
    ours, theirs = (json.loads((folder / f"load-{name}.json").read_text()) for name in NAMES)
    for stage, mine in ours.items():
        for measure in ("cpu_us", "wall_us"):
            show(f"{stage} ({measure}, {mine['items']:,})", mine[measure], theirs[stage][measure], "")


def head():
    print(f"{'':{WIDTH}} {'tracehouse':>10} {'sqlite':>10} {'ratio':>9}")


def show(name, ours, theirs, remark):
    print(f"{name[:WIDTH]:{WIDTH}} {ours:10.2f} {theirs:10.2f} {theirs / ours:8.1f}x  {remark}", flush=True)


# Asking.

# Behind `#` what asks MLflow's store the same: there `=` holds for no attribute.
QUESTIONS = """\
text trace.text LIKE '%{needle1}%'
text span.content LIKE '%{needle10}%'
text span.content ILIKE '%{needle10}%'
text trace.text LIKE '%{needle1000}%'
text trace.text LIKE '%{phrase}%'
text trace.text LIKE '%qwertzuiopyx%'
text trace.text LIKE '%{common}%'
text trace.text LIKE '%{needle1000}%' AND tags.env = 'prod' AND {week}
attribute span.attributes.db.collection.name = 'kb_legal' # span.attributes.db.collection.name RLIKE '^kb_legal$'
attribute span.attributes.db.collection.name LIKE '%kb_legal%'
attribute span.attributes.db.collection.name RLIKE '^kb_legal$'
attribute span.attributes.gen_ai.request.model = '{model}' # span.attributes.gen_ai.request.model RLIKE '^{model}$'
attribute span.attributes.gen_ai.request.model LIKE '%gpt-4%'
attribute span.attributes.db.collection.name = 'kb_none' # span.attributes.db.collection.name RLIKE '^kb_none$'
list ORDER BY timestamp_ms DESC
tag tags.env = 'prod'
tag tags.release = '1.1.0' AND tags.team = 'search'
tag tags.env != 'prod'
tag tags.release LIKE '1.1%'
tag tags.env IS NULL
metadata metadata.`mlflow.trace.session` = '{session}'
metadata metadata.`mlflow.trace.user` = '{user}'
status status = 'ERROR' AND {week}
status status = 'ERROR'
time {week}
duration execution_time_ms > 5000 AND tags.env = 'prod'
duration execution_time_ms > 30000
span span.name = 'refund_payment'
span span.type = 'TOOL' AND span.status = 'ERROR'
span span.name = 'web_search' AND tags.env = 'prod' AND status = 'ERROR'
feedback feedback.correctness = 'false'
feedback feedback.helpfulness > 3
feedback feedback.correctness IS NULL
expectation expectation.expected_response IS NOT NULL
order ORDER BY timestamp_ms ASC
order ORDER BY execution_time_ms DESC
order ORDER BY end_time_ms DESC
order ORDER BY status ASC
order ORDER BY tag.team ASC
order ORDER BY metadata.`mlflow.trace.session` ASC
order status = 'ERROR' ORDER BY execution_time_ms DESC
"""


def questions(data):
    """Group, filter, order and the filter that asks MLflow's store the same, of each line of the questions."""
    told = json.loads((data / "manifest.json").read_text())
    begin, end = (told["base_ms"] + day * DAY_MS for day in (1, 8))
    week = f"timestamp_ms >= {begin} AND timestamp_ms < {end}"
    known = {"session": told["session"], "user": told["user"], "week": week, "model": "mistral-large"}
    for line in QUESTIONS.format(**told["words"], **known).splitlines():
        group, asked = line.split(None, 1)
        asked, _, theirs = asked.partition(" # ")
        filter, _, order = asked.partition("ORDER BY ")
        yield group, filter.strip(), [order] if order else [], theirs or filter.strip()


def asked(store, filter, order, token=None):
    before = time.perf_counter()
    found, next_token = store.search_traces(
        locations=["1"], filter_string=filter, order_by=order, max_results=PAGE, page_token=token
    )
    return (time.perf_counter() - before) * 1e3, [info.trace_id for info in found], next_token


def compared(group, name, calls, rounds):
    """Both stores in turn, each once before it counts; the medians of the milliseconds, and a line of the table."""
    answers = [call()[1] for call in calls]
    times = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            taken_ms, ids, _ = calls[side]()
            times[side].append(taken_ms)
            assert ids == answers[side]
    ours, theirs = (statistics.median(one) for one in times)
    same = "same" if answers[0] == answers[1] else f"DIFFER {len(answers[0])} {len(answers[1])}"
    show(f"{group} {name}", ours, theirs, f"{same}, {len(answers[0])}")
    return group, theirs / ours


def deep(store, filter):
    """The token of a deep page."""
    token = None
    for _ in range(DEEP_PAGE - 1):
        *_, token = asked(store, filter, [], token)
    return token


def read(store, trace_ids):
    before = time.perf_counter()
    found = store.batch_get_traces(trace_ids)
    spans = [span.span_id for trace in found for span in trace.data.spans]
    return (time.perf_counter() - before) * 1e3, spans, None


def calls_of(stores, data):
    """What is compared: group, name and a call for each store."""
    for group, filter, order, theirs in questions(data):
        calls = [lambda s=s, f=f, o=order: asked(s, f, o) for s, f in zip(stores, (filter, theirs), strict=True)]
        yield group, f"{filter} {order[0] if order else ''}".strip(), calls
    for filter in ("", "tags.env = 'prod'"):
        tokens = [deep(store, filter) for store in stores]
        calls = [lambda s=s, t=t, f=filter: asked(s, f, [], t) for s, t in zip(stores, tokens, strict=True)]
        yield "deep", f"page {DEEP_PAGE}: {filter}", calls
    ids = asked(stores[0], "", [])[1]
    for count in (1, 10, PAGE):
        yield "spans", f"batch_get_traces of {count}", [lambda s=s, n=count: read(s, ids[:n]) for s in stores]


def ask(options):
    stores = [open_store(name, options.folder) for name in NAMES]
    head()
    show_load(options.folder)
    ratios = []
    for group, name, calls in calls_of(stores, options.data):
        if options.only in f"{group} {name}":
            ratios.append(compared(group, name, calls, options.rounds))
    for group in dict.fromkeys(group for group, _ in ratios):
        print(f"{group:{WIDTH}} median {statistics.median(r for g, r in ratios if g == group):14.1f}x")
    searched = [ratio for group, ratio in ratios if group != "spans"]
    print(f"{'all searches':{WIDTH}} median {statistics.median(searched):14.1f}x")


# Serving.


@contextmanager
def served(name, folder, workers):
    """The address of `mlflow server` on a store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri(name, folder)]
    command += ["--port", str(port), "--workers", str(workers)]
    with (folder / f"server-{name}.log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                requests.get(f"{address}/health", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def turned(session, address):
    """The milliseconds and the ids of each of the first pages of the list."""
    token = None
    for _ in range(SERVED_PAGES):
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}
        body = {"locations": [location], "filter": "", "max_results": PAGE, "order_by": ["timestamp_ms DESC"]}
        if token:
            body["page_token"] = token
        before = time.perf_counter()
        answer = session.post(f"{address}/ajax-api/3.0/mlflow/traces/search", json=body, timeout=60)
        told = answer.json()
        yield (time.perf_counter() - before) * 1e3, [trace["trace_id"] for trace in told["traces"]]
        token = told.get("next_page_token")


def serve(options):
    sides = []
    with (
        served(NAMES[0], options.folder, options.workers) as ours,
        served(NAMES[1], options.folder, options.workers) as theirs,
    ):
        sessions = [(requests.Session(), address) for address in (ours, theirs)]
        first = [list(turned(*side)) for side in sessions]
        for number in range(options.rounds):
            pair = [list(turned(*side)) for side in (sessions if number % 2 else sessions[::-1])]
            sides.append(pair if number % 2 else pair[::-1])
    head()
    for page in range(SERVED_PAGES):
        mine, their = (statistics.median(pair[side][page][0] for pair in sides) for side in (0, 1))
        same = first[0][page][1] == first[1][page][1]
        show(f"the list by HTTP, page {page + 1} (ms)", mine, their, "same" if same else "DIFFER")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("load", "ask", "serve"))
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--exported", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--store", choices=NAMES)
    parser.add_argument("--as-created", action="store_true", help="SQLite without ANALYZE")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    {"load": load, "ask": ask, "serve": serve}[options.stage](options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""MLflow's own SQL store (SQLite) and Tracehouse over the same traces: the same ids, and how fast.

Install (Linux, Python 3.10 or later). The wheel of 3.18.0 pins two sub-packages that stop at 3.17.2
in the index, but holds their code itself, so it goes in without dependencies after those of 3.17.2:

    python3 -m venv mlvenv
    mlvenv/bin/pip install mlflow==3.17.2
    mlvenv/bin/pip uninstall -y mlflow-skinny mlflow-tracing
    mlvenv/bin/pip install --no-deps --force-reinstall mlflow==3.18.0
    cargo build --release -p tracehouse-peer

Run:

    mlvenv/bin/python benches/peers/mlflow_compare.py --peer target/release/tracehouse-peer
        [--traces 3000] [--seed 7]      traces it makes itself, or
        [--data DIR]                    DIR/otlp.jsonl (a request a line), DIR/assessments.jsonl (MLflow's form)
                                        (roots need the attribute mlflow.traceTag.mlflow.traceName: MLflow takes no name from a span)
        [--rounds 5] [--json FILE] [--markdown FILE] [--work DIR] [--only TEXT] [--no-time]

What it does: both stores load the same lines, MLflow as its OTLP endpoint does, without HTTP; then the
same tags are set, traces deleted. Every filter runs on both: the first 100 ids, in order, and all pages
(of 1,000) must be equal. Then both are timed, alternating, first page of 100, infos without spans, medians.
Tracehouse's time includes its process's pipe and JSON; MLflow's is a call in process. ANALYZE is run on
MLflow's database after the load: without it SQLite's plans for span filters do not end.

What it prints: mismatches with both answers, listed differences (see LISTED; they do not count), rows
of the two stores that differ beyond filters, and the ratio MLflow / Tracehouse as a Markdown table. Exit
code 1 when a filter outside LISTED differs. It cannot reach, as the protocol has no call for them:
start_trace (metadata, client ids), run links, prompt links; their keys run where nothing matches.
"""
import argparse, collections, json, logging, math, os, random, shutil, statistics, subprocess, sys, tempfile, time, warnings

PAGE, WALK = 100, 1000
BASE_MS = 1_770_000_000_000


# -- traces ------------------------------------------------------------------------------------------
WORDS = """refund policy order invoice shipping delay customer account password reset balance transfer weather flight hotel
booking museum recipe garlic pasta kernel thread deadlock mutex segment index vector retrieval embedding ranking tokenizer prompt answer
question summary translate contract clause liability damage insurance claim doctor symptom dosage tablet allergy sensor voltage battery
charger satellite orbit telescope glacier harvest tractor orchard violin sonata opera theatre ticket refundable naïve café Größe señor""".split()
ODD = ['he said "hello there"', "it's 100% sure", "50%_off today", "日本語のテキスト", "line one\nline two", "C:\\temp\\x", "a/b <tag> & more",
       "emoji 🚀 launch", "ÜBERMUT tut gut", "tab\tseparated", "{\"nested\": \"json\"}", "curly {braces} [brackets]"]
NAMES = ["checkout agent", "support-bot", "Support-Bot", "summarise", "translate_doc", "rag.query", "it's done", "100%_done", "Größe berechnen",
         "日本語 agent", 'say "hi"', "nightly/eval"]
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-sonnet", "house-model-1", "Mistral-Large"]
TOOLS = ["search_docs", "get_weather", "refund_order", "sql_query", "Calculator"]


def value(v):
    if isinstance(v, bool): return {"boolValue": v}
    if isinstance(v, int): return {"intValue": str(v)}
    if isinstance(v, float): return {"doubleValue": v}
    if isinstance(v, list): return {"arrayValue": {"values": [value(x) for x in v]}}
    return {"stringValue": v}


def dump(v): return json.dumps(v, ensure_ascii=False)


class Trace:
    """A made trace: its spans, and what was said of it. All of it follows from `rnd`."""

    def __init__(self, rnd, i):
        self.rnd, self.spans, self.session = rnd, [], None
        self.tid = f"{rnd.getrandbits(128):032x}"
        self.start = (BASE_MS + i * 61_000 + rnd.randrange(60_000)) * 1_000_000 + rnd.randrange(1_000_000)
        self.duration = int(min(rnd.lognormvariate(7, 1.3), 90_000) * 1e6)

    def text(self, n):
        rnd = self.rnd
        return " ".join(rnd.choice(ODD) if rnd.random() < 0.04 else rnd.choice(WORDS) for _ in range(n))

    def span(self, name, kind, parent, begin, length, attributes, status=0, message="", events=()):
        sid = f"{self.rnd.getrandbits(64):016x}"
        if kind: attributes["mlflow.spanType"] = kind
        s = {"traceId": self.tid, "spanId": sid, "name": name, "kind": 1, "startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + length),
             "attributes": [{"key": k, "value": value(v)} for k, v in attributes.items()],
             "status": {"code": status, **({"message": message} if message else {})}}
        if parent: s["parentSpanId"] = parent
        if events: s["events"] = list(events)
        self.spans.append(s)
        return sid

    def fill(self, count):
        """The root and its steps; `count` traces are made."""
        rnd, text = self.rnd, self.text
        name, env = rnd.choice(NAMES), rnd.choices(["prod", "staging", "dev", "Prod", "it's", None], [45, 20, 15, 8, 4, 8])[0]
        self.session = f"s-{rnd.randrange(count // 12 + 1)}" if rnd.random() < 0.45 else None
        user = rnd.choice(["ana", "bob", "Ana", "josé", "u%_1"]) if rnd.random() < 0.2 else f"user-{rnd.randrange(60)}" if rnd.random() < 0.6 else None
        fails, question = rnd.random() < 0.12, text(12)
        root = {"mlflow.spanInputs": dump({"question": question} if rnd.random() < 0.6 else {"messages": [{"role": "system", "content": "be brief"},
            {"role": "user", "content": question}]}),
                "mlflow.spanOutputs": dump(text(18)), "mlflow.traceTag.mlflow.traceName": name, "app.version": rnd.choice(["1.9.0", "2.0.1", "2.1.0-rc1"])}
        if rnd.random() < 0.07: del root["mlflow.spanOutputs"]
        if self.session: root["session.id"] = self.session
        if user: root["user.id"] = user
        tags = {"env": env, "my team": rnd.choice(["search", "billing", "größe", "50%_off"]), "a.b": "dot" if rnd.random() < 0.3 else None,
                "release": f"v{rnd.randrange(1, 4)}.{rnd.randrange(10)}", "priority": str(rnd.randrange(1, 6)) if rnd.random() < 0.15 else None,
                "group": rnd.choice(["x", "y"]) if rnd.random() < 0.5 else None, "note": rnd.choice(ODD) if rnd.random() < 0.1 else None}
        root.update({f"mlflow.traceTag.{k}": v for k, v in tags.items() if v is not None})
        rid = self.span(name, rnd.choice(["AGENT", "CHAIN"]), None, self.start, self.duration, root, 2 if fails else rnd.choice([0, 1]),
            "agent failed: " + rnd.choice(WORDS) if fails else "")
        for step in range(rnd.randrange(1, 6)): self.step(rid, step, question)

    def step(self, rid, step, question):
        rnd, text, span = self.rnd, self.text, self.span
        begin, length = self.start + self.duration * step // 7, self.duration // 7 + rnd.randrange(1_000_000)
        what = rnd.random()
        if what < 0.45:
            a, b, model = rnd.randrange(20, 3000), rnd.randrange(5, 900), rnd.choice(MODELS)
            at = {"gen_ai.request.model": model, "gen_ai.usage.input_tokens": a, "gen_ai.usage.output_tokens": b,
                "gen_ai.request.temperature": rnd.choice([0.0, 0.7, 1.0]),
                  "stream": rnd.random() < 0.5, "stop": ["END", "\n\n"], "mlflow.spanInputs": dump({"prompt": question + " " + text(20)}),
                  "mlflow.spanOutputs": dump({"completion": text(25)})}
            at["mlflow.llm.cost"] = dump({"input_cost": a / 2 ** 20, "output_cost": b / 2 ** 18, "total_cost": a / 2 ** 20 + b / 2 ** 18})
            span("llm_call" if rnd.random() < 0.8 else "LLM_Call", rnd.choice(["LLM", "CHAT_MODEL"]), rid, begin, length, at, 1)
        elif what < 0.75:
            bad, tool = rnd.random() < 0.15, rnd.choice(TOOLS)
            ev = [{"name": "exception", "timeUnixNano": str(begin + length), "attributes": [{"key": "exception.type", "value": value("TimeoutError")},
                {"key": "exception.message", "value": value("no answer from " + tool)}]}] if bad else ()
            span(tool, "TOOL", rid, begin, length, {"tool.arguments": dump({"q": text(3)}), "retries": rnd.randrange(4),
                "db.system": rnd.choice(["postgresql", "sqlite"]),
                 "mlflow.spanInputs": dump({"q": text(4)}), "mlflow.spanOutputs": dump([text(6), rnd.randrange(100)])}, 2 if bad else 1,
                 "tool failed" if bad else "", ev)
        elif what < 0.78:     # a span of another convention
            span("rerank", None, rid, begin, length, {"openinference.span.kind": "RERANKER", "input.value": dump({"query": "passages about " + text(2)}),
                "output.value": text(4)}, 1)
        elif what < 0.93:
            span("retrieve", "RETRIEVER", rid, begin, length, {"mlflow.spanInputs": dump(question),
                "mlflow.spanOutputs": dump([{"page_content": text(20), "metadata": {"source": f"doc{rnd.randrange(50)}.md"}}]),
                "top_k": rnd.choice([3, 5, 10])}, 1)
        else:
            span("parse output", None if rnd.random() < 0.5 else "PARSER", rid, begin, length, {"note": text(2)}, 0)

    def requests(self):
        """What is sent of it, and what comes late."""
        rnd, spans = self.rnd, self.spans
        kind = rnd.random()
        resource = {"service.name": rnd.choice(["shop", "help-desk", "batch"]), "deployment.environment.name": "eu-1"}
        block = lambda some: {"resource": {"attributes": [{"key": k, "value": value(x)} for k, x in resource.items()]},
                              "scopeSpans": [{"scope": {"name": "app"}, "spans": some}]}
        if kind < 0.03 and len(spans) > 1: return [block(spans[1:])], []      # the root never arrives
        if kind < 0.13 and len(spans) > 2: return [block(spans[2:])], [block(spans[:2])]      # the root comes late
        return [block(spans[1:] + spans[:1])], []

    def judge(self, judged):
        """Says something of it at times."""
        rnd, text, session = self.rnd, self.text, self.session

        def judge(kind, name, v, source=("HUMAN", "ana"), **more):
            aid = f"a-{rnd.getrandbits(128):032x}"
            ms = self.start // 1_000_000 + 60_000 + len(judged)
            judged.append({"assessment_id": aid, "trace_id": "tr-" + self.tid, "assessment_name": name,
                           "source": {"source_type": source[0], "source_id": source[1]},
                           "create_time_ms": ms, **({"type": "issue"} if kind == "issue" else {kind: {"value": v}}), **more})
            return aid
        if rnd.random() < 0.5: judge("feedback", "score", rnd.choice([0, 1, 5, 0.25, 0.5, 0.9, 0.9, "0.9", "n/a", True, None]), ("LLM_JUDGE", "judge-1"),
            rationale="because")
        if rnd.random() < 0.1: judge("feedback", "score", rnd.choice([0.1, 0.75, 3]), ("CODE", "checks"))
        if rnd.random() < 0.3: judge("feedback", "correctness", rnd.choice([True, True, False, "yes", "no", "true"]))
        if rnd.random() < 0.15: judge("feedback", "labels", rnd.choice([["a", "b"], ["b"], [], {"k": 1}, {"k": "v w", "z": [1, None]}]))
        if rnd.random() < 0.15: judge("feedback", "comment", rnd.choice(["very good", 'quotes "inside"', "it's bad", "schön", "50%_off", "", "two\nlines"]))
        if rnd.random() < 0.05: judge("feedback", "my score", rnd.randrange(10))
        if rnd.random() < 0.2: judge("expectation", "expected_response", rnd.choice([text(3), "abc", {"x": 1}, ["p", "q"], 42, 1.5, True]))
        if rnd.random() < 0.1: judge("expectation", "expected_facts", [text(2), text(2)])
        if rnd.random() < 0.04: judge("issue", rnd.choice(["iss-1", "iss-2"]), None)
        if rnd.random() < 0.12:     # overridden: the first of the two is no longer valid
            first = judge("feedback", "relevance", rnd.choice(["no", "maybe"]), valid=False)
            judge("feedback", "relevance", "yes", overrides=first)
        if rnd.random() < 0.05:
            judge("feedback", "flaky_judge", None, ("LLM_JUDGE", "judge-2"))
            judged[-1]["feedback"]["error"] = {"error_code": "TIMEOUT", "error_message": "no verdict"}
        if session and rnd.random() < 0.05: judge("feedback", "session_tone", rnd.choice(["warm", "cold"]), **{"mlflow.trace.session": session})
        if session and rnd.random() < 0.05: judge("feedback", "session_goal", rnd.choice(["reached", "missed"]),
            **{"metadata": {"mlflow.trace.session": session}})


def make(path, count, seed):
    """Writes otlp.jsonl and assessments.jsonl."""
    rnd = random.Random(seed)
    requests, late, judged = [], [], []
    for i in range(count):
        trace = Trace(rnd, i)
        trace.fill(count)
        now, later = trace.requests()
        requests += now
        late += later
        trace.judge(judged)
    with open(os.path.join(path, "otlp.jsonl"), "w") as f:
        for some in (requests, late):
            for i in range(0, len(some), 20): f.write(json.dumps({"resourceSpans": some[i:i + 20]}, ensure_ascii=False) + "\n")
    with open(os.path.join(path, "assessments.jsonl"), "w") as f: f.writelines(json.dumps(a) + "\n" for a in judged)


# -- the two stores ----------------------------------------------------------------------------------
class Mlflow:
    def __init__(self, path):
        os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false")
        warnings.filterwarnings("ignore")
        logging.getLogger("alembic").setLevel(logging.ERROR)
        import mlflow
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        self.version, self.file = mlflow.__version__, os.path.join(path, "mlflow.db")
        self.store = SqlAlchemyStore("sqlite:///" + self.file, os.path.join(path, "art"))
        self.experiment = self.store.create_experiment("compare")

    def load(self, otlp, assessments):
        from mlflow.server import otel_api as o
        for line in open(otlp, "rb"):
            request = o.ExportTraceServiceRequest()
            o.ParseJsonProto(o._convert_otlp_json_ids_to_base64(line), request, ignore_unknown_fields=True)
            spans = []
            for rs in request.resource_spans:
                for ss in rs.scope_spans:
                    for proto in ss.spans:
                        s = o.Span.from_otel_proto(proto, resource=rs.resource)
                        s._span._attributes = o.strip_otlp_double_encoding(s._span._attributes)
                        spans.append(s)
            self.store.log_spans(self.experiment, spans)
        for line in open(assessments): self.store.create_assessment(self.assessment(json.loads(line)))
        import sqlite3
        with sqlite3.connect(self.file) as c: c.execute("ANALYZE")

    @staticmethod
    def assessment(d):
        from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback, IssueReference
        more = d.get("metadata") or {k: d[k] for k in ("mlflow.trace.session",) if k in d} or None      # in MLflow's form, or beside the other members
        common = dict(source=AssessmentSource(**d["source"]), trace_id="tr-" + d["trace_id"].removeprefix("tr-"), create_time_ms=d["create_time_ms"],
                      last_update_time_ms=d["create_time_ms"], metadata=more, rationale=d.get("rationale"))
        if d.get("type") == "issue":
            common.pop("rationale")
            a = IssueReference(issue_id=d["assessment_name"], issue_name="issue", **common)
        elif "expectation" in d:
            common.pop("rationale")
            a = Expectation(name=d["assessment_name"], value=d["expectation"]["value"], **common)
        else:
            error = d["feedback"].get("error")
            a = Feedback(name=d["assessment_name"], value=d["feedback"]["value"], error=AssessmentError(**error) if error else None,
                overrides=d.get("overrides"), **common)
        a.assessment_id = d["assessment_id"]
        return a

    def set_tag(self, ids, key, text):
        for i in ids: self.store.set_trace_tag("tr-" + i, key, text)

    def delete(self, ids): self.store.delete_traces(self.experiment, trace_ids=["tr-" + i for i in ids])

    def page(self, text, order, limit=PAGE, token=None):
        return self.store.search_traces(locations=[self.experiment], filter_string=text, max_results=limit, order_by=order, page_token=token)

    def ids(self, text, order): return [t.trace_id[3:] for t in self.page(text, order)[0]]

    def all(self, text, order):
        found, token = [], None
        while True:
            page, token = self.page(text, order, WALK, token)
            found += page
            if not token: return found


class Tracehouse:
    def __init__(self, binary, path):
        self.p = subprocess.Popen([binary, os.path.join(path, "db.traces")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, op, **more):
        self.p.stdin.write(json.dumps({"op": op, **more}).encode() + b"\n")
        self.p.stdin.flush()
        answer = json.loads(self.p.stdout.readline())
        if not answer["ok"]: raise RuntimeError(answer["error"])
        return answer

    def load(self, otlp, assessments): self.call("load", otlp=otlp, assessments=assessments)
    def set_tag(self, ids, key, text): self.call("set_tag", trace_ids=ids, key=key, value=text)
    def delete(self, ids): self.call("delete", trace_ids=ids)
    def page(self, text, order, limit=PAGE, offset=0): return self.call("search", filter=text, order_by=order, limit=limit, offset=offset)["traces"]
    def ids(self, text, order): return [t["trace_id"] for t in self.page(text, order)]

    def all(self, text, order):
        found = []
        while True:
            page = self.page(text, order, WALK, len(found))
            found += page
            if len(page) < WALK: return found

    def close(self):
        self.call("close")
        self.p.wait()


# -- filters -----------------------------------------------------------------------------------------
def vocabulary(otlp, assessments):
    """What the data says, most frequent first: the filters are made of it."""
    v, spans = collections.defaultdict(collections.Counter), 0
    scalar = lambda x: next((x[k] for k in ("stringValue", "intValue", "doubleValue", "boolValue") if k in x), None)
    for line in open(otlp):
        for rs in json.loads(line)["resourceSpans"]:
            for ss in rs["scopeSpans"]:
                for s in ss["spans"]:
                    spans += 1
                    v["span.name"][s["name"]] += 1
                    at = {a["key"]: scalar(a["value"]) for a in s.get("attributes", [])}
                    for k, x in at.items():
                        if k == "mlflow.spanType": v["type"][x] += 1
                        elif k == "session.id": v["session"][x] += 1
                        elif k == "user.id": v["user"][x] += 1
                        elif k == "mlflow.traceTag.mlflow.traceName": v["name"][x] += 1
                        elif k.startswith("mlflow.traceTag."): v["tag:" + k[16:]][x] += 1; v["tags"][k[16:]] += 1
                        elif isinstance(x, str) and not k.startswith("mlflow."): v["attr:" + k][x] += 1; v["attrs"][k] += 1
                    if not s.get("parentSpanId"):
                        v["trace"][s["traceId"]] += 1
                        ms = int(s["startTimeUnixNano"]) // 1_000_000
                        v["ms"][ms] += 1
                        v["duration"][int(s["endTimeUnixNano"]) // 1_000_000 - ms] += 1
    for line in open(assessments):
        d = json.loads(line)
        kind = "expectation" if "expectation" in d else "issue" if d.get("type") == "issue" else "feedback"
        v[kind + "s"][d["assessment_name"]] += 1
        if kind != "issue": v[f"{kind}:{d['assessment_name']}"][json.dumps(d[kind]["value"])] += 1
    return v, spans


def quoted(text): return f'"{text}"' if "'" in text else f"'{text}'"


class Cases:
    """Filters with their orders, each once, and what they are made of: `v` is what the data says."""

    def __init__(self, v, rnd):
        self.v, self.rnd, self.out = v, rnd, []
        self.times, self.spent, self.traces = sorted(v["ms"]), sorted(v["duration"].elements()), sorted(v["trace"])

    def add(self, text, order=None):
        if (text, order) not in self.out: self.out.append((text, order))

    def top(self, key, n): return [x for x, _ in self.v[key].most_common(n)]

    def ends(self, key, n):
        """The most frequent and the rarest."""
        return list(dict.fromkeys(self.top(key, n) + [x for x, _ in self.v[key].most_common()[-n:]]))


def plain(texts): return [x for x in texts if x and '"' not in x]


def at(some, share): return some[min(len(some) - 1, int(len(some) * share))]


def status_and_ids(c):
    """Every operator, and prefixes of the status."""
    add, rnd, traces = c.add, c.rnd, c.traces
    for p in ("status", "trace.status", "attributes.status", "attribute.status"): add(f"{p} = 'OK'")
    for text in ("= 'ERROR'", '= "ERROR"', "= 'IN_PROGRESS'", "= 'error'", "!= 'OK'", "!= 'ERROR'", "IN ('ERROR', 'IN_PROGRESS')", "IN ('OK')",
                 "NOT IN ('OK')", "LIKE 'E%'", "LIKE '%R_R'", "LIKE 'e%'", "ILIKE 'e%'", "ILIKE '%_progress'", "RLIKE '^(OK|IN)'", "RLIKE 'R{2}'",
                 "RLIKE 'error'"): add(f"status {text}")
    # Ids.
    some = rnd.sample(traces, 4)
    for text in (f"request_id = 'tr-{some[0]}'", f"trace.request_id = 'tr-{some[1]}'", f"request_id IN ({', '.join(repr('tr-' + t) for t in some)})",
                 "request_id = 'tr-none'"): add(text)
    for text in (f"request_id != 'tr-{some[0]}'", f"request_id NOT IN ('tr-{some[0]}', 'tr-{some[1]}')", "request_id LIKE 'tr-0%'",
                 "request_id LIKE '%ff'", "request_id ILIKE 'TR-A%'", "request_id RLIKE '^tr-[0-3]'", "request_id RLIKE 'aa|bb'"): add(text)
    for text in ("= 'c-1'", "!= 'c-1'", "IN ('c-1')", "NOT IN ('c-1')", "LIKE '%'", "ILIKE 'C%'", "RLIKE '.'"): add(f"client_request_id {text}")


def times_of_traces(c):
    add, times, spent = c.add, c.times, c.spent
    for share in (0.02, 0.5, 0.97): add(f"timestamp >= {at(times, share)}"); add(f"timestamp_ms < {at(times, share)}")
    for text in (f"timestamp_ms = {at(times, 0.3)}", f"timestamp != {at(times, 0.3)}",
                 f"timestamp > {at(times, 0.4)} AND timestamp <= {at(times, 0.6)}", f"trace.timestamp_ms >= {at(times, 0.999)}",
                 f"attributes.timestamp > {at(times, 0.9)}", f"timestamp_ms > '{at(times, 0.9)}'", "timestamp > -5", "timestamp < 0",
                 f"timestamp_ms <= {times[0]}", f"timestamp>{at(times, .95)}"): add(text)
    for key in ("execution_time", "execution_time_ms"):
        for share, op in ((0.02, "<"), (0.5, ">"), (0.9, ">="), (0.99, ">"), (0.1, "<="), (0.5, "="), (0.25, "!=")): add(f"{key} {op} {at(spent, share)}")
    for text in ("trace.execution_time_ms > 5000", "execution_time > '5000'", "execution_time >= 1000 AND execution_time < 2000",
                 "execution_time > 'abc'", "execution_time < 0"): add(text)
    add("execution_time_ms > 1500.5"); add("execution_time_ms > 1e4")
    for key in ("end_time", "end_time_ms", "trace.end_time"): add(f"{key} >= {at(times, 0.9) + 777}"); add(f"{key} < {at(times, 0.1) + 777}")
    add(f"end_time != {at(times, .5)}"); add(f"end_time_ms > {at(times, .5)} AND timestamp < {at(times, .5)}"); add(f"end_time <= {at(times, .01)}")


def names(c):
    add, top, ends = c.add, c.top, c.ends
    for n in plain(ends("name", 20)): add(f"name = {quoted(n)}")
    for n in plain(top("name", 3)):
        for text in (f"name != {quoted(n)}", f"name LIKE {quoted(n[:4] + '%')}", f"name ILIKE {quoted('%' + n[1:].upper())}",
                     f"tags.mlflow.traceName = {quoted(n)}", f"tag.`mlflow.traceName` LIKE {quoted('%' + n[2:])}"): add(text)
    for text in ("name = 'say \"hi\"'", "name LIKE '100%'", "name LIKE '100\\%%'", "name LIKE '%_done'", "name ILIKE 'SUPPORT%'",
                 "name RLIKE '^[sS]upport'", "name RLIKE 't$'", "name RLIKE '\\w+/\\w+'", "name RLIKE '^(?!nightly)'", "name RLIKE '('",
                 "name RLIKE 'agent|bot'", "name IS NULL", "name IS NOT NULL", "tags.mlflow.traceName IS NULL", "trace.name = 'support-bot'",
                 "attribute.name LIKE '%語%'", "name LIKE '___________'", "name LIKE '%'", "name LIKE ''", "name = ''"): add(text)


def tags(c):
    add, top, ends = c.add, c.top, c.ends
    for k in top("tags", 8):
        key = f"`{k}`" if " " in k else k
        values = plain(ends("tag:" + k, 2))
        for x in values: add(f"tags.{key} = {quoted(x)}")
        if not values: continue
        x = values[0]
        for text in (f"tag.{key} != {quoted(x)}", f"tags.{key} IS NULL", f"tag.{key} IS NOT NULL", f"tags.{key} LIKE {quoted(x[:2] + '%')}",
                     f"tags.{key} ILIKE {quoted('%' + x[1:].upper() if x.isascii() else '%' + x[1:])}",
                     f"tags.{key} RLIKE {quoted('^.' + (x[1] if x[1:2].isalnum() else '.'))}"): add(text)
    for text in ("tags.\"my team\" = 'search'", "tags.'my team' = 'search'", "tags.missing = 'x'", "tags.missing != 'x'", "tags.missing IS NULL",
                 "tags.reviewed = 'yes'", "tags.reviewed IS NULL", "tag.env = 'prod' AND tag.env != 'Prod'", "tags.env = 'prod' AND tags.env = 'dev'",
                 "tags.env ILIKE 'PROD'", "tags.env LIKE 'prod' AND tags.group = 'x'", "tags.note LIKE '%\"hello%'", "tags.note LIKE '%\\%'",
                 "tags.note LIKE '%日本%'", "tags.release RLIKE '^v[12]\\.[0-4]$'", "tags.priority = '5'", "tags.env LIKE \"it's\"",
                 "tags.service.name = 'shop'", "tags.service.name IS NOT NULL", "tags.deployment.environment.name = 'eu-1'", "tags.env = ' prod'",
                 "tags.ENV = 'prod'"): add(text)


def metadata(c):
    add, ends = c.add, c.ends
    for key in ("metadata.`mlflow.trace.session`", "metadata.mlflow.trace.session", "request_metadata.mlflow.trace.session"):
        for x in ends("session", 1): add(f"{key} = {quoted(x)}")
    for x in plain(ends("user", 4)): add(f"metadata.mlflow.trace.user = {quoted(x)}")
    for text in ("session` != 's-1'", "session` IS NULL", "session` IS NOT NULL", "session` LIKE 's-1%'", "session` ILIKE 'S-2_'",
                 "session` RLIKE '^s-[0-9]$'", "user` != 'ana'", "user` IS NULL", "user` IS NOT NULL", "user` LIKE 'user-1%'", "user` ILIKE 'ana'",
                 "user` RLIKE '[5-9]$'", "tokenUsage` IS NULL", "tokenUsage` IS NOT NULL", "cost` IS NULL", "cost` IS NOT NULL", "tokenUsage` = '{}'",
                 "tokenUsage` != '{}'", "cost` != '{}'"): add(f"metadata.`mlflow.trace.{text}")
    for text in ("metadata.k = 'v'", "metadata.k != 'v'", "metadata.k IS NULL", "metadata.k IS NOT NULL", "metadata.mlflow.sourceRun = 'r'",
                 "metadata.mlflow.modelId = 'm'", "run_id = 'r1'", "run_id != 'r1'", "run_id LIKE 'r%'", "run_id IS NULL", "run_id IS NOT NULL",
                 "attribute.run_id = 'r1'", "prompt = 'qa/3'", "trace.prompt = 'qa/3'", "issue.id = 'iss-1'", "issue.id = 'iss-2'",
                 "issue.id = 'none'"): add(text)


def spans_and_their_attributes(c):
    add, top, ends = c.add, c.top, c.ends
    for x in plain(ends("span.name", 6)): add(f"span.name = {quoted(x)}")
    for x in top("type", 9): add(f"span.type = {quoted(x)}")
    for text in ("name != 'llm_call'", "name IN ('retrieve', 'sql_query')", "name NOT IN ('retrieve', 'llm_call')", "name LIKE 'llm%'",
                 "name LIKE 'llm_call'", "name ILIKE 'LLM_%'", "name RLIKE '^get_'", "name RLIKE '(?i)calc'", "type != 'TOOL'",
                 "type IN ('TOOL', 'RETRIEVER')", "type NOT IN ('AGENT', 'CHAIN')", "type LIKE 'CHA%'", "type ILIKE 'chat%'", "type RLIKE 'ER$'",
                 "type = 'UNKNOWN'", "type = 'RERANKER'", "type = 'tool'", "status = 'ERROR'", "status = 'OK'", "status = 'UNSET'", "status != 'OK'",
                 "status IN ('ERROR', 'UNSET')", "status NOT IN ('OK')", "status LIKE 'E%'", "status ILIKE 'unset'", "status RLIKE 'ERR'",
                 "name = 'no such span'"): add("span." + text)
    for text in ("span.name = 'llm_call' AND span.type = 'CHAT_MODEL'", "span.name = 'retrieve' AND span.type = 'LLM'",
                 "span.type = 'TOOL' AND span.status = 'ERROR'", "span.name = 'sql_query' AND span.status = 'ERROR' AND status = 'OK'",
                 "span.type = 'TOOL' AND span.name != 'sql_query' AND span.status != 'OK'",
                 "span.type = 'AGENT' AND span.status = 'ERROR' AND tags.env = 'prod'"): add(text)
    for text in ("gen_ai.request.model LIKE '%gpt-4o%'", "gen_ai.request.model LIKE '%house-model-1%'",
                 "gen_ai.request.model ILIKE '%MISTRAL-LARGE%'", "gen_ai.request.model RLIKE '^gpt-4o$'", "gen_ai.request.model RLIKE '^claude'",
                 "gen_ai.request.model RLIKE 'mini$'", "`gen_ai.request.model` LIKE '%claude-sonnet%'", "db.system LIKE '%postgresql%'",
                 "db.system RLIKE '^sqlite$'", "db.system ILIKE '%SQLITE%'", "app.version LIKE '%2.1.0-rc1%'", "app.version RLIKE '^1\\.9'",
                 "nothing LIKE '%x%'", "stop LIKE '%END%'", "stream LIKE '%true%'"): add("span.attributes." + text)
    for text in ("span.attributes.gen_ai.request.model LIKE '%gpt-4o-mini%' AND span.type = 'LLM'",
                 "span.attributes.db.system RLIKE '^sqlite$' AND span.status = 'ERROR'", "span.attributes.mlflow.spanInputs LIKE '%passages about%'",
                 "span.attributes.input.value LIKE '%passages about%'",
                 "span.attributes.tool.arguments LIKE '%glacier%' AND span.name = 'no such span'",
                 "span.attributes.mlflow.spanOutputs LIKE '%doc17.md%'"): add(text)


def texts(c):
    add = c.add
    for w in ("telescope", "glacier", "refundable", "TimeoutError", "no answer from sql_query", "agent failed: sonata", "doc17.md", "naïve", "日本語",
              "🚀", "100% sure", "Größe", "ÜBERMUT", "Telescope", "nosuchword", "retrieve", "PARSER", "he said"): add(f"trace.text LIKE '%{w}%'")
    for w in ("TELESCOPE", "Glacier", "timeouterror", "REFUND POLICY", "doc1_.MD"): add(f"trace.text ILIKE '%{w}%'")
    for text in ("span.content LIKE '%telescope%'", "span.content ILIKE '%ORCHARD VIOLIN%'", "attribute.text LIKE '%sonata%'",
                 "attributes.text LIKE '%opera%'", "trace.text LIKE '%refund%' AND trace.text LIKE '%glacier%'",
                 "trace.text LIKE '%glacier%' AND span.type = 'RETRIEVER'", "span.content LIKE '%violin%' AND span.status = 'ERROR'",
                 "trace.text LIKE 'telescope'", "trace.text LIKE '%gl_cier%'", "trace.text LIKE '%'"): add(text)


def assessments_of_traces(c):
    add, top, v = c.add, c.top, c.v
    for name in top("feedbacks", 11):
        key = f"feedback.`{name}`" if " " in name else f"feedback.{name}"
        for x in list(dict.fromkeys(json.loads(x) if x.startswith('"') else x for x, _ in v["feedback:" + name].most_common()))[:7]:
            if isinstance(x, str) and '"' not in x and "\n" not in x: add(f"{key} = {quoted(x)}")
        add(f"{key} IS NULL"); add(f"{key} IS NOT NULL"); add(f"{key} != 'yes'"); add(f"{key} > 0.5")
    for text in ("score >= 0.9", "score < 0.5", "score <= 0.25", "score > 0.9", "score > -1", "score > 1e-3", "score >= .5", "score < 1e9",
                 "score = '0.90'", "score = 'True'", "score = 'null'", "score != '0.9'", "score LIKE '0%'", "score LIKE '%9\"'",
                 "score ILIKE '%N/A%'", "score RLIKE '^[0-9.]+$'", "correctness = 'true'", "correctness != 'true'", "correctness LIKE 'y%'",
                 "correctness LIKE '%yes%'", "correctness ILIKE 'TRUE'", "correctness RLIKE '^\"?(yes|true)\"?$'", "labels LIKE '%a%'",
                 "labels = '[]'", "labels = '{\"k\": 1}'", "labels LIKE '[%'", "labels LIKE '%null%'", "comment LIKE '%good%'",
                 "comment = \"it's bad\"", "comment = 'schön'", "comment LIKE '%off\"'", "comment RLIKE 'lines'", "comment = ''",
                 "comment LIKE '%sch_n%'", "missing IS NULL", "missing = 'x'", "score > 0.5 AND feedback.correctness = 'true'",
                 "score > 0.5 AND feedback.score < 0.5", "score IS NOT NULL AND feedback.score IS NULL",
                 "correctness = 'false' AND tags.env = 'prod'", "session_goal = 'reached' AND status = 'OK'",
                 "session_tone = 'warm' AND status = 'ERROR'", "flaky_judge = 'null'"): add("feedback." + text)
    add("`feedback`.score > 0.5")
    for text in ("expected_response IS NOT NULL", "expected_response IS NULL", "expected_response = 'abc'", "expected_response = '42'",
                 "expected_response > 1", "expected_response = '{\"x\": 1}'", "expected_response LIKE '%x%'", "expected_response != 'abc'",
                 "expected_response RLIKE '^[0-9]'", "expected_facts IS NOT NULL", "expected_facts LIKE '%glacier%'",
                 "score IS NULL"): add("expectation." + text)


def mixtures_and_orders(c):
    add, times, rnd = c.add, c.times, c.rnd
    # Grammar and mixtures.
    for text in ("AND status = 'ERROR'", "status = 'ERROR' AND", "status = 'ERROR' tags.env = 'prod'", "status='ERROR' and tags.env='prod'",
                 "status  =\n'ERROR'\tAND  tags.env = 'prod'", "tags.env is not null AND status like 'ERR%'",
                 f"status = 'ERROR' AND timestamp >= {at(times, 0.8)} AND tags.env = 'prod'", "status != 'OK' AND status != 'ERROR'",
                 f"tags.env = 'prod' AND execution_time_ms > 5000 AND span.name = 'refund_order' AND timestamp < {at(times, .7)}",
                 "metadata.`mlflow.trace.user` = 'ana' AND feedback.correctness = 'true'",
                 "metadata.`mlflow.trace.session` IS NOT NULL AND feedback.score > 0.8 AND span.status = 'ERROR'"): add(text)
    # Orders.
    keys = ["timestamp", "timestamp_ms", "attribute.timestamp", "execution_time", "trace.execution_time_ms", "end_time", "end_time_ms", "status", "request_id",
        "experiment_id", "name", "run_id", "tags.env", "tag.release", "tags.`my team`", "tags.priority", "tags.missing", "metadata.mlflow.trace.session",
        "metadata.`mlflow.trace.user`", "request_metadata.k"]
    for k in keys:
        for way in ("ASC", "DESC"): add(rnd.choice(["", "tags.env = 'prod'", "span.type = 'TOOL'", "status != 'OK'"]), [f"{k} {way}"])
    for order in (["status", "timestamp ASC"], ["tags.env DESC", "execution_time asc"], ["metadata.mlflow.trace.user", "request_id DESC"],
        ["tags.priority desc", "name", "timestamp DESC"]): add("status != 'X'", order)


def filters(v, rnd):
    """(filter, order_by) pairs that MLflow accepts and that must give the same ids."""
    c = Cases(v, rnd)
    c.add("")
    for section in (status_and_ids, times_of_traces, names, tags, metadata, spans_and_their_attributes, texts, assessments_of_traces,
                    mixtures_and_orders): section(c)
    return c.out


STORED = "MLflow matches the JSON a span is stored as: keys, numbers, escapes, quotes, ids; Tracehouse each text as sent"
SPILL = "MLflow's pattern runs over all JSON after the key; Tracehouse's over the value"
EQUAL = "attribute =, != and IN compare the value in Tracehouse; in MLflow they never do"
REGEX = "a regular expression that is broken, or looks around, is an error"
RESOURCE = "resource attributes are resource.K, not tags"
TYPE = "a span without mlflow.spanType has the type of its own convention, else UNKNOWN"
LITERAL = "a prefixed key is the key the user wrote; MLflow redirects it"
LISTED = [(f"span.attributes.{t}", EQUAL) for t in ("db.system = 'sqlite'", "gen_ai.request.model != 'gpt-4o'", "gen_ai.request.model IN ('gpt-4o')",
    "retries = '2'")] + [
    ("tags.name = 'support-bot'", LITERAL), ("metadata.name = 'support-bot'", LITERAL), ("tags.text LIKE '%glacier%'", LITERAL),
    ("name ILIKE '%GRÖSSE%'", "ILIKE folds Unicode"), ("name ILIKE '%GRÖẞE%'", "ILIKE folds Unicode"), ("trace.text ILIKE '%CAFÉ%'", "ILIKE folds Unicode"),
    ("tags.env = 'it''s'", "a doubled quote is one quote"), ("trace.text LIKE '%mlflow.spanInputs%'", STORED),
    ("trace.text LIKE '%\"question\"%'", STORED), ("trace.text LIKE '%hello there\"%'", STORED), ("trace.text LIKE '%\\\\\\\"hello%'", STORED),
    ("trace.text LIKE '%SPAN_KIND_INTERNAL%'", STORED), ("trace.text LIKE '%line one\nline two%'", STORED),
    ("trace.text LIKE '%start_time_unix_nano%'", STORED),
    ("trace.text LIKE '%C:\\temp%'", STORED), ("span.attributes.top_k LIKE '%glacier%'", SPILL), ("span.attributes.gen_ai.request.model LIKE 'gpt%'", SPILL),
    ("span.attributes.retries LIKE '%2%'", SPILL), ("span.attributes.gen_ai.request.temperature LIKE '%0.7%'", SPILL),
    ("span.attributes.db.system LIKE '%sqlite'", SPILL),
    ("span.attributes.tool.arguments LIKE '%glacier%'", SPILL), ("span.attributes.mlflow.spanInputs LIKE '%glacier%' AND span.name = 'retrieve'", SPILL),
    ("trace.text ILIKE '%claim%doctor%' AND status = 'ERROR'", STORED), ("name RLIKE '('", REGEX), ("name RLIKE '^(?!nightly)'", REGEX),
    ("tags.service.name = 'shop'", RESOURCE), ("tags.service.name IS NOT NULL", RESOURCE), ("tags.deployment.environment.name = 'eu-1'", RESOURCE),
    ("span.type NOT IN ('AGENT', 'CHAIN')", TYPE), ("span.type RLIKE 'ER$'", TYPE), ("span.type = 'UNKNOWN'", TYPE), ("span.type = 'RERANKER'", TYPE)]


# -- the comparison ----------------------------------------------------------------------------------
def attempt(call, *args):
    try: return call(*args)
    except Exception as error: return f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"


def both(m, t, text, order):
    """None when all pages are equal; else what is not."""
    one, two = attempt(m.ids, text, order), attempt(t.ids, text, order)
    if one == two and not isinstance(one, str):
        one, two = attempt(lambda: [x.trace_id[3:] for x in m.all(text, order)]), attempt(lambda: [x["trace_id"] for x in t.all(text, order)])
    if one == two and not isinstance(one, str): return len(one), None
    if isinstance(one, str) or isinstance(two, str): say = lambda x: x if isinstance(x, str) else f"{len(x)} ids {x[:3]}"
    else:
        a, b = set(one), set(two)
        first = next((i for i, (x, y) in enumerate(zip(one, two)) if x != y), min(len(one), len(two)))
        say = lambda x: f"{len(x)} ids, from place {first}: {x[first:first + 3]}; only here: {sorted(set(x) - (b if x is one else a))[:3]}"
    return None, {"filter": text, "order_by": order, "mlflow": say(one), "tracehouse": say(two)}


def rows_differ(m, t):
    """Trace rows beside each other, field by field: {field: [number, example]}."""
    theirs, ours, out = {x.trace_id[3:]: x for x in m.all("", None)}, {x["trace_id"]: x for x in t.all("", [])}, {}
    for tid, a in theirs.items():
        b = ours.get(tid)
        if b is None: continue
        tokens = json.loads(a.trace_metadata.get("mlflow.trace.tokenUsage", "{}"))
        cost = json.loads(a.trace_metadata.get("mlflow.trace.cost", "{}")).get("total_cost")
        pairs = {"name": (a.tags.get("mlflow.traceName"), b["name"]), "state": (str(a.state.value), b["state"]),
            "request_time": (a.request_time, b["request_time_ns"] // 1_000_000),
                 "execution_time": (a.execution_duration, None if b["duration_ns"] is None else b["duration_ns"] // 1_000_000),
                 "session": (a.trace_metadata.get("mlflow.trace.session"), b["session_id"]), "user": (a.trace_metadata.get("mlflow.trace.user"), b["user_id"]),
                 "input_tokens": (tokens.get("input_tokens"), b["input_tokens"]), "output_tokens": (tokens.get("output_tokens"), b["output_tokens"]),
                 "cost": (cost and round(cost, 9), b["cost_usd"] and round(b["cost_usd"], 9)),
                 "tags": ({k: x for k, x in a.tags.items() if not k.startswith("mlflow.")},
                 {k: x for k, x in b["tags"].items() if not k.startswith("mlflow.")}),
                 "request_preview": (a.request_preview, b["request_preview"]), "response_preview": (a.response_preview, b["response_preview"])}
        for field, (x, y) in pairs.items():
            if x != y: out.setdefault(field, [0, {"trace": tid, "mlflow": x, "tracehouse": y}])[0] += 1
    return out


def measure(m, t, cases, rounds):
    """Medians in milliseconds of the first page, the two sides alternating."""
    out = []
    for n, (text, order) in enumerate(cases):
        spent = ([], [])
        for r in range(rounds):
            for side in ((0, 1) if (n + r) % 2 else (1, 0)):
                begin = time.perf_counter()
                (m, t)[side].ids(text, order)
                spent[side].append((time.perf_counter() - begin) * 1e3)
            if sum(spent[0]) > 4000: break
        a, b = map(statistics.median, spent)
        out.append({"filter": text, "order_by": order, "mlflow_ms": round(a, 3), "tracehouse_ms": round(b, 3), "ratio": round(a / b, 2)})
    return out


def group(row):
    text = row["filter"]
    if row["order_by"]: return "order_by"
    for word, name in (("text", "text"), ("span.content", "text"), ("span.attributes", "span attributes"), ("span.", "spans"), ("feedback", "assessments"),
        ("expectation", "assessments"), ("issue", "assessments"), ("tag", "tags"), ("metadata", "metadata")):
        if word in text: return name
    return "trace columns"


def report(result):
    geo = lambda rows: math.exp(statistics.fmean(math.log(r["ratio"]) for r in rows))
    show = lambda r: (r["filter"] or "(all)").replace("|", "\\|").replace("\n", " ") + (f" order by {', '.join(r['order_by'])}" if r["order_by"] else "")
    out = [f"# MLflow {result['mlflow']} (SQLite) and Tracehouse, {result['traces']} traces, {result['spans']} spans", "",
           f"{result['equal']} of {result['filters']} filters give the same ids in the same order ({result['matching']} of them match some "
            f"traces and not all). {len(result['mismatches'])} mismatches.", ""]
    for x in result["mismatches"]: out += [f"* `{show(x)}`", f"  * MLflow: {x['mlflow']}", f"  * Tracehouse: {x['tracehouse']}"]
    out += ["", "Listed differences: " + str(len(LISTED)),
        ""] + [f"* `{show(x)}`: {x['reason']}{'' if x['differs'] else ' (here the answers are equal)'}" for x in result["listed"]]
    if result["rows"]: out += ["", "Trace rows that differ:", ""] + [f"* {k}: {n} traces, e.g. {json.dumps(x, ensure_ascii=False)[:400]}" for k,
        (n, x) in result["rows"].items()]
    rows = sorted(result["times"], key=lambda r: r["ratio"])
    if rows:
        at = lambda share: rows[min(len(rows) - 1, int(len(rows) * share))]["ratio"]
        out += ["",
                f"Time of MLflow / time of Tracehouse, first page of {PAGE}: geometric mean **{geo(rows):.1f}**; least {rows[0]['ratio']:.1f}, 10 % "
                f"{at(.1):.1f}, median {at(.5):.1f}, 90 % {at(.9):.1f}, most {rows[-1]['ratio']:.1f}; Tracehouse slower in "
                f"{sum(r['ratio'] < 1 for r in rows)} of {len(rows)}.", "",
                "| | filters | MLflow ms (median) | Tracehouse ms (median) | ratio (geometric mean) | least |", "|---|---|---|---|---|---|"]
        groups = collections.defaultdict(list)
        for r in rows: groups[group(r)].append(r)
        for name, some in sorted(groups.items()):
            med = lambda k: statistics.median(r[k] for r in some)
            out.append(f"| {name} | {len(some)} | {med('mlflow_ms'):.1f} | {med('tracehouse_ms'):.1f} | {geo(some):.1f} | {some[0]['ratio']:.1f} |")
        out += ["", "| least ratios | MLflow ms | Tracehouse ms | ratio |",
            "|---|---|---|---|"] + [f"| `{show(r)}` | {r['mlflow_ms']:.1f} | {r['tracehouse_ms']:.1f} | {r['ratio']:.1f} |" for r in rows[:12]]
    return "\n".join(out) + "\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--peer", required=True); p.add_argument("--data"); p.add_argument("--traces", type=int, default=3000); p.add_argument("--seed", type=int,
        default=7)
    p.add_argument("--rounds", type=int,
        default=5); p.add_argument("--json"); p.add_argument("--markdown"); p.add_argument("--work"); p.add_argument("--only"); p.add_argument("--no-time",
        action="store_true")
    a = p.parse_args()
    work, note = a.work or tempfile.mkdtemp(prefix="mlflow-compare-"), lambda s: print(s, file=sys.stderr, flush=True)
    os.makedirs(work, exist_ok=True)
    if not a.data: make(work, a.traces, a.seed)
    otlp, assessments = (os.path.join(a.data or work, f) for f in ("otlp.jsonl", "assessments.jsonl"))
    v, spans = vocabulary(otlp, assessments)
    m, t, rnd = Mlflow(work), Tracehouse(os.path.abspath(a.peer), work), random.Random(a.seed)
    begin = time.perf_counter(); t.load(otlp, assessments); one = time.perf_counter(); m.load(otlp, assessments); two = time.perf_counter()
    note(f"loaded {spans} spans: tracehouse {one - begin:.1f} s, mlflow {two - one:.1f} s")
    ids = sorted(v["trace"])
    changes = [("reviewed", "yes", rnd.sample(ids, len(ids) // 20)), ("env", "moved", rnd.sample(ids, len(ids) // 50)),
        ("mlflow.traceName", "renamed trace", rnd.sample(ids, len(ids) // 100))]
    gone = rnd.sample(ids, len(ids) // 100 + 1)
    for store in (m, t):
        for key, text, some in changes: store.set_tag(some, key, text)
        store.delete(gone)
    for i in gone: del v["trace"][i]
    listed = {text for text, _ in LISTED}
    cases = [c for c in filters(v, rnd) if c[0] not in listed and (not a.only or a.only in c[0])]
    result = {"mlflow": m.version, "spans": spans, "filters": len(cases), "equal": 0, "matching": 0, "mismatches": [], "listed": [], "times": []}
    result["traces"] = len(m.all("", None))
    good = []
    for n, (text, order) in enumerate(cases):
        count, bad = both(m, t, text, order or ["timestamp_ms DESC"])
        if bad: result["mismatches"].append(bad | {"order_by": order})
        else: good.append((text, order or ["timestamp_ms DESC"], order)); result["matching"] += 0 < count < result["traces"]
        if n % 50 == 49: note(f"compared {n + 1} of {len(cases)}")
    result["equal"] = len(good)
    result["listed"] = [{"filter": text, "order_by": None, "reason": why, "differs": both(m, t, text, ["timestamp_ms DESC"])[1]} for text, why in LISTED]
    result["rows"] = rows_differ(m, t)
    if not a.no_time:
        result["times"] = measure(m, t, [g[:2] for g in good], a.rounds)
        for row, g in zip(result["times"], good): row["order_by"] = g[2]
    t.close()
    text = report(result)
    print(text)
    if a.markdown: open(a.markdown, "w").write(text)
    if a.json: json.dump(result, open(a.json, "w"), ensure_ascii=False, indent=1)
    if not a.work: shutil.rmtree(work)
    sys.exit(1 if result["mismatches"] else 0)


if __name__ == "__main__":
    main()

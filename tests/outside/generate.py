"""Random traces as lines of OTLP/JSON, and random operations on them."""

import json

import rules
from spans import key_values

START = 1_740_787_200_000_000_000
HOUR = 3_600_000_000_000


class Facts:
    """The words that traces are made of, and that questions ask for."""

    names = ["plan trip", "answer", "lookup_order", "chat gpt", "rerank", "Étude"]
    tags = ["env", "team", "note"]
    tag_values = ["prod", "staging", "blue team", "it's", "naïve"]
    sessions = ["s-1", "s-2", "s-3", "s-4"]
    users = ["ana", "bob@example.com", "chen"]
    services = ["router", "worker", "front end"]
    models = ["own-4o", "claude-3", "small"]
    tools = ["search", "refund", "lookup_order"]
    labels = ["red", "green", "deep blue"]
    words = ["heron", "otter", "badger", "naïve", "résumé", "lantern", "quartz", "zebra", "willow", "x_ray", "cobalt"]

    def __init__(self):
        # Start times of traces, to compare with.
        self.times = [START]


class Generator:
    """Makes lines; knows the traces it has begun, so that more spans of them can come later."""

    def __init__(self, random):
        self.random, self.facts, self.number, self.begun = random, Facts(), 0, []
        self.services = {}
        self.sent = []

    def text(self):
        random, words = self.random, self.facts.words
        plain = " ".join(random.choice(words) for _ in range(random.randint(1, 6)))
        shape = random.random()
        if shape < 0.15:
            more = [plain + "\nnext " + random.choice(words)]
            return json.dumps({"question": plain, "k": random.randint(0, 99), "more": more})
        if shape < 0.25:
            return json.dumps([plain, {"inner": json.dumps({"deep": random.choice(words)})}])
        if shape < 0.35:
            return f'say "{plain}"\n\t{random.choice(words).upper()}\\n{random.choice(words)}.'
        return plain

    def attributes(self, is_root):
        random, facts, found = self.random, self.facts, {"n": 0}
        self.number += 1
        found["n"] = self.number
        genai = random.random() < 0.5
        if random.random() < 0.7:
            found["gen_ai.input.messages" if genai and random.random() < 0.3 else "input.value"] = self.text()
        if random.random() < 0.6:
            found["output.value"] = self.text()
        if random.random() < 0.5:
            names = ("llm.token_count.prompt", "llm.token_count.completion")
            if genai:
                names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
            found[names[0]], found[names[1]] = random.randint(0, 120), random.randint(0, 60)
            if not genai and random.random() < 0.3:
                found["llm.token_count.total"] = random.randint(0, 200)
        if random.random() < 0.25:
            found["llm.cost.total"] = random.randint(0, 64) / 64
        if random.random() < 0.5:
            key = random.choice(["gen_ai.request.model", "gen_ai.response.model"]) if genai else "llm.model_name"
            found[key] = random.choice(facts.models)
        if random.random() < 0.2:
            found["gen_ai.provider.name" if genai else "llm.provider"] = random.choice(["openai", "anthropic"])
        self.kind(found, genai)
        for chance, key, values in (
            (0.4, "session.id", facts.sessions), (0.4, "user.id", facts.users), (0.3, "label", facts.labels),
            (0.3, "temp", [0, 0.25, 0.5, 0.75, 1]), (0.3, "flag", [True, False]),
            (0.05, "listed", [["otter", 1], {"a": "lantern", "b": [True]}]),
        ):
            if random.random() < chance:
                found[key] = random.choice(values)
        if is_root:
            for key in facts.tags + ["mlflow.traceName"]:
                if random.random() < 0.15:
                    found["mlflow.traceTag." + key] = random.choice(facts.tag_values)
        return found

    def kind(self, found, genai):
        random = self.random
        if random.random() < 0.6 and genai:
            found["gen_ai.operation.name"] = random.choice(["chat", "execute_tool", "invoke_agent", "embeddings"])
        elif random.random() < 0.6:
            found["openinference.span.kind"] = random.choice(["LLM", "TOOL", "AGENT", "CHAIN", "RETRIEVER"])
        if random.random() < 0.2:
            found["gen_ai.tool.name" if genai else "tool.name"] = random.choice(self.facts.tools)

    def span(self, trace, number, parent):
        random, facts = self.random, self.facts
        # No two traces begin in one nanosecond, and no two spans of a trace unless the rules say what follows.
        start = trace["start"] + (0 if parent is None else number * 1_000_003 + random.randint(0, 999))
        attributes = self.attributes(parent is None)
        if parent is not None and random.random() < 0.08:
            # Begins before the root. Whose session and user are the trace's is a rule.
            start -= 40_000_000
            if not rules.ROOTS_SESSION_FIRST:
                attributes.pop("session.id", None), attributes.pop("user.id", None)
        elif parent is not None and rules.ROOTS_SESSION_FIRST and random.random() < 0.05:
            start = trace["start"]
        raw = {
            "traceId": trace["id"], "spanId": f"{trace['number'] * 100 + number:016x}", "name": random.choice(facts.names),
            "kind": random.randint(1, 5), "startTimeUnixNano": str(start), "attributes": key_values(attributes),
        }
        if parent is not None:
            raw["parentSpanId"] = f"{trace['number'] * 100 + parent:016x}"
            if random.random() < 0.2:
                # Where the parent is: not known, known and here, known and in another process.
                raw["flags"] = random.choice([1, 257, 769])
        if random.random() < 0.85:
            raw["endTimeUnixNano"] = str(start + random.choice([0, 1, 500_000, 1_000_000, 2_500_001, 99_000_000, 7_000_000_000]))
        if random.random() < 0.6:
            message = "failed: " + random.choice(facts.words)
            raw["status"] = random.choice([{"code": 1}, {"code": 2}, {"code": 2, "message": message}])
        if random.random() < 0.2:
            event = {"timeUnixNano": str(start + 5), "name": random.choice(["exception", "retry"])}
            event["attributes"] = key_values({"exception.message": self.text(), "try": 2})
            raw["events"] = [event]
        return raw

    def begin(self, experiment):
        self.number += 1
        start = START + self.random.randint(0, 30 * 24) * HOUR + self.number * 1_000_000_007
        trace = {"id": f"{self.random.getrandbits(128):032x}", "number": self.number, "start": start, "experiment": experiment}
        trace["left"] = []
        for number in range(1, self.random.choice([1, 2, 2, 3, 5, 8]) + 1):
            parent = None if number == 1 else self.random.randint(1, number - 1)
            # Some parents never come.
            parent = 99 if number > 1 and self.random.random() < 0.05 else parent
            trace["left"].append(self.span(trace, number, parent))
        if self.random.random() < 0.1:
            trace["left"].pop(0)
        if self.random.random() < 0.4:
            self.random.shuffle(trace["left"])
        self.begun.append(trace)
        self.facts.times = (self.facts.times + [start])[-20:]
        return trace

    def service(self, span):
        """The service of a version of a span: of what is sent again the same, as after a kill it is told from others by
        what a version has in its attributes."""
        number = next(item["value"]["intValue"] for item in span["attributes"] if item["key"] == "n")
        version = (span["traceId"], span["spanId"], number)
        return self.services.setdefault(version, self.random.choice(self.facts.services + [None]))

    def line(self, experiment):
        """One line: new traces, later spans of older ones, spans that were sent before."""
        random, spans = self.random, []
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            older = [trace for trace in self.begun[-40:] if trace["experiment"] == experiment]
            chance = random.random()
            if older and chance < 0.2:
                spans.append(self.again(random.choice(older)))
                continue
            waiting = [trace for trace in older if trace["left"]]
            trace = random.choice(waiting) if waiting and chance < 0.45 else self.begin(experiment)
            count = len(trace["left"]) if random.random() < 0.6 else random.randint(0, len(trace["left"]))
            spans += trace["left"][:count]
            trace.setdefault("sent", []).extend(trace["left"][:count])
            del trace["left"][:count]
        spans = [span for span in spans if span is not None]
        groups = {}
        for span in spans:
            groups.setdefault(self.service(span), []).append(span)
        scope = {"name": "tests", "version": "1.2"}
        resource_spans = [
            {"resource": {"attributes": key_values({"service.name": service} if service else {})},
             "scopeSpans": [{"scope": scope, "spans": group}]} for service, group in groups.items()
        ]
        return json.dumps({"resourceSpans": resource_spans}, ensure_ascii=random.random() < 0.5)

    def again(self, trace):
        """A span that was sent before: the same, changed, or open again."""
        if not trace.get("sent"):
            return None
        span = json.loads(json.dumps(self.random.choice(trace["sent"])))
        chance = self.random.random()
        if chance < 0.7:
            span["attributes"] = key_values(self.attributes("parentSpanId" not in span))
            span["name"] = self.random.choice(self.facts.names)
        if chance < 0.2:
            span.pop("endTimeUnixNano", None)
        elif "endTimeUnixNano" not in span:
            span["endTimeUnixNano"] = str(int(span["startTimeUnixNano"]) + 1_500_000)
        return span

    def lines(self, count, experiment):
        return [self.line(experiment) for _ in range(count)]

    def assessment(self, trace_id, span_id=None):
        random = self.random
        self.number += 1
        name = random.choice(["score", "correct", "verdict", "answer"])
        value = {
            "score": random.choice([0, 0.25, 0.5, 1, 3, 3.5]), "correct": random.random() < 0.5,
            "verdict": random.choice(["yes", "no", "it's so"]), "answer": random.choice(["yes", "no", {"a": 1}]),
        }[name]
        record = {"trace_id": trace_id, "name": name, "value": value, "rationale": f"r{self.number}"}
        record["type"] = "expectation" if name == "answer" else "feedback"
        record["source"] = random.choice(["HUMAN:ana", "CODE:rule", "LLM_JUDGE:judge"])
        if span_id:
            record["span_id"] = span_id
        return record

"""Spans: read from OTLP/JSON lines, and their typed columns. A reading of the public description alone."""

import json

KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
STATUSES = ["UNSET", "OK", "ERROR"]
OPERATION_TYPES = {
    "chat": "CHAT_MODEL", "create_agent": "AGENT", "invoke_agent": "AGENT", "embeddings": "EMBEDDING",
    "execute_tool": "TOOL", "generate_content": "LLM", "text_completion": "LLM",
}


def value_of(value):
    """An OTLP AnyValue as a JSON value."""
    (kind, inner), = value.items()
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [value_of(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return {item["key"]: value_of(item["value"]) for item in inner.get("values", [])}
    return inner


def any_value(value):
    """A JSON value as an OTLP AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": any_value(v)} for k, v in value.items()]}}
    return {"stringValue": value}


def key_values(pairs):
    return [{"key": key, "value": any_value(value)} for key, value in pairs.items()]


class Span:
    """One version of a span, with the columns that a table of spans shows."""

    def __init__(self, raw, resource, scope):
        self.trace_id, self.id, self.parent = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        self.name, self.kind = raw["name"], KINDS[raw.get("kind", 0)]
        self.start = int(raw["startTimeUnixNano"])
        self.end = int(raw["endTimeUnixNano"]) if "endTimeUnixNano" in raw else None
        self.has_remote_parent = raw.get("flags", 0) & 0x300 == 0x300
        status = raw.get("status", {})
        self.status, self.message = STATUSES[status.get("code", 0)], status.get("message")
        self.attributes = {item["key"]: value_of(item["value"]) for item in raw.get("attributes", [])}
        self.resource, self.scope = resource, scope
        self.events = [
            (int(event["timeUnixNano"]), event["name"], {a["key"]: value_of(a["value"]) for a in event.get("attributes", [])})
            for event in raw.get("events", [])
        ]
        # What tells two versions of a span apart.
        self.number = self.attributes["n"]
        self.columns()

    def first(self, *keys):
        return next((self.attributes[key] for key in keys if key in self.attributes), None)

    def columns(self):
        self.session = self.first("session.id", "gen_ai.conversation.id")
        self.user = self.first("user.id")
        self.service = self.resource.get("service.name")
        self.operation = self.first("gen_ai.operation.name")
        # A span that says nothing of its type is a call of the tool that it names, or of the model that it names
        # and counts tokens of.
        other = "TOOL" if self.first("gen_ai.tool.name", "tool.name") else "UNKNOWN"
        counts = ["gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.output_tokens", "llm.token_count.completion"]
        names_model = self.first("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
        if other == "UNKNOWN" and names_model and any(key in self.attributes for key in counts):
            other = "LLM"
        self.type = self.first("openinference.span.kind") or OPERATION_TYPES.get(self.operation, other)
        self.model = self.first("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
        self.provider = self.first("gen_ai.provider.name", "llm.provider")
        self.tool = self.first("gen_ai.tool.name", "tool.name") or (self.name if self.type == "TOOL" else None)
        self.input_tokens = self.first("gen_ai.usage.input_tokens", "llm.token_count.prompt")
        self.output_tokens = self.first("gen_ai.usage.output_tokens", "llm.token_count.completion")
        self.total_tokens = self.first("llm.token_count.total")
        # A total of none beside parts is one that the producer did not count.
        if not self.total_tokens and (self.input_tokens, self.output_tokens) != (None, None):
            self.total_tokens = (self.input_tokens or 0) + (self.output_tokens or 0)
        self.cost = self.first("llm.cost.total")
        self.inputs = self.first("gen_ai.input.messages", "input.value")
        self.outputs = self.first("gen_ai.output.messages", "output.value")
        self.duration = None if self.end is None else self.end - self.start

    def strings(self):
        """Each string that can be searched: (field, text)."""
        texts = [("name", self.name), ("message", self.message), ("inputs", self.inputs), ("outputs", self.outputs)]
        for value in self.attributes.values():
            texts += [("attributes", text) for text in strings_in(value)]
        for _, name, attributes in self.events:
            texts.append(("events", name))
            texts += [("events", text) for text in strings_in(list(attributes.values()))]
        return [(field, text) for field, text in texts if text is not None]


def strings_in(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in strings_in(item)] if isinstance(value, list) else []


def spans_of_line(line):
    """The spans of a line, or None when it is no line of OTLP."""
    try:
        request = json.loads(line)
    except ValueError:
        return None
    spans = []
    for resource_spans in request["resourceSpans"]:
        attributes = resource_spans.get("resource", {}).get("attributes", [])
        resource = {item["key"]: value_of(item["value"]) for item in attributes}
        for scope_spans in resource_spans["scopeSpans"]:
            scope = scope_spans.get("scope", {})
            spans += [Span(raw, resource, scope) for raw in scope_spans["spans"]]
    return spans

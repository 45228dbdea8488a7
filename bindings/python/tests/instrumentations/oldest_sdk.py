"""The oldest SDK that is supported: spans with all that they can have, by its processors, compared with its encoder."""

import _setup as s
from opentelemetry import trace
from opentelemetry.trace import Link, Status, StatusCode

provider = s.tracing()
tracer = provider.get_tracer("mine", "1.0", "https://example.com/schema")
with tracer.start_as_current_span("answer") as root:
    root.set_attributes({"session.id": s.SESSION, "user.id": s.USER, "input.value": s.WEATHER})
    with tracer.start_as_current_span(
        "chat", kind=trace.SpanKind.CLIENT, links=[Link(root.get_span_context())]
    ) as call:
        call.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"})
        call.set_attributes({"gen_ai.usage.input_tokens": 12, "list": [1, 2], "half": 0.5, "yes": True})
        call.add_event("thought", {"deep": True, "words": ["a", "b"]})
        call.set_status(Status(StatusCode.ERROR, "refused"))

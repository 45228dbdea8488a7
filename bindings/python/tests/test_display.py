"""The notebook views: everything is there, every text is escaped, nothing comes from the network."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import pytest

import tracehouse
from tracehouse.display import dataset_html, result_html, sessions_html, trace_html
from tracehouse.display._html import Html, cut, element, text
from tracehouse.display._tree import lines
from tracehouse.trace import Assessment, Span, SpanEvent, Trace, TraceInfo

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&</style>\x00\u202e"


class _Page(html.parser.HTMLParser):
    """What a browser would see: elements and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data


def _checked(page: str) -> _Page:
    seen = _Page(page)
    assert seen.open == []
    allowed = {"div", "span", "style", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in seen.elements} <= allowed
    for _, attributes in seen.elements:
        assert set(attributes) <= {"class", "style", "title", "open"}
        assert "url(" not in (attributes.get("style") or "")
    for address in ("http:", "https:", "//", "@import", "url(", "javascript:"):
        assert address not in page.split("</style>")[0]
    return seen


def _span(span_id: str, parent: str | None = None, **fields: Any) -> Span:
    given = {"start_time_ns": START, "end_time_ns": START + SECOND, "name": span_id, **fields}
    return Span("t", span_id, parent_span_id=parent, **given)


def _trace(spans: list[Span], **info: Any) -> Trace:
    return Trace(TraceInfo("t", span_count=len(spans), request_time_ns=START, **info), spans)


def test_a_trace_shows_what_happened() -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is my order?"},
    ]
    answer = {"role": "assistant", "content": "On its way, for $5 and $6."}
    spans = [
        _span("root", name="answer", span_type="AGENT"),
        _span(
            "llm",
            "root",
            name="chat",
            span_type="LLM",
            model="gpt-4o",
            input_tokens=1_200,
            output_tokens=30,
            cost_usd=0.0042,
            inputs=json.dumps(messages),
            outputs=json.dumps(answer),
            start_time_ns=START + SECOND // 4,
            end_time_ns=START + SECOND // 2,
        ),
        _span("tool", "root", name="pay", span_type="TOOL", status="ERROR", status_message="card refused"),
    ]
    trace = _trace(spans, name="answer", state="ERROR", session_id="s1", models=["gpt-4o"], tags={"env": "prod"})
    trace.assessments.append(Assessment("a", "t", "correct", False, source_type="HUMAN", source_id="ana"))
    seen = _checked(trace_html(trace))
    for word in (
        "answer",
        "ERROR",
        "session s1",
        "env: prod",
        "gpt-4o",
        "1,200 in, 30 out",
        "$0.0042",
        "card refused",
        "Be kind.",
        "Where is my order?",
        "On its way, for $5 and $6.",
        "correct = false",
        "HUMAN:ana",
        "250 ms",
        "1.00 s",
    ):
        assert word in seen.words, word
    # The span that failed is open, and prices are not set as mathematics.
    assert [attributes.get("open") for tag, attributes in seen.elements if tag == "details"].count("open") == 1
    assert "tex2jax_ignore" in (seen.elements[0][1]["class"] or "")
    bars = [attributes["style"] for _, attributes in seen.elements if attributes.get("class") == "th-bar"]
    assert len(bars) == 3
    assert "left:25.00%;width:25.00%" in str(bars)


def test_messages_are_those_of_the_view(db: tracehouse.Database) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "tool_call", "name": "look", "arguments": {"where": "up"}}]}]
        ),
    }
    db.append(_span("chat", attributes=attributes))
    [span] = db.search_traces("")[0].spans
    said = [(message.direction, message.index, message.role, message.content) for message in span.messages()]
    assert [message[3] for message in said] == ["Be kind.", "Hello?", 'look({"where": "up"})']
    rows = db.sql("SELECT direction, index, role, content FROM messages ORDER BY direction, index").fetchall()
    assert said == rows


def test_messages_of_attributes_that_tell_more_are_those_of_the_view(db: tracehouse.Database) -> None:
    call = "llm.output_messages.0.message.tool_calls.0.tool_call.function"
    attributes = {
        "openinference.span.kind": "LLM",
        "input.value": "Hello?",
        "output.value": "assistant: None",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be kind.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": "Hello?",
        "llm.output_messages.0.message.role": "assistant",
        f"{call}.name": "look",
        f"{call}.arguments": "{}",
        "llm.temperature": 0.5,
    }
    db.append(_span("chat", attributes=attributes))
    [span] = db.search_traces("")[0].spans
    said = [(message.direction, message.index, message.role, message.content) for message in span.messages()]
    assert [message[3] for message in said] == ["Be kind.", "Hello?", "look({})"]
    rows = db.sql("SELECT direction, index, role, content FROM messages ORDER BY direction, index").fetchall()
    assert said == rows


def test_no_text_of_a_trace_is_markup() -> None:
    spans = [
        _span(
            "root",
            name=EVIL,
            span_type=EVIL,
            status="ERROR",
            status_message=EVIL,
            inputs=EVIL,
            outputs=json.dumps([{"role": EVIL, "content": EVIL}]),
            model=EVIL,
            attributes={EVIL: EVIL, "list": [EVIL]},
            events=[SpanEvent(EVIL, START, {EVIL: EVIL})],
        )
    ]
    trace = _trace(
        spans, name=EVIL, state=EVIL, session_id=EVIL, user_id=EVIL, service_name=EVIL, models=[EVIL], tags={EVIL: EVIL}
    )
    trace.assessments.append(Assessment("a", "t", EVIL, {EVIL: EVIL}, source_id=EVIL, rationale=EVIL))
    page = trace_html(trace)
    seen = _checked(page)
    assert "<script>alert('x')</script>" in seen.words
    for hidden in ("\x00", "\u202e"):
        assert hidden not in page


def test_a_large_trace_makes_a_page_of_bounded_size() -> None:
    long = "word " * 400_000
    spans = [_span("root", inputs=long, outputs=long, attributes={"long": long, "more": long})]
    spans += [_span(f"s{number}", "root", inputs="x" * 50) for number in range(5_000)]
    page = trace_html(_trace(spans))
    assert len(page) < 1_500_000
    assert "4,601 more spans are not shown" in page
    assert "more characters" in page


def test_open_spans_lost_parents_and_circles_are_shown() -> None:
    spans = [
        _span("open", end_time_ns=None),
        _span("lost", "nowhere"),
        _span("a", "b"),
        _span("b", "a"),
        _span("self", "self"),
    ]
    shown = [(line.span.span_id, line.depth, line.lost) for line in lines(spans)]
    assert shown == [
        ("open", 0, False),
        ("lost", 0, True),
        ("a", 0, True),
        ("b", 1, False),
        ("self", 0, True),
    ]
    assert "its parent is not there" in _checked(trace_html(_trace(spans))).words
    deep = [_span(str(number), str(number - 1) if number else None) for number in range(3_000)]
    assert lines(deep)[-1].depth == 2_999
    assert _checked(trace_html(_trace([]))).words


def test_text_is_escaped_by_its_making() -> None:
    assert element("b", "<i>", Html("<i></i>"), 3, None) == "<b>&lt;i&gt;<i></i>3</b>"
    assert element("b", title='"x"', class_="") == '<b title="&quot;x&quot;"></b>'
    assert text("a\nb\t\x1b\ud800") == "a\nb\t\u241b\ufffd"
    assert cut("abcdef", 3) == "abc\u2026 (3 more characters)"


@pytest.fixture
def database() -> Any:
    with tracehouse.connect(":memory:") as opened:
        opened.append(
            [
                Span(
                    f"{number:032x}",
                    "0000000000000001",
                    EVIL if number == 3 else "ask",
                    start_time_ns=START + number * SECOND,
                    end_time_ns=START + (number + 1) * SECOND,
                    attributes={"session.id": EVIL if number % 2 else "s", "input.value": f"question {number} {EVIL}"},
                )
                for number in range(1, 61)
            ]
        )
        yield opened


def test_results_show_their_first_rows(database: Any) -> None:
    result = database.sql(
        "SELECT name, duration_ns, start_time, attributes, NULL AS nothing FROM spans ORDER BY start_time"
    )
    seen = _checked(result_html(result))
    for word in ("duration_ns", "NULL", "the first 40 rows", "2023-11-14 22:13:21.000 UTC"):
        assert word in seen.words, word
    # Looking does not move the cursor.
    assert len(result.fetchall()) == 60
    assert "2 rows" in _checked(result_html(database.sql("SELECT 1 AS one UNION ALL SELECT 2"))).words
    assert "0 rows" in _checked(result_html(database.sql("SELECT 1 AS one WHERE false"))).words
    wide = database.sql("SELECT " + ", ".join(f"{number} AS c{number}" for number in range(50)))
    assert "30 of 50 columns" in _checked(result_html(wide)).words


def test_datasets_and_sessions_show_themselves(database: Any) -> None:
    dataset = database.create_dataset("refunds")
    assert "0 records" in _checked(dataset_html(dataset)).words
    dataset.add_traces("", limit=3)
    seen = _checked(dataset_html(dataset))
    for word in ("refunds", "version 1", "3 records", "question 60", "source_trace_id"):
        assert word in seen.words, word
    seen = _checked(sessions_html(database.sessions()))
    assert "2 sessions" in seen.words
    assert "alert('x')" in seen.words


def test_notebooks_find_the_views(database: Any) -> None:
    [trace] = database.search_traces("", max_results=1)
    for shown in (trace, database.sql("SELECT 1"), database.create_dataset("d"), database.sessions()):
        assert shown._repr_html_().startswith("<div class=")

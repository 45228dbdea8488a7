"""What the pages of MLflow's interface have to show: a support desk's week, logged through MLflow's own client.

A program of its own, `python filling.py URI`, because MLflow keeps what a process set. All is made by number; only the
times are of now, because the pages show the last seven days.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

import mlflow  # noqa: E402
from mlflow.entities import AssessmentSource, LiveSpan  # noqa: E402
from mlflow.genai.scorers import scorer  # noqa: E402

SECOND_NS = 1_000_000_000
APART_NS = 5_000 * SECOND_NS
SUPPORT_TRACES = 100
NIGHTLY_TRACES = 12
TURNS = 4
TOPICS = ("refund", "delivery", "invoice", "password")
USERS = ("ada", "bob", "cleo", "dan", "eve")
CARRIERS = ("north", "south", "east")
JUDGE = AssessmentSource(source_type="LLM_JUDGE", source_id="openai:/gpt-4o")
HUMAN = AssessmentSource(source_type="HUMAN", source_id="ada@example.com")


def fails(number: int) -> bool:
    """Whether the tool of a trace raises."""
    return number % 10 == 7


def support_trace(number: int, start_ns: int) -> str:
    """One answer of the agent: it looks up, asks a carrier, and lets a model write. Gives the trace's id."""
    topic = TOPICS[number % len(TOPICS)]
    question = f"Where is my {topic} number {number}?"
    answer = f"Your {topic} number {number} arrives within {number % 7 + 1} days."
    session = number // TURNS
    root = mlflow.start_span_no_context(
        "answer",
        span_type="AGENT",
        inputs={"question": question},
        tags={"env": "prod" if number % 3 else "dev", "topic": topic},
        metadata={"mlflow.trace.session": f"s-{session:02}", "mlflow.trace.user": USERS[session % len(USERS)]},
        start_time_ns=start_ns,
    )
    _looks_up(root, topic, start_ns + SECOND_NS // 10)
    _asks_carrier(root, number, start_ns + SECOND_NS // 2)
    _writes(root, question, answer, number, start_ns + SECOND_NS)
    root.end(
        outputs={"answer": answer},
        status="ERROR" if fails(number) else "OK",
        end_time_ns=start_ns + (2 + number % 5) * SECOND_NS,
    )
    return str(root.trace_id)


def _child(root: LiveSpan, name: str, span_type: str, inputs: Any, start_ns: int) -> LiveSpan:
    return mlflow.start_span_no_context(
        name, span_type=span_type, parent_span=root, inputs=inputs, start_time_ns=start_ns
    )


def _looks_up(root: LiveSpan, topic: str, start_ns: int) -> None:
    span = _child(root, "look up", "RETRIEVER", {"query": topic}, start_ns)
    texts = (f"A {topic} takes 30 days.", f"Ask for a {topic} by letter.")
    found = [{"page_content": text, "metadata": {"doc_uri": f"{topic}-{n}.md"}} for n, text in enumerate(texts)]
    span.end(outputs=found, end_time_ns=start_ns + SECOND_NS // 4)


def _asks_carrier(root: LiveSpan, number: int, start_ns: int) -> None:
    span = _child(root, "carrier", "TOOL", {"order": number, "carrier": CARRIERS[number % 3]}, start_ns)
    if fails(number):
        span.record_exception(TimeoutError(f"carrier {CARRIERS[number % 3]} does not answer"))
        span.end(status="ERROR", end_time_ns=start_ns + SECOND_NS // 5)
    else:
        span.end(outputs={"days": number % 7 + 1}, end_time_ns=start_ns + SECOND_NS // 5)


def _writes(root: LiveSpan, question: str, answer: str, number: int, start_ns: int) -> None:
    system = {"role": "system", "content": "You answer customers of a shop."}
    inputs = {"model": "gpt-4o-mini", "messages": [system, {"role": "user", "content": question}]}
    span = _child(root, "write", "CHAT_MODEL", inputs, start_ns)
    tokens = {"input_tokens": 100 + number, "output_tokens": 20, "total_tokens": 120 + number}
    span.set_attributes(
        {
            "mlflow.chat.tokenUsage": tokens,
            "mlflow.llm.model": "gpt-4o-mini",
            "mlflow.llm.provider": "openai",
            "mlflow.message.format": "openai",
        }
    )
    message = {"role": "assistant", "content": answer}
    span.end(outputs={"choices": [{"index": 0, "message": message}]}, end_time_ns=start_ns + SECOND_NS // 2)


def nightly_trace(number: int, start_ns: int) -> None:
    """One check of the other experiment."""
    root = mlflow.start_span_no_context(
        "nightly", span_type="CHAIN", inputs={"query": f"check {number}"}, start_time_ns=start_ns
    )
    _looks_up(root, TOPICS[number % len(TOPICS)], start_ns)
    root.end(outputs=["found"], end_time_ns=start_ns + SECOND_NS)


def judge(traces: list[str]) -> None:
    """Feedback of people and of a judge, and what was expected."""
    for number, trace_id in enumerate(traces):
        if number % 4 == 0:
            mlflow.log_feedback(trace_id=trace_id, name="helpful", value=number % 8 == 0, source=HUMAN)
        if number % 6 == 0:
            value = "no" if number % 5 == 0 else "yes"
            reason = "The days are those of the carrier."
            mlflow.log_feedback(trace_id=trace_id, name="correctness", value=value, source=JUDGE, rationale=reason)
        if number % 16 == 0:
            expected = f"within {number % 7 + 1} days"
            mlflow.log_expectation(trace_id=trace_id, name="expected_response", value=expected, source=HUMAN)


@scorer
def short(outputs: Any) -> bool:
    """Whether an answer is short."""
    return len(str(outputs)) < 40


@scorer
def words(outputs: Any) -> int:
    """How many words an answer has."""
    return len(str(outputs).split())


@mlflow.trace(name="answer", span_type="AGENT")
def predict(question: str) -> str:
    """The program that is evaluated."""
    with mlflow.start_span("look up", span_type="RETRIEVER") as span:
        span.set_inputs({"query": question})
        span.set_outputs([{"page_content": "30 days.", "metadata": {"doc_uri": "days.md"}}])
    return f"{question[9:-1]} comes " + ("soon" if "1" in question else "within the thirty days of the law")


def evaluate() -> None:
    """A dataset, and a run that evaluates the program on it."""
    dataset = mlflow.genai.create_dataset(name="support-questions")
    records = [
        {"inputs": {"question": f"Where is {topic} {n}?"}, "expectations": {"expected_response": f"{n} days"}}
        for n in range(1, 3)
        for topic in TOPICS
    ]
    dataset.merge_records(records)
    with mlflow.start_run(run_name="first-evaluation"):
        mlflow.genai.evaluate(data=dataset, predict_fn=predict, scorers=[short, words])


def main(uri: str, now_ns: int) -> None:
    """Fills the store of a URI: the last trace of the desk began a little before now."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    first_ns = now_ns - (SUPPORT_TRACES + 1) * APART_NS
    mlflow.set_experiment("support")
    # Servers may be started: the store is made.
    print("ready", flush=True)
    traces = [support_trace(number, first_ns + number * APART_NS) for number in range(SUPPORT_TRACES)]
    mlflow.flush_trace_async_logging()
    judge(traces)
    for text in ("Answer {{question}}.", "Answer {{question}} in one sentence."):
        mlflow.genai.register_prompt(name="support-answer", template=text, commit_message=text)
    mlflow.set_experiment("quality")
    for number in range(NIGHTLY_TRACES):
        nightly_trace(number, first_ns + number * APART_NS)
    evaluate()
    mlflow.flush_trace_async_logging()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

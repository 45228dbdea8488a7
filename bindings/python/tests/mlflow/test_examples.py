"""The examples of the page `docs/mlflow-examples.md` run, and leave in the database what they say.

Each runs once, in a process and a folder of its own, with a model server of its own. The tests read its database.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_model
import pytest

import tracehouse

REPOSITORY = Path(__file__).resolve().parents[4]
PAGE = REPOSITORY / "docs/mlflow-examples.md"
COUNT = 6
AT_ONCE_MAX = 2


@dataclass(frozen=True)
class Ran:
    """An example that ran: its folder, and what it asked the model."""

    folder: Path
    requests: list[dict[str, Any]]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement on the database that the example made."""
        with tracehouse.connect(self.folder / "app.traces", read_only=True) as db:
            return db.sql(statement).fetchall()


def examples() -> list[str]:
    """The code of each example."""
    parts = re.split(r"^## \d\. ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return ["\n".join(block.split("```")[0] for block in part.split("```python\n")[1:]) for part in parts]


def run(code: str, folder: Path) -> Ran:
    """Runs an example."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "OPENAI_"))}
    with fake_model.FakeModel() as model:
        own = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model.url, "NO_PROXY": "127.0.0.1"}
        # MLflow asks nobody else, and reports to nobody.
        quiet = {"MLFLOW_MODEL_CATALOG_URI": "", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-W", "ignore", "-c", code]
        done = subprocess.run(command, cwd=folder, env={**kept, **own, **quiet}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Ran(folder, model.requests)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Ran]]:
    """An example that ran, by its number: all of them begin when the first is asked for."""
    with ThreadPoolExecutor(AT_ONCE_MAX) as pool:
        futures: list[Future[Ran]] = [pool.submit(run, code, tmp_path_factory.mktemp("example")) for code in examples()]
        yield lambda number: futures[number - 1].result()


def test_every_example_has_code() -> None:
    found = examples()
    assert len(found) == COUNT
    assert all('mlflow.set_tracking_uri("tracehouse:./app.traces")' in code for code in found)


def test_the_calls_of_a_model(ran: Callable[[int], Ran]) -> None:
    example = ran(1)
    spans = """
        SELECT s.name, span_type, model, tool_name, s.input_tokens, s.output_tokens FROM spans s
        JOIN traces t USING (trace_id) WHERE t.name = '{}' ORDER BY s.start_time
    """
    assert example.rows(spans.format("support")) == [
        ("support", "AGENT", None, None, None, None),
        ("Completions", "CHAT_MODEL", "gpt-4o-mini", None, 19, 2),
        ("order_state", "TOOL", None, "order_state", None, None),
        ("Completions", "CHAT_MODEL", "gpt-4o-mini", None, 24, 5),
    ]
    assert example.rows(spans.format("streamed")) == [
        ("streamed", "UNKNOWN", None, None, None, None),
        ("Completions", "CHAT_MODEL", "gpt-4o-mini", None, 19, 6),
        ("streamed", "UNKNOWN", None, None, None, None),
        ("Completions", "CHAT_MODEL", "gpt-4o-mini", None, 19, 2),
    ]
    assert [request.get("stream", False) for request in example.requests] == [False, False, True, True]
    assert example.rows("SELECT name, total_tokens, cost_usd > 0 FROM traces ORDER BY request_time") == [
        ("support", 50, True),
        ("streamed", 25, True),
        ("streamed", 21, True),
    ]


def test_calls_of_tools_and_streamed_answers_are_read_back_whole(ran: Callable[[int], Ran]) -> None:
    example = ran(1)
    said = example.rows("SELECT outputs FROM spans WHERE span_type = 'CHAT_MODEL' ORDER BY start_time")
    called, told, streamed, called_in_pieces = (json.loads(outputs)["choices"][0] for (outputs,) in said)
    for choice, order in ((called, 17), (called_in_pieces, 18)):
        assert choice["finish_reason"] == "tool_calls"
        [call] = choice["message"]["tool_calls"]
        assert call["function"] == {"name": "order_state", "arguments": json.dumps({"order": order})}
    assert told["message"]["content"] == "Order 17 left on Monday."
    assert streamed["message"]["content"] == "Parcels to Norway take 9 days."


def test_each_piece_of_a_streamed_answer_is_an_event(ran: Callable[[int], Ran]) -> None:
    pieces = ran(1).rows("SELECT attributes FROM events WHERE name LIKE 'mlflow.chunk.item.%' ORDER BY time")
    values = [json.loads(json.loads(attributes)["mlflow.chunk.value"]) for (attributes,) in pieces]
    deltas = [value["choices"][0]["delta"] for value in values if value["choices"]]
    words = [delta["content"] for delta in deltas if delta["content"]]
    assert words == ["Parcels ", "to ", "Norway ", "take ", "9 ", "days."]
    arguments = [call["function"]["arguments"] for delta in deltas for call in delta["tool_calls"] or []]
    assert arguments == ["", '{"order": ', "18}"]


def test_retrieved_documents(ran: Callable[[int], Ran]) -> None:
    example = ran(2)
    found = example.rows("""
        SELECT t.request_preview, s.outputs FROM spans s JOIN traces t USING (trace_id)
        WHERE span_type = 'RETRIEVER' ORDER BY s.start_time
    """)
    best = {json.loads(asked)["question"]: json.loads(pages)[0] for asked, pages in found}
    assert {question: page["metadata"]["doc_uri"] for question, page in best.items()} == {
        "How long does a refund take?": "refunds.md",
        "When do gift cards expire?": "gifts.md",
        "How long to Norway?": "norway.md",
    }
    assert best["How long to Norway?"]["page_content"] == "Parcels to Norway take 9 days."
    assert example.rows("SELECT count(*), sum(input_tokens) FROM spans WHERE span_type = 'EMBEDDING'") == [(4, 30)]


def test_judges_of_retrieval(ran: Callable[[int], Ran]) -> None:
    verdicts = ran(2).rows("""
        SELECT a.name, value, a.source_id, count(*) FROM assessments a
        JOIN spans s ON s.trace_id = a.trace_id AND s.span_id = a.span_id AND s.name = 'answer'
        GROUP BY a.name, value, a.source_id ORDER BY a.name, value
    """)
    judge = "openai:/gpt-4o-mini"
    assert verdicts == [
        ("retrieval_groundedness", '"yes"', judge, 3),
        ("retrieval_relevance", '"no"', judge, 3),
        ("retrieval_relevance", '"yes"', judge, 3),
        ("retrieval_relevance/precision", "0.5", judge, 3),
    ]


def test_sessions_and_users(ran: Callable[[int], Ran]) -> None:
    example = ran(3)
    assert example.rows("SELECT session_id, user_id, trace_count FROM sessions ORDER BY session_id") == [
        ("s-ada", "ada", 3),
        ("s-bob", "bob", 1),
    ]
    turns = "SELECT tags['turn'], outputs FROM traces WHERE session_id = 's-ada' ORDER BY request_time"
    assert example.rows(turns) == [
        ("0", "Refunds take 30 days."),
        ("1", "Parcels to Norway take 9 days."),
        ("2", "I do not know."),
    ]
    said = "SELECT name, value, rationale, source_type, source_id FROM assessments"
    assert example.rows(said) == [("helpful", "false", "It did not know.", "HUMAN", "ada")]


# What is said of the right answer and of the wrong one.
VERDICTS = {
    "correctness": ('"yes"', '"no"'),
    "expected_response": ('"Refunds take 30 days."', '"Parcels take 9 days."'),
    "length": ("8", "2"),
    "number": ("true", "false"),
    "steps": ("true", "true"),
    "thanks": ('"yes"', '"no"'),
    "unit": ('"exact"', '"vague"'),
    "used_its_memory": ("true", "true"),
}


def test_what_scorers_and_judges_say(ran: Callable[[int], Ran]) -> None:
    example = ran(4)
    stored = example.rows("""
        SELECT a.name, t.outputs = 'Two weeks.', a.value FROM assessments a JOIN traces t USING (trace_id)
    """)
    assert len(stored) == 2 * len(VERDICTS)
    assert {(name, wrong): value for name, wrong, value in stored} == {
        (name, wrong): values[wrong] for name, values in VERDICTS.items() for wrong in (False, True)
    }
    why = "SELECT rationale, source_id FROM assessments WHERE name = '{}' AND value IN ('\"no\"', 'false')"
    [(judged, judge)] = example.rows(why.format("correctness"))
    assert judged.endswith("missing: 9, day, parcel.")
    assert judge == "openai:/gpt-4o-mini"
    assert example.rows(why.format("number")) == [("missing: ['9']", "default")]


def test_a_judge_that_looks_at_the_trace_reads_it_by_tools(ran: Callable[[int], Ran]) -> None:
    asked = [request["messages"] for request in ran(4).requests if request.get("tools")]
    read = [messages[-1] for messages in asked if messages[-1]["role"] == "tool"]
    assert len(read) == 2
    assert all('"remember"' in message["content"] for message in read)


def test_traces_and_versions_of_a_prompt(ran: Callable[[int], Ran]) -> None:
    example = ran(5)
    with tracehouse.connect(example.folder / "app.traces", read_only=True) as db:
        answers = {number: db.search_traces(f"prompt = 'support/{number}'") for number in (1, 2)}
        found = {number: [trace.info.response_preview for trace in traces] for number, traces in answers.items()}
    assert found == {1: ['"I do not know."'], 2: ['"Refunds take 30 days."']}
    sent = [request["messages"][0]["content"] for request in example.requests]
    assert sent == ["How long does a refund take?", "Refunds take 30 days.\nHow long does a refund take?"]


def test_the_dataset_of_a_pipeline(ran: Callable[[int], Ran]) -> None:
    records = ran(6).rows("""
        SELECT r.inputs, r.expectations, r.source_type, t.tags['env'] FROM dataset_records r
        JOIN traces t ON t.trace_id = r.source_trace_id WHERE dataset = 'golden' ORDER BY r.inputs
    """)
    assert [
        (json.loads(inputs)["question"], json.loads(right)["expected_response"]) for inputs, right, *_ in records
    ] == [
        ("How long does a refund take?", "Refunds take 30 days."),
        ("How long to Norway?", "Parcels to Norway take 9 days."),
    ]
    assert {tuple(source) for _, _, *source in records} == {("TRACE", "prod")}


def test_runs_of_a_pipeline_and_scores_without_the_application(ran: Callable[[int], Ran]) -> None:
    example = ran(6)
    scores = example.rows("""
        SELECT a.name, a.value, count(*), count(DISTINCT a.metadata['mlflow.assessment.sourceRunId'])
        FROM assessments a WHERE type = 'feedback' GROUP BY a.name, a.value ORDER BY a.name, a.value
    """)
    assert scores == [
        ("correctness", '"no"', 1, 1),
        ("correctness", '"yes"', 3, 2),
        ("says_when", "false", 1, 1),
        ("says_when", "true", 3, 2),
    ]
    # Three answers of production, and for each version one that MLflow tries first, two answers and what the judge says
    # of them; none for the second scorer.
    assert len(example.requests) == 3 + 2 * (1 + 2 + 2)
    assert example.rows("SELECT count(*) FROM traces") == [(3 + 2 * 2,)]


def test_the_server_of_the_page_answers(tmp_path: Path) -> None:
    command = [sys.executable, fake_model.__file__, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().split("OPENAI_BASE_URL=")[1].split()[0]
            body = {"model": "any", "messages": [{"role": "user", "content": "Tea is hot. Is tea hot?"}]}
            assert post(f"{url}/chat/completions", body)["choices"][0]["message"]["content"] == "Tea is hot."
            with pytest.raises(urllib.error.HTTPError, match="400"):
                post(f"{url}/other", body)
        finally:
            running.kill()


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a server answers."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        told: dict[str, Any] = json.load(response)
        return told

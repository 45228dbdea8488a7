"""Judges: a server of the protocol is asked, what it says is a score, money and keys are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_judge import FakeJudge

import tracehouse
from tracehouse import Database, InvalidInputError, Judge

KEY = "sk-secret-0123456789abcdef"
ANSWERS = [{"inputs": "Where is it?", "outputs": said} for said in ("your refund is on its way", "no idea")]


@pytest.fixture(autouse=True)
def _no_server_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeJudge]:
    """A server."""
    with FakeJudge() as made:
        yield made


def test_guidelines(db: Database, server: FakeJudge) -> None:
    judge = Judge(model="m", base_url=server.url, api_key=KEY, guidelines=["Speak of money.", "Be brief."])
    run = db.evaluate(ANSWERS, [judge], name="judged")
    assert run.metrics == {"guidelines": 0.5, "guidelines/count": 2, "guidelines/errors": 0}
    (failure,) = run.failures()
    assert failure.rationale == "refund is not there"
    assert [request["model"] for request in server.requests] == ["m", "m"]
    asked = str(server.requests[0]["messages"])
    assert "Speak of money." in asked
    assert "Be brief." in asked
    assert server.keys == [f"Bearer {KEY}"] * 2
    assert (judge.usage.calls, judge.usage.input_tokens, judge.usage.output_tokens) == (2, 200, 20)
    for shown in (repr(judge), str(judge.definition), str(db.sql("SELECT scorers FROM eval_runs").fetchall())):
        assert KEY not in shown
    assert judge.definition["guidelines"] == ["Speak of money.", "Be brief."]


def test_calls_are_stored_as_traces(db: Database, server: FakeJudge) -> None:
    db.set_price("m", 1_000.0, 10_000.0)
    judge = Judge(model="m", base_url=server.url, api_key=KEY, guidelines="Speak of money.", name="money")
    db.evaluate(ANSWERS, judge, name="not stored")
    assert db.count_traces() == 0
    other = Judge(model="m", base_url=server.url, api_key=KEY, guidelines="Be brief.", name="brief")
    dataset = db.create_dataset("asked")
    dataset.merge_records([{"inputs": n, "outputs": said["outputs"]} for n, said in enumerate(ANSWERS)])
    run = db.evaluate(dataset, other, judge_traces="9")
    traces = list(db.iter_traces("experiment_id = '9' AND metadata.tracehouse.eval.judge = 'brief'"))
    assert len(traces) == len(server.requests) - 2 == 2
    records = {record.dataset_record_id for record in dataset.records()}
    assert {trace.info.metadata["tracehouse.eval.record"] for trace in traces} == records
    for trace in traces:
        assert (trace.info.metadata["tracehouse.eval.run_id"], trace.info.state) == (run.run_id, "OK")
        span = trace.root
        assert span is not None
        assert (span.model, span.input_tokens, span.output_tokens) == ("m", 100, 10)
        assert span.cost_usd == pytest.approx(0.2)
        assert "Be brief." in str(span.inputs)
        assert span.outputs is not None
        assert KEY not in str(trace.to_dict())
    registered = Judge(model="m", base_url=server.url, kind="safety")
    with pytest.raises(InvalidInputError, match="experiment id"):
        db.evaluate(ANSWERS, registered, judge_traces="")


def test_defaults_are_those_of_the_environment(
    db: Database, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    judge = Judge(model="m", guidelines="Speak of money.", name="money")
    assert db.evaluate(ANSWERS, judge).metrics["money"] == 0.5
    assert server.keys[0] == f"Bearer {KEY}"
    assert repr(judge) == f"Judge('money', model='m', base_url='{server.url}')"


def test_prices_of_the_database_and_a_budget(db: Database, server: FakeJudge) -> None:
    db.set_price("m", 1_000.0, 10_000.0)
    judge = Judge(model="m", base_url=server.url, guidelines="Speak of money.", max_tokens=16)
    run = db.evaluate(ANSWERS, judge)
    # 100 tokens in and 10 out, twice.
    assert run.cost_usd == pytest.approx(0.4)
    assert judge.usage.spent_usd == pytest.approx(0.4)
    small = Judge(model="m", base_url=server.url, guidelines="Be brief.", budget_usd=0.000001, name="small")
    spent = db.evaluate(ANSWERS, small)
    assert spent.error_count == 2
    assert str(spent.failures()[0].error).startswith("budget: ")
    own = Judge(
        model="m",
        base_url=server.url,
        guidelines="Speak of money.",
        price_input_usd_per_million=0,
        price_output_usd_per_million=100,
        name="own",
    )
    assert db.evaluate(ANSWERS, own).cost_usd == pytest.approx(0.002)
    unknown = Judge(model="nobody", base_url=server.url, guidelines="Be brief.", budget_usd=1)
    with pytest.raises(InvalidInputError, match="price_input_usd_per_million and"):
        db.evaluate(ANSWERS, unknown)


def test_a_judge_is_made_again(db: Database, server: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge(
        model="m",
        base_url=server.url,
        template="Is there a refund?\n{{outputs}}",
        output={"type": "boolean"},
        name="refund",
        temperature=0.5,
    )
    again = Judge.from_definition(judge.definition, base_url=server.url)
    assert (again.name, again.version, again.definition) == (judge.name, judge.version, judge.definition)
    run = db.evaluate(ANSWERS[:1], judge)
    # Where the key is sent the program says, and not what is stored.
    with pytest.raises(InvalidInputError, match="needs base_url="):
        run.resume(data=ANSWERS)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert run.resume(data=ANSWERS).row_count == 2
    assert {request["temperature"] for request in server.requests} == {0.5}
    with pytest.raises(InvalidInputError, match="not a judge's"):
        Judge.from_definition({"kind": "json_valid"})


def test_production_is_watched_by_a_judge(
    sample_db: Database, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    judge = Judge(model="m", kind="safety")
    sample_db.register_scorer(judge, "state = 'ERROR'")
    (report,) = sample_db.run_registered()
    assert (report.name, report.judged, report.errors, report.waiting) == ("safety", 4, 0, 0)
    assert len(server.requests) == 4


def test_one_item(server: FakeJudge) -> None:
    judge = Judge(model="m", base_url=server.url, guidelines="Speak of money.")
    said = judge(inputs="Where is it?", outputs="a refund comes")
    assert (said.value, said.passed, said.rationale, said.error) == (True, True, "refund is there", None)


def test_a_server_that_is_not_there() -> None:
    with FakeJudge() as gone:
        url = gone.url
    judge = Judge(model="m", base_url=url, api_key=KEY, kind="relevance", retries_max=0, timeout_ms=2_000)
    said = judge(inputs="a", outputs="b")
    assert said.value is None
    assert str(said.error).startswith("server: ")
    assert KEY not in str(said.error)


def test_what_is_no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    for given in ({}, {"guidelines": "x", "kind": "safety"}, {"template": "{{outputs}}", "kind": "safety"}):
        with pytest.raises(InvalidInputError, match="one of guidelines=, kind= and template="):
            Judge(model="m", **given)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="kindness"):
        Judge(model="m", kind="kindness")
    with pytest.raises(InvalidInputError, match="no variable"):
        Judge(model="m", template="x")
    with pytest.raises(InvalidInputError, match="output= is of a template"):
        Judge(model="m", kind="safety", output="text")
    with pytest.raises(InvalidInputError, match='no setting "colour"'):
        Judge(model="m", kind="safety", colour="red")
    with pytest.raises(InvalidInputError, match=r"a judge: tracehouse\.Judge"):
        tracehouse.scorers.from_spec("judge:safety")


def test_a_budget_is_one_whoever_asks(db: Database, server: FakeJudge) -> None:
    judge = Judge(
        model="m",
        base_url=server.url,
        guidelines="Be polite.",
        budget_usd=1.0,
        price_input_usd_per_million=1.0,
        price_output_usd_per_million=1.0,
    )
    assert judge(outputs="one").error is None
    calls = judge.usage.calls
    db.evaluate([{"inputs": "q", "outputs": "two"}], [judge], feedback=False)
    assert judge.usage.calls == calls + 1
    judge(outputs="three")
    assert judge.usage.calls == calls + 2

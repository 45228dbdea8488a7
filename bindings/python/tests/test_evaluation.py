"""Evaluation runs: what is judged, what is stored, how runs go on and are compared, and production is watched."""

from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import ConflictError, Database, EvalRun, InvalidInputError, NotFoundError, scorers

GIVEN = [
    {"inputs": {"q": "capital of France"}, "outputs": "Paris", "expectations": {"expected_response": "Paris"}},
    {"inputs": {"q": "capital of Italy"}, "outputs": "Milan", "expectations": {"expected_response": "Rome"}},
    {"inputs": {"q": "2 + 2"}, "outputs": "4"},
]


@tracehouse.scorer
def number(outputs: str) -> float:
    """The number of the order, from the last digits of the question."""
    return float(len(outputs))


def test_traces_of_a_filter(sample_db: Database) -> None:
    run = sample_db.evaluate("state = 'ERROR'", [scorers.contains("30 days"), "slow=latency_ms:100", number], name="n")
    assert (run.name, run.state, run.source, run.filter) == ("n", "DONE", "traces", "state = 'ERROR'")
    assert (run.row_count, run.error_count, run.cost_usd) == (12, 0, None)
    assert [one.name for one in run.scorers] == ["contains", "slow", "number"]
    metrics = run.metrics
    assert metrics["contains"] == 1.0
    assert (metrics["slow"], metrics["slow/pass_rate"]) == (500.0, 0.0)
    assert (metrics["number/count"], metrics["number/errors"]) == (4, 0)
    passes = run.summaries[0].passes
    assert passes is not None
    assert (passes.count, passes.passed) == (4, 4)
    assert passes.interval is not None
    assert passes.interval.low < 1 == passes.interval.high
    # The scores are feedback on their traces, too.
    assert sample_db.count_traces("feedback.contains = true") == 4
    assert sample_db.count_traces("feedback.slow >= 500") == 4
    (feedback,) = [one for one in sample_db.assessments(sample.trace_id(0)) if one.name == "slow"]
    assert feedback.source_type == "CODE"


def test_scores_are_a_table(sample_db: Database) -> None:
    for module in ("pandas", "polars", "pyarrow"):
        importlib.import_module(module)
    run = sample_db.evaluate("", ["max_words:3", "json_valid"], feedback=False)
    df = run.to_df()
    assert len(df) == len(run.to_arrow()) == len(run.to_polars()) == 24
    assert set(df["scorer"]) == {"max_words", "json_valid"}
    assert list(df.columns) == run.scores().columns
    assert set(df["run_id"]) == {run.run_id}
    assert sample_db.count_traces("feedback.max_words > 0") == 0
    assert sorted(run.numbers("max_words")) == [3.0] * 12
    assert run.numbers("json_valid") == []
    failures = run.failures()
    assert {one.scorer for one in failures} == {"json_valid"}
    assert len(failures) == 12
    assert len(run.failures(5)) == 5
    assert failures[0].trace_id == sample.trace_id(0)
    assert failures[0].error is None
    assert failures[0].rationale


def test_spans_and_sessions(sample_db: Database) -> None:
    @tracehouse.scorer
    def turns(messages: list[dict[str, str]]) -> int:
        assert {message["role"] for message in messages} == {"user", "assistant"}
        return len(messages)

    spans = sample_db.evaluate("span.type = 'TOOL'", ["latency_ms:1000"], of="spans", limit=3)
    assert (spans.source, spans.row_count, spans.limit) == ("spans", 3, 3)
    assert {row[0] for row in sample_db.sql("SELECT span_id FROM scores")} <= {sample.span_id(n, 2) for n in range(12)}
    sessions = sample_db.evaluate("", [turns], of="sessions")
    assert (sessions.source, sessions.row_count, sessions.error_count) == ("sessions", 6, 0)
    assert sessions.metrics["turns"] == 4.0
    with pytest.raises(InvalidInputError, match="sessions, dataset expected"):
        sample_db.evaluate("", [turns], of="people")


def test_records_of_a_dataset(sample_db: Database) -> None:
    ds = sample_db.create_dataset("capitals")
    ds.merge_records(GIVEN[:2])
    ds.merge_records(GIVEN[2:])
    run = sample_db.evaluate("capitals", "exact_match")
    assert (run.source, run.dataset_id, run.dataset_version) == ("dataset", ds.id, 2)
    assert run.metrics == {"exact_match": 0.5, "exact_match/count": 2, "exact_match/errors": 1}
    wrong, lacking = run.failures()
    assert {wrong.dataset_record_id, lacking.dataset_record_id} < {one.dataset_record_id for one in ds.records()}
    assert lacking.error is not None
    assert lacking.error.startswith("missing: ")
    assert run.summaries[0].errors_by_kind == {"missing": 1}
    assert sample_db.evaluate("capitals@1", "exact_match").row_count == 2
    assert sample_db.evaluate(ds, "exact_match", version=1).row_count == 2
    assert sample_db.evaluate(ds, "exact_match", limit=1).row_count == 1
    assert sample_db.evaluate("capitals", "exact_match", of="dataset").row_count == 3
    with pytest.raises(NotFoundError, match='did you mean "capitals"'):
        sample_db.evaluate("capital", "exact_match")
    with pytest.raises(NotFoundError):
        sample_db.evaluate("capitals@7", "exact_match")


def test_lists_and_tables(db: Database) -> None:
    import pandas
    import polars
    import pyarrow

    expected = {"exact_match": 0.5, "exact_match/count": 2, "exact_match/errors": 1}
    tables = [GIVEN, pandas.DataFrame(GIVEN), polars.DataFrame(GIVEN), pyarrow.Table.from_pylist(GIVEN)]
    texts = {
        "inputs": ["{}", "{}", "{}"],
        "outputs": ["Paris", "Milan", "4"],
        "expectations": ['{"expected_response": "Paris"}', '{"expected_response": "Rome"}', None],
    }
    tables += [pandas.DataFrame(texts), db.sql("SELECT * FROM given", tables={"given": pandas.DataFrame(texts)})]
    for table in tables:
        run = db.evaluate(table, "exact_match")
        assert run.metrics == expected, type(table)
        assert run.source == "given"
    assert db.evaluate([], "exact_match").row_count == 0
    with pytest.raises(InvalidInputError, match="item 2 has answer: an item has inputs"):
        db.evaluate([GIVEN[0], {"answer": "Paris"}], "exact_match")
    with pytest.raises(InvalidInputError, match=r"item 1\.outputs is a object: a value that JSON has"):
        db.evaluate([{"outputs": object()}], "exact_match")
    with pytest.raises(InvalidInputError, match="item 3 has the trace_id t of item 1"):
        db.evaluate([{"trace_id": "t"}, {"trace_id": "t", "span_id": "s"}, {"trace_id": "t"}], "exact_match")
    with pytest.raises(InvalidInputError, match="item 1 is a str"):
        db.evaluate(["Paris"], "exact_match")
    with pytest.raises(InvalidInputError, match="data is a int"):
        db.evaluate(5, "exact_match")


def test_a_list_of_traces(sample_db: Database) -> None:
    traces = sample_db.search_traces("state = 'ERROR'", max_results=3)
    sample_db.log_expectation(traces[0].trace_id, "expected_response", "within 30 days")
    run = sample_db.evaluate(list(traces), ["token_f1", "tool_calls"])
    assert (run.row_count, run.metrics["token_f1"], run.metrics["token_f1/errors"]) == (6, 1.0, 2)
    sample_db.delete_traces(traces[0].trace_id)
    with pytest.raises(NotFoundError, match=traces[0].trace_id):
        sample_db.evaluate(list(traces), "token_f1")


def test_items_that_are_of_traces(sample_db: Database) -> None:
    first, second = sample.trace_id(0), sample.trace_id(1)
    items = [
        {"trace_id": f"tr-{first}", "outputs": {"n": float("nan")}},
        {"trace_id": second, "span_id": sample.span_id(1, 1), "outputs": [2**70]},
        {"trace_id": "not there", "outputs": "["},
    ]
    run = sample_db.evaluate(items, "json_valid")
    assert run.metrics["json_valid"] == pytest.approx(2 / 3)
    assert sample_db.count_traces("feedback.json_valid = true") == 2
    assert [one.span_id for one in sample_db.assessments([first, second])] == [None, sample.span_id(1, 1)]


def test_what_is_no_run(sample_db: Database) -> None:
    with pytest.raises(InvalidInputError, match="needs a scorer"):
        sample_db.evaluate("", [])
    with pytest.raises(InvalidInputError, match="two scorers are named"):
        sample_db.evaluate("", ["json_valid", scorers.json_valid(fence=True)])
    with pytest.raises(InvalidInputError, match="did you mean `contains`"):
        sample_db.evaluate("", "contain:x")
    with pytest.raises(InvalidInputError, match="scorer is a int"):
        sample_db.evaluate("", [3])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError):
        sample_db.evaluate("stat = ", "json_valid")
    assert sample_db.eval_runs() == []


def test_runs_are_found_and_deleted(path: Path) -> None:
    with tracehouse.connect(path) as db:
        first = db.evaluate(GIVEN, "exact_match", name="first")
        second = db.evaluate(GIVEN, "contains", name="second")
    with tracehouse.connect(path) as db:
        assert [run.name for run in db.eval_runs()] == ["second", "first"]
        found = db.eval_run("first")
        assert (found.run_id, found.created_at) == (first.run_id, first.created_at)
        assert db.eval_run(second.run_id[:-2]).name == "second"
        assert db.eval_run(first.run_id).metrics["exact_match"] == 0.5
        db.delete_eval("second")
        db.delete_eval(found)
        assert db.eval_runs() == []
        with pytest.raises(NotFoundError):
            db.eval_run("first")
        with pytest.raises(NotFoundError):
            found.metrics  # noqa: B018 it is read now
    with pytest.raises(tracehouse.ClosedError):
        found.scores()


def test_a_run_goes_on(sample_db: Database) -> None:
    run = sample_db.evaluate("", ["json_valid", number, scorers.contains("days", name="says")])
    assert run.row_count == 36
    sample_db.import_otlp(sample.lines(14))
    with pytest.raises(InvalidInputError, match="'number' is a function of a program: it must be given"):
        run.resume()
    on = run.resume([number])
    assert (on.run_id, on.state, on.row_count) == (run.run_id, "DONE", 42)
    assert sample_db.sql("SELECT count(DISTINCT trace_id) FROM scores").fetchone() == (14,)
    with pytest.raises(InvalidInputError, match="did not begin with the scorer 'other'"):
        run.resume([number, "other=json_valid"])
    with pytest.raises(InvalidInputError, match="began with another version of number"):
        run.resume([tracehouse.scorer(name="number", version="2")(lambda outputs: len(outputs))])
    listed = sample_db.evaluate(GIVEN[:2], "exact_match")
    with pytest.raises(InvalidInputError, match=r"resume\(data=...\)"):
        listed.resume()
    assert listed.resume(data=GIVEN).row_count == 3


def test_a_run_over_records_goes_on(db: Database) -> None:
    ds = db.create_dataset("capitals")
    ds.merge_records(GIVEN)
    whole = db.evaluate(ds, "exact_match")
    assert whole.resume().row_count == 3
    part = db.evaluate(ds, "exact_match", limit=1)
    assert part.resume(data=ds).row_count == 3


def test_two_runs_are_compared(db: Database) -> None:
    better = [{**GIVEN[0], "outputs": "It is Paris"}, {**GIVEN[1], "outputs": "Rome"}, GIVEN[2]]
    before = db.evaluate(GIVEN, ["exact_match", "token_f1", "json_valid"], name="before")
    after = db.evaluate(better, ["exact_match", "token_f1", "contains"], name="after")
    compared = after.compare(before)
    assert (compared.a.name, compared.b.name) == ("before", "after")
    assert compared.unpaired == ["contains", "json_valid"]
    exact, f1 = compared.scorers
    assert exact.verdicts is not None
    assert (exact.verdicts.only_a, exact.verdicts.only_b, exact.verdicts.difference) == (1, 1, 0.0)
    assert f1.numbers is not None
    assert (f1.numbers.pairs, f1.numbers.rose, f1.numbers.fell, f1.errors_both) == (2, 1, 1, 1)
    assert [(one.scorer, one.key, one.kind) for one in compared.regressions] == [
        ("exact_match", "item-0", "now_fails"),
        ("token_f1", "item-0", "worse"),
    ]
    same = db.compare_evals("before", after).to_dict()
    assert json.loads(json.dumps(after.compare("before").to_dict())) == json.loads(json.dumps(same))
    shown = repr(compared)
    assert "after" in shown.splitlines()[0]
    assert "exact_match: item-0 now fails" in shown
    assert "only in one of them: contains, json_valid" in shown
    shown = str(after)
    assert "9 scores, 3 errors" in shown
    assert repr(after) == f"EvalRun('after', DONE, run_id='{after.run_id}')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(after)


def test_what_got_worse_has_both_outputs(sample_db: Database) -> None:
    questions = [{"inputs": {"n": n}, "expectations": {"expected_response": str(n)}} for n in range(3)]
    ds = sample_db.create_dataset("questions")
    ds.merge_records(questions)
    before = sample_db.evaluate(ds, ["exact_match"], predict_fn=lambda n: str(n), name="before")
    after = sample_db.evaluate(
        ds, ["exact_match"], predict_fn=lambda n: str(n) if n else "a\n <b>zero</b>", name="after"
    )
    compared = after.compare(before)
    [worse] = compared.regressions
    assert compared.outputs([worse]) == [("0", "a\n <b>zero</b>")]
    assert compared.outputs([worse.key, "none"]) == [("0", "a\n <b>zero</b>"), (None, None)]
    assert before.outputs([worse.key]) == ["0"]
    assert f"exact_match: {worse.key} now fails\n    before: 0\n    after: a <b>zero</b>" in repr(compared)
    assert "<b>zero" not in compared._repr_html_()
    assert "output after" in compared._repr_html_()
    sample_db.close()
    assert "now fails" in repr(compared), "without outputs"


def test_groups_of_traces_are_compared(sample_db: Database) -> None:
    sample_db.evaluate("", ["max_words:2", "contains:days"])
    compared = sample_db.compare_groups("tags.env = 'prod'", "tags.env = 'dev'")
    assert compared.counts == (6, 6)
    assert (compared.errors.passed_a, compared.errors.passed_b) == (2, 2)
    assert compared.duration_ns.mean_a == 500_000_000
    assert [one.quantile for one in compared.duration_quantiles] == [0.5, 0.95]
    assert compared.total_tokens.difference == -1.0
    assert compared.total_tokens.interval is not None
    assert compared.numbers["max_words"].mean_b == 3.0
    assert compared.verdicts["contains"].rate_a == 1.0
    lines = repr(compared).splitlines()
    assert lines[2].split() == ["traces", "6", "6", "+0"]
    assert any(line.startswith("duration p95, ms") for line in lines)
    with pytest.raises(InvalidInputError):
        sample_db.compare_groups("stat = ", "")


def test_production_is_watched(sample_db: Database) -> None:
    registered = sample_db.register_scorer(scorers.max_words(2), "state = 'ERROR'")
    assert (registered.name, registered.filter, registered.active) == ("max_words", "state = 'ERROR'", True)
    sample_db.register_scorer(number, sample_rate=0.5)
    sample_db.register_scorer("json_valid")
    sample_db.set_scorer_active("json_valid", False)
    waiting = {one.name: one.waiting for one in sample_db.registered_reports()}
    assert waiting["max_words"] == 4
    assert 0 < waiting["number"] < 12
    with pytest.raises(InvalidInputError, match="'number' is a function of a program: it must be given"):
        sample_db.run_registered()
    reports = {one.name: one for one in sample_db.run_registered([number])}
    assert (reports["max_words"].judged, reports["max_words"].waiting) == (4, 0)
    assert reports["number"].judged == waiting["number"]
    assert (reports["json_valid"].judged, reports["json_valid"].waiting, reports["json_valid"].run_id) == (0, 12, None)
    run = sample_db.eval_run(reports["max_words"].run_id or "")
    assert (run.monitor, run.row_count) == ("max_words", 4)
    # What comes later is judged in the same run, and nothing twice.
    sample_db.import_otlp(sample.lines(16))
    reports = {one.name: one for one in sample_db.run_registered([number])}
    assert (reports["max_words"].judged, reports["max_words"].run_id) == (6, run.run_id)
    sample_db.delete_registered_scorer("number")
    assert [one.name for one in sample_db.registered_scorers()] == ["json_valid", "max_words"]
    with pytest.raises(NotFoundError):
        sample_db.delete_registered_scorer("number")
    with pytest.raises(InvalidInputError, match="sample rate"):
        sample_db.register_scorer("json_valid", sample_rate=0)


def test_progress_is_told(sample_db: Database) -> None:
    told: list[tuple[int, int]] = []
    sample_db.evaluate("", "json_valid", progress=lambda done, total: told.append((done, total)))
    assert (told[0], told[-1]) == ((0, 12), (12, 12))
    run: EvalRun = sample_db.evaluate("", "json_valid", progress=True, concurrency=1)
    assert run.row_count == 12


def test_a_run_that_is_carried_out_is_held(db: Database) -> None:
    refusals: list[BaseException] = []

    @tracehouse.scorer
    def again(outputs: str) -> bool:
        (run,) = db.eval_runs()
        assert run.state == "RUNNING"
        try:
            run.delete = db.delete_eval(run)  # type: ignore[attr-defined]
        except ConflictError as error:
            refusals.append(error)
        return True

    run = db.evaluate(GIVEN[:1], [again])
    assert run.metrics["again"] == 1.0
    assert len(refusals) == 1


def test_an_erased_trace_leaves_runs_and_reviews(sample_db: Database) -> None:
    run = sample_db.evaluate("", ["json_valid", "max_words:2"], name="nightly")
    sample_db.create_review("all", [{"name": "correct", "kind": "boolean"}], ["ana"], filter="")
    receipt = sample_db.erase_traces(sample.trace_id(3))
    assert (receipt.scores, receipt.eval_texts, receipt.review_items) == (2, 0, 1)
    assert len(run.scores().fetchall()) == 22
    assert sample_db.eval_run("nightly").row_count == 22
    assert sample.trace_id(3) not in str(sample_db.review("all").to_dict())

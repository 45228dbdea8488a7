"""An MLflow database with all that can be moved, made through MLflow's own stores; used by `test_migration`.

The traces are those that the filters are asked about, and old ones, whose spans are files.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import model_population
from mlflow.entities import IssueSeverity, IssueStatus, Metric, Param, RunTag, TraceData
from mlflow.entities.model_registry import PromptVersion
from mlflow.entities.trace_status import TraceStatus
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from model_pair import plain_span
from model_spans import MS_NS, feedback, info, issue, span, trace_id

with warnings.catch_warnings():
    # MLflow's libraries warn of their own future, and at import no mark of a test is heard.
    warnings.simplefilter("ignore")
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

ARTIFACTS = "mlflow.artifactLocation"
LOCATION = "mlflow.trace.spansLocation"
OLD_TRACES = 40


def make_source(folder: Path) -> SimpleNamespace:
    """A store on `mlflow.db` in a folder, and the ids of what the tests ask about."""
    path = folder / "mlflow.db"
    store = SqlAlchemyStore(f"sqlite:///{path}", str(folder / "artifacts"))
    store.create_experiment("one")
    model_population.make(SimpleNamespace(both=(store,)))
    made = SimpleNamespace(path=path, store=store, registry=Registry(f"sqlite:///{path}"), folder=folder)
    _old_traces(made)
    _traces_of_files(made)
    _runs_and_models(made)
    _more_verdicts(made)
    _datasets(made)
    gone = store.create_experiment("gone")
    store.start_trace(info(trace_id(900), experiment=gone))
    store.delete_experiment(gone)
    return made


def _old_traces(made: SimpleNamespace) -> None:
    """Traces of MLflow's second protocol, each with two spans in a file; the last but one has none, the last a broken
    one."""
    store, made.old = made.store, []
    for number in range(OLD_TRACES):
        begun_ms = 50_000 + 100 * number
        metadata = {"mlflow.traceInputs": '{"q": 1}', "mlflow.trace_schema.version": "2"}
        tags = {"mlflow.traceName": f"old {number}", "env": "prod"}
        started = store.deprecated_start_trace_v2("123"[number % 3], begun_ms, metadata, tags)
        status = TraceStatus.ERROR if number % 7 == 0 else TraceStatus.OK
        ended = store.deprecated_end_trace_v2(
            started.request_id, begun_ms + 20, status, {"mlflow.traceOutputs": '"a"'}, {"done": "yes"}
        )
        made.old.append(ended.request_id)
        if number < OLD_TRACES - 2:
            spans = _old_spans(ended.request_id, number, begun_ms, status.value)
            get_artifact_repository(ended.tags[ARTIFACTS]).upload_trace_data(json.dumps({"spans": spans}))
    made.without_file, made.broken = made.old[-2:]
    broken = local_path(store.get_trace_info(made.broken).tags[ARTIFACTS])
    broken.mkdir(parents=True)
    (broken / "traces.json").write_text('{"spans": [')


def local_path(uri: str) -> Path:
    """The folder that a URI of artifacts names."""
    return Path(unquote(urlsplit(uri).path))


def _old_spans(request_id: str, number: int, begun_ms: int, status: str) -> list[dict[str, Any]]:
    """The spans of a file as MLflow wrote them up to its version 2."""

    def made(place: int, name: str, parent: int | None, attributes: dict[str, Any]) -> dict[str, Any]:
        texts = {"mlflow.traceRequestId": request_id, "mlflow.spanType": "CHAIN", **attributes}
        return {
            "name": name,
            "context": {"trace_id": f"{number + 7_000:#034x}", "span_id": f"{place:#018x}"},
            "parent_id": None if parent is None else f"{parent:#018x}",
            "start_time": begun_ms * MS_NS + place,
            "end_time": (begun_ms + 20) * MS_NS,
            "status_code": status,
            "status_message": "",
            "attributes": {key: json.dumps(value) for key, value in texts.items()},
            "events": [{"name": "asked", "timestamp": begun_ms * MS_NS + 5, "attributes": {"n": number}}],
        }

    inputs = {"mlflow.spanInputs": {"q": f"old question {number}"}, "mlflow.spanOutputs": "naïve"}
    return [made(1, "old root", None, inputs), made(2, "old child", 1, {"model": "gpt-4"})]


def _traces_of_files(made: SimpleNamespace) -> None:
    """Traces of the third version whose spans are in files all the same, and one that an MLflow server would give."""
    store, made.of_files = made.store, []
    for number in range(801, 806):
        trace = trace_id(number)
        begun_ms = 60_000 + number
        started = store.start_trace(info(trace, begun_ms, 10, name="of file", tags={LOCATION: "ARTIFACT_REPO"}))
        spans = [span(trace, 1, start_ms=begun_ms, end_ms=begun_ms + 10, inputs={"q": number}).to_dict()]
        get_artifact_repository(started.tags[ARTIFACTS]).upload_trace_data(json.dumps({"spans": spans}))
        made.of_files.append(trace)
    made.of_server = trace_id(810)
    store.start_trace(info(made.of_server, 60_810, 10, name="of server"))
    _archived_trace(made)
    place = f"9/traces/{made.of_server}/artifacts"
    spans = [span(made.of_server, 1, start_ms=60_810, end_ms=60_820).to_dict()]
    made.server_artifacts = made.folder / "mlartifacts"
    get_artifact_repository(str(made.server_artifacts / place)).upload_trace_data(json.dumps({"spans": spans}))
    store.set_trace_tag(made.of_server, ARTIFACTS, f"mlflow-artifacts:/{place}")


def _archived_trace(made: SimpleNamespace) -> None:
    """A trace whose spans MLflow has moved to an archive, as it leaves it."""
    made.archived = trace_id(820)
    spans = [span(made.archived, number, start_ms=60_820, end_ms=60_830, inputs={"n": number}) for number in (1, 2)]
    made.store.log_spans("1", spans)
    place = made.folder / "archive" / made.archived
    get_artifact_repository(str(place)).upload_archived_trace_data(TraceData(spans))
    made.store.set_trace_tag(made.archived, "mlflow.trace.archiveLocation", str(place))
    made.store.set_trace_tag(made.archived, LOCATION, "ARCHIVE_REPO")
    made.store.set_trace_tag(made.archived, "mlflow.traceName", "archived")
    with contextlib.closing(sqlite3.connect(made.path)) as file:
        file.execute("UPDATE spans SET content = '' WHERE trace_id = ?", [made.archived])
        file.commit()


def _runs_and_models(made: SimpleNamespace) -> None:
    """Runs with all that belongs to them, registered models, prompts, a scorer."""
    store = made.store
    made.runs = [
        store.create_run("1", "ana", 1, [RunTag("k", "v")], f"run {number}").info.run_id for number in range(3)
    ]
    for number, run in enumerate(made.runs):
        store.log_batch(run, [Metric("loss", 0.5 * number, 5, 1)], [Param("rate", "0.1")], [RunTag("t", str(number))])
    store.delete_run(made.runs[2])
    made.registry.create_registered_model("model", description="of tests")
    made.registry.create_model_version("model", str(made.folder / "weights"), made.runs[0])
    made.registry.create_prompt("qa", "asks")
    made.registry.create_prompt_version("qa", "Answer {{question}}", "first")
    store.link_traces_to_run([trace_id(1), trace_id(2), made.old[0]], made.runs[0])
    store.link_prompts_to_trace(made.old[1], [PromptVersion("qa", 3, "hello")])
    store.register_scorer("1", "short", json.dumps({"name": "short", "call_source": "return 1"}))


def _more_verdicts(made: SimpleNamespace) -> None:
    """Assessments of old traces, of a run, on a span, of an issue, overridden ones."""
    store = made.store
    run = {"mlflow.assessment.sourceRunId": made.runs[0]}
    store.create_assessment(feedback(made.old[0], "a-old-trace", "good", True, metadata=run, rationale="why not"))
    store.create_assessment(feedback(made.old[0], "a-old-span", "good", 0.5, span_id="0000000000000001"))
    store.create_assessment(feedback(made.old[0], "a-old-again", "good", False, overrides="a-old-trace"))
    found = store.create_issue("1", "slow", "It takes long", status=IssueStatus.PENDING, severity=IssueSeverity.HIGH)
    made.issue = found.issue_id
    store.create_assessment(issue(made.old[0], "a-old-issue", found.issue_id, "slow"))


def _datasets(made: SimpleNamespace) -> None:
    """Two datasets of one name, the first with records of several sources, the second empty."""
    store = made.store
    first = store.create_dataset("questions", {"team": "x", "mlflow.user": "ana"}, ["1", "2"])
    records = [{"inputs": {"q": f"question {number}"}, "outputs": {"a": number}} for number in range(50)]
    records[3]["expectations"] = {"a": "b"}
    records[4]["source"] = {"source_type": "TRACE", "source_data": {"trace_id": trace_id(1)}}
    records[5]["source"] = {"source_type": "HUMAN", "source_data": {"user_name": "bo"}}
    records[6]["tags"] = {"k": "v", "mlflow.user": "bo"}
    store.upsert_dataset_records(first.dataset_id, records)
    store.upsert_dataset_records(first.dataset_id, [{"inputs": {"q": "question 7"}, "expectations": {"b": 2.5}}])
    second = store.create_dataset("questions", {}, [])
    made.datasets = [first.dataset_id, second.dataset_id]


def read_file(made: SimpleNamespace, trace: str) -> list[dict[str, Any]]:
    """The spans of a trace that are in a file, as a client of MLflow reads them."""
    if trace == made.archived:
        spans = made.store.get_trace(trace).data.spans
    else:
        uri = made.store.get_trace_info(trace).tags[ARTIFACTS].replace("mlflow-artifacts:", str(made.server_artifacts))
        spans = TraceData.from_dict(get_artifact_repository(uri).download_trace_data()).spans
    return [plain_old_span(span) for span in spans]


def plain_old_span(span: Any) -> dict[str, Any]:
    """A span but for what old ones have as their trace's id: MLflow has another one in an attribute."""
    told = json.loads(plain_span(span))
    del told["trace_id"]
    return {**told, "of": span.trace_id}

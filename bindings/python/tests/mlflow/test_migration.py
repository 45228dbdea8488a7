"""`python -m tracehouse.mlflow import`: the database has all of the source, however often it was killed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities import ViewType
from mlflow.entities.entity_type import EntityAssociationType as Kind
from model_migration import LOCATION, Registry, make_source, plain_old_span, read_file
from model_pair import Pair, TracehouseStore, answer, differences, plain
from model_spans import trace_id
from test_datasets import text as record_text

import tracehouse

REPOSITORY = Path(__file__).resolve().parents[4]
WORKER = Path(__file__).with_name("migration_worker.py")
EXPERIMENTS = ["1", "2", "3", "4"]
ALL = {"experiment_ids": EXPERIMENTS, "max_results": 500}
# What the database has of spans where the source says nothing.
TOLD_BY_SPANS = ("request_preview", "response_preview")


def run_import(source: Any, folder: Path, *options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    command = [sys.executable, "-m", "tracehouse.mlflow", "import", *map(str, (source, folder, *options))]
    # Not where the sources are: the package there has no native module.
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder.parent)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """An MLflow database; no test changes it."""
    return make_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def moved(source: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What an import made of it: the folder, the store, what was printed, and hashes of the source's file."""
    folder = tmp_path_factory.mktemp("moved") / "app.traces"
    before = hash_of(source.path)
    done = run_import(source.path, folder, "--artifacts", source.server_artifacts)
    assert done.returncode == 0, done.stdout + done.stderr
    store = TracehouseStore(f"tracehouse:{folder}")
    return SimpleNamespace(folder=folder, store=store, said=done.stdout, hashes=(before, hash_of(source.path)))


@pytest.fixture
def pair(source: SimpleNamespace, moved: SimpleNamespace) -> Pair:
    """The store of the database, and MLflow's of the source."""
    return Pair(SimpleNamespace(ours=moved.store, theirs=source.store))


def infos(store: Any) -> dict[str, dict[str, Any]]:
    """All traces by their ids, as plain values."""
    return {info.trace_id: plain(info) for info in store.search_traces(**ALL)[0]}


def datasets(store: Any) -> list[Any]:
    """All datasets with their records, as plain values."""
    said = []
    for found in sorted(store.search_datasets(), key=lambda one: json.dumps(one.tags)):
        parts = (
            "dataset_id",
            "created_time",
            "name",
            "tags",
            "schema",
            "profile",
            "digest",
            "created_by",
            "last_updated_by",
            "last_update_time",
        )
        told = {part: getattr(found, part) for part in parts}
        records = [
            (record.dataset_record_id, record.created_time, record.last_update_time, record_text(record))
            for record in store._load_dataset_records(found.dataset_id)[0]
        ]
        said.append((told, records, sorted(store.get_dataset_experiment_ids(found.dataset_id))))
    return said


# What was moved.


def test_the_source_is_not_written(moved: SimpleNamespace) -> None:
    before, after = moved.hashes
    assert before == after


def test_the_report_counts_both_sides(source: SimpleNamespace, moved: SimpleNamespace) -> None:
    lines = [line.split() for line in moved.said.splitlines()]
    assert ["runs", "3", "3", "equal"] in lines
    assert ["traces", "112", "112", "equal"] in lines
    assert ["in", "experiment", "4", "(gone)", "1", "1", "equal"] in lines
    assert "DIFFERENT" not in moved.said
    assert f"{source.without_file}: no spans at " in moved.said
    assert f"{source.broken}: the spans at " in moved.said
    assert source.of_server not in moved.said
    assert source.archived not in moved.said


def test_traces_are_the_same(pair: Pair, source: SimpleNamespace) -> None:
    ours, theirs = (infos(store) for store in (pair.ours, pair.theirs))
    assert len(ours) == 112
    of_files = {*source.old[:-2], *source.of_files, source.of_server, source.archived}
    for trace, told in theirs.items():
        if trace in of_files:
            told["tags"][LOCATION] = "TRACKING_STORE"
        for part in TOLD_BY_SPANS:
            if told[part] is None and ours[trace]["tags"].get(LOCATION) == "TRACKING_STORE":
                del told[part], ours[trace][part]
    assert ours == theirs, "\n".join(differences(ours, theirs))


def test_spans_are_the_same(pair: Pair, source: SimpleNamespace) -> None:
    stored = [one for one, told in infos(pair.theirs).items() if told["tags"].get(LOCATION) == "TRACKING_STORE"]
    hexadecimal = [one for one in stored if one not in ("tr-a", "tr-b")]
    assert len(hexadecimal) > 30
    for trace in hexadecimal:
        pair.same(lambda store, trace=trace: store.get_trace(trace, allow_partial=True).data.spans)


def test_spans_of_files_are_the_same(source: SimpleNamespace, moved: SimpleNamespace) -> None:
    traces = [*source.old[:-2], *source.of_files, source.of_server, source.archived]
    for trace in traces:
        ours = [plain_old_span(span) for span in moved.store.get_trace(trace).data.spans]
        assert ours
        assert ours == read_file(source, trace)
    found = moved.store.search_traces(**ALL, filter_string="trace.text LIKE '%old question 7%'")[0]
    assert [info.trace_id for info in found] == [source.old[7]]


FILTERS = (
    *("", "status = 'ERROR'", "name LIKE 'old%'", "name = 'Alpha'", "timestamp > 52000", "execution_time = 20"),
    *("tags.env = 'prod'", "tags.done = 'yes'", "tags.`my key` = 'v 1'", "metadata.k = 'refund'", "run_id = 'run-2'"),
    *("metadata.mlflow.trace.session = 's1'", "client_request_id = 'c-1'", "prompt = 'qa/3'", "prompt = 'sum up/1'"),
    *("feedback.ok = 'true'", "feedback.score > 0.5", "feedback.good = 'false'", "expectation.exp = 'abc'"),
    *("feedback.err IS NOT NULL", "span.name = 'llm_call' AND span.status = 'ERROR'", "trace.text LIKE '%refund%'"),
    "status = 'OK' AND tags.env = 'prod' AND timestamp < 30000",
)


@pytest.mark.parametrize("text", FILTERS)
def test_filters_find_the_same(pair: Pair, text: str) -> None:
    found = pair.same(lambda store: sorted(info.trace_id for info in store.search_traces(**ALL, filter_string=text)[0]))
    assert found


def test_links_are_the_same(pair: Pair, source: SimpleNamespace) -> None:
    def linked(store: Any) -> set[str]:
        return {info.trace_id for info in store.search_traces(**ALL, filter_string=f"run_id = '{source.runs[0]}'")[0]}

    assert pair.same(linked) == {trace_id(1), trace_id(2), source.old[0]}
    assert pair.same(lambda store: store.search_issues("1", include_trace_count=True)[0].trace_count) == 1


def test_datasets_are_the_same(pair: Pair) -> None:
    ours, theirs = datasets(pair.ours), datasets(pair.theirs)
    assert {len(records) for _, records, _ in ours} == {50, 0}
    assert ours == theirs


def test_a_dataset_is_changed_by_the_id_that_it_had(pair: Pair, source: SimpleNamespace, tmp_path: Path) -> None:
    shutil.copytree(pair.ours._access._folder, tmp_path / "app.traces")
    store, dataset_id = TracehouseStore(f"tracehouse:{tmp_path / 'app.traces'}"), source.datasets[0]
    first, second = store._load_dataset_records(dataset_id)[0][:2]
    assert store.upsert_dataset_records(dataset_id, [{"inputs": first.inputs, "outputs": "new"}])["updated"] == 1
    assert store.delete_dataset_records(dataset_id, [second.dataset_record_id]) == 1
    after = store._load_dataset_records(dataset_id)[0]
    [changed] = [one for one in after if one.dataset_record_id == first.dataset_record_id]
    assert (len(after), changed.outputs, changed.created_time) == (49, "new", first.created_time)
    assert changed.last_update_time > first.last_update_time
    assert [one.dataset_id for one in store.search_datasets(["2"])] == [dataset_id]
    found = store._search_entity_associations(dataset_id, Kind.EVALUATION_DATASET, Kind.EXPERIMENT, "forward")
    assert sorted(found) == ["1", "2"]
    store.delete_dataset(dataset_id)
    assert [one.dataset_id for one in store.search_datasets()] == [source.datasets[1]]


def test_runs_and_models_are_the_same(source: SimpleNamespace, moved: SimpleNamespace) -> None:
    def told(store: Any, registry: Any) -> list[Any]:
        runs = store.search_runs(["1"], "", ViewType.ALL, 10, ["attribute.start_time"])
        return [
            [vars(one) for one in store.search_experiments(ViewType.ALL)],
            [run.to_dictionary() for run in runs],
            [str(one.to_proto()) for one in store.list_scorers("1")],
            [vars(one) for one in registry.search_registered_models()],
            registry.get_prompt_version("qa", 1).template,
        ]

    ours = told(moved.store, Registry(f"sqlite:///{moved.folder / 'mlflow/mlflow.db'}"))
    assert repr(ours) == repr(told(source.store, source.registry))


def test_nothing_of_traces_is_left_in_mlflows_file(moved: SimpleNamespace) -> None:
    from tracehouse.mlflow._migration_copy import DERIVED, TAKEN_OVER

    own = moved.folder / "mlflow"
    assert {path.name for path in own.iterdir()} >= {"mlflow.db", "import.db"}
    assert not (own / "source.db").exists()
    with contextlib.closing(sqlite3.connect(own / "mlflow.db")) as file:
        for table in (*TAKEN_OVER, *DERIVED):
            assert file.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert b"old root" not in (own / "mlflow.db").read_bytes()


def test_the_code_of_the_page_runs(moved: SimpleNamespace) -> None:
    [code] = (REPOSITORY / "docs/mlflow-migration.md").read_text().split("```python\n")[1:]
    folder = moved.folder.parent
    command = [sys.executable, "-c", code.split("```")[0]]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, timeout=60)
    with tracehouse.connect() as database:
        database.import_otlp(folder / "out.jsonl")
        # `tr-a` and `tr-b` are no ids of OpenTelemetry.
        assert database.stats().spans == 162
        [found] = database.search_traces("trace.text LIKE '%old question 7%'")
    assert [span.name for span in found.spans] == ["old root", "old child"]


# Killed, and run again.

# Where an import is killed, one after the other on one database: each goes on where the one before was. `+` is after
# the call.
KILLED_AT = (
    ("+_migration_copy._copy_file", 1),
    ("_migration_traces.Traces._write_artifact_spans", 2),
    ("+_migration_traces.Traces._write_starts", 1),
    ("_migration_state.State.finish_page", 3),
    ("+_migration_state.State.finish_page", 2),
    ("+_migration_datasets.operations.upsert_dataset_records", 1),
    ("+_migration.import_dataset", 1),
    ("_migration.counts.trace_lines", 1),
    ("+_migration.remove_taken_over", 1),
    ("+_migration.Migration._keep", 1),
)
# Each is a process that imports MLflow: with `TRACEHOUSE_IMPORT_KILLS=all` at all of them.
KILLS = KILLED_AT if os.environ.get("TRACEHOUSE_IMPORT_KILLS") == "all" else (*KILLED_AT[::2], KILLED_AT[-1])


def test_an_import_that_is_killed_again_and_again_ends_the_same(
    source: SimpleNamespace, moved: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tmp_path / "app.traces"
    options = ("--artifacts", str(source.server_artifacts))
    for point, number in KILLS:
        command = [sys.executable, str(WORKER), point, str(number), "import", str(source.path), str(folder), *options]
        died = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
        assert died.returncode == -signal.SIGKILL, f"{point}: {died.stdout}{died.stderr}"
        assert (folder / "mlflow/mlflow.db").exists() == (point == KILLS[-1][0])
    done = run_import(source.path, folder, *options)
    assert (done.returncode, done.stdout) == (0, moved.said)
    store = TracehouseStore(f"tracehouse:{folder}")
    assert infos(store) == infos(moved.store)
    assert datasets(store) == datasets(moved.store)
    for trace in infos(store):
        assert _spans(store, trace) == _spans(moved.store, trace)
    with store._access.reading() as ours, moved.store._access.reading() as theirs:
        for question in ("SELECT count(*), count(DISTINCT trace_id) FROM spans", "SELECT count(*) FROM assessments"):
            assert list(ours.sql(question)) == list(theirs.sql(question))


def _spans(store: Any, trace: str) -> Any:
    return answer(store, lambda one: [found.data.spans for found in one.batch_get_traces([trace])])


def test_an_import_that_is_done_is_not_done_again(source: SimpleNamespace, moved: SimpleNamespace) -> None:
    run = moved.store.create_run("1", "ana", 1, [], "of later").info.run_id
    again = run_import(source.path, moved.folder)
    assert (again.returncode, again.stdout) == (0, f"imported before; nothing was done now\n{moved.said}")
    assert moved.store.get_run(run).info.run_name == "of later"
    moved.store.delete_run(run)
    moved.store._hard_delete_run(run)


# What is refused, and what is told.


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command in this process, and gives what it says when it does nothing."""
    from tracehouse.mlflow import __main__

    def run(*arguments: Any) -> str:
        capsys.readouterr()
        code = __main__.main(["import", *map(str, arguments)])
        said = capsys.readouterr()
        assert (code, said.out) == (2, "")
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        return said.err

    return run


def changed(source: SimpleNamespace, tmp_path: Path, statement: str) -> Path:
    """A copy of the source's file that a statement has changed."""
    path = tmp_path / "changed.db"
    shutil.copy(source.path, path)
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(statement)
        file.commit()
    return path


def test_what_is_no_source_is_refused(source: SimpleNamespace, refused: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "app.traces"
    assert f"{tmp_path}/no.db: no such file" in refused(tmp_path / "no.db", folder)
    assert "is a folder" in refused(tmp_path, folder)
    text = tmp_path / "text.db"
    text.write_text("no database at all, but long enough to be looked at as one " * 20)
    assert "file is not a database" in refused(text, folder)
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as file:
        file.execute("CREATE TABLE runs (id TEXT)")
    assert "is not an MLflow database: it has no table 'alembic_version'" in refused(tmp_path / "other.db", folder)
    old = changed(source, tmp_path, "UPDATE alembic_version SET version_num = '97727af70f4d'")
    said = refused(f"sqlite:///{old}", folder)
    assert "has schema version 97727af70f4d" in said
    assert f"run `mlflow db upgrade sqlite:///{old}` on a copy first" in said
    assert "the URL of the source is not understood" in refused("nothing://x", folder)
    assert not folder.exists()


def test_a_database_with_something_else_in_it_is_refused(
    source: SimpleNamespace, refused: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "app.traces"
    with tracehouse.connect(folder) as database:
        database.start_trace("of-another", 1_000, experiment_id="7")
    assert "has traces that this import did not bring" in refused(source.path, folder)
    merged = run_import(source.path, folder, "--merge")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    with tracehouse.connect(folder) as database:
        assert database.count_traces() == 113
        assert database.get_trace_info("of-another").experiment_id == "7"
    # A trace of another experiment is left alone.
    with tracehouse.connect(tmp_path / "second") as database:
        database.start_trace(trace_id(1), 1_000, experiment_id="7", name="mine")
    again = run_import(source.path, tmp_path / "second", "--merge")
    assert again.returncode == 1
    assert f"trace {trace_id(1)}: the database has one of this id in experiment 7" in again.stdout
    with tracehouse.connect(tmp_path / "second") as database:
        kept = database.get_trace(trace_id(1))
        assert (kept.info.name, kept.spans, kept.assessments) == ("mine", [], [])
    other = changed(source, tmp_path, "UPDATE experiments SET name = 'other' WHERE experiment_id = 1")
    assert f"an import of {source.path} was begun" in refused(other, folder, "--merge")


def test_experiments_of_its_own_are_not_overwritten(
    source: SimpleNamespace, refused: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "app.traces"
    TracehouseStore(f"tracehouse:{folder}").create_experiment("mine")
    assert "has experiments or models of its own" in refused(source.path, folder, "--merge")
    assert TracehouseStore(f"tracehouse:{folder}").get_experiment_by_name("mine") is not None


def test_what_cannot_be_read_is_told(source: SimpleNamespace, tmp_path: Path) -> None:
    broken = f"trace_id = '{trace_id(1)}' AND name = (SELECT min(name) FROM spans WHERE trace_id = '{trace_id(1)}')"
    path = changed(source, tmp_path, f"UPDATE spans SET content = '{{' WHERE {broken}")
    done = run_import(path, tmp_path / "app.traces")
    assert done.returncode == 1
    assert "may be run again" in done.stderr
    assert f"of trace {trace_id(1)}: " in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("spans ")] == ["DIFFERENT"]
    assert f"{source.of_server}: mlflow-artifacts:/9/traces/" in done.stdout
    # What it was is known still, and nothing is doubled.
    again = run_import(path, tmp_path / "app.traces")
    assert (again.returncode, again.stdout) == (1, done.stdout)


def test_a_source_that_is_no_file_is_copied_table_by_table(source: SimpleNamespace, tmp_path: Path) -> None:
    import sqlalchemy

    from tracehouse.mlflow._migration_copy import make_copy
    from tracehouse.mlflow._migration_meter import Meter
    from tracehouse.mlflow._migration_source import Source, read_only

    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: read_only(source.path))
    counts = make_copy(Source("of tables", engine, None), tmp_path / "copy.db", Meter(io.StringIO()))
    with (
        contextlib.closing(read_only(source.path)) as ours,
        contextlib.closing(read_only(tmp_path / "copy.db")) as copy,
    ):
        for table, count in counts.items():
            columns = ", ".join(row[1] for row in ours.execute(f"PRAGMA table_info({table})"))
            question = f"SELECT {columns} FROM {table} ORDER BY {columns}"
            rows = ours.execute(question).fetchall()
            assert len(rows) == count
            assert copy.execute(question).fetchall() == rows, table


def test_progress_is_told_by_lines_or_by_a_bar() -> None:
    from tracehouse.mlflow._migration_meter import Meter

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    bar = Terminal()
    meter = Meter(bar)
    meter.step("traces", 10, 10)
    meter.end()
    assert "traces     [##############################] 10 of 10" in bar.getvalue()
    assert bar.getvalue().endswith("\n")
    lines = io.StringIO()
    Meter(lines).step("traces", 10, 10)
    assert lines.getvalue() == ""

"""The package itself: what importing it loads, that nothing native is unused, and that every call of Rust is there."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tracehouse
from tracehouse import _native

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
REPOSITORY = PACKAGE.parent.parent

# Calls of Rust whose Python twin has another name, and those that have none with the reason.
_DATABASE = {
    "open": "connect",
    "in_memory": "connect(':memory:')",
    "is_last_handle": "no twin: close() asks it",
    "close_if_last": "close",
    "import": "import_otlp",
    "import_otlp_json_lines": "import_otlp",
    "store_waiting": "no twin: import_otlp(assessments=...) brings traces and their assessments together",
    "search_shared": "no twin: Python objects are shared anyway",
    "search_batches": "TracePage.to_arrow",
    "search_stream": "iter_traces",
    "trace_rows": "TracePage.to_arrow",
    "search_text_where": "search_text(where=...)",
    "text_search": "search_text",
    "with_timeout": "no twin: calls have timeout=",
    "with_cancel": "no twin: Ctrl-C cancels, and so does closing",
    "query": "sql",
    "sql_rows": "sql",
    "sql_stream": "sql",
    "sql_batches": "sql",
    "assess": "log_feedback",
    "assess_many": "log_assessments",
    "set_tag_on": "set_tag",
    "delete_tags": "delete_tag",
    "delete_traces_where": "delete_traces(filter=...)",
    "trace_metrics": "metrics",
    "price_list": "prices",
    "set_prices": "set_price",
    "create_dataset_with": "create_dataset",
    "dataset_by_id": "dataset",
    "resume_eval": "EvalRun.resume",
    "eval_outputs": "EvalRun.outputs",
    "eval_report": "EvalRun.summaries",
    "eval_scores": "EvalRun.scores",
    "decode_received": "no twin: a server's way in, whose parts import_otlp does together",
    "store_received": "no twin: a server's way in, whose parts import_otlp does together",
    "check_writable": "no twin: a server tells by it whether it is ready",
    "feeds": "no twin: `tracehouse serve --forward` sends on",
    "forward_feed": "no twin: `tracehouse serve --forward` sends on",
    "release_feed": "no twin: `tracehouse serve --forward-release` lets go",
    "id": "no twin: it tells a server that its own spans come back",
    "judge_cache": "no twin: a run gives it to its judges",
}
_DATASET = {
    "source_rule": "no twin: MLflow's rule for the source of records, for its plugin",
    "add_sample": "add_traces(sample=...)",
    "add_span_sample": "add_spans(sample=...)",
    "merge": "merge_records",
    "merge_json_lines": "merge_file",
    "merge_from": "merge_file",
    "edit_tags": "set_tags",
    "export_form": "export(format=...)",
}
_FREE = {
    "backup_until": "backup",
    "read_table": "Database.sql(tables=...)",
    "batch_rows": "no twin: rows are tuples by themselves",
    "encode_otlp": "Trace.to_otlp",
    "join_filters": "no twin: filters are put together by programs that add limits of their own",
    "nearest": "no twin: errors name what was meant by themselves",
}


def _public_methods(class_name: str) -> set[str]:
    """The public methods of a type of the engine, from its sources."""
    found = set()
    for file in (REPOSITORY / "engine/src").rglob("*.rs"):
        for block in re.split(r"^impl ", file.read_text(), flags=re.MULTILINE)[1:]:
            if re.match(rf"{class_name} \{{", block):
                body = block.split("\n}\n", 1)[0]
                found |= set(re.findall(r"^    pub (?:async )?fn (\w+)", body, flags=re.MULTILINE))
    return found


def _public_functions() -> set[str]:
    """The functions that the engine exports at its root: names in lower case, which are no modules."""
    text = (REPOSITORY / "engine/src/lib.rs").read_text()
    names: set[str] = set()
    for use in re.findall(r"^pub use ([^;]+);", text, flags=re.MULTILINE):
        inner = use.split("{", 1)[1].rstrip("}") if "{" in use else use.rsplit("::", 1)[-1]
        names |= {name.strip() for name in inner.split(",")}
    return {name for name in names if re.fullmatch(r"[a-z_]+", name)} - {"arrow", "export", "messages", "model"}


@pytest.mark.parametrize(
    ("rust", "python", "others"),
    [
        (_public_methods("Database"), tracehouse.Database, _DATABASE),
        (_public_methods("Dataset"), tracehouse.Dataset, _DATASET),
        (_public_functions(), tracehouse, _FREE),
    ],
    ids=["Database", "Dataset", "functions"],
)
def test_every_call_of_rust_has_a_twin_or_a_reason(rust: set[str], python: object, others: dict[str, str]) -> None:
    assert len(rust) > 5
    missing = [name for name in sorted(rust) if not hasattr(python, name) and name not in others]
    assert missing == []
    assert sorted(set(others) - rust) == [], "no longer there in Rust"
    for name, twin in others.items():
        if not twin.startswith("no twin: "):
            word = twin.split("(")[0].split(".")
            holder = tracehouse if len(word) == 2 or word[0] == "connect" else python
            for part in word:
                assert hasattr(holder, part), f"{name}: {twin}"
                holder = getattr(holder, part)


def test_everything_native_is_used() -> None:
    text = "".join(file.read_text() for file in (PACKAGE / "tracehouse").rglob("*.py"))
    for name in dir(_native):
        if not name.startswith("__") or name == "__version__":
            assert re.search(rf"\b{name}\b", text), f"_native.{name}"
    for native in (_native.Database, _native.Dataset, _native.Rows, _native.Scorer):
        for name in dir(native):
            if not name.startswith("_"):
                assert re.search(rf"\.{name}\b", text), f"{native.__name__}.{name}"


def test_importing_loads_the_native_module_alone() -> None:
    program = """
import sys, time
before = set(sys.modules)
started = time.process_time()
import tracehouse
cpu = time.process_time() - started
loaded = set(sys.modules) - before
heavy = {"pyarrow", "pandas", "polars", "numpy", "opentelemetry", "mlflow", "duckdb", "tqdm"} & loaded
assert not heavy, heavy
later = {"tracehouse.reports", "tracehouse.trace", "tracehouse.dataset", "threading", "inspect"} & loaded
assert not later, later
assert cpu < 0.5, cpu  # A tenth of that on a quiet machine.
print(f"{cpu * 1000:.1f} ms CPU, {len(loaded)} modules")
with tracehouse.connect() as db:
    db.sql("SELECT 1").fetchall()
    db.import_otlp(b"")
    db.search_traces()
heavy = {"pyarrow", "pandas", "polars", "numpy", "opentelemetry", "mlflow", "duckdb", "tqdm"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=HERE
    )
    print(done.stdout)


def test_everything_public_is_described() -> None:
    missing = []
    for name in tracehouse.__all__:
        value = getattr(tracehouse, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        if not inspect.getdoc(value):
            missing.append(name)
        if inspect.isclass(value):
            for member, method in inspect.getmembers(value):
                own = getattr(method, "__module__", None) or getattr(getattr(method, "fget", None), "__module__", "")
                if not member.startswith("_") and str(own).startswith("tracehouse") and not inspect.getdoc(method):
                    missing.append(f"{name}.{member}")
    assert missing == []


def test_the_version_is_that_of_the_workspace() -> None:
    text = (REPOSITORY / "Cargo.toml").read_text()
    assert f'version = "{tracehouse.__version__}"' in text

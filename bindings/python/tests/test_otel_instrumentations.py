"""Real instrumentations with the exporter, against a local server that answers like the models.

Each needs an environment of its own, which takes from ten seconds to a minute to make. By default the light ones are
run: `TRACEHOUSE_INSTRUMENTATIONS=all`, or names of them with commas between, or nothing. The environments are those of
the producers (`tests/producers`) and are kept in `TRACEHOUSE_INSTRUMENTATION_VENVS`, by default under cargo's `target`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import tracehouse

_HERE = Path(__file__).resolve().parent
_PRODUCERS = _HERE.parents[2] / "tests" / "producers"
_DRIVERS = _PRODUCERS / "drivers"
_NEEDS = _PRODUCERS / "requirements"
_OWN = _HERE / "instrumentations"


@dataclass(frozen=True)
class Case:
    """An instrumentation: how it is driven, and what must be found of it."""

    requirements: Path
    driver: Path
    # Filters, each of which must find a trace.
    finds: tuple[str, ...]
    # Whether the official encoder gets the same spans, to be compared.
    compared: bool = True


_TOOL = "HAS(span.type = 'LLM' AND span.outputs LIKE '%get_weather%') OR HAS(span.outputs LIKE '%get_weather%')"
_CASES = {
    "oldest-sdk": Case(
        _OWN / "oldest_sdk.txt",
        _OWN / "oldest_sdk.py",
        (
            "session = 'session-1' AND user = 'user-1' AND state = 'OK'",
            "span.kind = 'CLIENT' AND span.model = 'gpt-4o-mini' AND span.status = 'ERROR'",
            "span.attributes.half = 0.5 AND span.input_tokens = 12",
        ),
        # It sent no flags of spans yet.
        compared=False,
    ),
    "openinference-openai": Case(
        _NEEDS / "openinference-openai.txt",
        _DRIVERS / "openinference-openai.py",
        ("session = 'session-1' AND user = 'user-1'", _TOOL, "span.model LIKE 'gpt-4o-mini%'", "state = 'ERROR'"),
    ),
    "openinference-langchain": Case(
        _NEEDS / "openinference-langchain.txt",
        _DRIVERS / "openinference-langchain.py",
        ("session = 'session-1'", _TOOL, "span.tool = 'get_weather'", "span.type = 'RETRIEVER'", "state = 'ERROR'"),
    ),
    "otel-openai-v2": Case(
        _NEEDS / "otel-openai-v2-span.txt",
        _DRIVERS / "otel-openai-v2-span.py",
        (_TOOL, "span.model LIKE 'gpt-4o-mini%' AND span.input_tokens > 0", "state = 'ERROR'"),
    ),
    "otel-openai-v2-logs": Case(
        _NEEDS / "otel-openai-v2.txt",
        _DRIVERS / "otel-openai-v2.py",
        (_TOOL, "span.model LIKE 'gpt-4o-mini%' AND span.input_tokens > 0", "state = 'ERROR'"),
    ),
    "traceloop-openai": Case(
        _NEEDS / "traceloop-openai.txt",
        _OWN / "traceloop_openai.py",
        ("session = 'session-1'", _TOOL, "span.tool = 'lookup'", "span.input_tokens > 0"),
        compared=False,
    ),
    "pydantic-ai": Case(
        _NEEDS / "pydantic-ai-v5.txt",
        _DRIVERS / "pydantic-ai-v5.py",
        (_TOOL, "span.tool = 'get_weather'", "span.input_tokens > 0"),
    ),
    "logfire-pydantic-ai": Case(
        _NEEDS / "logfire-pydantic-ai.txt",
        _OWN / "logfire_pydantic_ai.py",
        ("user = 'user-1' OR session = 'session-1'", "span.tool = 'get_weather'", "span.input_tokens > 0"),
        compared=False,
    ),
}
_ASKED = os.environ.get("TRACEHOUSE_INSTRUMENTATIONS", "oldest-sdk,openinference-openai")
_NAMES = list(_CASES) if _ASKED == "all" else [name for name in _ASKED.split(",") if name]


@pytest.mark.parametrize("name", _NAMES)
def test_an_instrumentation_fills_the_database(name: str, tmp_path: Path) -> None:
    case = _CASES[name]
    _drive(case, tmp_path)
    with tracehouse.connect(tmp_path / "app.traces") as database:
        assert database.count_traces("") > 0
        for wanted in case.finds:
            assert database.count_traces(wanted) > 0, wanted
        assert database.sql("SELECT count(*) FROM messages").fetchone()[0] > 0
        if case.compared:
            _compare(database, tmp_path / "official.pb")


def test_the_names_are_known() -> None:
    assert set(_NAMES) <= set(_CASES)


def _compare(database: tracehouse.Database, official: Path) -> None:
    with tracehouse.connect(":memory:") as imported:
        imported.import_otlp(official)
        for table, order in (("spans", "trace_id, span_id"), ("traces", "trace_id")):
            statement = f"SELECT * FROM {table} ORDER BY {order}"
            assert database.sql(statement).fetchall() == imported.sql(statement).fetchall()


def _drive(case: Case, scratch: Path) -> None:
    sys.path.insert(0, str(_PRODUCERS))
    try:
        import fake_models
        import run
    finally:
        sys.path.remove(str(_PRODUCERS))
    venvs = os.environ.get("TRACEHOUSE_INSTRUMENTATION_VENVS") or _HERE.parents[2] / "target" / "instrumentations"
    folder = run.environment(case.requirements, Path(venvs))
    models = fake_models.start()
    address = f"http://127.0.0.1:{models.server_address[1]}"
    nowhere = "http://127.0.0.1:9"
    environment = run.driver_environment(case.driver.stem, folder, address, nowhere, "", str(scratch))
    package = str(Path(tracehouse.__file__).parents[1])
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(_OWN), str(_DRIVERS), package]),
        "PRODUCERS": str(_PRODUCERS),
        "TRACEHOUSE_DB": str(scratch / "app.traces"),
    }
    if case.compared:
        environment["OFFICIAL_FILE"] = str(scratch / "official.pb")
    # Not as a script: its folder would come before ours, where `_setup` is another.
    program = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    command = [str(folder / "bin" / "python"), "-c", program, str(case.driver)]
    try:
        subprocess.run(command, env=environment, cwd=scratch, check=True, timeout=240)
    finally:
        models.shutdown()

"""The code of the documentation: every page of `docs/python` and the quick start run, each in a folder of its own."""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path

import pytest
from fake_judge import FakeJudge

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
# The page on servers needs one: `remote/test_page.py`.
PAGES = sorted(page for page in (REPOSITORY / "docs/python").glob("*.md") if page.name != "remote.md")
NEEDS = {"sql.md": ["pandas", "polars", "pyarrow", "duckdb"], "ingest.md": ["opentelemetry.sdk"]}


def blocks(page: Path) -> list[str]:
    """The Python code of a page, each block on the lines where the page has it."""
    text = page.read_text()
    found = []
    for match in re.finditer(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        found.append("\n" * text.count("\n", 0, match.start(1)) + match[1])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in NEEDS.get(page.name, ["pandas", "polars", "pyarrow"]):
        importlib.import_module(module)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    assert blocks(page)
    with FakeJudge() as server, warnings.catch_warnings():
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        # Of the pages of others that they use.
        warnings.simplefilter("ignore", DeprecationWarning)
        for block in blocks(page):
            exec(compile(block, str(page), "exec"), names)
    assert bool(server.requests) == (page.name == "evaluation.md")


@pytest.mark.parametrize("readme", ["README.md", "bindings/python/README.md"])
def test_the_quick_start_runs(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sample

    for module in ("pandas", "pyarrow"):
        importlib.import_module(module)
    monkeypatch.chdir(tmp_path)
    sample.write(tmp_path / "traces.jsonl", 5)
    names: dict[str, object] = {"__name__": "__main__"}
    page = REPOSITORY / readme
    assert blocks(page)
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)

"""The example notebook runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

import tracehouse

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(_EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel is a process of its own: it finds the package that is tested, and leaves its files where they go away.
    package = str(Path(tracehouse.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]))
    for variable in ("TMPDIR", "IPYTHONDIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept in the repository"
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    shown = "".join(_html(notebook))
    for word in (
        "tracehouse-view",
        "there is no order 13",
        "How long do refunds take?",
        "chat gpt-4o-mini",
        "regressions",
    ):
        assert word in shown, word
    assert "<script" not in shown
    saved = os.environ.get("TRACEHOUSE_NOTEBOOKS")
    if saved:
        nbformat.write(notebook, Path(saved, path.name))


def _html(notebook: Any) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]

"""The code of the page `docs/mlflow.md` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    blocks = (REPOSITORY / "docs/mlflow.md").read_text().split("```python\n")[1:]
    assert len(blocks) == 4
    code = "\n".join(block.split("```")[0] for block in blocks)
    # In a process of its own: MLflow keeps what it is set to.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""Two stores side by side: MLflow's own on SQLite, which is the model, and this package's."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

# Its own warnings are not ours to mend.
warnings.simplefilter("ignore")

# MLflow asks GitHub for prices of models, and reports how it is used.
os.environ.update(MLFLOW_MODEL_CATALOG_URI="", MLFLOW_DISABLE_TELEMETRY="true")

PACKAGE = Path(__file__).resolve().parent.parent.parent


def _say_entry_points() -> None:
    """What an installed package says to MLflow: the source tree has no metadata of its own."""
    import tomllib

    import tracehouse

    if "tracehouse+http" in importlib.metadata.entry_points(group="mlflow.tracking_store").names:
        return
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = Path(tracehouse.__file__).parent.parent / "tracehouse-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracehouse\nVersion: 0\n")
    groups = project["entry-points"].items()
    text = "\n".join(f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items()) for group, points in groups)
    (info / "entry_points.txt").write_text(text + "\n")


_say_entry_points()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow and its libraries warn of their own future."""
    own = Path(__file__).parent
    for item in (item for item in items if own in item.path.parents):
        item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture
def stores(tmp_path: Path) -> SimpleNamespace:
    """`ours` and `theirs`, empty, each with the experiments `0` and `1` (named "one")."""
    from model_pair import open_stores

    return open_stores(tmp_path)

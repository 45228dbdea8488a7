"""Where the tests find the package: the sources, with the native module as cargo built it.

`TRACEHOUSE_NATIVE` names the library; without it that of the dev profile is taken, and where there is none, the package
that is installed. Python files and library are linked into a scratch folder, which the processes of tests see, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent
REPOSITORY = PACKAGE.parent.parent


def _link_package() -> tempfile.TemporaryDirectory[str] | None:
    library = Path(os.environ.get("TRACEHOUSE_NATIVE") or REPOSITORY / "target/debug/lib_native.so")
    if not library.exists():
        return None
    scratch = tempfile.TemporaryDirectory(prefix="tracehouse-python-")
    package = Path(scratch.name, "tracehouse")
    package.mkdir()
    for file in (PACKAGE / "tracehouse").iterdir():
        if file.name != "__pycache__" and file.suffix != ".so":
            (package / file.name).symlink_to(file)
    native = package / "_native.abi3.so"
    try:
        # Stays what it is when cargo builds another meanwhile.
        native.hardlink_to(library)
    except OSError:
        native.symlink_to(library.resolve())
    sys.path.insert(0, scratch.name)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [scratch.name, os.environ.get("PYTHONPATH")]))
    return scratch


# At import: the tests' own imports come next.
_SCRATCH = _link_package()

import sample  # noqa: E402

import tracehouse  # noqa: E402


@pytest.fixture
def db() -> Iterator[tracehouse.Database]:
    """A database in memory."""
    with tracehouse.connect(":memory:") as database:
        yield database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "app.traces"


@pytest.fixture
def sample_db(db: tracehouse.Database) -> tracehouse.Database:
    """A database in memory with twelve traces of `sample`."""
    db.import_otlp(sample.lines(12))
    return db

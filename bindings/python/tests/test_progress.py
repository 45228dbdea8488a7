"""Progress bars: tqdm's where it is installed, none where it is not, and never more than what was asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import tracehouse
from tracehouse.progress import progress_bar


def _lines(count: int) -> str:
    def request(number: int) -> str:
        span = {
            "traceId": f"{number + 1:032x}",
            "spanId": "0000000000000001",
            "name": "step",
            "startTimeUnixNano": str(1_700_000_000_000_000_000 + number),
            "attributes": [{"key": "input.value", "value": {"stringValue": "word " * 200}}],
        }
        return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})

    return "".join(request(number) + "\n" for number in range(count))


def test_a_bar_reaches_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(_lines(3_000))
    with tracehouse.connect(":memory:") as database:
        assert database.import_otlp(path, progress=True).traces == 3_000
    shown = capsys.readouterr().err
    assert "import: 100%" in shown


def test_without_tqdm_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with progress_bar("import") as report:
        assert report is None
    with tracehouse.connect(":memory:") as database:
        assert database.import_otlp(_lines(2).encode(), progress=True).traces == 2


def test_a_bar_may_not_know_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading") as report:
        assert report is not None
        report(10, None)
        report(25, None)
        report(30, 30)
    assert "reading" in capsys.readouterr().err


def test_tqdm_is_imported_only_for_a_bar(tmp_path: Path) -> None:
    import subprocess

    program = "import sys, tracehouse; tracehouse.connect(':memory:').close(); print('tqdm' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ended.stdout.strip() == "False"

"""The code of `docs/python/remote.md`, against a server on an empty database."""

from __future__ import annotations

import re
from pathlib import Path

from remote_server import Server

PAGE = Path(__file__).resolve().parents[4] / "docs/python/remote.md"


def test_the_code_of_the_page_runs(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    names: dict[str, object] = {"__name__": "__main__"}
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
    assert len(blocks) == 6
    for block in blocks:
        # On the lines where the page has them.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(code.replace("http://127.0.0.1:4318", server.url), str(PAGE), "exec"), names)

"""A server for the tests: the program that `TRACEHOUSE_SERVER` names, on a folder of its own and free ports."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tracehouse


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    grpc: str
    process: subprocess.Popen[str]


@contextmanager
def serving(folder: Path, *options: str, log: Path | None = None) -> Iterator[Server]:
    """A server on the database in a folder, which is made where there is none."""
    program = os.environ.get("TRACEHOUSE_SERVER")
    assert program, "TRACEHOUSE_SERVER has to name the program that serves: `tracehouse`, or one of its own"
    command = [program] if Path(program).name.startswith("serve") else [program, "serve"]
    tracehouse.connect(folder).close()
    with (log or folder.with_suffix(".log")).open("a") as errors:
        process = subprocess.Popen(
            [*command, str(folder), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[::2] == ["http", "grpc"], f"the server said {words}: see {folder.with_suffix('.log')}"
        yield Server(f"http://{words[1]}", words[3], process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()

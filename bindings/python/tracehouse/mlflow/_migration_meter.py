"""How far an import is, on the standard error: a bar on a terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_LINE_SECONDS = 5.0
_BAR_SECONDS = 0.1
_BAR_CHARS = 30


class Meter:
    """Says how much of a step is done."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._is_bar = self._out.isatty()
        self._said_at = time.monotonic()
        self._is_open = False

    def step(self, name: str, done: int, total: int) -> None:
        """Says it, unless it was said just now.

        Args:
            name: what is done.
            done: how many of it are.
            total: how many there are.
        """
        now = time.monotonic()
        if now - self._said_at < (_BAR_SECONDS if self._is_bar else _LINE_SECONDS) and (
            done < total or not self._is_bar
        ):
            return
        self._said_at = now
        if not self._is_bar:
            print(f"{name}: {done:,} of {total:,}", file=self._out, flush=True)
            return
        filled = _BAR_CHARS if done >= total else _BAR_CHARS * done // total
        bar = "#" * filled + "." * (_BAR_CHARS - filled)
        print(f"\r{name:<10} [{bar}] {done:,} of {total:,}\x1b[K", end="", file=self._out, flush=True)
        self._is_open = True

    def end(self) -> None:
        """Ends the line of a bar."""
        if self._is_open:
            print(file=self._out, flush=True)
            self._is_open = False

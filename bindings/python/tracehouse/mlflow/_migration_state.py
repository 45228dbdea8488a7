"""What an import from MLflow has done so far, in `mlflow/import.db`; a part of `_migration`.

It stays when the import is finished, so that the same import, asked for again, says so instead of beginning anew.

Invariant: what is noted here is durable in the database before.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TABLES = """
    CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS loaded (trace_id TEXT PRIMARY KEY, experiment_id TEXT NOT NULL, spans INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS problems (item TEXT, kind TEXT, problem TEXT NOT NULL, PRIMARY KEY (item, kind));
"""

WITHOUT_SPANS = "without spans"
"""A kind of problem: the spans of a trace are nowhere; the trace is there without them."""
REFUSED = "not imported"
"""A kind of problem: something that cannot be read, or that the database does not take."""


@dataclass
class Page:
    """What is noted of a page of traces."""

    last: str
    """The id of its last trace."""
    loaded: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By trace whose spans were artifacts: its experiment, and how many spans there are."""
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    """What, which kind, and the problem in words."""


class State:
    """The notes of one import."""

    def __init__(self, path: Path) -> None:
        # In autocommit mode: transactions are written out where there are some.
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.executescript(_TABLES)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def get(self, key: str) -> Any:
        """A fact, `None` where there is none."""
        row = self._file.execute("SELECT value FROM facts WHERE key = ?", [key]).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, facts: Mapping[str, Any]) -> None:
        """Notes facts, together."""
        with self._transaction():
            self._set(facts)

    def finish_page(self, page: Page) -> None:
        """Notes that a page of traces is in the database."""
        with self._transaction():
            rows = [(trace_id, *known) for trace_id, known in page.loaded.items()]
            self._file.executemany("INSERT OR REPLACE INTO loaded VALUES (?, ?, ?)", rows)
            self._file.executemany("INSERT OR REPLACE INTO problems VALUES (?, ?, ?)", page.problems)
            self._set({"last": page.last})

    def add_problem(self, item: str, kind: str, problem: str) -> None:
        """Notes what cannot be imported."""
        self._file.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?)", (item, kind, problem))

    def loaded_spans(self) -> dict[str, int]:
        """The number of spans that were artifacts, by experiment."""
        return dict(self._file.execute("SELECT experiment_id, sum(spans) FROM loaded GROUP BY experiment_id"))

    def problems(self, kind: str, limit: int) -> list[tuple[str, str]]:
        """The first problems of a kind: what, and why."""
        question = "SELECT item, problem FROM problems WHERE kind = ? ORDER BY item LIMIT ?"
        return list(self._file.execute(question, [kind, limit]))

    def problem_count(self, kind: str) -> int:
        """The number of problems of a kind."""
        count: int = self._file.execute("SELECT count(*) FROM problems WHERE kind = ?", [kind]).fetchone()[0]
        return count

    def begin_again(self, phase: str) -> None:
        """Forgets what was imported: all of it is done once more, from a phase on."""
        with self._transaction():
            for table in ("loaded", "problems"):
                self._file.execute(f"DELETE FROM {table}")  # noqa: S608
            self._file.execute("DELETE FROM facts WHERE key = 'last' OR key LIKE 'dataset %'")
            self._set({"phase": phase})

    def _set(self, facts: Mapping[str, Any]) -> None:
        rows = [(key, json.dumps(value)) for key, value in facts.items()]
        self._file.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._file)


class _Transaction:
    """All of what is done inside, or nothing."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._file.execute("COMMIT" if kind is None else "ROLLBACK")

"""Care of a database: figures, checks, copies, retention, redaction, prices. A part of `database.Database`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tracehouse import _native
from tracehouse._base import Base
from tracehouse._options import size_bytes

if TYPE_CHECKING:
    from tracehouse.reports import (
        BackupReport,
        CheckReport,
        Compacted,
        Price,
        Redaction,
        RetentionReport,
        Stats,
    )


class Keeping(Base):
    """What keeps it in order."""

    def stats(self) -> Stats:
        """Counts, sizes and how far the indexes have come."""
        return self._engine.stats(self._native)

    def refresh(self) -> bool:
        """In a database opened for reading only: sees what the writer has acknowledged by now. Without it, a question
        sees everything acknowledged up to a tenth of a second before. Returns whether there was something new."""
        return _native.refresh(self._native)

    def seal(self) -> None:
        """Seals what is in memory into a segment; it is done in the background, too."""
        _native.seal(self._native)

    def compact(self) -> Compacted:
        """Seals, then merges small segments into one; it is done in the background, too."""
        return _native.compact(self._native)

    def index_text(self) -> int:
        """Builds text indexes that are missing; returns how many were. It is done in the background, too."""
        return _native.index_text(self._native)

    def settle(self) -> int:
        """Settles traces that wait for their root for longer than the setting `settle_after`; returns how many. It is
        done in the background, too."""
        return _native.settle(self._native)

    def check(self, deep: bool = False) -> CheckReport:
        """Checks the files of the database; deep, every byte and row. Damage is no error: it is in the report."""
        return _native.check(self._native, deep)

    def backup(self, path: str | os.PathLike[str]) -> BackupReport:
        """Copies the database, consistently and while it is used, to a new folder.

        Raises:
            ConflictError: the folder is not empty.
            InvalidInputError: the database is in memory.
        """
        return _native.backup(self._native, os.fspath(path))

    def export_parquet(self, folder: str | os.PathLike[str], *, filter: str = "") -> dict[str, int]:
        """Writes `traces.parquet`, `spans.parquet` and `assessments.parquet` into a folder, of the traces that a filter
        holds for. Returns the rows of each table. After an error none of them is there.

        Raises:
            ConflictError: one of the files is there.
        """
        return _native.export_parquet(self._native, os.fspath(folder), filter)

    def retain(
        self,
        *,
        experiment_id: str | None = None,
        max_age_ms: int | None = None,
        max_traces: int | None = None,
        max_bytes: int | str | None = None,
        dry_run: bool = False,
        rules: Iterable[Mapping[str, Any]] | None = None,
    ) -> RetentionReport:
        """Deletes the traces that a rule does not keep; with `dry_run`, only says which. Datasets keep their records.

        Args:
            experiment_id: the experiment; each one by itself, unless given.
            max_age_ms: traces that began longer ago go, milliseconds.
            max_traces: at most so many traces stay.
            max_bytes: at most so many bytes stay: a trace counts its share of the files of its segment.
            dry_run: only say which.
            rules: several rules instead: dictionaries with the names above.

        Raises:
            InvalidInputError: a rule without a limit, or two for one experiment.
        """
        own: dict[str, Any] = {
            "experiment_id": experiment_id,
            "max_age_ms": max_age_ms,
            "max_traces": max_traces,
            "max_bytes": max_bytes,
        }
        given = [own] if rules is None else [dict(rule) for rule in rules]
        for rule in given:
            if rule.get("max_bytes") is not None:
                rule["max_bytes"] = size_bytes(rule["max_bytes"])
        return _native.retain(self._native, given, dry_run)

    def redaction(self) -> Redaction:
        """What is taken out of everything that is written, before it is written anywhere."""
        return self._engine.redaction(self._native)

    def set_redaction(self, redaction: Redaction | None = None, **changes: Any) -> Redaction:
        """Changes what is redacted from now on, and keeps it with the database; what was stored before stays as it is.

        `db.set_redaction(emails=True, rules={"ticket": r"TICKET-\\d+"})` changes these alone.

        Raises:
            InvalidInputError: a name, size or pattern that is not allowed.
        """
        wanted = (redaction or self.redaction()).to_dict()
        unknown = [name for name in changes if name not in wanted]
        if unknown:
            raise TypeError(f"redaction has no {unknown[0]!r}: {', '.join(wanted)}")
        _native.set_redaction(self._native, {**wanted, **changes})
        return self.redaction()

    def prices(self) -> list[Price]:
        """The prices that costs are computed with: those that come with the program, and those set in this database."""
        return self._engine.prices(self._native)

    def set_price(
        self,
        model: str,
        input: float,
        output: float,
        *,
        cache_read: float | None = None,
        cache_write: float | None = None,
    ) -> None:
        """Sets what a model costs, USD for a million tokens, for spans that come from now on."""
        _native.set_price(self._native, model, input, output, cache_read, cache_write)

    def remove_price(self, model: str) -> None:
        """Takes the price of a model out: its cost is NULL for spans that come from now on."""
        _native.remove_price(self._native, model)

    def reset_prices(self, *, enabled: bool = True) -> None:
        """Leaves the prices that come with the program and no others; `enabled` says whether costs are computed at
        all."""
        _native.reset_prices(self._native, enabled)

"""Which records of datasets are alike, and which hold a trace: what splits, leaks and deduplications say."""

from __future__ import annotations

from dataclasses import dataclass

from tracehouse._record import Record


@dataclass(slots=True)
class SplitReport(Record):
    """What a split made."""

    parts: list[tuple[str, int]]
    """The new datasets, and how many records each has."""
    groups: int
    """Groups of records that stayed together, single ones included."""
    largest_group: int
    """Records of the largest of them: parts cannot be nearer to their shares than it allows."""
    cut: int
    """Records whose likeness to others was not looked for to the end, since too many are alike."""


@dataclass(slots=True)
class Alike(Record):
    """Two records that are alike."""

    record_id: str
    """The one; of a deduplication the one that went."""
    other_id: str
    """The other; of a deduplication the one that stayed."""
    similarity: float
    """Jaccard of the word triples of their inputs; 1 for equal ones."""


@dataclass(slots=True)
class LeakReport(Record):
    """What two datasets share."""

    records: list[Alike]
    """Records of the first with the most similar one of the other, where that is near."""
    traces: list[str]
    """Traces that records of both were made of."""
    sessions: list[str]
    """Sessions that both have records of."""
    users: list[str]
    """Users that both have records of."""
    cut: int
    """Records of the first whose likeness was not looked for to the end, since too many are alike."""

    @property
    def is_clean(self) -> bool:
        """Whether they share nothing."""
        return not (self.records or self.traces or self.sessions or self.users)


@dataclass(slots=True)
class DedupeReport(Record):
    """What a deduplication did."""

    version: int
    """The version without them; the one before when there were none."""
    record_count: int
    """Records that stayed."""
    dropped: list[Alike]
    """Records that went, each with the one that it was like."""
    cut: int
    """Records whose likeness was not looked for to the end, since too many are alike."""


@dataclass(slots=True)
class Holding(Record):
    """A record that holds a trace."""

    dataset: str
    """The dataset."""
    version: int
    """Its newest version, in which the record is."""
    dataset_record_id: str
    """The record."""
    span_id: str | None
    """The span it was made of."""
    is_same: bool | None
    """Whether the trace still says what the record has: inputs and outputs; `None` when the trace is gone."""

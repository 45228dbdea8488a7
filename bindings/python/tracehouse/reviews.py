"""Review by people, as Python objects: queues, what comes next, how far they are.

An item is named by a text: `trace:ID`, `span:TRACE/SPAN` or `session:ID`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracehouse._given import record_of
from tracehouse._record import Record, to_datetime, to_optional_datetime


@dataclass(slots=True)
class ReviewAdded(Record):
    """What came of adding items to a queue."""

    added: int
    """How many are new."""
    already_there: list[str]
    """Those that were there before, or were given twice; they stay as they were."""


@dataclass(slots=True)
class ReviewInfo(Record):
    """A queue without its items."""

    name: str
    """Unique in the database."""
    item_count: int
    """How many items it has."""
    created_at_ns: int
    """When it was made, Unix nanoseconds."""
    updated_at_ns: int
    """When it last changed, Unix nanoseconds."""

    @property
    def created_at(self) -> datetime:
        """When it was made, UTC."""
        return to_datetime(self.created_at_ns)


@dataclass(slots=True)
class ReviewAnswer(Record):
    """What a reviewer said of an item."""

    reviewer: str
    """Who."""
    values: dict[str, Any]
    """The answers, by label."""
    comment: str | None = None
    """Why, in words."""
    at_ns: int = 0
    """When, Unix nanoseconds."""


@dataclass(slots=True)
class ReviewItem(Record):
    """An item of a queue."""

    key: str
    """What is reviewed: `trace:ID`, `span:TRACE/SPAN` or `session:ID`."""
    answers_wanted: int
    """How many reviewers are to answer it."""
    assignees: list[str]
    """Who may answer it; when empty, every reviewer of the queue."""
    leases: dict[str, int]
    """Until when each reviewer holds it, Unix nanoseconds."""
    skips: dict[str, str | None]
    """Who will not answer it, and why."""
    answers: list[ReviewAnswer]
    """All answers, in order; of each reviewer the last one counts."""

    @property
    def trace_id(self) -> str | None:
        """The trace that it is or lies in; none for a session."""
        return trace_of(self.key)


@dataclass(slots=True)
class ReviewQueue(Record):
    """A queue with its items and answers."""

    name: str
    """Unique in the database."""
    labels: list[dict[str, Any]]
    """What reviewers are asked of each item."""
    reviewers: list[str]
    """Who answers."""
    items: list[ReviewItem] = field(default_factory=list)
    """What is reviewed, in order."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ReviewQueue:
        """A queue of the native module's dictionary."""
        items = [_item(one) for one in given["items"]]
        return cls(given["name"], list(given["schema"]["labels"]), list(given["reviewers"]), items)


@dataclass(slots=True)
class ReviewNext(Record):
    """What a reviewer does next."""

    next: str
    """`item`: answer it; `wait`: others hold what is left; `done`: nothing is left for this reviewer."""
    key: str | None = None
    """The item, which is held for this reviewer."""
    until_ns: int | None = None
    """Until when it is held, or others hold what is left, Unix nanoseconds."""

    @property
    def trace_id(self) -> str | None:
        """The trace that the item is or lies in; none for a session."""
        return None if self.key is None else trace_of(self.key)

    @property
    def until(self) -> datetime | None:
        """Until when it is held, or others hold what is left, UTC."""
        return to_optional_datetime(self.until_ns)


@dataclass(slots=True)
class ReviewAnswered(Record):
    """What came of an answer."""

    supersedes: bool
    """Whether it takes the place of an earlier answer of this reviewer."""
    complete: bool
    """Whether the item has every answer that was wanted."""


@dataclass(slots=True)
class ReviewerProgress(Record):
    """How far a reviewer is."""

    reviewer: str
    """Who."""
    assigned: int
    """Items assigned to them by name; open ones are not."""
    answered: int
    """Items that they answered."""
    skipped: int
    """Items that they skipped."""
    leased: int
    """Items that they hold."""
    waiting: int
    """Items that they could be given now; an open one is counted for every reviewer."""


@dataclass(slots=True)
class ReviewStatus(Record):
    """How far a queue is, and how well its reviewers agree."""

    items: int
    """All items."""
    complete: int
    """Items that have every answer that was wanted."""
    stuck: int
    """Items that too many reviewers skipped."""
    answers_wanted: int
    """Answers that are wanted of all items together."""
    answers_given: int
    """Answers that count."""
    leased: int
    """Leases that have not ended."""
    by_reviewer: list[ReviewerProgress]
    """The same by reviewer."""
    agreement: dict[str, dict[str, Any]]
    """How far reviewers agree, by label: `kappa` (Fleiss), `percent_agreement`, `items_compared`, ..."""
    disagreements: int
    """Items on which reviewers disagree."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ReviewStatus:
        """A status of the native module's dictionary."""
        progress = given["progress"]
        by_reviewer = [record_of(ReviewerProgress, one) for one in progress["by_reviewer"]]
        others = {"agreement": dict(given["agreement"]), "disagreements": given["disagreements"]}
        return record_of(cls, progress, by_reviewer=by_reviewer, **others)


def trace_of(key: str) -> str | None:
    """The trace of an item's name."""
    kind, _, rest = key.partition(":")
    if kind == "span":
        return rest.rpartition("/")[0]
    return rest if kind == "trace" else None


def _item(given: Mapping[str, Any]) -> ReviewItem:
    skips = {reviewer: one.get("reason") for reviewer, one in given["skips"].items()}
    answers = [_answer(one) for one in given["answers"]]
    return record_of(ReviewItem, given, skips=skips, answers=answers)


def _answer(given: Mapping[str, Any]) -> ReviewAnswer:
    values = {label: one["value"] for label, one in given["values"].items()}
    return record_of(ReviewAnswer, given, values=values)

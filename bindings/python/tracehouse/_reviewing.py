"""Review by people: queues of traces, spans and sessions. A part of `database.Database`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tracehouse import _native
from tracehouse._base import Base
from tracehouse._options import as_texts, rows_json

if TYPE_CHECKING:
    from tracehouse.reviews import (
        ReviewAdded,
        ReviewAnswered,
        ReviewInfo,
        ReviewNext,
        ReviewQueue,
        ReviewStatus,
    )


class Reviewing(Base):
    """What is for people to judge."""

    def create_review(
        self,
        name: str,
        labels: Iterable[Mapping[str, Any]],
        reviewers: str | Iterable[str],
        *,
        filter: str | None = None,
        items: Iterable[str] | None = None,
        limit: int | None = None,
        answers_per_item: int = 1,
        round_robin: bool = False,
    ) -> ReviewAdded:
        """Makes a queue of items for people to judge; their answers become feedback on the traces.

            db.create_review(
                "refunds",
                [{"name": "correct", "kind": "boolean"},
                 {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": False}],
                ["ana", "bo"],
                filter="feedback.correctness = false",
            )

        Args:
            name: the queue.
            labels: what is asked of each item: dictionaries with `name` and `kind` (`boolean`, `category` with
                `options` and perhaps `multiple`, `number` with perhaps `min`, `max`, `integer`, `text` with perhaps
                `length_max`), and perhaps `required` and `instruction`.
            reviewers: who answers.
            filter: the traces that are reviewed.
            items: what is reviewed instead: ids of traces, or `trace:ID`, `span:TRACE/SPAN` and `session:ID`.
            limit: at most so many traces of the filter, newest first.
            answers_per_item: how many reviewers answer each item.
            round_robin: items are assigned by turns; otherwise whoever asks next gets it.

        Raises:
            ConflictError: there is a queue of that name.
            InvalidInputError: neither a filter nor items, or labels or reviewers that are not allowed.
        """
        from tracehouse._given import record_of, refused
        from tracehouse.reviews import ReviewAdded

        keys = self._review_keys(filter, items, limit)
        asked = rows_json([dict(label) for label in labels])
        who = as_texts(reviewers) or []
        with refused():
            added = _native.create_review(self._native, name, asked, who, keys, answers_per_item, round_robin)
        return record_of(ReviewAdded, added)

    def add_to_review(
        self,
        name: str,
        *,
        filter: str | None = None,
        items: Iterable[str] | None = None,
        limit: int | None = None,
        answers_per_item: int = 1,
        round_robin: bool = False,
    ) -> ReviewAdded:
        """Adds items to a queue; those that it has stay as they are. Arguments are those of `create_review`.

        Raises:
            NotFoundError: there is no such queue.
            InvalidInputError: neither a filter nor items.
        """
        from tracehouse._given import record_of, refused
        from tracehouse.reviews import ReviewAdded

        keys = self._review_keys(filter, items, limit)
        with refused():
            added = _native.add_to_review(self._native, name, keys, answers_per_item, round_robin)
        return record_of(ReviewAdded, added)

    def _review_keys(self, filter: str | None, items: Iterable[str] | None, limit: int | None) -> list[str]:
        from tracehouse.errors import InvalidInputError

        if (filter is None) == (items is None):
            raise InvalidInputError("a review is of filter= or of items=")
        if filter is not None:
            found = _native.search_ids(self._native, (filter, [], limit, None, None, 0, None))
            return [f"trace:{trace_id}" for trace_id in found]
        kinds = ("trace:", "span:", "session:")
        return [item if item.startswith(kinds) else f"trace:{item}" for item in as_texts(items) or []]

    def reviews(self) -> list[ReviewInfo]:
        """All queues by name."""
        from tracehouse._given import record_of
        from tracehouse.reviews import ReviewInfo

        return [record_of(ReviewInfo, one) for one in _native.reviews(self._native)]

    def review(self, name: str) -> ReviewQueue:
        """A queue with its items and answers.

        Raises:
            NotFoundError: there is none.
        """
        from tracehouse.reviews import ReviewQueue

        return ReviewQueue.of(_native.review(self._native, name))

    def review_next(self, name: str, reviewer: str, *, lease_seconds: int = 600) -> ReviewNext:
        """The next item for a reviewer, held for them for a while; asked again, the same item.

        Raises:
            NotFoundError: there is no such queue or reviewer.
        """
        from tracehouse._given import record_of
        from tracehouse.reviews import ReviewNext

        return record_of(ReviewNext, _native.review_next(self._native, name, reviewer, lease_seconds))

    def review_answer(
        self, name: str, item: str, reviewer: str, answers: Mapping[str, Any], comment: str | None = None
    ) -> ReviewAnswered:
        """Takes an answer, one value a label, and stores each as feedback of the reviewer. A second answer of the same
        reviewer takes the place of the first.

        Args:
            name: the queue.
            item: the `key` that `review_next` gave.
            reviewer: who answers.
            answers: values by label.
            comment: why, in words.

        Raises:
            NotFoundError: there is no such queue, item, reviewer or trace.
            InvalidInputError: values that the labels do not allow; the message has all of them.
        """
        from tracehouse._given import plain, record_of, refused
        from tracehouse.reviews import ReviewAnswered

        given = plain(dict(answers), "answers")
        with refused():
            answered = _native.review_answer(self._native, name, item, reviewer, given, comment)
        return record_of(ReviewAnswered, answered)

    def review_skip(self, name: str, item: str, reviewer: str, reason: str | None = None) -> None:
        """Says that a reviewer will not answer an item: it is open to others.

        Raises:
            NotFoundError: there is no such queue, item or reviewer.
        """
        from tracehouse._given import refused

        with refused():
            _native.review_skip(self._native, name, item, reviewer, reason)

    def review_status(self, name: str) -> ReviewStatus:
        """How far a queue is, and how well its reviewers agree.

        Raises:
            NotFoundError: there is none.
        """
        from tracehouse.reviews import ReviewStatus

        return ReviewStatus.of(_native.review_status(self._native, name))

    def delete_review(self, name: str) -> None:
        """Deletes a queue; what was answered stays on the traces.

        Raises:
            NotFoundError: there is none.
        """
        _native.delete_review(self._native, name)

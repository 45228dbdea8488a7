"""Evaluation runs as Python objects, and what is made of two of them.

An `EvalRun` is what a run said of itself when it was read, with a handle on its database: its scores and summaries are
read when they are first asked for, and are closed with the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from tracehouse import _native
from tracehouse._given import record_of
from tracehouse._record import Record, to_datetime
from tracehouse.result import Result
from tracehouse.statistics import (
    GroupNumbers,
    GroupQuantiles,
    GroupRates,
    Regression,
    ScorerComparison,
    Summary,
    made,
    scorer_comparison,
    summary,
)

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tracehouse.scoring import Scorer

Progress: TypeAlias = Callable[[int, int], object]
"""Called with the items that are done, and how many there are."""

_SCORES = "SELECT * FROM scores WHERE run_id = $run ORDER BY dataset_record_id, trace_id, span_id, scorer"
_FAILURES = (
    "SELECT scorer, trace_id, span_id, dataset_record_id, value, rationale, error FROM scores "
    "WHERE run_id = $run AND (passed = false OR error IS NOT NULL) "
    "ORDER BY error IS NOT NULL, scorer, dataset_record_id, trace_id, span_id"
)
_NUMBERS = (
    "SELECT value_number FROM scores WHERE run_id = $run AND scorer = $scorer "
    "AND value_number IS NOT NULL AND value NOT IN ('true', 'false')"
)


@dataclass(slots=True)
class ScorerInfo(Record):
    """A scorer of a run."""

    name: str
    """The name of its scores."""
    version: str
    """Changes when the same item may get another score."""
    definition: dict[str, Any]
    """What it is and with what settings."""


@dataclass(slots=True)
class Failure(Record):
    """A score that did not pass, or an error."""

    scorer: str
    """Which scorer said so."""
    trace_id: str | None
    """The trace that was judged."""
    span_id: str | None
    """The span that was judged."""
    dataset_record_id: str | None
    """The record that was judged."""
    value: str | None
    """The value as JSON text; `None` for an error."""
    rationale: str | None
    """Why."""
    error: str | None
    """Why there is no value."""


class EvalRun:
    """An evaluation run of an open database; see `Database.evaluate`."""

    def __init__(self, db: _native.Database, given: Mapping[str, Any]) -> None:
        self._db = db
        self._given = given
        self._summaries: list[Summary] | None = None

    @property
    def run_id(self) -> str:
        """`r-` and 32 hex digits."""
        return str(self._given["run_id"])

    @property
    def name(self) -> str:
        """What it was called, or its scorers' names."""
        return str(self._given["name"])

    @property
    def state(self) -> str:
        """`DONE`; `RUNNING`, `FAILED` or `CANCELLED` for one that was interrupted: `resume` goes on with it."""
        return str(self._given["state"])

    @property
    def source(self) -> str:
        """What it judged: `traces`, `spans`, `sessions`, `dataset` or `given`."""
        return str(self._given["source"])

    @property
    def filter(self) -> str | None:
        """The filter that chose the traces."""
        return self._given.get("filter")

    @property
    def limit(self) -> int | None:
        """Most items that were judged."""
        return self._given.get("limit")

    @property
    def dataset_id(self) -> str | None:
        """The dataset whose records were judged."""
        return self._given.get("dataset_id")

    @property
    def dataset_version(self) -> int | None:
        """Its version."""
        return self._given.get("dataset_version")

    @property
    def scorers(self) -> list[ScorerInfo]:
        """Its scorers, in order."""
        return [record_of(ScorerInfo, one) for one in self._given["scorers"]]

    @property
    def row_count(self) -> int:
        """Scores, errors included."""
        return int(self._given["row_count"])

    @property
    def error_count(self) -> int:
        """Scores that are errors."""
        return int(self._given["error_count"])

    @property
    def cost_usd(self) -> float | None:
        """What its judges cost, in US dollars; `None` when none says."""
        return self._given.get("cost_usd")

    @property
    def monitor(self) -> str | None:
        """The registered scorer whose scores it collects."""
        return self._given.get("monitor")

    @property
    def created_at_ns(self) -> int:
        """When it began, Unix nanoseconds."""
        return int(self._given["created_at_ns"])

    @property
    def created_at(self) -> datetime:
        """When it began, UTC."""
        return to_datetime(self.created_at_ns)

    @property
    def summaries(self) -> list[Summary]:
        """What each of its scorers said: counts, rates and means with their 95 % intervals."""
        if self._summaries is None:
            report = _native.eval_report(self._db, self.run_id)
            self._summaries = [summary(one) for one in report["summaries"]]
        return self._summaries

    @property
    def metrics(self) -> dict[str, float]:
        """One number for each scorer, and its counts.

        `NAME` is the mean of its numbers, else the rate of its passes; `NAME/count` and `NAME/errors` are how many
        items got a score and an error. Beside a mean `NAME/pass_rate` is the rate of its passes; of texts `NAME/TEXT`
        is the share of each.
        """
        metrics: dict[str, float] = {}
        for one in self.summaries:
            if one.metric is not None:
                metrics[one.scorer] = one.metric
            if one.numbers is not None and one.passes is not None and one.passes.rate is not None:
                metrics[f"{one.scorer}/pass_rate"] = one.passes.rate
            categories = one.categories or {}
            for text, count in categories.items():
                metrics[f"{one.scorer}/{text}"] = count / sum(categories.values())
            metrics[f"{one.scorer}/count"] = one.count
            metrics[f"{one.scorer}/errors"] = one.errors
        return metrics

    def scores(self) -> Result:
        """Its scores, with the columns of SQL's table `scores`."""
        return Result(_native.sql(self._db, _SCORES, {"run": self.run_id}, {}, None))

    def to_df(self) -> pandas.DataFrame:
        """Its scores as a pandas DataFrame; see `scores`."""
        return self.scores().df()

    def to_arrow(self) -> pyarrow.Table:
        """Its scores as a pyarrow Table; see `scores`."""
        return self.scores().arrow()

    def to_polars(self) -> polars.DataFrame:
        """Its scores as a polars DataFrame; see `scores`."""
        return self.scores().pl()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.scores().__arrow_c_stream__(requested_schema)

    def failures(self, n: int | None = None) -> list[Failure]:
        """What did not pass, then the errors; the first `n` of them."""
        statement = _FAILURES if n is None else f"{_FAILURES} LIMIT {max(int(n), 0)}"
        rows = _native.sql(self._db, statement, {"run": self.run_id}, {}, None)
        return [Failure(*row) for row in rows.fetch(None)]

    def numbers(self, scorer: str, n: int | None = None) -> list[float]:
        """The numbers that one of its scorers gave, in no order; the first `n` that are found."""
        limit = "" if n is None else f" LIMIT {max(int(n), 0)}"
        rows = _native.sql(self._db, f"{_NUMBERS}{limit}", {"run": self.run_id, "scorer": scorer}, {}, None)
        return [number for (number,) in rows.fetch(None)]

    def compare(self, other: EvalRun | str) -> EvalComparison:
        """Compares it, item by item, with a run before it: differences are those of this run against `other`.

        Args:
            other: the run before, or its id or name.

        Raises:
            NotFoundError: there is no such run.
        """
        before = other.run_id if isinstance(other, EvalRun) else other
        return EvalComparison.of(self._db, _native.compare_evals(self._db, before, self.run_id))

    def outputs(self, items: Iterable[str]) -> list[str | None]:
        """What items of it answered, as a person reads it, each in its place; `None` for one that is not of the run,
        that has no output, or whose trace or dataset is gone.

        Args:
            items: by the names that `Regression.key` has: a record, session, `TRACE/SPAN` or trace. Records have the
                outputs of the version that was judged, sessions the last thing that was answered.
        """
        return _native.eval_outputs(self._db, self.run_id, list(items))

    def resume(
        self,
        scorers: Iterable[Scorer | str | Callable[..., Any]] | None = None,
        *,
        data: Any = None,
        predict_fn: Callable[..., Any] | None = None,
        limit: int | None = None,
        feedback: bool = True,
        concurrency: int | None = None,
        progress: Progress | bool | None = None,
        judge_traces: str | None = None,
    ) -> EvalRun:
        """Goes on with a run that was interrupted: what has no score in it yet is judged, in the source as it is now.

        Args:
            scorers: those that it began with; built-in ones and judges are made of what the run keeps of them, so that
                functions alone must be given.
            data: what was judged, when it was a list or a function was called; else it is found again.
            predict_fn: the function that was called, when there was one.
            limit: as in `Database.evaluate`; so are the others.

        Returns:
            The run as it is afterwards.

        Raises:
            InvalidInputError: the scorers are not those that it began with.
            ConflictError: it is being carried out.
        """
        from tracehouse._running import resume

        options: dict[str, Any] = {"feedback": feedback, "concurrency": concurrency, "progress": progress}
        options["judge_traces"] = judge_traces
        return resume(self._db, self, scorers, data, predict_fn, limit, options)

    def to_dict(self) -> dict[str, Any]:
        """What the run says of itself, as JSON can have it."""
        return dict(self._given)

    def __repr__(self) -> str:
        return f"EvalRun({self.name!r}, {self.state}, run_id={self.run_id!r})"

    def __str__(self) -> str:
        from tracehouse._eval_text import run_text

        return run_text(self)

    def _repr_html_(self) -> str:
        from tracehouse.display import eval_html

        return eval_html(self)

    def __reduce__(self) -> Any:
        raise TypeError("an EvalRun cannot be pickled: it belongs to an open database; find it again by its run_id")


@dataclass(slots=True)
class EvalComparison(Record):
    """Two runs over the same items, scorer by scorer. Differences are those of `b` against `a`."""

    a: EvalRun
    """The run before."""
    b: EvalRun
    """The run after."""
    scorers: list[ScorerComparison]
    """Those scorers that both have, in the order of `a`."""
    unpaired: list[str]
    """Names of scorers that only one of them has."""

    @classmethod
    def of(cls, db: _native.Database, given: Mapping[str, Any]) -> EvalComparison:
        """A comparison of the native module's dictionary."""
        a, b = EvalRun(db, given["a"]), EvalRun(db, given["b"])
        return cls(a, b, [scorer_comparison(one) for one in given["scorers"]], list(given["unpaired"]))

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON can have them."""
        return {**Record.to_dict(self), "a": self.a.to_dict(), "b": self.b.to_dict()}

    @property
    def regressions(self) -> list[Regression]:
        """Items that got worse, by scorer, worst first."""
        return [worse for one in self.scorers for worse in one.regressions]

    def outputs(self, worse: Iterable[Regression | str]) -> list[tuple[str | None, str | None]]:
        """What items answered in the run before and in the run after, each in its place; see `EvalRun.outputs`.

        Args:
            worse: items that got worse, or their keys.
        """
        keys = [one if isinstance(one, str) else one.key for one in worse]
        return list(zip(self.a.outputs(keys), self.b.outputs(keys), strict=True))

    def __repr__(self) -> str:
        from tracehouse._eval_text import comparison_text

        return comparison_text(self)

    def _repr_html_(self) -> str:
        from tracehouse.display import comparison_html

        return comparison_html(self)


@dataclass(slots=True)
class GroupComparison(Record):
    """Two groups of traces. Differences are those of `b` against `a`."""

    counts: tuple[int, int]
    """Traces of each."""
    errors: GroupRates
    """Traces with the state `ERROR`, of those of each."""
    duration_ns: GroupNumbers
    """Nanoseconds from start to end."""
    duration_quantiles: list[GroupQuantiles]
    """The median and the 95th percentile of these."""
    total_tokens: GroupNumbers
    """Tokens."""
    cost_usd: GroupNumbers
    """US dollars."""
    numbers: dict[str, GroupNumbers]
    """Feedback with numbers, by name."""
    verdicts: dict[str, GroupRates]
    """Feedback that is true or false, by name."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> GroupComparison:
        """A comparison of the native module's dictionary."""
        a, b = given["counts"]
        return cls(
            (a, b),
            made(GroupRates, given["errors"]),
            made(GroupNumbers, given["duration_ns"]),
            [made(GroupQuantiles, one) for one in given["duration_quantiles"]],
            made(GroupNumbers, given["total_tokens"]),
            made(GroupNumbers, given["cost_usd"]),
            {name: made(GroupNumbers, one) for name, one in given["numbers"].items()},
            {name: made(GroupRates, one) for name, one in given["verdicts"].items()},
        )

    def __repr__(self) -> str:
        from tracehouse._eval_text import groups_text

        return groups_text(self)

    def _repr_html_(self) -> str:
        from tracehouse.display import groups_html

        return groups_html(self)

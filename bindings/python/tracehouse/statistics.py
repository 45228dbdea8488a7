"""What scorers said of many items: summaries, intervals, comparisons. Differences are those of `b` against `a`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tracehouse._given import record_of
from tracehouse._record import Record

_R = TypeVar("_R")


@dataclass(slots=True)
class Interval(Record):
    """A confidence interval."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    confidence: float = 0.95
    """0.95 for a 95 % interval."""
    method: str = ""
    """How it was made: `clopper_pearson`, `bootstrap_percentile`, `student_t`, `welch`, `newcombe_paired`, ..."""


@dataclass(slots=True)
class NumberSummary(Record):
    """Numbers of a run."""

    count: int
    """How many."""
    mean: float
    """Their mean."""
    standard_deviation: float | None
    """Of the sample; `None` of one number."""
    min: float
    """The smallest."""
    max: float
    """The largest."""
    p50: float
    """Median."""
    p90: float
    """90th percentile."""
    p95: float
    """95th percentile."""
    p99: float
    """99th percentile."""
    mean_interval: Interval | None = None
    """Interval of the mean; `None` of one number."""


@dataclass(slots=True)
class RateSummary(Record):
    """Passes and fails of a run."""

    count: int
    """How many verdicts."""
    passed: int
    """How many of them passed."""
    rate: float | None = None
    """`passed / count`; `None` of no verdicts."""
    interval: Interval | None = None
    """Exact interval of the rate."""


@dataclass(slots=True)
class Summary(Record):
    """What one scorer said of the items of a run."""

    scorer: str
    """Its name."""
    count: int
    """Items that got a score."""
    errors: int
    """Items that got an error."""
    errors_by_kind: dict[str, int] = field(default_factory=dict)
    """Errors by kind: `missing`, `timeout`, ..."""
    numbers: NumberSummary | None = None
    """The values that are numbers."""
    passes: RateSummary | None = None
    """The verdicts."""
    categories: dict[str, int] | None = None
    """The values that are texts, each with its count, most frequent first."""
    other_values: int = 0
    """Scores with another value."""

    @property
    def metric(self) -> float | None:
        """The one number that stands for it: the mean of its numbers, else the rate of its passes."""
        if self.numbers is not None:
            return self.numbers.mean
        return None if self.passes is None else self.passes.rate

    @property
    def interval(self) -> Interval | None:
        """The interval of `metric`."""
        if self.numbers is not None:
            return self.numbers.mean_interval
        return None if self.passes is None else self.passes.interval


@dataclass(slots=True)
class NumberComparison(Record):
    """Numbers of two runs, item by item."""

    pairs: int
    """Pairs compared."""
    mean_a: float | None
    """Mean of a over the pairs."""
    mean_b: float | None
    """Mean of b over the pairs."""
    difference: float | None
    """Mean of b minus a."""
    standard_deviation: float | None
    """Of the differences."""
    interval: Interval | None
    """Of the mean difference."""
    p_value: float | None
    """Two-sided p-value of no difference."""
    p_method: str | None
    """How the p-value was calculated."""
    rose: int
    """Pairs in which b is larger."""
    fell: int
    """Pairs in which b is smaller."""
    equal: int
    """Pairs in which both are equal."""
    advice: dict[str, Any] = field(default_factory=dict)
    """How many pairs it takes to see this difference: `present`, `needed`, ..."""


@dataclass(slots=True)
class VerdictComparison(Record):
    """Verdicts of two runs, item by item."""

    pairs: int
    """Pairs compared."""
    both: int
    """Items that pass in both."""
    neither: int
    """Items that pass in neither."""
    only_a: int
    """Items that pass in a and fail in b."""
    only_b: int
    """Items that fail in a and pass in b."""
    rate_a: float | None
    """Rate of a over the pairs."""
    rate_b: float | None
    """Rate of b over the pairs."""
    difference: float | None
    """Rate of b minus rate of a."""
    interval: Interval | None
    """Of the difference."""
    p_value: float | None
    """McNemar's exact test."""
    p_method: str | None
    """How the p-value was calculated."""
    advice: dict[str, Any] = field(default_factory=dict)
    """How many pairs it takes to see this difference: `present`, `needed`, ..."""


@dataclass(slots=True)
class Regression(Record):
    """An item that got worse."""

    scorer: str
    """By which scorer."""
    key: str
    """The item: its record, session, `TRACE/SPAN` or trace."""
    kind: str
    """`now_fails`: it passed in a and fails in b; `worse`: its number got worse."""
    a: float | None
    """Its number in a."""
    b: float | None
    """Its number in b."""
    drop: float | None
    """By how much its number got worse, where both have one."""


@dataclass(slots=True)
class ScorerComparison(Record):
    """What one scorer said in two runs, item by item."""

    scorer: str
    """Its name."""
    pairs: int
    """Items that both runs scored."""
    only_a: int
    """Items that are only in a."""
    only_b: int
    """Items that are only in b."""
    errors_only_a: int
    """Items of both with an error in a alone."""
    errors_only_b: int
    """Items of both with an error in b alone."""
    errors_both: int
    """Items of both with an error in both."""
    numbers: NumberComparison | None
    """Pairs with a number on both sides."""
    verdicts: VerdictComparison | None
    """Pairs with a verdict on both sides."""
    texts: dict[str, int] | None
    """Pairs with a text on both sides: how many (`pairs`) and how many with the same (`equal`)."""
    not_comparable: int
    """Pairs that have none of these on both sides."""
    regressions: list[Regression]
    """Items that got worse, worst first."""


@dataclass(slots=True)
class GroupNumbers(Record):
    """Numbers of two groups of traces."""

    count_a: int
    """Values of a."""
    count_b: int
    """Values of b."""
    mean_a: float | None
    """Mean of a."""
    mean_b: float | None
    """Mean of b."""
    standard_deviation_a: float | None
    """Of a."""
    standard_deviation_b: float | None
    """Of b."""
    difference: float | None
    """Mean of b minus mean of a."""
    interval: Interval | None
    """Welch's interval of the difference."""
    p_value: float | None
    """Two-sided p-value of Welch's t test."""
    advice: dict[str, Any] = field(default_factory=dict)
    """How many items a group it takes to see this difference: `present`, `needed`, ..."""


@dataclass(slots=True)
class GroupRates(Record):
    """Rates of two groups of traces."""

    count_a: int
    """Items of a."""
    count_b: int
    """Items of b."""
    passed_a: int
    """Items of a that passed; of errors, those that are."""
    passed_b: int
    """Items of b that passed."""
    rate_a: float | None
    """Rate of a."""
    rate_b: float | None
    """Rate of b."""
    difference: float | None
    """Rate of b minus rate of a."""
    interval: Interval | None
    """Newcombe's interval of the difference."""
    p_value: float | None
    """Two-sided p-value of Fisher's exact test."""
    advice: dict[str, Any] = field(default_factory=dict)
    """How many items a group it takes to see this difference: `present`, `needed`, ..."""


@dataclass(slots=True)
class GroupQuantiles(Record):
    """A quantile of two groups of traces."""

    quantile: float
    """Which: 0.5 for the median."""
    count_a: int
    """Values of a."""
    count_b: int
    """Values of b."""
    value_a: float | None
    """The quantile of a."""
    value_b: float | None
    """The quantile of b."""
    difference: float | None
    """That of b minus that of a."""
    difference_interval: Interval | None
    """Bootstrap interval of the difference."""
    ratio: float | None
    """That of b over that of a."""
    ratio_interval: Interval | None
    """Bootstrap interval of the ratio."""


_INTERVALS = ("interval", "mean_interval", "difference_interval", "ratio_interval")


def figures(cls: type[_R], given: Mapping[str, Any] | None) -> _R | None:
    """A record of figures, with its intervals; `None` stays."""
    if given is None:
        return None
    return made(cls, given)


def made(cls: type[_R], given: Mapping[str, Any], **others: Any) -> _R:
    """A record of figures, with its intervals."""
    found = {name: given[name] for name in _INTERVALS if given.get(name) is not None}
    intervals = {name: record_of(Interval, interval) for name, interval in found.items()}
    return record_of(cls, given, **{**intervals, **others})


def summary(given: Mapping[str, Any]) -> Summary:
    """A summary of the native module's dictionary."""
    texts = given.get("categories")
    categories = None if texts is None else {one["value"]: one["count"] for one in texts["values"]}
    numbers, passes = figures(NumberSummary, given.get("numbers")), figures(RateSummary, given.get("passes"))
    return record_of(Summary, given, numbers=numbers, passes=passes, categories=categories)


def scorer_comparison(given: Mapping[str, Any]) -> ScorerComparison:
    """A comparison of the native module's dictionary."""
    worse = [record_of(Regression, one, scorer=given["scorer"]) for one in given["regressions"]]
    numbers = figures(NumberComparison, given.get("numbers"))
    verdicts = figures(VerdictComparison, given.get("verdicts"))
    return record_of(ScorerComparison, given, numbers=numbers, verdicts=verdicts, regressions=worse)

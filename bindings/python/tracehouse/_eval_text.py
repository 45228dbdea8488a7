"""Runs and comparisons as rows of cells: for `print` as text, and for the notebook's views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracehouse._table import _clean
from tracehouse.errors import Error
from tracehouse.statistics import GroupNumbers, GroupRates

if TYPE_CHECKING:
    from tracehouse.evaluation import EvalComparison, EvalRun, GroupComparison
    from tracehouse.statistics import Interval, Regression, ScorerComparison, Summary

RUN_HEAD = ("scorer", "items", "errors", "passed", "mean", "95 % interval")
COMPARISON_HEAD = ("scorer", "pairs", "before", "after", "difference", "95 % interval", "p", "worse")
GROUPS_HEAD = ("figure", "a", "b", "difference", "95 % interval", "p")
_NS_PER_MS = 1_000_000
_SHOWN_MAX = 10
_OUTPUT_CHARS_MAX = 100


def number(value: float | None, sign: bool = False) -> str:
    """A figure with four digits; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:+.4g}" if sign else f"{value:.4g}"


def percent(value: float | None, sign: bool = False) -> str:
    """A rate as a percentage."""
    if value is None:
        return ""
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def _interval(interval: Interval | None, is_rate: bool, factor: float = 1.0) -> str:
    if interval is None:
        return ""
    show = percent if is_rate else number
    return f"{show(interval.low * factor)} to {show(interval.high * factor)}"


def run_rows(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    """A row for each scorer of a run."""
    return [_run_row(one) for one in summaries]


def _run_row(one: Summary) -> tuple[str, ...]:
    rate = None if one.passes is None else one.passes.rate
    passed = "" if one.passes is None or rate is None else f"{one.passes.passed:,} ({percent(rate)})"
    mean = "" if one.numbers is None else number(one.numbers.mean)
    if one.numbers is None and one.categories:
        mean = ", ".join(f"{text}: {count:,}" for text, count in list(one.categories.items())[:_SHOWN_MAX])
    interval = _interval(one.interval, one.numbers is None)
    return (one.scorer, f"{one.count:,}", f"{one.errors:,}", passed, mean, interval)


def comparison_rows(scorers: Sequence[ScorerComparison]) -> list[tuple[str, ...]]:
    """A row for the numbers and one for the verdicts of each scorer of two runs."""
    rows: list[tuple[str, ...]] = []
    for one in scorers:
        worse = f"{len(one.regressions):,}"
        if one.numbers is not None:
            n = one.numbers
            shown = (number(n.mean_a), number(n.mean_b), number(n.difference, True), _interval(n.interval, False))
            rows.append((one.scorer, f"{n.pairs:,}", *shown, number(n.p_value), worse))
        if one.verdicts is not None:
            v = one.verdicts
            shown = (percent(v.rate_a), percent(v.rate_b), percent(v.difference, True), _interval(v.interval, True))
            name = one.scorer if one.numbers is None else f"{one.scorer} (passed)"
            rows.append((name, f"{v.pairs:,}", *shown, number(v.p_value), worse))
        if one.numbers is None and one.verdicts is None:
            same = "" if one.texts is None else f"{one.texts['equal']:,} equal"
            rows.append((one.scorer, f"{one.pairs:,}", "", "", same, "", "", worse))
    return rows


def groups_rows(compared: GroupComparison) -> list[tuple[str, ...]]:
    """A row for each figure of two groups of traces."""
    a, b = compared.counts
    rows: list[tuple[str, ...]] = [("traces", f"{a:,}", f"{b:,}", f"{b - a:+,}", "", "")]
    rows.append(_rates("errors", compared.errors))
    rows.append(_numbers("duration, ms", compared.duration_ns, 1 / _NS_PER_MS))
    for one in compared.duration_quantiles:
        values = [None if value is None else value / _NS_PER_MS for value in (one.value_a, one.value_b, one.difference)]
        interval = _interval(one.difference_interval, False, 1 / _NS_PER_MS)
        name = f"duration p{100 * one.quantile:g}, ms"
        rows.append((name, number(values[0]), number(values[1]), number(values[2], True), interval, ""))
    rows.append(_numbers("tokens", compared.total_tokens))
    rows.append(_numbers("cost, USD", compared.cost_usd))
    rows.extend(_numbers(name, one) for name, one in compared.numbers.items())
    rows.extend(_rates(name, one) for name, one in compared.verdicts.items())
    return rows


def _numbers(name: str, one: GroupNumbers, factor: float = 1.0) -> tuple[str, ...]:
    a, b, difference = (None if x is None else x * factor for x in (one.mean_a, one.mean_b, one.difference))
    interval = _interval(one.interval, False, factor)
    return (name, number(a), number(b), number(difference, True), interval, number(one.p_value))


def _rates(name: str, one: GroupRates) -> tuple[str, ...]:
    shown = (percent(one.rate_a), percent(one.rate_b), percent(one.difference, True), _interval(one.interval, True))
    return (name, *shown, number(one.p_value))


def run_text(run: EvalRun) -> str:
    """A run as a table."""
    cost = "" if run.cost_usd is None else f", ${run.cost_usd:.4f}"
    head = f"{run.name} ({run.run_id}): {run.state}, {run.row_count:,} scores, {run.error_count:,} errors{cost}"
    return "\n".join([_clean(head), *_lines(RUN_HEAD, run_rows(run.summaries))])


def comparison_text(compared: EvalComparison) -> str:
    """Two runs as a table, and the first items that got worse with what they answered."""
    head = f"{compared.b.name} ({compared.b.run_id}) against {compared.a.name} ({compared.a.run_id})"
    lines = [_clean(head), *_lines(COMPARISON_HEAD, comparison_rows(compared.scorers))]
    if compared.unpaired:
        lines.append(_clean(f"only in one of them: {', '.join(compared.unpaired)}"))
    worse = compared.regressions
    shown = worse[:_SHOWN_MAX]
    for one, outputs in zip(shown, outputs_of(compared, shown), strict=True):
        change = "" if one.a is None or one.b is None else f", {number(one.a)} to {number(one.b)}"
        lines.append(_clean(f"  {one.scorer}: {one.key} {one.kind.replace('_', ' ')}{change}"))
        for when, output in zip(("before", "after"), outputs, strict=True):
            if output is not None:
                lines.append(_clean(f"    {when}: {_start_of(output)}"))
    if len(worse) > _SHOWN_MAX:
        lines.append(f"  and {len(worse) - _SHOWN_MAX:,} more that got worse")
    return "\n".join(lines)


def outputs_of(compared: EvalComparison, worse: Sequence[Regression]) -> list[tuple[str | None, str | None]]:
    """What items answered before and after; nothing where the database was closed or a run deleted meanwhile."""
    try:
        return compared.outputs(worse)
    except Error:
        return [(None, None)] * len(worse)


def _start_of(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _OUTPUT_CHARS_MAX else line[: _OUTPUT_CHARS_MAX - 1] + "\u2026"


def groups_text(compared: GroupComparison) -> str:
    """Two groups of traces as a table."""
    return "\n".join(_lines(GROUPS_HEAD, groups_rows(compared)))


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[_clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [texts[0], "  ".join("-" * width for width in widths), *texts[1:]]

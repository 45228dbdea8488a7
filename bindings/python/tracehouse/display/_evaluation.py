"""Evaluation: a run with its scorers, their numbers as histograms, and what failed; comparisons as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracehouse import _eval_text as cells

from ._html import Html, cut, element, joined
from ._style import badge, dim, table, view
from ._units import time, usd

if TYPE_CHECKING:
    from tracehouse.evaluation import EvalComparison, EvalRun, Failure, GroupComparison

FAILURES_MAX = 20
_WORSE_HEAD = ("got worse", "item", "how", "before", "after", "output before", "output after")
_BARS = 20
_BAR_PX, _HEIGHT_PX = 8, 36
_NAME_CHARS_MAX = 200
_TEXT_CHARS_MAX = 400
# The numbers of a scorer that a histogram is made of: more change nothing that can be seen.
_NUMBERS_MAX = 20_000


def eval_html(run: EvalRun) -> str:
    """The view of a run."""
    facts = [
        f"{run.row_count:,} scores",
        f"{run.error_count:,} errors",
        usd(run.cost_usd),
        f"of {run.source}" + (f" {cut(run.filter, _NAME_CHARS_MAX)}" if run.filter else ""),
        time(run.created_at_ns),
    ]
    state = badge(run.state, {"DONE": "good", "FAILED": "bad"}.get(run.state, ""))
    title = element("span", cut(run.name, _NAME_CHARS_MAX), class_="th-title")
    head = element("div", title, state, *(dim(fact) for fact in facts if fact), class_="th-head")
    ids = element("div", element("span", run.run_id, class_="th-dim th-mono"), class_="th-head")
    return view(head, ids, _scorers(run), _failures(run))


def _scorers(run: EvalRun) -> Html:
    rows = []
    for one, row in zip(run.summaries, cells.run_rows(run.summaries), strict=True):
        numbers = run.numbers(one.scorer, _NUMBERS_MAX) if one.numbers is not None else []
        rows.append([*(_cell(text) for text in row), histogram(numbers)])
    head = [*((name, at > 0) for at, name in enumerate(cells.RUN_HEAD)), ("", False)]
    return table(head, rows)


def histogram(numbers: Sequence[float]) -> Html:
    """How numbers are spread, as a small picture; nothing of fewer than two."""
    if len(numbers) < 2:
        return element("span")
    low, high = min(numbers), max(numbers)
    width = (high - low) / _BARS
    counts = [0] * _BARS
    for number in numbers:
        counts[min(int((number - low) / width), _BARS - 1) if width > 0 else _BARS // 2] += 1
    top = max(counts)
    bars = [_bar(at, count, top) for at, count in enumerate(counts) if count]
    words = f"{len(numbers):,} numbers from {cells.number(low)} to {cells.number(high)}"
    size = {"width": str(_BARS * _BAR_PX), "height": str(_HEIGHT_PX), "role": "img"}
    return element("svg", element("title", words), *bars, **size)


def _bar(at: int, count: int, top: int) -> Html:
    height = max(round(_HEIGHT_PX * count / top), 1)
    place = {"x": str(at * _BAR_PX), "y": str(_HEIGHT_PX - height), "width": str(_BAR_PX - 1), "height": str(height)}
    return element("rect", **place, style="fill:#0969da")


def _failures(run: EvalRun) -> Html | None:
    failures = run.failures(FAILURES_MAX + 1)
    if not failures:
        return None
    shown = [_failure(one) for one in failures[:FAILURES_MAX]]
    more = [dim("there are more: run.failures()")] if len(failures) > FAILURES_MAX else []
    head = [("failed", False), ("item", False), ("value", False), ("why", False)]
    return joined(table(head, shown), *more)


def _failure(one: Failure) -> list[Html]:
    trace = "/".join(part for part in (one.trace_id, one.span_id) if part)
    value = badge("error", "bad") if one.error is not None else _cell(one.value or "")
    return [
        _cell(one.scorer),
        _cell(one.dataset_record_id or trace, trace),
        value,
        _cell(one.error or one.rationale or ""),
    ]


def _cell(text: str, title: str = "") -> Html:
    short = cut(text.replace("\n", "\u23ce"), _TEXT_CHARS_MAX)
    return element("span", short, title=title or (cut(text, 2_000) if len(text) > 60 else ""))


def comparison_html(compared: EvalComparison) -> str:
    """The view of two runs."""
    names = [cut(run.name, _NAME_CHARS_MAX) for run in (compared.b, compared.a)]
    head = element(
        "div",
        element("span", names[0], class_="th-title"),
        dim(compared.b.run_id),
        dim(f"against {names[1]}"),
        dim(compared.a.run_id),
        class_="th-head",
    )
    only = dim(f"only in one of them: {', '.join(compared.unpaired)}") if compared.unpaired else None
    rows = cells.comparison_rows(compared.scorers)
    return view(head, _table(cells.COMPARISON_HEAD, rows), only, _regressions(compared))


def _regressions(compared: EvalComparison) -> Html | None:
    worse = compared.regressions
    if not worse:
        return None
    shown = worse[:FAILURES_MAX]
    rows = []
    for one, (before, after) in zip(shown, cells.outputs_of(compared, shown), strict=True):
        how, numbers = one.kind.replace("_", " "), (cells.number(one.a), cells.number(one.b))
        rows.append([one.scorer, one.key, how, *numbers, before or "", after or ""])
    more = len(worse) - len(rows)
    note = dim(f"{more:,} more got worse: compared.regressions") if more else None
    return joined(_table(_WORSE_HEAD, rows), note)


def groups_html(compared: GroupComparison) -> str:
    """The view of two groups of traces."""
    return view(_table(cells.GROUPS_HEAD, cells.groups_rows(compared)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return table([(name, at > 0) for at, name in enumerate(head)], [[_cell(text) for text in row] for row in rows])

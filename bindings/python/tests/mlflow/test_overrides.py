"""No method of MLflow's SQL store that uses its tables of traces, spans, assessments or datasets is reached.

The store takes MLflow's class and puts its own methods in the place of those that use these tables. A new version of
MLflow may bring others, which would then ask tables that are always empty. So these tests read the source of the
installed MLflow: beginning at whatever may be called from outside, they follow calls through `self`, `super()` and the
functions of MLflow's store modules, and name every method on the way that mentions such a table.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TABLES = re.compile(r"Sql(Trace\w*|Span\w*|Assessment\w*|EvaluationDataset\w*|EntityAssociation)")

# MLflow calls these from elsewhere (`mlflow gc`, the server, the class above) though their names say that it does not.
CALLED_FROM_ELSEWHERE = {
    "__init__",
    "_delete_traces",
    "_get_deleted_logged_models",
    "_get_deleted_runs",
    "_hard_delete_experiment",
    "_hard_delete_logged_model",
    "_hard_delete_run",
    "_load_dataset_records",
    "_search_datasets",
    "_search_runs",
}

# Calls of what our own methods take the place of, and why they do no harm. They are not followed.
WORDS = "asked only for its words, where the database refuses a question"
ON_PURPOSE = {
    "Traces.search_traces > SqlAlchemyStore.search_traces": WORDS,
    "Measuring.query_trace_metrics > SqlAlchemyStore.query_trace_metrics": WORDS,
    "Measuring.calculate_trace_filter_correlation > SqlAlchemyStore.calculate_trace_filter_correlation": WORDS,
    "Measuring.find_completed_sessions > SqlAlchemyStore.find_completed_sessions": WORDS,
    "Links.search_issues > SqlAlchemyStore.search_issues": "asked for issues alone",
    "Links._issues_by_count > SqlAlchemyStore.search_issues": "asked for issues alone",
    "Experiments._mark_run_deleted > SqlAlchemyStore._mark_run_deleted": "also deletes from an empty table",
    "Experiments._hard_delete_experiment > SqlAlchemyStore._hard_delete_experiment": "the same",
}


@functools.cache
def classes() -> tuple[type, ...]:
    """The store's class and those that it extends, in the order in which Python looks for a method."""
    # Not at the top: MLflow's libraries warn when they are imported, which a test may allow and a module may not.
    from tracehouse.mlflow.store import TracehouseStore

    return TracehouseStore.__mro__


@dataclass(frozen=True)
class Place:
    """A function, and the class whose method it is, if it is one."""

    function: Callable[..., Any]
    owner: type | None

    @property
    def name(self) -> str:
        return f"{self.owner.__name__}.{self.function.__name__}" if self.owner else self.function.__qualname__

    @functools.cached_property
    def tree(self) -> ast.AST:
        return ast.parse(textwrap.dedent(inspect.getsource(self.function)))

    def tables(self) -> set[str]:
        """The tables that it mentions, also as an attribute of a module."""
        return {name for name in _names(self.tree) if TABLES.fullmatch(name)}

    def called(self) -> Iterator[Place]:
        """What it may call."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield from self._method(node)
            elif isinstance(node, ast.Name):
                found = inspect.unwrap(_plain(self.function.__globals__.get(node.id)))
                if inspect.isfunction(found) and found.__module__.startswith("mlflow.store."):
                    yield Place(found, None)

    def _method(self, node: ast.Attribute) -> Iterator[Place]:
        """The method that an attribute of `self`, `cls`, `super()` or the store's class is."""
        of = node.value
        if isinstance(of, ast.Name) and of.id in {"self", "cls", "store", "SqlAlchemyStore"}:
            yield from _methods(node.attr, classes())
        elif isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super" and self.owner:
            yield from _methods(node.attr, classes()[classes().index(self.owner) + 1 :])


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _plain(attribute: Any) -> Any:
    """The function of a property, a static or a class method."""
    if isinstance(attribute, property):
        return attribute.fget
    if isinstance(attribute, functools.cached_property):
        return attribute.func
    return getattr(attribute, "__func__", attribute)


def _methods(name: str, among: tuple[type, ...]) -> Iterator[Place]:
    """The first method by a name, in the order in which Python looks for it."""
    for owner in among:
        if name in vars(owner):
            function = inspect.unwrap(_plain(vars(owner)[name]))
            if inspect.isfunction(function) and function.__module__.startswith(("mlflow.", "tracehouse.")):
                yield Place(function, owner)
            return


def _entries() -> Iterator[Place]:
    for name in dir(classes()[0]):
        if not name.startswith("_") or name in CALLED_FROM_ELSEWHERE:
            yield from _methods(name, classes())


@functools.cache
def reached() -> tuple[dict[str, tuple[Place, str]], set[str]]:
    """Every place that is reached, with the way there from the entry on; and the calls on purpose that were met."""
    found: dict[str, tuple[Place, str]] = {}
    on_purpose = set()
    waiting = [(place, place.name) for place in _entries()]
    while waiting:
        place, path = waiting.pop()
        if place.name in found:
            continue
        found[place.name] = (place, path)
        for called in place.called():
            call = f"{place.name} > {called.name}"
            if call in ON_PURPOSE:
                on_purpose.add(call)
            else:
                waiting.append((called, f"{path} > {called.name}"))
    return found, on_purpose


def test_no_table_of_traces_is_used() -> None:
    found, _ = reached()
    wrong = [f"{path}: {', '.join(sorted(place.tables()))}" for place, path in found.values() if place.tables()]
    assert not wrong, "reached, though traces are elsewhere:\n" + "\n".join(sorted(wrong))


def test_what_is_called_on_purpose_is_called() -> None:
    assert reached()[1] == set(ON_PURPOSE)


def test_a_method_that_is_not_overridden_is_found() -> None:
    mlflows = tuple(one for one in classes() if one.__module__.startswith("mlflow."))
    [place] = _methods("query_trace_metrics", mlflows)
    assert place.tables() == {"SqlTraceInfo", "SqlAssessments"}
    assert {"query_metrics", "SqlAlchemyStore._filter_experiment_ids"} <= {one.name for one in place.called()}

"""MLflow's search of evaluation datasets: its filters and orders, over all datasets of a database; used by `_datasets`.

MLflow's parser reads the filter; this file refuses what its SQL store refuses besides, and compares as that one does:
a dataset without a value is not found by any comparison of it, `!=` included.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from mlflow.entities.evaluation_dataset import EvaluationDataset
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchEvaluationDatasetsUtils as Parser

_NUMBERS = Parser.NUMERIC_ATTRIBUTES
_TEXT_COMPARATORS = ("=", "!=", "LIKE", "ILIKE")
_NOT_OF_TEXTS = ("IN", "NOT IN")
_DEFAULT_ORDER = ["created_time DESC"]


def _like(flags: re.RegexFlag) -> Callable[[str, str], bool]:
    def compared(text: str, pattern: str) -> bool:
        parts = {"%": ".*", "_": "."}
        regex = "".join(parts.get(character) or re.escape(character) for character in pattern)
        return re.fullmatch(regex, text, flags | re.DOTALL) is not None

    return compared


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "LIKE": _like(re.RegexFlag(0)),
    "ILIKE": _like(re.IGNORECASE),
    "RLIKE": lambda text, pattern: re.search(pattern, text) is not None,
    "IN": lambda text, texts: text in texts,
}


def filtered(datasets: Iterable[EvaluationDataset], filter_string: str | None) -> list[EvaluationDataset]:
    """The datasets that a filter holds for.

    Raises:
        MlflowException: a wrong filter.
    """
    clauses = Parser.parse_search_filter(filter_string) if filter_string else []
    for clause in clauses:
        _check(clause)
    return [found for found in datasets if all(_holds(clause, found) for clause in clauses)]


def ordered(datasets: Iterable[EvaluationDataset], order_by: list[str] | None) -> list[EvaluationDataset]:
    """The datasets in an order, by default newest first; of equal ones the greater id comes first.

    Raises:
        MlflowException: a wrong order.
    """
    found = sorted(datasets, key=lambda one: str(one.dataset_id), reverse=True)
    orders = [Parser.parse_order_by_for_search_evaluation_datasets(order) for order in order_by or _DEFAULT_ORDER]
    # Sorts keep the order of what is equal: the first that was asked for is the last to be applied.
    for kind, key, ascending in reversed(orders):
        if kind != "attribute":
            raise MlflowException.invalid_parameter_value(f"Invalid order_by entity: {kind}")
        found.sort(key=operator.attrgetter(key), reverse=not ascending)
    return found


def _check(clause: dict[str, Any]) -> None:
    """Refuses a comparison that the key does not have."""
    key, comparator, value = clause["key"], clause["comparator"], clause["value"]
    if clause["type"] == "tag":
        if comparator not in _TEXT_COMPARATORS:
            raise MlflowException.invalid_parameter_value(f"Invalid comparator for tag: {comparator}")
    elif key in _NUMBERS:
        if comparator not in Parser.VALID_NUMERIC_ATTRIBUTE_COMPARATORS:
            raise MlflowException.invalid_parameter_value(f"Invalid comparator for numeric attribute: {comparator}")
        if isinstance(value, float):
            raise MlflowException.invalid_parameter_value(f"Invalid value for numeric attribute '{key}': '{value}'")
        try:
            clause["value"] = int(value)
        except (TypeError, ValueError):
            message = f"Invalid value for numeric attribute '{key}': {value!r}"
            raise MlflowException.invalid_parameter_value(message) from None
    elif comparator not in _COMPARISONS or (comparator in _NOT_OF_TEXTS and key != "name"):
        raise MlflowException.invalid_parameter_value(f"Invalid comparator for string attribute: {comparator}")


def _holds(clause: dict[str, Any], dataset: EvaluationDataset) -> bool:
    key = clause["key"]
    value = (dataset.tags or {}).get(key) if clause["type"] == "tag" else getattr(dataset, key)
    return value is not None and _COMPARISONS[clause["comparator"]](value, clause["value"])

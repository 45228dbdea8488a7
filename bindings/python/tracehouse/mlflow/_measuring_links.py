"""What is linked to traces and datasets: runs, prompts and experiments, and issues with the count of their traces.

Links of traces and of datasets are in the database; issues, as experiments and runs, in MLflow's own file.
"""

from __future__ import annotations

from typing import Any

from mlflow.entities import Issue
from mlflow.entities.entity_type import EntityAssociationType as Kind
from mlflow.entities.issue import IssueSeverity
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_ISSUES_DEFAULT_MAX_RESULTS, SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.utils.search_utils import SearchUtils

import tracehouse
from tracehouse.errors import InvalidInputError
from tracehouse.mlflow._base import Base
from tracehouse.mlflow._dataset_entities import mlflow_id
from tracehouse.mlflow._ids import mlflow_trace_id

_TRACES_OF_ISSUES = "SELECT name, count(DISTINCT trace_id) FROM assessments WHERE type = 'issue' GROUP BY name"
_KEYS = {Kind.RUN: "run_id", Kind.PROMPT_VERSION: "prompt"}
_SEVERITIES = list(IssueSeverity)


class Links(Base):
    """What MLflow asks of links."""

    def _search_entity_associations(
        self,
        entity_ids: str | list[str],
        entity_type: str,
        target_type: str,
        search_direction: str,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[str]:
        """A page of what some things are linked to: `forward` from source to destination, `reverse` the other way.

        A trace counts as linked to the run that it was made in.
        """
        ids = [entity_ids] if isinstance(entity_ids, str) else list(entity_ids)
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
        with self._reading() as database:
            match (search_direction, entity_type, target_type):
                case ("forward", Kind.EVALUATION_DATASET, Kind.EXPERIMENT):
                    linked = [experiment for _, experiment in _of_datasets(database, datasets=ids)]
                case ("reverse", Kind.EXPERIMENT, Kind.EVALUATION_DATASET):
                    linked = [dataset for dataset, _ in _of_datasets(database, experiments=ids)]
                case ("reverse", Kind.RUN | Kind.PROMPT_VERSION, Kind.TRACE):
                    linked = [trace for one in ids for trace in _traces(database, _KEYS[entity_type], one)]
                case ("forward", Kind.TRACE, Kind.RUN | Kind.PROMPT_VERSION):
                    message = f"What of the type '{target_type}' a trace is linked to cannot be listed."
                    raise MlflowException(message, error_code=NOT_IMPLEMENTED)
                case _:
                    linked = []
        page = linked[offset:] if max_results is None else linked[offset : offset + max_results]
        has_more = offset + len(page) < len(linked)
        token = SearchUtils.create_page_token(offset + len(page)) if has_more else None
        return PagedList(list(dict.fromkeys(page)), token)

    def search_issues(
        self,
        experiment_id: str | None = None,
        filter_string: str | None = None,
        max_results: int | None = None,
        page_token: str | None = None,
        include_trace_count: bool = False,
        **more: Any,
    ) -> PagedList[Issue]:
        """A page of issues, the gravest first unless told otherwise; if asked for, with the count of their traces."""
        question = (experiment_id, filter_string)
        if not include_trace_count:
            return super().search_issues(*question, max_results, page_token, **more)
        with self._reading() as database:
            counts: dict[str, int] = dict(database.sql(_TRACES_OF_ISSUES))
        if more.get("order_by"):
            found = super().search_issues(*question, max_results, page_token, **more)
            for issue in found:
                issue.trace_count = counts.get(issue.issue_id, 0)
            return found
        return self._issues_by_count(question, max_results, page_token, counts, more)

    def _issues_by_count(
        self,
        question: tuple[str | None, str | None],
        max_results: int | None,
        page_token: str | None,
        counts: dict[str, int],
        more: dict[str, Any],
    ) -> PagedList[Issue]:
        """The count of traces is a part of the order, so all issues are looked at for each page."""
        self._validate_max_results_param(max_results, allow_null=True)
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
        issues: list[Issue] = []
        token, counted = None, {}
        while True:
            found = super().search_issues(*question, SEARCH_MAX_RESULTS_THRESHOLD, token, **more)
            issues += found
            token = found.token
            # MLflow counts them since 3.18.
            counted = {"total_count": found.total_count} if hasattr(found, "total_count") else {}
            if not token:
                break
        for issue in issues:
            issue.trace_count = counts.get(issue.issue_id, 0)
        # They come by severity, then newest first; the sort keeps that order among equals.
        issues.sort(key=lambda issue: (-_severity(issue), -issue.trace_count))
        end = offset + (max_results or SEARCH_ISSUES_DEFAULT_MAX_RESULTS)
        next_token = SearchUtils.create_page_token(end) if end < len(issues) else None
        return PagedList(issues[offset:end], next_token, **counted)


def _severity(issue: Issue) -> int:
    return -1 if issue.severity is None else _SEVERITIES.index(IssueSeverity(issue.severity))


def _of_datasets(
    database: tracehouse.Database, datasets: list[str] | None = None, experiments: list[str] | None = None
) -> list[tuple[str, str]]:
    """Pairs of a dataset and an experiment that it belongs to, the oldest dataset first."""
    found = sorted(database.datasets(), key=lambda one: (one.created_at_ns, one.dataset_id))
    return [
        (mlflow_id(one), experiment)
        for one in found
        for experiment in one.experiment_ids
        if (datasets is None or mlflow_id(one) in datasets) and (experiments is None or experiment in experiments)
    ]


def _traces(database: tracehouse.Database, key: str, value: str) -> list[str]:
    text = value.replace("'", "''")
    try:
        found = database.search_trace_ids(f"{key} = '{text}'", order_by="timestamp_ms ASC")
    except InvalidInputError:
        # No id that a run or a version of a prompt can have.
        return []
    return [mlflow_trace_id(trace_id) for trace_id in found]

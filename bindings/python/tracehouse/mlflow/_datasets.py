"""Evaluation datasets of the store.

```text
_datasets -- _dataset_entities    datasets and records of the database as MLflow's
          |- _dataset_records     records of MLflow, made ready to be written
          |- _dataset_search      filters and orders
          '- _dataset_operations  what the process that writes does
```

A dataset has the same id in MLflow and in the database, and the same name unless that was taken: names are unique in
the database and not in MLflow. Datasets that were made without MLflow are datasets here, too.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from mlflow.entities import DatasetRecord
from mlflow.entities.evaluation_dataset import EvaluationDataset
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.mlflow_tags import MLFLOW_USER
from mlflow.utils.search_utils import SearchUtils

from tracehouse.dataset import Dataset
from tracehouse.dataset import DatasetRecord as Row
from tracehouse.errors import NotFoundError
from tracehouse.mlflow import _calls, _dataset_search
from tracehouse.mlflow._base import Base
from tracehouse.mlflow._dataset_entities import (
    dataset_record,
    evaluation_dataset,
    record_created_ms,
    record_id,
    user_text,
)
from tracehouse.mlflow._dataset_operations import find_dataset
from tracehouse.mlflow._dataset_records import last_user, ready_record, refuse_hidden
from tracehouse.mlflow._errors import not_found

_T = TypeVar("_T")


class Datasets(Base):
    """What MLflow asks and writes of evaluation datasets."""

    # Datasets.

    def create_dataset(
        self, name: str, tags: dict[str, str] | None = None, experiment_ids: list[str] | None = None
    ) -> EvaluationDataset:
        """Creates an empty dataset; there may be others of that name."""
        given = {str(key): value for key, value in (tags or {}).items() if value is not None}
        refuse_hidden(given)
        dataset_id = self._write(
            "create_dataset",
            request=uuid.uuid4().hex,
            name="dataset" if name is None else str(name),
            tags={key: str(value) for key, value in given.items()},
            experiment_ids=sorted({str(one) for one in experiment_ids or []}),
            user=user_text(given.get(MLFLOW_USER)),
        )
        created = self.get_dataset(dataset_id)
        created.experiment_ids = list(experiment_ids or [])
        return created

    def get_dataset(self, dataset_id: str) -> EvaluationDataset:
        """The dataset of an id."""
        return self._described(dataset_id, f"Evaluation dataset with id '{dataset_id}' not found")

    def delete_dataset(self, dataset_id: str) -> None:
        """Deletes a dataset with all its records."""
        if not self._write("delete_dataset", dataset_id=dataset_id):
            _calls.store_logger.warning("Evaluation dataset with id '%s' not found.", dataset_id)

    def search_datasets(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = 1000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[EvaluationDataset]:
        """A page of the datasets that a filter finds, and the token of the next page."""
        self._validate_max_results_param(max_results)
        begin: int = SearchUtils.parse_start_offset_from_page_token(page_token)
        wanted = {experiment_ids} if isinstance(experiment_ids, str) else {str(one) for one in experiment_ids or []}
        with self._reading() as database:
            infos = database.datasets()
        if wanted:
            infos = [info for info in infos if not wanted.isdisjoint(info.experiment_ids)]
        found = _dataset_search.filtered(map(evaluation_dataset, infos), filter_string)
        found = _dataset_search.ordered(found, order_by)
        end = begin + max_results
        token = SearchUtils.create_page_token(end) if end < len(found) else None
        return PagedList(found[begin:end], token)

    # Records.

    def upsert_dataset_records(self, dataset_id: str, records: list[dict[str, Any]]) -> dict[str, int]:
        """Merges records: those with inputs that are there already change theirs."""
        ready = [ready_record(record) for record in records]
        changed: dict[str, int] = self._change(
            f"Evaluation dataset with id '{dataset_id}' not found",
            "upsert_dataset_records",
            dataset_id=dataset_id,
            records=ready,
            user=last_user(records),
            now_ms=_now_ms(),
        )
        return changed

    def delete_dataset_records(self, dataset_id: str, dataset_record_ids: list[str]) -> int:
        """Deletes records and returns how many of them there were."""
        ids = list(dataset_record_ids)
        deleted: int = self._write("delete_dataset_records", dataset_id=dataset_id, record_ids=ids)
        if not deleted:
            _calls.store_logger.warning("No records found to delete for dataset %s.", dataset_id)
        return deleted

    def _load_dataset_records(
        self, dataset_id: str, max_results: int | None = None, page_token: str | None = None
    ) -> tuple[list[DatasetRecord], str | None]:
        """Records in the order in which they came, and the token of the next page; all of them unless a number is
        given."""
        if max_results is not None and max_results < 1:
            message = f"Invalid value {max_results} for parameter 'max_results': a positive integer expected"
            raise MlflowException.invalid_parameter_value(message)
        rows = self._of_dataset(dataset_id, Dataset.records) or []
        rows.sort(key=_place)
        if page_token:
            after = _token_place(page_token)
            rows = [row for row in rows if _place(row) > after]
        page = rows if max_results is None else rows[:max_results]
        token = "{}:{}".format(*_place(page[-1])) if len(page) < len(rows) else ""
        records = [dataset_record(row, dataset_id) for row in page]
        return records, base64.b64encode(token.encode()).decode() or None

    # Tags and experiments.

    def set_dataset_tags(self, dataset_id: str, tags: dict[str, Any]) -> None:
        """Sets tags of a dataset; those without a value are left as they are."""
        refuse_hidden(tags)
        given = {str(key): str(value) for key, value in tags.items() if value is not None}
        if not self._write("edit_dataset_tags", dataset_id=dataset_id, tags=given):
            raise not_found(f"Could not find evaluation dataset with ID {dataset_id}")

    def delete_dataset_tag(self, dataset_id: str, key: str) -> None:
        """Deletes a tag of a dataset, if there is one."""
        refuse_hidden([key])
        if not self._write("edit_dataset_tags", dataset_id=dataset_id, tags={key: None}):
            _calls.store_logger.debug("Dataset %s not found", dataset_id)

    def get_dataset_experiment_ids(self, dataset_id: str) -> list[str]:
        """The experiments that a dataset belongs to."""
        return self._of_dataset(dataset_id, lambda found: found.info.experiment_ids) or []

    def add_dataset_to_experiments(self, dataset_id: str, experiment_ids: list[str]) -> EvaluationDataset:
        """Adds experiments that a dataset belongs to."""
        missing = f"Dataset '{dataset_id}' not found"
        self._described(dataset_id, missing)
        ids = [str(one) for one in experiment_ids]
        for experiment_id in ids:
            self._check_experiment_is_there(experiment_id)
        self._change(missing, "add_dataset_experiments", dataset_id=dataset_id, experiment_ids=ids, now_ms=_now_ms())
        return self._described(dataset_id, missing)

    def remove_dataset_from_experiments(self, dataset_id: str, experiment_ids: list[str]) -> EvaluationDataset:
        """Takes experiments away from a dataset."""
        missing = f"Dataset '{dataset_id}' not found"
        ids = [str(one) for one in experiment_ids]
        removed = self._change(
            missing, "remove_dataset_experiments", dataset_id=dataset_id, experiment_ids=ids, now_ms=_now_ms()
        )
        for experiment_id in ids:
            if experiment_id not in removed:
                _calls.store_logger.warning(
                    "Dataset '%s' was not associated with experiment '%s'", dataset_id, experiment_id
                )
        return self._described(dataset_id, missing)

    # What these share.

    def _validate_dataset_accessible(self, session: Any, dataset_id: str) -> None:
        self.get_dataset(dataset_id)

    def _described(self, dataset_id: str, missing: str) -> EvaluationDataset:
        """A dataset as MLflow has it."""
        found = self._of_dataset(dataset_id, lambda found: evaluation_dataset(found.info))
        if found is None:
            raise not_found(missing)
        return found

    def _of_dataset(self, dataset_id: str, ask: Callable[[Dataset], _T]) -> _T | None:
        """What a dataset answers; `None` when there is no such dataset."""
        with self._reading() as database:
            try:
                return ask(find_dataset(database, str(dataset_id)))
            except NotFoundError:
                return None

    def _change(self, missing: str, operation: str, /, **given: Any) -> Any:
        """Runs an operation; says that something is missing in MLflow's words."""
        try:
            return self._write(operation, **given)
        except MlflowException as error:
            raise _calls.missing(error, missing) from None

    def _check_experiment_is_there(self, experiment_id: str) -> None:
        try:
            self.get_experiment(experiment_id)
        except MlflowException:
            raise not_found(f"No Experiment with id={experiment_id}") from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _place(row: Row) -> tuple[int, str]:
    """What records are ordered by."""
    return record_created_ms(row), record_id(row)


def _token_place(token: str) -> tuple[int, str]:
    """The place of the last record of the page before."""
    try:
        time_ms, record_id = base64.b64decode(token.encode()).decode().split(":", 1)
        return int(time_ms), record_id
    except ValueError:
        raise MlflowException.invalid_parameter_value(f"Invalid page token: {token!r}") from None

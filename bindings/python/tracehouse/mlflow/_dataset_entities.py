"""Datasets and records of the database as MLflow's entities; used by `_datasets`.

What MLflow keeps and the database has no field for is in tags of the dataset and of the record. They begin with
`tracehouse.mlflow.`, and MLflow does not see them. None is needed: a dataset that was made without MLflow has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import DatasetRecord, DatasetRecordSource
from mlflow.entities.dataset_record_source import DatasetRecordSourceType
from mlflow.entities.evaluation_dataset import EvaluationDataset
from mlflow.utils.mlflow_tags import MLFLOW_USER

from tracehouse import dataset
from tracehouse.mlflow._dataset_json import given_value
from tracehouse.mlflow._ids import mlflow_trace_id

HIDDEN = "tracehouse.mlflow."

# Of a dataset.
NAME = f"{HIDDEN}name"
"""MLflow's name, where the database has another: its names are unique."""
REQUEST = f"{HIDDEN}request"
"""What asked for the dataset to be created, so that asking again does not create another."""
CREATED_BY = f"{HIDDEN}created_by"
"""Who created the dataset, or the record."""
UPDATED_BY = f"{HIDDEN}last_updated_by"
"""Who changed the dataset last; not there when that is not known."""
UPDATED = f"{HIDDEN}updated"
"""Times of a change that made no version; see `Updated`."""

# Of a dataset or a record that was imported from an MLflow database.
ID = f"{HIDDEN}id"
"""Its id there."""
CREATED = f"{HIDDEN}created"
"""When it was made there: Unix milliseconds, hexadecimal."""
CHANGED = f"{HIDDEN}changed"
"""When a record was last changed there."""

# Of a record.
OUTPUTS = f"{HIDDEN}outputs"
"""What MLflow has where the database has no outputs, unless `missing_outputs` says so."""
EXPECTATIONS = f"{HIDDEN}expectations"
"""The same for expectations."""

SOURCE_TYPE = f"{HIDDEN}source_type"
"""A member of a source's data: the type is said to be unspecified."""

TRACE = DatasetRecordSourceType.TRACE.value
UNSPECIFIED = DatasetRecordSourceType.UNSPECIFIED.value
_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class Updated:
    """When MLflow last changed a dataset, and when its digest was made: both Unix milliseconds.

    A version of the dataset has its own time. This is for changes without one: records that were there already,
    experiments. As a tag the numbers are hexadecimal, which no redaction takes for the number of a card.
    """

    version: int
    last_ms: int
    digest_ms: int

    @classmethod
    def of(cls, info: dataset.DatasetInfo) -> Updated:
        """The times of a dataset as it is now."""
        version_ms = info.updated_at_ns // _NS_PER_MS
        try:
            version, last_ms, digest_ms = (int(part, 16) for part in info.tags.get(UPDATED, "").split(" "))
        except ValueError:
            return cls(info.version, version_ms, version_ms)
        if version != info.version:
            return cls(info.version, version_ms, version_ms)
        return cls(version, last_ms, digest_ms)

    def tag(self) -> str:
        """The value of the tag `UPDATED`."""
        return f"{self.version:x} {self.last_ms:x} {self.digest_ms:x}"


def evaluation_dataset(info: dataset.DatasetInfo) -> EvaluationDataset:
    """A dataset as MLflow has it; it loads its records and experiments when they are asked for."""
    name = mlflow_name(info)
    updated = Updated.of(info)
    return EvaluationDataset(
        dataset_id=mlflow_id(info),
        name=name,
        digest=digest(name, updated.digest_ms),
        created_time=_time_ms(info.tags, CREATED, info.created_at_ns),
        last_update_time=updated.last_ms,
        tags=shown(info.tags),
        schema=json.dumps(info.schema) if info.version else None,
        profile=json.dumps({"num_records": info.record_count}) if info.record_count else None,
        created_by=info.tags.get(CREATED_BY),
        last_updated_by=info.tags.get(UPDATED_BY),
    )


def digest(name: str, time_ms: int) -> str:
    """The digest of a dataset, as MLflow makes it: it says whether the dataset is the same, not what is in it."""
    return hashlib.sha256(f"{name}:{time_ms}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def mlflow_id(info: dataset.DatasetInfo) -> str:
    """The id that MLflow knows a dataset by."""
    return info.tags.get(ID, info.dataset_id)


def record_id(record: dataset.DatasetRecord) -> str:
    """The id that MLflow knows a record by."""
    known: str = record.tags.get(ID, record.dataset_record_id)
    return known


def record_created_ms(record: dataset.DatasetRecord) -> int:
    """When MLflow made a record: Unix milliseconds."""
    return _time_ms(record.tags, CREATED, record.created_at_ns)


def _record_changed_ms(record: dataset.DatasetRecord) -> int:
    # Here it was never changed: what was told of it holds.
    told = record.tags if record.updated_at_ns == record.created_at_ns else {}
    return _time_ms(told, CHANGED, record.updated_at_ns)


def _time_ms(tags: Mapping[str, Any], key: str, time_ns: int) -> int:
    return int(tags[key], 16) if key in tags else time_ns // _NS_PER_MS


def mlflow_name(info: dataset.DatasetInfo) -> str:
    """The name that MLflow knows a dataset by."""
    return info.tags.get(NAME, info.name)


def dataset_record(record: dataset.DatasetRecord, dataset_id: str) -> DatasetRecord:
    """A record as MLflow has it."""
    tags = given_value(record.tags)
    source = _source(record)
    source_id = _source_id(source)
    outputs, expectations = given_value(record.outputs), given_value(record.expectations)
    if outputs is None:
        outputs = tags.get(OUTPUTS, missing_outputs(record.source_type))
    if expectations is None:
        expectations = tags.get(EXPECTATIONS, missing_expectations(record.source_type))
    return DatasetRecord(
        dataset_id=dataset_id,
        inputs=given_value(record.inputs),
        dataset_record_id=record_id(record),
        created_time=record_created_ms(record),
        last_update_time=_record_changed_ms(record),
        outputs=outputs,
        expectations=expectations,
        tags=shown(tags),
        source=source,
        source_id=None if source_id is None else str(source_id),
        created_by=user_text(tags.get(CREATED_BY)),
        # MLflow sets it whenever it sets this tag.
        last_updated_by=user_text(tags.get(MLFLOW_USER)),
    )


def missing_outputs(source_type: str | None) -> dict[str, Any] | None:
    """What MLflow has where the database has no outputs: it says of every trace that it has none."""
    return None if source_type == TRACE else {}


def missing_expectations(source_type: str | None) -> dict[str, Any] | None:
    """What MLflow has where the database has no expectations: it looks for those of every trace."""
    return {} if source_type == TRACE else None


def user_text(user: Any) -> str | None:
    """Who, as text."""
    return None if user is None else str(user)


def shown(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Tags without those that are not MLflow's."""
    return {key: value for key, value in tags.items() if not key.startswith(HIDDEN)}


def _source(record: dataset.DatasetRecord) -> DatasetRecordSource | None:
    data = given_value(record.source_data or {})
    if record.source_type is None and not data:
        return None
    if isinstance(data.get("trace_id"), str):
        data["trace_id"] = mlflow_trace_id(data["trace_id"])
    return DatasetRecordSource(source_type=record.source_type or UNSPECIFIED, source_data=shown(data))


def _source_id(source: DatasetRecordSource | None) -> Any:
    if source is None or source.source_data is None:
        return None
    return source.source_data.get("trace_id" if source.source_type == TRACE else "source_id")

"""Evaluation datasets of the source's copy into the database; a part of `_migration`.

Ids and times, which the database gives itself, are in tags that `_dataset_entities` reads.
"""

from __future__ import annotations

import json
from typing import Any

from mlflow.entities import DatasetRecord
from mlflow.entities.entity_type import EntityAssociationType as Kind
from mlflow.store.tracking.dbmodels.models import (
    SqlEntityAssociation,
    SqlEvaluationDataset,
    SqlEvaluationDatasetRecord,
)
from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from tracehouse.database import Database
from tracehouse.mlflow import _dataset_entities as entities
from tracehouse.mlflow import _dataset_operations as operations
from tracehouse.mlflow._dataset_json import json_text
from tracehouse.mlflow._dataset_records import ready_record
from tracehouse.mlflow._migration_state import REFUSED, State

_PAGE = 5_000
# How long before the last change of a dataset its digest may have been made, in milliseconds.
_DIGEST_MS = 1_000


def dataset_ids(copy: Engine) -> list[str]:
    """The ids of all datasets, in the order in which they were made."""
    dataset = SqlEvaluationDataset
    with Session(copy) as session:
        return list(session.scalars(select(dataset.dataset_id).order_by(dataset.created_time, dataset.dataset_id)))


def import_dataset(database: Database, copy: Engine, state: State, dataset_id: str) -> None:
    """Imports a dataset with all its records; again, if it was begun."""
    with Session(copy) as session:
        row = session.get_one(SqlEvaluationDataset, dataset_id)
        given = row.to_mlflow_entity()
        experiments = _experiments(session, dataset_id)
    # The name is not a key here, nor is the id that the database gives: this request is.
    made = operations.create_dataset(
        database, request_of(dataset_id), given.name, given.tags, experiments, given.created_by
    )
    records = 0
    while found := _records(copy, dataset_id, records):
        ready = []
        for record in found:
            try:
                ready.append(_ready(record))
            except Exception as error:
                state.add_problem(f"record {record.dataset_record_id} of dataset {dataset_id}", REFUSED, str(error))
        operations.upsert_dataset_records(database, made, ready, given.last_updated_by, given.last_update_time)
        records += len(found)
    info = operations.find_dataset(database, made).info
    updated = entities.Updated(info.version, given.last_update_time, _digest_ms(given))
    tags = {
        entities.ID: dataset_id,
        entities.CREATED: f"{given.created_time:x}",
        entities.UPDATED: updated.tag(),
        entities.CREATED_BY: given.created_by,
        entities.UPDATED_BY: given.last_updated_by,
    }
    operations.edit_dataset_tags(database, made, tags)


def request_of(dataset_id: str) -> str:
    """What asks for a dataset to be made, so that asking again finds it."""
    return f"import of {dataset_id}"


def imported(database: Database) -> dict[str, int]:
    """The number of records of each dataset that was imported, by MLflow's id of it."""
    return {info.tags[entities.ID]: info.record_count for info in database.datasets() if entities.ID in info.tags}


def _experiments(session: Session, dataset_id: str) -> list[str]:
    link = SqlEntityAssociation
    question = select(link.destination_id).where(
        link.source_type == Kind.EVALUATION_DATASET,
        link.source_id == dataset_id,
        link.destination_type == Kind.EXPERIMENT,
    )
    return list(session.scalars(question.order_by(link.destination_id)))


def _records(copy: Engine, dataset_id: str, offset: int) -> list[DatasetRecord]:
    """A page of the records, in MLflow's order."""
    record = SqlEvaluationDatasetRecord
    question = select(record).where(record.dataset_id == dataset_id)
    ordered = question.order_by(record.created_time, record.dataset_record_id).offset(offset).limit(_PAGE)
    with Session(copy) as session:
        return [row.to_mlflow_entity() for row in session.scalars(ordered)]


def _ready(record: DatasetRecord) -> dict[str, str]:
    """A record as the operation takes it, which is told all that the source says."""
    given: dict[str, Any] = {
        "inputs": record.inputs,
        "outputs": record.outputs,
        "expectations": record.expectations,
        "tags": record.tags,
        "source": record.source,
    }
    ready = ready_record(given)
    hidden = {
        entities.CREATED_BY: record.created_by,
        entities.ID: record.dataset_record_id,
        entities.CREATED: f"{record.created_time:x}",
        entities.CHANGED: f"{record.last_update_time:x}",
    }
    told = {key: value for key, value in hidden.items() if value is not None}
    ready["new_tags"] = json_text({**json.loads(ready["new_tags"]), **told})
    return ready


def _digest_ms(given: Any) -> int:
    """When the digest was made, which MLflow makes of the name and the time, and does not say."""
    last: int = given.last_update_time
    times = range(last, last - _DIGEST_MS, -1)
    return next((one for one in times if entities.digest(given.name, one) == given.digest), last)

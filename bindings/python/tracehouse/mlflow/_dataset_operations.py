"""What the process that writes does with evaluation datasets; a part of `_operations`."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tracehouse.database import Database
from tracehouse.dataset import Dataset, DatasetInfo, DatasetRecord
from tracehouse.errors import ConflictError, NotFoundError
from tracehouse.mlflow import _dataset_entities as entities
from tracehouse.mlflow._dataset_json import given_value, input_key

# What is read and then changed is not changed by another thread meanwhile.
_CHANGES = threading.Lock()

_NAME_CHARS_MAX = 255
_ID = re.compile(r"d-[0-9a-f]{32}")
_OF_RECORD = ("inputs", "outputs", "expectations", "source_type", "source_data")


def find_dataset(db: Database, dataset_id: str) -> Dataset:
    """The dataset of an id.

    Raises:
        NotFoundError: there is none.
    """
    with contextlib.suppress(NotFoundError):
        found = db.dataset(dataset_id)
        # Else it is the name of one.
        if found.id == dataset_id:
            return found
    for info in db.datasets():
        if info.tags.get(entities.ID) == dataset_id:
            return db.dataset(info.dataset_id)
    raise NotFoundError(f"dataset with id {dataset_id!r} not found")


def create_dataset(
    db: Database, request: str, name: str, tags: dict[str, str], experiment_ids: list[str], user: str | None
) -> str:
    """Creates a dataset and gives its id; that of the one that was created when the request was made before."""
    hidden = {entities.REQUEST: request}
    if user is not None:
        hidden |= {entities.CREATED_BY: user, entities.UPDATED_BY: user}
    with _CHANGES:
        for known in db.datasets():
            if known.tags.get(entities.REQUEST) == request:
                return known.dataset_id
        for unique in _names(name):
            named = {} if unique == name else {entities.NAME: name}
            try:
                made = db.create_dataset(unique, experiment_ids=experiment_ids, tags={**tags, **hidden, **named})
            except ConflictError:
                continue
            return made.id
    raise AssertionError("names never end")


def delete_dataset(db: Database, dataset_id: str) -> bool:
    """Deletes a dataset, and tells whether it was there."""
    with _CHANGES:
        try:
            name = find_dataset(db, dataset_id).name
        except NotFoundError:
            return False
        db.delete_dataset(name)
        return True


def upsert_dataset_records(
    db: Database, dataset_id: str, records: list[dict[str, str]], user: str | None, now_ms: int
) -> dict[str, int]:
    """Merges records that `_dataset_records` made ready, and counts those that were new and those that were not."""
    with _CHANGES:
        dataset = find_dataset(db, dataset_id)
        before = dataset.info
        # The source of a record stays: the engine, left to itself, takes that of the newest outputs.
        sources = {input_key(given_value(known.inputs)): _source_of(known) for known in dataset.records()}
        merged = []
        for given in records:
            record = {part: given[part] for part in _OF_RECORD if part in given}
            known_source = sources.get(given["key"])
            tags = given.get("tags") if known_source else given["new_tags"]
            if tags is not None:
                record["tags"] = tags
            if known_source:
                record = {**record, **known_source}
            else:
                sources[given["key"]] = {part: record.get(part, default) for part, default in _NO_SOURCE.items()}
            merged.append(record)
        report = dataset._native.merge(merged)
        edits: dict[str, str | None] = {entities.UPDATED_BY: user}
        if report.version == before.version:
            edits[entities.UPDATED] = entities.Updated(before.version, now_ms, now_ms).tag()
        _edit(dataset, before, edits)
        return {"inserted": report.inserted, "updated": report.updated + report.unchanged}


def delete_dataset_records(db: Database, dataset_id: str, record_ids: list[str]) -> int:
    """Deletes records, and counts those that were there."""
    try:
        dataset = find_dataset(db, dataset_id)
    except NotFoundError:
        return 0
    if entities.ID in dataset.info.tags:
        wanted = set(record_ids)
        record_ids = [one.dataset_record_id for one in dataset.records() if entities.record_id(one) in wanted]
    return dataset.delete_records(record_ids)


def edit_dataset_tags(db: Database, dataset_id: str, tags: dict[str, str | None]) -> bool:
    """Sets tags and deletes those whose value is `None`; tells whether the dataset is there."""
    try:
        dataset = find_dataset(db, dataset_id)
    except NotFoundError:
        return False
    _edit(dataset, dataset.info, tags)
    return True


def add_dataset_experiments(db: Database, dataset_id: str, experiment_ids: list[str], now_ms: int) -> None:
    """Adds experiments that a dataset belongs to."""
    with _CHANGES:
        dataset = find_dataset(db, dataset_id)
        info = dataset.info
        added = sorted({one for one in experiment_ids if one not in info.experiment_ids})
        if added:
            dataset.set_experiments([*info.experiment_ids, *added])
        _touch(dataset, info, now_ms)


def remove_dataset_experiments(db: Database, dataset_id: str, experiment_ids: list[str], now_ms: int) -> list[str]:
    """Takes experiments away from a dataset, and gives those that it belonged to."""
    with _CHANGES:
        dataset = find_dataset(db, dataset_id)
        info = dataset.info
        removed = [one for one in info.experiment_ids if one in experiment_ids]
        if removed:
            dataset.set_experiments([one for one in info.experiment_ids if one not in removed])
            _touch(dataset, info, now_ms)
        return removed


def _names(name: str) -> Iterator[str]:
    """Names for a dataset in the order in which they are tried: its own first, as near to it as the engine allows."""
    plain = "".join(character if character.isprintable() else " " for character in name)[:_NAME_CHARS_MAX].strip()
    plain = plain or "dataset"
    # One that looks like an id would be found instead of the dataset of that id.
    if not _ID.fullmatch(plain):
        yield plain
    for number in itertools.count(2):
        ending = f" ({number})"
        yield plain[: _NAME_CHARS_MAX - len(ending)] + ending


_NO_SOURCE = {"source_type": "", "source_data": "{}"}


def _source_of(record: DatasetRecord) -> dict[str, str]:
    return {"source_type": record.source_type or "", "source_data": json.dumps(record.source_data or {})}


def _touch(dataset: Dataset, info: DatasetInfo, now_ms: int) -> None:
    """Says that a dataset changed which has the digest that it had."""
    now = entities.Updated(info.version, now_ms, entities.Updated.of(info).digest_ms)
    _edit(dataset, info, {entities.UPDATED: now.tag()})


def _edit(dataset: Dataset, info: DatasetInfo, tags: Mapping[str, str | None]) -> None:
    """Sets and deletes tags, if that changes any."""
    changed = {key: value for key, value in tags.items() if info.tags.get(key) != value}
    if changed:
        dataset.set_tags(changed)


OPERATIONS: dict[str, Callable[..., Any]] = {
    operation.__name__: operation
    for operation in (
        create_dataset,
        delete_dataset,
        upsert_dataset_records,
        delete_dataset_records,
        edit_dataset_tags,
        add_dataset_experiments,
        remove_dataset_experiments,
    )
}
"""The operations of this file by their names."""

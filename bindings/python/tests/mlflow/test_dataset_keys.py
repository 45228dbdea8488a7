"""Equal inputs: our key of 5,000 generated ones is what MLflow's own store writes, and both keep the same records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mlflow.store.tracking.dbmodels.models import SqlEvaluationDatasetRecord

from tracehouse.mlflow._dataset_json import input_key

COUNT, MERGED_AT_ONCE = 5_000, 500
DEPTH_MAX = 5

TEXTS = [
    *("", " ", "a", "A", "\u00e9", "e\u0301", "\u6771\u4eac", "\U0001f600", "\ud83d", "\udc00\ud83d", "\ufeff"),
    *("\x00\x1b\x7f", "\u2028\u2029", 'say "no"', "back\\slash", "/", "a\nb\r\tc", "\\u00e9", "null", "1", "true"),
    *("{}", '{"a": 1}', "$double", "NaN"),
]
NUMBERS = [
    *(0, -1, 1, 2**53, 2**53 + 1, -(2**63), 2**63, 2**64, 10**30, -(10**30)),
    *(0.0, -0.0, 1.0, 1.5, 0.1, 1e16, 1e-7, 1e22, 123456789.123456789, 5e-324, 1.7976931348623157e308, 1 / 3),
    *(float("nan"), float("inf"), float("-inf")),
]


class Inputs:
    """Generated inputs: a seed, and nothing else, tells which."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def some(self, count: int) -> list[dict[Any, Any]]:
        """So many: fresh ones, and near and equal ones of those before."""
        made: list[dict[Any, Any]] = []
        while len(made) < count:
            if made and self.chance.random() < 0.4:
                made.append(self.changed(self.chance.choice(made)))
            else:
                made.append(self.members(0))
        return made

    def members(self, depth: int) -> dict[Any, Any]:
        """An object, whose keys are texts; in the rare case numbers, which JSON makes texts of."""
        keys: Callable[[], Any] = self.text
        if self.chance.random() < 0.05:
            keys = lambda: self.chance.choice([0, 1, -5, 10**20])  # noqa: E731
        return {keys(): self.value(depth + 1) for _ in range(self.chance.randrange(4))}

    def value(self, depth: int) -> Any:
        """Anything that JSON has, or that Python writes as if it had."""
        kind = self.chance.randrange(8 if depth < DEPTH_MAX else 5)
        if kind == 0:
            return self.chance.choice([None, True, False])
        if kind in (1, 2):
            return self.text()
        if kind in (3, 4):
            return self.number()
        if kind == 5:
            return self.members(depth)
        many = [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
        return tuple(many) if self.chance.random() < 0.1 else many

    def text(self) -> str:
        """A text of the list, or of any characters."""
        if self.chance.random() < 0.5:
            return self.chance.choice(TEXTS)
        ends = self.chance.choice([0x7F, 0xFF, 0xFFFF, 0x10FFFF])
        return "".join(chr(self.chance.randint(0, ends)) for _ in range(self.chance.randrange(8)))

    def number(self) -> int | float:
        """A number of the list, or one of any size."""
        return self.chance.choice([
            self.chance.choice(NUMBERS),
            self.chance.randint(-(10**24), 10**24),
            self.chance.uniform(-1, 1) * 10 ** self.chance.randint(-300, 300),
            round(self.chance.uniform(-1000, 1000), 2),
        ])  # fmt: skip

    def changed(self, given: dict[Any, Any]) -> dict[Any, Any]:
        """The same in another order, through JSON, or with one member more."""
        how = self.chance.randrange(3)
        if how == 0:
            return reordered(given, self.chance)
        if how == 1:
            return json.loads(json.dumps(given))
        return {**json.loads(json.dumps(given)), self.text(): self.value(1)}


def reordered(value: Any, chance: random.Random) -> Any:
    """A value whose members are in another order, on every level."""
    if isinstance(value, (list, tuple)):
        return [reordered(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    members = [(key, reordered(one, chance)) for key, one in value.items()]
    chance.shuffle(members)
    return dict(members)


def hashes(store: Any, dataset_id: str) -> dict[str, str]:
    """What MLflow's store wrote as the key of each record, by the record's id."""
    with store.ManagedSessionMaker() as session:
        records = session.query(SqlEvaluationDatasetRecord).filter_by(dataset_id=dataset_id)
        return {record.dataset_record_id: record.input_hash for record in records}


def test_the_key_of_generated_inputs_is_mlflows(stores: SimpleNamespace) -> None:
    given = Inputs(33).some(COUNT)
    ours, theirs = (store.create_dataset("keys").dataset_id for store in (stores.ours, stores.theirs))
    counts = []
    for at in range(0, COUNT, MERGED_AT_ONCE):
        records = [{"inputs": inputs} for inputs in given[at : at + MERGED_AT_ONCE]]
        counts.append([
            store.upsert_dataset_records(dataset_id, [dict(record) for record in records])
            for store, dataset_id in ((stores.ours, ours), (stores.theirs, theirs))
        ])  # fmt: skip
    assert all(own == other for own, other in counts), counts
    written = hashes(stores.theirs, theirs)
    assert {input_key(inputs) for inputs in given} == set(written.values())
    assert 2_000 < len(written) < COUNT, "some are new and some are there"

    # Read back, record by record: the key of what MLflow's store holds is the key that it wrote.
    read = stores.theirs._load_dataset_records(theirs, max_results=COUNT)[0]
    assert {record.dataset_record_id: input_key(record.inputs) for record in read} == written
    own = stores.ours._load_dataset_records(ours, max_results=COUNT)[0]
    assert sorted(input_key(record.inputs) for record in own) == sorted(written.values())

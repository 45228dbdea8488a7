"""What MLflow's own tests ask of a store about datasets, beyond the calls of `test_datasets`: what is warned of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

LOGGER = "mlflow.store.tracking.sqlalchemy_store"


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().split(". ")[0].rstrip("."))


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (lambda store, made: store.delete_dataset("d-none"), 1),
        (lambda store, made: store.delete_dataset_records(made, ["dr-none"]), 1),
        (lambda store, made: store.remove_dataset_from_experiments(made, ["1", "8", "9"]), 2),
    ],
    ids=["a dataset", "records", "experiments"],
)
def test_what_is_not_there_is_warned_of_by_mlflows_logger(
    stores: SimpleNamespace, call: Callable[[Any, str], Any], count: int
) -> None:
    """Whoever has set it up hears of this store, too."""
    heard = []
    for store in (stores.ours, stores.theirs):
        made = store.create_dataset("d", experiment_ids=["1"]).dataset_id
        kept = _Kept()
        logging.getLogger(LOGGER).addHandler(kept)
        try:
            call(store, made)
        finally:
            logging.getLogger(LOGGER).removeHandler(kept)
        heard.append([text.replace(made, "d") for text in kept.texts])
    assert heard[0] == heard[1]
    assert len(heard[0]) == count

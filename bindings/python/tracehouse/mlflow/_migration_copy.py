"""The copy of the source in one SQLite file, `mlflow/source.db`; a part of `_migration`.

All that follows reads the copy, which is of one moment however long that takes and whatever is written to the source
meanwhile. At the end the rows that the database has taken over are removed from it, and it becomes `mlflow/mlflow.db`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from mlflow.store.db.base_sql_model import Base
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy.engine import Connection, Engine

from tracehouse.mlflow._migration_meter import Meter
from tracehouse.mlflow._migration_source import Source, read_only

TAKEN_OVER = (
    "span_metrics",
    "spans",
    "assessments",
    "trace_metrics",
    "trace_tags",
    "trace_request_metadata",
    "trace_info",
    "evaluation_dataset_records",
    "evaluation_dataset_tags",
    "evaluation_datasets",
    "entity_associations",
)
"""The tables whose rows are in the database instead."""
DERIVED = (
    "sql_trace_metric_daily_rollups",
    "sql_span_cost_daily_rollups",
    "sql_assessment_daily_rollups",
    "sql_trace_rollup_rebuild_queue",
)
"""Tables that MLflow computes from these."""

# Pages of SQLite that are copied before the source may be written again.
_BACKUP_PAGES = 2_000
# Rows of a table that are in memory at a time; those of spans have the texts of whole prompts.
_ROWS, _ROWS_OF_SPANS = 1_000, 50


def make_copy(source: Source, to: Path, meter: Meter) -> dict[str, int]:
    """Makes the copy, and returns how many rows the source has by table. An unfinished one never has its name.

    Raises:
        RefusedError: the source cannot be read.
    """
    unfinished = to.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with source.errors():
        if source.path is not None:
            counts = _copy_file(source.path, unfinished, meter)
        else:
            counts = _copy_tables(source, unfinished, meter)
    os.replace(unfinished, to)
    return counts


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Engine]:
    """The copy, as SQLAlchemy has it."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    try:
        yield engine
    finally:
        engine.dispose()


def table_counts(connection: Connection) -> dict[str, int]:
    """The rows of each of MLflow's tables that is there."""
    there = set(sqlalchemy.inspect(connection).get_table_names())
    counted = sqlalchemy.select(sqlalchemy.func.count())
    return {
        name: connection.execute(counted.select_from(table)).scalar_one()
        for name, table in Base.metadata.tables.items()
        if name in there
    }


def remove_taken_over(path: Path) -> None:
    """Removes the rows that are in the database instead."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        known = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in (*TAKEN_OVER, *DERIVED):
            if table in known:
                file.execute(f"DELETE FROM {table}")  # noqa: S608
        file.commit()
        file.execute("VACUUM")


def is_unused(path: Path) -> bool:
    """Whether MLflow's own file has nothing but what MLflow makes it with."""
    with opened(path) as engine, engine.connect() as connection:
        counts = table_counts(connection)
    made_with = {"experiments": 1, "workspaces": 1}
    return all(count <= made_with.get(table, 0) for table, count in counts.items())


def _copy_file(source: Path, to: Path, meter: Meter) -> dict[str, int]:
    def step(_: int, remaining: int, total: int) -> None:
        meter.step("copy", total - remaining, total)

    with contextlib.closing(read_only(source)) as read, contextlib.closing(sqlite3.connect(to)) as copy:
        read.backup(copy, pages=_BACKUP_PAGES, progress=step)
        # One with a write-ahead log would be two files.
        copy.execute("PRAGMA journal_mode = DELETE")
    with opened(to) as engine, engine.connect() as connection:
        return table_counts(connection)


def _copy_tables(source: Source, to: Path, meter: Meter) -> dict[str, int]:
    """Copies what is no file table by table, as rows of MLflow's own classes."""
    with opened(to) as engine, source.one_moment() as read:
        source.check_version(read)
        counts = table_counts(read)
        with _quiet():
            _initialize_tables(engine)
        done, total = 0, sum(counts.values())
        with engine.begin() as copy:
            for table in Base.metadata.tables.values():
                for rows in _copied(read, copy, table):
                    done += rows
                    meter.step("copy", done, total)
    return counts


def _copied(read: Connection, copy: Connection, table: sqlalchemy.Table) -> Iterator[int]:
    """Copies a table, and yields how many rows each part of it had."""
    into = table.to_metadata(sqlalchemy.MetaData())
    wanted: list[sqlalchemy.ColumnElement[object]] = []
    for column in table.columns:
        if column.computed is not None:
            continue
        if isinstance(column.type, sqlalchemy.JSON):
            # As text: JSON's `null` and no JSON are the same as values.
            into.columns[column.name].type = sqlalchemy.Text()
            wanted.append(sqlalchemy.cast(column, sqlalchemy.Text).label(column.name))
        else:
            wanted.append(column)
    copy.execute(into.delete())
    size = _ROWS_OF_SPANS if table.name == "spans" else _ROWS
    found = read.execution_options(yield_per=size).execute(sqlalchemy.select(*wanted))
    for part in found.mappings().partitions():
        copy.execute(into.insert(), [dict(row) for row in part])
        yield len(part)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps MLflow from saying that it makes tables."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)

"""Opening and closing: options, one instance for one folder, what a closed database does."""

from __future__ import annotations

import gc
import pickle
import threading
from pathlib import Path

import pytest
import sample

import tracehouse
from tracehouse import ClosedError, ConflictError, InvalidInputError, NotFoundError


def test_a_database_is_a_folder(path: Path) -> None:
    with tracehouse.connect(path) as db:
        assert (db.path, db.read_only, db.closed) == (str(path), False, False)
        assert repr(db) == f"Database('{path}', open)"
        db.import_otlp(sample.lines(3))
    assert db.closed
    assert repr(db) == f"Database('{path}', closed)"
    with tracehouse.connect(str(path)) as db:
        assert db.count_traces() == 3


def test_readers_follow_a_writer(path: Path) -> None:
    with pytest.raises(NotFoundError, match="no database"):
        tracehouse.connect(path, read_only=True)
    with pytest.raises(NotFoundError, match="no database"):
        tracehouse.connect(path, create=False)
    with tracehouse.connect(path) as db, tracehouse.connect(path, read_only=True) as reader:
        assert repr(reader).endswith("read only)")
        db.start_trace("t")
        reader.refresh()
        assert reader.count_traces() == 1
        with pytest.raises(InvalidInputError, match="reading only"):
            reader.start_trace("u")


def test_one_folder_is_one_instance(path: Path) -> None:
    first, second = tracehouse.connect(path), tracehouse.connect(path.parent / "." / path.name)
    first.start_trace("a")
    second.start_trace("b")
    assert first.count_traces() == second.count_traces() == 2
    with pytest.raises(ConflictError, match="other settings"):
        tracehouse.connect(path, memory_limit="64MB")
    first.close()
    first.close()
    assert second.count_traces() == 2
    with pytest.raises(ClosedError, match="is closed"):
        first.count_traces()
    second.close()
    with tracehouse.connect(path, memory_limit="64MB") as db:
        assert db.count_traces() == 2
        # Sealed by the last one that was closed: the log has its head alone.
        assert db.stats().wal_bytes < 100


def test_memory_is_apart() -> None:
    with tracehouse.connect() as a, tracehouse.connect(":memory:") as b:
        a.start_trace("t")
        assert (a.count_traces(), b.count_traces()) == (1, 0)


def test_results_end_with_their_database(path: Path) -> None:
    db = tracehouse.connect(path)
    db.import_otlp(sample.lines(3))
    done = db.sql("SELECT count(*) FROM traces")
    assert done.fetchall() == [(3,)]
    begun = db.sql("SELECT value FROM generate_series(1, 10000000) AS t(value)")
    assert begun.fetchone() == (1,)
    view = db.with_views()
    db.close()
    with pytest.raises(ClosedError, match="before its result was read"):
        begun.fetchall()
    # The handle with views is one of its own.
    assert view.count_traces() == 3
    view.close()
    # Nothing holds the folder now.
    with tracehouse.connect(path, memory_limit="128MiB") as again:
        assert again.count_traces() == 3


def test_handles_that_are_dropped_let_go(path: Path) -> None:
    db = tracehouse.connect(path)
    db.start_trace("t")
    result = db.sql("SELECT value FROM generate_series(1, 10000000) AS t(value)")
    del db, result
    gc.collect()
    with tracehouse.connect(path, memory_limit="128MiB") as db:
        assert db.count_traces() == 1


def test_opening_while_another_thread_closes(path: Path) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                with tracehouse.connect(path) as db:
                    db.start_trace("t")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_options(path: Path) -> None:
    settings = {"threads": 1, "index_text": False, "overload": ("drop", 100), "settle_after_s": 5}
    with tracehouse.connect(path, memory_limit="1GB", settings=settings) as db:
        listed = dict(db.sql("SELECT name, value FROM settings()").fetchall())
        assert listed["threads"] == "1"
        assert int(listed["query_bytes_max"]) == 1_000_000_000 // 96 * 16
    with pytest.raises(InvalidInputError, match="thread_count"):
        tracehouse.connect(settings={"thread_count": 1})
    with pytest.raises(InvalidInputError, match="setting threads is many"):
        tracehouse.connect(settings={"threads": "many"})
    with pytest.raises(InvalidInputError, match="setting overload"):
        tracehouse.connect(settings={"overload": "panic"})
    for size, expected in [("1GB", 10**9), ("512MiB", 512 << 20), ("100 kB", 100_000), ("1.5K", 1500), (7, 7)]:
        assert tracehouse._options.size_bytes(size) == expected  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match="much"):
        tracehouse.connect(memory_limit="much")


def test_folders_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(tracehouse.Error):
        tracehouse.connect(file)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing").write_text("x")
    with pytest.raises(InvalidInputError):
        tracehouse.connect(tmp_path / "other")


def test_pickling_is_refused_with_a_reason(sample_db: tracehouse.Database) -> None:
    with pytest.raises(TypeError, match="read_only=True"):
        pickle.dumps(sample_db)
    with pytest.raises(TypeError, match="reads from an open database"):
        pickle.dumps(sample_db.sql("SELECT 1"))
    for native in (sample_db._native, sample_db.sql("SELECT 1")._rows):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(native)

"""SQL from Python: values of each type, parameters, tables of the caller, results that are read in every way."""

from __future__ import annotations

import importlib
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, QueryTimeoutError

FOREVER = "SELECT count(*) FROM generate_series(1, 10000000) AS a(x), generate_series(1, 10000000) AS b(y) WHERE x < y"
MANY = "SELECT value AS n, repeat('x', 100) AS text FROM generate_series(1, {}) AS t(value)"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NULL", None),
        ("true", True),
        ("1", 1),
        ("CAST(255 AS TINYINT UNSIGNED)", 255),
        ("1.5e0", 1.5),
        ("'größe'", "größe"),
        ("CAST('1.10' AS DECIMAL(10, 2))", Decimal("1.10")),
        ("TIMESTAMP '2026-01-31 12:00:00.123456'", datetime(2026, 1, 31, 12, 0, 0, 123456)),
        ("DATE '1969-12-31'", date(1969, 12, 31)),
        ("[1, NULL, 3]", [1, None, 3]),
        ("[]", []),
        ("named_struct('a', 1, 'b', [2])", {"a": 1, "b": [2]}),
        ("MAP {'a': 1, 'b': 2}", {"a": 1, "b": 2}),
        ("arrow_cast('ab', 'Binary')", b"ab"),
        ("arrow_cast('ab', 'LargeUtf8')", "ab"),
        ("arrow_cast('ab', 'Dictionary(Int32, Utf8)')", "ab"),
        ("arrow_cast(90061000000, 'Duration(Microsecond)')", timedelta(days=1, hours=1, minutes=1, seconds=1)),
        ("arrow_cast(0, 'Timestamp(Second, Some(\"UTC\"))')", datetime(1970, 1, 1, tzinfo=timezone.utc)),
        ("arrow_cast(-1, 'Timestamp(Nanosecond, None)')", datetime(1969, 12, 31, 23, 59, 59, 999999)),
        ("""'{"a": [1, "x"]}' -> 'a'""", '[1, "x"]'),
    ],
)
def test_values(db: Database, expression: str, expected: Any) -> None:
    [(value,)] = db.sql(f"SELECT {expression}").fetchall()
    assert value == expected
    assert type(value) is type(expected)


def test_every_day_of_the_calendar_is_the_right_one(db: Database) -> None:
    day = "arrow_cast(value * 86400, 'Timestamp(Second, None)')"
    statement = f"SELECT {day} FROM generate_series({{}}, {{}}, 13) AS t(value) ORDER BY value"
    start, end = -719_162, 2_932_896
    days = [row[0] for row in db.sql(statement.format(start, end))]
    epoch = datetime(1970, 1, 1)
    assert days == [epoch + timedelta(days=day) for day in range(start, end + 1, 13)]


def test_parameters(sample_db: Database) -> None:
    when = datetime(2023, 11, 14, 22, 13, 25, tzinfo=timezone.utc)
    row = sample_db.sql(
        "SELECT count(*) FROM traces WHERE state = $state AND request_time < $when AND $yes AND error_span_count > $n",
        {"state": "ERROR", "when": when, "yes": True, "n": 1},
    ).fetchone()
    assert row == (2,)
    assert sample_db.sql("SELECT $1, $2, $3", [None, 2.5, "x"]).fetchall() == [(None, 2.5, "x")]
    numpy = importlib.import_module("numpy")
    assert sample_db.sql("SELECT $n + 1", {"n": numpy.int64(4)}).fetchone() == (5,)
    last = numpy.datetime64("2023-11-14T22:13:31")
    assert sample_db.sql("SELECT count(*) FROM traces WHERE request_time >= $t", {"t": last}).fetchone() == (1,)
    with pytest.raises(InvalidInputError, match="parameter n is 9223372036854775808"):
        sample_db.sql("SELECT $n", {"n": 2**63})
    with pytest.raises(TypeError, match="parameter n is a object"):
        sample_db.sql("SELECT $n", {"n": object()})
    with pytest.raises(InvalidInputError):
        sample_db.sql("SELECT $n", {"m": 1}).fetchall()


def test_rows_one_by_one_and_together(sample_db: Database) -> None:
    result = sample_db.sql("SELECT trace_id, state FROM traces ORDER BY request_time")
    assert result.columns == ["trace_id", "state"]
    assert result.fetchone() == (sample.trace_id(0), "ERROR")
    assert len(result.fetchmany(4)) == 4
    assert result.peek(1) == ([(sample.trace_id(0), "ERROR")], False)
    assert len(result.fetchall()) == 7
    assert result.fetchone() is None
    assert result.fetchall() == []
    assert len(list(sample_db.sql("SELECT * FROM spans"))) == 36
    empty = sample_db.sql("SELECT trace_id FROM traces WHERE false")
    assert (empty.columns, empty.peek(3), empty.fetchall()) == (["trace_id"], ([], True), [])
    assert repr(result) == "Result(trace_id, state)"


def test_types_are_those_of_arrow(sample_db: Database) -> None:
    result = sample_db.sql("SELECT name, service_name, count(*) FROM spans GROUP BY ALL")
    assert result.types == ["Utf8View", "Utf8View", "Int64"]


def test_small_results_are_read_again(sample_db: Database) -> None:
    result = sample_db.sql("SELECT state, count(*) AS n FROM traces GROUP BY state ORDER BY state")
    assert result.df()["n"].tolist() == [4, 8]
    assert result.arrow().to_pydict() == {"state": ["ERROR", "OK"], "n": [4, 8]}
    assert result.pl().rows() == [("ERROR", 4), ("OK", 8)]
    assert result.fetchall() == [("ERROR", 4), ("OK", 8)]


def test_large_results_are_read_once(db: Database) -> None:
    polars = importlib.import_module("polars")
    result = db.sql(MANY.format(600_000))
    assert result.fetchone() == (1, "x" * 100)
    assert polars.DataFrame(result).height == 600_000
    with pytest.raises(InvalidInputError, match="run the statement again"):
        result.fetchall()
    with pytest.raises(InvalidInputError, match="run the statement again"):
        result.pl()
    count = sum(1 for _ in db.sql(MANY.format(600_000)))
    assert count == 600_000


def test_libraries_take_a_result_for_a_table(sample_db: Database) -> None:
    duckdb, pyarrow = importlib.import_module("duckdb"), importlib.import_module("pyarrow")
    pandas, polars = importlib.import_module("pandas"), importlib.import_module("polars")
    statement = "SELECT trace_id, tags, models, request_time FROM traces ORDER BY request_time"
    assert pyarrow.table(sample_db.sql(statement)).num_rows == 12
    assert polars.DataFrame(sample_db.sql(statement)).height == 12
    if hasattr(pandas.DataFrame, "from_arrow"):  # From pandas 3 on.
        assert len(pandas.DataFrame.from_arrow(sample_db.sql(statement))) == 12
    mine = sample_db.sql(statement)  # noqa: F841 DuckDB finds it by its name
    assert duckdb.sql("SELECT count(*) FROM mine").fetchall() == [(12,)]


def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = {"list": [{"id": sample.trace_id(0), "label": "x"}]}
    tables["columns"] = {"id": [sample.trace_id(0)], "label": ["x"]}
    for module in ("pandas", "polars"):
        library = importlib.import_module(module)
        tables[module] = library.DataFrame({"id": [sample.trace_id(0)], "label": ["x"]})
    pyarrow = importlib.import_module("pyarrow")
    tables["pyarrow"] = pyarrow.table({"id": [sample.trace_id(0)], "label": ["x"]})
    tables["batch"] = tables["pyarrow"].to_batches()[0]
    tables["reader"] = tables["pyarrow"].to_reader()
    return tables


def test_tables_of_the_caller(sample_db: Database, tmp_path: Path) -> None:
    statement = "SELECT label, state FROM mine JOIN traces ON traces.trace_id = mine.id"
    tables = _tables()
    tables["result"] = sample_db.sql("SELECT trace_id AS id, 'x' AS label FROM traces ORDER BY request_time LIMIT 1")
    csv = tmp_path / "labels.csv"
    csv.write_text(f"id,label\n{sample.trace_id(0)},x\n")
    tables["path"] = csv
    for name, table in tables.items():
        assert sample_db.sql(statement, tables={"mine": table}).fetchall() == [("x", "ERROR")], name
    with pytest.raises(TypeError, match="table mine is a int"):
        sample_db.sql(statement, tables={"mine": 5})
    with pytest.raises(tracehouse.NotFoundError, match="no_such"):
        sample_db.sql(statement, tables={"mine": tmp_path / "no_such.csv"})


def test_statements_that_are_wrong(db: Database) -> None:
    with pytest.raises(InvalidInputError):
        db.sql("SELEC 1")
    with pytest.raises(InvalidInputError):
        db.sql("DROP TABLE spans")
    with pytest.raises(InvalidInputError, match="no_column"):
        db.sql("SELECT no_column FROM spans")
    with pytest.raises(InvalidInputError):
        db.sql("SELECT 9223372036854775807 + value FROM generate_series(1, 3) AS t(value)").fetchall()
    with pytest.raises(QueryTimeoutError):
        db.sql(FOREVER, timeout=0.05).fetchall()


def test_what_goes_wrong_in_another_library_is_ours(db: Database) -> None:
    statement = "SELECT 1 / (value - 500000) FROM generate_series(1, 1000000) AS t(value)"
    for take in ("arrow", "df", "pl"):
        with pytest.raises(InvalidInputError):
            getattr(db.sql(statement), take)()


def test_views_are_of_a_handle(sample_db: Database) -> None:
    views = sample_db.with_views()
    views.sql("CREATE VIEW failed AS SELECT * FROM traces WHERE state = 'ERROR'").fetchall()
    assert views.sql("SELECT count(*) FROM failed").fetchone() == (4,)
    with pytest.raises(InvalidInputError):
        sample_db.sql("SELECT count(*) FROM failed")
    assert sample_db.sql_notices("SELECT * FROM traces WHERE state = 'error'")


def test_a_result_as_text(sample_db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    sample_db.sql("SELECT state, count(*) AS n FROM traces GROUP BY state ORDER BY state").show()
    assert capsys.readouterr().out == "state  n\n-----  -\nERROR  4\nOK     8\n(2 rows)\n"
    sample_db.sql("SELECT *, '\x1b[2J' AS wild FROM traces").show(3, max_width=80)
    shown = capsys.readouterr().out
    assert "the first 3 rows" in shown
    assert "more columns" in shown
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80

"""DuckDB and SQLite as oracles: loads the tables of one database into both and answers statements.

Each line of standard input is one JSON document, each answer one line of standard output.
  {"load": [{"name", "parquet", "columns": [[name, type], ...]}, ...]}   type: int float text bool time list map
  {"duckdb": SQL, "sqlite": SQL or null, "types": [type of each column]}
Cells are null, text for int and time (nanoseconds), a number or "inf" for float, true/false for bool, text.
"""

import json
import math
import sqlite3
import sys
import threading

import duckdb

SECONDS_MAX = 20
ROWS_MAX = 20_000
SQLITE_TYPES = {"int": "INTEGER", "bool": "INTEGER", "time": "INTEGER", "float": "REAL"}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def connect():
    """Both, with the same rules where they can be chosen."""
    duck = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"})
    lite = sqlite3.connect(":memory:")
    lite.execute("PRAGMA case_sensitive_like = ON")
    # SQLite's own fold ASCII alone.
    lite.create_function("lower", 1, lambda text: None if text is None else str(text).lower(), deterministic=True)
    return duck, lite


def load(duck, lite, tables):
    for table in tables:
        name, columns = quoted(table["name"]), table["columns"]
        items = [
            f"make_timestamp({quoted(column)} // 1000) AS {quoted(column)}" if kind == "time" else quoted(column)
            for column, kind in columns
        ]
        path = table["parquet"].replace("'", "''")
        duck.execute(f"CREATE TABLE {name} AS SELECT {', '.join(items)} FROM read_parquet('{path}')")
        texts = {
            "time": "epoch_ns({0})",
            "list": "CAST(to_json({0}) AS VARCHAR)",
            "map": "CAST(to_json({0}) AS VARCHAR)",
        }
        items = [texts.get(kind, "{0}").format(quoted(column)) for column, kind in columns]
        rows = duck.execute(f"SELECT {', '.join(items)} FROM {name}").fetchall()
        types = [f"{quoted(column)} {SQLITE_TYPES.get(kind, 'TEXT')}" for column, kind in columns]
        lite.execute(f"CREATE TABLE {name} ({', '.join(types)})")
        lite.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
    return {"rows": [[str(len(tables))]]}


def cell(value, kind):
    if value is None:
        return None
    if kind in ("int", "time"):
        if isinstance(value, float) and not value.is_integer():
            return f"not whole: {value!r}"
        return str(int(value))
    if kind == "float":
        value = float(value)
        return value if math.isfinite(value) else str(value)
    if kind == "bool":
        return bool(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def answer(connection, interrupt, statement, types):
    timer = threading.Timer(SECONDS_MAX, interrupt)
    timer.start()
    try:
        found = connection.execute(statement).fetchmany(ROWS_MAX + 1)
        if len(found) > ROWS_MAX:
            return {"error": f"more than {ROWS_MAX} rows"}
        if found and len(found[0]) != len(types):
            return {"error": f"{len(found[0])} columns instead of {len(types)}"}
        return {"rows": [[cell(value, kind) for value, kind in zip(row, types)] for row in found]}
    except Exception as error:  # whatever they say is an answer
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        timer.cancel()


def main():
    duck, lite = connect()
    for line in sys.stdin:
        question = json.loads(line)
        if "load" in question:
            reply = load(duck, lite, question["load"])
        else:
            types = question["types"]
            reply = {"duckdb": answer(duck, duck.interrupt, question["duckdb"], types)}
            if question.get("sqlite"):
                reply["sqlite"] = answer(lite, lite.interrupt, question["sqlite"], types)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


main()

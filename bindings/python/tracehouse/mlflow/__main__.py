"""`python -m tracehouse.mlflow import SOURCE DB`: moves an MLflow database into a Tracehouse database.

Exit codes: 0 when all of the source is there; 1 when something is not; 2 when it was not finished, or is no import.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import warnings
from pathlib import Path

from tracehouse import errors

_PROBLEM, _REFUSED = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Does what the arguments ask for, and returns the exit code."""
    given = _parser().parse_args(arguments)
    # MLflow's libraries warn of their own future when they are imported.
    warnings.simplefilter("ignore")
    from sqlalchemy.exc import SQLAlchemyError

    from tracehouse.mlflow._migration import Migration
    from tracehouse.mlflow._migration_meter import Meter
    from tracehouse.mlflow._migration_source import RefusedError, Source

    folder = Path(given.db.removeprefix("tracehouse:")).expanduser().absolute()
    meter = Meter()
    try:
        source = Source.of(given.source)
        report = Migration(source, folder, artifacts=given.artifacts, merge=given.merge, meter=meter).run()
    except (RefusedError, errors.Error, OSError, sqlite3.Error, SQLAlchemyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return _REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; the same command goes on\n")
        return _REFUSED
    if report.was_done:
        sys.stdout.write("imported before; nothing was done now\n")
    sys.stdout.write(f"{report.text}\n")
    if not report.is_equal:
        sys.stderr.write("error: the database has not all of the source; the import may be run again\n")
        return _PROBLEM
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tracehouse.mlflow", description="Tracehouse for MLflow")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    importing = commands.add_parser(
        "import",
        help="move an MLflow database into a Tracehouse database",
        description="Moves an MLflow database into a Tracehouse database. It only reads the source. It may be killed "
        "at any time and run again.",
    )
    importing.add_argument("source", metavar="SOURCE", help="MLflow's SQLite file, or a URL: postgresql://user@host/db")
    importing.add_argument("db", metavar="DB", help="the folder of the Tracehouse database; made where there is none")
    importing.add_argument(
        "--artifacts",
        metavar="PLACE",
        help="the folder or URI where an MLflow server keeps what is at mlflow-artifacts:/ "
        "(its --artifacts-destination), for spans of old traces",
    )
    importing.add_argument("--merge", action="store_true", help="import into a database that has traces already")
    return parser


if __name__ == "__main__":
    sys.exit(main())

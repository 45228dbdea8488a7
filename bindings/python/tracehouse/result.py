"""The result of a SQL statement, of a page of traces or of a dataset: rows as tuples, DataFrames or an Arrow stream.

Rows are read from the database as they are asked for. Invariant: memory does not grow with the result. A result of up
to 32 MiB can be read any number of times; a larger one once, from its beginning to its end, and a second reading is an
`InvalidInputError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tracehouse._engine import Rows

_FETCH_ROWS = 1024


class Result:
    """Rows of a table, from `Database.sql` and others.

    `arrow`, `df`, `pl` and the Arrow stream are about all rows; `fetchone`, `fetchmany`, `fetchall` and iteration go on
    from where they stand, as a cursor does. pandas, polars, pyarrow and DuckDB take a result where they take a table.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._rows.columns()

    @property
    def types(self) -> list[str]:
        """The Arrow types of the columns, as text."""
        return self._rows.types()

    def arrow(self) -> pyarrow.Table:
        """All rows as a pyarrow Table. Needs `pip install tracehouse[pyarrow]`."""
        import pyarrow

        return self._given(lambda: pyarrow.RecordBatchReader.from_stream(self).read_all())

    def df(self) -> pandas.DataFrame:
        """All rows as a pandas DataFrame. Needs `pip install tracehouse[pandas]`.

        Times are `datetime64[ns, UTC]`, maps (`tags`, `metadata`) dictionaries, lists arrays; NULL is what pandas has
        for the type.
        """
        df: pandas.DataFrame = self.arrow().to_pandas(maps_as_pydicts="lossy")
        return df

    def pl(self) -> polars.DataFrame:
        """All rows as a polars DataFrame. Needs `pip install tracehouse[polars]`."""
        import polars

        df: polars.DataFrame = self._given(lambda: polars.DataFrame(self))
        return df

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; `None` after the last one."""
        rows = self._rows.fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, n: int = 1) -> list[tuple[Any, ...]]:
        """The next `n` rows, fewer at the end.

        NULL is `None`, times are `datetime`s in UTC (cut to microseconds), maps and structs dictionaries, lists lists,
        `Decimal` stays exact.
        """
        return self._rows.fetch(n)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that were not fetched yet."""
        return self._rows.fetch(None)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while rows := self._rows.fetch(_FETCH_ROWS):
            yield from rows

    def peek(self, n: int) -> tuple[list[tuple[Any, ...]], bool]:
        """The first `n` rows, wherever the cursor stands, and whether these are all. It moves nothing."""
        return self._rows.peek(n)

    def show(self, max_rows: int = 40, max_width: int | None = None) -> None:
        """Prints the first rows as a table as wide as the terminal, or as `max_width` characters."""
        from tracehouse._table import table_text

        print(table_text(self, max_rows, max_width))  # noqa: T201 what it is for

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """All rows as an Arrow C stream (a capsule), a batch at a time and without a copy."""
        return self._rows.__arrow_c_stream__(requested_schema)

    def _given(self, take: Any) -> Any:
        """What another library makes of the stream. An error inside of it, Ctrl-C above all, is raised as itself and
        not as what that library makes of it."""
        try:
            return take()
        except BaseException as error:
            own = self._rows.take_error()
            if own is None:
                raise
            raise own from error

    def __repr__(self) -> str:
        return f"Result({', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        from tracehouse.display import result_html

        return result_html(self)

    def __reduce__(self) -> Any:
        raise TypeError("a Result cannot be pickled: it reads from an open database; pickle its df() or fetchall()")

"""Datasets of a server: the functions of `_engine.Engine` about them, and the handle that `dataset.Dataset` holds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import IO, Any

from tracehouse._engine import SampleArguments, Source
from tracehouse._options import json_row
from tracehouse.dataset import DatasetInfo, DatasetRecord, MergeReport, PartChange, RecordChange, RecordDiff
from tracehouse.errors import InvalidInputError, NotSupportedError, ResourceExhaustedError
from tracehouse.remote import _forms
from tracehouse.remote._cells import rows_of
from tracehouse.remote._client import Client, path_part
from tracehouse.remote._importing import opened
from tracehouse.remote._reading import API, operation, some_experiments
from tracehouse.remote._rows import ARROW, RemoteRows, check_pyarrow

_ID = re.compile(r"d-[0-9a-f]{32}")
_PAGE_RECORDS = 10_000
_COPY_BYTES = 1 << 20
_LINES = "application/x-ndjson"
_ROWS_MAX = 1_000_000


def create_dataset(db: Client, name: str, experiments: list[str], tags: dict[str, str]) -> RemoteDataset:
    """Creates an empty dataset."""
    body = {"name": name, "experiment_ids": experiments, "tags": tags}
    # Sent again after its answer was lost, it would find the name taken.
    return _handle(db, db.ask("POST", f"{API}/datasets", body=body, repeatable=False))


def dataset(db: Client, name: str) -> RemoteDataset:
    """The dataset of a name, or of an id."""
    if _ID.fullmatch(name):
        # REST knows them by name.
        for info in datasets(db):
            if info.dataset_id == name:
                return RemoteDataset(db, info.dataset_id, info.name)
    return _handle(db, db.ask("GET", f"{API}/datasets/{path_part(name)}"))


def _handle(db: Client, given: dict[str, Any]) -> RemoteDataset:
    return RemoteDataset(db, given["dataset_id"], given["name"])


def datasets(db: Client) -> list[DatasetInfo]:
    """All datasets in their newest version, by name."""
    return [_forms.dataset_info(one) for one in db.ask("GET", f"{API}/datasets")["datasets"]]


def datasets_holding(db: Client, trace_id: str) -> list[dict[str, Any]]:
    """The records of datasets that were made of a trace."""
    return list(operation(db, "datasets_holding", trace_id=trace_id))


def delete_dataset(db: Client, name: str) -> None:
    """Deletes a dataset with all its versions."""
    db.ask("DELETE", f"{API}/datasets/{path_part(name)}", repeatable=False)


class RemoteDataset:
    """A dataset, as `_engine.DatasetHandle` has it.

    REST knows it by its name: one of that name that is made after it was deleted takes its place.
    """

    def __init__(self, db: Client, dataset_id: str, name: str) -> None:
        self._db = db
        self._id = dataset_id
        self._name = name
        self._path = f"{API}/datasets/{path_part(name)}"

    @property
    def id(self) -> str:
        """`d-` and 32 hex digits."""
        return self._id

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def info(self) -> DatasetInfo:
        """The newest version."""
        return _forms.dataset_info(self._db.ask("GET", self._path))

    def versions(self) -> list[DatasetInfo]:
        """All versions, oldest first."""
        found = self._db.ask("GET", f"{self._path}/versions")["versions"]
        return [_forms.dataset_info(one) for one in found]

    def add(
        self,
        of: str,
        filter: str,
        limit: int | None,
        order_by: list[str] | None,
        experiments: list[str] | None,
        sample: SampleArguments | None,
    ) -> MergeReport:
        """Adds records of traces or spans."""
        if of == "trace" and sample is None:
            body = {"filter": filter, "limit": limit, "order_by": order_by, "experiment": some_experiments(experiments)}
            return _forms.merge_report(self._db.ask("POST", f"{self._path}/traces", body=body))
        given = self._search(of, filter, limit, order_by, experiments, sample)
        return _forms.merge_report(operation(self._db, "dataset_add", **given))

    def plan(
        self,
        of: str,
        filter: str,
        limit: int | None,
        order_by: list[str] | None,
        experiments: list[str] | None,
        sample: SampleArguments | None,
    ) -> dict[str, Any]:
        """Counts what `add` would make."""
        given = self._search(of, filter, limit, order_by, experiments, sample)
        return dict(operation(self._db, "dataset_plan", **given))

    def _search(
        self,
        of: str,
        filter: str,
        limit: int | None,
        order_by: list[str] | None,
        experiments: list[str] | None,
        sample: SampleArguments | None,
    ) -> dict[str, Any]:
        count, seed, stratify, quotas, newest_per_session = sample or (None, 0, None, [], False)
        if quotas or newest_per_session:
            what = "quotas" if quotas else "newest_per_session"
            raise NotSupportedError(f"{what}: a server has none; `tracehouse dataset add` where the folder is")
        found = {"of": of, "filter": filter, "limit": limit, "order_by": order_by, "experiments": experiments}
        return {"dataset": self._id, **found, "sample": count, "seed": seed, "stratify": stratify}

    def merge(self, records: list[dict[str, str]]) -> MergeReport:
        """Merges records, all or none."""
        given = [_record(at, record) for at, record in enumerate(records, start=1)]
        return _forms.merge_report(self._db.ask("POST", f"{self._path}/records", body={"records": given}))

    def merge_table(self, table: Any) -> MergeReport:
        """Merges the rows of a table as JSON lines; texts that are JSON objects or arrays as what they say."""
        check_pyarrow()
        import pyarrow

        read: Any = pyarrow.table(table) if hasattr(table, "__arrow_c_stream__") else pyarrow.record_batch(table)
        batches = read.to_batches() if isinstance(read, pyarrow.Table) else [read]
        names = read.schema.names
        lines = [_line(names, row) for batch in batches for row in rows_of(batch)]
        return self._merge_lines(b"".join(lines))

    def merge_file(self, source: Source, format: str | None) -> MergeReport:
        """Merges the records of JSON lines."""
        name, file, _, is_own = opened(source)
        try:
            _check_format(name, format, "a server takes records as JSON lines")
            content = file.read()
        finally:
            if is_own:
                file.close()
        report = self._merge_lines(content)
        for one in report.rejected:
            one.file = name
        return report

    def _merge_lines(self, content: bytes) -> MergeReport:
        with self._db.open("POST", f"{self._path}/records", (), content, _LINES) as answer:
            return _forms.merge_report(json.loads(answer.read()))

    def _pages(self, version: int | None) -> Iterator[dict[str, Any]]:
        query = [("limit", str(_PAGE_RECORDS))]
        if version is not None:
            query.append(("version", str(version)))
        token = ""
        while True:
            found = self._db.ask("GET", f"{self._path}/records", [*query, ("page_token", token)])
            yield from found["records"]
            token = found["next_page_token"]
            if token is None:
                return

    def records(self, version: int | None) -> list[DatasetRecord]:
        """The records of a version, as values."""
        return [_forms.dataset_record(one) for one in self._pages(version)]

    def rows(self, version: int | None) -> RemoteRows:
        """The records of a version, with the columns of SQL's table."""
        check_pyarrow()
        query = [("limit", str(_ROWS_MAX))]
        if version is not None:
            query.append(("version", str(version)))
        answer = self._db.open("GET", f"{self._path}/records", query, accept=ARROW)
        if answer.headers.get("x-next-page-token"):
            answer.close()
            raise ResourceExhaustedError(f"dataset {self._name} has more than {_ROWS_MAX} records: records() has all")
        return RemoteRows(answer)

    def sample(self, sample: SampleArguments) -> RemoteRows:
        """Refuses a sample."""
        raise NotSupportedError(
            "a server draws no samples of records: ds.to_df().sample(..), or `tracehouse dataset sample`"
        )

    def sample_into(self, name: str, sample: SampleArguments) -> RemoteDataset:
        """Refuses a sample."""
        raise NotSupportedError("a server draws no samples of records: `tracehouse dataset sample` where the folder is")

    def diff(self, a: int, b: int) -> RecordDiff:
        """What is different between two versions."""
        found = operation(self._db, "dataset_diff", dataset=self._id, a=a, b=b)
        changes = [
            _forms.made(
                RecordChange,
                one,
                inputs=_forms.json_value(one["inputs"]),
                parts=[_forms.made(PartChange, part) for part in one["parts"]],
            )
            for one in found["changes"]
        ]
        return _forms.made(RecordDiff, found, changes=changes)

    def export(self, file: IO[bytes], name: str, format: str | None, version: int | None, raw: bool) -> int:
        """Writes records as JSON lines; how many."""
        _check_format(name, format, "a server exports JSON lines, and ds.to_df() makes other files of them")
        query = [] if version is None else [("version", str(version))]
        count = 0
        with self._db.open("GET", f"{self._path}/export", query, accept=_LINES) as answer:
            while part := answer.read(_COPY_BYTES):
                count += part.count(b"\n")
                file.write(part)
        return count

    def export_form(self, file: IO[bytes], form: str, version: int | None) -> tuple[int, int, tuple[str, str] | None]:
        """Refuses the form of another tool."""
        raise NotSupportedError(
            f"a server does not export the form {form!r}: `tracehouse dataset export` where the folder is"
        )

    def split(self, parts: list[tuple[str, float]], seed: int, near: float, by_user: bool) -> dict[str, Any]:
        """Refuses a split."""
        raise NotSupportedError("a server splits no datasets: `tracehouse dataset split` where the folder is")

    def leaks(self, other: str, near: float) -> dict[str, Any]:
        """Refuses to look for leaks."""
        raise NotSupportedError("a server compares no datasets: `tracehouse dataset leaks` where the folder is")

    def dedupe(self, near: float) -> dict[str, Any]:
        """Refuses to look for duplicates."""
        raise NotSupportedError("a server takes no duplicates out: `tracehouse dataset dedupe` where the folder is")

    def edit_records(
        self, record_ids: list[str], outputs: str | None, expectations: str | None, tags: str | None
    ) -> int:
        """Changes records by id; the number of the version that this made."""
        given = {"outputs": outputs, "expectations": expectations, "tags": tags}
        return int(operation(self._db, "dataset_edit_records", dataset=self._id, record_ids=record_ids, **given))

    def delete_records(self, record_ids: list[str]) -> int:
        """Deletes records by id; how many there were."""
        if not record_ids:
            return 0
        query = [("record_id", record_id) for record_id in record_ids]
        return int(self._db.ask("DELETE", f"{self._path}/records", query, repeatable=False)["deleted"])

    def edit_tags(self, tags: dict[str, str | None]) -> None:
        """Sets tags and deletes those without a value."""
        operation(self._db, "dataset_edit_tags", dataset=self._id, tags=tags)

    def set_experiments(self, experiment_ids: list[str]) -> None:
        """Sets the experiments that it belongs to."""
        operation(self._db, "dataset_set_experiments", dataset=self._id, experiments=experiment_ids)


def _check_format(name: str, format: str | None, why: str) -> None:
    """Refuses what is not JSON lines.

    Raises:
        NotSupportedError: another format that a local database reads and writes.
        InvalidInputError: none that anybody does.
    """
    word = (format or os.path.splitext(name)[1].removeprefix(".")).lower()
    if word in ("jsonl", "ndjson"):
        return
    if word in ("csv", "parquet", "json"):
        raise NotSupportedError(f"{name or 'the file'} is {word}: {why}")
    what = f"format {format!r}" if format else f"{name or 'the file'}: its ending names no format"
    raise InvalidInputError(f"{what}: jsonl, csv or parquet expected")


def _line(names: list[str], row: tuple[Any, ...]) -> bytes:
    """A row as a JSON line; what is NULL is left out."""
    members = {name: _structure(value) for name, value in zip(names, row, strict=True) if value is not None}
    return json_row(members).encode() + b"\n"


def _structure(value: Any) -> Any:
    """What a text of a table says where it is a JSON object or array."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _record(at: int, given: dict[str, str]) -> dict[str, Any]:
    """A record of JSON texts as the server takes it."""
    if "inputs" not in given:
        raise InvalidInputError(f"record {at} has no inputs: an object with what is asked expected")
    own = ("inputs", "outputs", "expectations", "tags")
    record: dict[str, Any] = {name: json.loads(given[name]) for name in own if name in given}
    if "source_type" in given:
        # An empty one says that there is none, and is not the same as saying nothing.
        record["source"] = {
            "source_type": given["source_type"],
            "source_data": json.loads(given.get("source_data", "null")),
        }
    return record

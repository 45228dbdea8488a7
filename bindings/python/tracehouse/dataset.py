"""Evaluation datasets: versioned sets of records, made of traces and spans or given.

A `Dataset` is a handle by id: it sees the newest version unless a call names one, and is closed with its database.
Inputs, outputs, expectations and tags are JSON values; a table of records (`to_df`, SQL's `dataset_records`) has them
as JSON texts.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

from tracehouse._given import record_of
from tracehouse._options import json_text
from tracehouse._record import Record, to_datetime
from tracehouse._sample import sample_of, some_of
from tracehouse.errors import InvalidInputError
from tracehouse.likeness import Alike, DedupeReport, LeakReport, SplitReport
from tracehouse.reports import Rejected
from tracehouse.result import Result

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from tracehouse._engine import DatasetHandle

_R = TypeVar("_R")


@dataclass(slots=True)
class BuildPlan(Record):
    """What would be built: counted before it is."""

    found: int
    """Traces or spans that the filter finds, up to the limit of records."""
    skipped: int
    """Of these, those without inputs."""
    records: int
    """Records with different inputs that the others make."""
    chosen: int
    """How many of these would be added or updated."""
    strata: list[tuple[str | None, int, int]]
    """By stratum: how many records there are, and how many would be chosen."""
    older: int = 0
    """Of those found, those of a session that has a newer one, where the newest alone counts."""


@dataclass(slots=True)
class DatasetInfo(Record):
    """A dataset as one version describes it."""

    dataset_id: str
    """`d-` and 32 hex digits."""
    name: str
    """Unique in the database."""
    version: int
    """0 for a new, empty dataset; the first change makes version 1."""
    record_count: int
    """Records of this version."""
    created_at_ns: int
    """When the dataset was created, Unix nanoseconds."""
    updated_at_ns: int
    """When this version was made, Unix nanoseconds."""
    experiment_ids: list[str]
    """The experiments it belongs to."""
    tags: dict[str, str]
    """Mutable labels."""
    query: dict[str, Any] | None
    """The search that gave this version its new records; `None` when they came otherwise."""
    snapshot_sequence: int
    """Sequence number of the snapshot the version was made at."""
    schema: dict[str, Any]
    """Fields of inputs, outputs and expectations with their types."""

    @property
    def created_at(self) -> datetime:
        """When the dataset was created, UTC."""
        return to_datetime(self.created_at_ns)

    @property
    def updated_at(self) -> datetime:
        """When this version was made, UTC."""
        return to_datetime(self.updated_at_ns)


@dataclass(slots=True)
class DatasetRecord(Record):
    """A record of a version of a dataset; values are parsed JSON."""

    dataset_record_id: str
    """`dr-` and 32 hex digits; the same in every version."""
    inputs: Any
    """What is asked."""
    outputs: Any = None
    """What was answered."""
    expectations: dict[str, Any] | None = None
    """What should be answered."""
    tags: dict[str, Any] = field(default_factory=dict)
    """Labels."""
    source_type: str | None = None
    """`TRACE`, `HUMAN`, `DOCUMENT` or `CODE`."""
    source_trace_id: str | None = None
    """The trace it was made of."""
    source_span_id: str | None = None
    """The span it was made of."""
    source_data: dict[str, Any] | None = None
    """Details of its source."""
    created_at_ns: int = 0
    """When it came into the dataset, Unix nanoseconds."""
    updated_at_ns: int = 0
    """When it last changed, Unix nanoseconds."""


@dataclass(slots=True)
class MergeReport(Record):
    """What a change of a dataset did."""

    inserted: int
    """Records that were not there before."""
    updated: int
    """Records that are different now."""
    unchanged: int
    """Given records that changed nothing, and traces or spans with the inputs of an earlier one of the same search."""
    skipped: int
    """Traces or spans that make no record: they have no inputs, or the trace's root span has not arrived."""
    rejected_count: int
    """Given records that were not kept."""
    rejected: list[Rejected]
    """These, the first 1,000 of them."""
    members: list[dict[str, Any]]
    """Members of given records that are not a record's own, and what became of them."""
    redacted: int
    """Values that redaction replaced, in whole or in part."""
    version: int
    """The newest version after it; the same as before when nothing changed."""
    record_count: int
    """Records of that version."""
    unmet_quotas: list[tuple[str | None, int, int]] = field(default_factory=list)
    """Quotas of a sample that there were too few records for: the value, how many there were, and the quota."""


@dataclass(slots=True)
class PartChange(Record):
    """A part of a record that changed."""

    name: str
    """`outputs`, `expectations.K`, `tags.K`, `source_type` or `source_data`."""
    before: str | None
    """JSON text, or the word of a source; `None` where there was nothing."""
    after: str | None
    """The value afterwards."""


@dataclass(slots=True)
class RecordChange(Record):
    """A record that is not the same in two versions."""

    record_id: str
    """Its id."""
    inputs: Any
    """What is asked."""
    parts: list[PartChange]
    """What changed; nothing for a record that is only in one of the versions."""


@dataclass(slots=True)
class RecordDiff(Record):
    """What is different between two versions: record ids, sorted."""

    added: list[str]
    """Only in the second."""
    removed: list[str]
    """Only in the first."""
    changed: list[str]
    """In both, with different content."""
    changes: list[RecordChange]
    """Each of these records, by id."""


_NEAR = 0.8
_FORMS = ("chat", "mlflow", "langfuse")
_OWN = ("inputs", "outputs", "expectations", "tags", "source", "dataset_record_id")
_NOT_MERGED = ("source", "dataset_record_id")


class Dataset:
    """A dataset of an open database."""

    def __init__(self, native: DatasetHandle) -> None:
        self._native = native

    @property
    def id(self) -> str:
        """`d-` and 32 hex digits."""
        return self._native.id

    @property
    def name(self) -> str:
        """Its name."""
        return self._native.name

    @property
    def info(self) -> DatasetInfo:
        """The newest version.

        Raises:
            NotFoundError: the dataset was deleted; so for all calls here.
        """
        return self._native.info()

    @property
    def version(self) -> int:
        """The number of the newest version; 0 while it is empty."""
        return self.info.version

    def __len__(self) -> int:
        return self.info.record_count

    def versions(self) -> list[DatasetInfo]:
        """All versions, oldest first; none for a new, empty dataset."""
        return self._native.versions()

    def add_traces(
        self,
        filter: str = "",
        *,
        limit: int | None = None,
        order_by: str | Iterable[str] | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        sample: int | None = None,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
        newest_per_session: bool = False,
    ) -> MergeReport:
        """Adds a record for each trace that a filter holds for, or updates the record with its inputs.

        Args:
            filter: a filter as in `Database.search_traces`; empty for every trace.
            limit: at most so many records.
            order_by: as in `Database.search_traces`; of several traces with equal inputs the first counts.
            experiment_ids: only traces of these experiments.
            sample: a sample of so many of the records found; the same `seed` gives the same one.
            seed: another seed gives another sample.
            stratify: the key whose values share the sample in proportion: `state`, `service_name`, `name`,
                `session_id`, `user_id`, `experiment_id`, `client_request_id`, `model` (of several all of them, as
                `a, b`), `hour` and `day` of the beginning (UTC, `2026-01-31T14:00:00Z`, `2026-01-31`),
                `feedback.NAME` and `expectation.NAME` (the newest value), `tags.K`, `metadata.K`.
            quotas: values of that key and how many of each; `None` stands for what has no value. Without `sample` these
                are all, with it the other values share what is left of it.
            newest_per_session: take of each session the newest trace with inputs alone.

        Raises:
            InvalidInputError: a wrong filter or order, a key that has no strata, or quotas of more than the sample.
        """
        chosen = sample_of(sample, seed, stratify, quotas, newest_per_session)
        return self._native.add("trace", filter, limit, _texts(order_by), _texts(experiment_ids), chosen)

    def plan_traces(
        self,
        filter: str = "",
        *,
        limit: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        sample: int | None = None,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
        newest_per_session: bool = False,
    ) -> BuildPlan:
        """Counts what `add_traces` with the same arguments would make, by stratum of a stratified sample, and changes
        nothing."""
        chosen = sample_of(sample, seed, stratify, quotas, newest_per_session)
        return _plan(self._native.plan("trace", filter, limit, None, _texts(experiment_ids), chosen))

    def plan_spans(
        self,
        filter: str = "",
        *,
        limit: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        sample: int | None = None,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
        newest_per_session: bool = False,
    ) -> BuildPlan:
        """Counts what `add_spans` with the same arguments would make, and changes nothing."""
        chosen = sample_of(sample, seed, stratify, quotas, newest_per_session)
        return _plan(self._native.plan("span", filter, limit, None, _texts(experiment_ids), chosen))

    def add_spans(
        self,
        filter: str = "",
        *,
        limit: int | None = None,
        experiment_ids: str | Iterable[str] | None = None,
        sample: int | None = None,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
        newest_per_session: bool = False,
    ) -> MergeReport:
        """Adds a record for each span that a filter holds for, newest first, with the span's own inputs and outputs.

        A filter is read as if the span were the only one of its trace. The arguments are those of `add_traces`; a
        sample can be stratified by `span.name`, `span.type`, `span.status`, `span.model`, `span.provider` and
        `span.tool`, too, and by the other keys as its trace has them.
        """
        chosen = sample_of(sample, seed, stratify, quotas, newest_per_session)
        return self._native.add("span", filter, limit, None, _texts(experiment_ids), chosen)

    def merge_records(self, records: Any) -> MergeReport:
        """Merges records: one record for equal inputs, outputs replaced, expectations and tags laid over.

        Args:
            records: dictionaries with `inputs` and perhaps `outputs`, `expectations`, `tags` and `source`
                (`{"source_type": "HUMAN", "source_data": {..}}`), values as JSON has them; or a DataFrame, Arrow table
                or `Result` with such columns, where a text that is a JSON object or array is read as one and other
                names (`expected_output`, `metadata`, ...) are taken as what they mean, as `merge_file` does.

        Returns:
            What changed. A new version is made only when something did.

        Raises:
            InvalidInputError: a record that is wrong, by its number; then none is merged. Of a table the wrong ones are
                left out with a warning, and listed in the report.
        """
        if hasattr(records, "__arrow_c_stream__") or hasattr(records, "__arrow_c_array__"):
            return _warned(self._native.merge_table(records))
        return self._native.merge([_texts_of(at, record) for at, record in enumerate(records, start=1)])

    def merge_file(self, source: str | os.PathLike[str] | IO[bytes], format: str | None = None) -> MergeReport:
        """Merges the records of a file: JSON lines, a JSON array, CSV or Parquet.

        Members that other tools name otherwise are taken as what they mean; the report says which.

        Args:
            source: a path, or a file opened for reading bytes.
            format: `jsonl`, `csv` or `parquet`; by default what the ending of the path says. What was exported as
                `chat`, `mlflow` or `langfuse` is JSON lines.

        Raises:
            InvalidInputError: a file that is not of the format. Wrong records are in the report.
        """
        return self._native.merge_file(source, format)

    def records(self, version: int | None = None) -> list[DatasetRecord]:
        """The records of a version, or of the newest, as values.

        Raises:
            NotFoundError: there is no such version.
        """
        return self._native.records(version)

    def rows(self, version: int | None = None) -> Result:
        """The records of a version, or of the newest, with the columns of SQL's table `dataset_records`."""
        return Result(self._native.rows(version))

    def to_df(self, version: int | None = None) -> pandas.DataFrame:
        """The records as a pandas DataFrame with the columns of SQL's table `dataset_records`: JSON values are
        texts."""
        return self.rows(version).df()

    def to_arrow(self, version: int | None = None) -> pyarrow.Table:
        """The records as a pyarrow Table; see `to_df`."""
        return self.rows(version).arrow()

    def to_polars(self, version: int | None = None) -> polars.DataFrame:
        """The records as a polars DataFrame; see `to_df`."""
        return self.rows(version).pl()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows().__arrow_c_stream__(requested_schema)

    def sample(
        self,
        count: int | None = None,
        *,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
    ) -> Result:
        """A sample of the newest version's records; the same seed gives the same one.

        Args:
            count: how many; all when there are fewer. `None` is what `quotas` say.
            seed: another seed gives another sample.
            stratify: `source_type`, `tags.K`, `expectations.K`, `inputs.K` or `outputs.K`.
            quotas: values of that key and how many of each, as in `add_traces`.

        Raises:
            InvalidInputError: neither a count nor quotas, another key, or quotas of more than the count.
        """
        return Result(self._native.sample(some_of(count, seed, stratify, quotas)))

    def sample_into(
        self,
        name: str,
        count: int | None = None,
        *,
        seed: int = 0,
        stratify: str | None = None,
        quotas: Mapping[str | None, int] | None = None,
    ) -> Dataset:
        """Creates another dataset of a sample of the newest version's records; see `sample`.

        Raises:
            ConflictError: there is a dataset of that name.
        """
        return Dataset(self._native.sample_into(name, some_of(count, seed, stratify, quotas)))

    def split(
        self, parts: Mapping[str, float], *, seed: int = 0, near: float = _NEAR, by_user: bool = False
    ) -> SplitReport:
        """Makes a dataset of each part of the newest version's records, so that the parts share nothing: records that
        are near-duplicates of each other, or of one session, are in one part.

        Args:
            parts: the names of the new datasets and their shares: `{"train": 80, "test": 20}`.
            seed: another seed gives another split; the same one the same parts.
            near: how like inputs are that stay together, 0 to 1: Jaccard of their word triples.
            by_user: whether records of one user stay together, too.

        Raises:
            InvalidInputError: shares that are none.
            ConflictError: one of the names is taken; then none is made.
        """
        shares = [(str(name), float(share)) for name, share in parts.items()]
        report = self._native.split(shares, seed, near, by_user)
        made = [(name, count) for name, count in report["parts"]]
        return record_of(SplitReport, report, parts=made)

    def leaks(self, other: Dataset | str, *, near: float = _NEAR) -> LeakReport:
        """What the newest versions of two datasets share: records with inputs as like as `near` (0 to 1), traces,
        sessions, users.

        Raises:
            NotFoundError: there is no such dataset.
        """
        name = other if isinstance(other, str) else other.name
        return _with_alikes(LeakReport, "records", self._native.leaks(name, near))

    def dedupe(self, *, near: float = _NEAR) -> DedupeReport:
        """Makes a version without near-duplicates: of records with inputs as like as `near` (0 to 1) the oldest
        stays."""
        return _with_alikes(DedupeReport, "dropped", self._native.dedupe(near))

    def edit_records(
        self,
        record_ids: str | Iterable[str],
        *,
        outputs: Any = ...,
        expectations: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> int:
        """Changes records by id in one new version, and gives its number. What is not given stays; inputs tell a record
        from others and cannot change.

        Args:
            record_ids: the records.
            outputs: other outputs; `None` clears them.
            expectations: members laid over the expectations; those that are `None` go.
            tags: members laid over the tags; those that are `None` go.

        Raises:
            NotFoundError: an id that the newest version has not; then none is changed.
        """
        given = None if outputs is ... else json_text(outputs)
        members = [None if one is None else json_text(dict(one)) for one in (expectations, tags)]
        return self._native.edit_records(_texts(record_ids) or [], given, members[0], members[1])

    def diff(self, a: int, b: int) -> RecordDiff:
        """What is different in version `b` from version `a`."""
        return self._native.diff(a, b)

    def export(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        format: str | None = None,
        *,
        version: int | None = None,
        raw: bool = False,
    ) -> int:
        """Writes the records of a version, or of the newest, and returns how many.

        Args:
            path: a path, which is replaced when the whole is written, or a file opened for writing bytes.
            format: `jsonl`, `parquet` or `csv`; by default what the ending of the path says. Or the form of another
                tool, as JSON lines: `chat` (conversations for fine-tuning; records that make none are left out with a
                warning), `mlflow` (what `merge_records` takes), `langfuse` (items of a dataset).
            version: a version's number.
            raw: in CSV, leave texts that a spreadsheet would obey as they are.
        """
        if not isinstance(path, (str, os.PathLike)):
            return self._export(path, str(getattr(path, "name", "")), format, version, raw)
        name = os.fspath(path)
        # Whoever reads the path sees the whole or what was there before.
        unfinished = f"{name}.{os.getpid()}.unfinished"
        try:
            with open(unfinished, "wb") as file:
                count = self._export(file, name, format, version, raw)
            os.replace(unfinished, name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(unfinished)
            raise
        return count

    def _export(self, file: IO[bytes], name: str, format: str | None, version: int | None, raw: bool) -> int:
        if format not in _FORMS:
            return self._native.export(file, name, format, version, raw)
        records, left_out, first = self._native.export_form(file, format, version)
        if first is not None:
            message = f"{left_out} records were left out, the first of them, {first[0]}, because: {first[1]}"
            warnings.warn(message, stacklevel=3)
        return records

    def delete_records(self, record_ids: str | Iterable[str]) -> int:
        """Deletes records by id and returns how many there were; the versions before keep them."""
        return self._native.delete_records(_texts(record_ids) or [])

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Sets tags of the dataset and deletes those whose value is `None`, without a new version."""
        self._native.edit_tags(dict(tags))

    def set_experiments(self, experiment_ids: str | Iterable[str]) -> None:
        """Sets the experiments that the dataset belongs to, without a new version."""
        self._native.set_experiments(_texts(experiment_ids) or [])

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        from tracehouse.display import dataset_html

        return dataset_html(self)

    def __reduce__(self) -> Any:
        raise TypeError("a Dataset cannot be pickled: it belongs to an open database; open it again by its name")


def _with_alikes(cls: type[_R], name: str, given: Mapping[str, Any]) -> _R:
    """A report with a list of records that are alike."""
    return record_of(cls, given, **{name: [record_of(Alike, one) for one in given[name]]})


def _texts(given: str | Iterable[str] | None) -> list[str] | None:
    """One text or several, as a list."""
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


def _plan(plan: dict[str, Any]) -> BuildPlan:
    return BuildPlan(**{**plan, "strata": [tuple(stratum) for stratum in plan["strata"]]})


def _texts_of(at: int, record: Any) -> dict[str, str]:
    """A record's members as JSON texts."""
    if isinstance(record, DatasetRecord):
        record = _given(record)
    if not isinstance(record, Mapping):
        raise InvalidInputError(f"record {at} is a {type(record).__name__}: a dictionary with `inputs` expected")
    unknown = [str(key) for key in record if key not in _OWN]
    if unknown:
        raise InvalidInputError(f"record {at} has {', '.join(unknown)}: a record has {', '.join(_OWN[:5])}")
    given = {key: value for key, value in record.items() if value is not None and key not in _NOT_MERGED}
    try:
        texts = {key: json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in given.items()}
        return {**texts, **_source_of(at, record.get("source"))}
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"record {at}: {error}: values that JSON has expected") from error


def _source_of(at: int, source: Any) -> dict[str, str]:
    if source is None:
        return {}
    if not isinstance(source, Mapping) or "source_type" not in source:
        raise InvalidInputError(f"record {at}: source is {source!r}: a dictionary with `source_type` expected")
    data = source.get("source_data") or {}
    return {"source_type": str(source["source_type"]), "source_data": json.dumps(data, ensure_ascii=False)}


def _given(record: DatasetRecord) -> dict[str, Any]:
    source = {"source_type": record.source_type, "source_data": record.source_data or {}}
    given = {"inputs": record.inputs, "outputs": record.outputs, "expectations": record.expectations}
    return {**given, "tags": record.tags, "source": source if record.source_type else None}


def _warned(report: MergeReport) -> MergeReport:
    if report.rejected_count:
        first = report.rejected[0]
        message = f"{report.rejected_count} records were not kept, the first of them because {first.error}"
        warnings.warn(message, stacklevel=3)
    return report

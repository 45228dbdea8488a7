"""Carrying out a run: what is to be judged, and by which scorers, as the native module takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from tracehouse import _native
from tracehouse._given import refused
from tracehouse._items import items_of
from tracehouse.dataset import Dataset
from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.evaluation import EvalRun, Progress
from tracehouse.judges import Judge
from tracehouse.scorers import from_definition, from_spec
from tracehouse.scoring import FunctionScorer, Scorer
from tracehouse.trace import Trace

if TYPE_CHECKING:
    from tracehouse._predicting import Predict

Scoring: TypeAlias = Scorer | str | Callable[..., Any]
"""A scorer, a text that says one (`contains:Paris`), or a function."""
Source: TypeAlias = dict[str, Any] | list[dict[str, Any]]

_ANSWERS = 8
"""Answers of a judge that are waited for at the same time."""
_CHUNKS_AN_ANSWER = 8
"""Items whose scores are committed together for each of these."""

_OF = ("traces", "spans", "sessions", "dataset")
# A text that is no filter, but may be the name of a dataset that is not there.
_WORD = re.compile(r"[\w.\-]+(@\d+)?")


def scorers_of(given: Scoring | Iterable[Scoring]) -> list[Scorer]:
    """The scorers that a caller gives.

    Raises:
        InvalidInputError: something else.
    """
    if isinstance(given, (str, Scorer)) or not isinstance(given, Iterable):
        given = [given]
    found: list[Scorer] = []
    for one in given:
        if isinstance(one, Scorer):
            found.append(one)
        elif isinstance(one, str):
            found.extend(from_spec(one))
        elif isinstance(one, _native.Scorer):
            found.append(Scorer(one))
        elif callable(one):
            found.append(FunctionScorer(one))
        else:
            raise InvalidInputError(f"a scorer is a {type(one).__name__}: a scorer, a text or a function expected")
    return found


def again(definition: Mapping[str, Any]) -> Scorer:
    """A scorer of what a run keeps of it.

    Raises:
        InvalidInputError: it is a function.
    """
    return Judge.from_definition(definition) if definition.get("kind") == "judge" else from_definition(definition)


def source_of(
    db: _native.Database, data: Any, of: str | None = None, version: int | None = None, limit: int | None = None
) -> Source:
    """What is to be judged.

    Raises:
        InvalidInputError: something that cannot be judged.
        NotFoundError: a dataset, or a trace, that is not there.
    """
    if of is not None and of not in _OF:
        raise InvalidInputError(f"of {of!r}: {', '.join(_OF)} expected")
    if isinstance(data, Dataset):
        return _records(db, data.name, version, limit)
    if isinstance(data, str):
        named = None if of in _OF[:3] else _dataset_named(db, data, of)
        if named is not None:
            return _records(db, named[0], version or named[1], limit)
        return {"of": of or "traces", "filter": data, "limit": limit}
    if of is not None:
        raise InvalidInputError(f"of={of!r} is said of a text: {type(data).__name__} given")
    if isinstance(data, (list, tuple)) and data and all(isinstance(one, Trace) for one in data):
        return _traces(db, [one.trace_id for one in data][:limit])
    return items_of(data, limit)


def _records(db: _native.Database, name: str, version: int | None, limit: int | None) -> Source:
    if limit is None:
        return {"of": "dataset", "name": name, "version": version}
    return record_items(db, name, version, limit)


def record_items(
    db: _native.Database, name: str, version: int | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The first records of a dataset, as items."""
    records = _native.dataset(db, name).records(version)[:limit]
    names = ("dataset_record_id", "inputs", "outputs", "expectations")
    return [{key: record[key] for key in names if record[key] is not None} for record in records]


def _dataset_named(db: _native.Database, text: str, of: str | None) -> tuple[str, int | None] | None:
    """The dataset, and its version, that a text names."""
    name, _, version = text.rpartition("@") if re.search(r"@\d+$", text) else (text, "", "")
    names = {info.name for info in _native.datasets(db)}
    if text in names:
        return text, None
    if name in names:
        return name, int(version) if version else None
    if of == "dataset" or _WORD.fullmatch(text):
        # Says what may be meant.
        _native.dataset(db, name)
    return None


def _traces(db: _native.Database, trace_ids: list[str]) -> Source:
    told = ", ".join("'" + trace_id.replace("'", "''") + "'" for trace_id in trace_ids)
    filter = f"trace_id IN ({told})"
    there = set(_native.search_ids(db, (filter, [], None, None, None, 0, None)))
    lost = [trace_id for trace_id in trace_ids if trace_id.removeprefix("tr-") not in there]
    if lost:
        raise NotFoundError(f"trace {lost[0]!r} is not in this database: import it, or give its inputs and outputs")
    return {"of": "traces", "filter": filter, "limit": None}


@contextmanager
def shown(progress: Progress | bool | None, name: str) -> Iterator[Progress | None]:
    """What to call with the items that are done: the caller's function, or for `True` a bar of `tqdm`, where it is
    installed."""
    if progress is not True:
        yield progress or None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    with tqdm(desc=name, unit=" items") as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report


def _has_judge(scorers: Iterable[Scorer]) -> bool:
    return any(isinstance(one, Judge) for one in scorers)


def concurrency_of(scorers: Iterable[Scorer], given: int | None) -> int | None:
    """Items judged at the same time: of judges more than the machine has processors."""
    return _ANSWERS if given is None and _has_judge(scorers) else given


def carry_out(
    db: _native.Database,
    source: Source,
    scorers: list[Scorer],
    *,
    name: str | None = None,
    resume: str | None = None,
    feedback: bool = True,
    concurrency: int | None = None,
    progress: Progress | bool | None = None,
    judge_traces: str | None = None,
    failures: Mapping[str, str] | None = None,
) -> EvalRun:
    """Judges a source, and gives the run."""
    made = [one.native(db, failures) for one in scorers]
    concurrency = concurrency_of(scorers, concurrency)
    chunk_items = (concurrency or 1) * _CHUNKS_AN_ANSWER if _has_judge(scorers) else None
    with shown(progress, "evaluate") as report, refused():
        run = _native.evaluate(
            db,
            source,
            made,
            name=name,
            resume=resume,
            concurrency=concurrency,
            chunk_items=chunk_items,
            feedback=feedback,
            progress=report,
            judge_traces=judge_traces,
        )
    return EvalRun(db, run)


def evaluate_predicted(
    db: _native.Database,
    data: Any,
    predict_fn: Predict,
    scorers: list[Scorer],
    *,
    name: str | None = None,
    of: str | None = None,
    version: int | None = None,
    limit: int | None = None,
    resume: EvalRun | None = None,
    experiment_id: str = "0",
    concurrency: int | None = None,
    progress: Progress | bool | None = None,
    feedback: bool = True,
    judge_traces: str | None = None,
) -> EvalRun:
    """Calls a function with inputs, and judges what it gives.

    Raises:
        InvalidInputError: something without inputs.
    """
    from tracehouse._predicting import items_to_predict, predicted

    if isinstance(data, (list, tuple)):
        data = [row if isinstance(row, Mapping) else {"inputs": row} for row in data]
    source = source_of(db, data, of, version, limit)
    if isinstance(source, dict):
        if source["of"] != "dataset":
            raise InvalidInputError(f"predict_fn is called with inputs of a dataset or of a list, not with {data!r}")
        source = record_items(db, source["name"], source["version"])
    done = set() if resume is None else _done(db, resume)
    items = [one for one in items_to_predict(source) if one["dataset_record_id"] not in done]
    run_name = name or (resume.name if resume else ", ".join(one.name for one in scorers))
    _check(db, scorers)
    with shown(progress, "predict") as report:
        found, failures = predicted(
            db,
            items,
            predict_fn,
            run_name,
            experiment_id=experiment_id,
            concurrency=concurrency,
            progress=report,
        )
    run = carry_out(
        db,
        found,
        scorers,
        name=name,
        resume=None if resume is None else resume.run_id,
        feedback=feedback,
        concurrency=concurrency,
        progress=progress,
        judge_traces=judge_traces,
        failures=failures,
    )
    _native.link_run(db, [item["trace_id"] for item in found], run.run_id, True)
    return run


def _check(db: _native.Database, scorers: list[Scorer]) -> None:
    """What would end a run is found before anything is called.

    Raises:
        InvalidInputError: no scorers, two of one name, or one that cannot be made.
    """
    if not scorers:
        raise InvalidInputError("a run needs a scorer")
    names: set[str] = set()
    for one in scorers:
        if one.name in names:
            raise InvalidInputError(f"two scorers are named {one.name!r}: each of a run needs its own name")
        names.add(one.name)
        one.native(db)


def _done(db: _native.Database, run: EvalRun) -> set[str]:
    """The records that have scores in a run."""
    statement = "SELECT DISTINCT dataset_record_id FROM scores WHERE run_id = $run"
    return {row[0] for row in _native.sql(db, statement, {"run": run.run_id}, {}, None).fetch(None)}


def resume(
    db: _native.Database,
    run: EvalRun,
    scorers: Iterable[Scoring] | None,
    data: Any,
    predict_fn: Predict | None,
    limit: int | None,
    options: dict[str, Any],
) -> EvalRun:
    """Goes on with a run; see `EvalRun.resume`."""
    given = {one.name: one for one in scorers_of(scorers or [])}
    unknown = sorted(set(given) - {one.name for one in run.scorers})
    if unknown:
        raise InvalidInputError(f"run {run.run_id} did not begin with the scorer {unknown[0]!r}: start a new run")
    own = [given.get(one.name) or again(one.definition) for one in run.scorers]
    for one, began in zip(own, run.scorers, strict=True):
        if one.version != began.version:
            said = f"{one.name} ({began.version}, not {one.version})"
            raise InvalidInputError(f"run {run.run_id} began with another version of {said}: start a new run")
    if predict_fn is not None:
        return evaluate_predicted(db, data, predict_fn, own, limit=limit, resume=run, **options)
    source = source_of(db, data, limit=limit) if data is not None else _source_again(db, run)
    if run.source == "given" and isinstance(source, dict) and source["of"] == "dataset":
        source = record_items(db, source["name"], source["version"])
    return carry_out(db, source, own, resume=run.run_id, **options)


def _source_again(db: _native.Database, run: EvalRun) -> Source:
    if run.source == "given":
        raise InvalidInputError(f"run {run.run_id} judged what a caller gave: give it again, resume(data=...)")
    if run.source == "dataset":
        name = _native.dataset(db, run.dataset_id or "").name
        return {"of": "dataset", "name": name, "version": run.dataset_version}
    return {"of": run.source, "filter": run.filter or "", "limit": run.limit}

"""Changes through a server: the functions of `_engine.Engine` that write single things, over REST.

Invariant: what a client sends may come twice, since an answer may be lost on its way. Calls for which that would make a
difference are sent once (`repeatable=False`), or carry an id that was made here.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from typing import Any

from tracehouse.errors import InvalidInputError, NotFoundError
from tracehouse.remote import _forms
from tracehouse.remote._client import Client, path_part
from tracehouse.remote._reading import API, get_assessment, get_trace_info, operation
from tracehouse.reports import EraseReceipt, ImportReport
from tracehouse.trace import Assessment, TraceInfo

_JSON_TEXTS = ("attributes", "resource")
# What a request may have is for the server to say; what is sent at once stays far below of what it takes.
_APPEND_BYTES = 8 << 20


def append(db: Client, given: list[dict[str, Any]]) -> ImportReport:
    """Stores spans that a program made, in requests of bounded size."""
    report = ImportReport()
    some: list[dict[str, Any]] = []
    size = 0
    for fields in given:
        span = _span(fields)
        length = len(json.dumps(span, ensure_ascii=False))
        if some and size + length > _APPEND_BYTES:
            add_report(report, _forms.import_report(operation(db, "append", spans=some)))
            some, size = [], 0
        some.append(span)
        size += length
    if some or not given:
        add_report(report, _forms.import_report(operation(db, "append", spans=some)))
    return report


def _span(fields: dict[str, Any]) -> dict[str, Any]:
    """A span as the engine's own JSON has it; what is `None` is as in a new span."""
    for name in ("trace_id", "span_id", "name"):
        if fields.get(name) is None:
            raise InvalidInputError(f"a span needs its {name}")
    for name in ("start_time_ns", "end_time_ns"):
        given = fields.get(name)
        if given is not None and not isinstance(given, int):
            raise InvalidInputError(f"{name} is {given}: a whole number of nanoseconds expected")
    made = {"experiment_id": "0", "span_type": "UNKNOWN", "kind": "INTERNAL", "status": "UNSET", "start_time_ns": 0}
    made |= dict.fromkeys(_JSON_TEXTS, "{}")
    made |= {name: value for name, value in fields.items() if value is not None}
    made["events"] = [
        {"time_ns": time_ns, "name": name, "attributes": text} for time_ns, name, text in fields.get("events", ())
    ]
    made["links"] = [
        {"trace_id": trace_id, "span_id": span_id, "attributes": text}
        for trace_id, span_id, text in fields.get("links", ())
    ]
    return made


def add_report(report: ImportReport, other: ImportReport) -> None:
    """Adds what another request did."""
    for name in ImportReport._names():
        mine, more = getattr(report, name), getattr(other, name)
        if isinstance(mine, dict):
            for key, count in more.items():
                mine[key] = mine.get(key, 0) + count
        else:
            setattr(report, name, mine or more if isinstance(mine, bool) else mine + more)


def start_trace(db: Client, trace_id: str, given: dict[str, Any]) -> TraceInfo:
    """Says what is known of a trace as a whole."""
    start_traces(db, [(trace_id, given)])
    return get_trace_info(db, trace_id)


def start_traces(db: Client, given: list[tuple[str, dict[str, Any]]]) -> None:
    """Starts many traces in one commit."""
    operation(db, "start_traces", starts=[{"trace_id": trace_id, **start} for trace_id, start in given])


def set_tags(db: Client, trace_id: str, tags: dict[str, str]) -> None:
    """Sets tags of a trace."""
    if tags:
        db.ask("POST", f"{API}/traces/{path_part(trace_id)}/tags", body={"tags": tags})
    else:
        get_trace_info(db, trace_id)


def set_tag_on(db: Client, trace_ids: list[str], key: str, value: str) -> int:
    """Sets a tag of several traces in one commit; unknown ids are left out."""
    return int(operation(db, "set_tag_on", trace_ids=trace_ids, key=key, value=value))


def delete_tags(db: Client, trace_id: str, keys: list[str]) -> None:
    """Deletes tags of a trace, all or none."""
    if len(keys) != 1:
        operation(db, "delete_tags", trace_id=trace_id, keys=keys)
        return
    # Sent again after its answer was lost, it would find nothing.
    db.ask("DELETE", f"{API}/traces/{path_part(trace_id)}/tags/{path_part(keys[0])}", repeatable=False)


def assess(db: Client, trace_id: str, kind: str, name: str, given: dict[str, Any]) -> Assessment:
    """Stores an assessment."""
    if kind == "issue":
        row = _row(trace_id, kind, name, given)
        put_assessments(db, [row])
        return get_assessment(db, trace_id, row["assessment_id"])
    source_type, source_id = given["source"] or (None, None)
    error_code, error_message = given["error"] or (None, None)
    body = {
        "trace_id": trace_id,
        "type": kind,
        "name": name,
        "value": json.loads(given["value"]),
        "source_type": source_type,
        "source_id": source_id or None,
        "error_code": error_code,
        "error_message": error_message,
        "rationale": given["rationale"],
        "span_id": given["span_id"],
        "metadata": given["metadata"],
        "overrides": given["overrides"],
    }
    return _forms.assessment(db.ask("POST", f"{API}/assessments", body=body, repeatable=False))


def assess_many(db: Client, given: list[tuple[str, str, str, dict[str, Any]]]) -> list[str]:
    """Stores many assessments in one commit, with ids that are made here: it may be sent again."""
    rows = [_row(trace_id, kind, name, one) for trace_id, kind, name, one in given]
    overridden = [
        replace(get_assessment(db, row["trace_id"], row["overrides"]), valid=False) for row in rows if row["overrides"]
    ]
    if rows:
        _put(db, [*map(_stored_row, rows), *map(_stored, overridden)])
    return [row["assessment_id"] for row in rows]


_SOURCES = {"feedback": "CODE", "expectation": "HUMAN", "issue": "LLM_JUDGE"}


def _row(trace_id: str, kind: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """A new assessment as `put_assessments` is given one."""
    if kind not in _SOURCES:
        raise InvalidInputError(f"assessment type {kind!r}: feedback, expectation or issue expected")
    now_ns = time.time_ns()
    return {
        **given,
        "source": given["source"] or (_SOURCES[kind], ""),
        "assessment_id": f"a-{uuid.uuid4().hex}",
        "trace_id": trace_id,
        "type": kind,
        "name": name,
        "valid": True,
        "created_at_ns": now_ns,
        "updated_at_ns": now_ns,
    }


def put_assessments(db: Client, given: list[dict[str, Any]]) -> None:
    """Stores assessments as they are."""
    _put(db, [_stored_row(one) for one in given])


def _put(db: Client, rows: list[dict[str, Any]]) -> None:
    operation(db, "put_assessments", assessments=rows)


def _stored_row(given: dict[str, Any]) -> dict[str, Any]:
    """An assessment as the engine's own JSON has it."""
    source_type, source_id = given["source"] or (_SOURCES.get(given["type"], "CODE"), "")
    code, message = given["error"] or (None, None)
    own = {name: value for name, value in given.items() if name not in ("source", "error", "type")}
    return {
        **own,
        "kind": str(given["type"]).capitalize(),
        "source_type": source_type,
        "source_id": source_id or None,
        "error_code": code,
        "error_message": message,
    }


def _stored(row: Assessment) -> dict[str, Any]:
    fields = row.to_dict()
    kind = str(fields.pop("type")).capitalize()
    return {**fields, "kind": kind, "value": json.dumps(row.value, ensure_ascii=False)}


def update_assessment(
    db: Client,
    trace_id: str,
    assessment_id: str,
    name: str | None,
    value: str | None,
    rationale: str | None,
    metadata: dict[str, str],
) -> Assessment:
    """Changes an assessment and gives it as it is now."""
    body: dict[str, Any] = {"trace_id": trace_id, "name": name, "rationale": rationale}
    body = {key: given for key, given in body.items() if given is not None}
    if value is not None:
        body["value"] = json.loads(value)
    if metadata:
        body["metadata"] = metadata
    if len(body) == 1:
        return get_assessment(db, trace_id, assessment_id)
    return _forms.assessment(db.ask("PATCH", f"{API}/assessments/{path_part(assessment_id)}", body=body))


def delete_assessment(db: Client, trace_id: str, assessment_id: str) -> bool:
    """Deletes an assessment; whether it was there."""
    path = f"{API}/assessments/{path_part(assessment_id)}"
    try:
        db.ask("DELETE", path, [("trace_id", trace_id)], repeatable=False)
    except NotFoundError:
        return False
    return True


def link_run(db: Client, trace_ids: list[str], run_id: str, link: bool) -> None:
    """Links traces to a run, or takes the link away."""
    operation(db, "link_run", trace_ids=trace_ids, run_id=run_id, link=link)


def link_prompts(db: Client, trace_id: str, prompts: list[str], link: bool) -> None:
    """Links versions of prompts to a trace, or takes the link away."""
    operation(db, "link_prompts", trace_id=trace_id, prompts=prompts, link=link)


def delete_traces(db: Client, trace_ids: list[str]) -> int:
    """Deletes traces; how many there were."""
    return int(operation(db, "delete_traces", trace_ids=trace_ids))


def delete_where(
    db: Client, filter: str, until_ms: int | None, max_traces: int | None, experiments: list[str] | None
) -> int:
    """Deletes the traces that a filter holds for, oldest first; how many there were."""
    given = {"filter": filter, "until_ms": until_ms, "max_traces": max_traces, "experiments": experiments}
    return int(operation(db, "delete_where", **given))


def erase_traces(db: Client, trace_ids: list[str]) -> EraseReceipt:
    """Deletes traces and removes their bytes from every file."""
    return _forms.made(EraseReceipt, operation(db, "erase_traces", trace_ids=trace_ids))

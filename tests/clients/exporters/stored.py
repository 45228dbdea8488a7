"""What a database has of spans, in a form that is made of what an SDK recorded, too."""

import json


def canonical(attributes):
    """Attributes so that 1, 1.0 and true differ, whatever their order."""
    return json.dumps(attributes, sort_keys=True, ensure_ascii=False)


def stored_spans(server):
    """What the database has, in the same form."""
    rows = server.rows(
        "SELECT trace_id, span_id, parent_span_id, name, kind, status, status_message, scope_name, scope_version,"
        " CAST(CAST(start_time AS BIGINT) AS VARCHAR) AS start_time,"
        " CAST(CAST(end_time AS BIGINT) AS VARCHAR) AS end_time, attributes, resource, links FROM spans"
    )
    spans = {row["span_id"]: row for row in rows}
    assert len(spans) == len(rows)
    for span in spans.values():
        span["scope"] = [span.pop("scope_name"), span.pop("scope_version")]
        for part in [span, *span["links"]]:
            part["attributes"] = canonical(json.loads(part["attributes"]))
        span["resource"] = canonical(json.loads(span["resource"]))
        span["events"] = []
    events = server.rows("SELECT span_id, name, CAST(CAST(time AS BIGINT) AS VARCHAR) AS time, attributes FROM events")
    for event in events:
        of_span = spans[event.pop("span_id")]["events"]
        of_span.append({**event, "attributes": canonical(json.loads(event["attributes"]))})
    for span in spans.values():
        span["events"].sort(key=canonical)
    return spans

"""Ids in MLflow's forms: `tr-` and 32 hex digits for a trace, 16 hex digits for a span, base64 in a span's dictionary.

The database keeps the digits alone. An id of another form is kept as it is; where MLflow needs digits, such an id
stands for digits that are made of it, always the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import re

_TRACE = re.compile(r"[0-9a-f]{32}")

ID_METADATA = "tracehouse.mlflow.traceId"
"""Metadata of a trace whose id MLflow knows without `tr-`: its id."""

SECOND_PROTOCOL_METADATA = "tracehouse.mlflow.secondProtocol"
"""Metadata of a trace of MLflow's second protocol, which does not say of a trace that it is finalised."""


def mlflow_trace_id(trace_id: str) -> str:
    """The id of a trace as MLflow writes it."""
    return f"tr-{trace_id}" if _TRACE.fullmatch(trace_id) else trace_id


def plain_trace_id(trace_id: str) -> str:
    """The id of a trace as the database writes it."""
    digits = trace_id.removeprefix("tr-")
    return digits if _TRACE.fullmatch(digits) else trace_id


def id_base64(trace_or_span_id: str, size: int) -> str:
    """An id as base64 of so many bytes."""
    try:
        data = bytes.fromhex(trace_or_span_id.removeprefix("tr-"))
    except ValueError:
        data = b""
    if len(data) != size:
        data = hashlib.blake2b(trace_or_span_id.encode(), digest_size=size).digest()
    return base64.b64encode(data).decode()

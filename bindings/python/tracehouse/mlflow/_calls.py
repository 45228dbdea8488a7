"""What the store uses of MLflow's own code besides its class: checks of arguments, and its second protocol.

These functions are not MLflow's public interface; all of them are named here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlflow.entities import TraceInfo, TraceLocation, TraceState
from mlflow.entities.trace_info_v2 import TraceInfoV2
from mlflow.entities.trace_status import TraceStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.tracking import file_store
from mlflow.store.tracking.utils.trace_analytics import (
    TRACE_ANALYTICS_COLUMNS_BY_METADATA_KEY,
    analytics_columns_from_metadata,
    validate_trace_name,
)
from mlflow.tracing.utils import generate_request_id_v2
from mlflow.utils.validation import _resolve_experiment_ids_and_locations, _validate_trace_tag

from tracehouse.mlflow._ids import SECOND_PROTOCOL_METADATA

if TYPE_CHECKING:
    from tracehouse.mlflow.store import TracehouseStore

_logger = logging.getLogger(__name__)

store_logger = logging.getLogger(file_store.__name__.replace("file_store", "sqlalchemy_store"))
check_trace_name = validate_trace_name
# From 3.18 on; before, MLflow took any id.
check_new_trace_id = getattr(file_store, "_validate_new_trace_id", lambda trace_id: None)
check_trace_tag = _validate_trace_tag
resolved_locations = _resolve_experiment_ids_and_locations


def valid_tags(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of these tags that MLflow allows."""
    valid = {}
    for key, value in given:
        try:
            checked, text = _validate_trace_tag(key, value)
        except MlflowException:
            _logger.debug("left out the tag %r", key)
            continue
        valid[checked] = text
    return valid


def stored_metadata(given: Mapping[str, str]) -> dict[str, str]:
    """Metadata as MLflow keeps it: of tokens and cost what is a number, in MLflow's order.

    Raises:
        MlflowException: the id of the session is too long.
    """
    numbers = analytics_columns_from_metadata(dict(given))
    kept = dict(given)
    for key, columns in TRACE_ANALYTICS_COLUMNS_BY_METADATA_KEY.items():
        parts = {part: value for part, column in columns.items() if (value := numbers.get(column)) is not None}
        if parts:
            kept[key] = json.dumps(parts)
        else:
            kept.pop(key, None)
    return kept


def page_token_text(token: str | bytes | None) -> str | None:
    """A page token; MLflow's own store takes bytes, too."""
    return token.decode() if isinstance(token, bytes) else token or None


def missing(error: MlflowException, message: str) -> MlflowException:
    """The same error, with MLflow's words where something is not there."""
    if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
        return MlflowException(message, error_code=RESOURCE_DOES_NOT_EXIST)
    return error


def start_v2(
    store: TracehouseStore,
    experiment_id: str,
    timestamp_ms: int,
    metadata: dict[str, str],
    tags: dict[str, str],
) -> TraceInfoV2:
    """Starts a trace as MLflow's second protocol does: it is in progress, and gets its id here."""
    info = TraceInfo(
        trace_id=generate_request_id_v2(),
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=timestamp_ms,
        state=TraceState.IN_PROGRESS,
        trace_metadata={**metadata, SECOND_PROTOCOL_METADATA: "true"},
        tags=dict(tags),
    )
    return TraceInfoV2.from_v3(store.start_trace(info))


def end_v2(
    store: TracehouseStore,
    request_id: str,
    timestamp_ms: int,
    status: TraceStatus | str,
    metadata: dict[str, str],
    tags: dict[str, str],
) -> TraceInfoV2:
    """Finishes a trace as MLflow's second protocol does."""
    info = store.get_trace_info(request_id)
    info.execution_duration = timestamp_ms - info.request_time
    info.state = TraceStatus(status).to_state()
    info.trace_metadata = {**info.trace_metadata, **metadata}
    info.tags = {**info.tags, **tags}
    info.assessments = []
    return TraceInfoV2.from_v3(store.start_trace(info))

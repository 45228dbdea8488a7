"""Two stores asked the same: MLflow's own, which is the model, and this package's.

`Pair` makes a call on both and compares what they answer, as plain values. Entities become dictionaries here, so that a
test that fails shows the field that differs.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow.entities import Assessment, Span, Trace, TraceInfo
from mlflow.entities.trace_info_v2 import TraceInfoV2
from mlflow.exceptions import MlflowException, MlflowTracingException

with warnings.catch_warnings():
    # MLflow's libraries warn of their own future, and at import no mark of a test is heard.
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from tracehouse.mlflow.store import TracehouseStore

ARTIFACTS = "mlflow.artifactLocation"


def open_stores(folder: Path) -> SimpleNamespace:
    """Both stores in a folder, with the experiments `0` and `1`: for fixtures that many tests share."""
    ours = TracehouseStore(f"tracehouse:{folder / 'app.traces'}")
    theirs = SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"))
    for store in (ours, theirs):
        store.create_experiment("one")
    return SimpleNamespace(ours=ours, theirs=theirs, both=(ours, theirs))


@dataclass(frozen=True)
class Refusal:
    """An error of a store: its code, `None` where it is no error of MLflow's, and its message."""

    code: str | None
    message: str


class Pair:
    """Both stores."""

    def __init__(self, stores: SimpleNamespace) -> None:
        self.ours = stores.ours
        self.theirs = stores.theirs

    def both(self, call: Callable[[Any], Any]) -> tuple[Any, Any]:
        """What a call gives on our store and on theirs, as plain values.

        The call makes its own arguments: a store may change what it is given.
        """
        return answer(self.ours, call), answer(self.theirs, call)

    def same(self, call: Callable[[Any], Any]) -> Any:
        """What a call gives on both stores, which must be the same."""
        ours, theirs = self.both(call)
        assert ours == theirs, "\n".join(differences(ours, theirs))
        return ours


def differences(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:
    """Where two answers differ, a line for each place."""
    if ours == theirs:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            yield from differences(ours.get(key, "absent"), theirs.get(key, "absent"), f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(our, their, f"{where}[{number}]")
    else:
        yield f"{where}: ours {ours!r}, theirs {theirs!r}"


def answer(store: Any, call: Callable[[Any], Any]) -> Any:
    """What a call on a store gives, as plain values, or the refusal."""
    try:
        return plain(call(store))
    except MlflowException as error:
        return Refusal(error.error_code, error.message)
    except MlflowTracingException as error:
        return Refusal("MlflowTracingException", str(error))
    except Exception as error:
        return Refusal(None, f"{type(error).__name__}: {error}")


def plain(given: Any) -> Any:
    """An answer as dictionaries, lists and scalars."""
    if isinstance(given, TraceInfo):
        return _info(given)
    if isinstance(given, TraceInfoV2):
        return {**_info(given.to_v3()), "status": given.status.value}
    if isinstance(given, Trace):
        return {"info": _info(given.info), "spans": plain(given.data.spans)}
    if isinstance(given, Span):
        return plain_span(given)
    if isinstance(given, Assessment):
        return plain_assessment(given)
    if isinstance(given, (list, tuple)):
        return [plain(item) for item in given]
    return given


def _info(info: TraceInfo) -> dict[str, Any]:
    tags = dict(info.tags)
    if ARTIFACTS in tags:
        # Each store has its own folder; from the experiment on they are the same.
        tags[ARTIFACTS] = "/".join(tags[ARTIFACTS].split("/")[-4:])
    return {
        "trace_id": info.trace_id,
        "trace_location": info.trace_location.to_dict(),
        "request_time": info.request_time,
        "execution_duration": info.execution_duration,
        "state": info.state.value,
        "client_request_id": info.client_request_id,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "trace_metadata": dict(info.trace_metadata),
        "tags": tags,
        "assessments": sorted((plain_assessment(one) for one in info.assessments), key=lambda one: one["id"]),
    }


def plain_assessment(given: Assessment) -> dict[str, Any]:
    """An assessment; values as JSON text, which tells `1` from `1.0` and from `true`."""
    payload = given.feedback or given.expectation or given.issue
    return {
        "id": given.assessment_id,
        "type": type(given).__name__,
        "name": given.name,
        "trace_id": given.trace_id,
        "span_id": given.span_id,
        "source": given.source.to_dictionary(),
        "value": json.dumps(payload.issue_name if given.issue is not None else payload.value, sort_keys=True),
        "error": None if given.feedback is None or given.feedback.error is None else vars(given.feedback.error),
        "rationale": given.rationale,
        "metadata": given.metadata,
        "run_id": given.run_id,
        "overrides": given.overrides,
        "valid": given.valid,
        "create_time_ms": given.create_time_ms,
        "last_update_time_ms": given.last_update_time_ms,
    }


def plain_span(span: Span) -> str:
    """A span as JSON text, in which NaN equals itself, with its attributes decoded."""
    told = dict(span.to_dict())
    told["attributes"] = {key: _decoded(value) for key, value in told["attributes"].items()}
    return json.dumps(told, sort_keys=True)


def _decoded(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text

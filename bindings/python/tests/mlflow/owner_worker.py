"""A process of `test_owner`: logs traces through the store until it is killed, and notes what was acknowledged."""

from __future__ import annotations

import logging
import random
import sys
import time
import warnings


def main(uri: str, acknowledged: str) -> None:
    """Logs traces of three spans; each line of the file is the id of one that `log_spans` has returned for."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from mlflow.entities.span import create_mlflow_span
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, TraceFlags

    from tracehouse.mlflow.store import TracehouseStore

    store = TracehouseStore(uri)
    with open(acknowledged, "a") as file:
        while True:
            digits = random.getrandbits(128)
            trace_id = f"tr-{digits:032x}"
            spans = []
            for number in range(3):
                context = SpanContext(digits, random.getrandbits(64), False, TraceFlags(1))
                start = time.time_ns()
                attributes = {"mlflow.traceRequestId": f'"{trace_id}"', "mlflow.spanInputs": '{"q": 1}'}
                made = ReadableSpan(
                    name=f"s{number}", context=context, start_time=start, end_time=start + 1_000, attributes=attributes
                )
                spans.append(create_mlflow_span(made, trace_id))
            store.log_spans("0", spans)
            file.write(trace_id + "\n")
            file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

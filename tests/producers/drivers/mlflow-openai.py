"""MLflow's autologging of the OpenAI client, exported as OTLP."""

import os

import _openai_scenarios as scenarios
import _setup as s

os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = s.RECEIVER_GRPC or f"{s.RECEIVER}/v1/traces"

import mlflow
from openai import OpenAI

mlflow.openai.autolog()
client = OpenAI()


@mlflow.trace(name="weather", span_type="AGENT")
def weather(question):
    mlflow.update_current_trace(
        tags={"plan": "free"}, metadata={"mlflow.trace.session": s.SESSION, "mlflow.trace.user": s.USER}
    )
    return scenarios.tool_loop(client)


weather(s.WEATHER)
scenarios.stream(client)
scenarios.responses(client)
scenarios.embeddings(client)
scenarios.error(client)
mlflow.flush_trace_async_logging()

"""MLflow's autologging of LangChain and LangGraph, exported as OTLP."""

import os

import _langchain_scenarios as scenarios
import _setup as s

os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = s.RECEIVER_GRPC or f"{s.RECEIVER}/v1/traces"

import mlflow

mlflow.langchain.autolog()
scenarios.agent()
scenarios.retrieval()
scenarios.error()
mlflow.flush_trace_async_logging()

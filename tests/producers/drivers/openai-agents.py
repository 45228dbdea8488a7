"""The OpenAI Agents SDK's own export (not OTLP)."""

import _agents_scenarios as scenarios
import _setup as s
from agents import set_trace_processors
from agents.tracing.processors import BackendSpanExporter, BatchTraceProcessor

processor = BatchTraceProcessor(BackendSpanExporter(endpoint=f"{s.RECEIVER}/v1/traces/ingest"))
set_trace_processors([processor])
scenarios.run()
processor.shutdown()

"""OpenLIT for the OpenAI and Anthropic clients."""

import json
from pathlib import Path

import _anthropic_scenarios as claude
import _openai_scenarios as scenarios
import _setup as s
import openlit

PRICES = {
    "chat": {
        "gpt-4o-mini": {"promptPrice": 0.00015, "completionPrice": 0.0006},
        "claude-sonnet-4-5-20250929": {"promptPrice": 0.003, "completionPrice": 0.015},
    }
}
prices = Path("prices.json").absolute()
prices.write_text(json.dumps(PRICES))
openlit.init(
    pricing_json=str(prices),
    otlp_endpoint=s.OTLP,
    application_name="openlit",
    environment="test",
    disable_metrics=True,
    capture_message_content=True,
)

from anthropic import Anthropic
from openai import OpenAI

client = OpenAI()
scenarios.tool_loop(client)
scenarios.stream(client)
scenarios.embeddings(client)
scenarios.error(client)
claude.tool_loop(Anthropic())

from opentelemetry import trace

trace.get_tracer_provider().force_flush()

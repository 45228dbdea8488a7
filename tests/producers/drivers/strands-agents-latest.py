"""Strands Agents' own spans in the latest conventions."""

import os

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental,gen_ai_tool_definitions"

import importlib

importlib.import_module("strands-agents")

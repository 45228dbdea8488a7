"""The Claude Agent SDK with detailed traces, which carry the texts."""

import importlib
import os

os.environ["ENABLE_BETA_TRACING_DETAILED"] = "1"
os.environ["BETA_TRACING_ENDPOINT"] = os.environ["RECEIVER"]
importlib.import_module("claude-agent-sdk")

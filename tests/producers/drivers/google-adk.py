"""Google ADK's own spans and log records."""

import _adk_scenarios as scenarios
import _setup as s

s.tracing()
s.logging()
scenarios.run()

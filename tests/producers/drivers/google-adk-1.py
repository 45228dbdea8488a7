"""Google ADK 1's own spans, which carry requests and answers of the model."""

import _adk_scenarios as scenarios
import _setup as s

s.tracing()
scenarios.run()

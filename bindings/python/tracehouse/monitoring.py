"""Registered scorers: what production is watched with, and how far each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracehouse._record import Record


@dataclass(slots=True)
class RegisteredScorer(Record):
    """A scorer that watches production."""

    name: str
    """The name of its scores; one of a name is registered."""
    version: str
    """Changes when the same trace may get another score."""
    definition: dict[str, Any]
    """What it is and with what settings."""
    filter: str
    """The traces that it judges; empty for all."""
    sample_rate: float
    """The share of them that it judges, above 0 up to 1."""
    active: bool
    """Whether it judges new traces."""
    registered_at_ns: int
    """When it was registered, Unix nanoseconds."""


@dataclass(slots=True)
class MonitorReport(Record):
    """What a registered scorer has done, and what waits for it."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    run_id: str | None
    """The run that collects its scores; `None` before its first trace."""
    waiting: int
    """Traces of its sample without a score."""
    judged: int
    """Traces with one."""
    errors: int
    """Of these, how many are errors."""
    cost_usd: float | None
    """What it cost so far, in US dollars."""
    waiting_cost_usd: float | None
    """What the waiting ones will cost, judged by the others."""

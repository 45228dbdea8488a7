"""Prompts: versioned templates. A `Prompt` is one version, as it was when it was read.

db.register_prompt("answer", "Answer in one sentence: {{question}}", aliases=["production"])
prompt = db.load_prompt("prompts:/answer@production")
prompt.format(question="How long do refunds take?")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracehouse import _native
from tracehouse._given import plain, record_of, refused
from tracehouse._record import Record, to_datetime

_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Prompt(Record):
    """One version of a prompt."""

    name: str
    """The prompt's name."""
    version: int
    """Its number, from 1."""
    template: str | list[dict[str, Any]]
    """A text, or the messages of a chat, with `{{variables}}`."""
    type: str = "text"
    """`text` or `chat`."""
    variables: list[str] = field(default_factory=list)
    """The variables of the template."""
    commit_message: str | None = None
    """Why this version."""
    tags: dict[str, str] = field(default_factory=dict)
    """The version's own tags."""
    aliases: list[str] = field(default_factory=list)
    """The aliases that name it."""
    response_format: dict[str, Any] | None = None
    """How the answer must look."""
    model_config: dict[str, Any] | None = None
    """Provider, model and its settings."""
    created_at_ns: int = 0
    """When it was registered, Unix nanoseconds."""

    @property
    def created_at(self) -> datetime:
        """When it was registered, UTC."""
        return to_datetime(self.created_at_ns)

    @property
    def uri(self) -> str:
        """`prompts:/NAME/VERSION`: what `Database.load_prompt` takes."""
        return f"prompts:/{self.name}/{self.version}"

    def format(self, **values: Any) -> Any:
        """The template with values in the places of its variables: a text, or a list of messages.

        Raises:
            InvalidInputError: a variable without a value, or a value without a variable.
        """
        given = {key: plain(value, key) for key, value in values.items()}
        with refused():
            return _native.format_prompt(self._native_form(), given)

    def _native_form(self) -> dict[str, Any]:
        form = self.to_dict()
        del form["variables"]
        return {key: value for key, value in form.items() if value is not None}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Prompt:
        """A version of the native module's dictionary."""
        return record_of(cls, given, type="text" if isinstance(given["template"], str) else "chat")

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"


@dataclass(slots=True)
class PromptInfo(Record):
    """A prompt without the templates of its versions."""

    name: str
    """Its name."""
    tags: dict[str, str]
    """Its own tags."""
    versions: list[int]
    """The versions that exist."""
    aliases: dict[str, int]
    """Which version each alias names."""
    last_version: int
    """The highest number ever given."""
    created_at_ns: int
    """When its first version was registered, Unix nanoseconds."""

    @property
    def created_at(self) -> datetime:
        """When its first version was registered, UTC."""
        return to_datetime(self.created_at_ns)


@dataclass(slots=True)
class PromptStats(Record):
    """The traces of one version of a prompt."""

    version: str
    """The version."""
    trace_count: int
    """Traces linked to it."""
    error_count: int
    """Of these, with the state `ERROR`."""
    cost_usd: float | None
    """What they cost together, in US dollars; `None` when none says."""
    tokens_mean: float | None
    """Tokens a trace, on average."""
    duration_p50_ns: float | None
    """Median of the time from start to end, nanoseconds."""
    duration_p95_ns: float | None
    """Its 95th percentile."""
    feedback: dict[str, float]
    """Means of feedback with numbers, and shares of feedback that is true, by name."""

    @property
    def duration_p50_ms(self) -> float | None:
        """Median of the time from start to end, milliseconds."""
        return None if self.duration_p50_ns is None else self.duration_p50_ns / _NS_PER_MS

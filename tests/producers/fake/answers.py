"""What the fake models say, whatever wire form asks.

Every answer is a function of the request alone, so that a recording can be repeated. Numbers of tokens
differ from each other, so that one can read off a recording which number went where:

  step                      input  of it cached  of it written to cache  output  of it reasoning
  first turn                  120            48                      16      30               10
  after a tool's answer       180            96                       0      40               12
  embeddings                    8
"""

import json
import re
from dataclasses import dataclass, field

FORECAST = "It is sunny in Paris, 21 °C."
REFUND = "Refunds take 14 days, says the policy."
GREETING = "Hello from the fake model."
REASONING = "The user asks about Paris, so the weather tool is the one to call."


@dataclass
class Ask:
    """A request, freed of its wire form."""

    model: str
    system: str = ""
    # (role, text) with role in user, assistant, tool; the system prompt stands apart
    messages: list = field(default_factory=list)
    # name -> JSON schema of the parameters
    tools: dict = field(default_factory=dict)
    schema: dict | None = None
    stream: bool = False
    # names of the tools that were called, oldest first, where the wire form tells
    called: list = field(default_factory=list)

    def question(self):
        return next((text for role, text in reversed(self.messages) if role == "user" and text), "")

    def is_after_tool(self):
        """Whether a tool that is still offered has answered: the answer to a hand-over counts for nothing."""
        is_tool_last = bool(self.messages) and self.messages[-1][0] == "tool"
        return is_tool_last and (not self.called or self.called[-1] in self.tools)


@dataclass
class Usage:
    input: int = 120
    cached: int = 48
    written: int = 16
    output: int = 30
    reasoning: int = 10

    @property
    def total(self):
        return self.input + self.output


@dataclass
class Answer:
    model: str
    text: str = ""
    # (id, name, arguments) of the tool that is called
    call: tuple | None = None
    usage: Usage = field(default_factory=Usage)
    number: int = 1
    # HTTP status and message of an answer that is an error
    error: tuple | None = None

    def chunks(self):
        """The text in three pieces, for streams."""
        third = max(1, len(self.text) // 3)
        return [self.text[:third], self.text[third : 2 * third], self.text[2 * third :]]


def answer(ask):
    question = ask.question()
    if "rate limit" in question.lower():
        return Answer(ask.model, error=(429, "Rate limit reached for requests"))
    if "bad request" in question.lower():
        return Answer(ask.model, error=(400, "Unsupported value: 'temperature' is too high"))
    # Agents without tool calling put the tool's answer into the conversation as text.
    is_after_tool = ask.is_after_tool() or any("Observation:" in (text or "") for _, text in ask.messages)
    usage = Usage(180, 96, 0, 40, 12) if is_after_tool else Usage()
    reply = Answer(ask.model, usage=usage, number=2 if is_after_tool else 1)
    reply.call = tool_call(ask, is_after_tool)
    if reply.call is None:
        reply.text = text(ask, is_after_tool)
    return reply


def everything(ask):
    return ask.system + "\n" + "\n".join(text or "" for _, text in ask.messages)


def spoken(ask):
    """The sentence that answers the question, without the form a framework asks for."""
    words = everything(ask).lower()
    if "refund" in words:
        return REFUND
    return FORECAST if "weather" in words else GREETING


def tool_call(ask, is_after_tool):
    """The one call of a turn: the weather tool first, a final-answer tool after its answer."""
    if not is_after_tool:
        wanted = "weather" if "weather" in everything(ask).lower() else "search"
        name = next((name for name in ask.tools if wanted in name.lower()), None)
        if name:
            return (call_id(name, ask), name, arguments(ask.tools[name], ask))
    final = next((name for name in ask.tools if re.search(r"final|submit|answer", name.lower())), None)
    if final:
        return (call_id(final, ask), final, arguments(ask.tools[final], ask))
    return None


def call_id(name, ask):
    """An id that no other call of the conversation has."""
    return f"call_{name[:20].lower()}_{len(ask.messages)}"


def arguments(schema, ask):
    """A value for each required (else each) parameter."""
    properties = (schema or {}).get("properties") or {"city": {"type": "string"}}
    required = (schema or {}).get("required") or list(properties)
    return {name: value_of(name, properties.get(name, {}), ask) for name in required}


def value_of(name, schema, ask):
    if schema.get("enum"):
        return schema["enum"][0]
    kind = str(schema.get("type", "string")).lower()
    if kind in ("integer", "number"):
        return 21
    if kind == "boolean":
        return True
    if kind == "array":
        return []
    if kind == "object":
        return {key: value_of(key, part, ask) for key, part in (schema.get("properties") or {}).items()}
    if name in ("city", "location", "place"):
        return "Paris"
    return "refund policy" if name in ("query", "question") else spoken(ask)


def text(ask, is_after_tool):
    """The answer in the form that the framework's prompt asks for."""
    prompt = everything(ask)
    if ask.schema:
        return json.dumps(value_of("", ask.schema, ask), ensure_ascii=False)
    if "[[ ## completed ## ]]" in prompt:
        return dspy_text(ask, is_after_tool)
    if "Final Answer:" in prompt:
        return react_text(ask, is_after_tool)
    return spoken(ask)


def dspy_text(ask, is_after_tool):
    """DSPy's chat adapter: each output field under its header."""
    section = ask.system.split("Your output fields are:")[-1].split("All interactions")[0]
    fields = re.findall(r"\d+\. `(\w+)`", section)
    last = ask.messages[-1][1] if ask.messages else ""
    is_done = "observation_0" in last
    values = {
        "next_thought": "The weather tool knows.",
        "next_tool_name": "finish" if is_done else "get_weather",
        "next_tool_args": "{}" if is_done else '{"city": "Paris"}',
        "reasoning": REASONING,
    }
    parts = [f"[[ ## {name} ## ]]\n{values.get(name, spoken(ask))}" for name in fields]
    return "\n\n".join(parts + ["[[ ## completed ## ]]"])


def react_text(ask, is_after_tool):
    """Thought, action, observation, as agents without tool calling have it."""
    tools = re.findall(r"Tool Name: (\S+)", everything(ask))
    if tools and not is_after_tool:
        return f'Thought: I need the weather.\nAction: {tools[0]}\nAction Input: {{"city": "Paris"}}\n'
    return f"Thought: I now can give a great answer\nFinal Answer: {spoken(ask)}"


def vector(text, size=8):
    """A small embedding, the same for the same text."""
    return [((sum(text.encode()) * (i + 3)) % 97) / 97 for i in range(size)]

"""Scenarios with the Anthropic client: a tool loop, thinking, a stream, an error."""

import _setup as s

MODEL = "claude-sonnet-4-5-20250929"


def tool_loop(client):
    system = [{"type": "text", "text": s.SYSTEM, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": s.WEATHER}]
    asked = client.messages.create(
        model=MODEL, max_tokens=200, system=system, messages=messages, tools=[s.ANTHROPIC_TOOL]
    )
    call = next(block for block in asked.content if block.type == "tool_use")
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in asked.content]})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": s.get_weather(**call.input)}
    messages.append({"role": "user", "content": [result]})
    final = client.messages.create(
        model=MODEL, max_tokens=200, system=system, messages=messages, tools=[s.ANTHROPIC_TOOL]
    )
    return final.content[0].text


def thinking(client):
    messages = [{"role": "user", "content": "Say hello."}]
    budget = {"type": "enabled", "budget_tokens": 1024}
    client.messages.create(model=MODEL, max_tokens=2000, thinking=budget, messages=messages)


def stream(client):
    messages = [{"role": "user", "content": "Say hello."}]
    with client.messages.stream(model=MODEL, max_tokens=200, messages=messages) as events:
        for _ in events:
            pass
    for _ in client.messages.create(model=MODEL, max_tokens=200, messages=messages, stream=True):
        pass


def error(client):
    messages = [{"role": "user", "content": s.RATE_LIMIT}]
    quick = client.with_options(max_retries=0)
    s.tolerant(lambda: quick.messages.create(model=MODEL, max_tokens=200, messages=messages))


def all_of(client):
    text = tool_loop(client)
    thinking(client)
    stream(client)
    error(client)
    return text

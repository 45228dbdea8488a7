"""Scenarios with the OpenAI client: a tool loop, a stream, responses, embeddings, an error."""

import json

import _setup as s


def tool_loop(client, model="gpt-4o-mini"):
    messages = [{"role": "system", "content": s.SYSTEM}, {"role": "user", "content": s.WEATHER}]
    asked = client.chat.completions.create(
        model=model, messages=messages, tools=[s.OPENAI_TOOL], temperature=0.2, user=s.USER
    )
    message = asked.choices[0].message
    call = message.tool_calls[0]
    messages.append(message.model_dump(include={"role", "content", "tool_calls"}))
    result = s.get_weather(**json.loads(call.function.arguments))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return (
        client.chat.completions.create(model=model, messages=messages, tools=[s.OPENAI_TOOL]).choices[0].message.content
    )


def image(client, model="gpt-4o-mini"):
    parts = [
        {"type": "text", "text": "Say hello to this picture."},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": parts}])


def stream(client, model="gpt-4o-mini"):
    options = {"include_usage": True}
    messages = [{"role": "user", "content": "Say hello."}]
    for _ in client.chat.completions.create(model=model, messages=messages, stream=True, stream_options=options):
        pass


def responses(client, model="gpt-5-mini"):
    tool = {"type": "function", "strict": False, **s.OPENAI_TOOL["function"]}
    asked = client.responses.create(model=model, instructions=s.SYSTEM, input=s.WEATHER, tools=[tool])
    call = next(item for item in asked.output if item.type == "function_call")
    items = [{"role": "user", "content": s.WEATHER}, *(item.model_dump(exclude_none=True) for item in asked.output)]
    items.append(
        {"type": "function_call_output", "call_id": call.call_id, "output": s.get_weather(**json.loads(call.arguments))}
    )
    client.responses.create(model=model, instructions=s.SYSTEM, input=items, tools=[tool])


def embeddings(client):
    client.embeddings.create(model="text-embedding-3-small", input=s.DOCUMENTS)


def error(client, model="gpt-4o-mini"):
    messages = [{"role": "user", "content": s.RATE_LIMIT}]
    s.tolerant(lambda: client.with_options(max_retries=0).chat.completions.create(model=model, messages=messages))

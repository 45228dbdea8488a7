"""Scenarios with Amazon Bedrock's runtime: Converse with a tool, its stream, InvokeModel, an error."""

import json

import _setup as s

MODEL = "anthropic.claude-3-5-sonnet-20240620-v1:0"
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "Get the current weather.",
                "inputSchema": {"json": s.WEATHER_SCHEMA},
            }
        }
    ]
}


def client():
    import boto3
    from botocore.config import Config

    return boto3.client("bedrock-runtime", endpoint_url=s.MODELS, config=Config(retries={"max_attempts": 1}))


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def tool_loop(bedrock):
    messages = [user(s.WEATHER)]
    options = {
        "modelId": MODEL,
        "system": [{"text": s.SYSTEM}],
        "toolConfig": TOOLS,
        "inferenceConfig": {"temperature": 0.2},
    }
    asked = bedrock.converse(messages=messages, **options)["output"]["message"]
    use = asked["content"][0]["toolUse"]
    result = {"toolUseId": use["toolUseId"], "content": [{"text": s.get_weather(**use["input"])}]}
    messages += [asked, {"role": "user", "content": [{"toolResult": result}]}]
    return bedrock.converse(messages=messages, **options)["output"]["message"]["content"][0]["text"]


def stream(bedrock):
    for _ in bedrock.converse_stream(modelId=MODEL, messages=[user("Say hello.")])["stream"]:
        pass


def invoke(bedrock):
    messages = [{"role": "user", "content": "Say hello."}]
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200, "messages": messages}
    json.loads(bedrock.invoke_model(modelId=MODEL, body=json.dumps(body))["body"].read())


def error(bedrock):
    s.tolerant(lambda: bedrock.converse(modelId=MODEL, messages=[user(s.RATE_LIMIT)]))


def all_of(bedrock):
    tool_loop(bedrock)
    stream(bedrock)
    invoke(bedrock)
    error(bedrock)

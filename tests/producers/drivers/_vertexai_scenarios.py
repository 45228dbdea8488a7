"""Scenarios with the Vertex AI client over REST: a tool loop, a stream."""

import json

import _setup as s


def run(with_tools=True):
    import vertexai
    from google.auth.credentials import AnonymousCredentials
    from vertexai.generative_models import Content, FunctionDeclaration, GenerativeModel, Part, Tool

    vertexai.init(
        project="project",
        location="us-central1",
        api_endpoint=s.MODELS,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    declaration = FunctionDeclaration(
        name="get_weather", description="Get the current weather.", parameters=s.WEATHER_SCHEMA
    )
    tools = [Tool(function_declarations=[declaration])] if with_tools else None
    model = GenerativeModel("gemini-2.5-flash", system_instruction=s.SYSTEM, tools=tools)
    contents = [Content(role="user", parts=[Part.from_text(s.WEATHER)])]
    if not with_tools:
        model.generate_content(s.WEATHER)
        return
    asked = model.generate_content(contents).candidates[0].content
    call = asked.parts[0].function_call
    result = Part.from_function_response(name=call.name, response=json.loads(s.get_weather(**dict(call.args))))
    model.generate_content([*contents, asked, Content(role="user", parts=[result])])

"""Scenarios with the Google Gen AI client: a tool loop, a stream, embeddings, an error."""

import _setup as s

MODEL = "gemini-2.5-flash"


def client(**options):
    from google import genai
    from google.genai import types

    http = types.HttpOptions(base_url=s.MODELS, retry_options=types.HttpRetryOptions(attempts=1))
    return genai.Client(api_key="fake", http_options=http, **options)


def config():
    from google.genai import types

    declaration = types.FunctionDeclaration(
        name="get_weather", description="Get the current weather.", parameters_json_schema=s.WEATHER_SCHEMA
    )
    return types.GenerateContentConfig(
        system_instruction=s.SYSTEM, tools=[types.Tool(function_declarations=[declaration])], temperature=0.2
    )


def tool_loop(gemini):
    from google.genai import types

    contents = [types.Content(role="user", parts=[types.Part(text=s.WEATHER)])]
    asked = gemini.models.generate_content(model=MODEL, contents=contents, config=config())
    call = asked.function_calls[0]
    contents.append(asked.candidates[0].content)
    part = types.Part.from_function_response(name=call.name, response={"result": s.get_weather(**call.args)})
    contents.append(types.Content(role="user", parts=[part]))
    return gemini.models.generate_content(model=MODEL, contents=contents, config=config()).text


def automatic_tools(gemini):
    """The client itself calls the function."""
    from google.genai import types

    options = types.GenerateContentConfig(tools=[s.get_weather])
    return gemini.models.generate_content(model=MODEL, contents=s.WEATHER, config=options).text


def stream(gemini):
    for _ in gemini.models.generate_content_stream(model=MODEL, contents="Say hello."):
        pass


def embeddings(gemini):
    gemini.models.embed_content(model="gemini-embedding-001", contents=s.DOCUMENTS)


def error(gemini):
    s.tolerant(lambda: gemini.models.generate_content(model=MODEL, contents=s.RATE_LIMIT))


def all_of(gemini):
    tool_loop(gemini)
    automatic_tools(gemini)
    stream(gemini)
    embeddings(gemini)
    error(gemini)

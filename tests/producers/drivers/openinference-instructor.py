"""OpenInference for instructor: an object of a schema from the OpenAI client."""

import _setup as s
import instructor
from openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.instructor import InstructorInstrumentor
from pydantic import BaseModel

InstructorInstrumentor().instrument(tracer_provider=s.tracing())


class Weather(BaseModel):
    city: str


client = instructor.from_openai(OpenAI())
with using_attributes(session_id=s.SESSION, user_id=s.USER, tags=["demo"]):
    client.chat.completions.create(
        model="gpt-4o-mini", response_model=Weather, messages=[{"role": "user", "content": s.WEATHER}]
    )

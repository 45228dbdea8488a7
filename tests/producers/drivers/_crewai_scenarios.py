"""A crew of one agent with one task and a tool."""

import _setup as s


def crew():
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    @tool("get_weather")
    def get_weather(city: str) -> str:
        """Get the current weather of a city."""
        return s.get_weather(city)

    llm = LLM(model="openai/gpt-4o-mini", base_url=f"{s.MODELS}/v1", api_key="fake", temperature=0.2)
    agent = Agent(
        role="Forecaster", goal="Tell the weather", backstory="You know the sky.", llm=llm, tools=[get_weather]
    )
    task = Task(description="What is the weather in {city}?", expected_output="One sentence.", agent=agent)
    return Crew(agents=[agent], tasks=[task], name="weather crew").kickoff(inputs={"city": "Paris"})

"""A scenario with the OpenAI Agents SDK: an agent hands over to another, which calls a tool; a guardrail."""

import _setup as s


def run():
    from agents import Agent, GuardrailFunctionOutput, RunConfig, Runner, function_tool, input_guardrail

    @input_guardrail
    def polite(context, agent, question) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info={"polite": True}, tripwire_triggered=False)

    forecaster = Agent(
        name="Forecaster", instructions=s.SYSTEM, model="gpt-5-mini", tools=[function_tool(s.get_weather)]
    )
    # The fake model calls the one tool whose name says weather: here the hand-over.
    triage = Agent(
        name="Triage",
        instructions=s.SYSTEM,
        model="gpt-5-mini",
        handoffs=[weather_handoff(forecaster)],
        input_guardrails=[polite],
    )
    config = RunConfig(workflow_name="weather", group_id=s.SESSION, trace_metadata={"user": s.USER})
    return Runner.run_sync(triage, s.WEATHER, run_config=config).final_output


def weather_handoff(agent):
    from agents import handoff

    return handoff(
        agent, tool_name_override="transfer_to_weather_agent", tool_description_override="Hand over weather questions."
    )

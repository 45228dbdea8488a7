// OpenInference for LangChain of JavaScript: an agent with a tool, a chain, an error.

import { context } from '@opentelemetry/api';
import { LangChainInstrumentation } from '@arizeai/openinference-instrumentation-langchain';
import { setSession, setUser } from '@arizeai/openinference-core';
import * as callbacks from '@langchain/core/callbacks/manager';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate } from '@langchain/core/prompts';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent, tool } from 'langchain';
import { z } from 'zod';
import * as s from './_setup.mjs';

const sdk = s.tracing();
new LangChainInstrumentation().manuallyInstrument(callbacks);
const model = new ChatOpenAI({ model: 'gpt-4o-mini', temperature: 0.2, maxRetries: 0, apiKey: 'fake', configuration: { baseURL: `${s.MODELS}/v1` } });
const config = { metadata: { session_id: s.SESSION, user_id: s.USER, plan: 'free' }, tags: ['demo'] };
const getWeather = tool(async input => JSON.stringify(s.getWeather(input)), {
  name: 'get_weather',
  description: 'Get the current weather.',
  schema: z.object({ city: z.string() }),
});

async function all() {
  const prompt = ChatPromptTemplate.fromMessages([['system', s.SYSTEM], ['human', '{question}']]);
  await prompt.pipe(model).pipe(new StringOutputParser()).invoke({ question: 'Say hello.' }, config);
  const agent = createAgent({ model, tools: [getWeather], systemPrompt: s.SYSTEM, name: 'assistant' });
  await agent.invoke({ messages: [{ role: 'user', content: s.WEATHER }] }, config);
  await s.tolerant(() => model.invoke(s.RATE_LIMIT, config));
}

await context.with(setUser(setSession(context.active(), { sessionId: s.SESSION }), { userId: s.USER }), all);
await sdk.shutdown();

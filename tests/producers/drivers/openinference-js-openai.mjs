// OpenInference for the OpenAI client of JavaScript.

import { context } from '@opentelemetry/api';
import { OpenAIInstrumentation } from '@arizeai/openinference-instrumentation-openai';
import { setSession, setUser } from '@arizeai/openinference-core';
import OpenAI from 'openai';
import * as s from './_setup.mjs';

const sdk = s.tracing();
const instrumentation = new OpenAIInstrumentation();
instrumentation.manuallyInstrument(OpenAI);
const client = new OpenAI({ apiKey: 'fake', baseURL: `${s.MODELS}/v1`, maxRetries: 0 });
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const weather = { name: 'get_weather', description: 'Get the current weather.', parameters: schema };
const model = 'gpt-4o-mini';

async function all() {
  const messages = [{ role: 'system', content: s.SYSTEM }, { role: 'user', content: s.WEATHER }];
  const tools = [{ type: 'function', function: weather }];
  const asked = await client.chat.completions.create({ model, messages, tools });
  const { message } = asked.choices[0];
  const call = message.tool_calls[0];
  const content = JSON.stringify(s.getWeather(JSON.parse(call.function.arguments)));
  await client.chat.completions.create({ model, messages: [...messages, message, { role: 'tool', tool_call_id: call.id, content }], tools });
  const stream = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Say hello.' }], stream: true, stream_options: { include_usage: true } });
  for await (const _ of stream);
  await client.responses.create({ model: 'gpt-5-mini', instructions: s.SYSTEM, input: s.WEATHER, tools: [{ type: 'function', strict: false, ...weather }] });
  await client.embeddings.create({ model: 'text-embedding-3-small', input: s.DOCUMENTS });
  await s.tolerant(() => client.chat.completions.create({ model, messages: [{ role: 'user', content: s.RATE_LIMIT }] }));
}

await context.with(setUser(setSession(context.active(), { sessionId: s.SESSION }), { userId: s.USER }), all);
await sdk.shutdown();

// Scenarios with the Vercel AI SDK: a tool loop, a stream, an object, embeddings, an error.

import { createOpenAI } from '@ai-sdk/openai';
import { embed, embedMany, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import * as s from './_setup.mjs';

export async function allOf(telemetry) {
  const openai = createOpenAI({ baseURL: `${s.MODELS}/v1`, apiKey: 'fake' });
  const model = openai.chat('gpt-4o-mini');
  const weather = tool({
    description: 'Get the current weather.',
    inputSchema: z.object({ city: z.string() }),
    execute: async input => s.getWeather(input),
  });
  await generateText({ model, system: s.SYSTEM, prompt: s.WEATHER, tools: { get_weather: weather }, stopWhen: stepCountIs(3), temperature: 0.2, ...telemetry('weather') });
  const parts = [{ type: 'text', text: 'Say hello to this picture.' }, { type: 'image', image: new URL('data:image/png;base64,iVBORw0KGgo=') }];
  await generateText({ model: openai.responses('gpt-5-mini'), messages: [{ role: 'user', content: parts }], ...telemetry('responses') });
  const stream = streamText({ model, prompt: 'Say hello.', ...telemetry('stream') });
  await stream.consumeStream();
  const schema = z.object({ city: z.string(), summary: z.string() });
  await generateObject({ model, schema, prompt: 'What is the weather of Paris as an object?', ...telemetry('object') });
  const embedding = openai.embedding ? openai.embedding('text-embedding-3-small') : openai.textEmbeddingModel('text-embedding-3-small');
  await embed({ model: embedding, value: s.DOCUMENTS[0], ...telemetry('embed') });
  await embedMany({ model: embedding, values: s.DOCUMENTS, ...telemetry('embed-many') });
  await s.tolerant(() => generateText({ model, prompt: s.RATE_LIMIT, maxRetries: 0, ...telemetry('error') }));
}

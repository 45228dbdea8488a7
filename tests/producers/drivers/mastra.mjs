// Mastra's spans through its OTLP exporter.

import { createOpenAI } from '@ai-sdk/openai';
import { Agent } from '@mastra/core/agent';
import { Mastra } from '@mastra/core';
import { createTool } from '@mastra/core/tools';
import { Observability } from '@mastra/observability';
import { OtelExporter } from '@mastra/otel-exporter';
import { z } from 'zod';

const exporter = new OtelExporter({ provider: { custom: { endpoint: `${process.env.RECEIVER}/v1/traces`, protocol: 'http/protobuf' } } });
const observability = new Observability({ configs: { otel: { serviceName: 'mastra', exporters: [exporter] } } });
const openai = createOpenAI({ baseURL: `${process.env.FAKE_MODELS}/v1`, apiKey: 'fake' });
const weather = createTool({
  id: 'get_weather',
  description: 'Get the current weather.',
  inputSchema: z.object({ city: z.string() }),
  execute: async input => ({ city: input.city ?? input.context?.city, temperature: 21, sky: 'sunny' }),
});
const forecaster = new Agent({ id: 'forecaster', name: 'forecaster', instructions: 'You are a helpful assistant.', model: openai.chat('gpt-4o-mini'), tools: { get_weather: weather } });
const mastra = new Mastra({ agents: { forecaster }, observability });
const options = { tracingOptions: { metadata: { sessionId: 'session-1', userId: 'user-1', plan: 'free' }, tags: ['demo'] } };
const result = await mastra.getAgent('forecaster').generate('What is the weather in Paris?', options);
console.log(result.text);
await observability.shutdown?.();
process.exit(0);

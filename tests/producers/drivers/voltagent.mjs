// VoltAgent's own spans, through its observability and an OTLP exporter.

import { createOpenAI } from '@ai-sdk/openai';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Agent, createTool, createVoltAgentObservability } from '@voltagent/core';
import { z } from 'zod';

const processor = new BatchSpanProcessor(new OTLPTraceExporter({ url: `${process.env.RECEIVER}/v1/traces` }));
const observability = createVoltAgentObservability({ serviceName: 'voltagent', spanProcessors: [processor] });
const openai = createOpenAI({ baseURL: `${process.env.FAKE_MODELS}/v1`, apiKey: 'fake' });
const weather = createTool({
  name: 'get_weather',
  description: 'Get the current weather.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, temperature: 21, sky: 'sunny' }),
});
const agent = new Agent({ name: 'forecaster', instructions: 'You are a helpful assistant.', model: openai.chat('gpt-4o-mini'), tools: [weather], observability });
const result = await agent.generateText('What is the weather in Paris?', { userId: 'user-1', conversationId: 'session-1' });
console.log(result.text);
await observability.forceFlush?.();
await processor.forceFlush();
process.exit(0);

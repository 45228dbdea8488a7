// Genkit's own spans, sent by OpenTelemetry's SDK.

import { openAI } from '@genkit-ai/compat-oai/openai';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { enableTelemetry } from 'genkit/tracing';
import { genkit, z } from 'genkit';

const processor = new BatchSpanProcessor(new OTLPTraceExporter({ url: `${process.env.RECEIVER}/v1/traces` }));
await enableTelemetry({ serviceName: 'genkit', spanProcessors: [processor] });
const ai = genkit({ plugins: [openAI({ apiKey: 'fake', baseURL: `${process.env.FAKE_MODELS}/v1` })] });
const weather = ai.defineTool(
  { name: 'get_weather', description: 'Get the current weather.', inputSchema: z.object({ city: z.string() }) },
  async ({ city }) => ({ city, temperature: 21, sky: 'sunny' }),
);
const flow = ai.defineFlow({ name: 'weather', inputSchema: z.string() }, async question => {
  const { text } = await ai.generate({ model: openAI.model('gpt-4o-mini'), system: 'You are a helpful assistant.', prompt: question, tools: [weather] });
  return text;
});
console.log(await flow('What is the weather in Paris?'));
await processor.forceFlush();
process.exit(0);

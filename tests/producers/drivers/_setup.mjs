// What the JavaScript drivers share: an exporter to the receiver, the fake models, the questions.

import { NodeSDK } from '@opentelemetry/sdk-node';

export const MODELS = process.env.FAKE_MODELS;
export const RECEIVER = process.env.RECEIVER;
const way = process.env.RECEIVER_GRPC ? 'grpc' : 'proto';
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${way}`);
export const SESSION = 'session-1';
export const USER = 'user-1';
export const SYSTEM = 'You are a helpful assistant.';
export const WEATHER = 'What is the weather in Paris?';
export const RATE_LIMIT = 'Please run into the rate limit.';
export const DOCUMENTS = ['Refunds take 14 days, says the policy.', 'Shipping is free above 50 euros.'];

export function getWeather({ city }) {
  return { city, temperature: 21, sky: 'sunny' };
}

export function tracing(options = {}) {
  const sdk = new NodeSDK({ traceExporter: new OTLPTraceExporter(), instrumentations: [], ...options });
  sdk.start();
  return sdk;
}

export async function tolerant(call) {
  try {
    await call();
  } catch (error) {
    console.log(`expected: ${error.name}`);
    return;
  }
  throw new Error('the scenario should have failed');
}

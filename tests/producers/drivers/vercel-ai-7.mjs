// Vercel AI SDK 7 with @ai-sdk/otel.

import { OpenTelemetry } from '@ai-sdk/otel';
import { registerTelemetry } from 'ai';
import { allOf } from './_vercel_scenarios.mjs';
import * as s from './_setup.mjs';

const sdk = s.tracing();
registerTelemetry(new OpenTelemetry({ runtimeContext: true }));
const context = { sessionId: s.SESSION, userId: s.USER, plan: 'free' };
const included = { sessionId: true, userId: true, plan: true };
await allOf(functionId => ({ runtimeContext: context, telemetry: { functionId, includeRuntimeContext: included } }));
await sdk.shutdown();

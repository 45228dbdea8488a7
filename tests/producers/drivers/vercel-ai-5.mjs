// Vercel AI SDK 5 with experimental_telemetry.

import { allOf } from './_vercel_scenarios.mjs';
import * as s from './_setup.mjs';

const sdk = s.tracing();
const metadata = { sessionId: s.SESSION, userId: s.USER, tags: ['demo'], plan: 'free' };
await allOf(functionId => ({ experimental_telemetry: { isEnabled: true, functionId, metadata } }));
await sdk.shutdown();

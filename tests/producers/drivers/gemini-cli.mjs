// Gemini CLI without a terminal, which sends traces and log records itself.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const manifest = createRequire(import.meta.url).resolve('@google/gemini-cli/package.json');
const { bin } = createRequire(import.meta.url)('@google/gemini-cli/package.json');
const program = join(dirname(manifest), typeof bin === 'string' ? bin : bin.gemini);
const variables = {
  GEMINI_API_KEY: 'fake',
  GEMINI_DEFAULT_AUTH_TYPE: 'gemini-api-key',
  GEMINI_TELEMETRY_ENABLED: 'true',
  GEMINI_TELEMETRY_TRACES_ENABLED: 'true',
  GEMINI_TELEMETRY_TARGET: 'local',
  GEMINI_TELEMETRY_OTLP_ENDPOINT: process.env.RECEIVER_GRPC || process.env.RECEIVER,
  GEMINI_TELEMETRY_OTLP_PROTOCOL: process.env.RECEIVER_GRPC ? 'grpc' : 'http',
  GEMINI_TELEMETRY_LOG_PROMPTS: 'true',
  GEMINI_CLI_TRUST_WORKSPACE: 'true',
};
const folder = join(process.env.HOME, '.gemini');
mkdirSync(folder);
const settings = { security: { auth: { selectedType: 'gemini-api-key' } }, tools: { core: ['ReadFileTool'] } };
writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
writeFileSync(join(folder, 'system.md'), 'You are a helpful assistant.');
variables.GEMINI_SYSTEM_MD = join(folder, 'system.md');
const options = { env: { ...process.env, ...variables }, stdio: ['ignore', 'inherit', 'inherit'], timeout: 120000 };
execFileSync(process.execPath, [program, '--model', 'gemini-2.5-flash', '--prompt', 'What is the weather in Paris?'], options);

// Codex CLI without a terminal, which sends log records itself (its traces are of its own internals, hundreds of spans a turn).

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const manifest = require.resolve('@openai/codex/package.json');
const { bin } = require('@openai/codex/package.json');
const program = join(dirname(manifest), typeof bin === 'string' ? bin : bin.codex);
const folder = join(process.env.HOME, '.codex');
mkdirSync(folder);
const { RECEIVER, RECEIVER_GRPC } = process.env;
const exporter = signal => RECEIVER_GRPC
  ? `{ otlp-grpc = { endpoint = "${RECEIVER_GRPC}" } }`
  : `{ otlp-http = { endpoint = "${RECEIVER}/v1/${signal}", protocol = "binary" } }`;
const config = `
model = "gpt-5-mini"
model_provider = "fake"
[model_providers.fake]
name = "fake"
base_url = "${process.env.FAKE_MODELS}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
[otel]
environment = "test"
log_user_prompt = true
exporter = ${exporter('logs')}
`;
writeFileSync(join(folder, 'config.toml'), config);
const options = { stdio: ['ignore', 'inherit', 'inherit'], timeout: 60000 };
execFileSync(process.execPath, [program, 'exec', '--skip-git-repo-check', '--sandbox', 'read-only', 'Say hello.'], options);

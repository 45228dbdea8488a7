// An application under OpenTelemetry's SDK for Node: spans and GenAI log records, sent by the exporters of one way.
//
//     node send.js WAY COMPRESSION ENDPOINT        WAY is proto, json or grpc; COMPRESSION is none or gzip
//
// It says `ready`, waits for a line on standard input, works, and says what it recorded as one JSON document. Whatever
// the SDK tells as an error goes to standard error, and the exit code is then 1. `NODE_PATH` is where the packages are.
"use strict";

const readline = require("node:readline/promises");
const { DiagLogLevel, SpanKind, SpanStatusCode, diag, trace } = require("@opentelemetry/api");
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const EXPORTERS = {
  proto: ["@opentelemetry/exporter-trace-otlp-proto", "@opentelemetry/exporter-logs-otlp-proto"],
  json: ["@opentelemetry/exporter-trace-otlp-http", "@opentelemetry/exporter-logs-otlp-http"],
  grpc: ["@opentelemetry/exporter-trace-otlp-grpc", "@opentelemetry/exporter-logs-otlp-grpc"],
};
const COMPRESSIONS = ["none", "gzip"];
const QUESTIONS = 30;
// Longer than a server is busy in any test; an export that takes so long has failed.
const EXPORT_TIMEOUT_MS = 120_000;

// What the processors got, in the form of the tests: times in nanoseconds since 1970, as texts.
const recorded = { resource: {}, spans: [], logs: [] };

function nanoseconds([seconds, nanos]) {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
}

const spanRecorder = {
  onStart() {},
  onEnd(span) {
    const { traceId, spanId } = span.spanContext();
    recorded.resource = span.resource.attributes;
    recorded.spans.push({
      trace_id: traceId,
      span_id: spanId,
      parent_span_id: span.parentSpanContext?.spanId ?? null,
      name: span.name,
      kind: SpanKind[span.kind],
      status: SpanStatusCode[span.status.code],
      status_message: span.status.message || null,
      start_time: nanoseconds(span.startTime),
      end_time: nanoseconds(span.endTime),
      scope: [span.instrumentationScope.name, span.instrumentationScope.version],
      attributes: span.attributes,
      events: span.events.map(({ name, time, attributes }) => ({
        name,
        time: nanoseconds(time),
        attributes: attributes ?? {},
      })),
      links: span.links.map(({ context, attributes }) => ({
        trace_id: context.traceId,
        span_id: context.spanId,
        attributes: attributes ?? {},
      })),
    });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

const logRecorder = {
  onEmit({ spanContext, eventName, hrTime, severityNumber, attributes }) {
    recorded.logs.push({
      trace_id: spanContext.traceId,
      span_id: spanContext.spanId,
      name: eventName,
      time: nanoseconds(hrTime),
      severity_number: severityNumber,
      attributes,
    });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

// The providers whose exporters send by one way. Batches are small, so that there are several requests.
function providers(way, compression, endpoint) {
  const [{ OTLPTraceExporter }, { OTLPLogExporter }] = EXPORTERS[way].map(require);
  const options = (path) => ({
    url: way === "grpc" ? endpoint : `${endpoint}${path}`,
    compression,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const batches = { maxExportBatchSize: 32, exportTimeoutMillis: EXPORT_TIMEOUT_MS };
  const resource = resourceFromAttributes({ "service.name": "loja-☂", "service.version": "1.2" });
  const spanExporter = new OTLPTraceExporter(options("/v1/traces"));
  const tracing = new NodeTracerProvider({
    resource,
    spanProcessors: [spanRecorder, new BatchSpanProcessor(spanExporter, batches)],
  });
  const exporter = new OTLPLogExporter(options("/v1/logs"));
  const logging = new LoggerProvider({
    resource,
    processors: [logRecorder, new BatchLogRecordProcessor({ exporter, ...batches })],
  });
  return { tracing, logging };
}

// One step of an answer: the span is current while it is worked on, and others go on meanwhile.
function step(tracer, name, options, work) {
  return tracer.startActiveSpan(name, options, async (span) => {
    await new Promise(setImmediate);
    await work(span);
    span.end();
  });
}

async function chat(tracer, logger, number) {
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.25,
    "gen_ai.usage.input_tokens": 12 + number,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.response.finish_reasons": ["stop"],
  };
  await step(tracer, "chat gpt-4o", { kind: SpanKind.CLIENT, attributes }, (span) => {
    span.addEvent("first token", { index: 0, text: "Ça – \"oui\"\n\t\\ 🌧\0" });
    span.addEvent("no attributes");
    span.setStatus({ code: SpanStatusCode.OK });
    logger.emit({
      eventName: "gen_ai.client.inference.operation.details",
      severityNumber: SeverityNumber.INFO,
      attributes: {
        "gen_ai.input.messages": [
          { role: "user", parts: [{ type: "text", content: `Is it raining in 東京 №${number}?` }] },
        ],
        "gen_ai.output.messages": [
          { role: "assistant", parts: [{ type: "text", content: "Yes: 🌧" }], finish_reason: "stop" },
        ],
      },
    });
  });
}

async function search(tracer, number, asked) {
  const attributes = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "search",
    empty: "",
    yes: true,
    no: false,
    largest: Number.MAX_SAFE_INTEGER,
    negative: -number,
    smallest: 5e-324,
    fractions: [0.5, -1.25e-7, 3.75],
    numbers: [1, 2, 3],
    flags: [true, false],
    "words of several": ["eins", "zwei 二", ""],
    holes: ["a", null, "c"],
    "none of them": [],
  };
  const links = asked.map((context, index) => ({ context, attributes: { index, reason: "follows “it”" } }));
  await step(tracer, "execute_tool search", { attributes, links }, (span) => {
    if (number % 3 === 0) {
      span.recordException(new TypeError("no answer for 東京"));
      span.setStatus({ code: SpanStatusCode.ERROR, message: "no answer – ∅" });
    }
  });
}

// An agent that is asked many questions at once; each links to the one before.
async function work(tracer, logger) {
  let before = [];
  const answers = Array.from({ length: QUESTIONS }, (_, number) => {
    const attributes = {
      "gen_ai.operation.name": "invoke_agent",
      "input.value": `question ${number}: 東京は雨? 👩🏽‍🚀`,
      "session.id": `session ${number % 4}`,
      "user.id": "ü1",
    };
    return step(tracer, `invoke_agent météo`, { kind: SpanKind.SERVER, attributes }, async (span) => {
      const asked = before;
      before = [span.spanContext()];
      await Promise.all([chat(tracer, logger, number), search(tracer, number, asked)]);
      span.setAttribute("output.value", "oui");
      if (number % 3 === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: "" });
    });
  });
  await Promise.all(answers);
}

async function main([way, compression, endpoint]) {
  if (!EXPORTERS[way] || !COMPRESSIONS.includes(compression) || !endpoint) {
    throw new Error("usage: node send.js proto|json|grpc none|gzip ENDPOINT");
  }
  const tell = (...words) => {
    console.error(...words);
    process.exitCode = 1;
  };
  const quiet = () => {};
  diag.setLogger({ error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  const { tracing, logging } = providers(way, compression, endpoint);
  tracing.register();
  console.log("ready");
  const lines = readline.createInterface({ input: process.stdin });
  await new Promise((resolve) => lines.once("line", resolve));
  lines.close();
  await work(trace.getTracer("tests", "1.0"), logging.getLogger("tests", "1.0"));
  const ended = await Promise.allSettled([tracing.shutdown(), logging.shutdown()]);
  ended.filter(({ status }) => status === "rejected").forEach(({ reason }) => tell(reason));
  console.log(JSON.stringify(recorded));
}

main(process.argv.slice(2));

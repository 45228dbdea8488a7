//! An application under OpenTelemetry's SDK for Rust: an agent that is asked, asks a model and searches.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    Compression, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use tokio::runtime::Runtime;

use crate::server::client::Serving;

const QUESTIONS: usize = 30;
/// Longer than a server is busy in any test; an export that takes so long has failed.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(120);

/// By what an exporter sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Http,
    Grpc,
}

fn exporter(server: &Serving, way: Way, compression: Option<Compression>) -> SpanExporter {
    match way {
        Way::Http => {
            let builder = SpanExporter::builder()
                .with_http()
                .with_endpoint(format!("http://{}/v1/traces", server.http))
                .with_timeout(EXPORT_TIMEOUT);
            match compression {
                Some(compression) => builder.with_compression(compression).build(),
                None => builder.build(),
            }
        }
        Way::Grpc => {
            let builder = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(format!("http://{}", server.grpc))
                .with_timeout(EXPORT_TIMEOUT);
            match compression {
                Some(compression) => builder.with_compression(compression).build(),
                None => builder.build(),
            }
        }
    }
    .unwrap()
}

/// Keeps the spans that end.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Recorder {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// An application under the SDK, with the runtime that its exporter sends from.
pub struct Application {
    provider: SdkTracerProvider,
    recorder: Recorder,
    _runtime: Runtime,
}

impl Application {
    /// Batches are small, so that there are several requests.
    pub fn new(server: &Serving, way: Way, compression: Option<Compression>) -> Self {
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let config = BatchConfigBuilder::default()
            .with_max_export_batch_size(32)
            .with_max_export_timeout(EXPORT_TIMEOUT);
        let batches = BatchSpanProcessor::builder(exporter(server, way, compression), Tokio)
            .with_batch_config(config.build())
            .build();
        let recorder = Recorder::default();
        let resource = Resource::builder_empty().with_attributes(resource());
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_span_processor(recorder.clone())
            .with_span_processor(batches)
            .build();
        drop(entered);
        Self {
            provider,
            recorder,
            _runtime: runtime,
        }
    }

    /// Is asked many questions at once, and sends what it recorded.
    pub fn work(&self) {
        let tracer = self.provider.tracer("tests");
        let first = ask(&tracer, 0, None);
        std::thread::scope(|scope| {
            for number in 1..QUESTIONS {
                let (tracer, first) = (&tracer, first.clone());
                scope.spawn(move || ask(tracer, number, Some(first)));
            }
        });
        self.provider.force_flush().unwrap();
    }

    /// The spans that it recorded.
    pub fn recorded(&self) -> Vec<SpanData> {
        let spans = self.recorder.0.lock().unwrap().clone();
        assert_eq!(spans.len(), 3 * QUESTIONS);
        spans
    }
}

/// What it says of itself.
pub fn resource() -> [KeyValue; 2] {
    [
        KeyValue::new("service.name", "loja-☂"),
        KeyValue::new("service.version", "1.2"),
    ]
}

/// An agent that asks a model, and searches; it follows another one.
fn ask(tracer: &SdkTracer, number: usize, follows: Option<SpanContext>) -> SpanContext {
    let number = i64::try_from(number).unwrap();
    let question = format!("question {number}: 東京は雨? 👩🏽‍🚀");
    let agent = tracer
        .span_builder("invoke_agent météo")
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("gen_ai.operation.name", "invoke_agent"),
            KeyValue::new("input.value", question),
            KeyValue::new("session.id", format!("session {}", number % 4)),
        ])
        .start(tracer);
    let agent = Context::new().with_span(agent);
    chat(tracer, &agent, number);
    search(tracer, &agent, number, follows);
    agent
        .span()
        .set_attribute(KeyValue::new("output.value", "oui"));
    agent.span().end();
    agent.span().span_context().clone()
}

fn chat(tracer: &SdkTracer, agent: &Context, number: i64) {
    let reasons = Array::String(vec![StringValue::from("stop")]);
    let mut span = tracer
        .span_builder("chat gpt-4o")
        .with_kind(SpanKind::Client)
        .with_attributes([
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.request.model", "gpt-4o"),
            KeyValue::new("gen_ai.request.temperature", 0.25),
            KeyValue::new("gen_ai.usage.input_tokens", 12 + number),
            KeyValue::new("gen_ai.response.finish_reasons", Value::Array(reasons)),
        ])
        .start_with_context(tracer, agent);
    let token = [
        KeyValue::new("index", 0_i64),
        KeyValue::new("text", "Ça – \"oui\"\n\t\\ 🌧\0"),
    ];
    span.add_event("first token", token.to_vec());
    span.add_event("no attributes", Vec::new());
    span.set_status(Status::Ok);
    span.end();
}

fn search(tracer: &SdkTracer, agent: &Context, number: i64, follows: Option<SpanContext>) {
    let links = follows.map(|context| {
        let reason = KeyValue::new("reason", "follows “it”");
        Link::new(context, vec![reason, KeyValue::new("index", number)], 0)
    });
    let array = |name, array| KeyValue::new(name, Value::Array(array));
    let texts = ["eins", "zwei 二", ""].map(StringValue::from);
    let mut span = tracer
        .span_builder("execute_tool search")
        .with_links(links.into_iter().collect())
        .with_attributes([
            KeyValue::new("gen_ai.tool.name", "search"),
            KeyValue::new("empty", ""),
            KeyValue::new("yes", true),
            KeyValue::new("largest", i64::MAX),
            KeyValue::new("smallest", i64::MIN),
            KeyValue::new("whole", 3.0),
            KeyValue::new("huge", 1e300),
            KeyValue::new("tiny", 5e-324),
            array("fractions", Array::F64(vec![0.5, -1.25e-7])),
            array("numbers", Array::I64(vec![1, -2, 3])),
            array("flags", Array::Bool(vec![true, false])),
            array("words of several", Array::String(texts.to_vec())),
            array("none of them", Array::String(Vec::new())),
        ])
        .start_with_context(tracer, agent);
    if number % 3 == 0 {
        span.record_error(&std::io::Error::other("no answer for 東京"));
        span.set_status(Status::error("no answer – ∅"));
    }
    span.end();
}

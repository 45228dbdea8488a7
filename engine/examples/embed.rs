//! An application that keeps its own traces: makes spans, stores them, and asks for them.

use std::error::Error;

use tracehouse::{Database, Search, SpanBuilder, SpanKind, SpanStatus};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let db = Database::open(folder.path().join("app.traces"))?;

    // A request and the model call below it. Attributes of any convention fill the columns: model, tokens, inputs.
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let start_ns = 1_700_000_000_000_000_000;
    let request = SpanBuilder::new(trace_id, "00f067aa0ba902b7", "answer")
        .times_ns(start_ns, Some(start_ns + 900_000_000))
        .status(SpanStatus::Ok)
        .resource("service.name", "helpdesk")
        .attribute("session.id", "s-1")
        .attribute("input.value", "what is the refund policy?")
        .attribute("output.value", "thirty days")
        .build()?;
    let call = SpanBuilder::new(trace_id, "00f067aa0ba902b8", "chat")
        .parent("00f067aa0ba902b7")
        .kind(SpanKind::Client)
        .times_ns(start_ns + 10_000_000, Some(start_ns + 800_000_000))
        .attribute("gen_ai.operation.name", "chat")
        .attribute("gen_ai.request.model", "gpt-4o")
        .attribute("gen_ai.usage.input_tokens", 120)
        .attribute("gen_ai.usage.output_tokens", 8)
        .build()?;
    db.append(&[request, call])?; // durable and visible from here on
    db.set_tag(trace_id, "env", "prod")?;
    db.log_feedback(trace_id, "helpful", "true")?;

    let search =
        Search::new("tags.env = 'prod' AND span.model = 'gpt-4o' AND feedback.helpful = true");
    for trace in db.iter_traces(&search) {
        let trace = trace?;
        println!(
            "{} asked {:?}",
            trace.trace_id,
            trace.request_preview.unwrap_or_default()
        );
        println!(
            "{:?} tokens, {:?} USD",
            trace.usage.total_tokens, trace.usage.cost_usd
        );
    }
    for hit in db.search_text("\"refund policy\"", 10)? {
        println!("{}: {}", hit.field, hit.snippet);
    }
    let trace = db.get_trace(trace_id)?;
    assert_eq!(
        (trace.spans.len(), trace.info.session_id.as_deref()),
        (2, Some("s-1"))
    );
    db.close()?; // quick to open next time; without it nothing is lost either
    Ok(())
}

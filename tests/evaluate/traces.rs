//! Made-up traces of a support assistant: what the tests of this folder and the commands of `docs/evaluation.md` are
//! run on. Always the same bytes, with figures that follow from a trace's number alone.

use serde_json::{Value, json};

/// How many traces there are.
pub const COUNT: u64 = 60;
/// 2025-03-01T00:00:00Z.
const START_NS: u64 = 1_740_787_200_000_000_000;
const MINUTE_NS: u64 = 60_000_000_000;
const MS_NS: u64 = 1_000_000;
/// Words of a question that no other question has, so that questions are alike only where they are meant to be.
const OWN_WORDS: u64 = 12;

/// The id of trace `number`.
pub fn trace_id(number: u64) -> String {
    format!("e{number:031x}")
}

/// Every third trace is of one service.
pub fn service(number: u64) -> &'static str {
    ["shop", "bank", "travel"][(number % 3) as usize]
}

/// Trace 9, 19, ... asks what the one before it asked, in nearly the same words.
pub fn is_near_duplicate(number: u64) -> bool {
    number % 10 == 9
}

/// A quarter of the answers is wrong.
pub fn is_right(number: u64) -> bool {
    !number.is_multiple_of(4)
}

/// What should have been answered is known of nine traces in ten.
pub fn has_expectation(number: u64) -> bool {
    number % 10 != 7
}

/// The first half was made with version 1 of the prompt.
pub fn version(number: u64) -> u64 {
    1 + number / (COUNT / 2)
}

fn question(number: u64) -> String {
    if is_near_duplicate(number) {
        return format!("{} please", question(number - 1));
    }
    let words: Vec<String> = (0..OWN_WORDS)
        .map(|word| format!("thing{number}x{word}"))
        .collect();
    format!("Where is {}", words.join(" "))
}

fn expected(number: u64) -> String {
    format!("Parcel {number} is in hall {}.", number % 5)
}

fn answer(number: u64) -> String {
    match is_right(number) {
        true => expected(number),
        false => format!("I am sorry, parcel {number} cannot be found by me at this time."),
    }
}

/// The traces as OTLP/JSON, a line each.
pub fn lines() -> String {
    (0..COUNT).map(|number| line(number) + "\n").collect()
}

/// What people and programs say of them, as lines of assessments.
pub fn assessments() -> String {
    let mut lines = String::new();
    for number in 0..COUNT {
        let reward = u8::from(is_right(number));
        let said = json!({
            "trace_id": trace_id(number), "name": "reward", "value": reward, "source": "CODE", "type": "feedback",
        });
        lines.push_str(&format!("{said}\n"));
        if has_expectation(number) {
            let said = json!({
                "trace_id": trace_id(number), "name": "expected_response", "value": expected(number),
                "source": "HUMAN", "type": "expectation",
            });
            lines.push_str(&format!("{said}\n"));
        }
    }
    lines
}

/// One trace; numbers from [`COUNT`] on are later ones.
pub fn line(number: u64) -> String {
    let prompt = json!([{"name": "answer", "version": version(number).to_string()}]);
    let duration_ms = 100 * (1 + number % 7);
    let root = span(
        number,
        (1, 0),
        "ask",
        (0, duration_ms),
        json!({
            "openinference.span.kind": "CHAIN", "input.value": question(number), "output.value": answer(number),
            "session.id": format!("session-{}", number / 2), "user.id": format!("user-{}", number / 4),
            "mlflow.traceTag.version": version(number).to_string(),
            "mlflow.traceTag.mlflow.linkedPrompts": prompt.to_string(),
        }),
    );
    let model = span(
        number,
        (2, 1),
        "chat",
        (10, duration_ms - 20),
        json!({
            "openinference.span.kind": "LLM", "llm.model_name": "small-model", "llm.token_count.prompt": 100 + number,
            "llm.token_count.completion": 20, "llm.token_count.total": 120 + number,
        }),
    );
    let tool = span(
        number,
        (3, 1),
        "find_parcel",
        (5, 5),
        json!({
            "openinference.span.kind": "TOOL", "tool.name": "find_parcel", "input.value": json!({"id": number}).to_string(),
            "input.mime_type": "application/json", "output.value": expected(number),
        }),
    );
    let resource = json!({"attributes": attributes(&json!({"service.name": service(number)}))});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [root, model, tool]}]}]}).to_string()
}

/// A span of trace `number`; the parent 0 is none, and times are milliseconds from the trace's start.
fn span(
    number: u64,
    (id, parent): (u64, u64),
    name: &str,
    (from, length): (u64, u64),
    attributes_of: Value,
) -> Value {
    let start_ns = START_NS + number * MINUTE_NS + from * MS_NS;
    let failed = id == 1 && number % 11 == 5;
    let mut span = json!({
        "traceId": trace_id(number), "spanId": format!("{:016x}", number * 16 + id), "name": name,
        "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": (start_ns + length * MS_NS).to_string(),
        "attributes": attributes(&attributes_of), "status": {"code": if failed { 2 } else { 1 }},
    });
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{:016x}", number * 16 + parent));
    }
    span
}

fn attributes(of: &Value) -> Vec<Value> {
    let members = of.as_object().unwrap().iter();
    let each = members.map(|(key, value)| match value {
        Value::Number(number) => json!({"key": key, "value": {"intValue": number.to_string()}}),
        text => json!({"key": key, "value": {"stringValue": text}}),
    });
    each.collect()
}

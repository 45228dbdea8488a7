//! A seeded workload: agent traces of 4 to 9 spans as OTLP/JSON lines, the same bytes for a seed and
//! size on every machine. Every hundredth trace says the word `needleword`.

use std::ops::Range;

use serde_json::{Value, json};

const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "llama3-8b"];
const TOOLS: [&str; 5] = [
    "search",
    "calculate",
    "get_order",
    "refund_payment",
    "send_mail",
];
const WORDS: [&str; 24] = [
    "order", "refund", "policy", "flight", "ticket", "customer", "delay", "invoice", "the", "a",
    "of", "to", "please", "cancel", "booking", "tomorrow", "price", "account", "number", "help",
    "with", "missing", "parcel", "agent",
];

/// A small linear congruential generator: enough for data, and the same everywhere.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(choices.len() as u64) as usize;
        choices.get(index).copied().unwrap_or_default()
    }

    fn text(&mut self, words: u64) -> String {
        let words: Vec<&str> = (0..words).map(|_| self.pick(&WORDS)).collect();
        words.join(" ")
    }
}

fn text(key: &str, value: impl Into<String>) -> Value {
    json!({"key": key, "value": {"stringValue": value.into()}})
}

fn int(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// The id of the `number`-th trace.
pub fn trace_id(number: u64) -> String {
    format!("{:032x}", u128::from(number + 1) << 64 | u128::from(number))
}

/// The traces of these numbers, one OTLP/JSON request a line.
pub fn otlp_lines(seed: u64, numbers: Range<u64>) -> Vec<u8> {
    let mut random = Random(seed);
    let mut lines = Vec::new();
    for number in numbers {
        let spans = trace(&mut random, number);
        let line = json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", format!("shop-{}", number % 5))]},
            "scopeSpans": [{"scope": {"name": "bench"}, "spans": spans}],
        }]});
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

fn trace(random: &mut Random, number: u64) -> Vec<Value> {
    let id = trace_id(number);
    let start = 1_700_000_000_000_000_000 + number * 30_000_000_000;
    let steps = 3 + random.below(6);
    let mut spans: Vec<Value> = (1..=steps)
        .map(|step| child(random, &id, number, step, start))
        .collect();
    let asked = if number % 100 == 7 {
        "needleword please".to_string()
    } else {
        random.text(12)
    };
    let (request, answer) = (json!({ "question": asked }).to_string(), random.text(40));
    spans.push(json!({
        "traceId": id, "spanId": format!("{number:015x}0"), "name": "agent", "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 9_000_000_000).to_string(),
        "status": {"code": if random.below(20) == 0 { 2 } else { 1 }},
        "attributes": [
            text("openinference.span.kind", "AGENT"), text("input.value", request), text("output.value", answer),
            text("session.id", format!("s-{}", number / 4)), text("user.id", format!("u-{}", number % 500)),
            text("mlflow.traceTag.env", if number.is_multiple_of(3) { "prod" } else { "dev" }),
        ],
    }));
    spans
}

fn child(random: &mut Random, id: &str, number: u64, step: u64, start: u64) -> Value {
    let (is_tool, begin) = (step.is_multiple_of(3), start + step * 1_000_000_000);
    let attributes = if is_tool {
        vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", random.pick(&TOOLS)),
        ]
    } else {
        vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", random.pick(&MODELS)),
            text(
                "gen_ai.input.messages",
                json!([{"role": "user", "content": random.text(120)}]).to_string(),
            ),
            text(
                "gen_ai.output.messages",
                json!([{"role": "assistant", "content": random.text(60)}]).to_string(),
            ),
            int("gen_ai.usage.input_tokens", 100 + random.below(2000)),
            int("gen_ai.usage.output_tokens", 10 + random.below(400)),
        ]
    };
    json!({
        "traceId": id, "spanId": format!("{number:015x}{step:x}"), "parentSpanId": format!("{number:015x}0"),
        "name": if is_tool { "tool" } else { "chat" }, "kind": 3,
        "startTimeUnixNano": begin.to_string(), "endTimeUnixNano": (begin + 500_000_000).to_string(),
        "status": {"code": if random.below(40) == 0 { 2 } else { 0 }}, "attributes": attributes,
    })
}

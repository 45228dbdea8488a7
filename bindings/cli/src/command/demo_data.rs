//! The sample traces of the demo: a shop's support agent as OpenTelemetry would send it, the same on
//! every run.
//!
//! Each trace is one question: the agent retrieves help pages, asks a model, calls a tool, asks the
//! model again. Some tools fail, some customers complain.

use serde_json::{Value, json};

/// The experiment of all samples, by which the demo knows its own database.
pub const EXPERIMENT: &str = "demo";

const TRACES: u64 = 200;
/// 2025-11-03 08:00 UTC.
const FIRST_TIME_NS: u64 = 1_762_156_800_000_000_000;
const MS: u64 = 1_000_000;

/// Traces and assessments as files of JSON lines.
pub struct DemoData {
    /// One OTLP request a line, one trace each.
    pub traces: String,
    /// One assessment a line.
    pub assessments: String,
}

/// One kind of question.
struct Topic {
    question: &'static str,
    page: &'static str,
    tool: &'static str,
    argument: &'static str,
    result: &'static str,
    failure: &'static str,
    answer: &'static str,
}

const TOPICS: [Topic; 6] = [
    Topic {
        question: "My jacket arrived with a broken zip. Can I get my money back for order {order}?",
        page: "Refund policy: damaged goods are refunded in full within 30 days of delivery.",
        tool: "issue_refund",
        argument: "amount_eur",
        result: "refund accepted",
        failure: "payment provider: refund refused, the card was closed",
        answer: "I have refunded order {order} under our refund policy; the money arrives in 3 to 5 days.",
    },
    Topic {
        question: "Where is order {order}? It should have been here on Monday.",
        page: "Shipping: parcels take 2 to 4 working days; a parcel late by 7 days counts as lost.",
        tool: "track_parcel",
        argument: "parcel_number",
        result: "in transit, last scan Leipzig hub",
        failure: "carrier API: timeout after 10000 ms",
        answer: "Order {order} left the Leipzig hub last night and should reach you tomorrow.",
    },
    Topic {
        question: "Please change the delivery address of order {order} to 12 Harbour Street.",
        page: "Address changes are possible until the parcel is handed to the carrier.",
        tool: "update_address",
        argument: "address_id",
        result: "address updated",
        failure: "order service: 409 conflict, parcel already handed over",
        answer: "Done: order {order} now goes to 12 Harbour Street.",
    },
    Topic {
        question: "Does the gift card I used on order {order} expire, and what does the refund policy say about it?",
        page: "Gift cards never expire. Refund policy: what was paid by gift card goes back to the gift card.",
        tool: "get_gift_card",
        argument: "card_id",
        result: "balance 25.00 EUR, no expiry",
        failure: "gift card service: unknown card",
        answer: "Your gift card never expires; a refund for order {order} would go back onto it.",
    },
    Topic {
        question: "Is the blue backpack from order {order} available in a larger size?",
        page: "Backpacks come in 20, 28 and 36 litres; colours differ by size.",
        tool: "search_catalog",
        argument: "product_id",
        result: "36 litres: 4 in stock, blue and green",
        failure: "catalog: index is being rebuilt",
        answer: "Yes, the blue backpack is in stock with 36 litres. Shall I exchange order {order}?",
    },
    Topic {
        question: "Cancel my subscription box and refund order {order}, I was told there is no notice period.",
        page: "Subscriptions can be cancelled any time; boxes already packed follow the refund policy.",
        tool: "cancel_subscription",
        argument: "subscription_id",
        result: "cancelled, effective at once",
        failure: "billing: an invoice is still open",
        answer: "Your subscription is cancelled. Order {order} is refunded under our refund policy.",
    },
];

/// Name, price of a million input tokens, of a million output tokens, speed.
const MODELS: [(&str, &str, f64, f64, u64); 3] = [
    ("gpt-4o", "openai", 2.5, 10.0, 900),
    ("gpt-4o-mini", "openai", 0.15, 0.6, 450),
    ("claude-sonnet-4", "anthropic", 3.0, 15.0, 1_100),
];

const USERS: [&str; 8] = [
    "ana", "ben", "chloe", "dmitri", "elif", "farid", "grace", "hiro",
];

/// All samples.
pub fn sample() -> DemoData {
    let mut sample = DemoData {
        traces: String::new(),
        assessments: String::new(),
    };
    let mut random = Random(0x5eed);
    let mut start_ns = FIRST_TIME_NS;
    for number in 0..TRACES {
        start_ns += (60_000 + random.below(1_500_000)) * MS;
        add_trace(&mut sample, &mut random, number, start_ns);
    }
    sample
}

/// The decisions of one trace.
struct Case<'a> {
    topic: &'a Topic,
    order: String,
    trace_id: String,
    model: (&'a str, &'a str, f64, f64, u64),
    user: &'a str,
    session: String,
    failed: bool,
}

fn add_trace(sample: &mut DemoData, random: &mut Random, number: u64, start_ns: u64) {
    let topic = pick(&TOPICS, random);
    let model = *pick(&MODELS, random);
    let user = *pick(&USERS, random);
    let case = Case {
        topic,
        order: format!("A-{}", 10_000 + random.below(90_000)),
        trace_id: format!("{:016x}{:016x}", random.next(), random.next()),
        model,
        user,
        session: format!("{user}-{}", number / 20),
        failed: random.below(100) < 14,
    };
    let mut trace = TraceWriter {
        case: &case,
        spans: Vec::new(),
        random,
        now_ns: start_ns,
    };
    trace.write(start_ns);
    let request = json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "shop-support"),
            text("deployment.environment.name", if number.is_multiple_of(7) { "staging" } else { "production" }),
        ] },
        "scopeSpans": [{ "scope": { "name": "demo.agent", "version": "1.0" }, "spans": trace.spans }],
    }] });
    sample.traces.push_str(&format!("{request}\n"));
    add_assessments(sample, random, &case);
}

fn add_assessments(sample: &mut DemoData, random: &mut Random, case: &Case<'_>) {
    let mut add = |line: Value| sample.assessments.push_str(&format!("{line}\n"));
    if random.below(100) < 45 || case.failed {
        let helpful = !case.failed && random.below(100) < 85;
        let why = if helpful {
            "solved in one answer"
        } else {
            "the customer had to call again"
        };
        add(
            json!({ "trace_id": case.trace_id, "name": "helpful", "value": helpful, "type": "feedback",
            "source": format!("HUMAN:{}", case.user), "rationale": why }),
        );
    }
    if random.below(100) < 60 {
        let score = if case.failed {
            random.below(40)
        } else {
            60 + random.below(41)
        } as f64
            / 100.0;
        add(
            json!({ "trace_id": case.trace_id, "name": "groundedness", "value": score, "type": "feedback",
            "source": "LLM_JUDGE:gpt-4o", "rationale": "compared with the retrieved page" }),
        );
    }
    if random.below(100) < 20 {
        add(
            json!({ "trace_id": case.trace_id, "name": "expected_tool", "value": case.topic.tool,
            "type": "expectation", "source": "HUMAN:qa" }),
        );
    }
}

/// Writes the spans of one trace, one after the other in time.
struct TraceWriter<'a> {
    case: &'a Case<'a>,
    spans: Vec<Value>,
    random: &'a mut Random,
    now_ns: u64,
}

impl TraceWriter<'_> {
    fn write(&mut self, start_ns: u64) {
        let (case, topic) = (self.case, self.case.topic);
        let root = self.span_id();
        let question = self.worded(topic.question);
        let answer = match case.failed {
            true => format!(
                "I am sorry, I could not do this for order {}; a colleague will call you.",
                case.order
            ),
            false => self.worded(topic.answer),
        };
        self.retrieval(&root, &question);
        let arguments =
            json!({ "order": case.order, topic.argument: self.random.below(500) }).to_string();
        self.chat(
            &root,
            &question,
            &json!({ "tool_call": topic.tool, "arguments": arguments }).to_string(),
        );
        // A failing tool is tried twice before the agent gives up.
        let tries = if case.failed { 2 } else { 1 };
        (0..tries).for_each(|_| self.tool(&root, &arguments));
        self.chat(&root, &format!("{question}\n{}", topic.result), &answer);
        let attributes = vec![
            text("gen_ai.operation.name", "invoke_agent"),
            text("gen_ai.agent.name", "support"),
            text("session.id", &case.session),
            text("user.id", case.user),
            text("input.value", &question),
            text("output.value", &answer),
        ];
        let times = (start_ns, self.now_ns + 2 * MS);
        let failure = case.failed.then_some("the agent gave up");
        self.spans.push(span(
            case,
            &root,
            None,
            "invoke_agent support",
            times,
            attributes,
            failure,
        ));
    }

    fn retrieval(&mut self, parent: &str, question: &str) {
        let times = self.advance(20, 180);
        let attributes = vec![
            text("openinference.span.kind", "RETRIEVER"),
            text("input.value", question),
            text(
                "output.value",
                &json!([{ "document": self.case.topic.page }]).to_string(),
            ),
        ];
        let id = self.span_id();
        self.spans.push(span(
            self.case,
            &id,
            Some(parent),
            "search_help_pages",
            times,
            attributes,
            None,
        ));
    }

    fn chat(&mut self, parent: &str, input: &str, output: &str) {
        let (model, provider, input_price, output_price, speed_ms) = self.case.model;
        let times = self.advance(speed_ms, speed_ms * 2);
        let (input_tokens, output_tokens) =
            (350 + self.random.below(900), 30 + self.random.below(220));
        let cost = (input_tokens as f64 * input_price + output_tokens as f64 * output_price) / 1e6;
        let message = |role: &str, text: &str| {
            json!([{ "role": role, "parts": [{ "type": "text", "content": text }] }]).to_string()
        };
        let attributes = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", provider),
            text("gen_ai.request.model", model),
            number("gen_ai.usage.input_tokens", input_tokens),
            number("gen_ai.usage.output_tokens", output_tokens),
            json!({ "key": "gen_ai.usage.cost", "value": { "doubleValue": cost } }),
            text("gen_ai.input.messages", &message("user", input)),
            text("gen_ai.output.messages", &message("assistant", output)),
        ];
        let id = self.span_id();
        self.spans.push(span(
            self.case,
            &id,
            Some(parent),
            &format!("chat {model}"),
            times,
            attributes,
            None,
        ));
    }

    fn tool(&mut self, parent: &str, arguments: &str) {
        let topic = self.case.topic;
        let times = if self.case.failed {
            self.advance(2_000, 10_000)
        } else {
            self.advance(60, 700)
        };
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", topic.tool),
            text("gen_ai.tool.call.arguments", arguments),
        ];
        let failure = self.case.failed.then_some(topic.failure);
        if failure.is_none() {
            attributes.push(text("gen_ai.tool.call.result", topic.result));
        }
        let id = self.span_id();
        let name = format!("execute_tool {}", topic.tool);
        self.spans.push(span(
            self.case,
            &id,
            Some(parent),
            &name,
            times,
            attributes,
            failure,
        ));
    }

    /// Start and end of the next step, which takes between these milliseconds.
    fn advance(&mut self, least_ms: u64, most_ms: u64) -> (u64, u64) {
        let start_ns = self.now_ns + MS;
        self.now_ns = start_ns + (least_ms + self.random.below(most_ms - least_ms)) * MS;
        (start_ns, self.now_ns)
    }

    fn span_id(&mut self) -> String {
        format!("{:016x}", self.random.next())
    }

    fn worded(&self, template: &str) -> String {
        template.replace("{order}", &self.case.order)
    }
}

fn span(
    case: &Case<'_>,
    id: &str,
    parent: Option<&str>,
    name: &str,
    (start_ns, end_ns): (u64, u64),
    attributes: Vec<Value>,
    failure: Option<&str>,
) -> Value {
    const OK: u8 = 1;
    const ERROR: u8 = 2;
    let mut span = json!({
        "traceId": case.trace_id, "spanId": id, "name": name, "kind": 1,
        "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": end_ns.to_string(),
        "attributes": attributes,
        "status": match failure {
            Some(message) => json!({ "code": ERROR, "message": message }),
            None => json!({ "code": OK }),
        },
    });
    if let (Some(parent), Some(fields)) = (parent, span.as_object_mut()) {
        fields.insert("parentSpanId".into(), parent.into());
    }
    span
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// One of a table that is not empty.
fn pick<'a, T, const N: usize>(table: &'a [T; N], random: &mut Random) -> &'a T {
    let [first, ..] = table.as_slice() else {
        unreachable!("the tables of this file have entries")
    };
    table.get(random.below(N as u64) as usize).unwrap_or(first)
}

/// A small generator of numbers (splitmix64): the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_the_same_every_time_and_all_kept() {
        let (one, two) = (sample(), sample());
        assert_eq!(
            (&one.traces, &one.assessments),
            (&two.traces, &two.assessments)
        );
        let db = tracehouse::Database::in_memory().unwrap();
        let options = tracehouse::ImportOptions::default();
        let report = db
            .import_otlp_json_lines(one.traces.as_bytes(), &options)
            .unwrap();
        assert_eq!((report.traces, report.rejected.len()), (TRACES, 0));
        let failed = db
            .count_traces(&tracehouse::Search::new("state = 'ERROR'"))
            .unwrap();
        assert!((10..60).contains(&failed), "{failed}");
        let report = db
            .import_assessments(one.assessments.as_bytes(), &options)
            .unwrap();
        assert!(report.assessments > 100 && report.rejected.is_empty());
    }
}

//! A random but realistic database as plain structs: what is stored, and the naive reading of it.

use std::collections::{BTreeMap, BTreeSet};

use tracehouse::model::{AssessmentKind, SESSION_METADATA, Span, TraceHint};
use tracehouse::{Database, NewAssessment, Search};

use crate::order::Random;
use crate::support::without_computed_costs;

pub const MS_NS: i64 = 1_000_000;
/// 2025-03-01T00:00:00Z.
const START_NS: i64 = 1_740_787_200_000_000_000;

pub const NAMES: [&str; 7] = [
    "answer",
    "Answer",
    "search",
    "plan",
    "llm call",
    "résumé",
    "100% sure",
];
pub const TYPES: [&str; 5] = ["LLM", "TOOL", "CHAIN", "AGENT", "UNKNOWN"];
pub const KINDS: [&str; 3] = ["INTERNAL", "CLIENT", "SERVER"];
pub const STATUSES: [&str; 3] = ["OK", "ERROR", "UNSET"];
pub const MODELS: [&str; 4] = ["gpt-4", "gpt-4o", "claude-3", "Llama"];
pub const WORDS: [&str; 8] = [
    "flight refund",
    "Refund policy",
    "it's late",
    "quota hit",
    "été à Paris",
    "a \"b\"",
    "x_y",
    "{}",
];
pub const ENVIRONMENTS: [&str; 4] = ["prod", "Prod", "dev", "it's"];
pub const PEOPLE: [&str; 4] = ["ana", "bo", "Cleo", "ŽIGA"];
pub const SESSIONS: [&str; 3] = ["s-1", "s-2", "s-3"];
pub const SERVICES: [&str; 3] = ["web", "batch", "Web"];
/// Attributes in the order in which every span has them, those that it has.
pub const ATTRIBUTES: [&str; 5] = ["request.model", "temp", "retries", "cached", "note"];
pub const RESOURCES: [&str; 2] = ["region", "cpus"];
/// Verdicts; the last one is an expectation.
pub const VERDICTS: [&str; 4] = ["score", "ok", "tone", "expected"];
pub const SOURCES: [&str; 4] = ["HUMAN", "CODE", "LLM_JUDGE", "ana"];
/// The tag, metadata and dataset that the world has.
pub const TAG: &str = "env";
pub const METADATA: &str = "team";
pub const DATASET: &str = "picked";
/// What may be null, a text, a number or a boolean.
pub type Json = serde_json::Value;

/// The JSON text of a value.
pub fn json_text(value: &Json) -> String {
    value.to_string()
}

/// An assessment.
pub struct Verdict {
    pub name: &'static str,
    pub kind: AssessmentKind,
    pub value: Json,
    pub source_type: &'static str,
    pub source_id: Option<&'static str>,
    /// The session that it says it is about; it counts for all traces of its trace's session.
    pub session: Option<&'static str>,
}

/// A trace and everything of it.
pub struct Trace {
    pub id: String,
    pub spans: Vec<Span>,
    pub tags: BTreeMap<String, String>,
    pub runs: Vec<String>,
    pub verdicts: Vec<Verdict>,
    pub is_picked: bool,
}

/// All traces.
pub struct World {
    pub traces: Vec<Trace>,
}

/// One of `items`, or `None` one time in three.
fn maybe<'a>(random: &mut Random, items: &[&'a str]) -> Option<&'a str> {
    (random.below(3) > 0).then(|| items[random.below(items.len())])
}

pub fn pick<'a>(random: &mut Random, items: &[&'a str]) -> &'a str {
    items[random.below(items.len())]
}

impl World {
    pub fn random(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed);
        Self {
            traces: (0..count)
                .map(|number| Trace::random(&mut random, number))
                .collect(),
        }
    }

    /// Whether some verdict of the trace satisfies the test, or one that is about the whole session of
    /// another trace of it.
    pub fn any_verdict(&self, trace: &Trace, test: &dyn Fn(&Verdict) -> bool) -> bool {
        let session = trace.session();
        let in_session = |other: &&Trace| session.is_some() && other.session() == session;
        let others = self
            .traces
            .iter()
            .filter(in_session)
            .flat_map(|other| &other.verdicts);
        trace.verdicts.iter().any(test)
            || others.into_iter().any(|v| v.session.is_some() && test(v))
    }

    /// Stores the traces from one number to another.
    pub fn store(&self, db: &Database, numbers: std::ops::Range<usize>) {
        let traces = &self.traces[numbers];
        without_computed_costs(db);
        let spans: Vec<Span> = traces
            .iter()
            .flat_map(|trace| trace.spans.clone())
            .collect();
        db.append(&spans).unwrap();
        for trace in traces {
            let tags = trace
                .tags
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()));
            db.set_tags(&trace.id, tags).unwrap();
            for run in &trace.runs {
                db.link_traces_to_run(&[&trace.id], run).unwrap();
            }
            let verdicts: Vec<(&str, NewAssessment)> = trace
                .verdicts
                .iter()
                .map(|verdict| (trace.id.as_str(), verdict.to_new()))
                .collect();
            db.assess_many(verdicts).unwrap();
        }
    }

    /// Puts the picked traces into a dataset.
    pub fn store_dataset(&self, db: &Database) {
        let ids: Vec<String> = self
            .traces
            .iter()
            .filter(|trace| trace.is_picked)
            .map(|trace| format!("'{}'", trace.id))
            .collect();
        let filter = format!("trace_id IN ({})", ids.join(", "));
        db.create_dataset(DATASET)
            .unwrap()
            .add_traces(&Search::new(filter))
            .unwrap();
    }
}

impl Verdict {
    fn random(random: &mut Random) -> Self {
        let name = pick(random, &VERDICTS);
        let value = match random.below(5) {
            0 | 1 => Json::from(random.below(5) as f64 / 4.0),
            2 => Json::from(random.below(4)),
            3 => Json::from(random.below(2) == 0),
            _ => Json::from(pick(random, &["yes", "no", "Yes", "it's"])),
        };
        let expected = name == "expected";
        Self {
            name,
            kind: if expected {
                AssessmentKind::Expectation
            } else {
                AssessmentKind::Feedback
            },
            value,
            source_type: pick(random, &SOURCES[..3]),
            source_id: maybe(random, &PEOPLE),
            session: (random.below(6) == 0).then(|| pick(random, &SESSIONS)),
        }
    }

    fn to_new(&self) -> NewAssessment {
        let value = self.value.to_string();
        let new = match self.kind {
            AssessmentKind::Expectation => NewAssessment::expectation(self.name, value),
            _ => NewAssessment::feedback(self.name, value),
        };
        let new = new.source(self.source_type, self.source_id.unwrap_or_default());
        match self.session {
            Some(session) => new.metadata(SESSION_METADATA, session),
            None => new,
        }
    }
}

impl Trace {
    fn random(random: &mut Random, number: usize) -> Self {
        let id = format!("c{number:031x}");
        // Some traces begin at the same time, so that the id has to break the tie.
        let start_ns =
            START_NS + (number / 2) as i64 * 7_300_250 + random.below(3) as i64 * 400_000;
        let mut spans = vec![span(random, &id, 0, start_ns)];
        for child in 1..=random.below(4) {
            let later_ns = random.below(9) as i64 * 500_000;
            let mut span = span(random, &id, child, start_ns + later_ns);
            span.parent_span_id = Some(spans[0].span_id.clone());
            // Usage on the leaves alone: nothing is counted twice.
            usage(random, &mut span);
            spans.push(span);
        }
        root(random, &mut spans[0]);
        if random.below(10) == 0 && spans.len() > 1 {
            spans.remove(0);
            let top = spans
                .iter_mut()
                .min_by_key(|span| (span.start_time_ns, span.span_id.clone()));
            root(random, top.unwrap());
        }
        // A dataset keeps one record per inputs.
        let is_picked = spans[0].parent_span_id.is_none() && random.below(4) == 0;
        if is_picked {
            spans[0].inputs = Some(format!("question {number}"));
        }
        let tags = maybe(random, &ENVIRONMENTS).map(|value| (TAG.to_string(), value.to_string()));
        let verdicts = (0..random.below(4))
            .map(|_| Verdict::random(random))
            .collect();
        let runs = maybe(random, &["r1", "r2"]).filter(|_| random.below(2) == 0);
        Self {
            id,
            spans,
            tags: tags.into_iter().collect(),
            runs: runs.map(str::to_string).into_iter().collect(),
            verdicts,
            is_picked,
        }
    }

    /// The root, or the first of its children when it did not come.
    fn lead(&self) -> Option<&Span> {
        self.spans.iter().min_by_key(|span| {
            (
                span.parent_span_id.is_some(),
                span.start_time_ns,
                &span.span_id,
            )
        })
    }

    pub fn name(&self) -> Option<&str> {
        self.lead().map(|lead| lead.name.as_str())
    }

    pub fn state(&self) -> &str {
        match self.lead() {
            Some(lead) if lead.parent_span_id.is_none() => {
                match (lead.status.as_str(), lead.end_time_ns) {
                    ("ERROR", _) => "ERROR",
                    ("OK", _) | (_, Some(_)) => "OK",
                    (_, None) => "IN_PROGRESS",
                }
            }
            _ => "IN_PROGRESS",
        }
    }

    pub fn start_ns(&self) -> i64 {
        self.spans
            .iter()
            .map(|span| span.start_time_ns)
            .min()
            .unwrap()
    }

    pub fn duration_ns(&self) -> Option<i64> {
        let end = self
            .spans
            .iter()
            .filter_map(|span| span.end_time_ns)
            .max()?;
        Some(end - self.start_ns())
    }

    /// Of the only span that may have one.
    pub fn session(&self) -> Option<&str> {
        self.lead()?.session_id.as_deref()
    }

    pub fn user(&self) -> Option<&str> {
        self.lead()?.user_id.as_deref()
    }

    pub fn service(&self) -> Option<&str> {
        self.lead()?.service_name.as_deref()
    }

    pub fn hint(&self) -> Option<&TraceHint> {
        self.lead()?.hint.as_ref()
    }

    pub fn models(&self) -> BTreeSet<&str> {
        self.spans
            .iter()
            .filter_map(|span| span.model.as_deref())
            .collect()
    }

    /// The sum over the spans that have the value.
    pub fn sum(&self, get: impl Fn(&Span) -> Option<i64>) -> Option<i64> {
        self.spans.iter().filter_map(get).reduce(|a, b| a + b)
    }

    /// Cost in quarters of a dollar.
    pub fn cost_quarters(&self) -> Option<i64> {
        self.sum(|span| span.cost_usd.map(|cost| (cost * 4.0) as i64))
    }
}

/// What only a root span has, or a span that stands for it.
fn root(random: &mut Random, span: &mut Span) {
    span.session_id = maybe(random, &SESSIONS).map(str::to_string);
    span.user_id = maybe(random, &PEOPLE).map(str::to_string);
    let metadata = maybe(random, &PEOPLE).map(|value| (METADATA.to_string(), value.to_string()));
    let run =
        maybe(random, &["r1", "r3"]).map(|run| ("mlflow.sourceRun".to_string(), run.to_string()));
    let (request, response) = (maybe(random, &WORDS), maybe(random, &WORDS));
    // One that says neither would take them from the spans below it.
    let response = response.or_else(|| request.is_none().then(|| pick(random, &WORDS)));
    span.hint = Some(TraceHint {
        request_preview: request.map(str::to_string),
        response_preview: response.map(str::to_string),
        metadata: metadata.into_iter().chain(run).collect(),
        ..TraceHint::default()
    });
}

fn usage(random: &mut Random, span: &mut Span) {
    if random.below(2) == 0 {
        let (input, output) = (random.below(6) as i64 * 10, random.below(4) as i64 * 10);
        (span.input_tokens, span.output_tokens) = (Some(input), Some(output));
        span.total_tokens = Some(input + output);
        span.cost_usd = (random.below(2) == 0).then(|| random.below(5) as f64 / 4.0);
    }
}

fn span(random: &mut Random, trace_id: &str, number: usize, start_ns: i64) -> Span {
    let text = |text: Option<&str>| text.map(str::to_string);
    let open = random.below(8) == 0;
    let service = if number == 0 {
        pick(random, &SERVICES)
    } else {
        "web"
    };
    let status = pick(random, &STATUSES);
    Span {
        trace_id: trace_id.to_string(),
        span_id: format!("{}{number}", &trace_id[16..]),
        experiment_id: "0".into(),
        name: pick(random, &NAMES).into(),
        span_type: pick(random, &TYPES).into(),
        kind: pick(random, &KINDS).into(),
        status: status.into(),
        status_message: (status == "ERROR").then(|| pick(random, &WORDS).into()),
        start_time_ns: start_ns,
        end_time_ns: (!open).then(|| start_ns + random.below(24) as i64 * 250_000),
        service_name: Some(service.into()),
        model: text(maybe(random, &MODELS)),
        provider: text(maybe(random, &["openai", "anthropic"])),
        tool_name: text(maybe(random, &["search", "pay"])),
        inputs: text(maybe(random, &WORDS)),
        outputs: text(maybe(random, &WORDS)),
        attributes: attributes(random),
        resource: resource(random),
        ..Span::default()
    }
}

fn attributes(random: &mut Random) -> String {
    let mut members = Vec::new();
    for key in ATTRIBUTES {
        if random.below(3) == 0 {
            continue;
        }
        let value = match key {
            "temp" => Json::from(random.below(5) as f64 / 4.0),
            "retries" if random.below(4) > 0 => Json::from(random.below(4)),
            "cached" => Json::from(random.below(2) == 0),
            "note" => Json::from(pick(random, &WORDS)),
            _ => Json::from(pick(random, &MODELS)),
        };
        members.push(format!("\"{key}\":{value}"));
    }
    format!("{{{}}}", members.join(","))
}

fn resource(random: &mut Random) -> String {
    let region = maybe(random, &["eu", "us"]).map(|region| format!("\"region\":\"{region}\""));
    let cpus = (random.below(2) == 0).then(|| format!("\"cpus\":{}", random.below(4)));
    let members: Vec<String> = region.into_iter().chain(cpus).collect();
    format!("{{{}}}", members.join(","))
}

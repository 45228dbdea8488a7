//! Traces without a root through the store: whatever comes in whatever order, the rows are what a plain model
//! makes of the set of spans, and what was settled stays settled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::check::check_rows;
use crate::columns::{spans_batch, text, text_at, trace_at};
use crate::env::{Env, MemEnv};
use crate::fold::{TopHint, TopTexts, plain_hint};
use crate::model::{Span, TraceEdit, TraceHint, TraceKey, TraceRow};
use crate::schema::Table;
use crate::snapshot::Snapshot;
use crate::store::{Store, StoreOptions};

const ROUNDS: u64 = 60;
const STEPS: usize = 24;
const TRACES: usize = 4;
const THREAD: &str = r#"{"thread":true}"#;

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

fn options() -> StoreOptions {
    StoreOptions {
        inline_maintenance: true,
        index_text: false,
        hint_of_top,
        ..StoreOptions::default()
    }
}

/// The plain one; a session is a thread where the attributes say so.
fn hint_of_top(texts: &TopTexts<'_>) -> TopHint {
    TopHint {
        session_is_thread: texts.attributes == THREAD,
        ..plain_hint(texts)
    }
}

/// A span of few ids, so that parents are there, are missing and go round in circles.
fn span(random: &mut Random) -> Span {
    let (trace, id, version) = (random.below(TRACES), random.below(5), random.below(1000));
    // The last trace never gets a root.
    let parent =
        (trace == TRACES - 1 || random.below(6) > 0).then(|| format!("s{}", random.below(6)));
    let start = random.below(3) as i64;
    let inputs = (random.below(3) > 0).then(|| format!("what {trace} {id} {version} asks"));
    let outputs = (random.below(3) == 0).then(|| format!("what {trace} {id} {version} answers"));
    Span {
        trace_id: format!("t{trace}"),
        span_id: format!("s{id}"),
        experiment_id: "0".into(),
        name: format!("name {version}"),
        span_type: if random.below(3) == 0 { "TOOL" } else { "LLM" }.into(),
        kind: "INTERNAL".into(),
        status: if random.below(2) == 0 {
            "ERROR"
        } else {
            "UNSET"
        }
        .into(),
        start_time_ns: start,
        end_time_ns: (random.below(5) > 0).then(|| start + random.below(4) as i64),
        service_name: (random.below(2) == 0).then(|| format!("service {id}")),
        session_id: (random.below(2) == 0).then(|| format!("session {id}")),
        attributes: if random.below(3) == 0 { THREAD } else { "{}" }.into(),
        resource: "{}".into(),
        extra: (random.below(6) == 0).then(|| r#"{"flags":769}"#.into()),
        hint: parent.is_none().then(|| TraceHint {
            request_preview: inputs.clone(),
            response_preview: outputs.clone(),
            ..Default::default()
        }),
        parent_span_id: parent,
        inputs,
        outputs,
        ..Span::default()
    }
}

/// What was done to a trace.
#[derive(Default)]
struct Known {
    spans: BTreeMap<String, Span>,
    is_settled: bool,
}

/// Id, name, state, service, session, inputs and previews.
type Told = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    [Option<String>; 2],
);

impl Known {
    fn told(&self) -> Told {
        let mut spans: Vec<&Span> = self.spans.values().collect();
        spans.sort_by_key(|span| (span.start_time_ns, &span.span_id));
        let root = spans.iter().find(|span| span.parent_span_id.is_none());
        let is_missing = |span: &&&Span| {
            !self
                .spans
                .contains_key(span.parent_span_id.as_ref().unwrap())
        };
        let lead = root
            .or_else(|| spans.iter().find(is_missing))
            .unwrap_or(&spans[0]);
        let is_open = lead.end_time_ns.is_none() && lead.status == "UNSET";
        let is_decided = match root {
            Some(_) => !is_open,
            None => self.is_settled || lead.extra.is_some(),
        };
        let state = match (is_decided, lead.status.as_str()) {
            (false, _) => "IN_PROGRESS",
            (true, "ERROR") => "ERROR",
            (true, _) => "OK",
        };
        let first = |get: fn(&Span) -> &Option<String>| {
            [lead]
                .into_iter()
                .chain(&spans)
                .find_map(|span| get(span).clone())
        };
        (
            lead.span_id.clone(),
            lead.name.clone(),
            state.into(),
            first(|span| &span.service_name),
            self.session(lead, &spans),
            lead.inputs.clone(),
            self.previews(lead, &spans),
        )
    }

    /// The first session that is no thread, else the first.
    fn session(&self, lead: &Span, spans: &[&Span]) -> Option<String> {
        let all = || {
            [lead]
                .into_iter()
                .chain(spans.iter().copied())
                .filter(|span| span.session_id.is_some())
        };
        let named = all().find(|span| span.attributes != THREAD);
        named
            .or_else(|| all().next())
            .and_then(|span| span.session_id.clone())
    }

    /// Those of the lead, or of the outermost that converse: the first to begin and the last to end.
    fn previews(&self, lead: &Span, spans: &[&Span]) -> [Option<String>; 2] {
        if lead.inputs.is_some() || lead.outputs.is_some() {
            return [lead.inputs.clone(), lead.outputs.clone()];
        }
        let converses = |span: &Span| span.span_type == "LLM" && span.span_id != lead.span_id;
        let level = |span: &Span| {
            let mut above: Vec<&Span> = vec![];
            let mut next = span;
            while let Some(parent) = next
                .parent_span_id
                .as_ref()
                .and_then(|id| self.spans.get(id))
            {
                if parent.span_id == span.span_id
                    || above.iter().any(|seen| seen.span_id == parent.span_id)
                {
                    break;
                }
                above.push(parent);
                next = parent;
            }
            above.into_iter().filter(|span| converses(span)).count()
        };
        let asked = spans
            .iter()
            .filter(|span| converses(span) && span.inputs.is_some());
        let asked = asked.min_by_key(|span| (level(span), span.start_time_ns, &span.span_id));
        let ended = |span: &Span| std::cmp::Reverse((span.end_time_ns, span.start_time_ns));
        let answered = spans
            .iter()
            .filter(|span| converses(span) && span.outputs.is_some());
        let answered = answered.min_by_key(|span| (level(span), ended(span), &span.span_id));
        [
            asked.and_then(|span| span.inputs.clone()),
            answered.and_then(|span| span.outputs.clone()),
        ]
    }
}

fn rows(snapshot: &Snapshot) -> BTreeMap<String, (TraceRow, String)> {
    let mut rows = BTreeMap::new();
    for trace in 0..TRACES {
        let Some(row) = snapshot
            .find_trace(TraceKey::of(&format!("t{trace}")))
            .unwrap()
        else {
            continue;
        };
        let stored = snapshot
            .read_rows(Table::Traces, &[row], &Table::Traces.columns())
            .unwrap();
        let inputs = snapshot
            .read_rows(Table::Traces, &[row], &["inputs"])
            .unwrap();
        let inputs = text_at(text(&inputs, "inputs").unwrap(), 0)
            .unwrap_or("no inputs")
            .to_string();
        rows.insert(format!("t{trace}"), (trace_at(&stored, 0).unwrap(), inputs));
    }
    rows
}

fn assert_as_known(store: &Store, known: &BTreeMap<String, Known>, seed: u64) {
    let snapshot = store.snapshot().unwrap();
    let found: BTreeMap<String, Told> = rows(&snapshot)
        .into_iter()
        .map(|(id, (row, inputs))| {
            let previews = [row.request_preview, row.response_preview];
            let inputs = Some(inputs).filter(|inputs| inputs != "no inputs");
            let (lead, name) = (row.root_span_id.unwrap(), row.name.unwrap());
            (
                id,
                (
                    lead,
                    name,
                    row.state,
                    row.service_name,
                    row.session_id,
                    inputs,
                    previews,
                ),
            )
        })
        .collect();
    let want: BTreeMap<String, Told> = known
        .iter()
        .map(|(id, trace)| (id.clone(), trace.told()))
        .collect();
    assert_eq!(found, want, "seed {seed}");
    assert_eq!(
        check_rows(&snapshot, hint_of_top).unwrap().stale,
        [],
        "seed {seed}"
    );
    let waiting: BTreeSet<String> = snapshot
        .waiting_since(i64::MAX)
        .unwrap()
        .into_iter()
        .collect();
    // A root that is there is not waited for; where no span has ended, nothing is due.
    let has_ended = |id: &str| {
        known[id]
            .spans
            .values()
            .any(|span| span.end_time_ns.is_some())
    };
    let waits = |(id, told): &(&String, &Told)| {
        let has_root = known[*id]
            .spans
            .values()
            .any(|span| span.parent_span_id.is_none());
        told.2 == "IN_PROGRESS" && !has_root && has_ended(id)
    };
    assert_eq!(
        waiting,
        want.iter()
            .filter(waits)
            .map(|(id, _)| id.clone())
            .collect(),
        "seed {seed}"
    );
}

/// The rows depend on the set of spans and on what was settled, not on when spans came, in which batches, how
/// often, and where they are.
#[test]
fn any_order_of_spans_makes_the_rows_of_a_plain_model() {
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let env: Arc<dyn Env> = Arc::new(MemEnv::default());
        let mut store = Store::open(env.clone(), options()).unwrap();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for _ in 0..STEPS {
            let id = format!("t{}", random.below(TRACES));
            match random.below(12) {
                0 => store.seal().unwrap(),
                1 => drop(store.compact().unwrap()),
                2 => {
                    drop(store);
                    store = Store::open(env.clone(), options()).unwrap();
                }
                3 => {
                    known.remove(&id);
                    store.delete_traces(vec![id]).unwrap();
                }
                4 | 5 => {
                    store
                        .settle_traces(&[id.clone(), "unknown".into()])
                        .unwrap();
                    known.entry(id).and_modify(|trace| trace.is_settled = true);
                }
                6 => drop(
                    store
                        .edit_traces(vec![(id, TraceEdit::set_tags([("k", "v")]))])
                        .unwrap(),
                ),
                _ => {
                    let spans: Vec<Span> =
                        (0..=random.below(3)).map(|_| span(&mut random)).collect();
                    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
                    for span in spans {
                        let trace = known.entry(span.trace_id.clone()).or_default();
                        let before = trace.spans.get(&span.span_id);
                        // An open one never replaces one that has ended.
                        if span.end_time_ns.is_some()
                            || before.is_none_or(|before| before.end_time_ns.is_none())
                        {
                            trace.spans.insert(span.span_id.clone(), span);
                        }
                    }
                }
            }
            if random.below(3) == 0 {
                assert_as_known(&store, &known, seed);
            }
        }
        assert_as_known(&store, &known, seed);
    }
}

fn waiting_span(trace: &str, end_time_ns: i64) -> Span {
    Span {
        trace_id: trace.into(),
        span_id: "s".into(),
        parent_span_id: Some("elsewhere".into()),
        status: "ERROR".into(),
        end_time_ns: Some(end_time_ns),
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    }
}

#[test]
fn due_are_those_whose_last_span_ended_before_and_one_record_settles_many() {
    let env: Arc<dyn Env> = Arc::new(MemEnv::default());
    let store = Store::open(env.clone(), options()).unwrap();
    let spans: Vec<Span> = (0..500)
        .map(|at| waiting_span(&format!("t{at}"), at))
        .collect();
    let (sealed, fresh) = spans.split_at(250);
    store.append_spans(spans_batch(sealed).unwrap()).unwrap();
    store.seal().unwrap();
    store.append_spans(spans_batch(fresh).unwrap()).unwrap();
    let due = store.snapshot().unwrap().waiting_since(400).unwrap();
    assert_eq!(due.len(), 400);
    let before = store.snapshot().unwrap().sequence();
    assert_eq!(store.settle_traces(&due).unwrap().traces, 400);
    assert_eq!(
        store.snapshot().unwrap().sequence(),
        before + 1,
        "one record"
    );
    drop(store);
    let store = Store::open(env, options()).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.waiting_since(400).unwrap(), Vec::<String>::new());
    assert_eq!(snapshot.waiting_since(i64::MAX).unwrap().len(), 100);
    let keys = ["t399", "t400", "no such trace"].map(TraceKey::of);
    assert_eq!(snapshot.waiting_among(&keys).unwrap(), ["t400"]);
}

/// Rows that were written before top spans stood in: they answer as they did, `check` accepts them, and
/// settling makes them anew.
#[test]
fn rows_of_an_older_version_are_whole_and_made_anew_when_they_are_settled() {
    let env: Arc<dyn Env> = Arc::new(MemEnv::default());
    let store = Store::open(env.clone(), options()).unwrap();
    let children = [
        waiting_span("t0", 1),
        Span {
            span_id: "r".into(),
            ..waiting_span("t0", 1)
        },
    ];
    store.append_spans(spans_batch(&children).unwrap()).unwrap();
    {
        // As an older version would have folded them.
        let mut state = super::super::lock(&store.state);
        let dirty = std::mem::take(&mut state.active.dirty);
        let inputs = state
            .fold_inputs(&dirty)
            .unwrap()
            .remove(&TraceKey::of("t0"));
        let row = crate::fold::refold_without_top("t0", inputs, TraceEdit::default()).unwrap();
        state
            .active
            .view
            .log_mut(Table::Traces)
            .append(crate::columns::traces_batch(&[row]).unwrap())
            .unwrap();
        state.snapshot = None;
    }
    store.seal().unwrap();
    drop(store);
    assert!(env.exists(Path::new("seg")));
    let store = Store::open(env, options()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let (row, inputs) = rows(&snapshot).remove("t0").unwrap();
    assert_eq!(
        (row.name, row.state.as_str(), inputs.as_str()),
        (None, "IN_PROGRESS", "no inputs")
    );
    assert_eq!(check_rows(&snapshot, plain_hint).unwrap().stale, []);
    let due = snapshot.waiting_since(10).unwrap();
    store.settle_traces(&due).unwrap();
    let (row, _) = rows(&store.snapshot().unwrap()).remove("t0").unwrap();
    assert_eq!(
        (row.root_span_id.as_deref(), row.state.as_str()),
        (Some("r"), "ERROR")
    );
}

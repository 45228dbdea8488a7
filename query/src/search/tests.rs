//! Search against a naive evaluator over the same snapshot, in memory, sealed, compacted and
//! reopened; paging under ingest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::env::MemEnv;
use tracehouse_storage::model::{
    Assessment, AssessmentKind, SESSION_METADATA, Span, TraceEdit, TraceHint,
};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::store::Assess;
use tracehouse_storage::{Snapshot, Store, StoreOptions};

use super::*;
use crate::predicate::{AssessmentPredicate, SpanPredicate};
use crate::seeded::Seeded;

fn text_of(word: &str) -> Option<String> {
    (!word.is_empty()).then(|| word.to_string())
}

fn root(random: &mut Seeded, number: usize, start_ns: i64) -> Span {
    let env = random.pick(&["prod", "Prod", "dev", ""]);
    Span {
        trace_id: trace_id(number),
        span_id: format!("{:016x}", 0),
        experiment_id: random.pick(&["0", "1"]).into(),
        session_id: text_of(random.pick(&["s1", "s2", "s3", ""])),
        user_id: text_of(random.pick(&["u1", "u2", ""])),
        name: random.pick(&["chat", "Search", "naïve café"]).into(),
        span_type: "AGENT".into(),
        kind: "SERVER".into(),
        status: random.pick(&["OK", "ERROR", "UNSET"]).into(),
        start_time_ns: start_ns,
        end_time_ns: Some(start_ns + random.below(5_000_000) as i64),
        service_name: text_of(random.pick(&["api", "web", ""])),
        inputs: Some(format!(
            "{{\"q\": \"{} refund\"}}",
            random.pick(&["please", "no", "say \\\"hi\\\""])
        )),
        attributes: "{}".into(),
        resource: "{\"deployment\":\"eu\"}".into(),
        hint: Some(TraceHint {
            request_preview: text_of(random.pick(&["hello", ""])),
            tags: text_of(env)
                .into_iter()
                .map(|env| ("env".to_string(), env))
                .collect(),
            metadata: BTreeMap::from([(
                "mlflow.sourceRun".into(),
                random.pick(&["r1", "r2"]).into(),
            )]),
            ..TraceHint::default()
        }),
        ..Span::default()
    }
}

fn child(random: &mut Seeded, number: usize, index: usize, start_ns: i64) -> Span {
    let model = random.pick(&["gpt-4", "claude", ""]);
    Span {
        trace_id: trace_id(number),
        span_id: format!("{index:016x}"),
        parent_span_id: Some(format!("{:016x}", 0)),
        experiment_id: "0".into(),
        name: random.pick(&["llm_call", "search", "pay"]).into(),
        span_type: random.pick(&["LLM", "TOOL"]).into(),
        kind: "INTERNAL".into(),
        status: random.pick(&["OK", "OK", "ERROR"]).into(),
        start_time_ns: start_ns + index as i64,
        end_time_ns: Some(start_ns + index as i64 + random.below(3_000_000) as i64),
        model: text_of(model),
        tool_name: text_of(random.pick(&["search", "pay", ""])),
        input_tokens: Some(random.below(10) as i64),
        total_tokens: (random.below(2) == 0).then(|| random.below(20) as i64),
        cost_usd: (random.below(3) == 0).then(|| random.below(4) as f64 / 4.0),
        outputs: text_of(random.pick(&["the refund policy", "plain", ""])),
        attributes: format!(
            "{{\"temp\":0.{},\"model\":\"\\\"{model}\\\"\"}}",
            random.below(9)
        ),
        resource: "{}".into(),
        ..Span::default()
    }
}

fn trace_id(number: usize) -> String {
    if number % 7 == 3 {
        format!("tr-{number}")
    } else {
        format!("{number:032x}")
    }
}

fn assessment(random: &mut Seeded, number: usize, index: usize) -> Assessment {
    let session_wide = random.below(6) == 0;
    Assessment {
        assessment_id: format!("a-{number}-{index}"),
        trace_id: trace_id(number),
        span_id: None,
        name: random.pick(&["ok", "score"]).into(),
        kind: [
            AssessmentKind::Feedback,
            AssessmentKind::Expectation,
            AssessmentKind::Issue,
        ][random.below(3)],
        value: random
            .pick(&["true", "0.9", "\"0.9\"", "\"yes\"", "null", "5"])
            .into(),
        source_type: random.pick(&["HUMAN", "CODE"]).into(),
        source_id: text_of(random.pick(&["ann", ""])),
        rationale: None,
        error_code: None,
        error_message: None,
        metadata: if session_wide {
            BTreeMap::from([(SESSION_METADATA.into(), "s2".into())])
        } else {
            BTreeMap::new()
        },
        overrides: None,
        valid: random.below(4) > 0,
        created_at_ns: 1,
        updated_at_ns: 1,
    }
}

/// Appends the traces numbered so, with late spans for some earlier ones.
fn ingest(store: &Store, random: &mut Seeded, numbers: std::ops::Range<usize>) {
    let mut spans = Vec::new();
    for number in numbers.clone() {
        // Some traces share a time, so that ids break ties.
        let start_ns = (number / 2) as i64 * 700_000;
        spans.push(root(random, number, start_ns));
        for index in 1..=random.below(4) {
            spans.push(child(random, number, index, start_ns));
        }
        if number > 10 && random.below(5) == 0 {
            let late = number - random.below(10);
            spans.push(child(random, late, 9, (late / 2) as i64 * 700_000));
        }
    }
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    let rows = numbers
        .filter(|number| number % 3 == 0)
        .flat_map(|number| [(number, 0), (number, 1)]);
    let rows = rows
        .map(|(number, index)| assessment(random, number, index))
        .collect();
    store
        .assess(Assess {
            rows,
            check_existing: false,
        })
        .unwrap();
}

fn open(env: &Arc<MemEnv>) -> Arc<Store> {
    let options = StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    };
    Store::open(env.clone(), options).unwrap()
}

/// All rows of a table, with every stored column.
fn rows_of(snapshot: &Snapshot, table: Table) -> RecordBatch {
    let schema = table.schema();
    let columns: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut batches = Vec::new();
    for source in 0..snapshot.source_count() {
        let request = ScanRequest::columns(columns.iter().copied());
        batches.extend(
            snapshot
                .scan(source, table, &request)
                .unwrap()
                .map(Result::unwrap),
        );
    }
    concat_batches(&schema, &batches).unwrap()
}

/// The naive evaluator: every leaf over all rows of its table.
struct Naive {
    traces: RecordBatch,
    spans: RecordBatch,
    assessments: RecordBatch,
}

impl Naive {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            traces: rows_of(snapshot, Table::Traces),
            spans: rows_of(snapshot, Table::Spans),
            assessments: rows_of(snapshot, Table::Assessments),
        }
    }

    fn column(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
        batch
            .column_by_name(name)
            .unwrap()
            .as_string_view()
            .iter()
            .map(|text| text.map(str::to_string))
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        Self::column(&self.traces, "trace_id")
            .into_iter()
            .flatten()
            .collect()
    }

    fn found(&self, predicate: &Predicate) -> BTreeSet<String> {
        match predicate {
            Predicate::Const(true) => self.ids().into_iter().collect(),
            Predicate::Const(false) | Predicate::Dataset(_) => BTreeSet::new(),
            Predicate::And(operands) => {
                let mut sets = operands.iter().map(|operand| self.found(operand));
                let first = sets.next().unwrap();
                sets.fold(first, |all, set| all.intersection(&set).cloned().collect())
            }
            Predicate::Or(operands) => operands
                .iter()
                .flat_map(|operand| self.found(operand))
                .collect(),
            Predicate::Not(operand) => {
                let found = self.found(operand);
                self.ids()
                    .into_iter()
                    .filter(|id| !found.contains(id))
                    .collect()
            }
            Predicate::Trace(condition) => {
                let keep = condition.evaluate(&self.traces).unwrap();
                self.ids()
                    .into_iter()
                    .zip(keep.values())
                    .filter(|(_, keep)| *keep)
                    .map(|(id, _)| id)
                    .collect()
            }
            Predicate::Span(condition) => self.spans_found(condition),
            Predicate::Assessment(condition) => self.assessments_found(condition),
        }
    }

    fn spans_found(&self, condition: &SpanPredicate) -> BTreeSet<String> {
        let keep = condition.evaluate(&self.spans).unwrap();
        let ids = Self::column(&self.spans, "trace_id").into_iter().flatten();
        ids.zip(keep.values())
            .filter(|(_, keep)| *keep)
            .map(|(id, _)| id)
            .collect()
    }

    fn assessments_found(&self, condition: &AssessmentPredicate) -> BTreeSet<String> {
        let keep = condition.evaluate(&self.assessments).unwrap();
        let ids: Vec<String> = Self::column(&self.assessments, "trace_id")
            .into_iter()
            .flatten()
            .collect();
        let metadata = crate::predicate::column::map(&self.assessments, "metadata").unwrap();
        let sessions = Self::column(&self.traces, "session_id");
        let session_of: BTreeMap<String, String> = self
            .ids()
            .into_iter()
            .zip(sessions.iter().cloned())
            .filter_map(|(id, session)| Some((id, session?)))
            .collect();
        let mut found = BTreeSet::new();
        for (row, id) in ids.iter().enumerate().filter(|(row, _)| keep.value(*row)) {
            found.insert(id.clone());
            let is_wide =
                condition.is_session_wide() && metadata.get(row, SESSION_METADATA).is_some();
            if let Some(session) = session_of.get(id).filter(|_| is_wide) {
                let same = session_of.iter().filter(|(_, own)| *own == session);
                found.extend(same.map(|(id, _)| id.clone()));
            }
        }
        found
    }

    /// The ids of `found` by falling time, then id.
    fn newest_first(&self, found: &BTreeSet<String>) -> Vec<String> {
        let times = crate::predicate::column::ints(&self.traces, "request_time").unwrap();
        let ids = self.ids().into_iter().enumerate();
        let mut rows: Vec<_> = ids
            .map(|(row, id)| (std::cmp::Reverse(times.get(row).unwrap()), id))
            .collect();
        rows.retain(|(_, id)| found.contains(id));
        rows.sort();
        rows.into_iter().map(|(_, id)| id).collect()
    }
}

const CLAUSES: &[&str] = &[
    "status = 'OK'",
    "status != 'ERROR'",
    "name ILIKE '%CAFÉ%'",
    "tags.env = 'prod'",
    "tags.env IN ('dev', 'Prod')",
    "tags.env IS NULL",
    "session = 's1'",
    "metadata.mlflow.trace.session = 's2'",
    "user IN ('u1', 'u2')",
    "service_name = 'api'",
    "timestamp > 20",
    "timestamp <= 35",
    "timestamp BETWEEN 10 AND 30",
    "execution_time >= 2",
    "duration_ms < 1.5",
    "total_tokens > 10",
    "cost IS NOT NULL",
    "cost >= 0.5",
    "model = 'gpt-4'",
    "model IS NULL",
    "span_count > 2",
    "run_id = 'r1'",
    "trace_id LIKE 'tr-%'",
    "trace_id IN ('tr-3', '00000000000000000000000000000001')",
    "request_preview IS NULL",
    "experiment_id = '1'",
    "end_time > 30",
    "span.name = 'llm_call'",
    "span.status = 'ERROR'",
    "span.tool = 'pay'",
    "span.type != 'LLM'",
    "span.model IS NULL",
    "span.duration_ms > 2",
    "span.input_tokens IN (1, 2, 3)",
    "span.attributes.temp > 0.4",
    "span.attributes.model = 'claude'",
    "span.start_time_ms < 20",
    "span.inputs LIKE '%no%'",
    "trace.text LIKE '%refund policy%'",
    "trace.text ILIKE '%SAY \"HI\"%'",
    "trace.text MATCHES 'refund'",
    "span.outputs MATCHES '\"refund policy\"'",
    "resource.deployment = 'eu'",
    "span.parent_id IS NULL",
    "feedback.ok = true",
    "feedback.ok = 'yes'",
    "feedback.score > 0.5",
    "feedback.ok IS NULL",
    "expectation.score = '0.9'",
    "assessment.ok != 'true'",
    "feedback.ok.source = 'ann'",
    "issue.id = 'score'",
    "dataset = 'x'",
];

fn filter(random: &mut Seeded, depth: usize) -> String {
    match random.below(if depth == 0 { 1 } else { 7 }) {
        0 | 1 => random.pick(CLAUSES).to_string(),
        2 | 3 => format!(
            "{} AND {}",
            filter(random, depth - 1),
            filter(random, depth - 1)
        ),
        4 => format!(
            "({} OR {})",
            filter(random, depth - 1),
            filter(random, depth - 1)
        ),
        5 => format!("NOT ({})", filter(random, depth - 1)),
        _ => {
            let spans: Vec<&str> = CLAUSES
                .iter()
                .copied()
                .filter(|clause| clause.starts_with("span."))
                .collect();
            format!(
                "HAS({} AND NOT {})",
                random.pick(&spans),
                random.pick(&spans)
            )
        }
    }
}

/// Every clause, then so many made up of them.
fn filters(random: &mut Seeded, count: usize, depth: usize) -> Vec<String> {
    let clauses = CLAUSES.iter().map(|clause| clause.to_string());
    clauses
        .chain((0..count).map(|_| filter(random, depth)))
        .collect()
}

fn check(snapshot: &Snapshot, filters: &[String], state: &str) {
    let naive = Naive::of(snapshot);
    let mut telling = 0;
    for text in filters {
        let predicate = parse(text).unwrap();
        let expected = naive.newest_first(&naive.found(&predicate));
        telling += usize::from(!expected.is_empty() && expected.len() < naive.traces.num_rows());
        let page = search(snapshot, &Search::new(text)).unwrap();
        assert_eq!(page.trace_ids, expected, "{state}: {text}");
        assert_eq!(page.next_page_token, None);
        assert_eq!(
            count(snapshot, &Search::new(text)).unwrap(),
            expected.len() as u64,
            "{state}: count {text}"
        );
        let few = search(snapshot, &Search::new(text).limit(3)).unwrap();
        assert_eq!(
            few.trace_ids,
            expected[..expected.len().min(3)],
            "{state}: first three of {text}"
        );
        assert_eq!(
            few.next_page_token.is_some(),
            expected.len() > 3,
            "{state}: {text}"
        );
    }
    assert!(
        telling > filters.len() / 2,
        "{state}: {telling} of {} filters tell traces apart",
        filters.len()
    );
}

#[test]
fn every_state_gives_the_naive_answer() {
    let env = Arc::new(MemEnv::default());
    let mut random = Seeded(7);
    let filters = filters(&mut random, 250, 3);
    let store = open(&env);
    ingest(&store, &mut random, 0..40);
    check(&store.snapshot().unwrap(), &filters, "in memory");
    store.seal().unwrap();
    check(&store.snapshot().unwrap(), &filters, "sealed");
    ingest(&store, &mut random, 30..80);
    check(
        &store.snapshot().unwrap(),
        &filters,
        "a segment and a memtable",
    );
    store.seal().unwrap();
    ingest(&store, &mut random, 80..100);
    store.seal().unwrap();
    check(&store.snapshot().unwrap(), &filters, "three segments");
    store.compact().unwrap();
    check(&store.snapshot().unwrap(), &filters, "compacted");
    drop(store.close());
    drop(store);
    check(&open(&env).snapshot().unwrap(), &filters, "reopened");
}

/// Rows of edited traces are in memory, then in another segment than their spans.
#[test]
fn traces_edited_after_their_spans_were_sealed_give_the_naive_answer() {
    let env = Arc::new(MemEnv::default());
    let mut random = Seeded(23);
    let filters = filters(&mut random, 60, 2);
    let store = open(&env);
    ingest(&store, &mut random, 0..120);
    store.seal().unwrap();
    ingest(&store, &mut random, 120..240);
    store.seal().unwrap();
    while store.index_next_text().unwrap() {}
    let tag = TraceEdit::set_tags([("env", "prod")]);
    let edited = (0..240)
        .filter(|number| number % 5 > 0)
        .map(|number| (trace_id(number), tag.clone()));
    store.edit_traces(edited.collect()).unwrap();
    check(&store.snapshot().unwrap(), &filters, "edited");
    ingest(&store, &mut random, 230..260);
    store
        .delete_traces((0..240).step_by(11).map(trace_id).collect())
        .unwrap();
    check(&store.snapshot().unwrap(), &filters, "continued");
    store.seal().unwrap();
    check(&store.snapshot().unwrap(), &filters, "sealed again");
    store.compact().unwrap();
    check(&store.snapshot().unwrap(), &filters, "compacted");
}

#[test]
fn pages_survive_ingest_and_sealing() {
    for order in [
        vec![],
        vec!["timestamp ASC"],
        vec!["tags.env DESC", "cost"],
        vec!["total_tokens DESC"],
        vec!["end_time"],
    ] {
        let env = Arc::new(MemEnv::default());
        let mut random = Seeded(11);
        let store = open(&env);
        ingest(&store, &mut random, 0..60);
        let start = Naive::of(&store.snapshot().unwrap()).ids();
        let mut seen = Vec::new();
        let mut next: Option<String> = None;
        for page in 0.. {
            let mut wanted = Search::new("").limit(7).order_by(order.clone());
            wanted.page_token = next.take();
            let found = search(&store.snapshot().unwrap(), &wanted).unwrap();
            assert!(found.trace_ids.len() <= 7);
            seen.extend(found.trace_ids);
            match found.next_page_token {
                Some(token) => next = Some(token),
                None => break,
            }
            // Only new traces, so that no trace of the start moves in the order.
            let number = 1_000 + page;
            store
                .append_spans(spans_batch(&[root(&mut random, number, number as i64)]).unwrap())
                .unwrap();
            match page % 3 {
                1 => store.seal().unwrap(),
                2 => drop(store.compact().unwrap()),
                _ => {}
            }
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{order:?}: a trace came twice");
        assert!(
            start.iter().all(|id| distinct.contains(id)),
            "{order:?}: a trace was skipped"
        );
    }
}

#[test]
fn orders_are_total_and_nulls_last() {
    let env = Arc::new(MemEnv::default());
    let store = open(&env);
    ingest(&store, &mut Seeded(3), 0..50);
    let snapshot = store.snapshot().unwrap();
    let traces = Naive::of(&snapshot).traces;
    let tags = crate::predicate::column::map(&traces, "tags").unwrap();
    let env_of: BTreeMap<String, Option<String>> = Naive::column(&traces, "trace_id")
        .into_iter()
        .enumerate()
        .map(|(row, id)| (id.unwrap(), tags.get(row, "env").map(str::to_string)))
        .collect();
    for (clause, descending) in [("tags.env", false), ("tags.env DESC", true)] {
        let page = search(&snapshot, &Search::new("").order_by([clause])).unwrap();
        let values: Vec<&Option<String>> = page.trace_ids.iter().map(|id| &env_of[id]).collect();
        let present: Vec<&String> = values.iter().copied().flatten().collect();
        assert!(
            values[..present.len()].iter().all(|value| value.is_some()),
            "{clause}: NULLs last"
        );
        assert!(
            present.is_sorted_by(|a, b| if descending { a >= b } else { a <= b }),
            "{clause}"
        );
    }
    let all = search(&snapshot, &Search::new("")).unwrap();
    let mut offset = Search::new("").limit(5);
    offset.offset = 10;
    assert_eq!(
        search(&snapshot, &offset).unwrap().trace_ids,
        all.trace_ids[10..15]
    );
    assert_eq!(
        search(&snapshot, &Search::new("").limit(0))
            .unwrap()
            .trace_ids
            .len(),
        0
    );
}

#[test]
fn experiments_confine_the_answer() {
    let env = Arc::new(MemEnv::default());
    let store = open(&env);
    ingest(&store, &mut Seeded(5), 0..50);
    store.seal().unwrap();
    let snapshot = store.snapshot().unwrap();
    let ids = |search_: Search| -> BTreeSet<String> {
        search(&snapshot, &search_)
            .unwrap()
            .trace_ids
            .into_iter()
            .collect()
    };
    let one = ids(Search::new("").experiments(["1"]));
    let zero = ids(Search::new("").experiments(["0"]));
    assert_eq!(one, ids(Search::new("experiment_id = '1'")));
    assert_eq!(one.len() + zero.len(), 50);
    assert_eq!(ids(Search::new("").experiments(["0", "1"])).len(), 50);
    assert!(ids(Search::new("").experiments(Vec::<String>::new())).is_empty());
    assert!(ids(Search::new("").experiments(["nope"])).is_empty());
    assert_eq!(
        ids(Search::new("span.name = 'pay' OR status = 'OK'").experiments(["1"])),
        {
            let all = ids(Search::new("span.name = 'pay' OR status = 'OK'"));
            all.intersection(&one).cloned().collect()
        }
    );
}

#[test]
fn refusals_name_the_fault() {
    let env = Arc::new(MemEnv::default());
    let snapshot = open(&env).snapshot().unwrap();
    let error = |search_: Search| search(&snapshot, &search_).unwrap_err().to_string();
    assert!(error(Search::new("statuss = 'OK'")).contains("Did you mean 'status'?"));
    assert!(error(Search::new("").order_by(["span.name"])).contains("order_by"));
    assert!(error(Search::new("").page_token("nonsense")).contains("page token"));
    assert_eq!(
        search(&snapshot, &Search::new("")).unwrap().trace_ids.len(),
        0
    );
}

#[test]
fn assessments_looked_up_are_those_found() {
    let env = Arc::new(MemEnv::default());
    let (store, mut random) = (open(&env), Seeded(13));
    for numbers in [0..60, 50..120] {
        ingest(&store, &mut random, numbers);
        store.seal().unwrap();
    }
    ingest(&store, &mut random, 110..150);
    let (snapshot, recorder) = (store.snapshot().unwrap(), Recorder::default());
    let scope = sets::Scope {
        snapshot: &snapshot,
        experiments: None,
        recorder: &recorder,
    };
    let mut found = 0;
    for clause in CLAUSES {
        let Predicate::Assessment(condition) = parse(clause).unwrap() else {
            continue;
        };
        let set = sets::assessment_set(&scope, &condition).unwrap();
        let columns = ScanRequest::columns(["trace_id", "session_id"]);
        for source in 0..snapshot.source_count() {
            for batch in snapshot
                .scan(source, Table::Traces, &columns)
                .unwrap()
                .map(Result::unwrap)
            {
                let wanted = BooleanBuffer::collect_bool(batch.num_rows(), |row| row % 3 != 1);
                let expected = set.rows(&batch, &wanted).unwrap();
                found += expected.count_set_bits();
                let leaf = assessed::AssessedLeaf::new(&scope, &condition).unwrap();
                assert_eq!(leaf.rows(&batch, &wanted).unwrap(), expected, "{clause}");
                assert!(leaf.found().is_none(), "{clause}");
                // Until it has looked so often that it finds them all at once.
                while leaf.found().is_none() {
                    assert_eq!(leaf.rows(&batch, &wanted).unwrap(), expected, "{clause}");
                }
                assert_eq!(leaf.rows(&batch, &wanted).unwrap(), expected, "{clause}");
            }
        }
    }
    assert!(found > 50, "{found}");
}

#[test]
fn rare_assessments_are_found_among_many() {
    let env = Arc::new(MemEnv::default());
    let (store, mut random) = (open(&env), Seeded(17));
    let numbers = 0..6_000;
    let spans: Vec<Span> = numbers
        .clone()
        .map(|number| root(&mut random, number, number as i64 * 1_000_000))
        .collect();
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    let rows = numbers.map(|number| Assessment {
        name: if number % 2_000 == 11 {
            "rare"
        } else {
            "common"
        }
        .into(),
        kind: AssessmentKind::Feedback,
        value: "true".into(),
        metadata: BTreeMap::new(),
        valid: true,
        ..assessment(&mut random, number, 0)
    });
    store
        .assess(Assess {
            rows: rows.collect(),
            check_existing: false,
        })
        .unwrap();
    store.seal().unwrap();
    let snapshot = store.snapshot().unwrap();
    let ask = |filter: &str, limit: usize| {
        search(&snapshot, &Search::new(filter).limit(limit).explain(true))
    };
    let rare = ask("feedback.rare = 'true'", 10).unwrap();
    assert_eq!(rare.trace_ids, [4_011, 2_011, 11].map(trace_id));
    let common = ask("feedback.common = 'true'", 3).unwrap();
    assert_eq!(common.trace_ids, [5_999, 5_998, 5_997].map(trace_id));
    // Neither reads them all when the newest suffice.
    let explained = common.explain.unwrap();
    assert!(explained.assessments.read < 1_000, "{explained}");
    let none = ask("NOT feedback.common = 'true'", 10).unwrap();
    assert_eq!(none.trace_ids, [4_011, 2_011, 11].map(trace_id));
    assert_eq!(
        count(&snapshot, &Search::new("feedback.common = 'true'")).unwrap(),
        5_997
    );
}

//! Processes that only read, in a loop, beside one that ingests, tags, deletes, seals and compacts: each of
//! their answers is a state that was committed, no older than what was acknowledged before they asked.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tracehouse::{Database, ImportOptions, OpenOptions, Search, TraceBatches};

use super::model::{Model, State, Step, WORD_EVERY, digest, id};
use super::{COUNT_SLACK, MEMORY_SLACK, Usage, assert_flat, seconds};
use crate::support::{json_rows, open, quiet_settings, rows};

const SEED: u64 = 11;
/// Steps of the short form.
const STEPS: u64 = 250;
const READERS: usize = 2;
const DATABASE: &str = "TRACEHOUSE_TEST_CHILD_LOOP";
const SECONDS: &str = "TRACEHOUSE_TEST_READER_SECONDS";
const ALL: usize = 10_000;

/// How far the writer is, in a file that all see: steps begun, steps acknowledged, and whether it has ended.
struct Progress(File);

impl Progress {
    fn write(&self, place: u64, value: u64) {
        self.0
            .write_all_at(&value.to_le_bytes(), place * 8)
            .unwrap();
    }

    fn read(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, place * 8).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn begun(&self) -> u64 {
        self.read(0)
    }

    fn acknowledged(&self) -> u64 {
        self.read(1)
    }

    fn has_ended(&self) -> bool {
        self.read(2) == 1
    }
}

/// A request with spans of traces: the numbers of the trace and of the span in it.
fn request(spans: impl IntoIterator<Item = (usize, usize)>) -> String {
    let span = |(trace, n): (usize, usize)| {
        let start = 1_740_787_200_000_000_000 + trace as i64 * 1_000_000;
        let word = if trace.is_multiple_of(WORD_EVERY) {
            "seventh"
        } else {
            "other"
        };
        json!({
            "traceId": id(trace), "spanId": format!("{n:016x}"), "name": "step",
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000).to_string(),
            "attributes": [{"key": "input.value", "value": {"stringValue": format!("{word} {}", "x ".repeat(100))}}],
        })
    };
    let spans: Vec<_> = spans.into_iter().map(span).collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn take(db: &Database, step: Step) {
    let import = |text: String| {
        drop(
            db.import_otlp(text.as_bytes(), &ImportOptions::default())
                .unwrap(),
        )
    };
    match step {
        Step::Start(traces) => {
            import(request(traces.into_iter().flat_map(|(trace, spans)| {
                (1..=spans).map(move |n| (trace, n))
            })));
        }
        Step::Continue(trace, n) => import(request([(trace, n)])),
        Step::Tag(trace, value) => db.set_tag(&id(trace), "n", &value.to_string()).unwrap(),
        Step::Delete(traces) => {
            let ids: Vec<String> = traces.into_iter().map(id).collect();
            assert_eq!(db.delete_traces(&ids).unwrap(), ids.len() as u64);
        }
        Step::Seal => db.seal().unwrap(),
        Step::Compact => drop(db.compact().unwrap()),
    }
}

#[test]
fn every_answer_of_a_reader_is_a_committed_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.traces");
    let db = open(&path);
    let progress = Progress(File::create_new(folder.path().join("progress")).unwrap());
    (0..3).for_each(|place| progress.write(place, 0));
    let readers: Vec<Child> = (0..READERS).map(|_| spawn(&path)).collect();
    let mut model = Model::new(SEED);
    let (started, limit) = (Instant::now(), seconds(SECONDS));
    let mut steps = 0;
    while limit.map_or(steps < STEPS, |limit| started.elapsed() < limit) {
        let step = model.step();
        steps += 1;
        progress.write(0, steps);
        take(&db, step);
        progress.write(1, steps);
    }
    progress.write(2, 1);
    println!("seed {SEED}: {steps} steps");
    for reader in readers {
        let done = reader.wait_with_output().unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        assert!(done.status.success(), "{out}\n{err}");
        out.lines()
            .filter(|line| line.starts_with("reader"))
            .for_each(|line| println!("{line}"));
    }
    db.seal().unwrap();
    db.close().unwrap();
    drop(db);
    let report = tracehouse::check(&path, true).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(
        std::fs::read_dir(path.join("readers")).unwrap().count(),
        0,
        "pins are left"
    );
}

fn spawn(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "steady::readers::child_reader", "--nocapture"])
        .env(DATABASE, path);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Does nothing unless it is a reading process.
#[test]
fn child_reader() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let path = Path::new(&path);
    let db = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(path)
        .unwrap();
    let progress = Progress(File::open(path.with_file_name("progress")).unwrap());
    let mut reader = Reader::new(db, progress);
    let mut usage: Vec<Usage> = Vec::new();
    let mut passes = 0;
    loop {
        let is_last = reader.progress.has_ended();
        reader.pass();
        passes += 1;
        usage.push(Usage::now());
        if is_last {
            break;
        }
    }
    assert_eq!(reader.low, reader.progress.acknowledged(), "the last state");
    let series = |of: fn(&Usage) -> u64| usage.iter().map(of).collect::<Vec<_>>();
    let (memory, descriptors) = (
        series(|usage| usage.memory),
        series(|usage| usage.descriptors),
    );
    let most = |series: &[u64]| series.iter().copied().max().unwrap_or(0);
    println!(
        "reader: {passes} passes, {} answers, memory {} MiB at most and {} at the end, descriptors {} and {}",
        reader.answers,
        most(&memory) >> 20,
        memory.last().unwrap() >> 20,
        most(&descriptors),
        descriptors.last().unwrap()
    );
    if seconds(SECONDS).is_some() {
        assert_flat("memory of a reader", &memory, MEMORY_SLACK);
        assert_flat("descriptors of a reader", &descriptors, COUNT_SLACK);
    }
}

/// A reading process.
struct Reader {
    db: Database,
    progress: Progress,
    model: Model,
    /// The states from step `low` on, as far as the model has gone.
    states: VecDeque<State>,
    low: u64,
    answers: u64,
    /// A search that was begun in the pass before, and the sums of the states it may have seen.
    begun: Option<(TraceBatches, Vec<u64>)>,
}

impl Reader {
    fn new(db: Database, progress: Progress) -> Self {
        let states = VecDeque::from([State::default()]);
        Self {
            db,
            progress,
            model: Model::new(SEED),
            states,
            low: 0,
            answers: 0,
            begun: None,
        }
    }

    /// Asks every kind of question once.
    fn pass(&mut self) {
        self.raise(self.progress.acknowledged());
        self.db.refresh().unwrap();
        let sum = |values: Vec<u64>| values.into_iter().fold(0_u64, u64::wrapping_add);
        let found = rows(
            &self.db,
            "SELECT trace_id, span_count, tags['n'] AS n FROM traces",
        );
        self.check(
            "traces by SQL",
            sum(found.iter().map(of_row).collect()),
            |state| state.traces,
        );
        let page = self.db.search_traces(&Search::new("").limit(ALL)).unwrap();
        let of_trace = |trace: &tracehouse::model::TraceRow| {
            digest((
                &trace.trace_id,
                trace.span_count as usize,
                trace.tags.get("n").map(String::as_str),
            ))
        };
        self.check(
            "traces by search",
            sum(page.traces.iter().map(of_trace).collect()),
            |state| state.traces,
        );
        let counted = rows(
            &self.db,
            "SELECT trace_id, count(*) AS n FROM spans GROUP BY trace_id",
        );
        let of_count = |row: &serde_json::Value| {
            digest((
                row["trace_id"].as_str().unwrap(),
                row["n"].as_u64().unwrap() as usize,
            ))
        };
        self.check(
            "spans",
            sum(counted.iter().map(of_count).collect()),
            |state| state.spans,
        );
        let words = self
            .db
            .search_trace_ids(&Search::new("trace.text MATCHES 'seventh'").limit(ALL))
            .unwrap();
        self.check("words", sum(words.iter().map(digest).collect()), |state| {
            state.words
        });
        self.go_on();
    }

    /// Reads the rest of a search that was begun in the pass before, and begins another: what it has seen
    /// stays, whatever the writer does.
    fn go_on(&mut self) {
        let batches = self.db.search_batches(&Search::new("").limit(ALL)).unwrap();
        self.advance_to(self.progress.begun());
        let states = self.states.iter().map(|state| state.traces).collect();
        let Some((batches, states)) = self.begun.replace((batches, states)) else {
            return;
        };
        let batches: Vec<_> = batches.map(Result::unwrap).collect();
        let of_row = |row: &serde_json::Value| {
            let (id, tag) = (row["trace_id"].as_str().unwrap(), row["tags"]["n"].as_str());
            digest((id, row["span_count"].as_u64().unwrap() as usize, tag))
        };
        let found = json_rows(&batches)
            .iter()
            .map(of_row)
            .fold(0, u64::wrapping_add);
        assert!(
            states.contains(&found),
            "a search begun before: none of {} states",
            states.len()
        );
        self.answers += 1;
    }

    /// States before `low` cannot be seen any more.
    fn raise(&mut self, low: u64) {
        while self.low < low {
            if self.states.len() == 1 {
                self.advance();
            }
            self.states.pop_front();
            self.low += 1;
        }
    }

    fn advance(&mut self) {
        self.model.step();
        self.states.push_back(self.model.state);
    }

    fn advance_to(&mut self, step: u64) {
        while self.low + (self.states.len() as u64) <= step {
            self.advance();
        }
    }

    /// An answer is one of the states from the lowest to the last that was begun; later answers are of that or
    /// a later one.
    fn check(&mut self, what: &str, found: u64, of: fn(&State) -> u64) {
        let high = self.progress.begun();
        self.advance_to(high);
        let step = self.states.iter().position(|state| of(state) == found);
        let Some(step) = step else {
            panic!("{what}: no state of the steps {} to {high}", self.low)
        };
        self.raise(self.low + step as u64);
        self.answers += 1;
    }
}

fn of_row(row: &serde_json::Value) -> u64 {
    let tag = row["n"].as_str();
    digest((
        row["trace_id"].as_str().unwrap(),
        row["span_count"].as_u64().unwrap() as usize,
        tag,
    ))
}

//! Everything at once for a long time, in a process of its own: imports, edits, feedback, deletes, questions,
//! seals, merges, text indexes and retention; samples of what it uses stay level, and the check is clean.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tracehouse::{Database, ErrorKind, ImportOptions, OpenOptions, Retention, Search, Settings};

use super::{COUNT_SLACK, MEMORY_SLACK, Usage, assert_flat, disk_use, seconds};
use crate::order::Random;

const DATABASE: &str = "TRACEHOUSE_TEST_CHILD_SOAK";
const SECONDS: &str = "TRACEHOUSE_TEST_SOAK_SECONDS";
const SHORT: Duration = Duration::from_secs(8);
const SAMPLES: u32 = 120;
/// Traces of one import, and spans of each.
const TRACES_PER_IMPORT: u64 = 200;
const SPANS_PER_TRACE: u64 = 4;
const NAMES: [&str; 4] = ["agent", "chat", "search", "rerank"];
/// What retention keeps.
const TRACES_KEPT: u64 = 5_000;
const FLUSH_BYTES: usize = 4 << 20;
/// Two memtables, one being filled and one being sealed, and what is appended meanwhile; in the log, encoded.
const WAL_BYTES_MAX: u64 = 8 * FLUSH_BYTES as u64;

/// One look at the process and its database.
struct Sample {
    seconds: u64,
    usage: Usage,
    wal_bytes: u64,
    files: u64,
    disk_bytes: u64,
    traces: u64,
    segments: u64,
}

/// The load and how far it has come.
struct Load {
    db: Database,
    stop: AtomicBool,
    imported: AtomicU64,
    edits: AtomicU64,
    answers: AtomicU64,
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.flush_bytes_max = FLUSH_BYTES;
    settings.cache_bytes_max = 32 << 20;
    settings.threads = 2;
    settings.retention = vec![Retention::new().max_traces(TRACES_KEPT)];
    settings
}

fn id(number: u64) -> String {
    format!("{:032x}", number + 1)
}

/// One trace as a line; most texts differ, as real ones do.
fn line(number: u64) -> String {
    let start = 1_740_787_200_000_000_000 + number as i64 * 1_000_000;
    let spans: Vec<_> = (0..SPANS_PER_TRACE)
        .map(|n| {
            let text = format!("question {number} about topic{} {:x}", number % 97, number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let parent = if n == 0 { String::new() } else { format!("{:016x}", 1) };
            json!({
                "traceId": id(number), "spanId": format!("{:016x}", n + 1), "parentSpanId": parent,
                "name": NAMES[n as usize % NAMES.len()],
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5_000_000).to_string(),
                "status": {"code": if number.is_multiple_of(50) { 2 } else { 1 }},
                "attributes": [
                    {"key": "input.value", "value": {"stringValue": format!("{text} {}", "words and more words ".repeat(20))}},
                    {"key": "gen_ai.request.model", "value": {"stringValue": format!("model-{}", number % 5)}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": (number % 1_000).to_string()}},
                    {"key": "session.id", "value": {"stringValue": format!("session-{}", number / 10)}},
                ],
            })
        })
        .collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

impl Load {
    fn runs(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// One of the newest traces.
    fn recent(&self, random: &mut Random) -> u64 {
        let imported = self.imported.load(Ordering::Acquire);
        imported.saturating_sub(1 + random.below(TRACES_KEPT as usize / 2) as u64)
    }

    fn import(&self) {
        let options = ImportOptions::default().batch_lines(50);
        while self.runs() {
            let first = self.imported.load(Ordering::Relaxed);
            let text: String = (first..first + TRACES_PER_IMPORT)
                .map(|at| line(at) + "\n")
                .collect();
            let report = self
                .db
                .import(text.as_bytes(), &options, &mut |_| {})
                .unwrap();
            assert_eq!(
                (report.spans, report.rejected_count),
                (TRACES_PER_IMPORT * SPANS_PER_TRACE, 0)
            );
            self.imported
                .store(first + TRACES_PER_IMPORT, Ordering::Release);
        }
    }

    /// Changes to traces, some of which are gone.
    fn edit(&self) {
        let mut random = Random::new(1);
        while self.runs() {
            let id = id(self.recent(&mut random));
            let done = match random.below(10) {
                0 => self.db.delete_traces(&[&id]).map(drop),
                1..4 => self.db.log_feedback(&id, "score", "0.5").map(drop),
                _ => self
                    .db
                    .set_tag(&id, "reviewed", ["yes", "no"][random.below(2)]),
            };
            if let Err(error) = done {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            }
            self.edits.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ask(&self, seed: u64) {
        let mut random = Random::new(seed);
        while self.runs() {
            let number = self.recent(&mut random);
            match random.below(6) {
                0 => drop(
                    self.db
                        .sql("SELECT model, count(*), sum(input_tokens) FROM spans GROUP BY model")
                        .unwrap(),
                ),
                1 => drop(
                    self.db
                        .search_text(&format!("topic{} -nothing", number % 97), 10)
                        .unwrap(),
                ),
                2 => drop(self.search("status = 'ERROR' AND tags.reviewed = 'yes'")),
                3 => drop(self.search(&format!("trace.text LIKE '%question {number} about%'"))),
                4 => drop(self.search(&format!(
                    "session = 'session-{}' AND span.name = 'chat'",
                    number / 10
                ))),
                _ => match self.db.get_trace(&id(number)) {
                    Ok(trace) => assert_eq!(trace.spans.len() as u64, SPANS_PER_TRACE),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                },
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn search(&self, filter: &str) -> tracehouse::TracePage {
        self.db
            .search_traces(&Search::new(filter).limit(20))
            .unwrap()
    }

    fn sample(&self, path: &Path, started: Instant) -> Sample {
        let (files, disk_bytes) = disk_use(path);
        let stats = self.db.stats().unwrap();
        assert_eq!(stats.maintenance_failure, None);
        Sample {
            seconds: started.elapsed().as_secs(),
            usage: Usage::now(),
            wal_bytes: disk_use(&path.join("wal")).1,
            files,
            disk_bytes,
            traces: stats.traces,
            segments: stats.segments as u64,
        }
    }
}

#[test]
fn nothing_grows_under_full_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("soak.traces");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "steady::soak::child_soak", "--nocapture"])
        .env(DATABASE, &path);
    let done = command.output().unwrap();
    println!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let report = tracehouse::check(&path, true).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    println!(
        "check: {} segments, {} traces folded, {} bytes",
        report.segments, report.traces_folded, report.bytes_hashed
    );
}

/// Does nothing unless it is the process under load.
#[test]
fn child_soak() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let path = Path::new(&path);
    let long = seconds(SECONDS);
    let duration = long.unwrap_or(SHORT);
    let db = OpenOptions::new().settings(settings()).open(path).unwrap();
    let (stop, imported, edits, answers) = Default::default();
    let load = Load {
        db,
        stop,
        imported,
        edits,
        answers,
    };
    let started = Instant::now();
    let mut samples = Vec::new();
    std::thread::scope(|scope| {
        let stops = StopOnDrop(&load.stop);
        scope.spawn(|| load.import());
        scope.spawn(|| load.edit());
        scope.spawn(|| load.ask(2));
        scope.spawn(|| load.ask(3));
        while started.elapsed() < duration {
            std::thread::sleep(duration / SAMPLES);
            samples.push(load.sample(path, started));
        }
        drop(stops);
    });
    let figures =
        [&load.imported, &load.edits, &load.answers].map(|figure| figure.load(Ordering::Relaxed));
    println!(
        "{} traces imported, {} edits, {} answers",
        figures[0], figures[1], figures[2]
    );
    assert!(figures.iter().all(|figure| *figure > 0));
    report(&samples);
    assert!(
        samples
            .iter()
            .all(|sample| sample.traces <= TRACES_KEPT + TRACES_PER_IMPORT)
    );
    assert_bounded(&samples, long.is_some());
    load.db.close().unwrap();
}

/// Ends the load also when a sample fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn report(samples: &[Sample]) {
    println!("seconds memory_mib descriptors wal_kib files disk_mib traces segments");
    for Sample {
        seconds,
        usage,
        wal_bytes,
        files,
        disk_bytes,
        traces,
        segments,
    } in samples
    {
        let (memory, descriptors) = (usage.memory >> 20, usage.descriptors);
        let (wal, disk) = (wal_bytes >> 10, disk_bytes >> 20);
        println!("{seconds} {memory} {descriptors} {wal} {files} {disk} {traces} {segments}");
    }
}

fn assert_bounded(samples: &[Sample], is_long: bool) {
    let series = |of: fn(&Sample) -> u64| samples.iter().map(of).collect::<Vec<_>>();
    let wal = series(|sample| sample.wal_bytes);
    assert!(
        wal.iter().all(|bytes| *bytes <= WAL_BYTES_MAX),
        "the log outgrows its bound: {wal:?}"
    );
    if is_long {
        assert_flat(
            "memory",
            &series(|sample| sample.usage.memory),
            MEMORY_SLACK,
        );
        assert_flat(
            "descriptors",
            &series(|sample| sample.usage.descriptors),
            4 * COUNT_SLACK,
        );
        assert_flat("files", &series(|sample| sample.files), 4 * COUNT_SLACK);
        assert_flat("the log", &wal, FLUSH_BYTES as u64);
    }
}

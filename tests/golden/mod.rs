//! Golden scripts: questions with their answers, the same wherever the rows are (QU-1).
//!
//! A script in `golden/scripts` is blocks of a command, `---` and what it prints, with an empty line
//! between blocks; lines that begin with `#` are remarks. All scripts run against the generated data in
//! each of the seven [`State`]s. `UPDATE_GOLDENFILES=1` writes what the first state says into the
//! scripts; the others are still compared with it, and the change is there to be reviewed.
//!
//! | command | prints |
//! |---|---|
//! | `sql STATEMENT` | each row as JSON; sorted, unless the statement has an order |
//! | `search FILTER [; KEY ASC or DESC, ...]` | the numbers of the traces, in order |
//! | `pages N FILTER [; ORDER]` | the same, a page of N a line |
//! | `count FILTER` | how many |
//! | `text QUERY [; FILTER]` | span, field, score and snippet of each hit, best first |
//! | `show NUMBER` | trace, spans and assessments of a trace |
//! | `dataset NAME`, `datasets`, `export NAME` | records, datasets, JSON lines, without random ids and times |

mod commands;
mod plans;
mod related;

use std::fs;
use std::path::{Path, PathBuf};

use tracehouse::{Database, NewAssessment, Sample, Search};

use crate::data;
use crate::support::{DiskDb, import_lines, in_memory};

/// Where the rows are when the questions are asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// In a database that has no files.
    InMemory,
    /// On disk, all of it in the log and in memory.
    Unsealed,
    /// In several segments.
    Sealed,
    /// In one segment.
    Compacted,
    /// Some in segments and some in the log, read back by an open after no close.
    Reopened,
    /// In segments, the metadata store deleted.
    WithoutKv,
    /// In segments, every text index deleted.
    WithoutText,
}

/// All of them.
pub const STATES: [State; 7] = [
    State::InMemory,
    State::Unsealed,
    State::Sealed,
    State::Compacted,
    State::Reopened,
    State::WithoutKv,
    State::WithoutText,
];

/// A database in a state, and its folder if it has one.
pub enum Subject {
    Memory(Database),
    Disk(DiskDb),
}

impl Subject {
    pub fn db(&self) -> &Database {
        match self {
            Subject::Memory(db) => db,
            Subject::Disk(disk) => &disk.db,
        }
    }
}

#[test]
fn scripts_say_the_same_in_every_state() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/scripts"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
    files.sort();
    let mut scripts: Vec<Script> = files.iter().map(|path| Script::read(path)).collect();
    let queries: usize = scripts.iter().map(|script| script.blocks.len()).sum();
    assert!(queries >= 60, "only {queries} questions");
    let is_update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut differences = Vec::new();
    for (at, state) in STATES.into_iter().enumerate() {
        let subject = prepare(state, &data::lines(), &finish);
        for script in &mut scripts {
            for block in &mut script.blocks {
                let got = commands::run(subject.db(), &block.command);
                if is_update && at == 0 {
                    block.output = got;
                } else if got != block.output {
                    differences.push(block.difference(&script.path, state, &got));
                }
            }
        }
    }
    if is_update {
        scripts.iter().for_each(Script::write);
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// The data in a state. What is changed afterwards (tags, verdicts, deletions, datasets), by `finish`, is
/// changed at a different point of the life of the rows in each state.
pub fn prepare(state: State, lines: &[String], finish: &dyn Fn(&Database)) -> Subject {
    let half = lines.len() / 2;
    if state == State::InMemory {
        let db = in_memory();
        import_lines(&db, lines);
        finish(&db);
        return Subject::Memory(db);
    }
    let disk = DiskDb::new();
    match state {
        State::InMemory | State::Unsealed => {
            import_lines(&disk.db, lines);
            finish(&disk.db);
        }
        _ => {
            for piece in [&lines[..half], &lines[half..]] {
                import_lines(&disk.db, piece);
                disk.db.seal().unwrap();
            }
            finish(&disk.db);
        }
    }
    match state {
        State::InMemory | State::Unsealed => {}
        State::Reopened => return Subject::Disk(disk.reopen(false, |_| {})),
        State::Sealed => {
            disk.db.seal().unwrap();
            assert!(disk.db.stats().unwrap().segments > 1);
        }
        State::Compacted => {
            disk.db.compact().unwrap();
            assert_eq!(disk.db.stats().unwrap().segments, 1);
        }
        State::WithoutKv => {
            return Subject::Disk(
                disk.reopen(true, |path| fs::remove_dir_all(path.join("kv")).unwrap()),
            );
        }
        State::WithoutText => {
            let disk = disk.reopen(true, |path| assert!(remove_texts(path) > 1));
            assert_eq!(disk.db.stats().unwrap().indexed_spans, 0);
            return Subject::Disk(disk);
        }
    }
    Subject::Disk(disk)
}

fn remove_texts(path: &Path) -> usize {
    let segments = fs::read_dir(path.join("seg"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("text"));
    let mut removed = 0;
    for text in segments.filter(|text| text.exists()) {
        fs::remove_dir_all(text).unwrap();
        removed += 1;
    }
    removed
}

/// Everything that is done to traces after they came.
pub fn finish(db: &Database) {
    let id = data::trace_id;
    let report = db
        .import_assessments(data::assessments().as_bytes(), &Default::default())
        .unwrap();
    assert_eq!(report.rejected_count, 0, "{:?}", report.rejected);
    import_lines(db, &data::corrections());
    db.set_tags(&id(0), [("env", "prod"), ("owner", "ana")])
        .unwrap();
    db.set_tag(&id(1), "env", "dev").unwrap();
    db.set_tag(&id(7), "team", "green").unwrap();
    db.set_tag(&id(9), "gone", "soon").unwrap();
    db.delete_tag(&id(9), "gone").unwrap();
    db.assess(
        &id(9),
        NewAssessment::feedback("style", "\"dry\"")
            .source("HUMAN", "bo")
            .rationale("no joke"),
    )
    .unwrap();
    db.delete_traces(&[id(16), id(999)]).unwrap();
    let dataset = db.create_dataset("regressions").unwrap();
    dataset
        .add_traces(&Search::new("service_name = 'rag'"))
        .unwrap();
    dataset.add_traces(&Search::new("session = 's-1'")).unwrap();
    dataset
        .add_traces(&Search::new(
            "trace_id IS NOT NULL AND service_name = 'rag'",
        ))
        .unwrap();
    let calls = db.create_dataset("calls").unwrap();
    let tools = Search::new("span.type = 'TOOL' AND NOT HAS(span.status = 'ERROR')");
    calls
        .add_span_sample(&tools, &Sample::new(3, 7).stratify("span.tool"))
        .unwrap();
    db.create_dataset("empty").unwrap();
}

/// A script: where it is, its opening remarks, its blocks.
struct Script {
    path: PathBuf,
    remarks: String,
    blocks: Vec<Block>,
}

struct Block {
    command: String,
    output: String,
}

impl Script {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut script = Self {
            path: path.to_path_buf(),
            remarks: String::new(),
            blocks: Vec::new(),
        };
        for piece in text
            .split("\n\n")
            .map(|piece| piece.trim_matches('\n'))
            .filter(|piece| !piece.is_empty())
        {
            match piece.split_once("\n---") {
                Some((command, output)) => script.blocks.push(Block {
                    command: command.to_string(),
                    output: output.strip_prefix('\n').unwrap_or(output).to_string(),
                }),
                None if piece.starts_with('#') && script.blocks.is_empty() => {
                    script.remarks = piece.to_string()
                }
                None => script.blocks.push(Block {
                    command: piece.to_string(),
                    output: String::new(),
                }),
            }
        }
        script
    }

    fn write(&self) {
        let mut text = self.remarks.clone();
        for block in &self.blocks {
            let before = if text.is_empty() { "" } else { "\n\n" };
            let line_end = if block.output.is_empty() { "" } else { "\n" };
            text.push_str(&format!(
                "{before}{}\n---{line_end}{}",
                block.command, block.output
            ));
        }
        fs::write(&self.path, text + "\n").unwrap();
    }
}

impl Block {
    fn difference(&self, path: &Path, state: State, got: &str) -> String {
        let name = path.file_name().unwrap().to_string_lossy();
        let differ = got
            .lines()
            .zip(self.output.lines())
            .position(|(got, want)| got != want);
        let at = differ.unwrap_or(got.lines().count().min(self.output.lines().count()));
        let line = |text: &str| {
            text.lines()
                .nth(at)
                .unwrap_or("(end)")
                .chars()
                .take(600)
                .collect::<String>()
        };
        format!(
            "{name}, {state:?}: {}\n  line {at}\n  got  {}\n  want {}",
            self.command,
            line(got),
            line(&self.output)
        )
    }
}

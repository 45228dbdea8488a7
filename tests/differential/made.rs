//! What the statements are asked of: rows of a generator of our own beside those of the golden scripts, or a
//! sample of the example data; in each of the states, and exported for the peers.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use regex::Regex;
use serde_json::{Map, Value, json};
use tracehouse::Database;

use super::grammar::tables::{Kind, TABLES};
use crate::golden::{State, Subject, prepare};
use crate::order::Random;
use crate::support::{data_files, lines_of, shared};
use crate::{data, golden};

/// Traces of the generator.
const TRACES: u64 = 60;
/// Lines of each file of the example data.
const SAMPLE_LINES: usize = 6;
/// Longest line of it that is taken.
const SAMPLE_LINE_BYTES_MAX: usize = 20_000;
/// 2025-03-01T00:00:00Z.
const START_NS: i64 = 1_740_787_200_000_000_000;

/// Texts in which cases, escapes, wildcards, blanks and lengths differ.
pub const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "b",
    "ab",
    "aB",
    "a b",
    " a",
    "a ",
    "100%",
    "a%b",
    "a_b",
    "a\\b",
    "\\",
    "%",
    "_",
    "it's",
    "line\nnext",
    "line\\nnext",
    "tab\there",
    "é",
    "É",
    "naïve",
    "日本語",
    "🚀 go",
    "null",
    "true",
    "0",
    "-7",
    "1e5",
    "007",
    "search",
    "Search",
    "lookup",
    "order 77",
    "{\"k\": 1}",
    "[1,2]",
    "x!y",
    "!",
    "ÄÖ",
    "zz",
];

const MODELS: &[&str] = &[
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4",
    "mistral-large",
    "GPT-4o",
    "é-model",
];
const SESSIONS: &[&str] = &["s-1", "s-2", "S-1", "day%1", "day_1", "ü"];
const OPERATIONS: &[&str] = &["chat", "execute_tool", "invoke_agent", "embeddings"];

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    Made,
    Real,
}

/// The lines of a source; `None` when the example data is not there.
fn lines(source: Source) -> Option<Vec<String>> {
    if source == Source::Made {
        let mut lines = data::lines();
        lines.extend(generated());
        return Some(lines);
    }
    let mut lines = Vec::new();
    for file in data_files()? {
        let short = lines_of(&file)
            .into_iter()
            .filter(|line| line.len() <= SAMPLE_LINE_BYTES_MAX);
        lines.extend(short.take(SAMPLE_LINES).map(|line| in_microseconds(&line)));
    }
    Some(lines)
}

/// The line with whole microseconds, which is all that DuckDB's times have.
fn in_microseconds(line: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(imeUnixNano": ?"?\d+)\d{3}\b"#).unwrap());
    TIME.replace_all(line, "${1}000").into_owned()
}

/// The rows of `source` in `state`.
pub fn subject(source: Source, state: State) -> Option<Subject> {
    Some(prepare(state, &lines(source)?, &|db| match source {
        Source::Made => finish_made(db),
        Source::Real => finish_real(db),
    }))
}

fn finish_made(db: &Database) {
    golden::finish(db);
    let mut random = Random::new(11);
    let mut lines = String::new();
    for _ in 0..90 {
        let trace_id = made_trace(random.below(TRACES as usize) as u64);
        let value = match random.below(5) {
            0 => json!(random.below(9) as f64 / 4.0),
            1 => json!(random.below(5) as i64 - 2),
            2 => json!(random.below(2) == 0),
            3 => json!(pick(&mut random, TEXTS)),
            _ => json!(null),
        };
        let name = pick(
            &mut random,
            &["correctness", "helpfulness", "reward", "tone"],
        );
        let source = pick(
            &mut random,
            &["HUMAN:ana", "HUMAN:bo", "CODE", "LLM_JUDGE:gpt-4o"],
        );
        let mut line =
            json!({"trace_id": trace_id, "name": name, "value": value, "source": source});
        if random.below(2) == 0 {
            line["rationale"] = json!(pick(&mut random, TEXTS));
        }
        lines.push_str(&format!("{line}\n"));
    }
    let report = db
        .import_assessments(lines.as_bytes(), &Default::default())
        .unwrap();
    assert_eq!(report.rejected_count, 0, "{:?}", report.rejected);
    for number in (0..TRACES).step_by(3) {
        let tags = [
            ("env", pick(&mut random, &["prod", "dev", "PROD"])),
            ("note", pick(&mut random, TEXTS)),
        ];
        db.set_tags(
            &made_trace(number),
            tags.into_iter().take(1 + random.below(2)),
        )
        .unwrap();
    }
}

fn finish_real(db: &Database) {
    let Some(path) = shared("data/assessments.jsonl") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let known = crate::support::texts(db, "SELECT trace_id FROM traces ORDER BY trace_id");
    let is_known = |line: &&str| known.iter().any(|id| line.contains(id.as_str()));
    let lines: Vec<&str> = text.lines().filter(is_known).collect();
    db.import_assessments(lines.join("\n").as_bytes(), &Default::default())
        .unwrap();
    for (number, trace_id) in known.iter().enumerate() {
        let tags = [
            ("env", ["prod", "dev"][number % 2]),
            ("number", TEXTS[number % TEXTS.len()]),
        ];
        db.set_tags(trace_id, tags.into_iter().take(number % 3))
            .unwrap();
    }
}

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len())]
}

fn made_trace(number: u64) -> String {
    format!("d{number:031x}")
}

/// Requests of traces with ties, absent values, empty texts, letters of all kinds and integers at their limits.
fn generated() -> Vec<String> {
    let mut random = Random::new(7);
    (0..TRACES)
        .map(|trace| request(&mut random, trace))
        .collect()
}

fn request(random: &mut Random, trace: u64) -> String {
    let mut spans = Vec::new();
    for number in 1..=1 + random.below(6) as u64 {
        spans.push(span(random, trace, number));
    }
    let service = pick(random, &["desk", "Desk", "rag", "", "日本"]);
    let resource: Vec<Value> = match service {
        "" => Vec::new(),
        _ => vec![json!({"key": "service.name", "value": {"stringValue": service}})],
    };
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "made", "version": trace.to_string()}, "spans": spans}],
    }]})
    .to_string()
}

/// Attributes of a span, each there or not.
fn attributes(random: &mut Random) -> Vec<Value> {
    let mut attributes = Map::new();
    let mut add = |random: &mut Random, key: &str, one_in: usize, value: Value| {
        if random.below(one_in) == 0 {
            attributes.insert(key.to_string(), value);
        }
    };
    let text = |random: &mut Random, from: &[&str]| json!({"stringValue": pick(random, from)});
    let int = |number: i64| json!({"intValue": number.to_string()});
    for (key, from, one_in) in [
        ("gen_ai.operation.name", OPERATIONS, 2),
        ("gen_ai.request.model", MODELS, 2),
        (
            "gen_ai.provider.name",
            &["openai", "anthropic", "OpenAI"],
            2,
        ),
        (
            "gen_ai.tool.name",
            &["lookup", "search", "Search", "pay"],
            3,
        ),
        ("session.id", SESSIONS, 3),
        ("user.id", &["u-ana", "u-bo", "U-ANA"], 3),
        ("input.value", TEXTS, 1),
        ("output.value", TEXTS, 2),
        ("note", TEXTS, 2),
        ("a.b", TEXTS, 3),
    ] {
        let value = text(random, from);
        add(random, key, one_in, value);
    }
    for (key, below) in [
        ("gen_ai.usage.input_tokens", 6),
        ("gen_ai.usage.output_tokens", 300),
    ] {
        let value = int(random.below(below) as i64);
        add(random, key, 2, value);
    }
    let extremes = [0, 1, i64::MAX, i64::MAX - 1, 9_007_199_254_740_993];
    let value = int(extremes[random.below(extremes.len())]);
    add(random, "gen_ai.usage.cache_creation.input_tokens", 4, value);
    let cost = [0.0, 0.25, 0.5, 1.75, 1024.125, -0.5][random.below(6)];
    add(random, "gen_ai.usage.cost", 2, json!({"doubleValue": cost}));
    let value = int([0, 1, -1, 7, i64::MAX, i64::MIN][random.below(6)]);
    add(random, "num", 2, value);
    let value = json!({"boolValue": random.below(2) == 0});
    add(random, "flag", 2, value);
    attributes
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

fn span(random: &mut Random, trace: u64, number: u64) -> Value {
    // Few different times, so that there are ties; whole microseconds, which is all that the peers reckon with.
    let start =
        START_NS + (trace / 4) as i64 * 3_600_000_000_000 + random.below(4) as i64 * 1_500_000_000;
    let duration = [
        0,
        1_000,
        250_000_000,
        250_000_000,
        1_000_000_000,
        61_000_000_000,
    ][random.below(6)];
    let pairs = attributes(random);
    let mut span = json!({
        "traceId": made_trace(trace), "spanId": format!("e{trace:07x}{number:08x}"), "name": pick(random, TEXTS),
        "kind": 1 + random.below(5), "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + duration).to_string(), "attributes": pairs,
    });
    if number > 1 {
        span["parentSpanId"] = json!(format!(
            "e{trace:07x}{:08x}",
            1 + random.below(number as usize - 1)
        ));
    }
    match random.below(4) {
        0 => span["status"] = json!({"code": 2, "message": pick(random, TEXTS)}),
        1 => span["status"] = json!({"code": 1}),
        _ => {}
    }
    span
}

/// The tables of `db` as Parquet files in `folder`, and what `peers.py` is told about them. Times are written as
/// whole nanoseconds.
pub fn export(db: &Database, folder: &Path) -> Value {
    let mut tables = Vec::new();
    for table in TABLES {
        let path = folder.join(format!("{}.parquet", table.name));
        let batches: Vec<RecordBatch> = rows(db, table.name).iter().map(with_plain_times).collect();
        let schema = batches[0].schema();
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), schema, None).unwrap();
        batches
            .iter()
            .for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        let columns: Vec<Value> = table
            .columns()
            .map(|(name, kind)| json!([name, kind_name(kind)]))
            .collect();
        tables.push(json!({"name": table.name, "parquet": path, "columns": columns}));
    }
    Value::from(tables)
}

/// All rows of a table, in the columns that statements use.
pub fn rows(db: &Database, name: &str) -> Vec<RecordBatch> {
    let table = TABLES.iter().find(|table| table.name == name).unwrap();
    let columns: Vec<String> = table
        .columns()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let batches = db
        .sql(&format!("SELECT {} FROM {name}", columns.join(", ")))
        .unwrap();
    assert!(
        batches.iter().any(|batch| batch.num_rows() > 0),
        "{name} is empty"
    );
    batches
}

fn with_plain_times(batch: &RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let is_time = matches!(field.data_type(), DataType::Timestamp(..));
        let array = if is_time {
            cast(array, &DataType::Int64).unwrap()
        } else {
            array.clone()
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        columns.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn kind_name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

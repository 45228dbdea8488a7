//! What a search says of itself: what was read and what was left out, exactly.

use tracehouse::model::{Span, TraceHint};
use tracehouse::{Database, Explain, NewAssessment, Search};

use super::{id, span};
use crate::support::DiskDb;

const SEGMENTS: u32 = 3;
const SEGMENT_TRACES: u32 = 100;
const TRACES: u32 = SEGMENTS * SEGMENT_TRACES;

/// A root and a child; the root of trace 150 has a tag and a word of its own.
fn spans(trace: u32) -> [Span; 2] {
    let mut root = span(trace, 0);
    root.inputs = Some(format!("question {trace}"));
    if trace == 150 {
        root.inputs = Some("a zebra".into());
        let tags = [("rare".to_string(), "yes".to_string())].into();
        root.hint = Some(TraceHint {
            tags,
            ..TraceHint::default()
        });
    }
    [root, span(trace, 1)]
}

/// Three sealed segments with their text indexes.
fn sealed() -> DiskDb {
    let disk = DiskDb::new();
    for segment in 0..SEGMENTS {
        let traces = segment * SEGMENT_TRACES..(segment + 1) * SEGMENT_TRACES;
        disk.db
            .append(&traces.flat_map(spans).collect::<Vec<_>>())
            .unwrap();
        disk.db.seal().unwrap();
    }
    disk.db.index_text().unwrap();
    disk
}

/// The explanation of a search that finds so many traces; its figures add up to what there is.
fn explained(db: &Database, search: &Search, found: usize) -> Explain {
    let page = db.search_traces(&search.clone().explain(true)).unwrap();
    assert_eq!(page.traces.len(), found, "{search:?}");
    let (explain, stats) = (page.explain.unwrap(), db.stats().unwrap());
    let memtables = u64::from(stats.memtable_bytes > 0 && explain.text_index.scanned_spans > 0);
    let all = |part: tracehouse::Coverage| part.read + part.pruned;
    assert_eq!(
        all(explain.sources),
        stats.segments as u64 + memtables,
        "{explain}"
    );
    assert_eq!(all(explain.traces), stats.traces, "{explain}");
    assert_eq!(all(explain.spans), stats.spans, "{explain}");
    assert_eq!(all(explain.assessments), stats.assessments, "{explain}");
    let text = explain.text_index;
    assert_eq!(
        (text.indexed_spans, text.indexed_spans + text.scanned_spans),
        (stats.indexed_spans, stats.spans)
    );
    explain
}

/// Sources, rows of traces and rows of spans that were read.
fn read(explain: &Explain) -> (u64, u64, u64) {
    (
        explain.sources.read,
        explain.traces.read,
        explain.spans.read,
    )
}

#[test]
fn what_was_read_is_told_exactly() {
    let disk = sealed();
    let ask = |filter: &str, found: usize| explained(&disk.db, &Search::new(filter), found);
    let all = u64::from(TRACES);
    assert_eq!(read(&ask("", TRACES as usize)), (3, all, 0));
    let by_tag = ask("tags.rare = 'yes'", 1);
    assert_eq!(
        (by_tag.access_path.as_str(), read(&by_tag)),
        ("tag index (rare), rows=1 of 300", (1, 1, 0))
    );
    let by_id = ask(&format!("request_id = '{}'", id(7)), 1);
    assert_eq!(
        (by_id.access_path.as_str(), read(&by_id)),
        ("trace id index, rows=1 of 300", (1, 1, 0))
    );
    assert_eq!(read(&ask("tags.rare = 'no'", 0)), (0, 0, 0));
    let by_time = ask("timestamp < 50000", 50);
    assert_eq!(
        (by_time.access_path.as_str(), by_time.sources.read),
        ("scan with zones, rows=100 of 300", 1)
    );
    assert_eq!(
        (by_time.traces.read, by_time.spans.read),
        (100, 0),
        "a page of a segment is read whole"
    );
    let by_tag_and_span = ask("tags.rare = 'yes' AND span.name = 'span 1'", 1);
    assert_eq!(read(&by_tag_and_span), (1, 1, 2));
    assert_eq!(by_tag_and_span.conditions.len(), 1);
    assert_eq!(
        read(&ask("span.name = 'span 1'", TRACES as usize)),
        (3, all, 2 * all)
    );
    let by_word = ask("trace.text MATCHES 'zebra'", 1);
    assert_eq!(
        (by_word.access_path.as_str(), read(&by_word)),
        ("trace id index, rows=1 of 300", (1, 1, 1))
    );
    // Two conditions look at the same spans: these are counted once.
    let twice = ask(
        "tags.rare = 'yes' AND HAS(span.name = 'span 0') AND HAS(span.name = 'span 1')",
        1,
    );
    assert_eq!(read(&twice), (1, 1, 2));
    // The newest page needs the newest segment alone.
    let newest = explained(&disk.db, &Search::new("").limit(5), 5);
    assert_eq!(read(&newest), (1, u64::from(SEGMENT_TRACES), 0));
    assert_eq!(
        disk.db.search_traces(&Search::new("")).unwrap().explain,
        None
    );
}

#[test]
fn what_is_in_memory_is_told_too() {
    let disk = sealed();
    disk.db
        .append(&(TRACES..TRACES + 10).flat_map(spans).collect::<Vec<_>>())
        .unwrap();
    for trace in [3, TRACES + 1] {
        disk.db
            .assess(&id(trace), NewAssessment::feedback("score", "0.5"))
            .unwrap();
    }
    let ask = |filter: &str, found: usize| explained(&disk.db, &Search::new(filter), found);
    let by_tag = ask("tags.rare = 'yes'", 1);
    assert_eq!(read(&by_tag), (2, 11, 0), "memory has no tag index");
    let by_verdict = ask("feedback.score > 0.1", 2);
    assert_eq!(
        (by_verdict.assessments.read, read(&by_verdict)),
        (2, (2, 2, 0))
    );
    let by_word = ask("trace.text MATCHES 'zebra'", 1);
    assert_eq!(by_word.text_index.scanned_spans, 20);
    assert_eq!(
        by_word.spans.read,
        1 + 20,
        "spans without an index are scanned for words"
    );
    let lines: Vec<String> = by_word.to_string().lines().map(str::to_string).collect();
    assert_eq!(lines[0], "access path: trace id index, rows=1 of 310");
    assert!(
        lines[1].contains("text index of 600 spans, 20 without"),
        "{lines:?}"
    );
    assert_eq!(lines[3], "segments and memtables: 2 read, 2 pruned");
    assert_eq!(lines[5], "rows of spans: 21 read, 599 pruned");
    assert_eq!(
        lines[7],
        "text index: answers for 600 spans, 20 are scanned"
    );
}

#[test]
fn the_command_line_explains() {
    let disk = sealed();
    let path = disk.path();
    disk.db.close().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"));
        let ended = command
            .arg("search")
            .arg(&path)
            .args(arguments)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        (
            String::from_utf8(ended.stdout).unwrap(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    let (table, _) = run(&["tags.rare = 'yes'", "--explain"]);
    assert!(
        table.contains(
            "access path: tag index (rare), rows=1 of 300\nsegments and memtables: 1 read, 2 pruned\n"
        ),
        "{table}"
    );
    let (json, _) = run(&["tags.rare = 'yes'", "--explain", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["explain"]["traces"],
        serde_json::json!({"read": 1, "pruned": TRACES - 1})
    );
    let (ids, explanation) = run(&["tags.rare = 'yes'", "--explain", "--format", "ids"]);
    assert_eq!(ids.trim(), id(150));
    assert!(
        explanation.contains("rows of traces: 1 read, 299 pruned"),
        "{explanation}"
    );
    let (json, _) = run(&["tags.rare = 'yes'", "--analyze", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let (explained, analysis) = (
        &json["explain"]["traces"]["read"],
        &json["explain"]["analysis"],
    );
    assert_eq!(
        [explained.as_u64(), analysis["scans"]["rows"].as_u64()],
        [Some(1), Some(1)],
        "{json}"
    );
    let stages = analysis["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["name"].as_str().unwrap());
    assert_eq!(
        stages.collect::<Vec<_>>(),
        ["parse", "plan", "scan", "sort"]
    );
    let (table, _) = run(&["tags.rare = 'yes'", "--explain", "--analyze"]);
    let expected = [
        "\nparse: ",
        "\nscan: ",
        "\nread: ",
        "\nscans: 1 rows; blocks of columns: ",
    ];
    assert!(expected.iter().all(|line| table.contains(line)), "{table}");
}

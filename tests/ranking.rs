//! Ranked text search: the same ten spans with the same scores in one segment, in twenty, and half in
//! memory, also when spans were replaced or deleted; what was answered by an index; one hit a trace.

use serde_json::json;
use tracehouse::{Database, Search, Span, TextHit, TextSearch};

use crate::support::{DiskDb, import_lines, in_memory};

const TRACES: usize = 200;
const WORDS: [&str; 8] = [
    "refund", "policy", "the", "order", "late", "parcel", "please", "again",
];
const QUERIES: [&str; 9] = [
    "refund",
    "refund policy",
    "\"refund policy\"",
    "the OR parcel",
    "order -late",
    "pol*",
    "parcle~1",
    "inputs:again late",
    "outputs:(please OR refund) the",
];

/// The request of a trace; a later version has other words.
fn request(trace: usize, version: usize) -> String {
    let mut state = trace * 7 + version * 1_000_003 + 1;
    let mut text = |count: usize| -> String {
        let words: Vec<&str> = (0..count)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                WORDS[((state >> 33) % 64).isqrt()]
            })
            .collect();
        words.join(" ")
    };
    let spans: Vec<_> = (1..=3)
        .map(|number| {
            let start = 1_740_787_200_000_000_000_u64 + (trace * 1_000 + number) as u64;
            json!({
                "traceId": format!("{:032x}", trace + 1), "spanId": format!("{number:016x}"),
                "parentSpanId": if number == 1 { String::new() } else { format!("{:016x}", 1) },
                "name": "step", "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 9).to_string(),
                "attributes": [
                    {"key": "input.value", "value": {"stringValue": text(3 + trace % 17)}},
                    {"key": "output.value", "value": {"stringValue": text(2 + number * 5)}},
                ],
            })
        })
        .collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn import(db: &Database, traces: impl Iterator<Item = usize>, version: usize) {
    let lines: Vec<String> = traces.map(|trace| request(trace, version)).collect();
    import_lines(db, &lines);
}

/// Some spans replaced, some traces gone: masked rows where older rows lie in segments.
fn change(db: &Database) {
    import(db, (0..TRACES).step_by(9), 1);
    let gone: Vec<String> = (0..TRACES)
        .step_by(13)
        .map(|trace| format!("{:032x}", trace + 1))
        .collect();
    db.delete_traces(&gone).unwrap();
}

fn one_segment() -> DiskDb {
    let disk = DiskDb::new();
    import(&disk.db, 0..TRACES, 0);
    change(&disk.db);
    disk.db.compact().unwrap();
    disk.db.index_text().unwrap();
    assert_eq!(disk.db.stats().unwrap().segments, 1);
    disk
}

fn twenty_segments() -> DiskDb {
    let disk = DiskDb::new();
    for part in 0..19 {
        import(&disk.db, (part..TRACES).step_by(19), 0);
        disk.db.seal().unwrap();
    }
    change(&disk.db);
    disk.db.seal().unwrap();
    disk.db.index_text().unwrap();
    assert_eq!(disk.db.stats().unwrap().segments, 20);
    disk
}

fn half_in_memory() -> DiskDb {
    let disk = DiskDb::new();
    import(&disk.db, 0..TRACES / 2, 0);
    disk.db.seal().unwrap();
    disk.db.index_text().unwrap();
    import(&disk.db, TRACES / 2..TRACES, 0);
    change(&disk.db);
    disk
}

fn agree(found: &[TextHit], expected: &[TextHit], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let place = |hit: &TextHit| {
            (
                hit.trace_id.clone(),
                hit.span_id.clone(),
                hit.snippet.clone(),
            )
        };
        assert_eq!(place(found), place(expected), "{what}");
        assert!(
            (found.score - expected.score).abs() < 1e-3,
            "{what}: {} {}",
            found.score,
            expected.score
        );
    }
}

#[test]
fn the_best_ten_are_the_same_wherever_the_rows_are() {
    let (one, twenty, half) = (one_segment(), twenty_segments(), half_in_memory());
    for query in QUERIES {
        let expected = one.db.search_text(query, 10).unwrap();
        assert!(expected.len() > 2, "{query}");
        for (name, disk) in [("twenty segments", &twenty), ("half in memory", &half)] {
            agree(
                &disk.db.search_text(query, 10).unwrap(),
                &expected,
                &format!("{name}: {query}"),
            );
        }
    }
}

#[test]
fn hits_say_how_many_spans_an_index_answered_for() {
    for (disk, in_memory) in [(one_segment(), false), (half_in_memory(), true)] {
        let hits = disk.db.search_text("refund", 10).unwrap();
        let stats = disk.db.stats().unwrap();
        assert_eq!(hits.indexed_spans + hits.scanned_spans, stats.spans);
        assert_eq!(hits.scanned_spans > 0, in_memory);
        assert!(hits.indexed_spans > 0);
    }
}

#[test]
fn a_trace_is_shown_by_its_best_span() {
    let disk = half_in_memory();
    for query in QUERIES {
        let all = disk.db.search_text(query, usize::MAX).unwrap();
        let mut expected: Vec<TextHit> = Vec::new();
        for hit in all {
            if !expected
                .iter()
                .any(|better| better.trace_id == hit.trace_id)
            {
                expected.push(hit);
            }
        }
        for limit in [1, 10, 1_000] {
            let search = TextSearch {
                query: query.to_string(),
                limit,
                by_trace: true,
                ..TextSearch::default()
            };
            let found = disk.db.text_search(search).unwrap();
            agree(&found, &expected[..limit.min(expected.len())], query);
        }
    }
}

/// The experiments of a filter hold for a text search as they do for a search of traces.
#[test]
fn a_text_search_keeps_to_the_experiments_of_its_filter() {
    let db = in_memory();
    for experiment in ["a", "b"] {
        let mut span = Span::new(experiment, experiment, "answer");
        span.experiment_id = experiment.into();
        span.inputs = Some("refund policy".into());
        db.append(&[span]).unwrap();
    }
    for (filter, want) in [("", vec!["b"]), ("state = 'ERROR'", vec![])] {
        let search = TextSearch {
            query: "refund".into(),
            limit: 10,
            filter: Some(Search::new(filter).experiments(["b"])),
            ..TextSearch::default()
        };
        let hits = db.text_search(search).unwrap().hits;
        let found: Vec<&str> = hits.iter().map(|hit| hit.trace_id.as_str()).collect();
        assert_eq!(found, want, "{filter:?}");
    }
}

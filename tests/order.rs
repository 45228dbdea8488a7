//! Property: the tables depend only on what was imported, never on its order, its batches, on
//! duplicates, or on sealing and merging in between (QU-1).
//!
//! Each round shuffles the requests, tears some into single spans, repeats some, and imports them in
//! random batches with seals, compactions and reopenings between. A failing round names its seed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracehouse::Database;

use crate::support::{
    DiskDb, data_files, file_name, import_lines, in_memory, lines_of, shared, sorted_rows,
};
use crate::{data, support};

const ROUNDS: u64 = 12;

/// A small generator of random numbers (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Every table in full, as sorted rows. Import times of assessments are left out.
fn tables(db: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let assessments = "SELECT assessment_id, trace_id, span_id, name, type, value, value_number, source_type, source_id, \
                       rationale, error_code, error_message, metadata, overrides, valid FROM assessments";
    BTreeMap::from([
        ("traces", sorted_rows(db, "SELECT * FROM traces")),
        ("spans", sorted_rows(db, "SELECT * FROM spans")),
        ("assessments", sorted_rows(db, assessments)),
        ("sessions", sorted_rows(db, "SELECT * FROM sessions")),
        ("messages", sorted_rows(db, "SELECT * FROM messages")),
        ("tags", sorted_rows(db, "SELECT * FROM tags")),
        ("newest", support::search_ids(db, "")),
        ("ranked", ranked(db)),
    ])
}

/// The best few hits of some queries, which have many equals.
fn ranked(db: &Database) -> Vec<String> {
    let mut best = Vec::new();
    for query in [
        "step OR chat",
        "refund OR fee",
        "the OR a",
        "user OR assistant",
        "na*",
    ] {
        for hit in db.search_text(query, 7).unwrap() {
            best.push(format!(
                "{query}: {} {} {} {:.9}",
                hit.trace_id, hit.span_id, hit.field, hit.score
            ));
        }
    }
    best
}

fn assert_same(got: &BTreeMap<&str, Vec<String>>, want: &BTreeMap<&str, Vec<String>>, what: &str) {
    for (table, want) in want {
        let got = &got[table];
        let differ = got.iter().zip(want).find(|(got, want)| got != want);
        assert!(
            differ.is_none(),
            "{what}: {table}\n  got  {}\n  want {}",
            differ.unwrap().0,
            differ.unwrap().1
        );
        assert_eq!(got.len(), want.len(), "{what}: rows of {table}");
    }
}

/// The same spans in other requests: a few are torn into one request per span, spans of others turned.
fn torn(lines: &[String], random: &mut Random) -> Vec<String> {
    let mut torn = Vec::new();
    for line in lines {
        if random.below(3) > 0 {
            torn.push(line.clone());
            continue;
        }
        let request: Value = serde_json::from_str(line).unwrap();
        for resource in request["resourceSpans"].as_array().unwrap() {
            for scope in resource["scopeSpans"].as_array().unwrap() {
                for span in scope["spans"].as_array().unwrap() {
                    let (mut resource, mut scope) = (resource.clone(), scope.clone());
                    scope["spans"] = json!([span]);
                    resource["scopeSpans"] = json!([scope]);
                    torn.push(json!({"resourceSpans": [resource]}).to_string());
                }
            }
        }
    }
    torn
}

/// One round on disk.
fn round(lines: &[String], assessments: &str, seed: u64) -> BTreeMap<&'static str, Vec<String>> {
    let mut random = Random::new(seed);
    let mut lines = torn(lines, &mut random);
    for _ in 0..lines.len() / 5 {
        lines.push(lines[random.below(lines.len())].clone());
    }
    random.shuffle(&mut lines);
    let mut disk = DiskDb::new();
    let mut rest = &lines[..];
    while !rest.is_empty() {
        let (batch, after) = rest.split_at((1 + random.below(lines.len() / 4 + 1)).min(rest.len()));
        import_lines(&disk.db, batch);
        rest = after;
        match random.below(6) {
            0 | 1 => disk.db.seal().unwrap(),
            2 => drop(disk.db.compact().unwrap()),
            3 => disk = disk.reopen(random.below(2) == 0, |_| {}),
            _ => {}
        }
    }
    disk.db
        .import_assessments(assessments.as_bytes(), &Default::default())
        .unwrap();
    if random.below(2) == 0 {
        disk.db.compact().unwrap();
    }
    tables(&disk.db)
}

fn assert_any_order(lines: &[String], assessments: &str, rounds: u64) {
    let plain = in_memory();
    import_lines(&plain, lines);
    plain
        .import_assessments(assessments.as_bytes(), &Default::default())
        .unwrap();
    let want = tables(&plain);
    for seed in 0..rounds {
        assert_same(
            &round(lines, assessments, seed),
            &want,
            &format!("seed {seed}"),
        );
    }
}

#[test]
fn generated_data_in_any_order() {
    assert_any_order(&data::lines(), &data::assessments(), ROUNDS);
}

#[test]
fn data_without_roots_in_any_order() {
    assert_any_order(
        &data::orphaned(&data::lines()),
        &data::assessments(),
        ROUNDS / 3,
    );
}

/// Two small files of the example data.
#[test]
fn example_data_in_any_order() {
    let (Some(files), Some(assessments)) = (data_files(), shared("data/assessments.jsonl")) else {
        return;
    };
    let wanted =
        |name: &str| name.starts_with("langfuse_frameworks") || name.starts_with("inspect_logs");
    let lines: Vec<String> = files
        .iter()
        .filter(|file| wanted(&file_name(file)))
        .flat_map(|file| lines_of(file))
        .collect();
    let assessments = std::fs::read_to_string(assessments).unwrap();
    assert_any_order(&lines, &assessments, ROUNDS / 4);
}

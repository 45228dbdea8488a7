//! Random spans and queries: index = fresh = naive.

use std::sync::Arc;

use roaring::RoaringBitmap;
use serde_json::{Value, json};

use super::naive::NaiveSpan;
use super::{Lcg, TestSpan, batch};
use crate::error::{Error, ErrorKind};
use crate::text::{
    FreshText, IndexedValue, Scored, StringList, TextColumns, TextLocation, TextQuery, TextReader,
    TextStats, TextWriter, merge_indexes,
};

const VOCABULARY: &[&str] = &[
    "flight",
    "Flight",
    "fligth",
    "cancel",
    "été",
    "ÉTÉ",
    "straße",
    "STRASSE",
    "İstanbul",
    "中文",
    "註冊",
    "나무",
    "📶",
    "e\u{301}a",
    "ΟΔΟΣ",
    "οδος",
    "gpt-4",
    "user@x.com",
    "C:\\tmp\\new",
    "say \"hi\"",
    "a_b",
    "foo\nbar",
    "x\ty",
    "42",
    "rate limit",
    "हिन्दी",
    "東京の天気",
    "天気abc",
    "ที่นี่",
    "か\u{3099}き",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{0}",
    "don't",
    "{curly}",
    "[x]",
    "the",
    "the",
    "the",
    "abandon",
    "abandoned",
    "ab",
];

const QUERY_WORDS: &[&str] = &[
    "flight",
    "fligth",
    "cancel",
    "été",
    "straße",
    "strasse",
    "istanbul",
    "中文",
    "註冊",
    "나무",
    "天気",
    "の天*",
    "\"天気 abc\"",
    "ที่",
    "がき",
    "red",
    "éa",
    "a",
    "οδος",
    "gpt-4",
    "gpt",
    "user@x.com",
    "a_b",
    "foo",
    "bar",
    "n",
    "42",
    "rate",
    "limit",
    "the",
    "ab*",
    "aban*",
    "fl*",
    "gpt-4*x",
    "flight~1",
    "flihgt~2",
    "cancl~1",
    "\"rate limit\"",
    "\"the the\"",
    "\"foo bar\"",
    "\"x com\"",
    "\"C:\\tmp\"",
    "\"limit the\"",
    "user@xx*",
    "curly",
    "zyxwvut",
    "\"flight zyxwvut\"",
    "rate-li*",
];

fn random_text(random: &mut Lcg) -> String {
    let count = 1 + random.below(5);
    let words: Vec<&str> = (0..count).map(|_| *random.pick(VOCABULARY)).collect();
    let separator: &str = random.pick::<&str>(&[" ", " ", ", ", "\n"]);
    words.join(separator)
}

fn random_value(random: &mut Lcg, depth: usize) -> Value {
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 | 1 => Value::String(random_text(random)),
        2 => json!(random.below(50)),
        3 => random.pick(&[Value::Null, Value::Bool(true)]).clone(),
        4 => Value::Array(
            (0..random.below(4))
                .map(|_| random_value(random, depth - 1))
                .collect(),
        ),
        5 => Value::String(random_value(random, depth - 1).to_string()),
        6 => random
            .pick(&[json!({"$bytes": "Zmxp flight"}), json!({"$double": "NaN"})])
            .clone(),
        _ => random_object(random, depth - 1),
    }
}

fn random_object(random: &mut Lcg, depth: usize) -> Value {
    let keys = ["flight", "content", "k\"ey", "$bytes", "the"];
    (0..random.below(4))
        .map(|_| (*random.pick(&keys), random_value(random, depth)))
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn random_payload(random: &mut Lcg) -> Option<String> {
    match random.below(4) {
        0 => None,
        1 => Some(random_text(random)),
        _ => Some(random_value(random, 3).to_string()),
    }
}

pub(super) fn random_span(random: &mut Lcg) -> TestSpan {
    if random.chance(5) {
        return TestSpan {
            attributes: "{}".to_owned(),
            ..TestSpan::default()
        };
    }
    let (inputs, outputs) = (random_payload(random), random_payload(random));
    let mut attributes = random_object(random, 2);
    if let Some(inputs) = inputs.as_ref().filter(|_| random.chance(70)) {
        attributes["input.value"] = json!(inputs);
    }
    TestSpan {
        name: random_text(random),
        span_type: "LLM".to_owned(),
        status_message: random.chance(20).then(|| random_text(random)),
        inputs,
        outputs,
        attributes: attributes.to_string(),
        events: (0..random.below(3))
            .map(|_| (random_text(random), random_object(random, 1).to_string()))
            .collect(),
    }
}

fn random_query(random: &mut Lcg, depth: usize) -> String {
    let count = 1 + random.below(3);
    let mut text = String::new();
    for i in 0..count {
        let joint = if i > 0 && random.chance(40) {
            " OR "
        } else {
            " "
        };
        let minus = if i > 0 && joint == " " && random.chance(30) {
            "-"
        } else {
            ""
        };
        let scope = random.pick(&["", "", "", "inputs:", "outputs:"]);
        let item = if depth > 0 && random.chance(25) {
            format!("({})", random_query(random, depth - 1))
        } else {
            format!("{scope}{}", random.pick(QUERY_WORDS))
        };
        text = format!("{text}{}{minus}{item}", if i == 0 { "" } else { joint });
    }
    text
}

/// All rows of a test, kept in one of the ways that must agree.
enum Layout {
    Index(Vec<(u32, TextReader)>),
    Fresh(Vec<(u32, FreshText)>),
}

impl Layout {
    fn indexes(spans: &[TestSpan], size: usize) -> Layout {
        let parts = spans.chunks(size).enumerate().map(|(i, part)| {
            let mut writer = TextWriter::create(TextLocation::Memory).unwrap();
            part.chunks(7)
                .for_each(|rows| writer.add(&batch(rows)).unwrap());
            ((i * size) as u32, writer.finish().unwrap())
        });
        Layout::Index(parts.collect())
    }

    /// One index, built in many parts.
    fn in_parts(spans: &[TestSpan]) -> Layout {
        let root = tempfile::tempdir().unwrap();
        let location = TextLocation::Directory(crate::env::Folder::at(root.path()));
        let mut writer = TextWriter::in_parts(location, 2_000).unwrap();
        let mut parts = 0;
        for rows in spans.chunks(7) {
            writer.add(&batch(rows)).unwrap();
            parts = root
                .path()
                .read_dir()
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().path().is_dir())
                .count();
        }
        assert!(parts > 2, "{parts} parts");
        let reader = writer.finish().unwrap();
        assert!(
            root.path()
                .read_dir()
                .unwrap()
                .all(|entry| entry.unwrap().path().is_file())
        );
        Layout::Index(vec![(0, reader)])
    }

    /// One index, merged from those of parts: of the rows that are kept.
    fn merged(spans: &[TestSpan], size: usize, kept: &[u32]) -> Layout {
        let Layout::Index(parts) = Layout::indexes(spans, size) else {
            unreachable!()
        };
        let parts: Vec<Arc<TextReader>> =
            parts.into_iter().map(|(_, part)| Arc::new(part)).collect();
        let rows: Vec<(usize, u32)> = kept
            .iter()
            .map(|&row| (row as usize / size, row % size as u32))
            .collect();
        Layout::Index(vec![(
            0,
            merge_indexes(TextLocation::Memory, &parts, &rows, &|| Ok(())).unwrap(),
        )])
    }

    fn fresh(spans: &[TestSpan], size: usize) -> Layout {
        let parts = spans.chunks(size).enumerate().map(|(i, part)| {
            let mut fresh = FreshText::default();
            part.chunks(7)
                .for_each(|rows| fresh.add(&batch(rows)).unwrap());
            ((i * size) as u32, fresh)
        });
        Layout::Fresh(parts.collect())
    }

    fn rows(&self, query: &TextQuery) -> RoaringBitmap {
        let parts: Vec<(u32, RoaringBitmap)> = match self {
            Layout::Index(parts) => parts
                .iter()
                .map(|(base, part)| (*base, part.rows(query).unwrap()))
                .collect(),
            Layout::Fresh(parts) => parts
                .iter()
                .map(|(base, part)| (*base, part.rows(query).unwrap()))
                .collect(),
        };
        parts
            .into_iter()
            .flat_map(|(base, rows)| rows.into_iter().map(move |row| base + row))
            .collect()
    }

    fn stats(&self, query: &TextQuery, masked: &RoaringBitmap) -> TextStats {
        let mut merged = TextStats::default();
        match self {
            Layout::Index(parts) => parts.iter().for_each(|(base, part)| {
                merged.merge(&part.stats(query, Some(&local(masked, *base))).unwrap());
            }),
            Layout::Fresh(parts) => parts.iter().for_each(|(base, part)| {
                merged.merge(&part.stats(query, Some(&local(masked, *base))).unwrap());
            }),
        }
        merged
    }

    /// Row and score of the best of all parts, settled by row.
    fn top(&self, query: &TextQuery, k: usize, masked: &RoaringBitmap) -> Vec<(u32, f64)> {
        let stats = self.stats(query, masked);
        let parts: Vec<(u32, Vec<Scored>)> = match self {
            Layout::Index(parts) => parts
                .iter()
                .map(|(base, part)| {
                    (
                        *base,
                        part.top_k(
                            query,
                            &stats,
                            k,
                            f64::MIN,
                            None,
                            Some(&local(masked, *base)),
                        )
                        .unwrap(),
                    )
                })
                .collect(),
            Layout::Fresh(parts) => parts
                .iter()
                .map(|(base, part)| {
                    (
                        *base,
                        part.top_k(
                            query,
                            &stats,
                            k,
                            f64::MIN,
                            None,
                            Some(&local(masked, *base)),
                        )
                        .unwrap(),
                    )
                })
                .collect(),
        };
        let all = parts
            .into_iter()
            .flat_map(|(base, rows)| rows.into_iter().map(move |row| (base + row.row, row.score)));
        let mut all: Vec<(u32, f64)> = all.collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        all.truncate(k);
        all
    }
}

/// The rows from `base` on, numbered from 0.
fn local(rows: &RoaringBitmap, base: u32) -> RoaringBitmap {
    rows.iter()
        .filter(|&row| row >= base)
        .map(|row| row - base)
        .collect()
}

fn random_spans(seed: u64, count: usize) -> Vec<TestSpan> {
    let mut random = Lcg(seed);
    (0..count).map(|_| random_span(&mut random)).collect()
}

fn layouts(spans: &[TestSpan]) -> Vec<(&'static str, Layout)> {
    vec![
        ("one index", Layout::indexes(spans, spans.len())),
        (
            "three indexes",
            Layout::indexes(spans, spans.len().div_ceil(3)),
        ),
        ("index in parts", Layout::in_parts(spans)),
        (
            "merged index",
            Layout::merged(spans, 50, &(0..spans.len() as u32).collect::<Vec<_>>()),
        ),
        ("fresh", Layout::fresh(spans, spans.len())),
        ("fresh in parts", Layout::fresh(spans, 31)),
    ]
}

#[test]
fn rows_agree_with_the_reference_wherever_they_are() {
    for seed in 1..4 {
        let spans = random_spans(seed, 180);
        let naive: Vec<NaiveSpan> = spans.iter().map(NaiveSpan::new).collect();
        let layouts = layouts(&spans);
        let mut random = Lcg(seed * 97);
        let mut hits = 0;
        for _ in 0..500 {
            let text = random_query(&mut random, 2);
            let Ok(query) = TextQuery::parse(&text) else {
                continue;
            };
            let expected: RoaringBitmap = (0..)
                .zip(&naive)
                .filter(|(_, span)| span.matches(&query))
                .map(|(row, _)| row)
                .collect();
            hits += u64::from(!expected.is_empty());
            for (name, layout) in &layouts {
                assert_eq!(
                    layout.rows(&query),
                    expected,
                    "seed {seed}, {name}: {text} = {query}"
                );
            }
        }
        assert!(hits > 200, "{hits} queries found something");
    }
}

#[test]
fn scores_do_not_depend_on_where_rows_are() {
    let spans = random_spans(11, 240);
    let naive: Vec<NaiveSpan> = spans.iter().map(NaiveSpan::new).collect();
    let masked: RoaringBitmap = [3, 17, 90, 91, 92, 200].into_iter().collect();
    // What compaction leaves: the same rows without the masked ones.
    let kept: Vec<u32> = (0..spans.len() as u32)
        .filter(|&row| !masked.contains(row))
        .collect();
    let compacted: Vec<TestSpan> = kept
        .iter()
        .map(|&row| spans[row as usize].clone())
        .collect();
    let compacted = [
        Layout::indexes(&compacted, compacted.len()),
        Layout::merged(&spans, 70, &kept),
    ];
    let layouts = layouts(&spans);
    let mut random = Lcg(5);
    for _ in 0..300 {
        let text = random_query(&mut random, 1);
        let Ok(query) = TextQuery::parse(&text) else {
            continue;
        };
        let expected = layouts[0].1.top(&query, 10, &masked);
        for (name, layout) in &layouts {
            assert_eq!(layout.top(&query, 10, &masked), expected, "{name}: {text}");
        }
        for compacted in &compacted {
            let after: Vec<(u32, f64)> = compacted.top(&query, 10, &RoaringBitmap::new());
            assert_eq!(
                after
                    .iter()
                    .map(|&(row, score)| (kept[row as usize], score))
                    .collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
        let stats = layouts[0].1.stats(&query, &masked);
        for (term, &doc_freq) in &stats.doc_freq {
            let found = kept
                .iter()
                .filter(|&&row| naive[row as usize].count(term) > 0)
                .count();
            assert_eq!(doc_freq, found as u64, "{term}");
        }
        assert_eq!(stats.docs, kept.len() as u64);
    }
}

#[test]
fn scores_follow_the_formula() {
    let spans = random_spans(21, 120);
    let naive: Vec<NaiveSpan> = spans.iter().map(NaiveSpan::new).collect();
    let query = TextQuery::parse("the \"rate limit\" OR aban*").unwrap();
    // The spans are short: lengths below 41 words are kept exactly.
    let length =
        |span: &NaiveSpan| span.fields.iter().flatten().map(Vec::len).sum::<usize>() as f64;
    let average = naive.iter().map(length).sum::<f64>() / naive.len() as f64;
    let score = |span: &NaiveSpan| -> f64 {
        let parts = query.positive_terms().into_iter().map(|term| {
            let df = naive.iter().filter(|span| span.count(term) > 0).count() as f64;
            let tf = span.count(term) as f64;
            let idf = (1.0 + (naive.len() as f64 - df + 0.5) / (df + 0.5)).ln();
            idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length(span) / average))
        });
        parts.sum()
    };
    let layout = Layout::indexes(&spans, spans.len());
    let found = layout.top(&query, 1000, &RoaringBitmap::new());
    assert!(found.len() > 10);
    let mut near = 0;
    for (row, found) in found {
        let span = &naive[row as usize];
        near += usize::from((found - score(span)).abs() < 0.02);
    }
    assert!(near > 10, "{near} scores as computed by hand");
}

#[test]
fn raw_strings_are_those_of_the_reference() {
    let spans = random_spans(31, 150);
    let batch = batch(&spans);
    let columns = TextColumns::new(&batch).unwrap();
    let mut strings = StringList::default();
    for (row, span) in spans.iter().enumerate() {
        columns.raw_strings(row, &mut strings).unwrap();
        let mut found: Vec<&str> = strings.iter().collect();
        let reference = NaiveSpan::new(span);
        let mut expected: Vec<&str> = reference.raw.iter().map(String::as_str).collect();
        for texts in [&mut found, &mut expected] {
            texts.sort_unstable();
            texts.dedup();
        }
        assert_eq!(found, expected, "{span:?}");
    }
}

/// All terms of an index, of whichever dictionary.
fn terms(index: &TextReader) -> Vec<String> {
    index
        .dictionaries(true)
        .flat_map(|dictionary| {
            let (mut terms, mut found) = (dictionary.index.terms().stream().unwrap(), Vec::new());
            while terms.advance() {
                found.push(String::from_utf8_lossy(terms.key()).into_owned());
            }
            found
        })
        .collect()
}

#[test]
fn merged_indexes_know_what_was_kept_and_nothing_else() {
    let mut spans = random_spans(41, 90);
    for (i, span) in spans.iter_mut().enumerate() {
        span.inputs = Some(format!("word{i:02} and every row"));
        span.attributes = format!(r#"{{"key{i:02}":"value{i:02}","n":{}}}"#, i % 4);
    }
    // Backwards, and without every third row.
    let kept: Vec<u32> = (0..90).rev().filter(|row| row % 3 != 0).collect();
    let Layout::Index(merged) = Layout::merged(&spans, 20, &kept) else {
        unreachable!()
    };
    let (_, merged) = &merged[0];
    let rows = |text: &str| {
        merged
            .rows(&TextQuery::parse(text).unwrap())
            .unwrap()
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(rows("\"and every row\"").len(), kept.len());
    let terms = terms(merged);
    for row in 0..90_u32 {
        let at = kept
            .iter()
            .position(|&kept| kept == row)
            .map(|at| at as u32);
        assert_eq!(rows(&format!("word{row:02}")), Vec::from_iter(at));
        let value = IndexedValue::Text(format!("value{row:02}"));
        let found = merged
            .value_rows(&format!("key{row:02}"), &value)
            .unwrap()
            .unwrap();
        assert!(found.sure.iter().eq(at) && found.maybe.is_empty());
        for term in [
            format!("word{row:02}"),
            format!("key{row:02}\0value{row:02}"),
        ] {
            assert_eq!(
                terms.iter().any(|known| known.contains(&term)),
                at.is_some(),
                "{term}"
            );
        }
    }
    let Layout::Index(empty) = Layout::merged(&spans, 20, &[]) else {
        unreachable!()
    };
    assert!(
        empty[0]
            .1
            .rows(&TextQuery::parse("row OR wor*").unwrap())
            .unwrap()
            .is_empty()
    );
    let third = IndexedValue::Number(2.0);
    let found = merged.value_rows("n", &third).unwrap().unwrap();
    assert!(
        found.sure.iter().eq((0..)
            .zip(&kept)
            .filter(|(_, row)| **row % 4 == 2)
            .map(|(at, _)| at))
    );
}

#[test]
fn merging_stops_when_told_and_refuses_rows_that_are_not_there() {
    let Layout::Index(parts) = Layout::indexes(&random_spans(5, 40), 40) else {
        unreachable!()
    };
    let parts: Vec<Arc<TextReader>> = parts.into_iter().map(|(_, part)| Arc::new(part)).collect();
    let stop = || Err(Error::new(ErrorKind::Closed, "enough"));
    let error = merge_indexes(TextLocation::Memory, &parts, &[(0, 3)], &stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    for row in [(0, 40), (1, 0)] {
        let error = merge_indexes(TextLocation::Memory, &parts, &[row], &|| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}

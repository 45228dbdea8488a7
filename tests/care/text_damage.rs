//! Damage in text indexes: every answer is the right one, nothing is said on standard error, and the index is
//! built anew. The damaged copies are opened by this test binary, run again, whose standard error is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tracehouse::{Database, Search};

use super::{copy, files_with};
use crate::data;
use crate::order::Random;
use crate::support::{import_lines, open, setting};

const FOLDER: &str = "TRACEHOUSE_TEST_CHILD_TEXT_DAMAGE";
const COPIES: u64 = 40;
const SECTOR_BYTES: usize = 512;

const WORDS: [&str; 8] = [
    "refund",
    "\"the order\"",
    "word1*",
    "policy -shop7",
    "ordre~1",
    "shop3 OR tool2",
    "\"says 0\"",
    "zzznone",
];
const FILTERS: [&str; 5] = [
    "trace.text ILIKE '%efun%'",
    "span.attributes.shop LIKE 'shop1%'",
    "span.attributes.shop = 'shop7'",
    "span.content LIKE '%word12%'",
    "trace.text MATCHES 'shop4 tool1'",
];

/// A line with a span of its own trace, some of whose words no other has: indexes of several blocks.
fn line(n: usize) -> String {
    let (rare, start) = (
        n.wrapping_mul(0x9E37_79B9) % 1_000_003,
        1_740_787_200_000_000_000 + n * 1_000,
    );
    let text = |key: &str, text: String| json!({"key": key, "value": {"stringValue": text}});
    let span = json!({
        "traceId": format!("{:032x}", n + 0xb000_0000), "spanId": format!("{:016x}", n + 1), "name": format!("step {}", n % 9),
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5).to_string(),
        "attributes": [
            text("input.value", format!("refund the order word{rare} of shop{} by tool{}", n % 31, n % 5)),
            text("output.value", format!("the policy says {rare:x} {} days", n % 90)),
            text("shop", format!("shop{}", n % 31)),
        ],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
}

/// A closed database of two segments with text indexes.
fn indexed(folder: &Path) -> PathBuf {
    let path = folder.join("whole.traces");
    let db = open(&path);
    let lines: Vec<String> = data::lines()
        .into_iter()
        .chain((0..600).map(line))
        .collect();
    for half in lines.chunks(lines.len().div_ceil(2)) {
        import_lines(&db, half);
        db.seal().unwrap();
    }
    db.index_text().unwrap();
    db.close().unwrap();
    path
}

/// What a database says to all questions.
fn answers(db: &Database) -> Vec<String> {
    let mut answers = Vec::new();
    for words in WORDS {
        let hits = db.search_text(words, 20).unwrap();
        answers.push(format!("{words}: {:?}", hits.hits));
    }
    for filter in FILTERS {
        let page = db.search_traces(&Search::new(filter).limit(50)).unwrap();
        let ids: Vec<&str> = page
            .traces
            .iter()
            .map(|trace| trace.trace_id.as_str())
            .collect();
        answers.push(format!("{filter}: {ids:?}"));
    }
    answers
}

/// Damages a file of an index in one of four ways.
fn damage(path: &Path, random: &mut Random) -> String {
    let all = files_with(path, "/text/");
    let name = &all[random.below(all.len())];
    let file = path.join(name);
    let mut bytes = fs::read(&file).unwrap();
    let at = random
        .below(bytes.len().max(1))
        .min(bytes.len().saturating_sub(1));
    let how = match random.below(4) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            let end = bytes.len().min(at + SECTOR_BYTES);
            bytes[at..end].fill(0);
            "zeroed"
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            "flipped"
        }
    };
    fs::write(&file, bytes).unwrap();
    format!("{} {how} at {at}", name.display())
}

/// Does nothing unless it is the process whose standard error is read.
#[test]
fn child_text_damage() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let whole = indexed(Path::new(&folder));
    let expected = answers(&open(&whole));
    assert!(
        expected
            .iter()
            .filter(|answer| answer.ends_with("[]"))
            .count()
            == 1,
        "{expected:?}"
    );
    let mut noticed = 0;
    for seed in 0..setting("TRACEHOUSE_TEXT_DAMAGES", COPIES) {
        let mut random = Random::new(seed);
        let path = Path::new(&folder).join(format!("{seed}.traces"));
        copy(&whole, &path);
        let what = damage(&path, &mut random);
        let db = open(&path);
        assert_eq!(answers(&db), expected, "{what}");
        let built = db.index_text().unwrap();
        noticed += usize::from(built > 0);
        assert!(built <= 1, "{what}");
        assert_eq!(answers(&db), expected, "{what}, built again");
        if built == 1 {
            assert!(db.check(true).unwrap().is_clean(), "{what}");
        }
        drop(db);
        fs::remove_dir_all(&path).unwrap();
    }
    assert!(noticed > 8, "{noticed}");
}

#[test]
fn damaged_text_indexes_answer_right_and_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "care::text_damage::child_text_damage",
        "--nocapture",
    ]);
    let output = child.env(FOLDER, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn an_index_without_sums_is_of_an_older_version_and_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = indexed(folder.path());
    let expected = answers(&open(&path));
    let sums = files_with(&path, "/text/sums");
    assert_eq!(sums.len(), 2);
    sums.iter()
        .for_each(|file| fs::remove_file(path.join(file)).unwrap());
    let db = open(&path);
    assert_eq!(answers(&db), expected);
    assert_eq!(db.index_text().unwrap(), 2);
    assert_eq!(answers(&db), expected);
    assert_eq!(files_with(&path, "/text/sums").len(), 2);
    assert!(db.check(true).unwrap().is_clean());
}

/// A file's sums as `sums` has them: a length and the sums of blocks, numbers in seven bits a byte.
fn sums_of(bytes: &[u8]) -> Vec<u8> {
    let blocks: Vec<u32> = bytes.chunks(4096).map(crc32c::crc32c).collect();
    let mut sums = varint(bytes.len() as u64);
    sums.extend(varint(blocks.len() as u64));
    blocks
        .iter()
        .for_each(|sum| sums.extend(varint(u64::from(*sum))));
    sums
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Changes the mark of the rules in an index, whose files are then as their sums say.
fn mark(text: &Path, change: impl Fn(&str) -> String) {
    let meta = text.join("meta.json");
    let changed = change(&fs::read_to_string(&meta).unwrap());
    fs::write(&meta, changed).unwrap();
    let mut names: Vec<String> = fs::read_dir(text)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "sums");
    names.sort();
    let mut body = varint(names.len() as u64);
    for name in names {
        body.extend(varint(name.len() as u64));
        body.extend(name.as_bytes());
        body.extend(sums_of(&fs::read(text.join(&name)).unwrap()));
    }
    let sums = [
        b"THTEXTS1".as_slice(),
        &crc32c::crc32c(&body).to_le_bytes(),
        &body,
    ]
    .concat();
    fs::write(text.join("sums"), sums).unwrap();
}

#[test]
fn an_index_by_older_rules_counts_as_none_and_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = indexed(folder.path());
    let expected = answers(&open(&path));
    let texts: Vec<PathBuf> = files_with(&path, "/text/sums")
        .iter()
        .map(|file| path.join(file).parent().unwrap().to_path_buf())
        .collect();
    // The same mark: nothing is built.
    texts.iter().for_each(|text| mark(text, str::to_string));
    let db = open(&path);
    assert_eq!(
        (answers(&db), db.index_text().unwrap()),
        (expected.clone(), 0)
    );
    db.close().unwrap();
    drop(db);
    texts.iter().for_each(|text| {
        mark(text, |meta| {
            let (before, after) = meta.split_once("words-").unwrap();
            let (_, after) = after.split_once('-').unwrap();
            format!("{before}words-3-{after}")
        });
    });
    let db = open(&path);
    let report = db.check(true).unwrap();
    assert!(
        report.is_clean() && format!("{report:?}").contains("of another version"),
        "{report:?}"
    );
    assert_eq!(answers(&db), expected);
    assert_eq!(db.index_text().unwrap(), 2);
    assert_eq!(answers(&db), expected);
    assert!(!format!("{:?}", db.check(true).unwrap()).contains("of another version"));
}

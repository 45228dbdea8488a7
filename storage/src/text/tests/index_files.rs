//! Indexes in directories: complete, reopened, damaged.

use std::fs;

use super::{TestSpan, batch};
use crate::env::Folder;
use crate::error::ErrorKind;
use crate::text::{FreshText, TextLocation, TextQuery, TextReader, TextWriter};

fn spans(count: usize) -> Vec<TestSpan> {
    (0..count)
        .map(|i| TestSpan {
            name: format!("span {i}"),
            inputs: Some(format!("{{\"q\":\"number {i} word{}\"}}", i % 7)),
            attributes: "{}".to_owned(),
            ..TestSpan::default()
        })
        .collect()
}

fn write(path: &std::path::Path, spans: &[TestSpan]) {
    let mut writer = TextWriter::create(TextLocation::Directory(Folder::at(path))).unwrap();
    writer.add(&batch(spans)).unwrap();
    writer.finish().unwrap();
}

#[test]
fn document_ids_are_row_numbers_after_reopening_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let (temporary, path) = (root.path().join("text.tmp"), root.path().join("text"));
    fs::create_dir(&temporary).unwrap();
    write(&temporary, &spans(5000));
    fs::rename(&temporary, &path).unwrap();
    let reader = TextReader::open(&Folder::at(&path), 5000).unwrap();
    let rows = |text: &str| {
        reader
            .rows(&TextQuery::parse(text).unwrap())
            .unwrap()
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(rows("\"number 1234\""), [1234]);
    assert_eq!(rows("word3 -4999").len(), 714);
    assert_eq!(rows("span").len(), 5000);
    assert!(rows("inputs:span").is_empty());
    assert_eq!(rows("word3 \"number 17\""), [17]);
    assert_eq!(
        TextReader::damaged_files(&Folder::at(&path)).unwrap(),
        Vec::<String>::new()
    );
    let error = TextWriter::create(TextLocation::Directory(Folder::at(path))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn rows_without_text_and_indexes_without_rows() {
    for rows in [vec![], vec![TestSpan::default(); 3]] {
        let mut writer = TextWriter::create(TextLocation::Memory).unwrap();
        writer.add(&batch(&rows)).unwrap();
        let reader = writer.finish().unwrap();
        let query = TextQuery::parse("a \"b c\" OR de* OR fg~1").unwrap();
        assert!(reader.rows(&query).unwrap().is_empty());
        let stats = reader.stats(&query, None).unwrap();
        assert_eq!(stats.docs as usize, rows.len());
        assert_eq!(
            reader
                .top_k(&query, &stats, 3, f64::MIN, None, None)
                .unwrap(),
            []
        );
    }
}

#[test]
fn missing_and_damaged_indexes_are_errors() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("text");
    assert_eq!(
        TextReader::open(&Folder::at(&path), 1).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(
        TextWriter::create(TextLocation::Directory(Folder::at(&path)))
            .unwrap_err()
            .kind(),
        ErrorKind::Io
    );
    fs::create_dir(&path).unwrap();
    assert_eq!(
        TextReader::open(&Folder::at(&path), 1).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    write(&path, &spans(300));
    assert_eq!(
        TextReader::open(&Folder::at(&path), 299)
            .unwrap_err()
            .kind(),
        ErrorKind::Corrupt
    );
    let names: Vec<String> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for damage in 0..6 {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            match damage {
                0 => bytes.truncate(middle),
                1 => bytes.clear(),
                2 => bytes
                    .iter_mut()
                    .skip(middle)
                    .take(8)
                    .for_each(|byte| *byte ^= 0xff),
                3 => bytes.iter_mut().take(16).for_each(|byte| *byte = 0xff),
                4 => bytes.fill(0),
                _ => bytes.truncate(whole.len() - 1),
            }
            fs::write(&file, &bytes).unwrap();
            ask_everything(&path);
        }
        fs::remove_file(&file).unwrap();
        ask_everything(&path);
        fs::write(&file, &whole).unwrap();
    }
    assert!(TextReader::open(&Folder::at(&path), 300).is_ok());
}

/// Whatever comes out, it is no panic.
fn ask_everything(path: &std::path::Path) {
    let Ok(reader) = TextReader::open(&Folder::at(path), 300) else {
        return;
    };
    for text in [
        "word3",
        "\"number 7\"",
        "wo*",
        "wrod3~1",
        "span -word1",
        "\"number 2*\"",
    ] {
        let query = TextQuery::parse(text).unwrap();
        let _ = reader.rows(&query);
        if let Ok(stats) = reader.stats(&query, None) {
            let _ = reader.top_k(&query, &stats, 5, f64::MIN, None, None);
        }
    }
}

#[test]
fn long_words_are_found_in_index_and_memory() {
    let long = "Deadbeef0".repeat(20_000);
    let mut rows = spans(3);
    rows[1].outputs = Some(format!("blob {long} end"));
    let mut writer = TextWriter::create(TextLocation::Memory).unwrap();
    writer.add(&batch(&rows)).unwrap();
    let reader = writer.finish().unwrap();
    let mut fresh = FreshText::default();
    fresh.add(&batch(&rows)).unwrap();
    let cut = &long[..30_000];
    for (text, found) in [
        ("deadbee*", 1),
        ("\"blob deadbee* end\"", 0),
        (cut, 0),
        (&long[..60_000], 0),
        ("deadbeef0", 0),
    ] {
        let query = TextQuery::parse(text).unwrap();
        assert_eq!(reader.rows(&query).unwrap().len(), found, "{text:.40}");
        assert_eq!(fresh.rows(&query).unwrap().len(), found, "{text:.40}");
    }
}

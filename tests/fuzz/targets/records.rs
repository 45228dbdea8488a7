//! Records of datasets from files: they are kept or refused with a reason, and what is kept comes back the same from
//! an export of any format.

use tracehouse::{ErrorKind, ExportFormat, NewRecord};

use super::world::empty;

const FORMATS: [ExportFormat; 3] = [
    ExportFormat::JsonLines,
    ExportFormat::Csv,
    ExportFormat::Parquet,
];

/// Files, each behind the number of its format.
pub fn files() -> Vec<Vec<u8>> {
    let texts = [
        (0, &b"{\"inputs\":{\"q\":1},\"expected\":\"A\",\"metadata\":{\"k\":1}}\n{\"input\":\"\\u6771\",\"tags\":[\"a\"]}\n"[..]),
        (0, b"[{\"inputs\":1,\"source\":{\"source_type\":\"HUMAN\",\"source_data\":{\"a\":1}}}, {\"inputs\":[]}]"),
        (1, b"input,expected,metadata\n007,\"a\nb\",\"{\"\"k\"\":1}\"\n"),
    ];
    let mut seeds: Vec<Vec<u8>> = texts
        .iter()
        .map(|(format, text)| [&[*format], *text].concat())
        .collect();
    let db = empty();
    let dataset = db.create_dataset("d").unwrap();
    let record = NewRecord::new("{\"q\":\"a, \\\"b\\\"\"}")
        .outputs("[1.50]")
        .expectations("{\"e\":null}");
    dataset
        .merge(&[
            record,
            NewRecord::new("\"=1\"").source("HUMAN", "{\"user\":\"ana\"}"),
        ])
        .unwrap();
    for (number, format) in (0..).zip(FORMATS) {
        let mut file = vec![number];
        dataset.export(format, None, &mut file).unwrap();
        seeds.push(file);
    }
    seeds
}

/// A file of records.
pub fn file(data: &[u8]) {
    let Some((number, data)) = data.split_first() else {
        return;
    };
    let db = empty();
    let dataset = db.create_dataset("d").unwrap();
    match dataset.merge_from(data, FORMATS[usize::from(*number) % FORMATS.len()], "file") {
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
        Ok(report) => {
            assert_eq!(report.inserted, report.record_count);
            assert!(
                report
                    .rejected
                    .iter()
                    .all(|rejected| !rejected.error.is_empty())
            );
        }
    }
    let count = dataset.info().unwrap().record_count;
    for format in FORMATS {
        let mut export = Vec::new();
        dataset.export(format, None, &mut export).unwrap();
        let report = dataset
            .merge_from(export.as_slice(), format, "export")
            .unwrap();
        assert_eq!(
            (report.unchanged, report.inserted, report.updated),
            (count, 0, 0),
            "{format:?} {report:?}"
        );
    }
}

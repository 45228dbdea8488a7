//! Merging from outside: exports of every format, and records as other tools write them.

use super::*;

fn exported(dataset: &crate::Dataset, format: ExportFormat) -> Vec<u8> {
    let mut out = Vec::new();
    dataset.export(format, None, &mut out).unwrap();
    out
}

/// Records with everything that a format could lose.
fn varied(db: &Database) -> crate::Dataset {
    fill(db, 2);
    db.append(&[
        root(3, Some("42"), Some("007")),
        root(4, Some("=1+1"), None),
    ])
    .unwrap();
    db.append(&[root(
        5,
        Some("{\"q\": \"\\u6771 \\u001b \\\"x\\\", \u{9b}\"}"),
        Some("a\r\nb,\"c\""),
    )])
    .unwrap();
    db.log_expectation(&trace_id(2), "e", "[1.50, 12345678901234567890123]")
        .unwrap();
    let dataset = db.create_dataset("d").unwrap();
    dataset.add_traces(&Search::new("")).unwrap();
    let human =
        NewRecord::new("12345678901234567890123").source("HUMAN", r#"{"user_name": "ana"}"#);
    let none = NewRecord::new("\"none\"").expectations("{}");
    dataset
        .merge(&[
            human.tags(r#"{"t": 1}"#).outputs("null"),
            none.outputs("[]"),
        ])
        .unwrap();
    dataset
}

#[test]
fn exports_of_every_format_come_back_unchanged() {
    let db = Database::in_memory().unwrap();
    let dataset = varied(&db);
    let lines = exported(&dataset, ExportFormat::JsonLines);
    let contents = |lines: &[u8]| -> Vec<String> {
        let text = std::str::from_utf8(lines).unwrap();
        let value = |line| {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).unwrap()
        };
        let without_id = |mut value: serde_json::Map<String, _>| {
            value.remove("dataset_record_id");
            serde_json::Value::Object(value).to_string()
        };
        text.lines().map(|line| without_id(value(line))).collect()
    };
    for (at, format) in [
        ExportFormat::JsonLines,
        ExportFormat::Csv,
        ExportFormat::RawCsv,
        ExportFormat::Parquet,
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = exported(&dataset, format);
        let report = dataset.merge_from(bytes.as_slice(), format, "d").unwrap();
        assert_eq!(
            (report.unchanged, report.updated, report.inserted),
            (7, 0, 0),
            "{format:?}"
        );
        assert_eq!(
            (report.rejected_count, report.members.len()),
            (0, 0),
            "{format:?} {report:?}"
        );
        let copy = db.create_dataset(&format!("copy {at}")).unwrap();
        assert_eq!(
            copy.merge_from(bytes.as_slice(), format, "d")
                .unwrap()
                .inserted,
            7
        );
        let again = exported(&copy, ExportFormat::JsonLines);
        assert_eq!(contents(&again), contents(&lines), "{format:?}");
        assert!(
            String::from_utf8(again)
                .unwrap()
                .contains("\"inputs\":12345678901234567890123,")
        );
    }
}

fn merged(
    db: &Database,
    name: &str,
    format: ExportFormat,
    input: &str,
) -> (crate::MergeReport, Vec<String>) {
    let dataset = db.create_dataset(name).unwrap();
    let report = dataset.merge_from(input.as_bytes(), format, name).unwrap();
    let text = String::from_utf8(exported(&dataset, ExportFormat::JsonLines)).unwrap();
    let body = |line: &str| {
        let (start, end) = (
            line.find("\"inputs\"").unwrap(),
            line.find(",\"source\"").unwrap(),
        );
        line[start..end].to_string()
    };
    (report, text.lines().map(body).collect())
}

#[test]
fn members_of_other_tools_are_taken_or_named() {
    let db = Database::in_memory().unwrap();
    let input = concat!(
        r#"{"inputs":{"q":1},"expected_output":"A"}"#,
        "\n",
        r#"{"inputs":{"q":2},"expected":"B","metadata":{"k":1},"score":1}"#,
        "\n",
        r#"{"input":"q3","ground_truth":[1],"score":2}"#,
    );
    let (report, records) = merged(&db, "d", ExportFormat::JsonLines, input);
    let uses: Vec<(&str, Option<&str>, u64)> = report
        .members
        .iter()
        .map(|used| (used.member.as_str(), used.taken_as, used.records))
        .collect();
    assert_eq!(
        uses,
        [
            ("score", None, 2),
            ("expected", Some("expectations"), 1),
            ("expected_output", Some("expectations"), 1),
            ("ground_truth", Some("expectations"), 1),
            ("input", Some("inputs"), 1),
            ("metadata", Some("tags"), 1),
        ]
    );
    assert_eq!(
        records,
        [
            r#""inputs":{"q":1},"outputs":null,"expectations":{"expected_output":"A"},"tags":{}"#,
            r#""inputs":{"q":2},"outputs":null,"expectations":{"expected":"B"},"tags":{"k":1}"#,
            r#""inputs":"q3","outputs":null,"expectations":{"ground_truth":[1]},"tags":{}"#,
        ]
    );
    let array = format!("\u{feff} [\n{}\n]", input.replace('\n', ",\n"));
    let (report, of_array) = merged(&db, "array", ExportFormat::JsonLines, &array);
    assert_eq!((of_array, report.members.len()), (records, 6));
    let dataset = db.dataset("d").unwrap();
    let wrong = dataset
        .merge_json_lines(&b"[{\"inputs\": 1},"[..], "w.json")
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    let partly = dataset
        .merge_json_lines(&b"[{\"inputs\": 1}, 7, {}]"[..], "w.json")
        .unwrap();
    let errors: Vec<&str> = partly
        .rejected
        .iter()
        .map(|rejected| rejected.error.as_str())
        .collect();
    assert_eq!(
        errors,
        [
            "record 2: not a record: a JSON object expected",
            "record 3: a record needs inputs"
        ]
    );
}

#[test]
fn tables_of_others_are_text_and_structure() {
    let db = Database::in_memory().unwrap();
    let csv = concat!(
        "\u{feff}input,expected,metadata,note\r\n",
        "007,42,\"{\"\"k\"\": 1}\",\r\n",
        "\"{\"\"q\"\": \"\"a, b\"\"}\",true,,x\r\n",
        ",none,,\r\n",
    );
    let (report, records) = merged(&db, "csv", ExportFormat::Csv, csv);
    assert_eq!(
        records,
        [
            r#""inputs":"007","outputs":null,"expectations":{"expected":"42"},"tags":{"k":1}"#,
            r#""inputs":{"q":"a, b"},"outputs":null,"expectations":{"expected":"true"},"tags":{}"#,
        ]
    );
    assert_eq!(
        report.rejected[0].error,
        "record 3: a record needs inputs (or input); this one has expected"
    );
    assert!(
        report
            .members
            .iter()
            .any(|used| used.member == "note" && used.taken_as.is_none())
    );

    use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    let question: ArrayRef = std::sync::Arc::new(StringArray::from(vec!["a", "b"]));
    let inputs = StructArray::from(vec![(
        std::sync::Arc::new(Field::new("q", DataType::Utf8, true)),
        question,
    )]);
    let outputs: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![Some(i64::MAX), None]));
    let batch = RecordBatch::try_from_iter([
        ("inputs", std::sync::Arc::new(inputs) as ArrayRef),
        ("outputs", outputs),
    ])
    .unwrap();
    let mut file = Vec::new();
    tracehouse_storage::segment::export::write_parquet(&mut file, batch.schema(), &[batch])
        .unwrap();
    let dataset = db.create_dataset("parquet").unwrap();
    dataset
        .merge_from(file.as_slice(), ExportFormat::Parquet, "p")
        .unwrap();
    let records = dataset.records(None).unwrap();
    let row = |row| {
        (
            cell(&records, "inputs", row).unwrap(),
            cell(&records, "outputs", row),
        )
    };
    assert_eq!(
        row(0),
        (r#"{"q":"a"}"#.to_string(), Some(i64::MAX.to_string()))
    );
    assert_eq!(row(1), (r#"{"q":"b"}"#.to_string(), None));

    for (format, bytes) in [
        (ExportFormat::Parquet, &b"PAR1 but not really PAR1"[..]),
        (ExportFormat::Csv, &b"inputs,outputs\n1,2\n1,2,3\n"[..]),
    ] {
        let wrong = dataset.merge_from(bytes, format, "wrong.file").unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
        assert!(wrong.to_string().starts_with("wrong.file: not "), "{wrong}");
    }
}

#[test]
fn a_column_of_nothing_is_no_value() {
    use arrow::array::{ArrayRef, NullArray, StringArray};
    let db = Database::in_memory().unwrap();
    let inputs: ArrayRef = std::sync::Arc::new(StringArray::from(vec![r#"{"q":"a"}"#, "b"]));
    let batch = RecordBatch::try_from_iter([
        ("inputs", inputs),
        (
            "outputs",
            std::sync::Arc::new(NullArray::new(2)) as ArrayRef,
        ),
    ])
    .unwrap();
    let mut file = Vec::new();
    tracehouse_storage::segment::export::write_parquet(&mut file, batch.schema(), &[batch])
        .unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset
        .merge_from(file.as_slice(), ExportFormat::Parquet, "p")
        .unwrap();
    assert_eq!((report.inserted, report.rejected_count), (2, 0));
    let records = dataset.records(None).unwrap();
    assert_eq!(cell(&records, "outputs", 0), None);
}

#[test]
fn tables_of_pandas_have_structure_as_python_prints_it() {
    let db = Database::in_memory().unwrap();
    let csv = concat!(
        "inputs,outputs,expectations,tags,source_type,source_id,source\n",
        "\"{'city': 'Kyōto', 'n': [1, 2.5, None]}\",\"{'loss': nan, 'ok': True}\",{'e': 1},\"{'t': \"\"it's\"\"}\",TRACE,",
        "tr-000000000000000000000000000000aa,\"DatasetRecordSource(source_type=<DatasetRecordSourceType.TRACE: 'TRACE'>, ",
        "source_data={'trace_id': 'tr-000000000000000000000000000000aa'})\"\n",
        "{'city': 'Oslo'},{},,,HUMAN,,\"DatasetRecordSource(source_type=<DatasetRecordSourceType.HUMAN: 'HUMAN'>, source_data={})\"\n",
        "{'city': 'Lima'},,,,TRACE,tr-000000000000000000000000000000bb,nan\n",
        "{city},,,,,,\n",
    );
    let (report, records) = merged(&db, "pandas", ExportFormat::Csv, csv);
    assert_eq!(report.rejected, []);
    assert_eq!(
        records,
        [
            r#""inputs":{"city":"Kyōto","n":[1,2.5,null]},"outputs":{"loss":null,"ok":true},"expectations":{"e":1},"tags":{"t":"it's"}"#,
            r#""inputs":{"city":"Oslo"},"outputs":{},"expectations":null,"tags":{}"#,
            r#""inputs":{"city":"Lima"},"outputs":null,"expectations":null,"tags":{}"#,
            r#""inputs":"{city}","outputs":null,"expectations":null,"tags":{}"#,
        ]
    );
    let stored = db.dataset("pandas").unwrap().records(None).unwrap();
    let source = |row| {
        let trace = cell(&stored, "source_trace_id", row);
        (
            cell(&stored, "source_type", row),
            trace.map(|id| id[30..].to_string()),
        )
    };
    let some = |text: &str| Some(text.to_string());
    assert_eq!(source(0), (some("TRACE"), some("aa")));
    assert_eq!(source(1), (some("HUMAN"), None));
    assert_eq!(source(2), (some("TRACE"), some("bb")));
    // Without the columns beside it nobody knows what such a source says.
    let (report, _) = merged(
        &db,
        "alone",
        ExportFormat::Csv,
        "inputs,source\n1,somewhere\n",
    );
    assert_eq!(report.rejected_count, 1);
}

#[test]
fn numbers_that_json_does_not_have_are_null() {
    let db = Database::in_memory().unwrap();
    let line = r#"{"inputs":{"q":"NaN?"},"outputs":{"loss":NaN,"max":-Infinity}}"#;
    let wanted = [
        r#""inputs":{"q":"NaN?"},"outputs":{"loss":null,"max":null},"expectations":null,"tags":{}"#,
    ];
    let (report, records) = merged(&db, "lines", ExportFormat::JsonLines, line);
    assert_eq!(
        (report.rejected_count, records.as_slice()),
        (0, &wanted.map(String::from)[..])
    );
    let (_, records) = merged(&db, "array", ExportFormat::JsonLines, &format!("[{line}]"));
    assert_eq!(records, wanted);
}

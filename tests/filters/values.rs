//! Values that take some reading: lists, paths into JSON text, numbers in tags, doubles without a number, strings that
//! JSON escapes; each question in memory, sealed and with a text index.

use serde_json::{Value, json};
use tracehouse::Database;

use crate::support::{DiskDb, import_lines, rows, search_ids};

/// A span of a trace of its own; the id of the trace ends in the number.
fn line(number: usize, attributes: Value) -> String {
    let attributes = attributes.as_object().unwrap().iter();
    let attributes: Vec<Value> = attributes
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let span = json!({
        "traceId": format!("{:032x}", number + 0xa0), "spanId": format!("{:016x}", number + 1), "name": "step",
        "startTimeUnixNano": (1_740_787_200_000_000_000_u64 - number as u64).to_string(),
        "endTimeUnixNano": "1740787200000000005", "attributes": attributes,
    });
    json!({"resourceSpans": [{"resource": {"attributes": [
        {"key": "meta", "value": {"stringValue": format!("{{\"zone\":{number}}}")}}
    ]}, "scopeSpans": [{"spans": [span]}]}]})
    .to_string()
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

fn list(values: &[Value]) -> Value {
    json!({"arrayValue": {"values": values}})
}

fn lines() -> Vec<String> {
    let numbers: Vec<Value> = (0..40)
        .map(|number| json!({"doubleValue": f64::from(number) / 8.0}))
        .collect();
    vec![
        line(
            0,
            json!({"tags": list(&[text("a"), text("b")]), "score": {"doubleValue": "NaN"}, "k": text("v")}),
        ),
        line(
            1,
            json!({"tags": text("[\"b\",\"c\"]"), "score": {"doubleValue": "-Infinity"}}),
        ),
        line(
            2,
            json!({"tags": text("a"), "score": {"doubleValue": "Infinity"}, "numbers": list(&numbers)}),
        ),
        line(
            3,
            json!({
                "metadata": text(r#"{"tenant":"acme","n":7,"tags":["x","y"],"deep":"{\"q\":\"caf\\u00e9\"}"}"#),
                "score": {"doubleValue": 0.5},
                "docs": list(&[
                    json!({"kvlistValue": {"values": [{"key": "id", "value": text("d1")}, {"key": "score", "value": {"doubleValue": 0.9}}]}}),
                    json!({"kvlistValue": {"values": [{"key": "id", "value": text("d2")}]}}),
                ]),
            }),
        ),
        line(
            4,
            json!({
                "input.value": text(r#"{"q": "\u6771\u4eac\u306e\u5929\u6c17", "say": "one\ntwo \"three\""}"#),
                "tags": list(&[]), "tool.parameters": text("{\"tenant\": not json}"),
            }),
        ),
        line(
            5,
            json!({"note": text("\u{1b}[31mERROR\u{1b}[0m in caf\u{65}\u{301}"), "tags": list(&[text("a")])}),
        ),
        // A function that returns a text, as MLflow and Traceloop send it.
        line(
            6,
            json!({
                "mlflow.spanInputs": text(r#"{"order": 17, "ask": ["\u5165\u8377 when?\nsoon"]}"#),
                "mlflow.spanOutputs": text(r#""Ship it:\nrefund \u6b21 then \"close\"""#),
                "packed": text(r#""{\"zone\":\"north\"}""#),
                "quoted": text(r#""\"in\\ttwo\"""#), "tags": list(&[text(r#""a\nz""#), text("q")]),
            }),
        ),
    ]
}

/// Filters and the numbers of the traces that they find.
const FILTERS: &[(&str, &str)] = &[
    ("span.attributes.tags = 'a'", "0 2 5"),
    ("span.attributes.tags = 'c'", "1"),
    ("span.attributes.tags IN ('c', 'a')", "0 1 2 5"),
    ("span.attributes.tags != 'a'", "0 1 6"),
    ("span.attributes.tags NOT IN ('a', 'b')", "1 6"),
    ("span.attributes.tags LIKE 'b%'", "0 1"),
    ("span.attributes.tags = '[\"a\",\"b\"]'", "0"),
    ("span.attributes.tags != '[\"a\",\"b\"]'", "1 2 5 6"),
    ("span.attributes.tags IS NULL", "3"),
    ("span.attributes.numbers = 4.875", "2"),
    ("span.attributes.numbers > 4.8", "2"),
    ("span.attributes.numbers > 5", ""),
    ("span.attributes.metadata.tenant = 'acme'", "3"),
    ("span.attributes.metadata.n >= 7", "3"),
    ("span.attributes.metadata.tags = 'y'", "3"),
    ("span.attributes.metadata.tags.0 = 'y'", ""),
    ("span.attributes.metadata.deep.q RLIKE '^caf\u{e9}$'", "3"),
    ("span.attributes.docs.id = 'd2'", "3"),
    (
        "span.attributes.docs.0.id = 'd1' AND span.attributes.docs.score > 0.8",
        "3",
    ),
    ("span.attributes.docs.1.score IS NOT NULL", ""),
    (
        "span.attributes.input.value.q = '\u{6771}\u{4eac}\u{306e}\u{5929}\u{6c17}'",
        "4",
    ),
    ("span.attributes.tool.parameters.tenant IS NOT NULL", ""),
    ("resource.meta.zone = 3 AND span.name = 'step'", "3"),
    ("span.attributes.score = 'NaN'", "0"),
    ("span.attributes.score < 0", "1"),
    ("span.attributes.score > 0.5", "2"),
    ("span.attributes.score BETWEEN -1 AND 1", "3"),
    ("span.attributes.score != 0.5", "0 1 2"),
    ("span.attributes.score LIKE 'Inf%'", "2"),
    ("tags.rank > 9", "0 2"),
    ("tags.rank = 10", "0"),
    ("tags.rank != 10", "1 2 3"),
    ("tags.rank IN (10, 'ten')", "0 3"),
    ("tags.rank BETWEEN 1 AND 10", "0 1"),
    ("tags.rank = '10'", ""),
    ("tags.rank NOT BETWEEN 1 AND 10", "2 3"),
    ("tags.rank <= -1", ""),
    ("trace.text LIKE '%\u{6771}\u{4eac}%'", "4"),
    ("trace.text LIKE '\u{6771}%'", "4"),
    ("trace.text LIKE '%two \"three\"'", "4"),
    ("trace.text LIKE '%\\u6771%'", "4"),
    (
        "trace.text NOT LIKE '%\u{6771}%' AND span.attributes.k = 'v'",
        "0",
    ),
    ("trace.text RLIKE '^one\\s+two'", "4"),
    ("trace.text LIKE 'acme'", "3"),
    ("span.content ILIKE '%CAF\u{c9}%'", "3"),
    ("trace.text LIKE '%31mERROR%'", "5"),
    ("trace.text MATCHES '\u{5929}\u{6c17}'", "4"),
    ("trace.text MATCHES '\u{4eac}\u{5929}'", ""),
    ("trace.text MATCHES 'error AND caf\u{e9} NOT two'", "5"),
    ("trace.text MATCHES 'NOT error caf\u{e9}'", "3"),
    ("trace.text MATCHES 'refund'", "6"),
    ("trace.text MATCHES 'nrefund'", ""),
    ("span.outputs MATCHES '\"it refund \u{6b21}\"'", "6"),
    ("trace.text MATCHES 'two NOT three'", "6"),
    ("trace.text LIKE 'Ship it:\nrefund \u{6b21}%\"close\"'", "6"),
    ("trace.text ILIKE '%IT:\nREFUND%'", "6"),
    ("trace.text RLIKE '^in\\stwo$'", "6"),
    ("span.outputs LIKE '%then \"close\"%'", "6"),
    ("span.outputs LIKE '%then \\\"close%'", "6"),
    ("span.outputs NOT LIKE '%then \"close\"%'", ""),
    ("span.outputs RLIKE '\u{6b21} then'", "6"),
    ("span.outputs = '\u{6b21}'", ""),
    ("span.inputs LIKE '\u{5165}\u{8377}%'", "6"),
    (
        "span.inputs LIKE '%\u{6771}%' OR span.inputs LIKE '%?\nsoon'",
        "4 6",
    ),
    ("span.inputs NOT LIKE '%\nsoon'", "4"),
    (
        "span.attributes.mlflow.spanInputs LIKE '%\u{5165}\u{8377}%'",
        "6",
    ),
    ("span.attributes.mlflow.spanOutputs RLIKE ':\nrefund'", "6"),
    ("span.attributes.quoted LIKE 'in\ttwo'", "6"),
    ("span.attributes.quoted LIKE '\"in\\ttwo\"'", "6"),
    ("span.attributes.quoted NOT LIKE '%n\ttw%'", ""),
    ("span.attributes.packed LIKE '{\"zone%'", "6"),
    ("span.attributes.packed LIKE '{%'", "6"),
    ("span.attributes.packed LIKE 'north'", "6"),
    ("span.attributes.packed NOT LIKE '{%'", ""),
    ("span.attributes.tags LIKE 'a\nz'", "6"),
    ("span.attributes.tags NOT LIKE 'a\nz'", "0 1 2 5 6"),
    ("span.attributes.metadata LIKE 'caf\u{e9}'", "3"),
    ("span.attributes.metadata NOT LIKE '%caf\u{e9}%'", ""),
];

fn compare(db: &Database, state: &str) {
    for (filter, wanted) in FILTERS {
        let mut found: Vec<String> = search_ids(db, filter);
        found.sort();
        let wanted: Vec<String> = wanted
            .split_whitespace()
            .map(|number| format!("{:032x}", number.parse::<usize>().unwrap() + 0xa0))
            .collect();
        assert_eq!(found, wanted, "{filter} {state}");
    }
    let statement =
        "SELECT attributes->>'score' AS text, CAST(attributes->'score' AS DOUBLE) > 0 AS positive,
        json_get_float(attributes, 'score') = CAST('NaN' AS DOUBLE) AS is_nan
        FROM spans WHERE attributes->>'score' IN ('NaN', 'Infinity', '-Infinity') ORDER BY trace_id";
    let wanted = [
        ("NaN", true, true),
        ("-Infinity", false, false),
        ("Infinity", true, false),
    ];
    let wanted = wanted.map(|(text, positive, is_nan)| {
        json!({"text": text, "positive": positive, "is_nan": is_nan}).to_string()
    });
    let found: Vec<String> = rows(db, statement).iter().map(Value::to_string).collect();
    let found: Vec<Value> = found
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(found, wanted, "{state}");
}

#[test]
fn values_are_read_alike_wherever_they_are() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &lines());
    for (number, rank) in ["10.0", "1e0", " Infinity", "ten"].iter().enumerate() {
        disk.db
            .set_tag(&format!("{:032x}", number + 0xa0), "rank", rank)
            .unwrap();
    }
    compare(&disk.db, "in memory");
    disk.db.seal().unwrap();
    compare(&disk.db, "sealed");
    disk.db.index_text().unwrap();
    assert_eq!(disk.db.stats().unwrap().indexed_spans, 7);
    compare(&disk.db, "indexed");
}

#[test]
fn queries_without_words_are_errors_wherever_they_are_put() {
    let db = crate::support::in_memory();
    for (query, expected) in [
        ("\u{1f44d}", "LIKE"),
        ("!!!", "LIKE"),
        ("error \u{1f44d}", "LIKE"),
        ("*rror", "LIKE"),
        ("input:error", "did you mean `inputs:`"),
        ("NOT error", "only says what must not"),
        ("error AND", "needs something after"),
    ] {
        let errors = [
            db.search_text(query, 3).unwrap_err(),
            db.count_traces(&tracehouse::Search::new(format!(
                "trace.text MATCHES '{query}'"
            )))
            .unwrap_err(),
            db.sql(&format!("SELECT * FROM search_text('{query}', 3)"))
                .unwrap_err(),
            db.sql(&format!(
                "SELECT 1 FROM spans WHERE matches(text, '{query}')"
            ))
            .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                error.kind(),
                tracehouse::ErrorKind::InvalidInput,
                "{query}: {error}"
            );
            assert!(error.to_string().contains(expected), "{query}: {error}");
        }
    }
}

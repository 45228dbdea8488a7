//! Records as items of a dataset of Langfuse.
//!
//! An item has one expected output, and no outputs of its own. A single expectation is the expected output, several are
//! it as an object; what an item has no place for is in its metadata, under names of ours:
//!
//! ```text
//! tracehouse.expected   the name of the expectation; true when the expected output is the object of all
//! tracehouse.outputs    what was answered
//! tracehouse.source     where the record is from
//! ```

use std::collections::BTreeMap;

use super::super::json::{members, object, quoted};
use super::super::members::Fields;
use super::super::record::Record;

const EXPECTED: &str = "tracehouse.expected";
const OUTPUTS: &str = "tracehouse.outputs";
const SOURCE: &str = "tracehouse.source";
/// The expectation that an expected output is when nothing says otherwise.
const OWN_NAME: &str = "expectedOutput";
/// What the API and the Python package call it.
const EXPECTED_OUTPUTS: [&str; 2] = [OWN_NAME, "expected_output"];
const SOURCE_IDS: [&str; 4] = [
    "sourceTraceId",
    "sourceObservationId",
    "source_trace_id",
    "source_observation_id",
];

/// The line of a record.
pub(super) fn line(record: &Record) -> String {
    let mut metadata: BTreeMap<String, String> = members(&record.tags)
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key, value.get().to_string()))
        .collect();
    let expected = expected(record, &mut metadata);
    if let Some(outputs) = &record.outputs {
        metadata.insert(OUTPUTS.to_string(), outputs.clone());
    }
    let source = &record.source;
    if source.kind.is_some() || source.data.is_some() {
        let said = format!(
            r#"{{"source_type":{},"source_data":{}}}"#,
            id(source.kind.as_deref()),
            source.data.as_deref().unwrap_or("{}"),
        );
        metadata.insert(SOURCE.to_string(), said);
    }
    let metadata = match metadata.is_empty() {
        true => "null".to_string(),
        false => object(metadata.iter().map(|(key, json)| (key, json.as_str()))),
    };
    format!(
        concat!(
            r#"{{"id":{},"input":{},"expectedOutput":{},"metadata":{},"#,
            r#""sourceTraceId":{},"sourceObservationId":{},"status":"ACTIVE"}}"#
        ),
        quoted(&record.id),
        record.inputs,
        expected,
        metadata,
        id(source.trace_id.as_deref()),
        // An observation is one of a trace.
        id(source
            .span_id
            .as_deref()
            .filter(|_| source.trace_id.is_some())),
    )
}

fn id(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_string(), quoted)
}

/// The expected output; metadata says what it is of the expectations.
fn expected(record: &Record, metadata: &mut BTreeMap<String, String>) -> String {
    let Some(expectations) = &record.expectations else {
        return "null".to_string();
    };
    let all = members(expectations).unwrap_or_default();
    // Null would be no expected output.
    let single = all
        .iter()
        .next()
        .filter(|(_, value)| all.len() == 1 && value.get() != "null");
    match single {
        Some((name, value)) => {
            if name != OWN_NAME {
                metadata.insert(EXPECTED.to_string(), quoted(name));
            }
            value.get().to_string()
        }
        None => {
            metadata.insert(EXPECTED.to_string(), "true".to_string());
            expectations.clone()
        }
    }
}

/// The members of a record whose metadata say more of it; `None` for another.
pub(super) fn opened(fields: &Fields<'_>) -> Option<Fields<'static>> {
    let mut metadata = members(fields.get("metadata")?.trim())?;
    let marks = [EXPECTED, OUTPUTS, SOURCE].map(|mark| metadata.remove(mark));
    if marks.iter().all(Option::is_none) {
        return None;
    }
    let [expected, outputs, source] = marks;
    let mut opened: Fields<'static> = fields
        .iter()
        .map(|(name, json)| (name.clone(), json.to_string().into()))
        .collect();
    let metadata = object(metadata.iter().map(|(key, value)| (key, value.get())));
    opened.insert("metadata".into(), metadata.into());
    if let Some(outputs) = outputs {
        opened.insert("outputs".into(), outputs.get().to_string().into());
    }
    if let Some(source) = source {
        opened.retain(|name, _| !SOURCE_IDS.contains(&name.as_str()));
        opened.insert("source".into(), source.get().to_string().into());
    }
    let given = EXPECTED_OUTPUTS
        .iter()
        .find_map(|name| opened.get(*name))
        .filter(|json| json.trim() != "null");
    let expectations = match (expected.map(|mark| mark.get()), given) {
        (Some("true"), Some(all)) if all.trim().starts_with('{') => Some(all.to_string()),
        (Some(mark), Some(value)) => serde_json::from_str::<String>(mark)
            .ok()
            .map(|name| object([(&name, &**value)])),
        _ => None,
    };
    if let Some(expectations) = expectations {
        opened.retain(|name, _| !EXPECTED_OUTPUTS.contains(&name.as_str()));
        opened.insert("expectations".into(), expectations.into());
    }
    Some(opened)
}

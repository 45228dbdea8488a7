//! Records as `merge_records` of MLflow's datasets takes them.
//!
//! Inputs are an object there: others are member `input` of one, and tag `tracehouse.wrapped` says so. Ids of traces
//! are MLflow's (`tr-` before 32 hex digits), so that it finds them.

use std::collections::BTreeMap;

use super::super::json::{members, object, quoted};
use super::super::members::Fields;
use super::super::record::Record;
use super::super::source::Source;

/// The tag of inputs that are wrapped; its value is the name of the member.
const WRAPPED: &str = "tracehouse.wrapped";
/// The member that inputs become which are no object.
const INPUT: &str = "input";

/// The line of a record.
pub(super) fn line(record: &Record) -> String {
    let mut tags = owned(Some(&record.tags));
    let inputs = if record.inputs.starts_with('{') {
        record.inputs.clone()
    } else {
        tags.insert(WRAPPED.to_string(), quoted(INPUT));
        format!("{{{}:{}}}", quoted(INPUT), record.inputs)
    };
    let mut line = format!(r#"{{"inputs":{inputs}"#);
    let source = source(&record.source);
    let tags = object(tags.iter().map(|(key, json)| (key, json.as_str())));
    // A member that is there but null clears, or asks for another source.
    let others = [
        ("outputs", record.outputs.as_deref()),
        ("expectations", record.expectations.as_deref()),
        ("tags", Some(tags.as_str())),
        ("source", source.as_deref()),
    ];
    for (key, json) in others {
        if let Some(json) = json {
            line.push_str(&format!(r#","{key}":{json}"#));
        }
    }
    line.push('}');
    line
}

fn source(source: &Source) -> Option<String> {
    let kind = source
        .kind
        .as_deref()
        .or(source.data.is_some().then_some("UNSPECIFIED"))?;
    let mut data = owned(source.data.as_deref());
    let is_hex = |id: &&String| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(id) = source.trace_id.as_ref().filter(is_hex) {
        data.insert("trace_id".to_string(), quoted(&format!("tr-{id}")));
    }
    Some(format!(
        r#"{{"source_type":{},"source_data":{}}}"#,
        quoted(kind),
        object(data.iter().map(|(key, json)| (key, json.as_str()))),
    ))
}

/// The members of an object, none of anything else.
fn owned(json: Option<&str>) -> BTreeMap<String, String> {
    let members = json.and_then(members).unwrap_or_default().into_iter();
    members
        .map(|(key, value)| (key, value.get().to_string()))
        .collect()
}

/// The members of a record whose inputs were wrapped, with the inputs as they were; `None` for another.
pub(super) fn opened(fields: &Fields<'_>) -> Option<Fields<'static>> {
    let mut tags = members(fields.get("tags")?.trim())?;
    let name: String = serde_json::from_str(tags.remove(WRAPPED)?.get()).ok()?;
    let wrapped = members(fields.get("inputs")?.trim())?;
    let inputs = wrapped.get(&name).filter(|_| wrapped.len() == 1)?;
    let mut opened: Fields<'static> = fields
        .iter()
        .map(|(name, json)| (name.clone(), json.to_string().into()))
        .collect();
    let tags = object(tags.iter().map(|(key, value)| (key, value.get())));
    opened.insert("tags".into(), tags.into());
    opened.insert("inputs".into(), inputs.get().to_string().into());
    Some(opened)
}

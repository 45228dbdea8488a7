//! Where a record comes from: a word and details, as MLflow has it.

use tracehouse_storage::model::normalize_trace_id;

use super::json::{compact, members};
use crate::error::{Error, Result};
use crate::otlp::python_literal;

/// The source of a record: `{"source_type": ..., "source_data": {...}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// `TRACE`, `HUMAN`, `DOCUMENT` or `CODE`; `None` when it is not known.
    pub kind: Option<String>,
    /// The trace it was made from.
    pub trace_id: Option<String>,
    /// The span it was made from.
    pub span_id: Option<String>,
    /// Details: JSON object text.
    pub data: Option<String>,
}

impl Source {
    /// The source of a word without details.
    pub fn word(kind: &str) -> Self {
        Self {
            kind: Some(kind.to_string()),
            ..Self::default()
        }
    }

    /// A checked source; `data` is JSON object text.
    pub fn of(kind: &str, data: Option<&str>) -> Result<Self> {
        let kind = match kind.to_ascii_uppercase().as_str() {
            word @ ("TRACE" | "HUMAN" | "DOCUMENT" | "CODE") => Some(word.to_string()),
            "" | "UNSPECIFIED" | "SOURCE_TYPE_UNSPECIFIED" => None,
            _ => {
                return Err(Error::invalid_input(format!(
                    "source type {kind:?}: TRACE, HUMAN, DOCUMENT or CODE expected"
                )));
            }
        };
        let not_object = || Error::invalid_input("source_data is not a JSON object");
        let data = data.filter(|data| data.trim() != "null");
        let data = data
            .map(|data| compact(data).ok_or_else(not_object))
            .transpose()?;
        let mut source = Self {
            kind,
            ..Self::default()
        };
        if let Some(data) = &data {
            let members = members(data).ok_or_else(not_object)?;
            let text = |key: &str| {
                members
                    .get(key)
                    .and_then(|value| serde_json::from_str::<String>(value.get()).ok())
            };
            source.trace_id = text("trace_id").map(|id| normalize_trace_id(&id));
            source.span_id = text("span_id");
        }
        source.data = data.filter(|data| data != "{}");
        Ok(source)
    }

    /// The source in a record's `source` field: an object, or NULL.
    pub fn parse(json: &str) -> Result<Option<Self>> {
        if json.trim() == "null" {
            return Ok(None);
        }
        let text: Option<String> = serde_json::from_str(json).unwrap_or_default();
        if let Some((kind, data)) = text.as_deref().and_then(printed) {
            return Self::of(&kind, data.as_deref()).map(Some);
        }
        let members = members(json.trim())
            .ok_or_else(|| Error::invalid_input("source is not a JSON object"))?;
        let kind = match members.get("source_type") {
            Some(kind) => serde_json::from_str::<Option<String>>(kind.get())
                .map_err(|_| Error::invalid_input("source_type is not a string"))?,
            None => None,
        };
        let data = members.get("source_data").map(|data| data.get());
        Ok(Some(Self::of(kind.as_deref().unwrap_or_default(), data)?))
    }
}

/// The kind and data of a source as Python prints MLflow's, which is how a table of records written as CSV has it:
/// `DatasetRecordSource(source_type=<DatasetRecordSourceType.HUMAN: 'HUMAN'>, source_data={})`.
fn printed(text: &str) -> Option<(String, Option<String>)> {
    let arguments = text
        .trim()
        .strip_prefix("DatasetRecordSource(source_type=")?
        .strip_suffix(')')?;
    let (kind, data) = arguments.split_once(", source_data=")?;
    let kind = kind.trim_matches(['<', '>']);
    let kind = kind.rsplit_once(": ").map_or(kind, |(_, kind)| kind);
    let data = python_literal::read(data).filter(serde_json::Value::is_object);
    Some((
        kind.trim_matches('\'').to_string(),
        data.map(|data| data.to_string()),
    ))
}

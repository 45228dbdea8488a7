//! Members of records as other tools name them, and what became of them: what was right goes to expectations,
//! metadata and labels to tags, where a record is from to its source. What is not understood is counted, never
//! dropped without a word.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::export_forms::opened;
use super::json::{compact, members, object, quoted};
use super::record::Candidate;
use super::source::Source;
use crate::error::{Error, Result};

/// A given record: JSON texts by name.
pub(super) type Fields<'a> = BTreeMap<String, Cow<'a, str>>;

/// A record's own members.
const OWN: [&str; 6] = [
    "inputs",
    "outputs",
    "expectations",
    "tags",
    "source",
    "dataset_record_id",
];
/// What exports say of a record besides, where `dataset_record_id` tells that they are ours.
const OF_EXPORTS: [&str; 10] = [
    "dataset_id",
    "dataset",
    "version",
    "content_hash",
    "created_at",
    "updated_at",
    "source_type",
    "source_trace_id",
    "source_span_id",
    "source_data",
];

/// Other names of inputs (Langfuse, Braintrust, OpenAI evals; Ragas), the first that is there counts.
const INPUTS: [&str; 2] = ["input", "user_input"];
/// Other names of outputs (DeepEval, Ragas among them).
const OUTPUTS: [&str; 3] = ["output", "actual_output", "response"];
/// Names of what was right: each becomes an expectation of its own name.
const EXPECTATIONS: [&str; 26] = [
    "expected",
    "expected_output",
    "expectedOutput",
    "expected_outputs",
    "expected_answer",
    "expected_response",
    "expected_facts",
    "expected_tools",
    "expected_retrieved_context",
    "guidelines",
    "reference",
    "reference_answer",
    "reference_output",
    "reference_contexts",
    "ground_truth",
    "groundTruth",
    "ground_truths",
    "answer",
    "answers",
    "correct_answer",
    "ideal",
    "target",
    "targets",
    "label",
    "gold",
    "golden",
];
/// Objects whose members are expectations.
const EXPECTATION_OBJECTS: [&str; 2] = ["reference_outputs", "referenceOutputs"];
/// Members that only examples of LangSmith have, whose `outputs` are what was right.
const LANGSMITH: [&str; 3] = ["dataset_id", "source_run_id", "modified_at"];
/// Objects whose members are tags.
const TAG_OBJECTS: [&str; 2] = ["metadata", "meta"];
const TRACE_IDS: [&str; 3] = ["source_trace_id", "sourceTraceId", "trace_id"];
const SPAN_IDS: [&str; 4] = [
    "source_span_id",
    "source_observation_id",
    "sourceObservationId",
    "span_id",
];

/// A member of given records that is not a record's own, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberUse {
    /// Its name.
    pub member: String,
    /// The part of a record that it was taken for; `None` = it was ignored.
    pub taken_as: Option<&'static str>,
    /// Kept records in which it was so.
    pub records: u64,
}

/// What became of the members of all kept records.
#[derive(Debug, Default)]
pub(super) struct Uses(BTreeMap<(Option<&'static str>, String), u64>);

impl Uses {
    pub fn add(&mut self, of_record: Vec<(Option<&'static str>, String)>) {
        for entry in of_record {
            *self.0.entry(entry).or_default() += 1;
        }
    }

    pub fn into_list(self) -> Vec<MemberUse> {
        let uses = self.0.into_iter();
        uses.map(|((taken_as, member), records)| MemberUse {
            member,
            taken_as,
            records,
        })
        .collect()
    }
}

/// A record and what became of its members.
pub(super) type Read = (Candidate, Vec<(Option<&'static str>, String)>);

/// The record of these fields.
///
/// # Errors
/// `InvalidInput` naming the field that is missing or wrong.
pub(super) fn record_of(fields: &Fields<'_>) -> Result<Read> {
    let opened = opened(fields);
    let fields = opened.as_ref().unwrap_or(fields);
    let mut reader = Reader {
        fields,
        used: Vec::new(),
    };
    let inputs = reader
        .first("inputs", &INPUTS)
        .ok_or_else(|| no_inputs(fields))?;
    let (outputs, references) = reader.outputs();
    let expectations = reader.expectations(references)?;
    let tags = reader.tags()?;
    let source = reader.source()?;
    let mut candidate =
        Candidate::from_json(inputs, outputs, expectations.as_deref(), tags.as_deref())?;
    candidate.source = source.or(candidate.source);
    Ok((candidate, reader.finish()))
}

fn no_inputs(fields: &Fields<'_>) -> Error {
    let names: Vec<&str> = fields.keys().take(10).map(String::as_str).collect();
    Error::invalid_input(match names.as_slice() {
        [] => "a record needs inputs".to_string(),
        names => format!(
            "a record needs inputs (or input); this one has {}",
            names.join(", ")
        ),
    })
}

struct Reader<'a> {
    fields: &'a Fields<'a>,
    /// Names and what they were taken for.
    used: Vec<(&'static str, &'static str)>,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).map(|json| json.as_ref())
    }

    /// A member that is not null, taken for a part of the record.
    fn take(&mut self, name: &'static str, part: &'static str) -> Option<&'a str> {
        let json = self.get(name).filter(|json| json.trim() != "null")?;
        self.used.push((name, part));
        Some(json)
    }

    /// The part of the record's own name, else the first of the others.
    fn first(&mut self, own: &'static str, others: &[&'static str]) -> Option<&'a str> {
        match self.get(own) {
            Some(json) => Some(json),
            None => others.iter().find_map(|name| self.take(name, own)),
        }
    }

    /// The outputs, and what is rather an object of expectations.
    fn outputs(&mut self) -> (Option<&'a str>, Vec<&'a str>) {
        let mut references: Vec<&str> = EXPECTATION_OBJECTS
            .iter()
            .filter_map(|name| self.take(name, "expectations"))
            .collect();
        let is_example = self.get("dataset_record_id").is_none()
            && LANGSMITH.iter().any(|name| self.get(name).is_some());
        if is_example {
            references.extend(self.take("outputs", "expectations"));
            return (
                OUTPUTS.iter().find_map(|name| self.take(name, "outputs")),
                references,
            );
        }
        (self.first("outputs", &OUTPUTS), references)
    }

    /// The expectations with what has other names; the record's own win.
    fn expectations(&mut self, references: Vec<&'a str>) -> Result<Option<String>> {
        let own = self.get("expectations");
        let mut all: BTreeMap<String, &str> = BTreeMap::new();
        for name in EXPECTATIONS {
            if let Some(json) = self.take(name, "expectations") {
                all.insert(name.to_string(), json);
            }
        }
        for json in references {
            match members(json.trim()) {
                Some(members) => {
                    all.extend(members.into_iter().map(|(key, value)| (key, value.get())));
                }
                None => drop(all.insert("reference_output".to_string(), json)),
            }
        }
        merged(all, "expectations", own)
    }

    fn tags(&mut self) -> Result<Option<String>> {
        let own = self.get("tags");
        let mut all: BTreeMap<String, &str> = BTreeMap::new();
        for name in TAG_OBJECTS {
            let Some(json) = self.take(name, "tags") else {
                continue;
            };
            match members(json.trim()) {
                Some(members) => {
                    all.extend(members.into_iter().map(|(key, value)| (key, value.get())))
                }
                None => drop(all.insert(name.to_string(), json)),
            }
        }
        // A list of labels, as several tools have it.
        let labels = own.and_then(|own| serde_json::from_str::<Vec<String>>(own).ok());
        let own = labels
            .as_deref()
            .map(label_object)
            .or_else(|| own.map(str::to_string));
        merged(all, "tags", own.as_deref())
    }

    fn source(&mut self) -> Result<Option<Source>> {
        // A text beside the columns that say the same of it is no reason to reject a record.
        let is_told = self.get("source_type").is_some();
        let own = match self.get("source").map(Source::parse).transpose() {
            Err(_) if is_told => None,
            own => own?.flatten(),
        };
        if own.is_some() {
            // As a table of MLflow's records has it, beside the whole.
            for name in ["source_type", "source_id"] {
                self.take(name, "source");
            }
            return Ok(own);
        }
        let kind = self.take("source_type", "source").map(text_of);
        let data = self.take("source_data", "source");
        let mut ids = BTreeMap::new();
        if kind
            .as_deref()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("TRACE"))
            && let Some(json) = self.take("source_id", "source")
        {
            ids.insert("trace_id".to_string(), quoted(&text_of(json)));
        }
        for (key, names) in [
            ("trace_id", TRACE_IDS.as_slice()),
            ("span_id", SPAN_IDS.as_slice()),
        ] {
            if let Some(json) = names.iter().find_map(|name| self.take(name, "source")) {
                ids.insert(key.to_string(), quoted(&text_of(json)));
            }
        }
        if kind.is_none() && data.is_none() && !ids.contains_key("trace_id") {
            // A span alone is no source.
            self.used.retain(|(_, part)| *part != "source");
            return Ok(None);
        }
        let all = ids
            .iter()
            .map(|(key, json)| (key.clone(), json.as_str()))
            .collect();
        // Data may be an object, or the text of one.
        let text = data.map(|data| {
            if data.starts_with('"') {
                text_of(data)
            } else {
                data.to_string()
            }
        });
        let kind = kind.unwrap_or_else(|| "TRACE".to_string());
        Source::of(
            &kind,
            merged(all, "source_data", text.as_deref())?.as_deref(),
        )
        .map(Some)
    }

    /// What became of each member that is not a record's own.
    fn finish(self) -> Vec<(Option<&'static str>, String)> {
        let id = self
            .get("dataset_record_id")
            .map(text_of)
            .unwrap_or_default();
        let is_own = |name: &str| {
            OWN.contains(&name) || (id.starts_with("dr-") && OF_EXPORTS.contains(&name))
        };
        let mut uses = Vec::new();
        for (name, json) in self.fields {
            let taken = self
                .used
                .iter()
                .find(|(used, _)| used == name)
                .map(|(_, part)| *part);
            let is_silent = match taken {
                Some(part) => part == name || (is_own(name) && name != "outputs"),
                None => is_own(name) || json.trim() == "null",
            };
            if !is_silent {
                uses.push((taken, name.clone()));
            }
        }
        uses
    }
}

/// `own` with these members below its own; as it is when there are none.
fn merged<'a>(
    mut all: BTreeMap<String, &'a str>,
    field: &str,
    own: Option<&'a str>,
) -> Result<Option<String>> {
    if all.is_empty() {
        return Ok(own.map(str::to_string));
    }
    if let Some(own) = own.filter(|own| own.trim() != "null") {
        let not_object = || Error::invalid_input(format!("{field} are not a JSON object"));
        let members = members(own.trim()).ok_or_else(not_object)?;
        all.extend(members.into_iter().map(|(key, value)| (key, value.get())));
    }
    Ok(Some(object(all.iter().map(|(key, json)| (key, *json)))))
}

/// A tag for each label: it is there or not, as the labels of a trace are.
fn label_object(labels: &[String]) -> String {
    let labels: BTreeMap<&String, &str> = labels.iter().map(|label| (label, r#""true""#)).collect();
    object(labels)
}

/// The text of a JSON string, or the JSON text of something else.
fn text_of(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| compact(json).unwrap_or_else(|| json.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<(Candidate, Vec<String>)> {
        let fields = members(json)
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name, value.get().into()));
        let (candidate, uses) = record_of(&fields.collect())?;
        let shown =
            |(part, name): (Option<&str>, String)| format!("{name}: {}", part.unwrap_or("ignored"));
        Ok((candidate, uses.into_iter().map(shown).collect()))
    }

    #[test]
    fn names_of_other_tools_are_taken_as_what_they_mean() {
        let expected = |json: &str| {
            read(json)
                .map(|(record, uses)| (record.expectations, uses))
                .unwrap()
        };
        for name in EXPECTATIONS {
            let (expectations, uses) = expected(&format!(r#"{{"inputs":1,"{name}":"A"}}"#));
            assert_eq!(expectations.unwrap(), format!(r#"{{"{name}":"A"}}"#));
            assert_eq!(uses, [format!("{name}: expectations")]);
        }
        let (record, uses) = read(
            r#"{"input":{"q":1},"expected":[1.50],"expectations":{"expected":2,"e":3},"metadata":{"k":1,"t":2},
            "tags":["t","u"],"output":"o","id":"x","score":0.5,"none":null,"trace_id":"tr-00000000000000000000000000000001"}"#,
        )
        .unwrap();
        assert_eq!(
            (record.inputs.as_str(), record.outputs),
            (r#"{"q":1}"#, Some(Some("\"o\"".into())))
        );
        assert_eq!(
            record.expectations.unwrap(),
            r#"{"e":3,"expected":2}"#,
            "its own name wins"
        );
        assert_eq!(record.tags.unwrap(), r#"{"k":1,"t":"true","u":"true"}"#);
        let source = record.source.unwrap();
        assert_eq!(
            (source.kind.as_deref(), source.trace_id.unwrap().len()),
            (Some("TRACE"), 32)
        );
        assert_eq!(
            uses,
            [
                "expected: expectations",
                "id: ignored",
                "input: inputs",
                "metadata: tags",
                "output: outputs",
                "score: ignored",
                "trace_id: source"
            ]
        );
    }

    #[test]
    fn outputs_of_an_example_are_what_was_right() {
        let (record, uses) = read(
            r#"{"id":"e","dataset_id":"d","inputs":{"q":1},"outputs":{"a":"A"},"metadata":null}"#,
        )
        .unwrap();
        assert_eq!(
            (record.outputs, record.expectations.as_deref()),
            (None, Some(r#"{"a":"A"}"#))
        );
        assert_eq!(
            uses,
            [
                "dataset_id: ignored",
                "id: ignored",
                "outputs: expectations"
            ]
        );
        let own = r#"{"dataset_record_id":"dr-1","dataset_id":"d","version":1,"inputs":1,"outputs":{"a":"A"}}"#;
        let (record, uses) = read(own).unwrap();
        assert_eq!(
            (record.outputs.flatten().as_deref(), uses.len()),
            (Some(r#"{"a":"A"}"#), 0)
        );
    }

    #[test]
    fn a_record_without_inputs_says_what_it_has() {
        let error = read(r#"{"question":1,"answer":2}"#)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "a record needs inputs (or input); this one has answer, question"
        );
        assert!(read(r#"{"inputs":1,"expected":1,"expectations":[]}"#).is_err());
    }
}

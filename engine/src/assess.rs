//! Judgements about traces: what a caller gives, and the row that is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};

use serde_json::value::RawValue;
use tracehouse_storage::json::nulled;
use tracehouse_storage::model::{Assessment, AssessmentKind, SESSION_METADATA, normalize_trace_id};

use crate::error::{Error, Result};
use crate::otlp::time_ns;

/// An assessment to be stored.
///
/// ```
/// let verdict = tracehouse::NewAssessment::feedback("correctness", "false").source("HUMAN", "ana");
/// assert_eq!(verdict.name, "correctness");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewAssessment {
    /// Assessment name.
    pub name: String,
    /// Feedback, expectation or issue.
    pub kind: AssessmentKind,
    /// JSON text.
    pub value: String,
    /// The span it is about, when it is about one.
    pub span_id: Option<String>,
    /// `HUMAN`, `LLM_JUDGE` or `CODE`.
    pub source_type: String,
    /// Who or what judged.
    pub source_id: Option<String>,
    /// Why.
    pub rationale: Option<String>,
    /// Code of the error that kept a scorer from a value.
    pub error_code: Option<String>,
    /// Its message.
    pub error_message: Option<String>,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// The id of an assessment of the same trace that this one overrides.
    pub overrides: Option<String>,
}

impl NewAssessment {
    fn new(
        kind: AssessmentKind,
        source: &str,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            value: value.into(),
            span_id: None,
            source_type: source.into(),
            source_id: None,
            rationale: None,
            error_code: None,
            error_message: None,
            metadata: BTreeMap::new(),
            overrides: None,
        }
    }

    /// A verdict; `value` is JSON text. Its source is `CODE` unless set.
    pub fn feedback(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(AssessmentKind::Feedback, "CODE", name, value)
    }

    /// The truth the trace should have met; `value` is JSON text. Its source is `HUMAN` unless set.
    pub fn expectation(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(AssessmentKind::Expectation, "HUMAN", name, value)
    }

    /// A reference to an issue; its name is the issue's id, its value the issue's name. Its source is
    /// `LLM_JUDGE` unless set.
    pub fn issue(issue_id: impl Into<String>, issue_name: &str) -> Self {
        let value = serde_json::Value::from(issue_name).to_string();
        Self::new(AssessmentKind::Issue, "LLM_JUDGE", issue_id, value)
    }

    /// Adds a metadata pair.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Makes it one of a whole session: it counts for every trace of it.
    pub fn session(self, session_id: impl Into<String>) -> Self {
        self.metadata(SESSION_METADATA, session_id)
    }

    /// Overrides the assessment of the same trace with this id.
    pub fn overrides(mut self, assessment_id: impl Into<String>) -> Self {
        self.overrides = Some(assessment_id.into());
        self
    }

    /// Sets the error that kept a scorer from a value.
    pub fn error(mut self, code: impl Into<String>, message: impl Into<String>) -> Self {
        self.error_code = Some(code.into());
        self.error_message = Some(message.into());
        self
    }

    /// Sets the source; the type is checked when it is stored.
    pub fn source(mut self, source_type: impl Into<String>, source_id: impl Into<String>) -> Self {
        self.source_type = source_type.into();
        self.source_id = Some(source_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Sets the reason.
    pub fn rationale(mut self, text: impl Into<String>) -> Self {
        self.rationale = Some(text.into());
        self
    }

    /// Makes it one of a span.
    pub fn span_id(mut self, id: impl Into<String>) -> Self {
        self.span_id = Some(id.into());
        self
    }

    /// The row to store.
    pub(crate) fn into_row(
        self,
        trace_id: &str,
        assessment_id: String,
        now_ns: i64,
    ) -> Result<Assessment> {
        if self.name.is_empty() {
            return Err(Error::invalid_input("the assessment name is empty"));
        }
        let value = checked_value(&self.name, self.kind, &self.value)?;
        Ok(Assessment {
            assessment_id,
            trace_id: normalize_trace_id(trace_id),
            span_id: self.span_id,
            name: self.name,
            kind: self.kind,
            value,
            source_type: source_type(&self.source_type)?.to_string(),
            source_id: self.source_id,
            rationale: self.rationale,
            error_code: self.error_code,
            error_message: self.error_message,
            metadata: self.metadata,
            overrides: self.overrides,
            valid: true,
            created_at_ns: now_ns,
            updated_at_ns: now_ns,
        })
    }
}

/// The JSON text of a value, without spaces around it.
pub(crate) fn checked_value(name: &str, kind: AssessmentKind, value: &str) -> Result<String> {
    let value = serde_json::from_str::<&RawValue>(value)
        .map_err(|e| Error::invalid_input(format!("the value of {name} is not JSON: {e}")))?;
    if kind == AssessmentKind::Expectation && value.get() == "null" {
        return Err(Error::invalid_input(format!(
            "the expectation {name} is null: it needs a value"
        )));
    }
    Ok(value.get().to_string())
}

/// The stored word of a source type, written in any case; `AI_JUDGE` is MLflow's old name.
fn source_type(word: &str) -> Result<&'static str> {
    match word.to_ascii_uppercase().as_str() {
        "HUMAN" => Ok("HUMAN"),
        "LLM_JUDGE" | "AI_JUDGE" => Ok("LLM_JUDGE"),
        "CODE" => Ok("CODE"),
        "" | "SOURCE_TYPE_UNSPECIFIED" => Ok("SOURCE_TYPE_UNSPECIFIED"),
        _ => Err(Error::invalid_input(format!(
            "source type {word:?}: HUMAN, LLM_JUDGE or CODE expected"
        ))),
    }
}

/// An assessment as a file has it: with its trace, and what products say besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GivenAssessment {
    pub trace_id: String,
    pub assessment: NewAssessment,
    pub assessment_id: Option<String>,
    pub created_at_ns: Option<i64>,
    /// When it was changed; with its creation unless told otherwise.
    pub updated_at_ns: Option<i64>,
    /// False for one that another overrides; `None` when that is not said.
    pub valid: Option<bool>,
}

impl From<Assessment> for GivenAssessment {
    /// All that the row says.
    fn from(row: Assessment) -> Self {
        Self {
            trace_id: row.trace_id,
            assessment: NewAssessment {
                name: row.name,
                kind: row.kind,
                value: row.value,
                span_id: row.span_id,
                source_type: row.source_type,
                source_id: row.source_id,
                rationale: row.rationale,
                error_code: row.error_code,
                error_message: row.error_message,
                metadata: row.metadata,
                overrides: row.overrides,
            },
            assessment_id: Some(row.assessment_id),
            created_at_ns: Some(row.created_at_ns),
            updated_at_ns: Some(row.updated_at_ns),
            valid: Some(row.valid),
        }
    }
}

/// The members of a line, taken out one by one.
struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let fields = serde_json::from_str(text);
        let is_object = text.trim_start().starts_with('{');
        let hint = if is_object {
            ""
        } else {
            ": assessments are JSON lines, an object each"
        };
        Ok(Self(fields.map_err(|e| {
            Error::invalid_input(format!("not an assessment: {e}{hint}"))
        })?))
    }

    /// A member that must be a string where it is not null.
    fn word(&mut self, key: &str) -> Result<Option<String>> {
        let Some(value) = self.0.remove(key) else {
            return Ok(None);
        };
        serde_json::from_str(value.get()).map_err(|_| {
            Error::invalid_input(format!("{key} is {}: a string expected", value.get()))
        })
    }

    /// A member that is an object; `None` when it is absent or something else.
    fn object(&mut self, key: &str) -> Option<Fields<'a>> {
        let fields = serde_json::from_str(self.0.get(key)?.get()).ok()?;
        self.0.remove(key);
        Some(Fields(fields))
    }

    /// The JSON text of the value: as it is, as MLflow sends structure (`serialized_value`), the name of an issue, or
    /// what others call it: a score, else a label.
    fn value(&mut self) -> Result<Option<String>> {
        if let Some(value) = self.0.remove("value") {
            return Ok(Some(value.get().to_string()));
        }
        if let Some(mut serialized) = self.object("serialized_value") {
            serialized.0.remove("serialization_format");
            return serialized.word("value");
        }
        let value = ["issue_name", "score", "label"]
            .into_iter()
            .find(|name| self.0.get(*name).is_some_and(|value| value.get() != "null"));
        Ok(value
            .and_then(|name| self.0.remove(name))
            .map(|value| value.get().to_string()))
    }

    /// Unix nanoseconds of a time, from milliseconds in the member with `_ms` at its end, or RFC 3339, or a number
    /// whose size tells its unit. One that cannot be read stays, to become metadata.
    fn time(&mut self, key: &str) -> Option<i64> {
        let milliseconds = self.parsed::<i64>(&format!("{key}_ms"));
        if let Some(milliseconds) = milliseconds {
            return Some(milliseconds.saturating_mul(1_000_000));
        }
        let time = time_ns(&serde_json::from_str(self.0.get(key)?.get()).ok()?)?;
        self.0.remove(key);
        Some(time)
    }

    /// A member that is not null: a string as it is, anything else as JSON.
    fn text(&mut self, key: &str) -> Option<String> {
        self.0.get(key).filter(|value| value.get() != "null")?;
        Some(text_of(self.0.remove(key)?))
    }

    /// What kept a scorer from a value, as code and message: an object that has them, whose other members are added, or
    /// a text, which is the message.
    fn error(&mut self) -> Option<(Option<String>, Option<String>)> {
        let Some(mut error) = self.object("error") else {
            let message = self.parsed::<String>("error");
            return message
                .filter(|message| !message.is_empty())
                .map(|message| (None, Some(message)));
        };
        let code = error.text("error_code").or_else(|| error.text("code"));
        let message = error
            .text("error_message")
            .or_else(|| error.text("message"));
        self.add(error);
        Some((code, message))
    }

    /// Adds the members of another object; of two with one key the first stays.
    fn add(&mut self, others: Fields<'a>) {
        for (key, value) in others.0 {
            self.0.entry(key).or_insert(value);
        }
    }

    /// A member that reads as a `T`; one that does not stays, to become metadata.
    fn parsed<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = serde_json::from_str(self.0.get(key)?.get()).ok()?;
        self.0.remove(key);
        Some(value)
    }
}

impl GivenAssessment {
    /// The row to store; `now_ns` is the time of one that says none.
    pub(crate) fn into_row(self, assessment_id: String, now_ns: i64) -> Result<Assessment> {
        let created_at_ns = self.created_at_ns.unwrap_or(now_ns);
        let row = self
            .assessment
            .into_row(&self.trace_id, assessment_id, created_at_ns)?;
        let updated_at_ns = self.updated_at_ns.unwrap_or(created_at_ns);
        Ok(Assessment {
            valid: self.valid.unwrap_or(true),
            updated_at_ns,
            ..row
        })
    }
}

/// Reads an assessment in our form (`trace_id, name, value, source, rationale, type, span_id?`) or in
/// MLflow's (`assessment_name`, `source` and `feedback`, `expectation` or `issue` as objects). `of` is the trace of one
/// that does not say it.
pub(crate) fn given_json(text: &str, of: Option<&str>) -> Result<GivenAssessment> {
    let mut fields = Fields::parse(text)?;
    let missing = |key: &str| Error::invalid_input(format!("an assessment needs {key}"));
    let trace_id = fields.word("trace_id")?.or_else(|| of.map(str::to_string));
    let trace_id = trace_id.ok_or_else(|| missing("trace_id"))?;
    let name = match fields.word("name")? {
        Some(name) => name,
        None => fields
            .word("assessment_name")?
            .ok_or_else(|| missing("name"))?,
    };
    let members: Vec<String> = fields.0.keys().cloned().collect();
    let (feedback, expectation) = (fields.object("feedback"), fields.object("expectation"));
    let issue = fields.object("issue");
    let kind = match fields.word("type")?.as_deref() {
        None if expectation.is_some() => AssessmentKind::Expectation,
        None if issue.is_some() => AssessmentKind::Issue,
        None => AssessmentKind::Feedback,
        Some(word) => AssessmentKind::parse(word).ok_or_else(|| unknown_kind(word))?,
    };
    let (value, error) = match feedback.or(expectation).or(issue) {
        Some(mut payload) => {
            let value = payload.value()?;
            let error = payload.error();
            fields.add(payload);
            (value, error)
        }
        None => (fields.value()?, fields.error()),
    };
    // A scorer that failed has an error and no value.
    let value = match (value, &error) {
        (Some(value), _) => value,
        (None, Some(_)) => "null".to_string(),
        (None, None) => return Err(no_value(&name, &members)),
    };
    let mut assessment = NewAssessment::new(kind, default_source(kind), name, value);
    if let Some(mut source) = fields.object("source") {
        let (kind, id) = (source.word("source_type")?, source.word("source_id")?);
        assessment = assessment.source(kind.unwrap_or_default(), id.unwrap_or_default());
    } else if let Some(source) = fields.word("source")? {
        let (kind, id) = source.split_once(':').unwrap_or((&source, ""));
        assessment = assessment.source(kind, id);
    }
    let rationale = fields.word("rationale")?;
    // Phoenix's word, and that of other evaluators.
    assessment.rationale = match rationale {
        None => fields.parsed::<Option<String>>("explanation").flatten(),
        rationale => rationale,
    };
    assessment.span_id = fields.word("span_id")?;
    if let Some(error) = error {
        (assessment.error_code, assessment.error_message) = error;
    }
    assessment.overrides = fields.word("overrides")?;
    let assessment_id = fields.word("assessment_id")?;
    let mut first = |names: &[&str]| names.iter().find_map(|name| fields.time(name));
    let created = first(&["create_time", "created_at", "timestamp"]);
    let updated = first(&["last_update_time", "updated_at"]);
    let valid = fields.parsed::<bool>("valid");
    add_metadata(&mut assessment, fields);
    Ok(GivenAssessment {
        trace_id,
        assessment,
        assessment_id,
        created_at_ns: created,
        updated_at_ns: updated,
        valid,
    })
}

/// Makes those invalid that another one of them overrides, where they do not say whether they are valid.
pub(crate) fn override_unsaid<'g>(given: impl Iterator<Item = &'g mut GivenAssessment>) {
    let mut given: Vec<&mut GivenAssessment> = given.collect();
    let overridden: HashSet<(String, String)> = given
        .iter()
        .filter_map(|one| Some((one.trace_id.clone(), one.assessment.overrides.clone()?)))
        .collect();
    for one in given.iter_mut().filter(|one| one.valid.is_none()) {
        let id = one.assessment_id.clone().unwrap_or_default();
        if overridden.contains(&(one.trace_id.clone(), id)) {
            one.valid = Some(false);
        }
    }
}

fn no_value(name: &str, members: &[String]) -> Error {
    let beside = match members.is_empty() {
        true => String::new(),
        false => format!(", and has {}", members.join(", ")),
    };
    Error::invalid_input(format!(
        "the assessment {name:?} needs value (or score, or label){beside}"
    ))
}

fn unknown_kind(word: &str) -> Error {
    Error::invalid_input(format!(
        "type {word:?}: feedback, expectation or issue expected"
    ))
}

/// The type of the source of an assessment that names none.
fn default_source(kind: AssessmentKind) -> &'static str {
    match kind {
        AssessmentKind::Expectation => "HUMAN",
        AssessmentKind::Feedback => "CODE",
        AssessmentKind::Issue => "LLM_JUDGE",
    }
}

/// Whatever else a line says is kept as metadata: text as it is, anything else as JSON.
fn add_metadata(assessment: &mut NewAssessment, mut fields: Fields<'_>) {
    let metadata = fields
        .object("metadata")
        .map(|metadata| metadata.0)
        .unwrap_or_default();
    let said = fields
        .0
        .into_iter()
        .filter(|(_, value)| value.get() != "null");
    for (key, value) in said.chain(metadata) {
        assessment.metadata.insert(key, text_of(value));
    }
}

/// The text of a JSON string, or the JSON text of another value.
fn text_of(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_string())
}

/// A line of a file of assessments, or why it cannot be kept.
pub(crate) type FileLine = (u64, Result<GivenAssessment>);

/// Reads JSON lines, skipping empty ones.
///
/// # Errors
/// `Io` when the input cannot be read.
pub(crate) fn read_lines<R: Read>(input: R) -> Result<Vec<FileLine>> {
    let mut lines = Vec::new();
    for (number, line) in (1u64..).zip(BufReader::new(input).split(b'\n')) {
        let bytes =
            line.map_err(|e| Error::new(crate::ErrorKind::Io, format!("line {number}: {e}")))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = std::str::from_utf8(&bytes)
            .map_err(|e| Error::invalid_input(format!("not UTF-8: {e}")))
            .and_then(|text| match nulled(text) {
                Some(nulled) => given_json(&nulled, None),
                None => given_json(text, None),
            });
        lines.push((number, parsed));
    }
    override_unsaid(lines.iter_mut().filter_map(|(_, line)| line.as_mut().ok()));
    Ok(lines)
}

/// An id that is the same whenever the same file is read again: a hash of the content and of how
/// often it came before, so that importing a file twice adds nothing.
pub(crate) fn content_id(trace_id: &str, assessment: &NewAssessment, occurrence: usize) -> String {
    let content = format!(
        "{trace_id}\u{0}{}\u{0}{}\u{0}{}\u{0}{:?}\u{0}{}\u{0}{:?}\u{0}{:?}\u{0}{:?}\u{0}{occurrence}",
        assessment.name,
        assessment.kind.as_str(),
        assessment.value,
        assessment.span_id,
        assessment.source_type,
        assessment.source_id,
        assessment.rationale,
        assessment.metadata,
    );
    format!(
        "a-{:032x}",
        twox_hash::XxHash3_128::oneshot(content.as_bytes())
    )
}

/// An id that is told by texts, so that what is stored again under it takes its own place.
pub(crate) fn told_id<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut told = String::new();
    for text in texts {
        // A length before each tells ("ab", "c") from ("a", "bc").
        told.push_str(&format!("{}:{text}", text.len()));
    }
    format!(
        "a-{:032x}",
        twox_hash::XxHash3_128::oneshot(told.as_bytes())
    )
}

/// An id by content, different for each occurrence of the same content in a file.
pub(crate) fn numbered_id(
    seen: &mut HashMap<String, usize>,
    trace_id: &str,
    assessment: &NewAssessment,
) -> String {
    let first = content_id(trace_id, assessment, 0);
    let occurrence = seen.entry(first.clone()).or_insert(0);
    *occurrence += 1;
    if *occurrence == 1 {
        first
    } else {
        content_id(trace_id, assessment, *occurrence - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_line_in_mlflows_form_is_lost() {
        let line = r#"{"trace_id":"t","assessment_name":"tone","assessment_id":"a-2","create_time_ms":5,
            "source":{"source_type":"LLM_JUDGE","source_id":"judge"},"overrides":"a-1","valid":false,
            "metadata":{"mlflow.trace.session":"s","n":1},"more":"text",
            "feedback":{"value":null,"error":{"error_code":"TIMEOUT","error_message":"late","stack_trace":"at"}}}"#;
        let line = given_json(line, None).unwrap();
        let assessment = line.assessment;
        assert_eq!(
            (
                line.created_at_ns,
                line.valid,
                line.assessment_id.as_deref()
            ),
            (Some(5_000_000), Some(false), Some("a-2"))
        );
        assert_eq!(
            (assessment.value.as_str(), assessment.overrides.as_deref()),
            ("null", Some("a-1"))
        );
        assert_eq!(
            (
                assessment.error_code.as_deref(),
                assessment.error_message.as_deref()
            ),
            (Some("TIMEOUT"), Some("late"))
        );
        let pairs = [
            ("mlflow.trace.session", "s"),
            ("more", "text"),
            ("n", "1"),
            ("stack_trace", "at"),
        ];
        assert_eq!(
            assessment.metadata,
            pairs.map(|(key, value)| (key.into(), value.into())).into()
        );
    }

    #[test]
    fn a_line_says_a_value_or_is_refused() {
        let of =
            |members: &str| given_json(&format!(r#"{{"trace_id":"t","name":"n"{members}}}"#), None);
        for (members, value) in [
            (r#","value":null"#, "null"),
            (r#","label":"yes","score":1"#, "1"),
            (r#","label":"yes","score":null"#, "\"yes\""),
            (r#","error":{"error_code":"E"}"#, "null"),
            (r#","type":"issue","issue_name":"late""#, "\"late\""),
        ] {
            assert_eq!(of(members).unwrap().assessment.value, value, "{members}");
        }
        let labelled = of(r#","label":"yes","score":1"#).unwrap().assessment;
        assert_eq!(labelled.metadata["label"], "yes");
        for members in [r#","note":"good","rationale":"r""#, r#","feedback":{}"#] {
            let error = of(members).unwrap_err().to_string();
            assert!(error.contains("needs value"), "{error}");
        }
        let error = of(r#","note":"good""#).unwrap_err().to_string();
        assert!(error.ends_with("and has note"), "{error}");
    }

    #[test]
    fn other_words_for_error_reason_and_time_are_understood() {
        let of = |members: &str| {
            let line = format!(r#"{{"trace_id":"t","name":"n",{members}}}"#);
            read_lines(line.as_bytes()).unwrap().remove(0).1.unwrap()
        };
        for (members, error) in [
            (r#""error":"too slow""#, (None, Some("too slow"))),
            (
                r#""error":{"code":504,"message":"late","host":"h"}"#,
                (Some("504"), Some("late")),
            ),
            (
                r#""feedback":{"error":"none came"}"#,
                (None, Some("none came")),
            ),
            (r#""value":null,"error":"again""#, (None, Some("again"))),
        ] {
            let found = of(members).assessment;
            let both = (found.error_code.as_deref(), found.error_message.as_deref());
            assert_eq!((found.value.as_str(), both), ("null", error), "{members}");
            assert!(!found.metadata.contains_key("error"), "{members}");
        }
        let scored = of(
            r#""score":0.25,"label":"poor","explanation":"too short","timestamp":1767225600500"#,
        );
        assert_eq!(scored.assessment.rationale.as_deref(), Some("too short"));
        assert_eq!(scored.created_at_ns, Some(1_767_225_600_500_000_000));
        let dated = of(
            r#""value":NaN,"created_at":"2026-01-01T00:00:00Z","updated_at":1767225601,"explanation":[1]"#,
        );
        assert_eq!(dated.assessment.value, "null");
        assert_eq!(
            (dated.created_at_ns, dated.updated_at_ns),
            (
                Some(1_767_225_600_000_000_000),
                Some(1_767_225_601_000_000_000)
            )
        );
        assert_eq!(dated.assessment.metadata["explanation"], "[1]");
        assert_eq!(dated.assessment.metadata.len(), 1);
    }

    #[test]
    fn what_is_overridden_is_invalid_unless_it_says_that_it_is_valid() {
        let line = |id: &str, more: &str| {
            let text =
                format!(r#"{{"trace_id":"t","name":"n","value":1,"assessment_id":"{id}"{more}}}"#);
            given_json(&text, None).unwrap()
        };
        let mut all = [
            line("a", ""),
            line("b", r#","valid":true"#),
            line("c", r#","overrides":"a""#),
            line("d", r#","overrides":"b""#),
        ];
        override_unsaid(all.iter_mut());
        assert_eq!(
            all.map(|one| one.valid),
            [Some(false), Some(true), None, None]
        );
    }

    #[test]
    fn members_of_another_type_become_metadata_or_an_error() {
        let line = given_json(
            r#"{"trace_id":"t","name":"n","value":1,"create_time_ms":"soon","metadata":[1]}"#,
            None,
        );
        let line = line.unwrap();
        assert_eq!((line.created_at_ns, line.valid), (None, None));
        let pairs = [("create_time_ms", "soon"), ("metadata", "[1]")];
        assert_eq!(
            line.assessment.metadata,
            pairs.map(|(key, value)| (key.into(), value.into())).into()
        );
        assert!(
            given_json(
                r#"{"trace_id":"t","name":"n","value":1,"rationale":1}"#,
                None
            )
            .is_err()
        );
    }
}

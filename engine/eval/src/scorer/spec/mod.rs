//! The command line's SPEC: one text that says a scorer, or a TOML file of scorers.
//!
//! ```text
//! [NAME=]KIND[:ARGUMENT]     contains:Paris    short=max_words:50    judge:guidelines:polite.md
//! PATH.toml                  one or more tables [[scorer]], see file.rs
//! ```
//!
//! Invariants
//! 1. Everything after the first `:` of a known kind is its argument as it stands; a `=` in it renames nothing.
//! 2. Contents of files are read through the caller and put into the definition.
//! 3. A SPEC that is not understood names the known forms, and the nearest kind when one is near.

mod arguments;
mod file;
mod nearest;

use super::definition::{Definition, JudgeWord};
use super::error::SpecError;
use arguments::Arguments;
use nearest::nearest;

/// Reads a file by name; the error says why it cannot.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The forms of a SPEC, one per kind.
pub const SPEC_FORMS: [&str; 18] = [
    "exact_match",
    "contains[:TEXT]",
    "regex:RE",
    "json_valid",
    "json_schema:FILE",
    "max_words:N",
    "numeric:TOLERANCE",
    "token_f1[:THRESHOLD]",
    "rouge_l[:THRESHOLD]",
    "tool_calls",
    "latency_ms:N",
    "tokens:N",
    "cost_usd:X",
    "citation",
    "forbidden:FILE",
    "sql:EXPR",
    "judge:guidelines:FILE or judge:custom:FILE",
    "judge:correctness|groundedness|safety|relevance",
];

/// The scorers that a SPEC says: one, or as many as a TOML file has. `read` reads a file by its name.
///
/// ```
/// use tracehouse_eval::scorer::parse_spec;
///
/// let no_files = |name: &str| Err(format!("no file {name}"));
/// let definitions = parse_spec("says_paris=contains:Paris", &no_files).unwrap();
/// assert_eq!(definitions[0].name(), "says_paris");
/// let error = parse_spec("contain:Paris", &no_files).unwrap_err();
/// assert!(error.to_string().contains("did you mean `contains`?"));
/// ```
///
/// # Errors
/// When the SPEC is not understood, a file cannot be read, or settings are wrong.
pub fn parse_spec(
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Vec<Definition>, SpecError> {
    let (name, spec) = split_name(text.trim_start());
    let (kind, argument) = match spec.split_once(':') {
        Some((kind, argument)) => (kind, Some(argument)),
        None => (spec.trim_end(), None),
    };
    let arguments = Arguments { argument, read };
    let definitions = match arguments.body(kind) {
        Some(body) => vec![body.and_then(Definition::new).map_err(|e| e.of(spec))?],
        None if spec.trim_end().ends_with(".toml") => file::parse(spec.trim_end(), read)?,
        None if spec.trim().is_empty() => {
            let message = format!("a scorer is empty; {}", known_forms());
            return Err(SpecError::new(message));
        }
        None => return Err(unknown_kind(kind)),
    };
    match (name, definitions) {
        (None, definitions) => Ok(definitions),
        (Some(name), mut definitions) if definitions.len() == 1 => definitions
            .drain(..)
            .map(|definition| definition.named(name))
            .collect(),
        (Some(name), definitions) => Err(SpecError::new(format!(
            "`{name}=` names one scorer, but {spec} has {}; name them in the file",
            definitions.len()
        ))),
    }
}

/// `NAME=` before the kind, where NAME has letters, digits, `_`, `-`, `.` only, so that a path or a kind with an argument
/// is never cut.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, rest))
            if !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) =>
        {
            (Some(name), rest)
        }
        _ => (None, text),
    }
}

fn known_forms() -> String {
    format!(
        "known are {}, and a TOML file of such (PATH.toml)",
        SPEC_FORMS.join(", ")
    )
}

/// The error for a kind that is not known.
pub(super) fn unknown_kind(kind: &str) -> SpecError {
    let kinds = super::Rule::KINDS.iter().copied().chain(["sql", "judge"]);
    let judges = JudgeWord::ALL.map(JudgeWord::word);
    let near = match nearest(kind, kinds) {
        Some(near) => format!("did you mean `{near}`? "),
        None => match nearest(kind, judges.into_iter()) {
            Some(near) => format!("did you mean `judge:{near}`? "),
            None => String::new(),
        },
    };
    SpecError::new(format!("unknown scorer `{kind}`; {near}{}", known_forms()))
}

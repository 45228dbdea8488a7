//! Which names, aliases and tags the registry takes: MLflow's rules.
//!
//! **Invariant** what is accepted here is accepted by MLflow's registry, except letters of scripts that carry their
//! vowels as marks (Hindi, Thai), which only Python's `\w` does not know as part of a word.

use super::error::PromptError;

/// The most characters of a prompt's name (MLflow's column).
pub const NAME_CHARACTERS_MAX: usize = 256;
/// The most characters of an alias (MLflow's rule).
pub const ALIAS_CHARACTERS_MAX: usize = 255;
/// The most characters of a tag's key (MLflow's rule).
pub const TAG_KEY_CHARACTERS_MAX: usize = 250;
/// The most characters of a tag's value (MLflow's rule).
pub const TAG_VALUE_CHARACTERS_MAX: usize = 100_000;

/// Tags in which MLflow keeps a prompt's own fields.
const RESERVED_TAG_KEYS: [&str; 5] = [
    "mlflow.prompt.is_prompt",
    "mlflow.prompt.text",
    "_mlflow_prompt_type",
    "_mlflow_prompt_response_format",
    "_mlflow_prompt_model_config",
];

/// Checks a prompt's name: letters and digits of ASCII, `_`, `-` and `.`, not `.` alone, not starting with `..`.
///
/// # Errors
/// [`InvalidInput`](super::PromptErrorKind::InvalidInput) with what a name may hold.
pub fn check_name(name: &str) -> Result<(), PromptError> {
    let rule = "a name has only ASCII letters, digits, '_', '-' and '.', as in support-answer.v2";
    if name.is_empty() {
        return Err(PromptError::invalid(format!(
            "prompt name is empty: {rule}"
        )));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(bad) = name.chars().find(|&c| !allowed(c)) {
        return Err(PromptError::invalid(format!(
            "prompt name {name:?} has {bad:?}: {rule}"
        )));
    }
    if name == "." || name.starts_with("..") {
        return Err(PromptError::invalid(format!(
            "prompt name {name:?} reads as a path: a name is not '.' and does not start with '..'"
        )));
    }
    check_length("prompt name", name, NAME_CHARACTERS_MAX)
}

/// Checks an alias: letters, digits, `_` and `-`; `latest` and `v3` are reserved, in any case.
///
/// # Errors
/// [`InvalidInput`](super::PromptErrorKind::InvalidInput) with what an alias may hold.
pub fn check_alias(alias: &str) -> Result<(), PromptError> {
    if alias.is_empty() {
        return Err(PromptError::invalid(
            "alias is empty: an alias has letters, digits, '_' and '-', as in production",
        ));
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if let Some(bad) = alias.chars().find(|&c| !allowed(c)) {
        return Err(PromptError::invalid(format!(
            "alias {alias:?} has {bad:?}: an alias has only letters, digits, '_' and '-'"
        )));
    }
    if alias.to_lowercase() == "latest" {
        return Err(PromptError::invalid(format!(
            "alias {alias:?} is reserved: it always names the newest version; choose another alias"
        )));
    }
    if let Some(digits) = version_digits(alias) {
        return Err(PromptError::invalid(format!(
            "alias {alias:?} is reserved because it reads as a version: name version {digits} by its number, \
             or choose another alias"
        )));
    }
    check_length("alias", alias, ALIAS_CHARACTERS_MAX)
}

/// The digits of an alias of the form `v12`.
fn version_digits(alias: &str) -> Option<&str> {
    let digits = alias.strip_prefix(['v', 'V'])?;
    (!digits.is_empty() && digits.chars().all(char::is_numeric)).then_some(digits)
}

/// Checks the key and the value of a tag.
///
/// # Errors
/// As [`check_tag_key`], and when the value is longer than [`TAG_VALUE_CHARACTERS_MAX`].
pub fn check_tag(key: &str, value: &str) -> Result<(), PromptError> {
    check_tag_key(key)?;
    check_length(
        &format!("value of tag {key:?}"),
        value,
        TAG_VALUE_CHARACTERS_MAX,
    )
}

/// Checks a tag's key: letters, digits, `_`, `-`, `.`, `:`, `/` and spaces, in the shortest form of a path, and none
/// of the keys in which MLflow keeps a prompt's own fields.
///
/// # Errors
/// [`InvalidInput`](super::PromptErrorKind::InvalidInput) with what a key may hold.
pub fn check_tag_key(key: &str) -> Result<(), PromptError> {
    let rule = "a key has only letters, digits, '_', '-', '.', ':', '/' and spaces";
    if key.is_empty() {
        return Err(PromptError::invalid(format!("tag key is empty: {rule}")));
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | ' ');
    if let Some(bad) = key.chars().find(|&c| !allowed(c)) {
        return Err(PromptError::invalid(format!(
            "tag key {key:?} has {bad:?}: {rule}"
        )));
    }
    let is_plain = key.split('/').all(|step| !matches!(step, "" | "." | ".."));
    if !is_plain || key.starts_with("..") {
        return Err(PromptError::invalid(format!(
            "tag key {key:?} is not the shortest form of a path: it has no '/' at an end, no '//', no step '.' or '..'"
        )));
    }
    if RESERVED_TAG_KEYS.contains(&key) {
        return Err(PromptError::invalid(format!(
            "tag key {key:?} is reserved for the prompt's own fields: choose another key"
        )));
    }
    check_length("tag key", key, TAG_KEY_CHARACTERS_MAX)
}

fn check_length(what: &str, text: &str, characters_max: usize) -> Result<(), PromptError> {
    let characters = text.chars().count();
    if characters > characters_max {
        return Err(PromptError::invalid(format!(
            "{what} has {characters} characters: at most {characters_max} are allowed"
        )));
    }
    Ok(())
}

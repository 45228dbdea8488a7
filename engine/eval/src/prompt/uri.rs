//! `prompts:/name/3`, `prompts:/name@production`, `prompts:/name@latest` and `prompts:/name`.
//!
//! **Invariant** what [`Display`](fmt::Display) writes parses back to the same URI.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::PromptError;
use super::names::{check_alias, check_name};

const SCHEME: &str = "prompts:/";

/// Names one version of a prompt.
///
/// ```
/// use tracehouse_eval::prompt::{PromptUri, Reference};
///
/// let uri: PromptUri = "prompts:/support-answer@production".parse()?;
/// assert_eq!(uri.name(), "support-answer");
/// assert_eq!(uri.reference(), &Reference::Alias("production".into()));
/// assert_eq!("prompts:/support-answer".parse::<PromptUri>()?.to_string(), "prompts:/support-answer@latest");
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromptUri {
    name: String,
    reference: Reference,
}

/// Which version of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By its number, from 1.
    Version(u32),
    /// The version that an alias names.
    Alias(String),
    /// The version with the highest number.
    Latest,
}

impl PromptUri {
    /// A URI of checked parts.
    ///
    /// # Errors
    /// When the name or the alias is not one, or the version is 0.
    pub fn new(name: impl Into<String>, reference: Reference) -> Result<Self, PromptError> {
        let name = name.into();
        check_name(&name)?;
        match &reference {
            Reference::Alias(alias) => check_alias(alias)?,
            Reference::Version(0) => {
                return Err(PromptError::invalid(format!(
                    "version 0 of prompt {name:?}: versions are counted from 1"
                )));
            }
            Reference::Version(_) | Reference::Latest => {}
        }
        Ok(Self { name, reference })
    }

    /// The prompt's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which version.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for PromptUri {
    type Err = PromptError;

    fn from_str(text: &str) -> Result<Self, PromptError> {
        let wrong = |why: &str| {
            PromptError::invalid(format!(
                "prompt URI {text:?} {why}: write prompts:/NAME/VERSION, prompts:/NAME@ALIAS or prompts:/NAME"
            ))
        };
        let path = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong("does not start with prompts:/"))?;
        if path.starts_with('/') {
            return Err(wrong("has more than one '/' after 'prompts:'"));
        }
        if let Some((name, alias)) = path.split_once('@') {
            if name.contains('/') {
                return Err(wrong("has both a version and an alias"));
            }
            return match alias {
                "" => Err(wrong("has no alias after '@'")),
                alias if alias.to_lowercase() == "latest" => Self::new(name, Reference::Latest),
                alias => Self::new(name, Reference::Alias(alias.to_owned())),
            };
        }
        let Some((name, version)) = path.split_once('/') else {
            return Self::new(path, Reference::Latest);
        };
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong(&format!(
                "has {version:?} for a version, not a number"
            )));
        }
        let version = version
            .parse()
            .map_err(|_| wrong(&format!("has a version above {}", u32::MAX)))?;
        Self::new(name, Reference::Version(version))
    }
}

impl fmt::Display for PromptUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.name)?;
        match &self.reference {
            Reference::Version(version) => write!(f, "/{version}"),
            Reference::Alias(alias) => write!(f, "@{alias}"),
            Reference::Latest => f.write_str("@latest"),
        }
    }
}

impl TryFrom<String> for PromptUri {
    type Error = PromptError;

    fn try_from(text: String) -> Result<Self, PromptError> {
        text.parse()
    }
}

impl From<PromptUri> for String {
    fn from(uri: PromptUri) -> Self {
        uri.to_string()
    }
}

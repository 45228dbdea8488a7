//! One version of a prompt, and what is given to make one.
//!
//! **Invariant** of a version only tags and aliases change, and aliases only by [`Prompt`](super::Prompt).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::content::PromptContent;
use super::error::PromptError;
use super::names::{check_tag, check_tag_key};
use super::uri::{PromptUri, Reference};

/// The most characters of a commit message (MLflow's column).
const COMMIT_MESSAGE_CHARACTERS_MAX: usize = 5000;

/// What is registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewVersion {
    /// Template, response format and model configuration.
    #[serde(flatten)]
    pub content: PromptContent,
    /// Why this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_message: Option<String>,
    /// Tags of the version; as in MLflow they are written to the prompt as well.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl NewVersion {
    /// A version of a content, without message or tags.
    pub fn new(content: PromptContent) -> Self {
        Self {
            content,
            commit_message: None,
            tags: BTreeMap::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), PromptError> {
        for (key, value) in &self.tags {
            check_tag(key, value)?;
        }
        let characters = self
            .commit_message
            .as_deref()
            .map_or(0, |m| m.chars().count());
        if characters > COMMIT_MESSAGE_CHARACTERS_MAX {
            return Err(PromptError::invalid(format!(
                "commit message has {characters} characters: at most {COMMIT_MESSAGE_CHARACTERS_MAX} are allowed"
            )));
        }
        Ok(())
    }
}

/// One version of a prompt. As JSON: `name`, `version`, `type`, `template`, `response_format`, `model_config`, ...
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptVersion {
    /// The prompt's name.
    pub name: String,
    /// Its number, from 1.
    pub version: u32,
    /// Template, response format and model configuration.
    #[serde(flatten)]
    pub content: PromptContent,
    /// Why this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_message: Option<String>,
    /// The version's own tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The aliases that name it, sorted: a copy for readers. [`Prompt::aliases`](super::Prompt::aliases) decides.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// When it was registered, in nanoseconds since 1970.
    pub created_at_ns: i64,
}

impl PromptVersion {
    /// `prompts:/name/version`.
    ///
    /// # Errors
    /// When the name is none that the registry takes, as one that was not made by the rules of this module may be.
    pub fn uri(&self) -> Result<PromptUri, PromptError> {
        PromptUri::new(self.name.as_str(), Reference::Version(self.version))
    }

    /// Sets a tag; gives the value that it had.
    ///
    /// # Errors
    /// When the key or the value is not one for a tag. Then nothing changes.
    pub fn set_tag(&mut self, key: &str, value: &str) -> Result<Option<String>, PromptError> {
        check_tag(key, value)?;
        Ok(self.tags.insert(key.to_owned(), value.to_owned()))
    }

    /// Removes a tag; gives the value that it had, none when there was no such tag.
    ///
    /// # Errors
    /// When the key is not one for a tag.
    pub fn delete_tag(&mut self, key: &str) -> Result<Option<String>, PromptError> {
        check_tag_key(key)?;
        Ok(self.tags.remove(key))
    }
}

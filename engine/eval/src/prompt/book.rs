//! All prompts by name: the state over which the registry's rules run.
//!
//! It holds no template, so it is small; who keeps versions keeps what [`PromptBook::register`] returns.
//!
//! **Invariant** a call that returns an error changed nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Prompt;
use super::error::PromptError;
use super::uri::PromptUri;
use super::version::{NewVersion, PromptVersion};

/// The prompts of a registry.
///
/// ```
/// use tracehouse_eval::prompt::{NewVersion, PromptBook, PromptContent};
///
/// let mut book = PromptBook::default();
/// let content = PromptContent::parse("Answer {{question}}")?;
/// let first = book.register("answer", NewVersion::new(content.clone()), 1_000)?;
/// let second = book.register("answer", NewVersion::new(content), 2_000)?;
/// assert_eq!((first.version, second.version), (1, 2));
///
/// book.prompt_mut("answer")?.set_alias("production", 1)?;
/// assert_eq!(book.resolve(&"prompts:/answer@production".parse()?)?, 1);
/// assert_eq!(book.resolve(&"prompts:/answer".parse()?)?, 2);
/// # Ok::<(), tracehouse_eval::prompt::PromptError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptBook {
    prompts: BTreeMap<String, Prompt>,
}

impl PromptBook {
    /// The prompts, by name.
    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.values()
    }

    /// Registers a version, and the prompt when it is the first. Tags go to the version and to the prompt.
    ///
    /// # Errors
    /// As [`Prompt::register`].
    pub fn register(
        &mut self,
        name: &str,
        new: NewVersion,
        now_ns: i64,
    ) -> Result<PromptVersion, PromptError> {
        let (prompt, version) = Prompt::register(self.prompts.get(name), name, new, now_ns)?;
        self.prompts.insert(name.to_owned(), prompt);
        Ok(version)
    }

    /// A prompt.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn prompt(&self, name: &str) -> Result<&Prompt, PromptError> {
        self.prompts.get(name).ok_or_else(|| missing(name))
    }

    /// A prompt, to change its aliases, tags and versions.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn prompt_mut(&mut self, name: &str) -> Result<&mut Prompt, PromptError> {
        self.prompts.get_mut(name).ok_or_else(|| missing(name))
    }

    /// The number of the version that a URI names.
    ///
    /// # Errors
    /// `NotFound` when there is no such prompt, version or alias.
    pub fn resolve(&self, uri: &PromptUri) -> Result<u32, PromptError> {
        self.prompt(uri.name())?.resolve(uri.reference())
    }

    /// Deletes a prompt with its versions, aliases and tags. A prompt that is registered by this name later begins at
    /// version 1, as in MLflow.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn delete_prompt(&mut self, name: &str) -> Result<Prompt, PromptError> {
        self.prompts.remove(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> PromptError {
    PromptError::not_found(format!(
        "there is no prompt {name:?}: register a first version of it, or list the prompts that there are"
    ))
}

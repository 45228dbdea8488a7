//! One prompt: which versions it has, which aliases name them, its tags. Every rule of the registry is decided here,
//! without the templates.
//!
//! **Invariants**
//! 1. `last_version` is at least every number in `versions` and never falls: a number is given once.
//! 2. Every alias names a number in `versions`.
//! 3. A call that returns an error changed nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::PromptError;
use super::names::{check_alias, check_name, check_tag, check_tag_key};
use super::uri::Reference;
use super::version::{NewVersion, PromptVersion};

/// A prompt without the contents of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// Its own tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When its first version was registered, in nanoseconds since 1970.
    pub created_at_ns: i64,
    /// The highest number ever given; its version may be deleted.
    pub last_version: u32,
    /// The versions that exist.
    pub versions: BTreeSet<u32>,
    /// Which version each alias names.
    #[serde(default)]
    pub aliases: BTreeMap<String, u32>,
}

impl Prompt {
    /// Registers a version: the next number, also when a version of the same content exists. `current` is the prompt
    /// of this name, if there is one.
    ///
    /// # Errors
    /// When the name, a tag or the message is not one that the registry takes.
    pub fn register(
        current: Option<&Self>,
        name: &str,
        new: NewVersion,
        now_ns: i64,
    ) -> Result<(Self, PromptVersion), PromptError> {
        check_name(name)?;
        new.check()?;
        let mut prompt = current
            .cloned()
            .unwrap_or_else(|| Self::without_versions(name, now_ns));
        if prompt.name != name {
            return Err(PromptError::invalid(format!(
                "a version of {name:?} cannot be registered in prompt {:?}",
                prompt.name
            )));
        }
        let version = prompt.last_version.checked_add(1).ok_or_else(|| {
            PromptError::invalid(format!("prompt {name:?} has no version number left"))
        })?;
        prompt.last_version = version;
        prompt.versions.insert(version);
        prompt.tags.extend(new.tags.clone());
        let made = PromptVersion {
            name: name.to_owned(),
            version,
            content: new.content,
            commit_message: new.commit_message,
            tags: new.tags,
            aliases: Vec::new(),
            created_at_ns: now_ns,
        };
        Ok((prompt, made))
    }

    fn without_versions(name: &str, created_at_ns: i64) -> Self {
        Self {
            name: name.to_owned(),
            tags: BTreeMap::new(),
            created_at_ns,
            last_version: 0,
            versions: BTreeSet::new(),
            aliases: BTreeMap::new(),
        }
    }

    /// The highest number of the versions that exist.
    pub fn latest_version(&self) -> Option<u32> {
        self.versions.last().copied()
    }

    /// The aliases of a version, sorted.
    pub fn aliases_of(&self, version: u32) -> Vec<String> {
        let named = self.aliases.iter().filter(|entry| *entry.1 == version);
        named.map(|(alias, _)| alias.clone()).collect()
    }

    /// The number that a reference stands for.
    ///
    /// # Errors
    /// `NotFound` with the versions or aliases that there are.
    pub fn resolve(&self, reference: &Reference) -> Result<u32, PromptError> {
        match reference {
            Reference::Version(version) => {
                self.check_version(*version)?;
                Ok(*version)
            }
            Reference::Alias(alias) => {
                check_alias(alias)?;
                self.aliases.get(alias).copied().ok_or_else(|| {
                    let known: Vec<&str> = self.aliases.keys().map(String::as_str).collect();
                    let known = if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    };
                    PromptError::not_found(format!(
                        "prompt {:?} has no alias {alias:?}: its aliases are {known}",
                        self.name
                    ))
                })
            }
            Reference::Latest => self.latest_version().ok_or_else(|| {
                PromptError::not_found(format!(
                    "prompt {:?} has no version: all were deleted",
                    self.name
                ))
            }),
        }
    }

    /// Lets an alias name a version, and no longer the one that it named; gives that one.
    ///
    /// # Errors
    /// When the alias is not one, or the version does not exist.
    pub fn set_alias(&mut self, alias: &str, version: u32) -> Result<Option<u32>, PromptError> {
        check_alias(alias)?;
        self.check_version(version)?;
        Ok(self.aliases.insert(alias.to_owned(), version))
    }

    /// Removes an alias; gives the version that it named, none when there was no such alias.
    ///
    /// # Errors
    /// When the alias is not one.
    pub fn delete_alias(&mut self, alias: &str) -> Result<Option<u32>, PromptError> {
        check_alias(alias)?;
        Ok(self.aliases.remove(alias))
    }

    /// Deletes a version and the aliases that name it; gives those aliases. Its number is not given again.
    ///
    /// # Errors
    /// When the version does not exist.
    pub fn delete_version(&mut self, version: u32) -> Result<Vec<String>, PromptError> {
        self.check_version(version)?;
        let gone = self.aliases_of(version);
        self.aliases.retain(|_, named| *named != version);
        self.versions.remove(&version);
        Ok(gone)
    }

    /// Sets a tag of the prompt; gives the value that it had.
    ///
    /// # Errors
    /// When the key or the value is not one for a tag.
    pub fn set_tag(&mut self, key: &str, value: &str) -> Result<Option<String>, PromptError> {
        check_tag(key, value)?;
        Ok(self.tags.insert(key.to_owned(), value.to_owned()))
    }

    /// Removes a tag of the prompt; gives the value that it had, none when there was no such tag.
    ///
    /// # Errors
    /// When the key is not one for a tag.
    pub fn delete_tag(&mut self, key: &str) -> Result<Option<String>, PromptError> {
        check_tag_key(key)?;
        Ok(self.tags.remove(key))
    }

    fn check_version(&self, version: u32) -> Result<(), PromptError> {
        if self.versions.contains(&version) {
            return Ok(());
        }
        let was = if version > 0 && version <= self.last_version {
            " any more"
        } else {
            ""
        };
        let latest = match self.latest_version() {
            Some(latest) => format!("its newest is {latest}"),
            None => "all its versions were deleted".to_owned(),
        };
        Err(PromptError::not_found(format!(
            "prompt {:?} has no version {version}{was}: {latest}",
            self.name
        )))
    }
}

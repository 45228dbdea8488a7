//! Prompts: versioned templates, kept in the catalogue. The rules are `tracehouse_eval::prompt`'s; here is where they
//! are stored, and what traces say of them.
//!
//! A prompt is one file: its description has names, aliases and tags, its rows are the versions. A change writes the
//! file anew, and replaces the one before in one commit.
//!
//! Invariants:
//! * PR-1 the content of a version never changes, and its number is not given again;
//! * PR-2 changes are made one after the other (the catalogue's lock), each on the newest state.

mod links;
mod stats;
#[cfg(feature = "sql")]
mod table;
#[cfg(all(test, feature = "sql"))]
mod tests;

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tracehouse_eval::prompt::{
    NewVersion, Prompt, PromptError, PromptErrorKind, PromptUri, PromptVersion,
};
use tracehouse_storage::columns::text;
use tracehouse_storage::manifest::CatalogFile;

use crate::catalog_entry::{Entry, described, entries};
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

pub use stats::PromptStats;
#[cfg(feature = "sql")]
pub(crate) use table::{links_batch, prompts_batch, versions_batch};

impl Entry for Prompt {
    const KIND: &'static str = "prompt";
}

impl From<PromptError> for Error {
    fn from(error: PromptError) -> Self {
        let kind = match error.kind {
            PromptErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, error.message)
    }
}

impl Database {
    /// Stores the next version of a prompt, which is made if there is none of the name.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::eval::prompt::{NewVersion, PromptContent};
    /// let content = PromptContent::parse("Answer in one sentence: {{question}}")?;
    /// let first = db.register_prompt("answer", NewVersion::new(content))?;
    /// db.set_prompt_alias("answer", "production", first.version)?;
    /// let loaded = db.load_prompt("prompts:/answer@production")?;
    /// assert_eq!((loaded.version, loaded.content), (1, first.content));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a name or tag that the rules refuse, `Io` or `Closed` from writing.
    pub fn register_prompt(&self, name: &str, new: NewVersion) -> Result<PromptVersion> {
        let now_ns = self.store().env().now_ns();
        let _changes = self.catalog().lock_changes();
        let (before, file) = match self.find_prompt(name)? {
            Some((prompt, file)) => (Some(prompt), Some(file)),
            None => (None, None),
        };
        let mut versions = match &file {
            Some(file) => self.versions_in(file)?,
            None => Vec::new(),
        };
        let (prompt, version) = Prompt::register(before.as_ref(), name, new, now_ns)?;
        versions.push(version.clone());
        self.replace_prompt(&prompt, &versions, file)?;
        Ok(version)
    }

    /// All prompts by name.
    ///
    /// # Errors
    /// `Corrupt` when the manifest describes one that cannot be read.
    pub fn prompts(&self) -> Result<Vec<Prompt>> {
        let found = entries::<Prompt>(self.reading()?.catalog())?;
        let mut prompts: Vec<Prompt> = found.into_iter().map(|(prompt, _)| prompt).collect();
        prompts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(prompts)
    }

    /// The version that `prompts:/name/3`, `prompts:/name@alias` or `prompts:/name@latest` names.
    ///
    /// # Errors
    /// `InvalidInput` for another text, `NotFound` when there is none.
    pub fn load_prompt(&self, uri: &str) -> Result<PromptVersion> {
        let uri: PromptUri = uri.parse().map_err(Error::from)?;
        let (prompt, file) = self.known_prompt(uri.name())?;
        let number = prompt.resolve(uri.reference())?;
        let versions = self.versions_in(&file)?.into_iter();
        let mut found = versions.filter(|version| version.version == number);
        let mut version = found.next().ok_or_else(|| {
            Error::internal(format!("prompt {} lacks its version {number}", prompt.name))
        })?;
        version.aliases = prompt.aliases_of(number);
        Ok(version)
    }

    /// The versions of a prompt, the first one first.
    ///
    /// # Errors
    /// `NotFound` when there is no such prompt.
    pub fn prompt_versions(&self, name: &str) -> Result<Vec<PromptVersion>> {
        let (prompt, file) = self.known_prompt(name)?;
        let mut versions = self.versions_in(&file)?;
        for version in &mut versions {
            version.aliases = prompt.aliases_of(version.version);
        }
        Ok(versions)
    }

    /// Lets an alias name a version, and none that it named before.
    ///
    /// # Errors
    /// `NotFound` when there is no such version, `InvalidInput` for a text that is no alias.
    pub fn set_prompt_alias(&self, name: &str, alias: &str, version: u32) -> Result<()> {
        self.change_prompt(name, |prompt, _| {
            prompt.set_alias(alias, version)?;
            Ok(())
        })
    }

    /// Takes an alias away; one that is not there is no error.
    ///
    /// # Errors
    /// `NotFound` when there is no such prompt.
    pub fn delete_prompt_alias(&self, name: &str, alias: &str) -> Result<()> {
        self.change_prompt(name, |prompt, _| {
            prompt.delete_alias(alias)?;
            Ok(())
        })
    }

    /// Sets a tag of a prompt.
    ///
    /// # Errors
    /// `NotFound` when there is no such prompt, `InvalidInput` for a tag that the rules refuse.
    pub fn set_prompt_tag(&self, name: &str, key: &str, value: &str) -> Result<()> {
        self.change_prompt(name, |prompt, _| {
            prompt.set_tag(key, value)?;
            Ok(())
        })
    }

    /// Takes a tag of a prompt away.
    ///
    /// # Errors
    /// As [`set_prompt_tag`](Self::set_prompt_tag).
    pub fn delete_prompt_tag(&self, name: &str, key: &str) -> Result<()> {
        self.change_prompt(name, |prompt, _| {
            prompt.delete_tag(key)?;
            Ok(())
        })
    }

    /// Deletes a version; aliases that name it go.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub fn delete_prompt_version(&self, name: &str, version: u32) -> Result<()> {
        self.change_prompt(name, |prompt, versions| {
            prompt.delete_version(version)?;
            versions.retain(|one| one.version != version);
            Ok(())
        })
    }

    /// Deletes a prompt with all its versions.
    ///
    /// # Errors
    /// `NotFound` when there is no such prompt.
    pub fn delete_prompt(&self, name: &str) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let (_, file) = self.known_prompt(name)?;
        Ok(self.store().commit_catalog(Vec::new(), vec![file.name])?)
    }

    fn change_prompt(
        &self,
        name: &str,
        change: impl FnOnce(&mut Prompt, &mut Vec<PromptVersion>) -> Result<()>,
    ) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let (mut prompt, file) = self.known_prompt(name)?;
        let mut versions = self.versions_in(&file)?;
        change(&mut prompt, &mut versions)?;
        self.replace_prompt(&prompt, &versions, Some(file))
    }

    /// Writes a prompt's file in the place of the one before. The catalogue's lock is held.
    fn replace_prompt(
        &self,
        prompt: &Prompt,
        versions: &[PromptVersion],
        before: Option<CatalogFile>,
    ) -> Result<()> {
        debug_assert_eq!(prompt.versions.len(), versions.len(), "a version is a row");
        let file = self
            .store()
            .write_catalog_file(&rows_of(versions)?, described(prompt)?)?;
        let before = before.into_iter().map(|file| file.name).collect();
        Ok(self.store().commit_catalog(vec![file], before)?)
    }

    fn find_prompt(&self, name: &str) -> Result<Option<(Prompt, CatalogFile)>> {
        let mut found = entries::<Prompt>(self.reading()?.catalog())?.into_iter();
        Ok(found.find(|(prompt, _)| prompt.name == name))
    }

    fn known_prompt(&self, name: &str) -> Result<(Prompt, CatalogFile)> {
        self.find_prompt(name)?
            .ok_or_else(|| Error::not_found(format!("prompt {name:?} not found")))
    }

    fn versions_in(&self, file: &CatalogFile) -> Result<Vec<PromptVersion>> {
        let mut versions = Vec::new();
        for batch in self.store().read_catalog_file(file, &ROWS)? {
            for version in text(&batch, "version")?.iter().flatten() {
                versions.push(serde_json::from_str(version).map_err(|error| {
                    Error::new(
                        ErrorKind::Corrupt,
                        format!("catalog/{}: a version of a prompt: {error}", file.name),
                    )
                })?);
            }
        }
        Ok(versions)
    }
}

/// The columns of a prompt's file: a version as JSON text.
static ROWS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let version = Field::new("version", DataType::Utf8View, false);
    Arc::new(Schema::new(vec![version]))
});

fn rows_of(versions: &[PromptVersion]) -> Result<RecordBatch> {
    let texts: std::result::Result<Vec<String>, _> =
        versions.iter().map(serde_json::to_string).collect();
    let texts = texts.map_err(|error| Error::internal(format!("a prompt as JSON: {error}")))?;
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
    Ok(RecordBatch::try_new(ROWS.clone(), vec![column])?)
}

//! The datasets of a database: created, found, listed, deleted.

use std::collections::{BTreeMap, HashSet};

use tracehouse_query::filter::nearest;

use super::handle::Dataset;
use super::info::{DatasetInfo, newest};
use super::merge::SourceRule;
use super::record::{Record, records_batch};
use super::schema::RecordTypes;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// The longest name of a dataset, in characters.
const NAME_CHARS_MAX: usize = 255;

/// A dataset to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDataset {
    /// Unique in the database.
    pub name: String,
    /// The experiments it belongs to.
    pub experiment_ids: Vec<String>,
    /// Mutable labels.
    pub tags: BTreeMap<String, String>,
}

impl NewDataset {
    /// A dataset of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Puts it into an experiment.
    pub fn experiment_id(mut self, id: impl Into<String>) -> Self {
        self.experiment_ids.push(id.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl Database {
    /// Creates an empty dataset.
    ///
    /// # Errors
    /// `Conflict` when the name is taken, `InvalidInput` for an empty or overlong name.
    pub fn create_dataset(&self, name: &str) -> Result<Dataset> {
        self.create_dataset_with(NewDataset::new(name))
    }

    /// Adds experiments and tags.
    ///
    /// # Errors
    /// As [`Database::create_dataset`].
    pub fn create_dataset_with(&self, new: NewDataset) -> Result<Dataset> {
        self.start_dataset(new, Vec::new(), None)
    }

    /// A dataset by name.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn dataset(&self, name: &str) -> Result<Dataset> {
        self.find_dataset(|info| info.name == name)?
            .ok_or_else(|| self.no_dataset(name))
    }

    fn no_dataset(&self, name: &str) -> Error {
        let names: Vec<String> = self
            .datasets()
            .unwrap_or_default()
            .into_iter()
            .map(|i| i.name)
            .collect();
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean {near:?}?"),
            None => String::new(),
        };
        Error::not_found(format!("dataset {name:?} not found{hint}"))
    }

    /// A dataset by id.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn dataset_by_id(&self, dataset_id: &str) -> Result<Dataset> {
        self.find_dataset(|info| info.dataset_id == dataset_id)?
            .ok_or_else(|| Error::not_found(format!("dataset with id {dataset_id:?} not found")))
    }

    /// All datasets by name, as their newest versions are.
    ///
    /// # Errors
    /// `Corrupt` when the manifest describes a version that cannot be read.
    pub fn datasets(&self) -> Result<Vec<DatasetInfo>> {
        Ok(newest(&self.reading()?)?
            .into_iter()
            .map(|version| version.info)
            .collect())
    }

    /// Deletes a dataset with all its versions.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn delete_dataset(&self, name: &str) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let dataset = self.dataset(name)?;
        let files = dataset
            .live()?
            .into_iter()
            .map(|version| version.file.name)
            .collect();
        Ok(self.store().commit_catalog(Vec::new(), files)?)
    }

    fn find_dataset(&self, wanted: impl Fn(&DatasetInfo) -> bool) -> Result<Option<Dataset>> {
        let found = newest(&self.snapshot()?)?
            .into_iter()
            .find(|version| wanted(&version.info));
        Ok(found.map(|version| Dataset {
            database: self.clone(),
            dataset_id: version.info.dataset_id,
            name: version.info.name,
            source_rule: SourceRule::default(),
        }))
    }

    /// Creates a dataset, empty as version 0 or with records as version 1.
    pub(super) fn start_dataset(
        &self,
        new: NewDataset,
        records: Vec<Record>,
        query: Option<String>,
    ) -> Result<Dataset> {
        let mut made = self.start_datasets(vec![(new, records)], query)?;
        made.pop()
            .ok_or_else(|| Error::internal("a dataset was created and is none"))
    }

    /// Creates datasets in one commit: all, or none when one cannot be made.
    pub(super) fn start_datasets(
        &self,
        mut new: Vec<(NewDataset, Vec<Record>)>,
        mut query: Option<String>,
    ) -> Result<Vec<Dataset>> {
        self.store().check_space()?;
        let redactor = self.redactor()?;
        if let Some(mut pass) = redactor.pass() {
            for (new, records) in &mut new {
                pass.map("tags", &mut new.tags);
                records.iter_mut().for_each(|record| pass.record(record));
            }
            query
                .iter_mut()
                .for_each(|query| pass.document("query", query));
            pass.finish();
        }
        let _changes = self.catalog().lock_changes();
        let mut names: HashSet<String> = HashSet::new();
        for (new, _) in &new {
            check_name(&new.name)?;
            let is_taken = self.find_dataset(|info| info.name == new.name)?.is_some();
            if is_taken || !names.insert(new.name.clone()) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("dataset {:?} exists already", new.name),
                ));
            }
        }
        let (mut files, mut made) = (Vec::new(), Vec::new());
        for (new, records) in new {
            let info = self.info_of(new, &records, query.clone())?;
            let rows = records_batch(&records)?;
            files.push(self.store().write_catalog_file(&rows, info.to_json()?)?);
            made.push(Dataset {
                database: self.clone(),
                dataset_id: info.dataset_id,
                name: info.name,
                source_rule: SourceRule::default(),
            });
        }
        self.store().commit_catalog(files, Vec::new())?;
        Ok(made)
    }

    /// What a new dataset is.
    fn info_of(
        &self,
        new: NewDataset,
        records: &[Record],
        query: Option<String>,
    ) -> Result<DatasetInfo> {
        let env = self.store().env();
        let now_ns = env.now_ns();
        let mut types = RecordTypes::default();
        records.iter().for_each(|record| types.add(record));
        Ok(DatasetInfo {
            dataset_id: format!("d-{:032x}", env.new_ulid()),
            name: new.name,
            version: u32::from(!records.is_empty()),
            record_count: records.len() as u64,
            created_at_ns: now_ns,
            updated_at_ns: now_ns,
            experiment_ids: new.experiment_ids,
            tags: new.tags,
            query,
            snapshot_sequence: self.snapshot()?.sequence(),
            schema: types.text(),
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    let chars = name.chars().count();
    if name.trim().is_empty() || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid_input(format!(
            "dataset name {name:?}: 1 to {NAME_CHARS_MAX} characters expected, no control characters"
        )));
    }
    Ok(())
}

//! Splitting a dataset into parts that share nothing: near-duplicates, sessions and users stay together.

use serde::{Deserialize, Serialize};
use tracehouse_eval::near::{self, Parts, SplitRecord};

use super::handle::Dataset;
use super::likeness::{finder, owners};
use super::record::{Record, records_of};
use super::registry::NewDataset;
use crate::error::{Error, Result};

/// How like two records are that are kept together, unless told otherwise.
const NEAR: f64 = 0.8;

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SplitOptions {
    /// The names of the new datasets.
    pub names: Vec<String>,
    /// Their shares, such as 80 and 20.
    pub ratios: Vec<f64>,
    /// Another seed gives another split.
    pub seed: u64,
    /// Records whose inputs are as like as this (Jaccard of word triples) stay together.
    pub near: f64,
    /// Whether records of one session stay together.
    pub by_session: bool,
    /// Whether records of one user do.
    pub by_user: bool,
}

impl SplitOptions {
    /// Parts of these names and shares; near-duplicates and sessions stay together.
    pub fn new<S: Into<String>>(parts: impl IntoIterator<Item = (S, f64)>) -> Self {
        let (names, ratios) = parts
            .into_iter()
            .map(|(name, ratio)| (name.into(), ratio))
            .unzip();
        Self {
            names,
            ratios,
            seed: 0,
            near: NEAR,
            by_session: true,
            by_user: false,
        }
    }
}

/// What a split made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SplitReport {
    /// The new datasets, and how many records each has.
    pub parts: Vec<(String, u64)>,
    /// Groups of records that stayed together, single ones included.
    pub groups: u64,
    /// Records of the largest of them: parts cannot be nearer to their shares than it allows.
    pub largest_group: u64,
    /// Records whose likeness to others was not looked for to the end, since too many are alike.
    pub cut: u64,
}

impl Dataset {
    /// Makes a dataset of each part of the newest version's records. Records that are near-duplicates of each other,
    /// or of one session or user as the options say, are in one part. The same seed gives the same parts.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{NewRecord, SplitOptions};
    /// let all = db.create_dataset("questions")?;
    /// let record = |at: u32| NewRecord::new(format!("\"question {at} about topic {at}\""));
    /// all.merge(&(0..10).map(record).collect::<Vec<_>>())?;
    /// let report = all.split(&SplitOptions::new([("train", 80.0), ("test", 20.0)]))?;
    /// assert_eq!(report.parts, [("train".to_string(), 8), ("test".to_string(), 2)]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for shares that are none, or of another number than names; `Conflict` when a name is taken.
    pub fn split(&self, options: &SplitOptions) -> Result<SplitReport> {
        let version = self.version(None)?;
        let records = records_of(&self.read(&version)?)?;
        let parts = Parts::new(&options.names, &options.ratios)?;
        let (keyed, cut) = self.keyed(&records, options)?;
        let split = near::split(&keyed, &parts, options.seed)?;
        let query = serde_json::json!({
            "dataset": self.name, "version": version.info.version, "split": options.ratios, "seed": options.seed,
        });
        let mut report = SplitReport {
            parts: Vec::new(),
            groups: split.groups as u64,
            largest_group: split
                .largest_group
                .as_ref()
                .map_or(0, |group| group.records as u64),
            cut,
        };
        let mut made = Vec::new();
        for (number, name) in options.names.iter().enumerate() {
            let own = records.iter().zip(&split.part_of);
            let own = own.filter(|(_, part)| **part == number);
            let copies: Vec<Record> = own.map(|(record, _)| self.copied(record)).collect();
            report.parts.push((name.clone(), copies.len() as u64));
            made.push((NewDataset::new(name.as_str()), copies));
        }
        self.database
            .start_datasets(made, Some(query.to_string()))?;
        Ok(report)
    }

    /// The keys by which records stay together, and how many of them were not compared to the end.
    fn keyed(&self, records: &[Record], options: &SplitOptions) -> Result<(Vec<SplitRecord>, u64)> {
        let groups = finder(records, options.near)?.groups();
        let numbers = groups.numbers(records.len());
        let owners = owners(&self.database.reading()?, records)?;
        let keyed = records.iter().zip(numbers).zip(owners);
        let keyed = keyed.map(|((record, group), owner)| SplitRecord {
            id: record.id.clone(),
            keys: vec![
                group.map(|group| group.to_string()),
                owner.session_id.filter(|_| options.by_session),
                owner.user_id.filter(|_| options.by_user),
            ],
        });
        Ok((keyed.collect(), groups.cut.len() as u64))
    }

    fn copied(&self, record: &Record) -> Record {
        Record {
            id: format!("dr-{:032x}", self.database.store().env().new_ulid()),
            ..record.clone()
        }
    }
}

impl From<near::NearError> for Error {
    fn from(error: near::NearError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

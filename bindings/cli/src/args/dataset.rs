//! The commands of datasets and their arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{DbArgs, SqlFormat};

/// What to do with datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Create an empty dataset
    Create(DatasetCreateArgs),
    /// List all datasets
    List(DbArgs),
    /// Show a dataset, its versions and its records
    Show(DatasetShowArgs),
    /// Add a record for each trace that matches a filter
    Add(DatasetAddArgs),
    /// Merge records from JSON lines
    Merge(DatasetMergeArgs),
    /// Show some records, or make a dataset of them
    Sample(DatasetSampleArgs),
    /// Compare two versions
    Diff(DatasetDiffArgs),
    /// Write the records of a version
    Export(DatasetExportArgs),
    /// Delete a dataset with all its versions
    Delete(DatasetDeleteArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DatasetCreateArgs {
    /// The database's folder; created when there is none
    pub db: PathBuf,
    pub name: String,
    /// An experiment it belongs to
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
    /// A tag of the dataset
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetShowArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// Another version than the newest
    #[arg(long, value_name = "N")]
    pub version: Option<u32>,
    /// Most records to show; 20 for people, all for --json
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetAddArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// The traces to add; empty for every trace
    #[arg(long = "where", value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: String,
    /// Most traces to take, newest first
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Take this many of them, chosen at random
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Another seed gives another sample
    #[arg(long, value_name = "S", requires = "sample", default_value_t = 0)]
    pub seed: u64,
    /// Share the sample among the values of this key
    #[arg(long, value_name = "KEY", requires = "sample")]
    pub stratify: Option<String>,
    /// Only traces of this experiment
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetMergeArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// JSON lines with inputs and perhaps outputs, expectations, tags; - is standard input
    pub file: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetSampleArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// How many records
    #[arg(long, short = 'n', value_name = "N", aliases = ["limit", "sample", "size"], default_value_t = 10)]
    pub count: usize,
    /// Another seed gives another sample
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Share the sample among the values of source_type, tags.K, expectations.K, inputs.K or outputs.K
    #[arg(long, value_name = "KEY")]
    pub stratify: Option<String>,
    /// Make a new dataset of the sample
    #[arg(long, value_name = "NAME")]
    pub into: Option<String>,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<SqlFormat>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetDiffArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// The earlier version; the one before the newest when left out
    #[arg(value_name = "VERSION")]
    pub from: Option<u32>,
    /// The later version; the newest when left out
    #[arg(value_name = "VERSION")]
    pub to: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetExportArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub format: DatasetFormat,
    /// Write to this file; standard output when left out
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Another version than the newest
    #[arg(long, value_name = "V")]
    pub version: Option<u32>,
    /// CSV with every text as it is, also formulas and control characters
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatasetFormat {
    #[value(name = "jsonl")]
    JsonLines,
    Parquet,
    Csv,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetDeleteArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

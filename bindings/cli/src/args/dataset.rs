//! The commands of datasets and their arguments.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{DbArgs, PeriodArgs, SqlFormat};

/// What to do with datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Create an empty dataset
    Create(DatasetCreateArgs),
    /// List all datasets
    List(DbArgs),
    /// Show a dataset, its versions and its records
    Show(DatasetShowArgs),
    /// Add a record for each trace, or each span, that matches a filter
    Add(DatasetAddArgs),
    /// Merge records from JSON lines, CSV or Parquet
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
#[command(group = ArgGroup::new("which").required(true).args(["filter", "spans"]))]
pub struct DatasetAddArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// The traces to add; empty for every trace
    #[arg(long = "where", value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// The spans to add, each with its own inputs and outputs, such as "span.tool = 'search' AND state = 'ERROR'"
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    pub spans: Option<String>,
    #[command(flatten)]
    pub period: PeriodArgs,
    /// Most records to make, newest first; what has no inputs, or those of an earlier one, does not count
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Make this many of them, chosen at random
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
    /// Keep the source of records whose outputs are replaced, as MLflow does
    #[arg(long)]
    pub keep_source: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetMergeArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// Records with inputs and perhaps outputs, expectations, tags; - is standard input
    pub file: PathBuf,
    /// What the file is; told by its ending when left out, JSON lines where that says nothing
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<DatasetFormat>,
    /// Keep the source of records whose outputs are replaced, as MLflow does
    #[arg(long)]
    pub keep_source: bool,
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
    /// Told by the ending of --output when left out, else jsonl
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<DatasetFormat>,
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

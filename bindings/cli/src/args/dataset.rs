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
    /// Make datasets that share no near-duplicates and no sessions
    Split(DatasetSplitArgs),
    /// Say what two datasets share; exit code 1 when they share anything
    Leaks(DatasetLeaksArgs),
    /// Take near-duplicates out, in a new version
    Dedupe(DatasetDedupeArgs),
    /// Change records, in a new version
    Edit(DatasetEditArgs),
    /// Take records out, in a new version
    Remove(DatasetRemoveArgs),
    /// Say which datasets have records of a trace
    Where(DatasetWhereArgs),
    /// Delete a dataset with all its versions
    Delete(DatasetDeleteArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DatasetSplitArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// The shares of the new datasets
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub ratios: Vec<f64>,
    /// Their names
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub names: Vec<String>,
    /// Another seed gives another split
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Keep records of one user together, too
    #[arg(long, value_name = "WHO")]
    pub by: Option<SplitBy>,
    /// Records whose inputs are as like as this stay together, from 0 to 1
    #[arg(long, value_name = "LIKENESS", default_value_t = 0.8)]
    pub near: f64,
}

/// Whose records stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    Session,
    User,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetLeaksArgs {
    /// The database's folder
    pub db: PathBuf,
    pub a: String,
    pub b: String,
    /// Records whose inputs are as like as this are shared, from 0 to 1
    #[arg(long, value_name = "LIKENESS", default_value_t = 0.8)]
    pub near: f64,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetDedupeArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// Of records whose inputs are as like as this the oldest stays, from 0 to 1
    #[arg(long, value_name = "LIKENESS", default_value_t = 0.8)]
    pub near: f64,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["outputs", "expectations", "tags"]))]
pub struct DatasetEditArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<String>,
    /// Other outputs; null clears them
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub outputs: Option<String>,
    /// An object laid over the expectations; members that are null go
    #[arg(long, value_name = "JSON")]
    pub expectations: Option<String>,
    /// An object laid over the tags; members that are null go
    #[arg(long, value_name = "JSON")]
    pub tags: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetRemoveArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct DatasetWhereArgs {
    /// The database's folder
    pub db: PathBuf,
    pub trace_id: String,
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
#[command(
    group = ArgGroup::new("which").required(true).args(["filter", "spans"]),
    group = ArgGroup::new("how_many").multiple(true).args(["sample", "quota", "quota_missing"])
)]
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
    #[arg(long, value_name = "S", requires = "how_many", default_value_t = 0)]
    pub seed: u64,
    /// Share the sample among the values of this key, such as model, feedback.NAME, hour or tags.K
    #[arg(long, value_name = "KEY", requires = "how_many")]
    pub stratify: Option<String>,
    #[command(flatten)]
    pub quotas: QuotaArgs,
    /// Of the traces, or spans, of one session take the newest with inputs alone
    #[arg(long)]
    pub newest_per_session: bool,
    /// Only traces of this experiment
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
    /// Keep the source of records whose outputs are replaced, as MLflow does
    #[arg(long)]
    pub keep_source: bool,
    /// Count what would be added, by stratum with --stratify, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How many of single strata.
#[derive(Debug, Clone, Args)]
pub struct QuotaArgs {
    /// Take N of those with this value of the --stratify key; without a number for the whole, these alone
    #[arg(long, value_name = "VALUE=N", requires = "stratify")]
    pub quota: Vec<String>,
    /// Take N of those that have no value of the --stratify key
    #[arg(long, value_name = "N", requires = "stratify")]
    pub quota_missing: Option<usize>,
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
    /// How many records; 10 when left out, or with --quota those alone
    #[arg(long, short = 'n', value_name = "N", aliases = ["limit", "sample", "size"])]
    pub count: Option<usize>,
    /// Another seed gives another sample
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Share the sample among the values of source_type, tags.K, expectations.K, inputs.K or outputs.K
    #[arg(long, value_name = "KEY")]
    pub stratify: Option<String>,
    #[command(flatten)]
    pub quotas: QuotaArgs,
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
    /// Conversations for fine-tuning, as JSON lines
    Chat,
    /// Records for MLflow's merge_records, as JSON lines
    Mlflow,
    /// Items for a dataset of Langfuse, as JSON lines
    Langfuse,
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

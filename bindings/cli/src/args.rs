//! The arguments of every command. Parsing and nothing else: defaults are given here, meaning in the
//! commands.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::output::units::parse_bytes;

/// An embedded analytical database for LLM and agent traces.
#[derive(Debug, Parser)]
#[command(name = "tracehouse", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that stand before or after the command.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArgs {
    /// Write one JSON document for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// Write results and errors only
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Memory for queries; half of it for cached columns and for rows not yet sealed. Such as 512MB
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_bytes)]
    pub memory_limit: Option<usize>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A tour: sample traces, a search, SQL, text search, a span tree and a dataset
    Demo(DemoArgs),
    /// Import OpenTelemetry traces and assessments
    Import(ImportArgs),
    /// Find traces with the filter language
    Search(SearchArgs),
    /// Find spans by their words, best first
    Text(TextArgs),
    /// Run one SQL statement
    Sql(SqlArgs),
    /// Work interactively
    Shell(DbArgs),
    /// Show one trace as a tree of spans
    Show(ShowArgs),
    /// List sessions
    Sessions(SessionsArgs),
    /// Compute a figure over traces, spans or assessments
    Metrics(MetricsArgs),
    /// Counts, sizes and indexes of a database
    Stats(DbArgs),
    /// Set tags of a trace
    Tag(TagArgs),
    /// Remove tags of a trace
    Untag(UntagArgs),
    /// Store a feedback or an expectation about a trace
    Assess(AssessArgs),
    /// Delete traces
    Delete(DeleteArgs),
    /// Build and use evaluation datasets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Merge small segments
    Compact(DbArgs),
}

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

/// Just a database.
#[derive(Debug, Clone, Args)]
pub struct DbArgs {
    /// The database's folder
    pub db: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Where the sample database is made
    #[arg(default_value = "tracehouse-demo.traces")]
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The database's folder; created when there is none
    pub db: PathBuf,
    /// OTLP/JSON lines, OTLP/JSON or OTLP/protobuf, plain, .gz or .zst; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "assessments")]
    pub files: Vec<PathBuf>,
    /// The experiment that new traces belong to
    #[arg(long, value_name = "ID", default_value = "0")]
    pub experiment: String,
    /// Assessments as JSON lines, imported after the traces
    #[arg(long, value_name = "FILE")]
    pub assessments: Vec<PathBuf>,
    /// Stop at the first line that cannot be kept
    #[arg(long)]
    pub strict: bool,
    /// Lines acknowledged together; chosen by size when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_lines: Option<u32>,
    /// Write progress for machines to standard error
    #[arg(long, value_name = "FORMAT")]
    pub progress: Option<ProgressFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressFormat {
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Such as "state = 'ERROR' AND total_tokens > 1000"; left out or empty for every trace
    #[arg(default_value = "", allow_hyphen_values = true, hide_default_value = true)]
    pub filter: String,
    /// Sort by this key; newest first unless told otherwise
    #[arg(long, value_name = "KEY [ASC|DESC]")]
    pub order_by: Vec<String>,
    /// Most traces to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Traces to skip first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
    /// Continue after the page that gave this token
    #[arg(long, value_name = "TOKEN")]
    pub page_token: Option<String>,
    /// Only traces of this experiment
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
    /// Print only how many traces match
    #[arg(long)]
    pub count: bool,
    /// Say how the search was carried out
    #[arg(long)]
    pub explain: bool,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<SearchFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchFormat {
    Table,
    Json,
    #[value(name = "jsonl")]
    JsonLines,
    Ids,
}

#[derive(Debug, Clone, Args)]
pub struct TextArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Such as '"refund policy" -test' or 'inputs:refund OR outputs:refund*'
    #[arg(allow_hyphen_values = true)]
    pub query: String,
    /// Only spans of traces that match this filter
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Most spans to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<TextFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    Table,
    Json,
    #[value(name = "jsonl")]
    JsonLines,
}

#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// The database's folder
    pub db: PathBuf,
    /// One SELECT; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    pub statement: String,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<SqlFormat>,
    /// Write the result to this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SqlFormat {
    Table,
    Json,
    #[value(name = "jsonl")]
    JsonLines,
    Csv,
    Parquet,
    Arrow,
}

#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The database's folder
    pub db: PathBuf,
    pub trace_id: String,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ShowFormat>,
    /// Show inputs and outputs of every span in full
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    Tree,
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct SessionsArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Sessions of which some trace matches; left out or empty for every session
    #[arg(default_value = "", allow_hyphen_values = true, hide_default_value = true)]
    pub filter: String,
    /// Sort by this key, such as trace_count or cost; the last request first unless told otherwise
    #[arg(long, value_name = "KEY [ASC|DESC]")]
    pub order_by: Option<String>,
    /// Most sessions to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Only traces of this experiment
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct MetricsArgs {
    /// The database's folder
    pub db: PathBuf,
    /// What is measured
    pub view: MetricsView,
    /// Such as trace_count, latency, total_tokens, total_cost or assessment_value
    pub metric: String,
    /// count, sum, avg, min, max, or a percentile such as p99
    #[arg(long, value_name = "HOW", value_delimiter = ',')]
    pub aggregate: Vec<String>,
    /// Dimension to group by, such as trace_name, span_model_name or assessment_name
    #[arg(long, value_name = "DIMENSION", value_delimiter = ',')]
    pub by: Vec<String>,
    /// One clause KEY = 'VALUE', such as "trace.status = 'ERROR'"
    #[arg(long, value_name = "CLAUSE")]
    pub filter: Vec<String>,
    /// First time looked at: RFC 3339, a date, or Unix milliseconds
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Last time looked at
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Width of time buckets; needs --from and --to
    #[arg(long, value_name = "SECONDS")]
    pub interval: Option<i64>,
    /// Most points to show
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: usize,
    /// Only traces of this experiment
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricsView {
    Traces,
    Spans,
    Assessments,
}

#[derive(Debug, Clone, Args)]
pub struct TagArgs {
    /// The database's folder
    pub db: PathBuf,
    pub trace_id: String,
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct UntagArgs {
    /// The database's folder
    pub db: PathBuf,
    pub trace_id: String,
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("verdict").required(true).args(["feedback", "expectation"]))]
pub struct AssessArgs {
    /// The database's folder
    pub db: PathBuf,
    pub trace_id: String,
    /// A verdict; VALUE is JSON, else a string
    #[arg(long, value_name = "NAME=VALUE")]
    pub feedback: Option<String>,
    /// What the trace should have met; VALUE is JSON, else a string
    #[arg(long, value_name = "NAME=VALUE")]
    pub expectation: Option<String>,
    /// Who judged: HUMAN, LLM_JUDGE or CODE, and a name
    #[arg(long, value_name = "TYPE:ID")]
    pub source: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub rationale: Option<String>,
    /// The span it is about
    #[arg(long, value_name = "SPAN_ID")]
    pub span: Option<String>,
    /// The assessment of the trace that it overrides
    #[arg(long, value_name = "ASSESSMENT_ID")]
    pub overrides: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["trace_ids", "filter", "before"]))]
pub struct DeleteArgs {
    /// The database's folder
    pub db: PathBuf,
    #[arg(value_name = "TRACE_ID")]
    pub trace_ids: Vec<String>,
    /// Every trace that matches
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Every trace that began before: RFC 3339, a date, or Unix milliseconds
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    /// At most so many, oldest first
    #[arg(long, value_name = "N", conflicts_with = "trace_ids", value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,
    /// Remove the bytes from every file as well
    #[arg(long)]
    pub erase: bool,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
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

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err(format!("{text:?} is no time: seconds above 0 expected")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["tracehouse"].iter().chain(line))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [["--json", "stats", "a.traces"], ["stats", "a.traces", "--json"]] {
            assert!(parse(&line).unwrap().global.json);
        }
        assert_eq!(parse(&["stats", "a", "--memory-limit", "1kb"]).unwrap().global.memory_limit, Some(1000));
    }

    #[test]
    fn queries_may_begin_with_a_dash() {
        let Command::Text(text) = parse(&["text", "a.traces", "-test", "--limit", "3"]).unwrap().command
        else {
            panic!("text expected");
        };
        assert_eq!((text.query.as_str(), text.limit), ("-test", 3));
        let Command::Sql(sql) = parse(&["sql", "a.traces", "-"]).unwrap().command else {
            panic!("sql expected");
        };
        assert_eq!(sql.statement, "-");
    }

    #[test]
    fn wrong_usage_is_exit_code_2() {
        for line in [
            vec!["delete", "a.traces"],
            vec!["delete", "a.traces", "id", "--where", "x"],
            vec!["assess", "a.traces", "id"],
            vec!["import", "a.traces"],
            vec!["search", "a.traces", "", "--limit", "-1"],
            vec!["sql", "a.traces", "SELECT 1", "--timeout", "0"],
            vec!["nonsense"],
            vec![],
        ] {
            assert_eq!(parse(&line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}

//! The arguments of commands that read a database.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// When traces began. A time is RFC 3339, a date (its beginning), Unix milliseconds, `now` or how long ago: 24h, 7d.
#[derive(Debug, Clone, Default, Args)]
pub struct PeriodArgs {
    /// Only traces that began within this time, such as 24h or 7d, or since a time
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub since: Option<String>,
    /// Only traces that began at this time or later: RFC 3339, a date, Unix milliseconds, or how long ago
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only traces that began at this time or earlier
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Such as "state = 'ERROR' AND total_tokens > 1000"; left out or empty for every trace
    #[arg(
        default_value = "",
        allow_hyphen_values = true,
        hide_default_value = true
    )]
    pub filter: String,
    #[command(flatten)]
    pub period: PeriodArgs,
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
    /// Say also how long each stage took and what was read
    #[arg(long)]
    pub analyze: bool,
    /// The columns to show, such as trace_id,state,tags.env,total_tokens
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Show every column of the table, and texts in full, however wide
    #[arg(long)]
    pub wide: bool,
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<SearchFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchFormat {
    Table,
    Json,
    #[value(name = "jsonl")]
    JsonLines,
    Csv,
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
    #[command(flatten)]
    pub period: PeriodArgs,
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
    /// One SELECT, before which there may be CREATE VIEW v AS ..; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    pub statement: String,
    /// Told by the ending of --output when left out
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<SqlFormat>,
    /// Write the result to this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The value of $NAME in the statement: a number, true, false, null, else a text; NAME:text=VALUE is a text
    /// whatever it looks like
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// A CSV, JSON lines or Parquet file (also .gz, .zst) as table NAME
    #[arg(long = "file", value_name = "NAME=PATH")]
    pub files: Vec<String>,
    /// CSV with every text as it is, also formulas and control characters
    #[arg(long)]
    pub raw: bool,
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

impl SqlFormat {
    /// The format of files whose names end so.
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            "arrow" | "arrows" => Some(Self::Arrow),
            "txt" => Some(Self::Table),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub struct ShellArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Run this statement or dot command instead of reading any; may be repeated, the first failure ends it
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        allow_hyphen_values = true
    )]
    pub commands: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Its id, or enough of the beginning to tell it from others
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
    #[arg(
        default_value = "",
        allow_hyphen_values = true,
        hide_default_value = true
    )]
    pub filter: String,
    #[command(flatten)]
    pub period: PeriodArgs,
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
    #[command(flatten)]
    pub period: PeriodArgs,
    /// Width of time buckets; needs --since or --from
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

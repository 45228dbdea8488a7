//! The arguments of commands that change a database.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::PeriodArgs;

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
    /// Redact this before it is written, from now on; see the command redaction
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub redact: Vec<RedactKind>,
    /// Write progress for machines to standard error
    #[arg(long, value_name = "FORMAT")]
    pub progress: Option<ProgressFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RedactKind {
    /// Values under well-known names; on unless turned off
    Names,
    /// API keys, tokens and private keys in texts
    Secrets,
    /// E-mail addresses
    Emails,
    /// Payment card numbers
    Cards,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressFormat {
    Json,
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
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["trace_ids", "filter", "before", "since", "from", "to"]))]
pub struct DeleteArgs {
    /// The database's folder
    pub db: PathBuf,
    #[arg(value_name = "TRACE_ID", conflicts_with_all = ["filter", "before", "since", "from", "to"])]
    pub trace_ids: Vec<String>,
    /// Every trace that matches
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Every trace that began before: RFC 3339, a date, Unix milliseconds, or how long ago, such as 90d
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    #[command(flatten)]
    pub period: PeriodArgs,
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

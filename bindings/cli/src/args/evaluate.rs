//! The commands of evaluation runs, registered scorers and prompts, and their arguments.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::DbArgs;

/// What to do with evaluation runs.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Judge traces, sessions or the records of a dataset
    Run(EvalRunArgs),
    /// List the runs, the newest first
    List(DbArgs),
    /// Show what a run's scorers say, with 95 % intervals and the failures
    Show(EvalShowArgs),
    /// Compare two runs over the same items, or the traces of two filters
    Compare(EvalCompareArgs),
    /// Delete a run with its scores; its feedback stays on the traces
    Delete(EvalNameArgs),
}

/// The scorers of a run, and what judges need.
#[derive(Debug, Clone, Args)]
pub struct ScorerArgs {
    /// exact_match, contains:TEXT, regex:RE, json_valid, json_schema:FILE, max_words:N, numeric:TOLERANCE, token_f1,
    /// rouge_l, tool_calls, latency_ms:N, tokens:N, cost_usd:X, citation, forbidden:FILE, sql:EXPRESSION,
    /// judge:guidelines:FILE, judge:correctness, or a .toml file of such; NAME=SPEC names its scores
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub scorer: Vec<String>,
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// What judges need.
#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// The model that judges ask
    #[arg(long, value_name = "MODEL")]
    pub judge_model: Option<String>,
    /// An OpenAI-compatible server, such as http://127.0.0.1:8000/v1; OPENAI_BASE_URL when left out
    #[arg(long, value_name = "URL")]
    pub judge_url: Option<String>,
    /// Most that judges may cost, in US dollars
    #[arg(long, value_name = "USD")]
    pub budget: Option<f64>,
    /// Items judged at the same time
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("of").args(["dataset", "filter", "spans", "sessions"]))]
pub struct EvalRunArgs {
    /// The database's folder
    pub db: PathBuf,
    #[command(flatten)]
    pub scorers: ScorerArgs,
    /// Judge the records of a dataset, such as questions or questions@3
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub dataset: Option<String>,
    /// Judge the traces that match a filter; all traces when nothing is named
    #[arg(long = "where", value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Judge the spans that match a filter
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    pub spans: Option<String>,
    /// Judge sessions of which some trace matches a filter, each as one conversation
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "")]
    pub sessions: Option<String>,
    /// What the run is called
    #[arg(long)]
    pub name: Option<String>,
    /// Most traces, spans or sessions to judge
    #[arg(long, value_name = "N", conflicts_with = "dataset")]
    pub limit: Option<usize>,
    /// Go on with a run that was interrupted; its scorers and source are those it began with
    #[arg(long, value_name = "RUN", conflicts_with_all = ["of", "scorer", "name", "limit"])]
    pub resume: Option<String>,
    /// Do not put the scores on the traces as feedback
    #[arg(long)]
    pub no_feedback: bool,
    /// Store each call of a judge as a trace of this experiment
    #[arg(long, value_name = "EXPERIMENT")]
    pub judge_traces: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct EvalNameArgs {
    /// The database's folder
    pub db: PathBuf,
    /// The run's id, the beginning of it, or its name
    pub run: String,
}

#[derive(Debug, Clone, Args)]
pub struct EvalShowArgs {
    /// The database's folder
    pub db: PathBuf,
    /// The run's id, the beginning of it, or its name
    pub run: String,
    /// Most failures and errors to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["a", "where_a"]))]
pub struct EvalCompareArgs {
    /// The database's folder
    pub db: PathBuf,
    /// The run before
    #[arg(requires = "b")]
    pub a: Option<String>,
    /// The run after
    pub b: Option<String>,
    /// Compare the traces of this filter ...
    #[arg(
        long,
        value_name = "FILTER",
        requires = "where_b",
        allow_hyphen_values = true
    )]
    pub where_a: Option<String>,
    /// ... with those of this one
    #[arg(
        long,
        value_name = "FILTER",
        requires = "where_a",
        allow_hyphen_values = true
    )]
    pub where_b: Option<String>,
    /// Most regressions to show for people, and to give both outputs of with --json
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}

/// What to do with registered scorers.
#[derive(Debug, Subcommand)]
pub enum ScorerCommand {
    /// Register scorers that watch new traces
    Register(ScorerRegisterArgs),
    /// List them, with what they did and what waits
    List(DbArgs),
    /// Let one judge new traces again
    Start(ScorerNameArgs),
    /// Let one judge no new traces
    Stop(ScorerNameArgs),
    /// Forget one; its scores stay
    Delete(ScorerNameArgs),
    /// Judge what waits, the whole history included
    Run(ScorerRunArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ScorerRegisterArgs {
    /// The database's folder
    pub db: PathBuf,
    #[command(flatten)]
    pub scorers: ScorerArgs,
    /// The traces to judge; all when left out
    #[arg(
        long = "where",
        value_name = "FILTER",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub filter: String,
    /// The share of them to judge, above 0 up to 1
    #[arg(long, value_name = "RATE", default_value_t = 1.0)]
    pub sample_rate: f64,
}

#[derive(Debug, Clone, Args)]
pub struct ScorerNameArgs {
    /// The database's folder
    pub db: PathBuf,
    /// The scorer's name
    pub name: String,
}

#[derive(Debug, Clone, Args)]
pub struct ScorerRunArgs {
    /// The database's folder
    pub db: PathBuf,
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Say what waits and what it may cost, and judge nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with what comes, until it is interrupted
    #[arg(long, conflicts_with = "dry_run")]
    pub follow: bool,
    /// How long to wait before looking for more
    #[arg(long, value_name = "SECONDS", default_value_t = 5, requires = "follow")]
    pub every: u64,
}

/// What to do with prompts.
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// Store the next version of a prompt
    Register(PromptRegisterArgs),
    /// Show a version
    Show(PromptUriArgs),
    /// Let an alias name a version
    Alias(PromptAliasArgs),
    /// List all prompts
    List(DbArgs),
    /// Show what changed between two versions
    Diff(PromptDiffArgs),
    /// Traces, cost, latency and feedback by version
    Stats(PromptNameArgs),
    /// Delete a prompt with all its versions
    Delete(PromptDeleteArgs),
}

#[derive(Debug, Clone, Args)]
pub struct PromptRegisterArgs {
    /// The database's folder; created when there is none
    pub db: PathBuf,
    pub name: String,
    /// A text with {{variables}}, or a JSON list of messages with role and content; - is standard input
    #[arg(long, value_name = "FILE")]
    pub template: PathBuf,
    /// What changed
    #[arg(long, short, value_name = "TEXT")]
    pub message: Option<String>,
    /// A tag of the version
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
    /// An alias for the version
    #[arg(long, value_name = "ALIAS")]
    pub alias: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct PromptUriArgs {
    /// The database's folder
    pub db: PathBuf,
    /// prompts:/NAME/VERSION, prompts:/NAME@ALIAS or prompts:/NAME@latest
    pub uri: String,
}

#[derive(Debug, Clone, Args)]
pub struct PromptAliasArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    pub alias: String,
    /// The version; the alias is taken away when left out
    pub version: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub struct PromptDiffArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// The earlier version; the one before the latest when left out
    #[arg(value_name = "VERSION")]
    pub from: Option<u32>,
    /// The later version; the latest when left out
    #[arg(value_name = "VERSION")]
    pub to: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub struct PromptNameArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
}

#[derive(Debug, Clone, Args)]
pub struct PromptDeleteArgs {
    /// The database's folder
    pub db: PathBuf,
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

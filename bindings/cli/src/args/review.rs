//! The commands of review queues and their arguments.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::DbArgs;

/// What to do with review queues.
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// Make a queue of traces or sessions for people to judge
    Create(ReviewCreateArgs),
    /// List the queues
    List(DbArgs),
    /// Give a reviewer the next item
    Next(ReviewNextArgs),
    /// Take a reviewer's answer
    Answer(ReviewAnswerArgs),
    /// Note that a reviewer will not answer an item
    Skip(ReviewSkipArgs),
    /// Say how far a queue is, and how well its reviewers agree
    Status(ReviewNameArgs),
    /// Delete a queue; what was answered stays on the traces
    Delete(ReviewNameArgs),
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("of").required(true).args(["filter", "sessions"]))]
pub struct ReviewCreateArgs {
    /// The database's folder
    pub db: PathBuf,
    pub queue: String,
    /// A JSON list of labels: {"name", "kind": boolean|category|number|text, "options", "min", "max", "instruction"}
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,
    /// Who answers
    #[arg(long, value_name = "NAME", required = true)]
    pub reviewer: Vec<String>,
    /// The traces to judge
    #[arg(long = "where", value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// The sessions to judge, of which some trace matches a filter
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "")]
    pub sessions: Option<String>,
    /// Most items
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How many reviewers answer each item
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub answers: usize,
    /// Give items out by turns, not to whoever asks next
    #[arg(long)]
    pub round_robin: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ReviewNextArgs {
    /// The database's folder
    pub db: PathBuf,
    pub queue: String,
    /// Who asks
    #[arg(long, value_name = "NAME")]
    pub reviewer: String,
    /// How long the item is held for them
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    pub minutes: u64,
}

#[derive(Debug, Clone, Args)]
pub struct ReviewAnswerArgs {
    /// The database's folder
    pub db: PathBuf,
    pub queue: String,
    /// trace:ID, span:TRACE/SPAN or session:ID
    pub item: String,
    /// Who answers
    #[arg(long, value_name = "NAME")]
    pub reviewer: String,
    /// The answer to a label; VALUE is JSON, else a text
    #[arg(long, value_name = "LABEL=VALUE", required = true)]
    pub label: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ReviewSkipArgs {
    /// The database's folder
    pub db: PathBuf,
    pub queue: String,
    /// trace:ID, span:TRACE/SPAN or session:ID
    pub item: String,
    /// Who will not answer
    #[arg(long, value_name = "NAME")]
    pub reviewer: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ReviewNameArgs {
    /// The database's folder
    pub db: PathBuf,
    pub queue: String,
}

//! The arguments of every command. Parsing and nothing else: defaults are given here, meaning in the
//! commands.

mod care;
mod dataset;
mod evaluate;
mod prices;
mod read;
mod review;
mod serve;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::output::units::parse_bytes;
pub use care::*;
pub use dataset::*;
pub use evaluate::*;
pub use prices::*;
pub use read::*;
pub use review::*;
pub use serve::*;
pub use write::*;

/// An embedded analytical database for LLM and agent traces.
#[derive(Debug, Parser)]
#[command(
    name = "tracehouse",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
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
    /// Give up a question, a search or a statement for instance, after this time
    #[arg(long, global = true, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 => {
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        }
        _ => Err(format!("{text:?} is no time: seconds above 0 expected")),
    }
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
    Shell(ShellArgs),
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
    /// Judge traces, sessions and records, and compare what was judged
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Watch new traces with registered scorers
    #[command(subcommand)]
    Scorer(ScorerCommand),
    /// Keep versions of prompts, and see how they do
    #[command(subcommand)]
    Prompt(PromptCommand),
    /// Let people judge traces and sessions
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Receive traces by OTLP and answer questions, over HTTP and gRPC
    Serve(ServeArgs),
    /// Let an assistant ask, by MCP on standard input and output
    Mcp(McpArgs),
    /// Make a token of a server, and its line of the token file
    Token(TokenArgs),
    /// Merge small segments
    Compact(DbArgs),
    /// Look for damage; exit code 1 when there is some
    Check(CheckArgs),
    /// Say what a repair would do, or do it
    Repair(RepairArgs),
    /// Make a consistent copy, also while another process writes
    Backup(BackupArgs),
    /// Delete the traces that limits of age, number or size do not keep
    Retain(RetainArgs),
    /// Write the tables as Parquet files
    Export(ExportArgs),
    /// Show or set what tokens cost where producers send no cost
    Prices(PricesArgs),
    /// Show or set what is taken out of everything before it is written
    Redaction(RedactionArgs),
    /// Write a script that completes commands and options in a shell
    Completions(CompletionsArgs),
    /// Write the manual page: tracehouse man > tracehouse.1
    Man,
}

/// For which shell.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

/// Just a database.
#[derive(Debug, Clone, Args)]
pub struct DbArgs {
    /// The database's folder
    pub db: PathBuf,
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
        for line in [
            ["--json", "stats", "a.traces"],
            ["stats", "a.traces", "--json"],
        ] {
            assert!(parse(&line).unwrap().global.json);
        }
        assert_eq!(
            parse(&["stats", "a", "--memory-limit", "1kb"])
                .unwrap()
                .global
                .memory_limit,
            Some(1000)
        );
    }

    #[test]
    fn queries_may_begin_with_a_dash() {
        let Command::Text(text) = parse(&["text", "a.traces", "-test", "--limit", "3"])
            .unwrap()
            .command
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

//! The arguments of commands that look after a database.

use std::path::PathBuf;

use clap::Args;

use crate::output::units::parse_bytes;

#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Look at every byte and row, and at the indexes
    #[arg(long)]
    pub deep: bool,
}

#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The database's folder
    pub db: PathBuf,
    /// The copy's folder; must be new or empty
    pub dest: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Where traces.parquet, spans.parquet and assessments.parquet go
    pub dir: PathBuf,
    /// Only traces that match
    #[arg(
        long = "where",
        value_name = "FILTER",
        default_value = "",
        hide_default_value = true
    )]
    pub filter: String,
}

#[derive(Debug, Clone, Args)]
pub struct RetainArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Only in this experiment; in each one when left out
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
    /// Traces that began longer ago go: such as 90m, 12h, 30d or 4w
    #[arg(long, value_name = "AGE", value_parser = parse_age_ms)]
    pub max_age: Option<u64>,
    /// At most so many traces stay, the newest
    #[arg(long, value_name = "N")]
    pub max_traces: Option<u64>,
    /// At most so much stays, the newest: such as 10GB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub max_size: Option<usize>,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Without options: shows what is redacted.
#[derive(Debug, Clone, Args)]
pub struct RedactionArgs {
    /// The database's folder; created when there is none and something is set
    pub db: PathBuf,
    /// Values under well-known names: authorization, cookie, api_key, password and the like
    #[arg(long, value_name = "on|off", value_parser = parse_switch)]
    pub names: Option<bool>,
    /// API keys and tokens of well-known shapes, bearer tokens and private keys in texts
    #[arg(long, value_name = "on|off", value_parser = parse_switch)]
    pub secrets: Option<bool>,
    /// E-mail addresses in texts
    #[arg(long, value_name = "on|off", value_parser = parse_switch)]
    pub emails: Option<bool>,
    /// Payment card numbers
    #[arg(long, value_name = "on|off", value_parser = parse_switch)]
    pub cards: Option<bool>,
    /// One more name of secret values
    #[arg(long, value_name = "KEY")]
    pub deny: Vec<String>,
    /// One more key whose values are never touched
    #[arg(long, value_name = "KEY")]
    pub allow: Vec<String>,
    /// One more pattern, a regular expression; [REDACTED:NAME] stands for what it matches
    #[arg(long, value_name = "NAME=PATTERN", value_parser = parse_rule)]
    pub rule: Vec<(String, String)>,
    /// Forget names, patterns and callback set before; nothing is redacted but what is asked for now
    #[arg(long)]
    pub clear: bool,
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text:?}: on or off expected")),
    }
}

fn parse_rule(text: &str) -> Result<(String, String), String> {
    let (name, pattern) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: NAME=PATTERN expected"))?;
    Ok((name.to_string(), pattern.to_string()))
}

/// Milliseconds of a number with a unit.
pub(super) fn parse_age_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?}: a number and s, m, h, d or w expected, such as 30d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..) {
        Some("s") => 1_000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        Some("d") => 86_400_000,
        Some("w") => 604_800_000,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).ok_or_else(wrong)
}

#[derive(Debug, Clone, Args)]
pub struct RepairArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Do it; otherwise only what would be done and lost is said
    #[arg(long)]
    pub apply: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        assert_eq!(parse_age_ms("30d"), Ok(30 * 86_400_000));
        assert_eq!(parse_age_ms("90m"), Ok(5_400_000));
        for wrong in ["", "d", "30", "3.5d", "-1d", "30x", "99999999999999999w"] {
            assert!(parse_age_ms(wrong).is_err(), "{wrong}");
        }
    }
}

//! What came of the statements: verdicts, counts, and what has no explanation.

use std::collections::BTreeMap;
use std::time::Duration;

use super::known;
use super::{Outcome, Question, are_same};

/// How many refusals of one kind are made smaller and shown.
const REFUSALS_MAX: usize = 4;
/// How many differences of one kind are.
const DIFFERENCES_MAX: usize = 30;
/// How many kinds are.
const KINDS_MAX: usize = 60;

/// What a statement showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// We say what DuckDB says.
    Same,
    /// DuckDB has no answer: the statement asks nothing.
    Invalid,
    /// We refuse what DuckDB answers; the message without its particulars.
    Refused(String),
    /// We differ from DuckDB; whether SQLite, if asked, is with us.
    Differs(Option<bool>),
    /// SQLite alone differs.
    SqliteAlone,
}

impl Verdict {
    pub fn of(
        question: &Question,
        ours: &Outcome,
        duckdb: &Outcome,
        sqlite: Option<&Outcome>,
    ) -> Self {
        let Outcome::Rows(right) = duckdb else {
            return Verdict::Invalid;
        };
        let rows = match ours {
            Outcome::Error(message) => {
                return Verdict::Refused(known::without_particulars(message));
            }
            Outcome::Rows(rows) => rows,
        };
        let sqlite = sqlite.and_then(Outcome::rows);
        let with_us = sqlite.map(|sqlite| are_same(rows, sqlite, question.is_ordered));
        match (are_same(rows, right, question.is_ordered), with_us) {
            (false, with_us) => Verdict::Differs(with_us),
            (true, Some(false)) => Verdict::SqliteAlone,
            (true, _) => Verdict::Same,
        }
    }

    fn name(&self) -> String {
        match self {
            Verdict::Same => "the same".to_string(),
            Verdict::Invalid => "no answer from DuckDB".to_string(),
            Verdict::Refused(message) => format!("refused: {message}"),
            Verdict::Differs(None) => "differs from DuckDB".to_string(),
            Verdict::Differs(Some(true)) => "DuckDB differs from us and SQLite".to_string(),
            Verdict::Differs(Some(false)) => "differs from DuckDB and SQLite".to_string(),
            Verdict::SqliteAlone => "SQLite alone differs".to_string(),
        }
    }
}

/// A statement made as small as it goes, with all answers.
pub struct Small {
    pub question: Question,
    pub verdict: Verdict,
    pub ours: Outcome,
    pub duckdb: Outcome,
    pub sqlite: Option<Outcome>,
}

/// Counts, and findings by kind.
#[derive(Default)]
pub struct Report {
    counts: BTreeMap<String, u64>,
    known: BTreeMap<&'static str, u64>,
    with_sqlite: u64,
    slowest: Option<(Duration, String)>,
    findings: BTreeMap<String, Vec<String>>,
    /// Statements that had no explanation as they were.
    unexplained: u64,
}

impl Report {
    /// Counts a verdict; says so when it needs an explanation, which a smaller statement may give.
    pub fn count(
        &mut self,
        place: &str,
        took: Duration,
        question: &Question,
        verdict: &Verdict,
    ) -> Option<Verdict> {
        self.with_sqlite += u64::from(question.sqlite.is_some());
        if self
            .slowest
            .as_ref()
            .is_none_or(|(slowest, _)| took > *slowest)
        {
            self.slowest = Some((took, format!("{place}: {}", question.ours)));
        }
        let kind = match verdict {
            Verdict::Refused(_) => "refused".to_string(),
            other => other.name(),
        };
        *self.counts.entry(kind).or_default() += 1;
        match verdict {
            Verdict::Same | Verdict::Invalid => return None,
            _ => {}
        }
        if let Some(name) = known::explains(question, verdict) {
            *self.known.entry(name).or_default() += 1;
            return None;
        }
        let found = self.findings.get(&verdict.name()).map_or(0, Vec::len);
        let most = match verdict {
            Verdict::Refused(_) => REFUSALS_MAX,
            _ => DIFFERENCES_MAX,
        };
        self.unexplained += 1;
        (found < most && self.findings.len() < KINDS_MAX).then(|| verdict.clone())
    }

    /// Adds what became of a statement that needed an explanation.
    pub fn add(&mut self, place: &str, small: Small) {
        if let Some(name) = known::explains(&small.question, &small.verdict) {
            *self.known.entry(name).or_default() += 1;
            self.unexplained -= 1;
            return;
        }
        let sqlite = small
            .sqlite
            .map_or("not asked".to_string(), |outcome| outcome.shown());
        let text = format!(
            "  {place}\n    ours    {}\n    DuckDB  {}\n    SQLite  {}\n    ours:   {}\n    DuckDB: {}\n    SQLite: {sqlite}\n    apart:  {}",
            small.question.ours,
            small.question.duckdb,
            small.question.sqlite.as_deref().unwrap_or("-"),
            small.ours.shown(),
            small.duckdb.shown(),
            small.ours.apart(&small.duckdb),
        );
        self.findings
            .entry(small.verdict.name())
            .or_default()
            .push(text);
    }

    pub fn summary(&self) -> String {
        let mut lines: Vec<String> = self
            .counts
            .iter()
            .map(|(name, count)| format!("  {count:7} {name}"))
            .collect();
        lines.push(format!("  {:7} were put to SQLite, too", self.with_sqlite));
        lines.extend(
            self.known
                .iter()
                .map(|(name, count)| format!("  {count:7} explained: {name}")),
        );
        if let Some((took, what)) = &self.slowest {
            lines.push(format!("  slowest: {:.1} s, {}", took.as_secs_f64(), what));
        }
        lines.join("\n")
    }

    /// Fails when something has no explanation.
    pub fn finish(self) {
        let shown: Vec<String> = self
            .findings
            .iter()
            .map(|(kind, found)| {
                let first: Vec<&str> = found.iter().map(String::as_str).collect();
                format!("{} x {kind}\n{}", found.len(), first.join("\n"))
            })
            .collect();
        let count = self.unexplained;
        assert!(
            count == 0,
            "{count} statements without an explanation:\n{}",
            shown.join("\n")
        );
        let same = self.counts.get("the same").copied().unwrap_or(0);
        let all: u64 = self.counts.values().sum();
        assert!(
            same * 2 > all,
            "only {same} of {all} statements could be compared"
        );
    }
}

//! Retention: which traces of an experiment are kept, by age, number and size.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{ints, text, times};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;

use crate::database::Database;
use crate::error::{Error, Result};

const MS_NS: i64 = 1_000_000;

/// What is kept of an experiment: the newest traces within all the limits given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retention {
    /// The experiment; `None` for each one that no other rule names.
    pub experiment: Option<String>,
    /// Traces that began longer ago go.
    pub max_age_ms: Option<u64>,
    /// At most so many traces stay.
    pub max_traces: Option<u64>,
    /// At most so many bytes stay: a trace counts its share of the files of its segment, by spans.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// A rule without limits, for every experiment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only for this experiment.
    pub fn experiment(mut self, id: impl Into<String>) -> Self {
        self.experiment = Some(id.into());
        self
    }

    /// Traces that began longer ago go.
    pub fn max_age_ms(mut self, ms: u64) -> Self {
        self.max_age_ms = Some(ms);
        self
    }

    /// At most so many traces stay.
    pub fn max_traces(mut self, count: u64) -> Self {
        self.max_traces = Some(count);
        self
    }

    /// At most so many bytes stay.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:",
            self.experiment.as_deref().unwrap_or("every experiment")
        )?;
        let limits = [
            ("age ms", self.max_age_ms),
            ("traces", self.max_traces),
            ("bytes", self.max_bytes),
        ];
        for (name, limit) in limits
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)))
        {
            write!(f, " {name} <= {limit}")?;
        }
        Ok(())
    }
}

/// What retention deleted, or would delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetentionReport {
    /// Whether it was only computed.
    pub dry_run: bool,
    /// Traces deleted, by experiment.
    pub deleted: BTreeMap<String, u64>,
    /// Their ids, oldest first within their experiment.
    pub trace_ids: Vec<String>,
    /// Traces that stay.
    pub kept: u64,
}

/// A trace as retention sees it.
struct Candidate {
    time_ns: i64,
    id: String,
    bytes: f64,
}

impl Database {
    /// Deletes the traces that the rules do not keep, as [`Database::delete_traces`] does; with `dry_run`, only
    /// says which. Datasets keep the records made from them.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{Retention, TraceStart};
    /// let started = |id: &str, ms: i64| TraceStart::new(id, ms * 1_000_000).state("OK");
    /// db.start_traces(&[started("a", 1), started("b", 2), started("c", 3)])?;
    /// let report = db.retain(&[Retention::new().max_traces(2)], false)?;
    /// assert_eq!(report.trace_ids, ["a"]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a rule without a limit, or two for one experiment; `Io` or `Closed` from writing.
    pub fn retain(&self, rules: &[Retention], dry_run: bool) -> Result<RetentionReport> {
        check_rules(rules)?;
        let _alone = self.change_alone();
        let now_ms = self.store().env().now_ns().div_euclid(MS_NS);
        let mut report = RetentionReport {
            dry_run,
            ..RetentionReport::default()
        };
        for (experiment, mut traces) in candidates(&self.snapshot()?)? {
            let own = rules
                .iter()
                .find(|rule| rule.experiment.as_deref() == Some(experiment.as_str()));
            let Some(rule) = own.or_else(|| rules.iter().find(|rule| rule.experiment.is_none()))
            else {
                report.kept += traces.len() as u64;
                continue;
            };
            traces.sort_by(|a, b| (b.time_ns, &b.id).cmp(&(a.time_ns, &a.id)));
            let kept = kept(rule, &traces, now_ms);
            report.kept += kept as u64;
            let expired = traces.split_off(kept);
            if !expired.is_empty() {
                report.deleted.insert(experiment, expired.len() as u64);
                report
                    .trace_ids
                    .extend(expired.into_iter().rev().map(|trace| trace.id));
            }
        }
        if !dry_run && !report.trace_ids.is_empty() {
            self.store().delete_traces(report.trace_ids.clone())?;
        }
        Ok(report)
    }

    /// Applies the rules of the settings, if there are some.
    pub(crate) fn retain_by_settings(&self) -> Result<()> {
        match self.settings().retention.as_slice() {
            [] => Ok(()),
            rules => self.retain(rules, false).map(drop),
        }
    }
}

fn check_rules(rules: &[Retention]) -> Result<()> {
    for (at, rule) in rules.iter().enumerate() {
        let of = rule
            .experiment
            .as_ref()
            .map_or("every experiment".to_string(), |id| {
                format!("experiment {id:?}")
            });
        if rule.max_age_ms.is_none() && rule.max_traces.is_none() && rule.max_bytes.is_none() {
            return Err(Error::invalid_input(format!(
                "the retention of {of} has no limit: an age, a number of traces or a size is needed"
            )));
        }
        if rules
            .iter()
            .take(at)
            .any(|other| other.experiment == rule.experiment)
        {
            return Err(Error::invalid_input(format!(
                "the retention of {of} is given twice"
            )));
        }
    }
    Ok(())
}

/// How many of the traces, newest first, are within the limits.
fn kept(rule: &Retention, traces: &[Candidate], now_ms: i64) -> usize {
    let oldest_ns = rule.max_age_ms.map(|age| {
        now_ms
            .saturating_sub(i64::try_from(age).unwrap_or(i64::MAX))
            .saturating_mul(MS_NS)
    });
    let (mut count, mut bytes) = (0, 0.0);
    for trace in traces {
        bytes += trace.bytes;
        let too_old = oldest_ns.is_some_and(|oldest| trace.time_ns < oldest);
        let too_many = rule.max_traces.is_some_and(|max| count as u64 >= max);
        let too_large = rule.max_bytes.is_some_and(|max| bytes > max as f64);
        if too_old || too_many || too_large {
            break;
        }
        count += 1;
    }
    count
}

/// All traces by experiment.
fn candidates(snapshot: &Snapshot) -> Result<BTreeMap<String, Vec<Candidate>>> {
    let columns = ["trace_id", "experiment_id", "request_time", "span_count"];
    let mut found: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for (index, source) in snapshot.sources().iter().enumerate() {
        let files = source.segment().map(|segment| {
            segment
                .meta()
                .files
                .iter()
                .map(|file| file.len)
                .sum::<u64>()
        });
        let bytes = files.unwrap_or_else(|| source.memory_bytes()) as f64;
        let bytes_a_span = bytes / f64::from(source.rows(Table::Spans).max(1));
        for batch in snapshot.scan(index, Table::Traces, &ScanRequest::columns(columns))? {
            let batch = batch?;
            let (ids, experiments) = (text(&batch, "trace_id")?, text(&batch, "experiment_id")?);
            let (starts, spans) = (times(&batch, "request_time")?, ints(&batch, "span_count")?);
            for row in 0..batch.num_rows() {
                found
                    .entry(experiments.value(row).to_string())
                    .or_default()
                    .push(Candidate {
                        time_ns: starts.value(row),
                        id: ids.value(row).to_string(),
                        bytes: bytes_a_span * spans.value(row) as f64,
                    });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(ms: i64, bytes: f64) -> Candidate {
        Candidate {
            time_ns: ms * MS_NS,
            id: ms.to_string(),
            bytes,
        }
    }

    #[test]
    fn the_strictest_limit_counts() {
        let traces = [
            trace(90, 10.0),
            trace(80, 10.0),
            trace(50, 10.0),
            trace(10, 10.0),
        ];
        let kept = |rule: Retention| super::kept(&rule, &traces, 100);
        assert_eq!(kept(Retention::new().max_age_ms(20)), 2);
        assert_eq!(kept(Retention::new().max_age_ms(20).max_traces(1)), 1);
        assert_eq!(kept(Retention::new().max_traces(9)), 4);
        assert_eq!(kept(Retention::new().max_bytes(30)), 3);
        assert_eq!(kept(Retention::new().max_bytes(29)), 2);
        assert_eq!(kept(Retention::new().max_traces(0)), 0);
        assert_eq!(kept(Retention::new().max_age_ms(u64::MAX)), 4);
    }

    #[test]
    fn rules_need_a_limit_and_an_experiment_of_their_own() {
        assert!(check_rules(&[Retention::new()]).is_err());
        let rule = Retention::new().max_traces(1);
        assert!(check_rules(&[rule.clone(), rule.clone()]).is_err());
        assert!(check_rules(&[rule.clone(), rule.experiment("0")]).is_ok());
    }
}

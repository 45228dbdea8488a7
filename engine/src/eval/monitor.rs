//! Registered scorers: what production is watched with. Each collects its scores in one run, which goes on with the
//! traces that came since; a new version begins a run of its own.
//!
//! A trace is in the sample or not by its id alone, so that a rate that grows keeps what it had, and every process
//! chooses the same.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracehouse_query::search::Search;
use twox_hash::XxHash3_64;

use super::info::EvalRun;
use super::items::{Items, Selection};
use super::judging::EvalScorer;
use super::options::{EvalOptions, EvalSource};
use super::run::judged_keys;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::filters::join_filters;
use crate::stored_setting;

/// The setting that has them.
const NAME: &str = "registered scorers";
/// What is in progress has no outputs yet.
const ENDED: &str = "state != 'IN_PROGRESS'";

/// A scorer that watches production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegisteredScorer {
    /// The name of its scores; one of a name is registered.
    pub name: String,
    /// Changes when the same trace may get another score.
    pub version: String,
    /// What it is and with what settings.
    pub definition: Value,
    /// The traces that it judges; empty for all.
    pub filter: String,
    /// The share of them that it judges, above 0 up to 1.
    pub sample_rate: f64,
    /// Whether it judges new traces.
    pub active: bool,
    /// Unix nanoseconds.
    pub registered_at_ns: i64,
}

/// What is to be done for a registered scorer, or was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MonitorReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The run that collects its scores; `None` before its first trace.
    pub run_id: Option<String>,
    /// Traces of its sample without a score.
    pub waiting: u64,
    /// Traces with one.
    pub judged: u64,
    /// Of these, how many are errors.
    pub errors: u64,
    /// What it cost so far, in US dollars.
    pub cost_usd: Option<f64>,
    /// What the waiting ones will cost, judged by the others.
    pub waiting_cost_usd: Option<f64>,
}

impl Database {
    /// Registers a scorer, in the place of the one of its name. It judges nothing by itself:
    /// [`run_registered`](Self::run_registered) does.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::eval::{EvalOptions, rule};
    /// use tracehouse::TraceStart;
    /// db.register_scorer(&rule("latency_ms:500")?, "", 1.0)?;
    /// db.start_trace(&TraceStart::new("t", 0).state("OK").duration_ns(9))?;
    /// let reports = db.run_registered(&EvalOptions::new(), |_| rule("latency_ms:500"))?;
    /// assert_eq!((reports[0].judged, reports[0].waiting), (1, 0));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter or rate, `Io` or `Closed` from writing.
    pub fn register_scorer(
        &self,
        scorer: &EvalScorer,
        filter: &str,
        sample_rate: f64,
    ) -> Result<RegisteredScorer> {
        if !(sample_rate > 0.0 && sample_rate <= 1.0) {
            return Err(Error::invalid_input(format!(
                "sample rate {sample_rate}: above 0 up to 1 expected"
            )));
        }
        self.count_traces(&Search::new(filter))?;
        #[cfg(feature = "sql")]
        super::sql_scorer::check(
            self,
            std::slice::from_ref(scorer),
            &EvalSource::Traces(Search::new(filter)),
        )?;
        let registered = RegisteredScorer {
            name: scorer.name().to_string(),
            version: scorer.version().to_string(),
            definition: scorer.definition(),
            filter: filter.to_string(),
            sample_rate,
            active: true,
            registered_at_ns: self.store().env().now_ns(),
        };
        self.change_registered(|all| {
            all.retain(|one| one.name != registered.name);
            all.push(registered.clone());
            all.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(())
        })?;
        Ok(registered)
    }

    /// The registered scorers by name.
    ///
    /// # Errors
    /// `InvalidInput` when a newer version stored them.
    pub fn registered_scorers(&self) -> Result<Vec<RegisteredScorer>> {
        match stored_setting::read(self.reading()?.catalog(), NAME) {
            None => Ok(Vec::new()),
            Some(stored) => serde_json::from_value(stored).map_err(|error| {
                Error::invalid_input(format!(
                    "the registered scorers are not understood: {error}"
                ))
            }),
        }
    }

    /// Starts or stops a registered scorer.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn set_scorer_active(&self, name: &str, active: bool) -> Result<()> {
        self.change_registered(|all| {
            let found = all.iter_mut().find(|one| one.name == name);
            found.ok_or_else(|| not_registered(name))?.active = active;
            Ok(())
        })
    }

    /// Forgets a registered scorer; its scores stay.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn delete_registered_scorer(&self, name: &str) -> Result<()> {
        self.change_registered(|all| {
            let before = all.len();
            all.retain(|one| one.name != name);
            match all.len() < before {
                true => Ok(()),
                false => Err(not_registered(name)),
            }
        })
    }

    /// What each registered scorer has done, and what waits for it.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn registered_reports(&self) -> Result<Vec<MonitorReport>> {
        let registered = self.registered_scorers()?;
        registered.iter().map(|one| self.report(one)).collect()
    }

    /// Lets each active registered scorer judge what waits for it, all of history included. `make` makes a scorer of
    /// its definition.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn run_registered(
        &self,
        options: &EvalOptions,
        make: impl Fn(&RegisteredScorer) -> Result<EvalScorer>,
    ) -> Result<Vec<MonitorReport>> {
        let mut failed = None;
        for one in self.registered_scorers()?.iter().filter(|one| one.active) {
            match self.run_one(one, options, &make) {
                // One that cannot judge keeps no other from it.
                Err(error) if error.kind() != ErrorKind::Cancelled => {
                    failed.get_or_insert(error);
                }
                done => done?,
            }
        }
        failed.map_or(Ok(()), Err)?;
        self.registered_reports()
    }

    fn run_one(
        &self,
        one: &RegisteredScorer,
        options: &EvalOptions,
        make: &impl Fn(&RegisteredScorer) -> Result<EvalScorer>,
    ) -> Result<()> {
        let scorers = [make(one)?];
        let source = source_of(one)?;
        let selection = Selection::sampled(&one.name, one.sample_rate);
        match self.run_of(one)? {
            Some(run) => {
                self.continue_eval(&run.run_id, &source, &scorers, options, &selection)?;
            }
            None => {
                let monitor = Some(one.name.clone());
                self.start_eval(&source, &scorers, options, monitor, &selection)?;
            }
        }
        Ok(())
    }

    fn report(&self, one: &RegisteredScorer) -> Result<MonitorReport> {
        let run = self.run_of(one)?;
        let mut selection = Selection::sampled(&one.name, one.sample_rate);
        if let Some(run) = &run {
            selection.done = judged_keys(self, &run.run_id)?;
        }
        let waiting = Items::find(self, &source_of(one)?, &selection)?.len() as u64;
        let judged = run.as_ref().map_or(0, |run| run.row_count);
        let cost_usd = run.as_ref().and_then(|run| run.cost_usd);
        Ok(MonitorReport {
            name: one.name.clone(),
            version: one.version.clone(),
            errors: run.as_ref().map_or(0, |run| run.error_count),
            run_id: run.map(|run| run.run_id),
            waiting,
            judged,
            cost_usd,
            waiting_cost_usd: cost_usd
                .filter(|_| judged > 0)
                .map(|cost| cost / judged as f64 * waiting as f64),
        })
    }

    fn run_of(&self, one: &RegisteredScorer) -> Result<Option<EvalRun>> {
        let is_its = |run: &EvalRun| {
            let [scorer] = run.scorers.as_slice() else {
                return false;
            };
            run.monitor.as_ref() == Some(&one.name) && scorer.version == one.version
        };
        Ok(self.eval_runs()?.into_iter().find(is_its))
    }

    fn change_registered(
        &self,
        change: impl FnOnce(&mut Vec<RegisteredScorer>) -> Result<()>,
    ) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let mut all = self.registered_scorers()?;
        change(&mut all)?;
        stored_setting::write(self.store(), NAME, &all)?.commit(self.store())
    }
}

fn source_of(one: &RegisteredScorer) -> Result<EvalSource> {
    let filter = join_filters(&[&one.filter, ENDED])?;
    Ok(EvalSource::Traces(Search::new(filter)))
}

fn not_registered(name: &str) -> Error {
    Error::not_found(format!("no scorer {name:?} is registered"))
}

impl Selection {
    /// A share of the traces, told by their ids.
    pub(super) fn sampled(seed: &str, rate: f64) -> Self {
        Self {
            done: HashSet::new(),
            calls: HashSet::new(),
            sample: (rate < 1.0).then(|| (XxHash3_64::oneshot(seed.as_bytes()), rate)),
        }
    }

    /// Whether a trace is in the sample.
    pub(super) fn has(&self, trace_id: &str) -> bool {
        let Some((seed, rate)) = self.sample else {
            return true;
        };
        let number = XxHash3_64::oneshot_with_seed(seed, trace_id.as_bytes());
        (number as f64) < rate * u64::MAX as f64
    }
}

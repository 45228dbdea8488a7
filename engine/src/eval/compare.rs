//! Two runs, paired by item, and two groups of traces, such as those of two versions of an application.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tracehouse_eval::statistics::{
    Better, Comparison, GroupNumbers, GroupQuantiles, GroupRates, StatisticsSettings,
    compare_group_numbers, compare_group_quantile, compare_group_rates, compare_runs,
};
use tracehouse_eval::{Score, ScoreError};
use tracehouse_query::search::{self, Search};
use tracehouse_storage::columns::{text, text_at};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use super::chunk::facts_of_rows;
use super::info::EvalRun;
use super::part::ScoreRow;
use super::report::{Outcome, statistics};
use crate::database::Database;
use crate::error::Result;

/// Scorers whose lower numbers are better.
const LOWER_IS_BETTER: [&str; 4] = ["latency_ms", "tokens", "cost_usd", "max_words"];
/// Quantiles of latency that groups are compared by.
const QUANTILES: [f64; 2] = [0.5, 0.95];

/// Two runs over the same items, scorer by scorer. Differences are those of `b` against `a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvalComparison {
    /// The run before.
    pub a: EvalRun,
    /// The run after.
    pub b: EvalRun,
    /// Those scorers that both have, in the order of `a`.
    pub scorers: Vec<Comparison<String>>,
    /// Names of scorers that only one of them has.
    pub unpaired: Vec<String>,
}

/// Two groups of traces. Differences are those of `b` against `a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupComparison {
    /// Traces of each.
    pub counts: (u64, u64),
    /// Traces with the state `ERROR`, of those of each.
    pub errors: GroupRates,
    /// Nanoseconds from start to end.
    pub duration_ns: GroupNumbers,
    /// The median and the 95th percentile of these.
    pub duration_quantiles: Vec<GroupQuantiles>,
    /// Tokens.
    pub total_tokens: GroupNumbers,
    /// US dollars.
    pub cost_usd: GroupNumbers,
    /// Feedback with numbers, by name.
    pub numbers: BTreeMap<String, GroupNumbers>,
    /// Feedback that is true or false, by name.
    pub verdicts: BTreeMap<String, GroupRates>,
}

impl Database {
    /// Compares two runs item by item: only items that both judged count, and each is told what became of it. What those
    /// that got worse answered in either is at [`eval_outputs`](Self::eval_outputs).
    ///
    /// # Errors
    /// As [`eval_scores`](Self::eval_scores).
    pub fn compare_evals(&self, a: &str, b: &str) -> Result<EvalComparison> {
        let ((a, _), (b, _)) = (self.find_run(a)?, self.find_run(b)?);
        let (of_a, of_b) = (
            outcomes(&self.eval_scores(&a.run_id)?)?,
            outcomes(&self.eval_scores(&b.run_id)?)?,
        );
        let mut scorers = Vec::new();
        for scorer in a.scorers.iter().filter(|one| of_b.contains_key(&one.name)) {
            let kind = scorer.definition.get("kind").and_then(|kind| kind.as_str());
            let better = match kind.is_some_and(|kind| LOWER_IS_BETTER.contains(&kind)) {
                true => Better::Lower,
                false => Better::Higher,
            };
            let of = |run| refs(run, &scorer.name);
            let settings = StatisticsSettings::default();
            let compared = compare_runs(&scorer.name, of(&of_a), of(&of_b), better, &settings);
            scorers.push(compared.map_err(statistics)?);
        }
        let names = |run: &EvalRun| -> BTreeSet<String> {
            run.scorers.iter().map(|one| one.name.clone()).collect()
        };
        let unpaired = names(&a)
            .symmetric_difference(&names(&b))
            .cloned()
            .collect();
        Ok(EvalComparison {
            a,
            b,
            scorers,
            unpaired,
        })
    }

    /// Compares the traces of two filters: how many, errors, latency, tokens, cost, and each feedback, with 95 %
    /// intervals. Groups may overlap; a trace of both counts for both.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{Search, TraceStart};
    /// let trace = |id: &str, state: &str| TraceStart::new(id, 0).state(state).tag("v", &id[..1]);
    /// db.start_traces(&[trace("a1", "OK"), trace("a2", "OK"), trace("b1", "ERROR")])?;
    /// let compared = db.compare_groups(&Search::new("tags.v = 'a'"), &Search::new("tags.v = 'b'"))?;
    /// assert_eq!((compared.counts, compared.errors.passed_b), ((2, 1), 1));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter.
    pub fn compare_groups(&self, a: &Search, b: &Search) -> Result<GroupComparison> {
        let snapshot = self.reading()?;
        let a = Group::found(&snapshot, self.with_datasets(a)?.as_ref())?;
        let b = Group::found(&snapshot, self.with_datasets(b)?.as_ref())?;
        compared(&a, &b).map_err(statistics)
    }
}

/// What each scorer of a run said, by item.
type Outcomes = HashMap<String, Vec<(String, Outcome)>>;

/// What one scorer of a run said.
fn refs<'o>(
    outcomes: &'o Outcomes,
    scorer: &str,
) -> Vec<(String, std::result::Result<&'o Score, &'o ScoreError>)> {
    let own = outcomes.get(scorer).into_iter().flatten();
    own.map(|(item, said)| (item.clone(), said.as_ref()))
        .collect()
}

fn outcomes(rows: &[ScoreRow]) -> Result<Outcomes> {
    let mut by_scorer = Outcomes::new();
    for row in rows {
        let said = (row.item_name(), row.outcome()?);
        by_scorer.entry(row.scorer.clone()).or_default().push(said);
    }
    Ok(by_scorer)
}

impl ScoreRow {
    /// The item as one word: the record, the session, `TRACE/SPAN`, or the trace.
    pub fn item_name(&self) -> String {
        let key = self.item_key();
        match (
            key.dataset_record_id,
            key.session_id,
            key.trace_id,
            key.span_id,
        ) {
            (Some(record), ..) => record,
            (None, Some(session), ..) => session,
            (None, None, Some(trace), Some(span)) => format!("{trace}/{span}"),
            (None, None, trace, _) => trace.unwrap_or_default(),
        }
    }
}

/// The figures of a group of traces.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub count: u64,
    pub errors: u64,
    pub durations_ns: Vec<f64>,
    pub tokens: Vec<f64>,
    pub costs_usd: Vec<f64>,
    /// Feedback with numbers, by name.
    pub numbers: BTreeMap<String, Vec<f64>>,
    /// Feedback that is true, of that which is true or false, by name.
    pub verdicts: BTreeMap<String, (u64, u64)>,
}

impl Group {
    /// The traces of a search.
    fn found(snapshot: &Snapshot, search: &Search) -> Result<Self> {
        let page = search::search(&search.limited(snapshot), search)?;
        Self::read(snapshot, &page.rows, page.trace_ids)
    }

    /// Those of these traces that are there.
    pub fn of(snapshot: &Snapshot, trace_ids: Vec<String>) -> Result<Self> {
        let keys: Vec<TraceKey> = trace_ids.iter().map(|id| TraceKey::of(id)).collect();
        let rows = snapshot.find_traces(&keys)?.into_iter().flatten();
        Self::read(snapshot, &rows.collect::<Vec<_>>(), trace_ids)
    }

    fn read(snapshot: &Snapshot, rows: &[RowRef], trace_ids: Vec<String>) -> Result<Self> {
        let mut group = Self {
            count: rows.len() as u64,
            ..Self::default()
        };
        for fact in facts_of_rows(snapshot, Table::Traces, rows)? {
            group
                .durations_ns
                .extend(fact.duration_ns.map(|ns| ns as f64));
            group
                .tokens
                .extend(fact.total_tokens.map(|tokens| tokens as f64));
            group.costs_usd.extend(fact.cost_usd);
        }
        let states = snapshot.read_rows(Table::Traces, rows, &["state"])?;
        let states = text(&states, "state")?.iter().flatten();
        group.errors = states.filter(|state| *state == "ERROR").count() as u64;
        let ids: HashSet<String> = trace_ids.into_iter().collect();
        if !ids.is_empty() {
            group.read_feedback(snapshot, &ids)?;
        }
        Ok(group)
    }

    fn read_feedback(&mut self, snapshot: &Snapshot, ids: &HashSet<String>) -> Result<()> {
        const COLUMNS: [&str; 5] = ["trace_id", "name", "type", "value", "valid"];
        for source in 0..snapshot.source_count() {
            let request = ScanRequest::columns(COLUMNS);
            for batch in snapshot.scan(source, Table::Assessments, &request)? {
                let batch = batch?;
                let (traces, names) = (text(&batch, "trace_id")?, text(&batch, "name")?);
                let (kinds, values) = (text(&batch, "type")?, text(&batch, "value")?);
                let valid = super::part::booleans(&batch, "valid")?;
                for row in 0..batch.num_rows() {
                    let is_wanted = valid.value(row)
                        && text_at(kinds, row) == Some("feedback")
                        && ids.contains(traces.value(row));
                    if is_wanted {
                        self.add_feedback(names.value(row), values.value(row));
                    }
                }
            }
        }
        Ok(())
    }

    fn add_feedback(&mut self, name: &str, value: &str) {
        match value {
            "true" | "false" => {
                let (passed, count) = self.verdicts.entry(name.to_string()).or_default();
                *passed += u64::from(value == "true");
                *count += 1;
            }
            value => {
                if let Ok(number) = value.parse::<f64>()
                    && number.is_finite()
                {
                    self.numbers
                        .entry(name.to_string())
                        .or_default()
                        .push(number);
                }
            }
        }
    }
}

fn compared(
    a: &Group,
    b: &Group,
) -> std::result::Result<GroupComparison, tracehouse_eval::statistics::StatisticsError> {
    let settings = &StatisticsSettings::default();
    let quantiles = QUANTILES
        .iter()
        .map(|share| compare_group_quantile(&a.durations_ns, &b.durations_ns, *share, settings));
    let mut numbers = BTreeMap::new();
    for name in names(&a.numbers, &b.numbers) {
        let of = |group: &Group| group.numbers.get(&name).cloned().unwrap_or_default();
        numbers.insert(
            name.clone(),
            compare_group_numbers(&of(a), &of(b), settings)?,
        );
    }
    let mut verdicts = BTreeMap::new();
    for name in names(&a.verdicts, &b.verdicts) {
        let of = |group: &Group| group.verdicts.get(&name).copied().unwrap_or_default();
        verdicts.insert(name.clone(), compare_group_rates(of(a), of(b), settings)?);
    }
    Ok(GroupComparison {
        counts: (a.count, b.count),
        errors: compare_group_rates((a.errors, a.count), (b.errors, b.count), settings)?,
        duration_ns: compare_group_numbers(&a.durations_ns, &b.durations_ns, settings)?,
        duration_quantiles: quantiles.collect::<std::result::Result<_, _>>()?,
        total_tokens: compare_group_numbers(&a.tokens, &b.tokens, settings)?,
        cost_usd: compare_group_numbers(&a.costs_usd, &b.costs_usd, settings)?,
        numbers,
        verdicts,
    })
}

fn names<V>(a: &BTreeMap<String, V>, b: &BTreeMap<String, V>) -> BTreeSet<String> {
    a.keys().chain(b.keys()).cloned().collect()
}

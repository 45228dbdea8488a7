//! How much two filters have to do with each other: normalised pointwise mutual information, as
//! MLflow computes it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tracehouse_query::search::{self, Search};
use tracehouse_storage::Snapshot;

use crate::database::Database;
use crate::error::Result;
use crate::filters::join_filters;

/// Added to each cell of the table of counts in the smoothed measure (Jeffreys' prior).
const SMOOTHING: f64 = 0.5;

/// How often two filters match, alone and together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FilterCorrelation {
    /// From -1, never together, over 0, independent, to 1, always together; NaN when a filter
    /// matches nothing.
    pub npmi: f64,
    /// The measure with half a trace added to each of the four cells; NaN when a filter matches nothing.
    pub npmi_smoothed: f64,
    /// Traces that match the first filter.
    pub filter1_count: u64,
    /// Traces that match the second filter.
    pub filter2_count: u64,
    /// Traces that match both.
    pub joint_count: u64,
    /// All traces looked at.
    pub total_count: u64,
}

impl Database {
    /// Compares two filters over the traces of some experiments (`None` = all) that match a base filter
    /// (empty = all).
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::TraceStart;
    /// for (id, state) in [("a", "OK"), ("b", "OK"), ("c", "ERROR"), ("d", "ERROR")] {
    ///     db.start_trace(&TraceStart::new(id, 0).state(state).tag("id", id))?;
    /// }
    /// let related = db.filter_correlation(None, "state = 'OK'", "tags.id = 'a'", "")?;
    /// assert_eq!((related.joint_count, related.npmi), (1, 0.5));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a filter that is wrong.
    pub fn filter_correlation(
        &self,
        experiments: Option<&[String]>,
        filter1: &str,
        filter2: &str,
        base: &str,
    ) -> Result<FilterCorrelation> {
        let snapshot = self.reading()?;
        let scoped = |filters: &[&str]| -> Result<Search> {
            let mut search = Search::new(join_filters(filters)?);
            search.experiments = experiments.map(<[String]>::to_vec);
            Ok(search)
        };
        let total_count =
            search::count(&snapshot, self.with_datasets(&scoped(&[base])?)?.as_ref())?;
        let first = self.ids_of(&snapshot, &scoped(&[base, filter1])?)?;
        let second = self.ids_of(&snapshot, &scoped(&[base, filter2])?)?;
        Ok(FilterCorrelation::of(Counts {
            joint: first.intersection(&second).count() as u64,
            first: first.len() as u64,
            second: second.len() as u64,
            total: total_count,
        }))
    }

    /// The ids of all traces that a search finds in a snapshot.
    pub(crate) fn ids_of(&self, snapshot: &Snapshot, search: &Search) -> Result<HashSet<String>> {
        let page = search::search(snapshot, self.with_datasets(search)?.as_ref())?;
        Ok(page.trace_ids.into_iter().collect())
    }
}

struct Counts {
    joint: u64,
    first: u64,
    second: u64,
    total: u64,
}

impl FilterCorrelation {
    fn of(counts: Counts) -> Self {
        let Counts {
            joint,
            first,
            second,
            total,
        } = counts;
        let (npmi, npmi_smoothed) = if first == 0 || second == 0 || total == 0 {
            (f64::NAN, f64::NAN)
        } else {
            let [n11, n10, n01] = [
                joint,
                first.saturating_sub(joint),
                second.saturating_sub(joint),
            ];
            let n00 = total.saturating_sub(n11 + n10 + n01);
            let cells = [n11, n10, n01, n00].map(|count| count as f64);
            (
                if joint == 0 { -1.0 } else { npmi(cells) },
                // Nothing is left to be smoothed where both always match.
                if joint == total {
                    1.0
                } else {
                    npmi(cells.map(|count| count + SMOOTHING))
                },
            )
        };
        Self {
            npmi,
            npmi_smoothed,
            filter1_count: first,
            filter2_count: second,
            joint_count: joint,
            total_count: total,
        }
    }
}

/// The measure of a table of counts: both, only the first, only the second, neither.
fn npmi([n11, n10, n01, n00]: [f64; 4]) -> f64 {
    let total = n11 + n10 + n01 + n00;
    if n11 == total {
        return 1.0;
    }
    let mutual = (n11.ln() + total.ln()) - ((n11 + n10).ln() + (n11 + n01).ln());
    (mutual / -(n11.ln() - total.ln())).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(joint: u64, first: u64, second: u64, total: u64) -> (f64, f64) {
        let found = FilterCorrelation::of(Counts {
            joint,
            first,
            second,
            total,
        });
        (found.npmi, found.npmi_smoothed)
    }

    #[test]
    fn the_measure_is_mlflows() {
        let (npmi, smoothed) = measure(1, 2, 1, 4);
        assert!((npmi - 0.5).abs() < 1e-12 && (smoothed - 0.292_481_250_360_578).abs() < 1e-12);
        assert_eq!(measure(0, 2, 1, 4).0, -1.0);
        assert_eq!(measure(3, 3, 3, 3), (1.0, 1.0));
        assert!(measure(0, 2, 1, 4).1 > -1.0);
        for (first, second, total) in [(0, 1, 4), (1, 0, 4), (0, 0, 0)] {
            let (npmi, smoothed) = measure(0, first, second, total);
            assert!(npmi.is_nan() && smoothed.is_nan());
        }
    }
}

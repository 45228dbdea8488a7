//! Groups of values, and the points they become.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::query::{Aggregation, MetricQuery};

/// One result: the values of the aggregations in one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// The metric.
    pub metric: String,
    /// `time_bucket` (ISO 8601, when there is an interval), then the dimensions in the order asked for.
    pub dimensions: Vec<(String, String)>,
    /// The values in the order asked for, by [`Aggregation::label`].
    pub values: Vec<(String, f64)>,
}

/// The values of one group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub numbers: Vec<f64>,
    pub count: u64,
    pub sessions: HashSet<String>,
}

/// Time bucket in seconds, and dimensions.
pub(super) type GroupKey = (Option<i64>, Vec<String>);

/// The points of the groups, in order.
pub(super) fn points(groups: BTreeMap<GroupKey, Group>, query: &MetricQuery) -> Vec<MetricPoint> {
    let aggregations = query.aggregations_or_default();
    let mut points = Vec::new();
    for ((bucket, names), mut group) in groups {
        if points.len() == query.max_results {
            break;
        }
        let bucket = bucket.map(|seconds| ("time_bucket".to_string(), iso_8601(seconds)));
        let dimensions = query.dimensions.iter().cloned().zip(names);
        group.numbers.sort_by(f64::total_cmp);
        points.push(MetricPoint {
            metric: query.metric.clone(),
            dimensions: bucket.into_iter().chain(dimensions).collect(),
            values: aggregations
                .iter()
                .map(|how| (how.label(), group.value(how)))
                .collect(),
        });
    }
    points
}

impl Group {
    /// The numbers, sorted, as one.
    fn value(&self, how: &Aggregation) -> f64 {
        let numbers = &self.numbers;
        let sum = || numbers.iter().sum::<f64>();
        match how {
            Aggregation::Count if self.sessions.is_empty() => self.count as f64,
            Aggregation::Count => self.sessions.len() as f64,
            Aggregation::Sum => sum(),
            Aggregation::Avg => sum() / numbers.len() as f64,
            Aggregation::Min => numbers.first().copied().unwrap_or(f64::NAN),
            Aggregation::Max => numbers.last().copied().unwrap_or(f64::NAN),
            Aggregation::Percentile(percent) => percentile(numbers, *percent),
        }
    }
}

/// Linear interpolation between the two nearest of the sorted numbers, as numpy computes it.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len().saturating_sub(1)) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(low), Some(high)) if part >= 0.5 => high - (high - low) * (1.0 - part),
        (Some(low), Some(high)) => low + (high - low) * part,
        (Some(last), None) => *last,
        _ => f64::NAN,
    }
}

/// `1970-01-01T00:00:01+00:00`.
fn iso_8601(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years: then leap days come last in their year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}+00:00",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated() {
        let numbers = [1.0, 2.0, 4.0, 8.0];
        for (percent, want) in [
            (0.0, 1.0),
            (50.0, 3.0),
            (100.0, 8.0),
            (25.0, 1.75),
            (90.0, 6.8),
        ] {
            assert!(
                (percentile(&numbers, percent) - want).abs() < 1e-12,
                "{percent}"
            );
        }
        assert_eq!(percentile(&[5.0], 99.9), 5.0);
        assert!(percentile(&[], 50.0).is_nan());
    }

    #[test]
    fn times_are_iso_8601() {
        for (seconds, text) in [
            (1, "1970-01-01T00:00:01+00:00"),
            (-1, "1969-12-31T23:59:59+00:00"),
            (951_782_400, "2000-02-29T00:00:00+00:00"),
            (1_709_251_199, "2024-02-29T23:59:59+00:00"),
            (4_107_542_400, "2100-03-01T00:00:00+00:00"),
        ] {
            assert_eq!(iso_8601(seconds), text);
        }
    }
}

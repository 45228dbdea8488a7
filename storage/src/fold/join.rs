//! Joining log records to their span, whatever comes first.
//!
//! The row of a span holds both: its own events, then the records' by time, and at the end of `extra` a mark that
//! says how many they are. So a row can be taken apart again into the span as it was sent and the records, and the
//! join of two rows, or of a row and records, does not depend on repeats, nor on their order but for records of one
//! time: those stay as they came, which is how a producer with a coarse clock told them. A record that came twice at
//! once was said twice; one that comes again was sent again.
//!
//! While records are there and their span is not, a row *stands in* for it: it has no parent that could be
//! known, its times are those of the records, and its mark says so. The span takes its place when it comes.
//!
//! What the records say in typed columns is not known here: [`Refill`] makes those anew from a joined row.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{Event, Fragment, Span};

/// Fills the typed columns of a span anew, of whose events so many at the end are log records.
pub type Refill = fn(&mut Span, usize);

/// Leaves the columns as they are: for stores that only look after rows.
pub(crate) fn keep_columns(_: &mut Span, _: usize) {}

/// The parent of a span that is not there: no span has this id.
pub const UNKNOWN_PARENT: &str = "0000000000000000";

/// What the mark begins with, as the last member of `extra`.
const MARK: &str = "\"log_records\":{";

/// What the mark says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMark {
    /// How many of the events, at the end, are log records.
    pub count: usize,
    /// Whether the span itself is not there.
    pub stands_in: bool,
}

impl LogMark {
    /// The mark in an `extra`, if there is one.
    pub fn of(extra: Option<&str>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members {
            log_records: Option<LogMark>,
        }
        let extra = extra.filter(|text| text.contains(MARK))?;
        serde_json::from_str::<Members>(extra).ok()?.log_records
    }
}

/// A row taken apart.
pub(crate) struct Parts {
    /// The span as it was sent; for a row that stands in, what it was made with.
    pub span: Span,
    pub records: Vec<Event>,
    pub stands_in: bool,
}

impl Parts {
    pub(crate) fn of(mut span: Span) -> Self {
        let Some(mark) = LogMark::of(span.extra.as_deref()) else {
            return Self {
                span,
                records: Vec::new(),
                stands_in: false,
            };
        };
        let own = span.events.len().saturating_sub(mark.count);
        let records = span.events.split_off(own);
        span.extra = span.extra.as_deref().and_then(without_mark);
        Self {
            span,
            records,
            stands_in: mark.stands_in,
        }
    }

    /// A row that stands in for the span of records.
    pub(crate) fn standing_in(fragment: Fragment) -> Self {
        let span = Span {
            trace_id: fragment.trace_id,
            span_id: fragment.span_id,
            parent_span_id: Some(UNKNOWN_PARENT.to_string()),
            experiment_id: fragment.experiment_id,
            kind: "UNSPECIFIED".to_string(),
            status: "UNSET".to_string(),
            service_name: fragment.service_name,
            scope_name: fragment.scope_name,
            scope_version: fragment.scope_version,
            attributes: "{}".to_string(),
            resource: fragment.resource,
            ..Span::default()
        };
        Self {
            span,
            records: fragment.events,
            stands_in: true,
        }
    }

    /// Takes in what came later. Of rows that stand in, the one that sorts first says where they come from.
    pub(crate) fn add(&mut self, other: Parts) {
        self.add_records(other.records);
        let origin = |span: &Span| {
            (
                span.experiment_id.clone(),
                span.resource.clone(),
                span.scope_name.clone(),
                span.scope_version.clone(),
            )
        };
        let is_better = !other.stands_in || origin(&other.span) < origin(&self.span);
        if self.stands_in && is_better {
            self.span = other.span;
            self.stands_in = other.stands_in;
        }
    }

    /// Takes in records that came later: of equal ones, as many as the side has that has more of them.
    pub(crate) fn add_records(&mut self, later: Vec<Event>) {
        let mut there: HashMap<(i64, &str, &str), usize> = HashMap::new();
        for record in &self.records {
            *there
                .entry((record.time_ns, &record.name, &record.attributes))
                .or_default() += 1;
        }
        let mut is_new = Vec::with_capacity(later.len());
        for record in &later {
            let known = there.get_mut(&(record.time_ns, &record.name, &record.attributes));
            let known = known.filter(|count| **count > 0);
            is_new.push(known.is_none());
            if let Some(count) = known {
                *count -= 1;
            }
        }
        let least = self.records.len().max(later.len());
        let new = later
            .into_iter()
            .zip(is_new)
            .filter_map(|(record, is_new)| is_new.then_some(record));
        self.records.extend(new);
        assert!(
            self.records.len() >= least,
            "as many records as the side has that has more of them"
        );
    }

    /// The row. Records are in the order of their times.
    pub(crate) fn joined(self, refill: Refill) -> Span {
        let Self {
            mut span,
            mut records,
            stands_in,
        } = self;
        records.sort_by_key(|record| record.time_ns);
        if stands_in {
            span.start_time_ns = records.first().map_or(0, |record| record.time_ns);
            span.end_time_ns = records.last().map(|record| record.time_ns);
            span.name = records
                .first()
                .map_or_else(String::new, |record| record.name.clone());
        }
        let mark = LogMark {
            count: records.len(),
            stands_in,
        };
        span.events.append(&mut records);
        span.extra = Some(with_mark(span.extra.as_deref(), mark));
        debug_assert_eq!(
            LogMark::of(span.extra.as_deref()),
            Some(mark),
            "a row comes apart again"
        );
        refill(&mut span, mark.count);
        span
    }
}

/// An `extra` with the mark as its last member.
fn with_mark(extra: Option<&str>, mark: LogMark) -> String {
    let members = extra.and_then(|text| text.strip_suffix('}')).unwrap_or("{");
    let comma = if members == "{" { "" } else { "," };
    let LogMark { count, stands_in } = mark;
    format!("{members}{comma}{MARK}\"count\":{count},\"stands_in\":{stands_in}}}}}")
}

/// An `extra` without its last member, which is the mark; `None` when nothing is left.
fn without_mark(extra: &str) -> Option<String> {
    let members = extra.get(..extra.rfind(MARK)?)?.trim_end_matches(',');
    (members != "{").then(|| format!("{members}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_ns: i64, name: &str) -> Event {
        Event {
            time_ns,
            name: name.into(),
            attributes: "{}".into(),
        }
    }

    fn records(events: &[Event]) -> Parts {
        Parts::standing_in(Fragment {
            trace_id: "t".into(),
            span_id: "s".into(),
            events: events.to_vec(),
            ..Fragment::default()
        })
    }

    fn sent(extra: Option<&str>) -> Span {
        Span {
            trace_id: "t".into(),
            span_id: "s".into(),
            extra: extra.map(str::to_string),
            events: vec![event(9, "own")],
            ..Span::default()
        }
    }

    #[test]
    fn a_row_is_the_same_in_any_order_and_comes_apart_again() {
        for extra in [
            None,
            Some("{\"flags\":1}"),
            Some("{\"scope_attributes\":{\"log_records\":{\"count\":7}}}"),
        ] {
            let (one, two) = (
                [event(2, "b"), event(1, "a")],
                [event(3, "c"), event(1, "a")],
            );
            let mut first = records(&one);
            first.add(records(&two));
            let waiting = first.joined(keep_columns);
            assert_eq!(
                (
                    waiting.start_time_ns,
                    waiting.end_time_ns,
                    waiting.name.as_str()
                ),
                (1, Some(3), "a")
            );
            let mut then = Parts::of(waiting);
            assert!(then.stands_in);
            then.add(Parts::of(sent(extra)));
            let late = then.joined(keep_columns);
            let mut early = Parts::of(sent(extra));
            early.add(records(&two));
            early.add(records(&one));
            assert_eq!(early.joined(keep_columns), late);
            assert_eq!(
                late.events
                    .iter()
                    .map(|e| e.name.as_str())
                    .collect::<Vec<_>>(),
                ["own", "a", "b", "c"]
            );
            let apart = Parts::of(late);
            assert_eq!(
                (apart.span, apart.records.len(), apart.stands_in),
                (sent(extra), 3, false)
            );
        }
    }

    #[test]
    fn records_of_one_time_stay_as_they_came_and_as_often() {
        let told = [event(1, "z"), event(1, "a"), event(1, "z"), event(2, "b")];
        let mut parts = records(&told);
        parts.add(records(&told));
        parts.add(records(&told[2..]));
        assert_eq!(parts.joined(keep_columns).events, told);
        let mut parts = records(&told[..1]);
        parts.add(records(&told));
        let joined = parts.joined(keep_columns).events;
        assert_eq!(
            joined
                .iter()
                .map(|event| event.name.as_str())
                .collect::<Vec<_>>(),
            ["z", "a", "z", "b"]
        );
    }
}

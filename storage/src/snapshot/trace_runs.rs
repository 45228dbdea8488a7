//! Which traces of a segment spans belong to, told by their rows: the spans of a trace lie together, and its row
//! says where.

use roaring::RoaringBitmap;

use crate::columns::{ints, value_at};
use crate::error::Result;
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::SegmentReader;

/// The traces of a segment by their spans.
///
/// **Invariant**: a row that accounts for all spans of its trace when the segment is written does so as long as it
/// is visible: whatever changes a span of the trace writes its row anew, elsewhere.
#[derive(Debug)]
pub struct TraceRuns {
    /// First span, and row in `traces`, of each trace whose row accounts for all of its spans; by span.
    runs: Vec<(u32, u32)>,
    /// Rows of the others: spans of theirs may be anywhere.
    others: RoaringBitmap,
}

impl TraceRuns {
    /// Reads them from a segment.
    pub(crate) fn read(reader: &SegmentReader) -> Result<Self> {
        let (mut runs, mut others, mut row) = (Vec::new(), RoaringBitmap::new(), 0);
        let request = ScanRequest::columns(["span_count", "_first_span_row", "_span_rows"]);
        for batch in reader.scan(Table::Traces, &request, None)? {
            let batch = batch?;
            let (total, first) = (
                ints(&batch, "span_count")?,
                ints(&batch, "_first_span_row")?,
            );
            let count = ints(&batch, "_span_rows")?;
            for at in 0..batch.num_rows() {
                let first = value_at(first, at).and_then(|first| u32::try_from(first).ok());
                match first.filter(|_| value_at(count, at) == value_at(total, at)) {
                    Some(first) => runs.push((first, row)),
                    None => drop(others.insert(row)),
                }
                row += 1;
            }
        }
        assert_eq!(
            runs.len() as u64 + others.len(),
            u64::from(row),
            "each trace is of one kind"
        );
        runs.sort_unstable();
        runs.shrink_to_fit();
        Ok(Self { runs, others })
    }

    /// The rows in `traces` of all traces here that may have one of these spans, and perhaps of some more.
    pub fn of_spans(&self, spans: &RoaringBitmap) -> RoaringBitmap {
        let mut rows: Vec<u32> = Vec::new();
        let (mut rest, mut spans) = (self.runs.as_slice(), spans.iter());
        let mut next = spans.next();
        while let Some(span) = next {
            let after = rest.partition_point(|(first, _)| *first <= span);
            let (before, later) = rest.split_at(after);
            rows.extend(before.last().map(|(_, row)| row));
            let Some((end, _)) = later.first() else { break };
            spans.advance_to(*end);
            (rest, next) = (later, spans.next());
        }
        rows.sort_unstable();
        rows.into_iter().collect::<RoaringBitmap>() | &self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_lead_to_the_trace_whose_run_they_are_in() {
        let runs = TraceRuns {
            runs: vec![(0, 7), (3, 2), (10, 5)],
            others: [9].into_iter().collect(),
        };
        let of = |spans: &[u32]| {
            runs.of_spans(&spans.iter().copied().collect())
                .iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), [9]);
        assert_eq!(of(&[0, 1, 2]), [7, 9]);
        assert_eq!(of(&[2, 3]), [2, 7, 9]);
        assert_eq!(of(&[9, 10, 400]), [2, 5, 9]);
        assert_eq!(of(&[1, 12]), [5, 7, 9]);
        let late = TraceRuns {
            runs: vec![(5, 1)],
            others: RoaringBitmap::new(),
        };
        assert!(late.of_spans(&[1, 4].into_iter().collect()).is_empty());
    }
}

//! Where the spans of traces lie in one source, and to which trace a span belongs.

use roaring::RoaringBitmap;

/// Runs of span rows of one source: first row, one past the last, and the row of the trace they belong to.
#[derive(Default)]
pub(super) struct SpanRuns(Vec<(u32, u32, usize)>);

impl SpanRuns {
    pub(super) fn add(&mut self, start: u32, end: u32, trace: usize) {
        self.0.push((start, end, trace));
    }

    pub(super) fn sort(&mut self) {
        if !self.0.is_sorted() {
            self.0.sort_unstable();
        }
    }

    pub(super) fn row_count(&self) -> u64 {
        self.0
            .iter()
            .map(|(start, end, _)| u64::from(end - start))
            .sum()
    }

    /// From the first row to one past the last, once they are sorted; runs do not overlap.
    pub(super) fn hull(&self) -> Option<(u32, u32)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    /// The row of the trace that a span belongs to, once they are sorted.
    pub(super) fn trace_of(&self, span: u32) -> Option<usize> {
        let after = self.0.partition_point(|(start, _, _)| *start <= span);
        let (_, end, trace) = self.0.get(after.checked_sub(1)?)?;
        (span < *end).then_some(*trace)
    }

    pub(super) fn rows(&self) -> RoaringBitmap {
        let mut rows = RoaringBitmap::new();
        let mut current: Option<(u32, u32)> = None;
        for (start, end, _) in &self.0 {
            match &mut current {
                Some((_, last)) if last == start => *last = *end,
                other => {
                    if let Some((start, end)) = other.replace((*start, *end)) {
                        rows.insert_range(start..end);
                    }
                }
            }
        }
        if let Some((start, end)) = current {
            rows.insert_range(start..end);
        }
        rows
    }
}

/// A run of span rows as the row of its trace has it.
pub(super) fn run(first: Option<i64>, count: Option<i64>) -> Option<(u32, u32)> {
    let start = u32::try_from(first?).ok()?;
    Some((start, start.checked_add(u32::try_from(count?).ok()?)?))
}

//! The bar of one span on the time line of its trace.

/// The span of time that all bars share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLine {
    start_ns: i64,
    length_ns: i64,
}

impl TimeLine {
    /// From the first start to the last end, in Unix nanoseconds.
    pub fn new(start_ns: i64, end_ns: i64) -> Self {
        Self {
            start_ns,
            length_ns: end_ns.saturating_sub(start_ns).max(1),
        }
    }

    /// The bar of a span in `width` columns: at least one mark, and never longer than the line. A
    /// span that is still open runs to the end.
    pub fn bar(&self, start_ns: i64, end_ns: Option<i64>, width: usize) -> String {
        if width == 0 {
            return String::new();
        }
        let column = |time_ns: i64| -> usize {
            let passed = time_ns
                .saturating_sub(self.start_ns)
                .clamp(0, self.length_ns);
            // In 128 bits: nanoseconds times columns pass 63 bits.
            (i128::from(passed) * width as i128 / i128::from(self.length_ns)) as usize
        };
        let from = column(start_ns).min(width - 1);
        let to = end_ns.map_or(width, column).clamp(from + 1, width);
        let open = if end_ns.is_none() { "░" } else { "█" };
        format!(
            "{}{}{}",
            " ".repeat(from),
            open.repeat(to - from),
            " ".repeat(width - to)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_where_the_spans_are() {
        let line = TimeLine::new(100, 200);
        assert_eq!(line.bar(100, Some(200), 10), "██████████");
        assert_eq!(line.bar(150, Some(160), 10), "     █    ");
        assert_eq!(line.bar(200, Some(200), 10), "         █");
        assert_eq!(line.bar(150, None, 4), "  ░░");
        assert_eq!(line.bar(0, Some(900), 4), "████");
        assert_eq!(line.bar(0, Some(1), 0), "");
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let line = TimeLine::new(i64::MIN, i64::MAX);
        assert_eq!(line.bar(i64::MIN, Some(i64::MAX), 3), "███");
        assert_eq!(TimeLine::new(5, 5).bar(5, Some(5), 3), "█  ");
    }
}

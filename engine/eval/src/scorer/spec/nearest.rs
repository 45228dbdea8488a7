//! The known word that a mistyped one is nearest to.
//!
//! Invariant: nothing is suggested that differs in more than a third of its letters.

/// The nearest of some words by count of letters added, left out, changed or swapped with the next; the first of equals.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.filter_map(|candidate| {
        let distance = distance(&word.to_lowercase(), candidate);
        (distance <= candidate.chars().count().div_ceil(3)).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance, by three rows of the usual table.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut last_left = None;
    for (row, letter) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut last_right = None;
        for (column, &other) in right.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&above, column) + usize::from(letter != other))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            if last_left == Some(other) && last_right == Some(letter) {
                best = best.min(at(&before, column.saturating_sub(1)) + 1);
            }
            current.push(best);
            last_right = Some(other);
        }
        before = std::mem::replace(&mut above, current);
        last_left = Some(letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("rouge", "rouge", 0),
            ("rogue", "rouge", 1),
            ("contain", "contains", 1),
            ("tokns", "tokens", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn far_words_are_not_suggested() {
        let known = ["rouge_l", "tokens", "sql"];
        assert_eq!(nearest("Rogue_L", known.into_iter()), Some("rouge_l"));
        assert_eq!(nearest("latency", known.into_iter()), None);
    }
}

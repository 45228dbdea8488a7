//! What a mistyped word may have been meant to be, in filters, SQL and names that users give: one rule for all.

/// Most letters of a typing error; a short word has one for four letters.
const TYPING_ERRORS_MAX: usize = 3;
const LETTERS_PER_ERROR: usize = 4;
/// Words that join clauses.
const JOINTS: [&str; 2] = ["AND", "OR"];
/// Operators that are words.
const OPERATORS: [&str; 8] = [
    "LIKE", "ILIKE", "RLIKE", "IN", "BETWEEN", "MATCHES", "IS", "NOT",
];
/// Operators of other languages, and how the same is said here.
const FOREIGN_OPERATORS: [(&str, &str); 9] = [
    ("CONTAINS", "LIKE '%...%'"),
    ("STARTSWITH", "LIKE '...%'"),
    ("ENDSWITH", "LIKE '%...'"),
    ("REGEXP", "RLIKE"),
    ("REGEX", "RLIKE"),
    ("GLOB", "LIKE"),
    ("EQ", "="),
    ("NE", "!="),
    ("EXISTS", "IS NOT NULL"),
];

/// A suggestion for a word that stands where clauses are joined; empty when none is near.
pub(super) fn joint(word: &str) -> String {
    did_you_mean(word, JOINTS)
}

/// A suggestion for a word that stands where an operator should; empty when none is near.
pub(super) fn operator(word: &str) -> String {
    match FOREIGN_OPERATORS
        .iter()
        .find(|(foreign, _)| foreign.eq_ignore_ascii_case(word))
    {
        Some((_, ours)) => format!(" Did you mean {ours}?"),
        None => did_you_mean(word, OPERATORS),
    }
}

/// ` Did you mean 'X'?` for the candidate nearest to `word`, or nothing when none is near.
pub(super) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!(" Did you mean '{candidate}'?"),
        None => String::new(),
    }
}

/// The candidate nearest to `word`, when one is near enough to have been meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = word
        .chars()
        .count()
        .div_ceil(LETTERS_PER_ERROR)
        .min(TYPING_ERRORS_MAX);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. Words far
/// longer than any key are not compared: their distance is their length.
fn edit_distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 64;
    let a: Vec<char> = a.chars().take(CHARS_MAX + 1).collect();
    let b: Vec<char> = b.chars().collect();
    if a.len() > CHARS_MAX {
        return a.len();
    }
    let (mut before, mut above): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&above, j) + usize::from(from != to);
            let mut best = changed.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if is_swap {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("status", "statsu", 1),
            ("and", "adn", 1),
            ("a", "a", 0),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn far_words_get_no_suggestion() {
        assert_eq!(
            did_you_mean("statuss", ["status", "name"]),
            " Did you mean 'status'?"
        );
        assert_eq!(operator("LIEK"), " Did you mean 'LIKE'?");
        assert_eq!(operator("contains"), " Did you mean LIKE '%...%'?");
        assert_eq!(joint("adn"), " Did you mean 'AND'?");
        assert_eq!(joint("name"), "");
        assert_eq!(did_you_mean("xyzzy", ["status", "name"]), "");
        assert_eq!(
            did_you_mean("Trace", ["trace", "tags"]),
            " Did you mean 'trace'?"
        );
    }
}

//! Text queries: one is refused, or finds the same spans with the same scores in memory and through an
//! index; written out it is the same query.

use tracehouse::{Database, ErrorKind, TextHit};
use tracehouse_storage::text::TextQuery;

use super::world::WORLD;

const BYTES_MAX: usize = 2_048;
const HITS_MAX: usize = 20;

/// Queries, one a line.
pub fn queries() -> Vec<Vec<u8>> {
    super::lines(include_str!("../corpus/text.txt"))
}

/// A query.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    let query = match TextQuery::parse(text) {
        Ok(query) => query,
        Err(error) => {
            assert_eq!(
                error.kind(),
                tracehouse_storage::ErrorKind::InvalidInput,
                "{text:?}: {error}"
            );
            let refused = WORLD.fresh.search_text(text, 1).unwrap_err();
            return assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        }
    };
    let written = query.to_string();
    // What stands for a word too long to be kept has no form of its own.
    if !written.contains('\0') {
        let again = TextQuery::parse(&written).unwrap();
        assert_eq!(again, query, "{text:?} written as {written:?}");
    }
    assert_eq!(
        hits(&WORLD.fresh, text),
        hits(&WORLD.sealed, text),
        "{text:?} in memory, and in segments"
    );
}

fn hits(db: &Database, text: &str) -> Vec<String> {
    let shown = |hit: &TextHit| {
        assert!(
            hit.highlights
                .iter()
                .all(|range| hit.snippet.get(range.clone()).is_some()),
            "{hit:?}"
        );
        format!("{hit:?}")
    };
    db.search_text(text, HITS_MAX)
        .unwrap()
        .iter()
        .map(shown)
        .collect()
}

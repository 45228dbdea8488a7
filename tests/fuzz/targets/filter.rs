//! The filter language: a filter is refused with a place in it, or finds the same traces wherever their
//! rows are, and its complement finds all others.

use tracehouse::{Database, ErrorKind, Search};
use tracehouse_query::filter::{self, INVALID_PARAMETER_VALUE, parse_order_by};

use super::world::WORLD;

/// Most of a text that is tried: longer ones only repeat.
const BYTES_MAX: usize = 4_096;

/// Filters, one a line.
pub fn filters() -> Vec<Vec<u8>> {
    super::lines(include_str!("../corpus/filter.txt"))
}

/// A filter; as an order, too.
pub fn filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    if let Err(error) = parse_order_by(&[text]) {
        assert_place(&error, text);
    }
    match filter::parse(text) {
        Ok(predicate) => {
            assert!(!predicate.to_string().is_empty());
            check(text);
        }
        Err(error) => assert_place(&error, text),
    }
}

fn assert_place(error: &filter::FilterError, text: &str) {
    assert_eq!(error.code, INVALID_PARAMETER_VALUE);
    assert!(!error.message.is_empty());
    assert!(
        (1..=text.chars().count() + 1).contains(&error.position),
        "{} of {text:?}: {error}",
        error.position
    );
}

fn check(text: &str) {
    let ids = |db: &Database, filter: &str| {
        let page = db.search_traces(&Search::new(filter).limit(1_000))?;
        Ok(page
            .traces
            .into_iter()
            .map(|trace| trace.trace_id)
            .collect::<Vec<_>>())
    };
    let answer = |db: &Database, filter: &str| {
        ids(db, filter).inspect_err(|error: &tracehouse::Error| {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{filter:?}: {error}");
        })
    };
    let (fresh, sealed) = (answer(&WORLD.fresh, text), answer(&WORLD.sealed, text));
    let (Ok(fresh), Ok(sealed)) = (&fresh, &sealed) else {
        return assert!(
            fresh.is_err() && sealed.is_err(),
            "{text:?}: {fresh:?}, {sealed:?}"
        );
    };
    assert_eq!(fresh, sealed, "{text:?} in memory, and in segments");
    let count = WORLD.sealed.count_traces(&Search::new(text)).unwrap();
    assert_eq!(count as usize, sealed.len(), "{text:?} counted");
    // The complement of what parentheses find; an empty pair is no filter, and limits may be passed.
    let (inner, outer) = (format!("({text})"), format!("NOT ({text})"));
    if filter::parse(&inner).is_ok() && filter::parse(&outer).is_ok() {
        let count = |filter| WORLD.sealed.count_traces(&Search::new(filter)).unwrap();
        assert_eq!(
            count(inner) + count(outer),
            WORLD.traces,
            "{text:?} and its complement"
        );
    }
}

//! What a condition needs of a span's text, as far as a text index can tell. The one way from conditions
//! of the filter language and of SQL to posting lists.
//!
//! **Invariant** QU-2: every row that satisfies the condition is among the rows found.

use roaring::RoaringBitmap;
use tracehouse_storage::text::{
    IndexedValue, Literal, TextPattern, TextQuery, TextReader, ValueRows,
};

/// What a row must have.
#[derive(Debug, Clone)]
pub(crate) enum TextNeed {
    /// It matches a text query, as `matches` of SQL asks.
    Words(TextQuery),
    /// It has what a pattern holds.
    Pattern(TextPattern),
    /// An attribute has a value, itself or by what it holds, as the filter language looks for it.
    Value { key: String, value: IndexedValue },
    /// An attribute is this text itself, as a JSON function of SQL reads it.
    Member { key: String, value: String },
    /// This, and something that an index cannot tell.
    AtLeast(Box<TextNeed>),
    /// All of them.
    All(Vec<TextNeed>),
    /// One of them.
    Any(Vec<TextNeed>),
}

impl TextNeed {
    /// The rows that have it; `None` when all may. An index is derived (ST-5): one that cannot be read
    /// tells nothing, but the rows can be read.
    pub fn rows(&self, index: &TextReader) -> Option<ValueRows> {
        match self {
            TextNeed::Words(query) => Some(ValueRows {
                sure: index.rows(query).ok()?,
                ..Default::default()
            }),
            TextNeed::Pattern(pattern) => candidates(index, pattern),
            TextNeed::Value { key, value } => with_value(index, key, value),
            TextNeed::Member { key, value } => match index.member_rows(key, value).ok()? {
                Some(rows) => Some(rows),
                None => with_value(index, key, &IndexedValue::Text(value.clone())).map(at_least),
            },
            TextNeed::AtLeast(need) => need.rows(index).map(at_least),
            TextNeed::All(needs) => {
                let told: Vec<ValueRows> =
                    needs.iter().filter_map(|need| need.rows(index)).collect();
                let are_all_told = told.len() == needs.len();
                let rows = told.into_iter().reduce(|a, b| {
                    let all = (&a.sure | &a.maybe) & (&b.sure | &b.maybe);
                    let sure = a.sure & b.sure;
                    ValueRows {
                        maybe: all - &sure,
                        sure,
                    }
                });
                if are_all_told {
                    rows
                } else {
                    rows.map(at_least)
                }
            }
            TextNeed::Any(needs) => {
                let mut found = ValueRows::default();
                for need in needs {
                    let rows = need.rows(index)?;
                    found.sure |= rows.sure;
                    found.maybe |= rows.maybe;
                }
                found.maybe -= &found.sure;
                Some(found)
            }
        }
    }

    /// Whether more than `rows` rows of the index have it, as far as that is told without looking at rows.
    pub fn is_common(&self, index: &TextReader, rows: u64) -> bool {
        match self {
            TextNeed::Pattern(pattern) => index.is_common(pattern, rows),
            TextNeed::All(needs) => needs.iter().all(|need| need.is_common(index, rows)),
            TextNeed::Any(needs) => needs.iter().any(|need| need.is_common(index, rows)),
            TextNeed::AtLeast(need) => need.is_common(index, rows),
            TextNeed::Words(_) | TextNeed::Value { .. } | TextNeed::Member { .. } => false,
        }
    }

    /// The rows as one set of candidates; `None` when that is so large that reading all rows costs no
    /// more.
    pub fn candidates(&self, index: &TextReader, rows_max: u64) -> Option<RoaringBitmap> {
        let found = self.rows(index)?;
        let rows = found.sure | found.maybe;
        (rows.len() <= rows_max).then_some(rows)
    }
}

/// Rows that have what is told, of which none is sure to have what is not.
fn at_least(told: ValueRows) -> ValueRows {
    ValueRows {
        maybe: told.sure | told.maybe,
        ..Default::default()
    }
}

/// The rows with the value at the attribute, or in it.
fn with_value(index: &TextReader, key: &str, value: &IndexedValue) -> Option<ValueRows> {
    match (index.value_rows(key, value).ok()?, value) {
        (Some(rows), _) => Some(rows),
        (None, IndexedValue::Text(text)) => {
            let whole = Literal {
                text: text.clone(),
                starts: true,
                ends: true,
            };
            candidates(index, &TextPattern::on_attribute(key, vec![whole]))
        }
        (None, _) => None,
    }
}

fn candidates(index: &TextReader, pattern: &TextPattern) -> Option<ValueRows> {
    let maybe = index.candidates(pattern).ok()??;
    Some(ValueRows {
        maybe,
        ..Default::default()
    })
}

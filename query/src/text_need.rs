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
    #[cfg_attr(not(feature = "sql"), expect(dead_code))]
    Words(TextQuery),
    /// It has what a pattern holds.
    Pattern(TextPattern),
    /// An attribute has a value.
    Value { key: String, value: IndexedValue },
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
            TextNeed::Value { key, value } => match (index.value_rows(key, value).ok()?, value) {
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
            },
            TextNeed::All(needs) => {
                needs
                    .iter()
                    .filter_map(|need| need.rows(index))
                    .reduce(|a, b| {
                        let all = (&a.sure | &a.maybe) & (&b.sure | &b.maybe);
                        let sure = a.sure & b.sure;
                        ValueRows {
                            maybe: all - &sure,
                            sure,
                        }
                    })
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
            TextNeed::Words(_) | TextNeed::Value { .. } => false,
        }
    }

    /// The rows as one set of candidates; `None` when that is so large that reading all rows costs no
    /// more.
    #[cfg_attr(not(feature = "sql"), expect(dead_code))]
    pub fn candidates(&self, index: &TextReader, rows_max: u64) -> Option<RoaringBitmap> {
        let found = self.rows(index)?;
        let rows = found.sure | found.maybe;
        (rows.len() <= rows_max).then_some(rows)
    }
}

fn candidates(index: &TextReader, pattern: &TextPattern) -> Option<ValueRows> {
    let maybe = index.candidates(pattern).ok()??;
    Some(ValueRows {
        maybe,
        ..Default::default()
    })
}

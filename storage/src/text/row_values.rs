//! What the index holds of the values of a span's attributes: their tokens, and pairs of name and value.
//!
//! Invariants:
//! 1. Every attribute with a pair in `attribute_terms` has it; of several attributes of one name the first. A
//!    double that JSON cannot write has the pair of what it is called (`NaN`).
//! 2. So have the first [`ELEMENTS_MAX`] elements of a list, and of a text that is the JSON text of one, unless they
//!    are null. Its row has the term of a list, and with more elements that of a long list.

use super::attribute_terms::{PairKind, inner_string, shortest_number, special_double, write_pair};
use super::cut::cut;
use super::leaves::{looks_like_json, scanned_json};
use super::reading::is_read_as_it_is;
use super::row_terms::{RowTerms, To};
use super::scanned::{Part, Scanned, is_wrapper};
use crate::Result;
use crate::json::JsonPiece;

/// Most elements of a list that are told apart; embeddings have a thousand and more.
const ELEMENTS_MAX: usize = 32;

impl RowTerms {
    /// Adds what a span's attributes hold.
    pub(super) fn add_values(&mut self, attributes: &Scanned<'_>) -> Result<()> {
        let mut key = "";
        let mut container_start = 0;
        let mut in_wrapper = false;
        for part in attributes.parts() {
            match (part.piece, part.depth) {
                (JsonPiece::Key(_), 1) => key = part.plain,
                (JsonPiece::Text(_) | JsonPiece::Marked(_), 1) => {
                    self.add_pairs(key, part.plain, true)?;
                }
                (JsonPiece::Number(scalar) | JsonPiece::Literal(scalar), 1) => {
                    self.add_tokens(To::Values, scalar)?;
                    self.add_pairs(key, scalar, false)?;
                }
                (JsonPiece::BeginObject | JsonPiece::BeginArray, 2) => {
                    container_start = part.end - 1
                }
                (JsonPiece::End, 1) => {
                    let raw = cut(attributes.text(), container_start..part.end);
                    self.add_pairs(key, special_double(raw).unwrap_or(raw), false)?;
                }
                (JsonPiece::Text(escaped), _) => {
                    if in_wrapper {
                        self.add_tokens(To::Values, escaped)?;
                        self.add_tokens(To::Values, part.plain)?;
                        if let Some(inner) = inner_string(part.plain) {
                            self.add_tokens(To::Values, &inner)?;
                        }
                    }
                    self.add_glued(To::Values, escaped)?;
                    match is_read_as_it_is(part.plain) {
                        true => self.add_changed(To::Values, escaped)?,
                        false => self.add_tokens(To::Values, escaped)?,
                    }
                }
                (piece, _) => self.add_bare(To::Values, piece)?,
            }
            in_wrapper = matches!(part.piece, JsonPiece::Key(key) if is_wrapper(key));
        }
        Ok(())
    }

    /// Adds the pairs of an attribute, and of its elements.
    fn add_pairs(&mut self, key: &str, text: &str, is_string: bool) -> Result<()> {
        // Of attributes of one name the first counts.
        let (at, row) = (self.key(key)?, self.row);
        let is_first = self
            .known_keys
            .get_mut(at)
            .is_some_and(|key| std::mem::replace(&mut key.last_row, row) != row);
        if !is_first || (text == "null" && !is_string) {
            return Ok(());
        }
        self.add_value_pairs(key, text, is_string)?;
        match text.starts_with('[') && looks_like_json(text) {
            true => scanned_json(text).map_or(Ok(()), |list| self.add_elements(key, &list)),
            false => Ok(()),
        }
    }

    fn add_value_pairs(&mut self, key: &str, text: &str, is_string: bool) -> Result<()> {
        self.add_pair(PairKind::Text, key, text)?;
        if let Some(number) = shortest_number(text).filter(|number| number != text) {
            self.add_pair(PairKind::Number, key, &number)?;
        }
        if is_string && let Some(inner) = inner_string(text) {
            self.add_pair(PairKind::Inner, key, &inner)?;
        }
        Ok(())
    }

    fn add_elements(&mut self, key: &str, list: &Scanned<'_>) -> Result<()> {
        self.add_pair(PairKind::List, key, "")?;
        let (mut start, mut elements) = (0, 0);
        for Part {
            piece,
            depth,
            end,
            plain,
        } in list.parts()
        {
            match (piece, depth) {
                (JsonPiece::BeginObject | JsonPiece::BeginArray, 2) => {
                    start = end - 1;
                    continue;
                }
                (
                    JsonPiece::Text(_)
                    | JsonPiece::Number(_)
                    | JsonPiece::Literal(_)
                    | JsonPiece::End,
                    1,
                ) => elements += 1,
                _ => continue,
            }
            if elements > ELEMENTS_MAX {
                return self.add_pair(PairKind::LongList, key, "");
            }
            match piece {
                JsonPiece::Text(_) => self.add_value_pairs(key, plain, true)?,
                JsonPiece::Number(text) => self.add_value_pairs(key, text, false)?,
                JsonPiece::Literal("null") => {}
                JsonPiece::Literal(text) => self.add_value_pairs(key, text, false)?,
                _ => {
                    let raw = cut(list.text(), start..end);
                    self.add_value_pairs(key, special_double(raw).unwrap_or(raw), false)?;
                }
            }
        }
        Ok(())
    }

    fn add_pair(&mut self, kind: PairKind, key: &str, value: &str) -> Result<()> {
        let mut term = std::mem::take(&mut self.pair);
        let added = match write_pair(&mut term, kind, key, value) {
            true => self.add(To::Values, &term),
            false => Ok(()),
        };
        self.pair = term;
        added
    }
}

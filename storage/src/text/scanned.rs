//! A JSON text scanned once, for all who want to know something of it.

use std::ops::Range;

use super::cut::cut;
use crate::json::{JsonPiece, Mark, Pieces, push_decoded};

/// The pieces of a text, up to its end or to where it stops being JSON.
#[derive(Debug, Default)]
pub(super) struct Scanned<'a> {
    text: &'a str,
    found: Vec<Found<'a>>,
    is_json: bool,
    /// What keys and strings with escapes mean.
    plain: String,
}

/// A piece and where it was found.
#[derive(Debug)]
struct Found<'a> {
    piece: JsonPiece<'a>,
    depth: usize,
    /// The byte after it; of a key, after its colon.
    end: usize,
    /// Its meaning in `plain`, if it has escapes.
    plain: Option<Range<usize>>,
}

/// Room made for the pieces of a text.
const PIECES_MIN: usize = 32;

/// A piece, where it was found and what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) piece: JsonPiece<'a>,
    /// Containers open after it.
    pub(super) depth: usize,
    /// The byte after it.
    pub(super) end: usize,
    /// What a key or string means; empty for other pieces.
    pub(super) plain: &'a str,
}

impl<'a> Scanned<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self::with_pieces(text, Pieces::of(text))
    }

    /// Scans an object some of whose values may be these marks.
    pub(super) fn with_marks(text: &'a str, marks: [Option<Mark<'a>>; 2]) -> Self {
        Self::with_pieces(text, Pieces::with_marks(text, marks))
    }

    fn with_pieces(text: &'a str, mut pieces: Pieces<'a>) -> Self {
        let mut scanned = Scanned {
            text,
            found: Vec::with_capacity(PIECES_MIN),
            ..Scanned::default()
        };
        loop {
            let piece = match pieces.next() {
                Ok(Some(piece)) => piece,
                end => {
                    scanned.is_json = end.is_ok();
                    return scanned;
                }
            };
            let plain = match piece {
                JsonPiece::Key(escaped) | JsonPiece::Text(escaped) if pieces.has_escapes() => {
                    let start = scanned.plain.len();
                    push_decoded(escaped, &mut scanned.plain);
                    Some(start..scanned.plain.len())
                }
                _ => None,
            };
            let (depth, end) = (pieces.depth(), pieces.at());
            let is_behind = scanned.found.last().is_none_or(|before| before.end <= end);
            debug_assert!(is_behind, "the pieces of a text follow each other");
            scanned.found.push(Found {
                piece,
                depth,
                end,
                plain,
            });
        }
    }

    /// The text itself.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Whether the whole text is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// The pieces in order.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.found.iter().map(|found| {
            let plain = match (&found.plain, found.piece) {
                (Some(range), _) => cut(&self.plain, range.clone()),
                (None, JsonPiece::Key(text) | JsonPiece::Text(text) | JsonPiece::Marked(text)) => {
                    text
                }
                _ => "",
            };
            Part {
                piece: found.piece,
                depth: found.depth,
                end: found.end,
                plain,
            }
        })
    }

    /// Visits the strings among the values of attributes, decoded, but for those with a mark: they are
    /// elsewhere in the row. The wrappers `{"$bytes": ..}` and
    /// `{"$double": ..}` hold no text.
    pub(super) fn each_string<'s>(&'s self, visit: &mut dyn FnMut(&'s str)) {
        let mut previous = JsonPiece::End;
        // The text of what may turn out to be a wrapper: dropped when its object ends at once.
        let mut held = None;
        let mut in_wrapper = false;
        for part in self.parts() {
            if let Some(text) = held.take()
                && part.piece != JsonPiece::End
            {
                visit(text);
            }
            match part.piece {
                JsonPiece::Key(key) => {
                    in_wrapper =
                        previous == JsonPiece::BeginObject && part.depth > 1 && is_wrapper(key);
                }
                JsonPiece::Text(_) if in_wrapper => held = Some(part.plain),
                JsonPiece::Text(_) => visit(part.plain),
                _ => {}
            }
            in_wrapper &= matches!(part.piece, JsonPiece::Key(_));
            previous = part.piece;
        }
    }

    /// Visits the keys of the object itself, not those inside its values.
    pub(super) fn each_key<'s>(&'s self, visit: &mut dyn FnMut(&'s str)) {
        for part in self
            .parts()
            .filter(|part| part.depth == 1 && matches!(part.piece, JsonPiece::Key(_)))
        {
            visit(part.plain);
        }
    }
}

/// Whether a key is that of an object which stands for something JSON cannot say.
pub(super) fn is_wrapper(key: &str) -> bool {
    key == "$bytes" || key == "$double"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        Scanned::new(text).each_string(&mut |string| found.push(string.to_owned()));
        found
    }

    #[test]
    fn keys_are_those_of_the_object_itself() {
        let scanned = Scanned::new(r#"{"a.b":{"in":1},"q\"":[{"no":"x"}],"":null}"#);
        let mut keys = Vec::new();
        scanned.each_key(&mut |key| keys.push(key));
        assert_eq!(keys, ["a.b", "q\"", ""]);
        assert!(scanned.is_json());
        assert!(!Scanned::new("{\"a\":1").is_json());
    }

    #[test]
    fn strings_leave_out_keys_numbers_and_wrappers() {
        let text = r#"{"a":"x","n":1,"b":true,"l":["y",{"k":"z\n"}],"d":{"$double":"NaN"},"e":{"$bytes":"QUJD"}}"#;
        assert_eq!(strings(text), ["x", "y", "z\n"]);
        assert_eq!(strings(r#"{"$bytes":"top"}"#), ["top"]);
        assert_eq!(
            strings(r#"{"o":{"$bytes":"a","more":"b"},"p":{"q":"c","$bytes":"d"}}"#),
            ["a", "b", "c", "d"]
        );
        assert_eq!(strings(r#"{"o":{"$bytes":["a"]}}"#), ["a"]);
        assert_eq!(strings("{}"), Vec::<String>::new());
    }
}

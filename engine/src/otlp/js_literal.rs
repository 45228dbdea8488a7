//! An object as Node.js prints it (`console.dir`), as JSON: what the console exporter of the JavaScript SDK writes.
//!
//! Keys are bare words or quoted, texts are in any of three quotes and may be cut into pieces joined by `+`; `undefined`
//! is no value. What Node leaves out stays as the words that it has for it: `[Object]`, `... 3 more items`.
//!
//! Invariant: nesting is bounded; a text that is not wholly such an object is none.

use serde_json::{Map, Number, Value as Json};

/// What the exporter's objects begin with.
const FIRST_KEYS: &[&[u8]] = &[b"resource:", b"traceId:"];
/// Deepest nesting: the exporter prints four levels.
const DEPTH_MAX: usize = 32;

/// Whether a text begins with an object that the exporter printed.
pub(super) fn begins(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"{") else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    FIRST_KEYS.iter().any(|key| rest.starts_with(key))
}

/// The JSON text of an object that Node printed; `None` when it is none.
pub(super) fn to_json(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?.filter(Json::is_object)?;
    reader.skip_space();
    if !reader.rest.is_empty() {
        return None;
    }
    serde_json::to_vec(&value).ok()
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, wanted: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the first character that ends it.
    fn until(&mut self, is_end: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word.trim_end()
    }

    /// The next value; inside `Some`, `None` is `undefined`. Outside it is what is no value.
    fn value(&mut self, depth: usize) -> Option<Option<Json>> {
        self.skip_space();
        if depth > DEPTH_MAX {
            return None;
        }
        let mut following = self.rest.chars();
        match (following.next()?, following.next()) {
            ('{', _) => self
                .object(depth)
                .map(|members| Some(Json::Object(members))),
            // `[Object]`, `[Object: null prototype] {`, and no list, in which there is a space.
            ('[', Some(letter)) if letter.is_ascii_uppercase() => {
                let word = self.until(|c| c == ']');
                self.eat("]");
                self.object_after(format!("{word}]"), depth)
            }
            ('[', _) => self.list(depth).map(|items| Some(Json::Array(items))),
            (quote @ ('\'' | '"' | '`'), _) => {
                self.text(quote).map(|text| Some(Json::String(text)))
            }
            _ => {
                let word = self.until(|c| matches!(c, ',' | '\n' | '}' | ']' | '{'));
                match self.rest.starts_with('{') {
                    true => self.object_after(word.to_string(), depth),
                    false => word_value(word),
                }
            }
        }
    }

    /// The object that stands after the name of its class, else the word itself.
    fn object_after(&mut self, word: String, depth: usize) -> Option<Option<Json>> {
        self.skip_space();
        match self.rest.starts_with('{') {
            true => self
                .object(depth)
                .map(|members| Some(Json::Object(members))),
            false => Some(Some(Json::String(word))),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Map<String, Json>> {
        self.eat("{").then_some(())?;
        let mut members = Map::new();
        while !self.eat("}") {
            self.skip_space();
            let key = match self.rest.chars().next()? {
                quote @ ('\'' | '"' | '`') => self.text(quote)?,
                _ => self.until(|c| c == ':').to_string(),
            };
            self.eat(":").then_some(())?;
            if let Some(value) = self.value(depth + 1)? {
                members.insert(key, value);
            }
            if !self.eat(",") {
                self.eat("}").then_some(())?;
                break;
            }
        }
        Some(members)
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Json>> {
        self.eat("[").then_some(())?;
        let mut items = Vec::new();
        while !self.eat("]") {
            items.push(self.value(depth + 1)?.unwrap_or(Json::Null));
            if !self.eat(",") {
                self.eat("]").then_some(())?;
                break;
            }
        }
        Some(items)
    }

    /// A text in quotes, with the pieces that are joined to it and the note of what was cut off.
    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = self.piece(quote)?;
        loop {
            if self.rest.starts_with("... ") {
                text.push_str(self.until(|c| matches!(c, ',' | '\n' | '}' | ']')));
                return Some(text);
            }
            let before = self.rest;
            if !self.eat("+") {
                self.rest = before;
                return Some(text);
            }
            self.skip_space();
            let quote = self.rest.chars().next()?;
            text.push_str(&self.piece(quote)?);
        }
    }

    fn piece(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.strip_prefix(quote)?.chars();
        loop {
            match chars.next()? {
                '\\' => match chars.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'v' => text.push('\u{b}'),
                    'x' => text.push(coded(&mut chars, 2)?),
                    'u' => text.push(coded(&mut chars, 4)?),
                    other => text.push(other),
                },
                end if end == quote => {
                    self.rest = chars.as_str();
                    return Some(text);
                }
                other => text.push(other),
            }
        }
    }
}

/// The character of a code of so many hex digits. Node writes what is half of a pair so, and nothing else beyond ASCII.
fn coded(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let (code, rest) = chars.as_str().split_at_checked(digits)?;
    let code = u32::from_str_radix(code, 16).ok()?;
    *chars = rest.chars();
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn word_value(word: &str) -> Option<Option<Json>> {
    Some(match word {
        "" => return None,
        "undefined" => None,
        "null" => Some(Json::Null),
        "true" => Some(Json::Bool(true)),
        "false" => Some(Json::Bool(false)),
        "-0" => Some(Json::from(0)),
        word => Some(number(word).map_or_else(|| Json::String(word.to_string()), Json::Number)),
    })
}

/// A number, also of any size (`12n`).
fn number(word: &str) -> Option<Number> {
    let digits = word.strip_suffix('n').unwrap_or(word);
    let whole = digits.parse::<i64>().ok().map(Number::from);
    let begins = word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    whole.or_else(|| Number::from_f64(word.parse().ok().filter(|_| begins)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Json> {
        to_json(text.as_bytes()).map(|json| serde_json::from_slice(&json).unwrap())
    }

    #[test]
    fn objects_are_read_as_node_prints_them() {
        let text = r#"{
  resource: Resource {
    attributes: [Object: null prototype] { 'service.name': 'shop', pid: 7 }
  },
  parent: undefined, traceState: null, ok: true,
  'text': 'it\'s {one}\n' +
    "and 'two' \x1B\u00e9",
  cut: 'abc'... 1234 more characters,
  list: [ 1, -2.5, 'a,b', [Object], [ 3 ], ... 90 more items ],
  big: 12n, huge: 1e21, when: 2026-01-01T00:00:00.000Z, none: [], at: [ 1767225600, 200000000 ],
  f: [Function: go], c: [Circular *1]
}"#;
        let wanted = json!({
            "resource": {"attributes": {"service.name": "shop", "pid": 7}}, "traceState": null, "ok": true,
            "text": "it's {one}\nand 'two' \u{1b}é", "cut": "abc... 1234 more characters",
            "list": [1, -2.5, "a,b", "[Object]", [3], "... 90 more items"], "big": 12, "huge": 1e21,
            "when": "2026-01-01T00:00:00.000Z", "none": [], "at": [1_767_225_600, 200_000_000],
            "f": "[Function: go]", "c": "[Circular *1]"
        });
        assert_eq!(read(text), Some(wanted));
    }

    #[test]
    fn what_is_no_such_object_is_none() {
        for text in [
            "",
            "{",
            "{ a: 'x }",
            "{ a: 1 } b",
            "[ 1 ]",
            "{ a 1 }",
            "{ a: }",
            &"{ a: ".repeat(100_000),
            &("{ a: ".repeat(100) + "1" + &" }".repeat(100)),
        ] {
            assert_eq!(read(text), None, "{}", text.get(..20).unwrap_or(text));
        }
        assert!(begins(b"{\n  traceId: 'a'") && begins(b"{ resource: {"));
        assert!(!begins(b"{\n \"traceId\": 1") && !begins(b"{ a: 1 }") && !begins(b"resource: {"));
    }
}

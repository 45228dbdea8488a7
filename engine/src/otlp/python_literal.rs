//! Lists and objects as Python prints them, which is how `DataFrame.to_csv` writes them into a cell:
//! `{'role': 'user', 'n': None}`. Nothing is run, and what is no literal is left alone.

use serde_json::{Map, Number, Value as Json};

/// How deep literals may lie in each other.
const DEPTH_MAX: usize = 64;

/// The value that a text is a literal of, if it is one and nothing else.
pub(crate) fn read(text: &str) -> Option<Json> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.peek().is_none().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    /// Passes a character if it comes next.
    fn pass(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.list(depth, '[', ']'),
            '(' => self.list(depth, '(', ')'),
            '\'' | '"' => self.text().map(Json::String),
            _ => self.word(depth),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut members = Map::new();
        self.pass('{');
        while !self.pass('}') {
            let name = match self.value(depth + 1)? {
                Json::String(name) => name,
                Json::Number(number) => number.to_string(),
                _ => return None,
            };
            if !self.pass(':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            if !self.pass(',') && self.peek() != Some('}') {
                return None;
            }
        }
        Some(Json::Object(members))
    }

    fn list(&mut self, depth: usize, open: char, close: char) -> Option<Json> {
        let mut items = Vec::new();
        self.pass(open);
        while !self.pass(close) {
            items.push(self.value(depth + 1)?);
            if !self.pass(',') && self.peek() != Some(close) {
                return None;
            }
        }
        Some(Json::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        let mut characters = self.rest.chars();
        let quote = characters.next()?;
        let mut text = String::new();
        loop {
            match characters.next()? {
                '\\' => match characters.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'x' => text.push(numbered(&mut characters, 2)?),
                    'u' => text.push(numbered(&mut characters, 4)?),
                    'U' => text.push(numbered(&mut characters, 8)?),
                    other @ ('\\' | '\'' | '"') => text.push(other),
                    _ => return None,
                },
                end if end == quote => break,
                other => text.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(text)
    }

    /// A name or a number; or a call, of which the first argument is the value: `UUID('...')`, `array([...], dtype=object)`;
    /// or a time.
    fn word(&mut self, depth: usize) -> Option<Json> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "None" | "nan" => return Some(Json::Null),
            "True" => return Some(Json::Bool(true)),
            "False" => return Some(Json::Bool(false)),
            "datetime.datetime" => return self.datetime(),
            "array" | "UUID" | "Timestamp" => {}
            number => {
                return serde_json::from_str::<Number>(number)
                    .ok()
                    .map(Json::Number);
            }
        }
        if !self.pass('(') {
            return None;
        }
        let value = self.value(depth + 1)?;
        if self.pass(',') {
            let (name, _) = self.rest.trim_start().split_once('=')?;
            self.rest = self
                .rest
                .trim_start()
                .strip_prefix(name)?
                .strip_prefix('=')?;
            match name {
                "dtype" => {
                    self.rest = self
                        .rest
                        .trim_start_matches(|c: char| c.is_ascii_alphanumeric())
                }
                "tz" if matches!(self.text()?.as_str(), "UTC" | "Etc/UTC") => {}
                _ => return None,
            }
        }
        self.pass(')').then_some(value)
    }

    /// The arguments of a time, as text: it is UTC, or has no zone, which is taken for that.
    fn datetime(&mut self) -> Option<Json> {
        if !self.pass('(') {
            return None;
        }
        let (arguments, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        let mut parts = [0_u32, 1, 1, 0, 0, 0, 0];
        for (at, argument) in arguments.split(',').map(str::trim).enumerate() {
            match argument.strip_prefix("tzinfo=") {
                Some("datetime.timezone.utc") => {}
                Some(_) => return None,
                None => *parts.get_mut(at)? = argument.parse().ok()?,
            }
        }
        let [year, month, day, hour, minute, second, microsecond] = parts;
        let time = format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z"
        );
        Some(Json::String(time))
    }
}

/// The character whose number is written in so many hexadecimal digits.
fn numbered(characters: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let rest = characters.as_str();
    let number = u32::from_str_radix(rest.get(..digits)?, 16).ok()?;
    *characters = rest.get(digits..)?.chars();
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read() {
        for (text, wanted) in [
            (
                "{'a': 'it\\'s', \"b\": None, 3: [1, -2.5, True,],}",
                json!({"a": "it's", "b": null, "3": [1, -2.5, true]}),
            ),
            (
                "[{'x': ('y', False)}, \"don't\"]",
                json!([{"x": ["y", false]}, "don't"]),
            ),
            (
                "['\\n\\x41\\u6771\\U0001F600\\\\', nan]",
                json!(["\nA東😀\\", null]),
            ),
            (
                "{'id': UUID('0-1'), 'l': array([1, 2], dtype=object)}",
                json!({"id": "0-1", "l": [1, 2]}),
            ),
            (
                "[datetime.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=datetime.timezone.utc), datetime.datetime(2026, 1, 2, 3, 4)]",
                json!(["2026-01-02T03:04:05.000600Z", "2026-01-02T03:04:00.000000Z"]),
            ),
            (
                "{'t': Timestamp('2026-01-02 03:04:05+0000', tz='UTC')}",
                json!({"t": "2026-01-02 03:04:05+0000"}),
            ),
            ("[]", json!([])),
        ] {
            assert_eq!(read(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "[INST] hello",
            "{question}",
            "['a'",
            "{'a'}",
            "[1] and more",
            "['\\q']",
            "[os.remove('x')]",
            "[1 2]",
            "[datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo(key='Asia/Tokyo'))]",
            "[Timestamp('2026-01-02', tz='Asia/Tokyo')]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), None);
    }
}

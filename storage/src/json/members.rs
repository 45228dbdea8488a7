//! The members of a JSON object text, and the elements of a list, from left to right, without reading values.
//!
//! Conditions on attributes look at one key of many objects, so this only finds where members end. It takes what a
//! stored segment has for JSON too, where a text is left out for a mark. Malformed text has members up to where it is
//! malformed.

use super::scanner::{Grammar, Scanner};

/// Members as (raw key with its quotes, raw value).
#[derive(Debug)]
pub struct Members<'a> {
    scanner: Scanner<'a>,
    /// Whether a member may follow.
    is_open: bool,
}

impl<'a> Members<'a> {
    /// The members of an object; none of any other text.
    pub fn of(text: &'a str) -> Self {
        let mut scanner = Scanner::new(text, Grammar::Tolerant);
        let is_open = scanner.pass(b'{');
        Self { scanner, is_open }
    }

    fn member(&mut self) -> Option<(&'a str, &'a str)> {
        if self.scanner.peek() != Some(b'"') {
            return None;
        }
        let key = self.scanner.any_value()?;
        if !self.scanner.pass(b':') {
            return None;
        }
        let value = self.scanner.any_value()?;
        debug_assert!(!value.is_empty(), "a value has bytes");
        self.is_open = self.scanner.pass(b',');
        (self.is_open || self.scanner.pass(b'}')).then_some((key, value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if !std::mem::take(&mut self.is_open) {
            return None;
        }
        self.member()
    }
}

/// Raw elements of a list.
#[derive(Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
    /// Whether an element may follow.
    is_open: bool,
}

impl<'a> Elements<'a> {
    /// The elements of a list; none of any other text.
    pub fn of(text: &'a str) -> Self {
        let mut scanner = Scanner::new(text, Grammar::Tolerant);
        let is_open = scanner.pass(b'[');
        Self { scanner, is_open }
    }

    fn element(&mut self) -> Option<&'a str> {
        let value = self.scanner.any_value()?;
        self.is_open = self.scanner.pass(b',');
        (self.is_open || self.scanner.pass(b']')).then_some(value)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        if !std::mem::take(&mut self.is_open) {
            return None;
        }
        self.element()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_cut_where_they_end() {
        let elements = |text: &'static str| Elements::of(text).collect::<Vec<_>>();
        assert_eq!(
            elements(r#" [1, "a,]" ,{"b":[2]}, [3] ,null]"#),
            ["1", r#""a,]""#, r#"{"b":[2]}"#, "[3]", "null"]
        );
        for none in ["[]", "", "{}", "x"] {
            assert_eq!(elements(none), [""; 0], "{none}");
        }
        assert_eq!(elements("[1,2"), ["1"]);
    }

    fn members(text: &str) -> Vec<(&str, &str)> {
        Members::of(text).collect()
    }

    #[test]
    fn members_are_cut_where_they_end() {
        let text = " { \"a\" : 1 , \"b\\\"{\":\"x\\\\\", \"c\":{\"d\":[\"}\",{}]},\"e\":null , \"f\":\u{2}i} ";
        let expected = vec![
            ("\"a\"", "1"),
            ("\"b\\\"{\"", "\"x\\\\\""),
            ("\"c\"", "{\"d\":[\"}\",{}]}"),
            ("\"e\"", "null"),
            ("\"f\"", "\u{2}i"),
        ];
        assert_eq!(members(text), expected);
        assert_eq!(members("{}"), []);
    }

    #[test]
    fn malformed_text_ends_the_members() {
        assert_eq!(members("{\"a\":1,\"b\""), [("\"a\"", "1")]);
        for text in [
            "",
            "[1]",
            "{\"a\":1",
            "{\"a\"",
            "{\"a\\",
            "{a:1}",
            "{\"a\":}",
            "{\"a\":[1,2",
            "{\"a\" 1}",
            "{\"a\":1]",
        ] {
            assert_eq!(members(text), [], "{text}");
        }
    }

    #[test]
    fn values_are_what_a_parser_finds() {
        let mut random = 1_u64;
        for _ in 0..2_000 {
            let mut object = serde_json::Map::new();
            for _ in 0..random % 5 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let odd = ["", "\"", "\\", "}", "é😀", "\n,", "a.b", "{\"x\":[1]}"];
                let pick = |shift: u32| odd[(random >> shift) as usize % odd.len()].to_string();
                let value = serde_json::json!({pick(40): [pick(43), random % 100, null_or(random)], "k": pick(46)});
                object.insert(
                    format!("{}{}", pick(34), random % 7),
                    if random & 8 == 0 {
                        value
                    } else {
                        pick(50).into()
                    },
                );
            }
            random = random.wrapping_add(1);
            let text = serde_json::to_string(&object).unwrap();
            let found: serde_json::Map<String, serde_json::Value> = Members::of(&text)
                .map(|(key, raw)| {
                    (
                        serde_json::from_str(key).unwrap(),
                        serde_json::from_str(raw).unwrap(),
                    )
                })
                .collect();
            assert_eq!(found, object);
        }
    }

    fn null_or(random: u64) -> Option<bool> {
        (random & 1 == 0).then_some(random & 2 == 0)
    }
}

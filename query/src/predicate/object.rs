//! The members of a JSON object text, and the elements of a list, from left to right, without reading values.
//!
//! Conditions on attributes look at one key of many objects, so this only finds where members end.
//! It takes what a stored segment has for JSON too, where a text is left out for a mark: whatever
//! is no string, object or array reaches to the next comma or closing brace. Malformed text has
//! members up to where it is malformed.

/// Members as (raw key with its quotes, raw value).
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// The members of an object; none of any other text.
    pub(super) fn of(text: &'a str) -> Self {
        let mut members = Self { text, at: 0 };
        members.skip_space();
        match members.byte() {
            Some(b'{') => members.at += 1,
            _ => members.at = text.len(),
        }
        members
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The string that begins here, quotes included.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.byte() != Some(b'"') {
            return None;
        }
        self.at += 1;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.rest())?;
            match self.byte()? {
                b'"' => break,
                _ => self.at += 2,
            }
        }
        self.at += 1;
        self.text.get(start..self.at)
    }

    /// The value that begins here.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        match self.byte()? {
            b'"' => return self.string(),
            b'{' | b'[' => self.skip_nested()?,
            _ => {
                let is_end =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                self.at += self.rest().iter().position(is_end)?;
            }
        }
        self.text.get(start..self.at).filter(|raw| !raw.is_empty())
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn member(&mut self) -> Option<(&'a str, &'a str)> {
        self.skip_space();
        let key = self.string()?;
        self.skip_space();
        if self.byte() != Some(b':') {
            return None;
        }
        self.at += 1;
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        match self.byte()? {
            b',' => self.at += 1,
            b'}' => self.at = self.text.len(),
            _ => return None,
        }
        Some((key, value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.member();
        if member.is_none() {
            self.at = self.text.len();
        }
        member
    }
}

/// Raw elements of a list.
pub(super) struct Elements<'a>(Members<'a>);

impl<'a> Elements<'a> {
    /// The elements of a list; none of any other text.
    pub(super) fn of(text: &'a str) -> Self {
        let mut values = Members { text, at: 0 };
        values.skip_space();
        match values.byte() {
            Some(b'[') => values.at += 1,
            _ => values.at = text.len(),
        }
        Self(values)
    }

    fn element(&mut self) -> Option<&'a str> {
        self.0.skip_space();
        let value = self.0.value()?;
        self.0.skip_space();
        match self.0.byte()? {
            b',' => self.0.at += 1,
            b']' => self.0.at = self.0.text.len(),
            _ => return None,
        }
        Some(value)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.element();
        if element.is_none() {
            self.0.at = self.0.text.len();
        }
        element
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

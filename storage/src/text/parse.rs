//! The text query language: query text to [`TextQuery`].
//!
//! ```text
//! or     ::= and { 'OR' and }
//! and    ::= item { item }
//! item   ::= ['-'] [ 'inputs:' | 'outputs:' ] ( '(' or ')' | '"' phrase '"' | word | word'*' | word'~1' )
//! ```
//!
//! 1. A word ends at white space, a bracket or a double quote. One that holds several words in the
//!    sense of `tokenizer` (`gpt-4`) is a phrase of them; one that holds none matches nothing.
//! 2. Only `OR` in capitals is an operator; there is no escape inside quotes, for quotes and
//!    backslashes are never part of a word.
//! 3. Errors name the text at fault and its position, counted in characters from 1.

use super::query::{Slot, TextField, TextQuery, TextTerm};
use super::tokenizer::{QUERY_PART_BYTES_MAX, words};
use crate::{Error, Result};

/// Most words in one query: each costs a posting list.
const TERMS_MAX: usize = 256;

/// Fewest characters before the `*`: one would list a good part of the dictionary.
const PREFIX_CHARS_MIN: usize = 2;

/// Deepest nesting of brackets; keeps recursion small.
const DEPTH_MAX: usize = 64;

/// Longest query text, bytes.
const QUERY_BYTES_MAX: usize = 64 * 1024;

impl TextQuery {
    /// Parses a query over all searchable text.
    ///
    /// # Errors
    /// `InvalidInput`: what is wrong and where.
    pub fn parse(text: &str) -> Result<TextQuery> {
        TextQuery::parse_in(text, TextField::Any)
    }

    /// Parses a query whose terms look into `field` alone.
    ///
    /// # Errors
    /// `InvalidInput`: what is wrong and where; also a field name in the query that differs from `field`.
    pub fn parse_in(text: &str, field: TextField) -> Result<TextQuery> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(Error::invalid_input(format!(
                "text query has {} bytes, at most {QUERY_BYTES_MAX} are allowed",
                text.len()
            )));
        }
        let mut parser = Parser { text, position: 0, only: field, terms: 0 };
        let query = parser.or(field, 0)?;
        parser.skip_space();
        if !parser.rest().is_empty() {
            return Err(parser.error(parser.position, "`)` has no matching `(`"));
        }
        if query.is_purely_negative() {
            return Err(Error::invalid_input(
                "text query only says what must not be there: add a word to look for, in every part of an OR",
            ));
        }
        Ok(query)
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    only: TextField,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn or(&mut self, field: TextField, depth: usize) -> Result<TextQuery> {
        let mut parts = vec![self.and(field, depth)?];
        while self.take_or() {
            parts.push(self.and(field, depth)?);
        }
        Ok(join(parts, TextQuery::Or))
    }

    fn and(&mut self, field: TextField, depth: usize) -> Result<TextQuery> {
        let mut parts = Vec::new();
        loop {
            self.skip_space();
            if self.rest().is_empty() || self.rest().starts_with(')') || self.at_or() {
                break;
            }
            parts.push(self.item(field, depth)?);
        }
        if parts.is_empty() {
            return Err(self.nothing_here());
        }
        Ok(join(parts, TextQuery::And))
    }

    fn nothing_here(&self) -> Error {
        let rest = self.rest();
        if self.text.trim().is_empty() {
            Error::invalid_input("text query is empty: give at least one word")
        } else if rest.starts_with("OR") {
            self.error(self.position, "`OR` needs something before it; for the word itself write \"or\"")
        } else if rest.starts_with(')') {
            self.error(self.position, "`)` comes where a word or phrase is expected")
        } else {
            self.error(self.position, "text ends where a word or phrase is expected")
        }
    }

    fn item(&mut self, field: TextField, depth: usize) -> Result<TextQuery> {
        let start = self.position;
        let negative = self.take("-");
        let field = self.field(field)?;
        if negative && self.at_gap() {
            return Err(self.error(start, "`-` must stand directly before what is excluded"));
        }
        let query = if self.take("(") {
            self.group(start, field, depth)?
        } else if self.take("\"") {
            self.phrase(start, field)?
        } else {
            self.word(field)?
        };
        Ok(if negative { TextQuery::Not(Box::new(query)) } else { query })
    }

    /// Takes a field name before a term.
    fn field(&mut self, outer: TextField) -> Result<TextField> {
        for (name, field) in [("inputs:", TextField::Inputs), ("outputs:", TextField::Outputs)] {
            let start = self.position;
            if !self.take(name) {
                continue;
            }
            if self.at_gap() {
                return Err(
                    self.error(start, &format!("`{name}` must stand directly before a word, phrase or `(`"))
                );
            }
            if outer != TextField::Any && outer != field {
                let only = if self.only == TextField::Any {
                    "inside another field's brackets"
                } else {
                    "in this column"
                };
                return Err(self.error(start, &format!("`{name}` cannot be searched {only}")));
            }
            return Ok(field);
        }
        Ok(outer)
    }

    fn group(&mut self, start: usize, field: TextField, depth: usize) -> Result<TextQuery> {
        if depth >= DEPTH_MAX {
            return Err(self.error(start, &format!("brackets are nested deeper than {DEPTH_MAX}")));
        }
        let query = self.or(field, depth + 1)?;
        self.skip_space();
        if !self.take(")") {
            return Err(self.error(start, "`(` is not closed"));
        }
        Ok(query)
    }

    fn phrase(&mut self, start: usize, field: TextField) -> Result<TextQuery> {
        let Some((inside, _)) = self.rest().split_once('"') else {
            return Err(self.error(start, "`\"` is not closed"));
        };
        self.position += inside.len() + 1;
        if inside.trim().is_empty() {
            return Err(self.error(start, "phrase is empty"));
        }
        self.term(start, field, words(inside).into_iter().map(Slot::Word).collect())
    }

    fn word(&mut self, field: TextField) -> Result<TextQuery> {
        let start = self.position;
        let rest = self.rest();
        let end = rest.find(ends_word).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        self.position += end;
        if let Some(stem) = word.strip_suffix('*').filter(|stem| ends_with_letter(stem)) {
            return self.prefix(start, field, stem);
        }
        if let Some((stem, distance)) = word.rsplit_once('~')
            && ends_with_letter(stem)
            && distance.bytes().all(|byte| byte.is_ascii_digit())
        {
            return self.fuzzy(start, field, stem, distance);
        }
        self.term(start, field, words(word).into_iter().map(Slot::Word).collect())
    }

    fn prefix(&mut self, start: usize, field: TextField, stem: &str) -> Result<TextQuery> {
        let mut found = words(stem);
        let last = found.pop().unwrap_or_default();
        if last.chars().count() < PREFIX_CHARS_MIN {
            let message = format!(
                "prefix `{last}*` is too short: at least {PREFIX_CHARS_MIN} characters must precede `*`"
            );
            return Err(self.error(start, &message));
        }
        self.check_part(start, &last)?;
        let mut slots: Vec<Slot> = found.into_iter().map(Slot::Word).collect();
        slots.push(Slot::Prefix(last));
        self.term(start, field, slots)
    }

    fn fuzzy(&mut self, start: usize, field: TextField, stem: &str, distance: &str) -> Result<TextQuery> {
        let found = words(stem);
        let [word] = found.as_slice() else {
            return Err(self.error(start, &format!("`{stem}~` is several words: `~` takes one")));
        };
        self.check_part(start, word)?;
        let distance = match distance {
            "1" => 1,
            "2" => 2,
            _ => {
                return Err(
                    self.error(start, &format!("`{stem}~{distance}`: the distance after `~` must be 1 or 2"))
                );
            }
        };
        self.term(start, field, vec![Slot::Fuzzy(word.clone(), distance)])
    }

    fn check_part(&self, start: usize, part: &str) -> Result<()> {
        if part.len() <= QUERY_PART_BYTES_MAX {
            return Ok(());
        }
        let message = format!(
            "a prefix or fuzzy word has at most {QUERY_PART_BYTES_MAX} bytes, this one {}",
            part.len()
        );
        Err(self.error(start, &message))
    }

    fn term(&mut self, start: usize, field: TextField, slots: Vec<Slot>) -> Result<TextQuery> {
        self.terms += slots.len().max(1);
        if self.terms > TERMS_MAX {
            return Err(self.error(start, &format!("query has more than {TERMS_MAX} words")));
        }
        Ok(if slots.is_empty() { TextQuery::Nothing } else { TextQuery::Term(TextTerm { field, slots }) })
    }

    fn take_or(&mut self) -> bool {
        self.skip_space();
        self.at_or() && self.take("OR")
    }

    fn at_or(&self) -> bool {
        self.rest().strip_prefix("OR").is_some_and(|after| after.is_empty() || after.starts_with(ends_word))
    }

    /// Whether nothing stands here: white space, a closing bracket or the end.
    fn at_gap(&self) -> bool {
        self.rest().chars().next().is_none_or(|c| c.is_whitespace() || c == ')')
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        self.position = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn error(&self, position: usize, message: &str) -> Error {
        let before = self.text.get(..position).unwrap_or_default().chars().count();
        Error::invalid_input(format!("text query at character {}: {message}", before + 1))
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

fn ends_with_letter(stem: &str) -> bool {
    // An accent typed as a combining mark is not a letter, but it belongs to what was typed.
    stem.chars().next_back().is_some_and(|c| c == '_' || c.is_alphanumeric())
}

fn join(mut parts: Vec<TextQuery>, kind: fn(Vec<TextQuery>) -> TextQuery) -> TextQuery {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            kind(parts)
        }
        None => TextQuery::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        TextQuery::parse(text).unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        TextQuery::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_language_of_the_public_surface() {
        assert_eq!(parsed("Refund policy"), "(refund policy)");
        assert_eq!(parsed("\"refund  Policy!\" -test"), "(\"refund policy\" -test)");
        assert_eq!(parsed("a OR b c OR (d -e)"), "(a OR (b c) OR (d -e))");
        assert_eq!(parsed("gpt-4 user@x"), "(\"gpt 4\" \"user x\")");
        assert_eq!(parsed("pre* fuzzy~1 gpt-4o*"), "(pre* fuzzy~1 gpt-4o*)");
        assert_eq!(
            parsed("inputs:word outputs:\"a b\" -inputs:(x OR y)"),
            "(inputs:word outputs:\"a b\" -(inputs:x OR inputs:y))"
        );
        assert_eq!(parsed("http://x or AND not OR NOT"), "((\"http x\" or and not) OR not)");
        assert_eq!(parsed("ORDER foo\"bar\"(baz)"), "(order foo bar baz)");
        assert_eq!(parsed("**bold** ~/dir c++"), "(bold dir c)");
        assert_eq!(parsed("📶"), "(nothing)");
        assert_eq!(parsed("((((x))))"), "x");
        assert_eq!(parsed("a-b --x"), "(\"a b\" -x)");
        assert_eq!(parsed("a -(-b)"), "(a -(-b))");
    }

    #[test]
    fn errors_name_token_and_position() {
        let cases = [
            ("", "empty"),
            ("  ", "empty"),
            ("a \"b", "at character 3: `\"` is not closed"),
            ("é (b", "at character 3: `(`"),
            ("a )", "at character 3: `)` has no matching"),
            ("()", "at character 2: `)` comes"),
            ("a OR", "at character 5: text ends"),
            ("OR a", "at character 1: `OR`"),
            ("a OR OR b", "at character 6: `OR`"),
            ("x \"\"", "at character 3: phrase is empty"),
            ("xx a*", "at character 4: prefix `a*` is too short"),
            ("foo~3", "`foo~3`: the distance"),
            ("foo~", "must be 1 or 2"),
            ("a-b~1", "several words"),
            ("a - b", "at character 3: `-`"),
            ("inputs: x", "at character 1: `inputs:`"),
            ("inputs:(outputs:x)", "at character 9: `outputs:`"),
            ("-a", "only says what must not"),
            ("a OR -b", "only says"),
            ("-(a OR b) -c", "only says"),
        ];
        for (text, expected) in cases {
            assert!(refused(text).contains(expected), "{text}: {}", refused(text));
        }
        assert!(refused(&("(".repeat(70) + "x" + &")".repeat(70))).contains("nested deeper than 64"));
        assert!(refused(&"w ".repeat(257)).contains("more than 256 words"));
        assert!(refused(&format!("{}*", "a".repeat(200))).contains("at most 128 bytes"));
        assert!(refused(&"-".repeat(100_000)).contains("bytes"));
        assert!(TextQuery::parse(&"w ".repeat(256)).is_ok());
    }

    #[test]
    fn a_column_query_stays_in_its_column() {
        let query = TextQuery::parse_in("a -\"b c\" inputs:d", TextField::Inputs).unwrap();
        assert_eq!(query.to_string(), "(inputs:a -inputs:\"b c\" inputs:d)");
        let error = TextQuery::parse_in("outputs:a", TextField::Inputs).unwrap_err();
        assert!(error.to_string().contains("cannot be searched in this column"), "{error}");
    }
}

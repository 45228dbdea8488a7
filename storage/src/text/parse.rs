//! The text query language: query text to [`TextQuery`].
//!
//! ```text
//! or     ::= and { 'OR' and }
//! and    ::= item { ['AND'] item }
//! item   ::= ['NOT' | '-'] [ 'inputs:' | 'outputs:' ] ( '(' or ')' | '"' phrase '"' | word | word'*' | word'~1' )
//! ```
//!
//! 1. A word ends at white space, a bracket or a double quote. One that holds several words in the
//!    sense of `tokenizer` (`gpt-4`, `天気`) is a phrase of them; one that holds none is an error.
//! 2. Operators are in capitals; there is no escape inside quotes, for quotes and backslashes are never
//!    part of a word.
//! 3. A name before a colon is a field, and an error when it is none. What programs and addresses are full of
//!    (`a::b`, `http://x`, `C:\\x`), and a colon at the end of a word, is text.
//! 4. Errors name the text at fault and its position, counted in characters of the text as it is read, from 1.

use super::cut::cut;
use super::letters::is_spaceless;
use super::query::{Slot, TextField, TextQuery, TextTerm, is_near};
use super::reading::read;
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

/// Most characters of a query that a message repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// Fields by their names.
const FIELDS: [(&str, TextField); 2] = [
    ("inputs", TextField::Inputs),
    ("outputs", TextField::Outputs),
];

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
        let text = read(text);
        let mut parser = Parser {
            text: &text,
            position: 0,
            only: field,
            terms: 0,
        };
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
        while self.take_operator("OR") {
            parts.push(self.and(field, depth)?);
        }
        Ok(join(parts, TextQuery::Or))
    }

    fn and(&mut self, field: TextField, depth: usize) -> Result<TextQuery> {
        let mut parts = Vec::new();
        loop {
            let start = self.position;
            if self.take_operator("AND") && (parts.is_empty() || !self.is_before_item()) {
                self.position = start;
                return Err(self.misplaced("AND", parts.is_empty()));
            }
            if !self.is_before_item() {
                break;
            }
            parts.push(self.item(field, depth)?);
        }
        if parts.is_empty() {
            return Err(self.nothing_here());
        }
        Ok(join(parts, TextQuery::And))
    }

    /// Whether something other than an operator between items, a closing bracket or the end follows.
    fn is_before_item(&mut self) -> bool {
        self.skip_space();
        !self.at_gap() && !self.at_operator("OR") && !self.at_operator("AND")
    }

    fn nothing_here(&mut self) -> Error {
        if self.text.trim().is_empty() {
            Error::invalid_input("text query is empty: give at least one word")
        } else if self.at_operator("OR") {
            self.misplaced("OR", true)
        } else if self.rest().starts_with(')') {
            self.error(
                self.position,
                "`)` comes where a word or phrase is expected",
            )
        } else {
            self.error(
                self.position,
                "text ends where a word or phrase is expected",
            )
        }
    }

    /// An operator has nothing on one side.
    fn misplaced(&mut self, operator: &str, is_first: bool) -> Error {
        self.skip_space();
        let side = if is_first { "before" } else { "after" };
        let word = operator.to_lowercase();
        let message =
            format!("`{operator}` needs something {side} it; for the word itself write \"{word}\"");
        self.error(self.position, &message)
    }

    fn item(&mut self, field: TextField, depth: usize) -> Result<TextQuery> {
        let start = self.position;
        let negative = self.negation()?;
        let field = self.field(field)?;
        let query = if self.take("(") {
            self.group(start, field, depth)?
        } else if self.take("\"") {
            self.phrase(start, field)?
        } else {
            self.word(field)?
        };
        Ok(if negative {
            TextQuery::Not(Box::new(query))
        } else {
            query
        })
    }

    /// Takes `NOT` or `-`.
    fn negation(&mut self) -> Result<bool> {
        let start = self.position;
        if self.take_operator("NOT") {
            let is_before_item = self.is_before_item();
            if is_before_item && (self.at_operator("NOT") || self.rest().starts_with('-')) {
                return Err(self.error(
                    start,
                    "`NOT` stands before what is excluded, which is not negated again",
                ));
            }
            if !is_before_item {
                self.position = start;
                return Err(self.misplaced("NOT", false));
            }
            return Ok(true);
        }
        let negative = self.take("-");
        if negative && self.at_gap() {
            return Err(self.error(start, "`-` must stand directly before what is excluded"));
        }
        Ok(negative)
    }

    /// Takes a field name before a term.
    fn field(&mut self, outer: TextField) -> Result<TextField> {
        let start = self.position;
        let Some((name, after)) = self.name_before_colon() else {
            return Ok(outer);
        };
        let Some((_, field)) = FIELDS.into_iter().find(|(known, _)| *known == name) else {
            return match after {
                None | Some(':' | '/' | '\\') => Ok(outer),
                Some(_) => Err(self.unknown_field(name)),
            };
        };
        self.take(name);
        self.take(":");
        if self.at_gap() {
            let message = format!("`{name}:` must stand directly before a word, phrase or `(`");
            return Err(self.error(start, &message));
        }
        if outer != TextField::Any && outer != field {
            let only = if self.only == TextField::Any {
                "inside another field's brackets"
            } else {
                "in this column"
            };
            return Err(self.error(start, &format!("`{name}:` cannot be searched {only}")));
        }
        Ok(field)
    }

    /// A name that a colon follows, and the character after that unless it ends the word.
    fn name_before_colon(&self) -> Option<(&'a str, Option<char>)> {
        let rest = self.rest();
        let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let (name, after) = rest.split_at_checked(rest.find(|c| !is_inside(c))?)?;
        let after = after
            .strip_prefix(':')
            .filter(|_| name.starts_with(|c: char| c.is_ascii_alphabetic()))?;
        Some((
            name,
            after
                .chars()
                .next()
                .filter(|c| !c.is_whitespace() && *c != ')'),
        ))
    }

    fn unknown_field(&self, name: &str) -> Error {
        let near = FIELDS
            .into_iter()
            .find(|(known, _)| is_near(&name.to_lowercase(), known, 2));
        let hint = match near {
            Some((known, _)) => format!("did you mean `{known}:`?"),
            None => "there are `inputs:` and `outputs:`.".to_owned(),
        };
        let message = format!(
            "no field `{}`: {hint} For the text itself put it in quotes",
            shown(name)
        );
        self.error(self.position, &message)
    }

    fn group(&mut self, start: usize, field: TextField, depth: usize) -> Result<TextQuery> {
        if depth >= DEPTH_MAX {
            return Err(self.error(
                start,
                &format!("brackets are nested deeper than {DEPTH_MAX}"),
            ));
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
        self.term(
            start,
            field,
            inside,
            words(inside).into_iter().map(Slot::Word).collect(),
        )
    }

    fn word(&mut self, field: TextField) -> Result<TextQuery> {
        let start = self.position;
        let rest = self.rest();
        let end = rest.find(ends_word).unwrap_or(rest.len());
        let word = cut(rest, ..end);
        self.position += end;
        if word.starts_with('*') {
            let inner = shown(word.trim_matches('*'));
            let message = format!(
                "`*` stands at the end of a word, whose beginning is known (`pre*`); what is inside words is found by \
                 LIKE '%{inner}%'"
            );
            return Err(self.error(start, &message));
        }
        if let Some(stem) = word.strip_suffix('*').filter(|stem| ends_with_letter(stem)) {
            return self.prefix(start, field, stem);
        }
        if let Some((stem, distance)) = word.rsplit_once('~')
            && ends_with_letter(stem)
            && distance.bytes().all(|byte| byte.is_ascii_digit())
        {
            return self.fuzzy(start, field, stem, distance);
        }
        self.term(
            start,
            field,
            word,
            words(word).into_iter().map(Slot::Word).collect(),
        )
    }

    fn prefix(&mut self, start: usize, field: TextField, stem: &str) -> Result<TextQuery> {
        let mut found = words(stem);
        // A stem without a word, a lone vowel sign, is a prefix that is too short.
        let last = found.pop().unwrap_or_default();
        if last.starts_with(is_spaceless) {
            // The word ends with this letter, whatever follows it.
            found.push(last);
            return self.term(
                start,
                field,
                stem,
                found.into_iter().map(Slot::Word).collect(),
            );
        }
        if last.chars().count() < PREFIX_CHARS_MIN {
            let message = format!(
                "prefix `{last}*` is too short: at least {PREFIX_CHARS_MIN} characters must precede `*`"
            );
            return Err(self.error(start, &message));
        }
        self.check_part(start, &last)?;
        let mut slots: Vec<Slot> = found.into_iter().map(Slot::Word).collect();
        slots.push(Slot::Prefix(last));
        self.term(start, field, stem, slots)
    }

    fn fuzzy(
        &mut self,
        start: usize,
        field: TextField,
        stem: &str,
        distance: &str,
    ) -> Result<TextQuery> {
        let found = words(stem);
        if found.iter().any(|word| word.starts_with(is_spaceless)) {
            let message = format!(
                "`{}~`: in a script without spaces each letter is a word, and `~` takes words of several letters",
                shown(stem)
            );
            return Err(self.error(start, &message));
        }
        let [word] = found.as_slice() else {
            return Err(self.error(start, &format!("`{stem}~` is several words: `~` takes one")));
        };
        self.check_part(start, word)?;
        let distance = match distance {
            "1" => 1,
            "2" => 2,
            _ => {
                return Err(self.error(
                    start,
                    &format!("`{stem}~{distance}`: the distance after `~` must be 1 or 2"),
                ));
            }
        };
        self.term(
            start,
            field,
            stem,
            vec![Slot::Fuzzy(word.clone(), distance)],
        )
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

    fn term(
        &mut self,
        start: usize,
        field: TextField,
        text: &str,
        slots: Vec<Slot>,
    ) -> Result<TextQuery> {
        if slots.is_empty() {
            let text = shown(text);
            let message = format!(
                "`{text}` has no letter or digit, so that there is no word to look up; texts that hold it are found by \
                 LIKE '%{text}%'"
            );
            return Err(self.error(start, &message));
        }
        self.terms += slots.len();
        if self.terms > TERMS_MAX {
            return Err(self.error(start, &format!("query has more than {TERMS_MAX} words")));
        }
        Ok(TextQuery::Term(TextTerm { field, slots }))
    }

    /// Takes an operator after white space.
    fn take_operator(&mut self, operator: &str) -> bool {
        self.skip_space();
        self.at_operator(operator) && self.take(operator)
    }

    fn at_operator(&self, operator: &str) -> bool {
        let after = self.rest().strip_prefix(operator);
        after.is_some_and(|after| after.is_empty() || after.starts_with(ends_word))
    }

    /// Whether nothing stands here: white space, a closing bracket or the end.
    fn at_gap(&self) -> bool {
        self.rest()
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || c == ')')
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
        cut(self.text, self.position..)
    }

    fn error(&self, position: usize, message: &str) -> Error {
        let before = cut(self.text, ..position).chars().count();
        Error::invalid_input(format!("text query at character {}: {message}", before + 1))
    }
}

/// What a message repeats of a query.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown + "…"
    } else {
        shown
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

fn ends_with_letter(stem: &str) -> bool {
    // An accent typed as a combining mark is not a letter, but it belongs to what was typed.
    stem.chars()
        .next_back()
        .is_some_and(|c| c == '_' || c.is_alphanumeric())
}

fn join(mut parts: Vec<TextQuery>, kind: fn(Vec<TextQuery>) -> TextQuery) -> TextQuery {
    assert!(!parts.is_empty(), "what joins something has parts");
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            kind(parts)
        }
    }
}

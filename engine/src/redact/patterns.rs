//! Patterns: those of well-known secrets, mail addresses and cards, and the user's rules compiled under caps.
//!
//! All are of the `regex` crate, so that time is linear in the text. A built-in one is looked for twice: by
//! its letters alone, which for a text without any costs one fast search, then where a secret may begin.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::{Captures, Match, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::settings::{Redaction, RedactionRule};
use super::shapes::{self, SECRETS, Shape};
use crate::error::{Error, Result};

/// Largest compiled form of one pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a user's pattern.
const NEST_MAX: u32 = 50;

/// The group of a pattern that is hidden; without it, all of the match is.
pub(super) const PART: &str = "__hidden";

/// A match that a judge decides on.
pub(super) struct Found<'a> {
    pub(super) captures: &'a Captures<'a>,
}

impl<'a> Found<'a> {
    /// Where the secret is in the text.
    pub(super) fn range(&self) -> Range<usize> {
        self.part().map_or(0..0, |part| part.range())
    }

    /// The secret.
    pub(super) fn text(&self) -> &'a str {
        self.part().map_or("", |part| part.as_str())
    }

    fn part(&self) -> Option<Match<'a>> {
        self.captures.name(PART).or_else(|| self.captures.get(0))
    }
}

/// What is to be hidden of a match; `None` when it is no secret after all.
pub(super) type Judge = fn(&Found<'_>) -> Option<Range<usize>>;

const EMAIL: &str = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,24}(?-u:\b)";
const CARD: &str = r"SECRET([0-9](?:[ -]?[0-9]){12,18})(?:(?-u:\b)|_)";

/// The secrets compiled, for all databases of a process and when the first text is looked at: reading
/// commands open a database without looking at any.
static COMPILED_SECRETS: LazyLock<std::result::Result<Patterns, String>> = LazyLock::new(|| {
    Patterns::of_shapes(&SECRETS, shapes::bounded).map_err(|error| error.to_string())
});

/// Patterns that are looked for together.
#[derive(Debug)]
pub(super) struct Patterns {
    any: RegexSet,
    each: Vec<Pattern>,
    /// A byte that every match has.
    needle: Option<u8>,
}

#[derive(Debug)]
struct Pattern {
    name: String,
    text: String,
    /// Compiled when a text first seems to hold it.
    regex: OnceLock<Option<Regex>>,
    judge: Judge,
}

/// The patterns of a setting.
#[derive(Debug)]
pub(super) enum Group {
    /// The built-in ones, which are compiled once for all databases of a process.
    Secrets,
    Own(Patterns),
}

impl Group {
    /// The groups of a setting, those that are cheap to look for first.
    ///
    /// # Errors
    /// `InvalidInput` naming the rule that cannot be compiled.
    pub(super) fn of(setting: &Redaction) -> Result<Vec<Self>> {
        let mut groups = Vec::new();
        if setting.secrets {
            groups.push(Self::Secrets);
        }
        if setting.emails {
            groups.push(Self::Own(Patterns::of_rules(
                &[("email", EMAIL)],
                Some(b'@'),
            )?));
        }
        if setting.cards {
            let cards = Shape {
                name: "card",
                pattern: CARD,
                judge: card,
            };
            groups.push(Self::Own(Patterns::of_shapes(
                &[cards],
                shapes::bounded_digits,
            )?));
        }
        if !setting.rules.is_empty() {
            let rules: Vec<(&str, &str)> = setting.rules.iter().map(of_rule).collect();
            groups.push(Self::Own(Patterns::of_rules(&rules, None)?));
        }
        Ok(groups)
    }

    /// The text without what matches, and how much that was; `None` when nothing does.
    pub(super) fn replace(&self, text: &str, count: &mut u64) -> Option<String> {
        match self {
            Self::Own(patterns) => patterns.replace(text, count),
            Self::Secrets => match &*COMPILED_SECRETS {
                Ok(patterns) => patterns.replace(text, count),
                // A test compiles them: this is for the case that it was not run.
                Err(error) => {
                    *count += 1;
                    Some(replacement(error))
                }
            },
        }
    }
}

impl Patterns {
    /// Secrets, to be found where they may begin.
    fn of_shapes(shapes: &[Shape], bounded: fn(&str) -> String) -> Result<Self> {
        let written: Vec<String> = shapes
            .iter()
            .map(|shape| shapes::written_out(shape.pattern))
            .collect();
        let each = shapes.iter().zip(&written).map(|(shape, text)| Pattern {
            name: shape.name.to_string(),
            text: bounded(text),
            regex: OnceLock::new(),
            judge: shape.judge,
        });
        Ok(Self {
            each: each.collect(),
            any: set(&written)?,
            needle: None,
        })
    }

    /// Patterns that are taken as they are, each compiled now.
    fn of_rules(rules: &[(&str, &str)], needle: Option<u8>) -> Result<Self> {
        let mut each = Vec::with_capacity(rules.len());
        for (name, pattern) in rules {
            let wrong =
                |e: regex::Error| Error::invalid_input(format!("redaction rule {name:?}: {e}"));
            let regex = compile(pattern).map_err(wrong)?;
            let (name, text) = ((*name).to_string(), (*pattern).to_string());
            each.push(Pattern {
                name,
                text,
                regex: OnceLock::from(Some(regex)),
                judge: whole,
            });
        }
        let texts: Vec<String> = each.iter().map(|pattern| pattern.text.clone()).collect();
        Ok(Self {
            any: set(&texts)?,
            each,
            needle,
        })
    }

    /// The text without what matches, and how much that was; `None` when nothing does.
    fn replace(&self, text: &str, count: &mut u64) -> Option<String> {
        if self
            .needle
            .is_some_and(|byte| memchr::memchr(byte, text.as_bytes()).is_none())
        {
            return None;
        }
        if !self.any.is_match(text) {
            return None;
        }
        let mut changed: Option<String> = None;
        for index in self.any.matches(text).iter() {
            let Some(pattern) = self.each.get(index) else {
                continue;
            };
            changed = pattern
                .replace(changed.as_deref().unwrap_or(text), count)
                .or(changed);
        }
        changed
    }
}

impl Pattern {
    fn replace(&self, text: &str, count: &mut u64) -> Option<String> {
        let Some(regex) = self.regex.get_or_init(|| compile(&self.text).ok()) else {
            // As above: what cannot be looked for is not kept.
            *count += 1;
            return Some(replacement(&self.name));
        };
        let found = regex.captures_iter(text).filter_map(|captures| {
            let is_empty = captures.get(0).is_none_or(|all| all.is_empty());
            if is_empty {
                None
            } else {
                (self.judge)(&Found {
                    captures: &captures,
                })
            }
        });
        replace_ranges(text, found, &replacement(&self.name), count)
    }
}

/// The text with ranges of it, which come in order, replaced; `None` when there is none.
pub(super) fn replace_ranges(
    text: &str,
    ranges: impl Iterator<Item = Range<usize>>,
    replacement: &str,
    count: &mut u64,
) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    for range in ranges {
        // What began inside the last one is gone with it.
        if range.start < copied {
            continue;
        }
        out.push_str(text.get(copied..range.start).unwrap_or_default());
        out.push_str(replacement);
        copied = range.end;
        *count += 1;
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// A pattern under the caps.
pub(super) fn compile(pattern: &str) -> std::result::Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .nest_limit(NEST_MAX)
        .build()
}

fn set(texts: &[String]) -> Result<RegexSet> {
    RegexSetBuilder::new(texts)
        .size_limit(COMPILED_BYTES_MAX * texts.len().max(1))
        .nest_limit(NEST_MAX)
        .build()
        .map_err(|e| Error::invalid_input(format!("redaction rules: {e}")))
}

/// What stands for a match.
pub(super) fn replacement(name: &str) -> String {
    format!("[REDACTED:{name}]")
}

fn of_rule(rule: &RedactionRule) -> (&str, &str) {
    (&rule.name, &rule.pattern)
}

/// All that a user's rule matches, whatever groups it has.
fn whole(found: &Found<'_>) -> Option<Range<usize>> {
    found.captures.get(0).map(|all| all.range())
}

/// The longest beginning, cut where a group of digits ends, whose check digit is right.
fn card(found: &Found<'_>) -> Option<Range<usize>> {
    let range = found.range();
    card_length(found.text()).map(|length| range.start..range.start + length)
}

fn card_length(found: &str) -> Option<usize> {
    let bytes = found.as_bytes();
    let ends_group = |end: &usize| bytes.get(*end).is_none_or(|next| !next.is_ascii_digit());
    (1..=found.len()).rev().filter(ends_group).find(|end| {
        let digits: Vec<u32> = bytes
            .iter()
            .take(*end)
            .filter(|b| b.is_ascii_digit())
            .map(|b| u32::from(b - b'0'))
            .collect();
        let ends_in_digit = end
            .checked_sub(1)
            .and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit);
        (13..=19).contains(&digits.len()) && ends_in_digit && has_check_digit(&digits)
    })
}

/// The sum of Luhn, which every card number has.
fn has_check_digit(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, d)| if at % 2 == 1 { doubled(*d) } else { *d })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pattern_can_be_compiled() {
        let patterns = COMPILED_SECRETS.as_ref().unwrap();
        for pattern in &patterns.each {
            assert!(compile(&pattern.text).is_ok(), "{}", pattern.name);
        }
        let names: std::collections::BTreeSet<&str> = patterns
            .each
            .iter()
            .map(|pattern| pattern.name.as_str())
            .collect();
        assert_eq!(names.len(), SECRETS.len(), "each has its own name");
    }
}

//! The answer has none of some words, phrases and patterns.
//!
//! A list has one a line: a word or phrase, or `/pattern/`; lines that start with `#` and empty lines are left out. Words and
//! phrases are found whole (no letter, digit or `_` goes on from their ends), in upper and lower case, whatever white
//! space stands between their words. Patterns are found anywhere, in upper and lower case; `\b` in them is theirs to say.
//!
//! Invariant: patterns are read when the scorer is made.

use ::regex::{RegexSet, RegexSetBuilder};
use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::TEXTS;
use super::regex::compile;
use crate::{Item, Needs, Score, ScoreError};

/// Whether nothing of a list is in the answer. Value: a boolean, true when nothing is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forbidden {
    /// Words, phrases, and `/patterns/`.
    pub words: Vec<String>,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Forbidden {
    /// The words of a list's text.
    pub fn from_list(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            words: words.map(str::to_owned).collect(),
            field: None,
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        if self.words.is_empty() {
            let message = "nothing is forbidden; the list has a word, phrase or /pattern/ a line";
            return Err(SpecError::new(message));
        }
        let (phrases, patterns) = self.parts()?;
        let too_large = |error: &dyn std::fmt::Display| {
            SpecError::new(format!("the list is too large: {error}"))
        };
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&phrases)
            .map_err(|error| too_large(&error))?;
        let set = RegexSetBuilder::new(&patterns)
            .case_insensitive(true)
            .build()
            .map_err(|error| too_large(&error))?;
        Ok(Box::new(Ready {
            finder,
            phrases,
            set,
            patterns,
            field: self.field.clone(),
        }))
    }

    /// Phrases as they are looked for, and patterns without their slashes.
    fn parts(&self) -> Result<(Vec<String>, Vec<String>), SpecError> {
        let mut phrases = Vec::new();
        let mut patterns = Vec::new();
        for word in &self.words {
            let rest = word.strip_prefix('/');
            match rest.and_then(|rest| rest.strip_suffix('/')) {
                Some("") => return Err(SpecError::new("pattern `//` is empty")),
                Some(pattern) => {
                    compile(pattern, true)?;
                    patterns.push(pattern.to_owned());
                }
                None if word.trim().is_empty() => {
                    return Err(SpecError::new("a word is empty, every answer has it"));
                }
                None => phrases.push(plain(word)),
            }
        }
        Ok((phrases, patterns))
    }
}

/// A text in lower case with one space in the place of each run of white space.
fn plain(text: &str) -> String {
    let lowered = match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.to_lowercase(),
    };
    let bytes = lowered.as_bytes();
    let mut pairs = bytes.iter().zip(bytes.iter().skip(1));
    let doubled = pairs.any(|(left, right)| *left == b' ' && *right == b' ');
    let other = |c: char| c != ' ' && c.is_whitespace();
    if !doubled && !lowered.contains(other) {
        return lowered;
    }
    let mut spaced = String::with_capacity(lowered.len());
    for piece in lowered.split_whitespace() {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(piece);
    }
    spaced
}

struct Ready {
    finder: AhoCorasick,
    phrases: Vec<String>,
    set: RegexSet,
    patterns: Vec<String>,
    field: Option<String>,
}

impl Ready {
    /// What is found, each once: phrases in the order of the text, then patterns in the order of the list.
    fn found(&self, text: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        if !self.phrases.is_empty() {
            let plain = plain(text);
            for hit in self.finder.find_overlapping_iter(&plain) {
                let Some(phrase) = self.phrases.get(hit.pattern().as_usize()) else {
                    continue;
                };
                if is_whole(&plain, hit.start(), hit.end()) && !found.contains(phrase) {
                    found.push(phrase.clone());
                }
            }
        }
        let patterns = self.set.matches(text).into_iter();
        let patterns = patterns.filter_map(|index| self.patterns.get(index));
        found.extend(patterns.map(|pattern| format!("/{pattern}/")));
        found
    }
}

/// Whether no word goes on from the ends of a part; an end that is no part of a word itself ends anywhere.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let part = text.get(start..end).unwrap_or_default();
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    let goes_on_before = in_word(before) && in_word(part.chars().next());
    let goes_on_after = in_word(after) && in_word(part.chars().next_back());
    !goes_on_before && !goes_on_after
}

impl Check for Ready {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let text = answer::text(item, self.field.as_deref())?;
        let found = self.found(&text);
        Ok(Score::verdict(found.is_empty(), || {
            format!("has {}", found.join(", "))
        }))
    }
}

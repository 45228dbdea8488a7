//! What the answer cites is in the documents that were retrieved.
//!
//! Three forms of citation are checked:
//! 1. **numbers** in brackets, `[1]`, `[1, 3]`, `[2-4]`: each must be from 1 to the count of documents. Brackets with
//!    anything else in them, and a bracket followed by `(` (a link), are no citation;
//! 2. **quotes** between `"`, “ and ”, or « and », that do not cross a line and have at least `min_words` words: the passage
//!    must stand in one document word for word. White space counts as one space, curly quotes and apostrophes as straight
//!    ones, and punctuation at the end of the passage is left out; upper and lower case differ unless `ignore_case`;
//! 3. **ids**, when `id_pattern` says what an id looks like: its first group (or the whole match) must stand in the text
//!    of a document. Items have texts of documents only, so an id is found only where a text has it.
//!
//! Value: the part of the citations that hold. It passes when all hold, and there is one (unless `required` is false: an
//! answer without a citation then passes with 1).
//!
//! Invariant: each citation in the answer counts, also one that comes twice.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::super::answer::{self, missing};
use super::super::error::SpecError;
use super::super::named::Check;
use super::max_words::word_count;
use super::regex::compile;
use super::short;
use crate::{Item, Needs, Score, ScoreError};

/// How many false citations a rationale lists.
const SHOWN: usize = 3;

/// Whether what the answer cites is in the documents. Value: the part of the citations that hold, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Citation {
    /// A quote of fewer words is not checked.
    pub min_words: u64,
    /// An answer without any citation does not pass.
    pub required: bool,
    /// Upper and lower case of quotes are the same.
    pub ignore_case: bool,
    /// What the id of a document looks like in the answer, as a regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_pattern: Option<String>,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Default for Citation {
    fn default() -> Self {
        Self {
            min_words: 4,
            required: true,
            ignore_case: false,
            id_pattern: None,
            field: None,
        }
    }
}

impl Citation {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        if self.min_words == 0 {
            return Err(SpecError::new("min_words is 0; 1 checks every quote"));
        }
        let id_pattern = self.id_pattern.as_deref();
        Ok(Box::new(Ready {
            id_pattern: id_pattern.map(|text| compile(text, false)).transpose()?,
            settings: self.clone(),
        }))
    }
}

struct Ready {
    id_pattern: Option<::regex::Regex>,
    settings: Citation,
}

/// Citations counted, and the false ones with why.
#[derive(Default)]
struct Tally {
    count: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, holds: bool, why: impl FnOnce() -> String) {
        self.count += 1;
        if !holds {
            self.wrong.push(why());
        }
    }

    fn score(self, required: bool) -> Score {
        if self.count == 0 {
            let why = || "the answer cites nothing".to_owned();
            let value = Score::measure(if required { 0.0 } else { 1.0 }).value;
            return Score {
                value,
                ..Score::verdict(!required, why)
            };
        }
        let held = self.count - self.wrong.len();
        let measure = Score::measure(held as f64 / self.count as f64);
        Score {
            value: measure.value,
            ..Score::verdict(self.wrong.is_empty(), || {
                let shown: Vec<&str> = self.wrong.iter().take(SHOWN).map(String::as_str).collect();
                let of = format!(
                    "{} of {} citations do not hold",
                    self.wrong.len(),
                    self.count
                );
                format!("{of}: {}", shown.join("; "))
            })
        }
    }
}

impl Ready {
    fn numbers(&self, text: &str, count: usize, tally: &mut Tally) {
        for (at, _) in text.match_indices('[') {
            let rest = text.get(at + 1..).unwrap_or_default();
            let Some((inner, after)) = rest.split_once(']') else {
                break;
            };
            if after.starts_with('(') {
                continue;
            }
            for (first, last) in ranges(inner).unwrap_or_default() {
                let holds = 1 <= first && first <= last && last <= count as u64;
                tally.add(holds, || {
                    format!("[{}] is not from 1 to {count}", inner.trim())
                });
            }
        }
    }

    fn quotes(&self, text: &str, documents: &[String], tally: &mut Tally) {
        let ignore_case = self.settings.ignore_case;
        let mut plain: Option<Vec<String>> = None;
        for quote in quotes(text) {
            if word_count(quote) < self.settings.min_words {
                continue;
            }
            let passage = passage(quote, ignore_case);
            // Most passages that stand in a document stand there with plain spaces and quotes.
            let stands = |text: &String| text.contains(&passage);
            let holds = documents.iter().any(stands)
                || plain
                    .get_or_insert_with(|| {
                        let each = documents.iter();
                        each.map(|text| plain_text(text, ignore_case)).collect()
                    })
                    .iter()
                    .any(stands);
            tally.add(holds, || format!("no document has {}", short(quote)));
        }
    }

    fn ids(&self, text: &str, documents: &[String], tally: &mut Tally) {
        let Some(pattern) = &self.id_pattern else {
            return;
        };
        for found in pattern.captures_iter(text) {
            let id = found.get(1).or_else(|| found.get(0));
            let id = id.map(|id| id.as_str()).unwrap_or_default();
            let holds = documents.iter().any(|text| text.contains(id));
            tally.add(holds, || format!("no document has the id {}", short(id)));
        }
    }
}

/// `1`, `1, 3`, `2-4` as ranges; `None` when it is something else.
fn ranges(inner: &str) -> Option<Vec<(u64, u64)>> {
    let number = |text: &str| -> Option<u64> {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let parts = inner
        .split(',')
        .map(|part| match part.split_once(['-', '–']) {
            Some((first, last)) => Some((number(first)?, number(last)?)),
            None => number(part).map(|number| (number, number)),
        });
    parts.collect()
}

/// The passages between quotes, of each line.
fn quotes(text: &str) -> impl Iterator<Item = &str> {
    static QUOTED: LazyLock<Option<::regex::Regex>> =
        LazyLock::new(|| ::regex::Regex::new("\"([^\"\n]+)\"|“([^“”\n]+)”|«([^«»\n]+)»").ok());
    let found = QUOTED.iter().flat_map(|quoted| quoted.captures_iter(text));
    found.filter_map(|quote| {
        quote
            .iter()
            .skip(1)
            .flatten()
            .next()
            .map(|part| part.as_str())
    })
}

fn passage(quote: &str, ignore_case: bool) -> String {
    let mut passage = plain_text(quote, ignore_case);
    let kept = passage.trim_end_matches(['.', ',', ';', ':', '!', '?', '…', ' ']);
    passage.truncate(kept.len());
    passage
}

fn plain_text(text: &str, ignore_case: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        if word.is_ascii() {
            plain.push_str(word);
            continue;
        }
        plain.extend(word.chars().map(|character| match character {
            '“' | '”' | '„' => '"',
            '‘' | '’' => '\'',
            other => other,
        }));
    }
    match ignore_case {
        true => plain.to_lowercase(),
        false => plain,
    }
}

impl Check for Ready {
    fn needs(&self) -> Needs {
        Needs {
            texts: true,
            spans: true,
            messages: false,
        }
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let text = answer::text(item, self.settings.field.as_deref())?;
        if item.documents.is_empty() {
            return Err(missing("documents: the item has retrieved none"));
        }
        let mut tally = Tally::default();
        self.numbers(&text, item.documents.len(), &mut tally);
        self.quotes(&text, &item.documents, &mut tally);
        self.ids(&text, &item.documents, &mut tally);
        Ok(tally.score(self.settings.required))
    }
}

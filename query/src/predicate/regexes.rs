//! `RLIKE` compiled: a regular expression that is found anywhere in a text.
//!
//! A large expression takes the product of its size and the text's at worst, and the search of `regex` cannot be
//! stopped. So where that product is large, the text is gone through byte by byte with a lazy automaton, which
//! takes as long at worst, but looks at the [`interrupt`] on the way.

use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson::{self, NFA};
use tracehouse_storage::interrupt;

/// Compiled size of one expression, in bytes.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// States of the automaton, in bytes, between two times that it begins anew.
const CACHE_BYTES: usize = 8 << 20;
/// Product of the lengths of text and expression up to which a search is not looked after: at worst a few
/// tenths of a second.
const UNWATCHED_WORK_MAX: usize = 32 << 20;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct RegexSearch {
    regex: Regex,
    /// Parts of the expression that one byte may have to be put to.
    states: usize,
    /// Made for the first text that needs it; `None` when it cannot be.
    steps: Arc<OnceLock<Option<DFA>>>,
}

impl RegexSearch {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A message when it is none, or too large.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the pattern is too large".to_string(),
                error => error
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or("invalid regular expression")
                    .to_string(),
            })?;
        let compiled = NFA::compiler().configure(size_limit()).build(text);
        let states = compiled.map_or(COMPILED_BYTES_MAX, |compiled| compiled.states().len());
        Ok(Self {
            regex,
            states,
            steps: Arc::default(),
        })
    }

    /// Whether it is found in the text. When the reader is to stop the answer means nothing.
    pub fn is_match(&self, text: &str) -> bool {
        if !interrupt::spend(text.len()) {
            return false;
        }
        let is_watched = text.len().saturating_mul(self.states) > UNWATCHED_WORK_MAX;
        let steps = is_watched.then(|| {
            self.steps
                .get_or_init(|| automaton(self.regex.as_str()))
                .as_ref()
        });
        let watched = steps.flatten().and_then(|dfa| self.watched(dfa, text));
        watched.unwrap_or_else(|| self.regex.is_match(text))
    }

    /// Whether it is found, told byte by byte; `None` when the automaton gives up, which it does at the first character beyond
    /// ASCII when the expression has word boundaries.
    fn watched(&self, dfa: &DFA, text: &str) -> Option<bool> {
        let mut cache = dfa.create_cache();
        let mut state = dfa
            .start_state_forward(&mut cache, &Input::new(text))
            .ok()?;
        let mut cache_bytes = cache.memory_usage();
        for byte in text.bytes() {
            state = dfa.next_state(&mut cache, state, byte).ok()?;
            if state.is_match() {
                return Some(true);
            }
            if state.is_dead() {
                return Some(false);
            }
            if state.is_quit() {
                return None;
            }
            // A state that was not there before has been put together from parts of the expression.
            let is_new = std::mem::replace(&mut cache_bytes, cache.memory_usage()) != cache_bytes;
            if !interrupt::spend(if is_new { self.states } else { 1 }) {
                return Some(false);
            }
        }
        Some(dfa.next_eoi_state(&mut cache, state).ok()?.is_match())
    }
}

fn size_limit() -> thompson::Config {
    thompson::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX))
}

fn automaton(text: &str) -> Option<DFA> {
    let config = DFA::config()
        .unicode_word_boundary(true)
        .cache_capacity(CACHE_BYTES)
        .skip_cache_capacity_check(true);
    DFA::builder()
        .configure(config)
        .thompson(size_limit())
        .build(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same() {
        let long = "xy".repeat(60);
        for regex in [
            "^a",
            "a$",
            "(a|b)*c",
            "x{50}",
            "(?i)É.",
            r"\by",
            "(xy){60}$",
            "",
            "y(xy){3}z|q",
        ] {
            let search = RegexSearch::new(regex).unwrap();
            let dfa = automaton(regex).unwrap();
            for text in [
                "",
                "a",
                "ba",
                "abac",
                "é1",
                "É\n",
                long.as_str(),
                "yxyxyxyz",
                "q",
                "y é y",
                "x\ny",
            ] {
                let is_match = search.regex.is_match(text);
                assert_eq!(
                    search.watched(&dfa, text).unwrap_or(is_match),
                    is_match,
                    "{regex} in {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_large_expression_on_a_long_text_ends_when_it_is_to() {
        let search = RegexSearch::new("(a|b)*a[ab]{900}[ab]{900}c").unwrap();
        let mut random = crate::seeded::Seeded(1);
        let text: String = (0..1 << 20).map(|_| random.pick(&["a", "b"])).collect();
        let started = std::time::Instant::now();
        let limit = std::time::Duration::from_millis(100);
        let ended = interrupt::Interrupt::default()
            .within(limit)
            .guarding(|| Ok(search.is_match(&text)));
        assert!(ended.is_err(), "it is quick");
        assert!(started.elapsed() < limit * 20, "{:?}", started.elapsed());
    }
}

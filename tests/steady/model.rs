//! What a busy writer does, step by step, and what the database holds after each: the same numbers make the
//! same steps, so that another process knows every state without being told.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::order::Random;

/// Traces that live at one time, at most.
const LIVE_MAX: usize = 300;
/// One trace in so many has the word.
pub const WORD_EVERY: usize = 7;

/// One step: one commit, or a change of where rows are.
#[derive(Debug, Clone)]
pub enum Step {
    /// New traces, each with so many spans, in one request.
    Start(Vec<(usize, usize)>),
    /// Another span of a trace: its number, and the span's.
    Continue(usize, usize),
    /// Tag `n` of a trace.
    Tag(usize, usize),
    /// Traces deleted at once.
    Delete(Vec<usize>),
    /// What is in memory becomes a segment.
    Seal,
    /// Segments become one.
    Compact,
}

/// A state in short: sums over its traces, so that each step changes it by what it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Of id, number of spans and tag.
    pub traces: u64,
    /// Of id and number of spans.
    pub spans: u64,
    /// Of the ids of traces with the word.
    pub words: u64,
}

impl State {
    fn of(trace: &Trace) -> Self {
        let id = id(trace.number);
        Self {
            traces: digest((&id, trace.spans, trace.tag.as_deref())),
            spans: digest((&id, trace.spans)),
            words: if trace.number.is_multiple_of(WORD_EVERY) {
                digest(&id)
            } else {
                0
            },
        }
    }

    fn change(&mut self, by: State, apply: fn(u64, u64) -> u64) {
        self.traces = apply(self.traces, by.traces);
        self.spans = apply(self.spans, by.spans);
        self.words = apply(self.words, by.words);
    }
}

/// A number for anything, the same in every process of this program.
pub fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The id of a trace.
pub fn id(number: usize) -> String {
    format!("{:032x}", number + 1)
}

struct Trace {
    number: usize,
    spans: usize,
    tag: Option<String>,
}

/// The steps and their states.
pub struct Model {
    random: Random,
    live: VecDeque<Trace>,
    started: usize,
    /// After the last step.
    pub state: State,
}

impl Model {
    /// The steps of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            live: VecDeque::new(),
            started: 0,
            state: State::default(),
        }
    }

    /// The next step, and what holds after it.
    pub fn step(&mut self) -> Step {
        if self.live.len() > LIVE_MAX {
            return self.delete();
        }
        match self.random.below(100) {
            0..15 if !self.live.is_empty() => self.change(|trace, _| {
                trace.spans += 1;
                Step::Continue(trace.number, trace.spans)
            }),
            15..35 if !self.live.is_empty() => self.change(|trace, value| {
                trace.tag = Some(value.to_string());
                Step::Tag(trace.number, value)
            }),
            35..40 if self.live.len() > 20 => self.delete(),
            40..44 => Step::Seal,
            44 => Step::Compact,
            _ => self.start(),
        }
    }

    fn start(&mut self) -> Step {
        let count = 1 + self.random.below(3);
        let mut traces = Vec::with_capacity(count);
        for number in self.started..self.started + count {
            let trace = Trace {
                number,
                spans: 1 + self.random.below(3),
                tag: None,
            };
            self.state.change(State::of(&trace), u64::wrapping_add);
            traces.push((number, trace.spans));
            self.live.push_back(trace);
        }
        self.started += count;
        Step::Start(traces)
    }

    fn change(&mut self, change: impl FnOnce(&mut Trace, usize) -> Step) -> Step {
        let (at, value) = (self.random.below(self.live.len()), self.random.below(1_000));
        let trace = &mut self.live[at];
        self.state.change(State::of(trace), u64::wrapping_sub);
        let step = change(trace, value);
        self.state.change(State::of(trace), u64::wrapping_add);
        step
    }

    fn delete(&mut self) -> Step {
        let count = (1 + self.random.below(9)).min(self.live.len());
        let gone: Vec<Trace> = self.live.drain(..count).collect();
        for trace in &gone {
            self.state.change(State::of(trace), u64::wrapping_sub);
        }
        Step::Delete(gone.into_iter().map(|trace| trace.number).collect())
    }
}

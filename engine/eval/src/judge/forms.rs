//! Which form of request the server takes, found out by asking and remembered for a judge.
//!
//! Invariants:
//! 1. A form that was accepted is not left for a refusal that does not name it: the request itself is at fault then.
//! 2. A lower form is remembered only after it was accepted, so that one bad request does not lower all.

use std::sync::Mutex;

use super::call::AnswerForm;
use super::limits::locked;

/// One form of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub answer: AnswerForm,
    /// `max_completion_tokens` for `max_tokens`.
    pub newer_limit: bool,
}

/// Words in a refusal that put the blame on `response_format`.
const FORMAT_WORDS: [&str; 6] = [
    "response_format",
    "response format",
    "json_schema",
    "json_object",
    "structured output",
    "grammar",
];

#[derive(Debug)]
struct State {
    form: Form,
    accepted: bool,
}

/// What is known of the server's forms.
#[derive(Debug)]
pub(crate) struct Forms(Mutex<State>);

impl Forms {
    pub fn new() -> Self {
        let form = Form {
            answer: AnswerForm::JsonSchema,
            newer_limit: false,
        };
        let accepted = false;
        Self(Mutex::new(State { form, accepted }))
    }

    /// The best form known.
    pub fn current(&self) -> Form {
        locked(&self.0).form
    }

    /// The server took this form.
    pub fn accept(&self, form: Form) {
        let mut state = locked(&self.0);
        state.form.answer = state.form.answer.max(form.answer);
        state.form.newer_limit |= form.newer_limit;
        state.accepted = true;
    }

    /// What to try after a refusal of this form; `None` when the form is not at fault.
    pub fn after(&self, form: Form, refusal: &str) -> Option<Form> {
        let refusal = refusal.to_lowercase();
        if !form.newer_limit && refusal.contains("max_completion_tokens") {
            return Some(Form {
                newer_limit: true,
                ..form
            });
        }
        let named = FORMAT_WORDS.iter().any(|word| refusal.contains(word));
        if !named && locked(&self.0).accepted {
            return None;
        }
        let answer = form.answer.lower()?;
        Some(Form { answer, ..form })
    }
}

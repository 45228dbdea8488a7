//! Which text of a span tells its messages: its inputs or outputs, or attributes beside them that tell more.
//!
//! Producers send the same conversation twice: as the text that stands in the columns `inputs` and `outputs`, at times
//! what Python prints of an object, and as messages over indexed keys (OpenInference, Traceloop) or in
//! `gen_ai.*.messages` (OTel GenAI). The view `messages`, previews, `show` and Python ask here, so that all of them
//! read the same text.
//!
//! Invariants
//! * A span without inputs (or outputs) has no messages of that side.
//! * Another text is taken only when more of its messages say something, or as many and the column is plain text or
//!   names no speaker.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::indexed::assemble;
use super::shape::{Shape, string};
use super::{Content, Message, Side, read, read_instructions};

#[cfg(test)]
mod tests;

/// The whole conversation in one attribute, and beginnings of indexed keys, best first.
struct Keys {
    whole: &'static str,
    indexed: &'static [&'static str],
}

const GIVEN: Keys = Keys {
    whole: "gen_ai.input.messages",
    indexed: &["llm.input_messages.", "gen_ai.prompt."],
};
const MADE: Keys = Keys {
    whole: "gen_ai.output.messages",
    indexed: &[
        "llm.output_messages.",
        "gen_ai.completion.",
        "llm.completions.",
    ],
};

/// The attribute of the instructions that a model was given beside its messages.
const INSTRUCTIONS: &str = "gen_ai.system_instructions";

/// Larger payloads are believed to say all there is: reading each text of them costs too much.
const COMPARED_BYTES_MAX: usize = 4 << 20;

/// Whether an attribute may tell more than inputs and outputs do.
pub fn tells(key: &str) -> bool {
    let of = |keys: &Keys| {
        key == keys.whole || keys.indexed.iter().any(|prefix| key.starts_with(prefix))
    };
    of(&GIVEN) || of(&MADE)
}

/// The text that tells what a span was given or made: `payload` or one of its attributes, a JSON object.
pub fn telling<'p>(payload: &'p str, attributes: &str, side: Side) -> Cow<'p, str> {
    let keys = match side {
        Side::Input => GIVEN,
        Side::Output => MADE,
        Side::ToolOutput | Side::Retrieved => return Cow::Borrowed(payload),
    };
    let is_there = std::iter::once(&keys.whole)
        .chain(keys.indexed)
        .any(|key| attributes.contains(key));
    let shape = Shape::of(attributes).filter(|_| is_there && payload.len() <= COMPARED_BYTES_MAX);
    let others = shape.map(|shape| keys.texts(&shape)).unwrap_or_default();
    let others = others.into_iter().filter(|text| text != payload);
    let mut best = None;
    let mut said = None;
    for text in others.filter(|text| text.len() <= COMPARED_BYTES_MAX) {
        let least = *said.get_or_insert_with(|| needed(payload, side));
        let says = telling_count(&read(&text, side));
        if says >= least {
            said = Some(says.saturating_add(1));
            best = Some(text);
        }
    }
    best.map_or(Cow::Borrowed(payload), Cow::Owned)
}

impl Keys {
    fn texts(&self, shape: &Shape<'_>) -> Vec<String> {
        let whole = shape
            .get(&[self.whole])
            .map(|raw| string(raw).unwrap_or_else(|| raw.get().to_string()));
        let indexed = self
            .indexed
            .iter()
            .filter_map(|prefix| assemble(shape.members(), prefix, write_raw));
        indexed.chain(whole).collect()
    }
}

fn write_raw(raw: &RawValue, out: &mut String) {
    out.push_str(raw.get());
}

/// How the keys end that name who speaks or what a part is.
const NAMES_SPEAKER: &[&str] = &["role\"", "type\"", "kind\""];

/// How many messages another text must have that say something.
fn needed(payload: &str, side: Side) -> usize {
    let says = telling_count(&read(payload, side));
    let is_structure = serde_json::from_str::<&RawValue>(payload)
        .is_ok_and(|raw| raw.get().starts_with(['{', '[']));
    // Of texts alone, some are what Python prints of an object.
    let is_plain = !is_structure || !NAMES_SPEAKER.iter().any(|key| payload.contains(key));
    if is_plain {
        says.max(1)
    } else {
        says.saturating_add(1)
    }
}

/// How many messages say something that a person can read.
fn telling_count(messages: &[Message]) -> usize {
    let says = |content: &Content| {
        !matches!(content, Content::Json(_)) && !content.as_sent().trim().is_empty()
    };
    messages
        .iter()
        .filter(|message| message.content.as_ref().is_some_and(says))
        .count()
}

/// The messages that a span was given: its instructions where they stand in an attribute of their own, then those of
/// its inputs.
pub fn given(inputs: Option<&str>, attributes: &str) -> Vec<Message> {
    let told = |text| read(&telling(text, attributes, Side::Input), Side::Input);
    let messages = inputs.map(told).unwrap_or_default();
    // Some send them among the messages as well.
    let instructions = instructions(attributes).filter(|said| messages.first() != Some(said));
    instructions.into_iter().chain(messages).collect()
}

/// The messages that a span of this type made.
pub fn made(outputs: Option<&str>, attributes: &str, span_type: &str) -> Vec<Message> {
    let side = Side::of_outputs(span_type);
    let told = |text| read(&telling(text, attributes, side), side);
    outputs.map(told).unwrap_or_default()
}

fn instructions(attributes: &str) -> Option<Message> {
    let shape = Shape::of(attributes).filter(|_| attributes.contains(INSTRUCTIONS))?;
    let raw = shape.get(&[INSTRUCTIONS])?;
    match string(raw) {
        Some(text) => read_instructions(&text),
        None => read_instructions(raw.get()),
    }
}

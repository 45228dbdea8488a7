//! Messages spread over indexed keys, such as `gen_ai.prompt.0.content` (Traceloop) or
//! `llm.input_messages.0.message.tool_calls.1.tool_call.function.name` (OpenInference), put together
//! as a JSON array of `{role, content, ...}`.
//!
//! A key is a path: numbers are positions in arrays, words are members, and words that only wrap
//! (`message`, `message_content`, `tool_call`) are left out. Gaps in the numbers are closed; of the
//! members `role` comes first, the others in alphabetical order. `gen_ai.prompt.0.user` (Traceloop) is what a user says.

use std::collections::BTreeMap;

use crate::otlp::value::{KeyValue, Value, write_string, write_value};

use super::producers::{PRODUCERS, Producer};

/// Which messages of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

/// Words that only wrap what follows them.
const WRAPPERS: &[&str] = &[
    "message",
    "message_content",
    "tool_call",
    "prompt",
    "completion",
    "embedding",
];

/// The numbers of an embedding: long, and no text.
const VECTOR: &str = "embedding.vector";

/// Deepest path that is taken apart; what is deeper stays one member name.
const PATH_DEPTH_MAX: usize = 12;

/// One step of a path.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step<'k> {
    Index(u64),
    Member(&'k str),
}

impl<'k> Step<'k> {
    fn new(word: &'k str) -> Self {
        word.parse().map_or(Step::Member(word), Step::Index)
    }
}

/// A node of the document that is put together; children win over a value of its own.
#[derive(Default)]
struct Node<'v> {
    value: Option<&'v Value<'v>>,
    children: BTreeMap<Step<'v>, Node<'v>>,
}

/// The messages of the first prefix that has any, as JSON text.
pub(super) fn assemble(attributes: &[KeyValue<'_>], side: Side) -> Option<String> {
    let prefixes = |producer: &'static Producer| match side {
        Side::Input => producer.indexed_inputs,
        Side::Output => producer.indexed_outputs,
    };
    PRODUCERS
        .iter()
        .flat_map(prefixes)
        .find_map(|prefix| assemble_prefix(attributes, prefix))
}

fn assemble_prefix(attributes: &[KeyValue<'_>], prefix: &str) -> Option<String> {
    let mut root = Node::default();
    for pair in attributes {
        if let Some(path) = pair.key.strip_prefix(prefix)
            && !path.ends_with(VECTOR)
        {
            insert(&mut root, path, &pair.value);
        }
    }
    // Only numbered entries are messages: `gen_ai.prompt.name` and the like are not.
    root.children
        .retain(|step, _| matches!(step, Step::Index(_)));
    if root.children.is_empty() {
        return None;
    }
    let mut out = String::new();
    write_array(&root, write_message, &mut out);
    Some(out)
}

/// Words that stand for a message's role where its text is their value.
const SPEAKERS: &[&str] = &["user", "system", "assistant"];

fn write_message(node: &Node<'_>, out: &mut String) {
    match node.children.iter().next() {
        Some((
            Step::Member(role),
            Node {
                value: Some(text),
                children,
            },
        )) if node.children.len() == 1 && children.is_empty() && SPEAKERS.contains(role) => {
            out.push_str("{\"role\":");
            write_string(role, out);
            out.push_str(",\"content\":");
            write_value(text, out);
            out.push('}');
        }
        _ => write_node(node, out),
    }
}

fn insert<'v>(root: &mut Node<'v>, path: &'v str, value: &'v Value<'v>) {
    let mut node = root;
    let mut words = path.splitn(PATH_DEPTH_MAX, '.').peekable();
    while let Some(word) = words.next() {
        let is_last = words.peek().is_none();
        if is_last || !WRAPPERS.contains(&word) {
            node = node.children.entry(Step::new(word)).or_default();
        }
    }
    node.value = Some(value);
}

fn write_node(node: &Node<'_>, out: &mut String) {
    let is_array = node
        .children
        .keys()
        .all(|step| matches!(step, Step::Index(_)));
    match node.value {
        Some(value) if node.children.is_empty() => write_value(value, out),
        _ if is_array => write_array(node, write_node, out),
        _ => write_object(node, out),
    }
}

fn write_array(node: &Node<'_>, write: fn(&Node<'_>, &mut String), out: &mut String) {
    out.push('[');
    for (i, child) in node.children.values().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(child, out);
    }
    out.push(']');
}

fn write_object(node: &Node<'_>, out: &mut String) {
    let role = node.children.get_key_value(&Step::Member("role"));
    let others = node
        .children
        .iter()
        .filter(|(step, _)| **step != Step::Member("role"));
    out.push('{');
    for (i, (step, child)) in role.into_iter().chain(others).enumerate() {
        if i > 0 {
            out.push(',');
        }
        match step {
            Step::Member(name) => write_string(name, out),
            Step::Index(index) => write_string(&index.to_string(), out),
        }
        out.push(':');
        write_node(child, out);
    }
    out.push('}');
}

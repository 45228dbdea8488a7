//! Messages spread over indexed keys, such as `gen_ai.prompt.0.content` (Traceloop) or
//! `llm.input_messages.0.message.tool_calls.1.tool_call.function.name` (OpenInference), put together
//! as a JSON array of `{role, content, ...}`.
//!
//! A key is a path: numbers are positions in arrays, words are members, and words that only wrap
//! (`message`, `message_content`, `tool_call`) are left out. Gaps in the numbers are closed; of the
//! members `role` comes first, the others in alphabetical order. `gen_ai.prompt.0.user` (Traceloop) is what a user
//! says.
//!
//! The values are of any kind that can be written as JSON: attributes as they come, and as they are stored.

use std::collections::BTreeMap;

use serde_json::Value as Json;

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

/// Words that stand for a message's role where its text is their value.
const SPEAKERS: &[&str] = &["user", "system", "assistant"];

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
struct Node<'v, V: ?Sized> {
    value: Option<&'v V>,
    children: BTreeMap<Step<'v>, Node<'v, V>>,
}

impl<V: ?Sized> Default for Node<'_, V> {
    fn default() -> Self {
        Self {
            value: None,
            children: BTreeMap::new(),
        }
    }
}

/// The messages of the attributes whose keys begin with `prefix`, as JSON text; `None` where no key does. `write`
/// appends a value as JSON.
pub fn assemble<'v, V: ?Sized + 'v>(
    attributes: impl IntoIterator<Item = (&'v str, &'v V)>,
    prefix: &str,
    write: fn(&V, &mut String),
) -> Option<String> {
    let mut root = Node::default();
    for (key, value) in attributes {
        if let Some(path) = key.strip_prefix(prefix)
            && !path.ends_with(VECTOR)
        {
            insert(&mut root, path, value);
        }
    }
    // Only numbered entries are messages: `gen_ai.prompt.name` and the like are not.
    root.children
        .retain(|step, _| matches!(step, Step::Index(_)));
    if root.children.is_empty() {
        return None;
    }
    let mut out = String::new();
    let writer = Writer { write };
    writer.array(&root, Writer::message, &mut out);
    Some(out)
}

fn insert<'v, V: ?Sized>(root: &mut Node<'v, V>, path: &'v str, value: &'v V) {
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

fn write_name(name: &str, out: &mut String) {
    out.push_str(&Json::from(name).to_string());
}

/// What writes nodes, by how their values are written.
struct Writer<V: ?Sized> {
    write: fn(&V, &mut String),
}

impl<V: ?Sized> Writer<V> {
    fn message(&self, node: &Node<'_, V>, out: &mut String) {
        match node.children.iter().next() {
            Some((
                Step::Member(role),
                Node {
                    value: Some(text),
                    children,
                },
            )) if node.children.len() == 1 && children.is_empty() && SPEAKERS.contains(role) => {
                out.push_str("{\"role\":");
                write_name(role, out);
                out.push_str(",\"content\":");
                (self.write)(text, out);
                out.push('}');
            }
            _ => self.node(node, out),
        }
    }

    fn node(&self, node: &Node<'_, V>, out: &mut String) {
        let is_array = node
            .children
            .keys()
            .all(|step| matches!(step, Step::Index(_)));
        match node.value {
            Some(value) if node.children.is_empty() => (self.write)(value, out),
            _ if is_array => self.array(node, Self::node, out),
            _ => self.object(node, out),
        }
    }

    fn array(
        &self,
        node: &Node<'_, V>,
        write: fn(&Self, &Node<'_, V>, &mut String),
        out: &mut String,
    ) {
        out.push('[');
        for (i, child) in node.children.values().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write(self, child, out);
        }
        out.push(']');
    }

    fn object(&self, node: &Node<'_, V>, out: &mut String) {
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
                Step::Member(name) => write_name(name, out),
                Step::Index(index) => write_name(&index.to_string(), out),
            }
            out.push(':');
            self.node(child, out);
        }
        out.push('}');
    }
}

//! Items of OpenAI's Responses API that stand among messages and name no speaker: calls of tools, those that its host
//! runs itself among them, and what tools answered.
//!
//! A call is the assistant's. A call by way of the Model Context Protocol has its answer in the same item: that is a
//! message of the tool after it. What a host's own tool found (files, pages, an image) is left out of the call.

use super::content::{self, call_text, json_or_text};
use super::shape::Shape;
use super::{Content, Message};

/// Calls that say what they call, with the keys of what they were given.
const NAMED: &[&str] = &["function_call", "custom_tool_call", "tool_call", "mcp_call"];

/// Calls of tools of the host, the name of each, and the key of what it was given.
const OF_HOST: &[(&str, &str, &[&str])] = &[
    ("web_search_call", "web_search", &["action"]),
    ("file_search_call", "file_search", &["queries"]),
    ("tool_search_call", "tool_search", &["arguments"]),
    ("code_interpreter_call", "code_interpreter", &["code"]),
    ("local_shell_call", "local_shell", &["action"]),
    ("shell_call", "shell", &["action"]),
    ("computer_call", "computer", &["action", "actions"]),
    (
        "image_generation_call",
        "image_generation",
        &["revised_prompt"],
    ),
    ("apply_patch_call", "apply_patch", &["operation"]),
];

/// The messages that an item is; none where it is another.
pub(super) fn of_item(shape: &Shape<'_>) -> Vec<Message> {
    if shape.has(&["role"]) {
        return Vec::new();
    }
    let kind = shape.text(&["type"]).unwrap_or_default();
    // Of functions, custom tools, shells, patches, computers.
    if kind == "tool_call_output_item" || kind.ends_with("_call_output") {
        return vec![message("tool", content::result_of(shape))];
    }
    // LiveKit leaves the type out.
    let is_bare = kind.is_empty()
        && shape.has(&["call_id"])
        && shape.has(&["name"])
        && shape.text(&["arguments"]).is_some();
    if is_bare || NAMED.contains(&kind.as_str()) {
        let mut said = vec![called(call_text(shape))];
        let answer = shape
            .get(&["output", "error"])
            .filter(|_| kind == "mcp_call");
        said.extend(answer.map(|raw| message("tool", Some(json_or_text(raw)))));
        return said;
    }
    let of_host = OF_HOST.iter().find(|(of, _, _)| *of == kind);
    of_host
        .map(|(_, name, keys)| called(content::call_of(name, shape.get(keys))))
        .into_iter()
        .collect()
}

fn called(call: String) -> Message {
    message("assistant", Some(Content::ToolCalls(call)))
}

fn message(role: &str, content: Option<Content>) -> Message {
    Message {
        role: role.to_string(),
        content,
    }
}

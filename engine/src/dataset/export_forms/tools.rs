//! The tools that a model could call, out of the inputs that name them, as fine-tuning has them.

use serde_json::value::RawValue;

use super::super::json::{compact, members};
use super::plain::structure;

/// Where inputs hold what a model was given beside messages.
const HOLDERS: [&str; 6] = [
    "kwargs",
    "request",
    "config",
    "options",
    "params",
    "invocation_params",
];
const LISTS: [&str; 2] = ["tools", "functions"];
/// Gemini's lists of functions inside a tool.
const DECLARATIONS: [&str; 2] = ["functionDeclarations", "function_declarations"];
/// What other formats call the schema of what a function is given.
const SCHEMAS: [&str; 4] = ["parameters", "input_schema", "inputSchema", "args_schema"];

/// The tools as a JSON list; `None` when there are none.
pub(super) fn tools(inputs: &str) -> Option<String> {
    let inputs = structure(inputs);
    let outer = members(&inputs)?;
    let held = HOLDERS.iter().filter_map(|key| outer.get(*key));
    let holders = std::iter::once(&*inputs).chain(held.map(|held| held.get()));
    for holder in holders {
        let Some(holder) = members(holder) else {
            continue;
        };
        for list in LISTS.iter().filter_map(|key| holder.get(*key)) {
            let listed: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
            let tools: Vec<String> = listed.iter().flat_map(|tool| of_tool(tool.get())).collect();
            if !tools.is_empty() {
                return Some(format!("[{}]", tools.join(",")));
            }
        }
    }
    None
}

/// Whether calls may stand side by side, where the inputs say so.
pub(super) fn parallel_calls(inputs: &str) -> Option<bool> {
    let inputs = structure(inputs);
    let outer = members(&inputs)?;
    serde_json::from_str(outer.get("parallel_tool_calls")?.get()).ok()
}

/// The functions of a tool. What is none of a known format stays as it is.
fn of_tool(json: &str) -> Vec<String> {
    let as_is = || vec![compact(json).unwrap_or_else(|| json.to_string())];
    let Some(tool) = members(json) else {
        return as_is();
    };
    if let Some(list) = DECLARATIONS.iter().find_map(|key| tool.get(*key)) {
        let declared: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
        return declared.iter().flat_map(|one| of_tool(one.get())).collect();
    }
    let Some(name) = tool.get("name").filter(|_| !tool.contains_key("function")) else {
        return as_is();
    };
    let schema = SCHEMAS.iter().find_map(|key| tool.get(*key));
    // Tools of a model's host have a name, too, and a type that is no function's.
    let is_function = match tool.get("type") {
        None => true,
        Some(kind) => matches!(kind.get(), r#""function""# | r#""custom""#) && schema.is_some(),
    };
    if !is_function {
        return as_is();
    }
    let mut function = format!(r#"{{"name":{}"#, name.get());
    let described = [
        ("description", tool.get("description")),
        ("parameters", schema),
        ("strict", tool.get("strict")),
    ];
    for (key, value) in described {
        if let Some(value) = value {
            function.push_str(&format!(r#","{key}":{}"#, value.get()));
        }
    }
    let json = format!(r#"{{"type":"function","function":{function}}}}}"#);
    vec![compact(&json).unwrap_or(json)]
}

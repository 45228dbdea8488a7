//! A record as a conversation for fine-tuning: what was asked, and what should be answered.
//!
//! 1. The messages of the inputs: those of any format that is understood; a text, also as the only member of an
//!    object, is the user's.
//! 2. The answer: expectation `expected_response`, else the outputs, read the same way. Outputs that repeat the
//!    conversation are the whole of it.
//! 3. The last message is the assistant's, and calls of tools and their answers fit together.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use tracehouse_query::messages::Side;

use super::super::json::{members, quoted};
use super::super::members::Fields;
use super::super::record::Record;
use super::turn::{Turn, misfit};
use super::{plain, told, tools};

/// The expectation that is an answer.
const EXPECTED: &str = "expected_response";

/// The line of a record.
///
/// # Errors
/// Why the record makes no conversation.
pub(super) fn line(record: &Record) -> Result<String, String> {
    let asked = asked(&record.inputs)?;
    let expectations = record.expectations.as_deref().and_then(members);
    let expected = expectations.as_ref().and_then(|all| all.get(EXPECTED));
    let turns = match expected.filter(|json| json.get() != "null") {
        Some(json) => [asked, expected_answer(json.get())?].concat(),
        None => match &record.outputs {
            Some(outputs) => with_answer(asked, answer(outputs)?),
            None => return Err(format!("no outputs and no expectation {EXPECTED}")),
        },
    };
    let is_answered = |turn: &&Turn| turn.role == "assistant" && turn.says_something();
    if turns.last().filter(is_answered).is_none() {
        return Err("its last message is no answer of the assistant".to_string());
    }
    if let Some(misfit) = misfit(&turns) {
        return Err(misfit);
    }
    let messages: Vec<String> = turns.iter().map(Turn::json).collect();
    let mut line = format!(r#"{{"messages":[{}]"#, messages.join(","));
    if let Some(tools) = tools::tools(&record.inputs) {
        line.push_str(&format!(r#","tools":{tools}"#));
    }
    if let Some(parallel) = tools::parallel_calls(&record.inputs) {
        line.push_str(&format!(r#","parallel_tool_calls":{parallel}"#));
    }
    line.push('}');
    Ok(line)
}

/// The messages of a payload, whatever its format.
fn turns(payload: &str, side: Side) -> Result<Vec<Turn>, String> {
    match plain::turns(payload) {
        Some(turns) => Ok(turns),
        None => told::turns(payload, side),
    }
}

fn asked(inputs: &str) -> Result<Vec<Turn>, String> {
    let turns = turns(inputs, Side::Input).map_err(|why| format!("inputs: {why}"))?;
    if !turns.is_empty() {
        return Ok(turns);
    }
    let text = only_text(inputs)
        .ok_or("inputs hold no messages: messages, a text, or an object of one text expected")?;
    Ok(vec![Turn::of_text("user", &text)])
}

fn answer(outputs: &str) -> Result<Vec<Turn>, String> {
    let turns = turns(outputs, Side::Output).map_err(|why| format!("outputs: {why}"))?;
    if !turns.is_empty() {
        return Ok(turns);
    }
    let text = only_text(outputs)
        .ok_or("outputs hold no answer: messages, a text, or an object of one text expected")?;
    Ok(vec![Turn::of_text("assistant", &text)])
}

/// A text is the answer as it is; structure that is no message is what the assistant should write.
fn expected_answer(json: &str) -> Result<Vec<Turn>, String> {
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return Ok(vec![Turn::of_text("assistant", &text)]);
    }
    let turns =
        turns(json, Side::Output).map_err(|why| format!("expectation {EXPECTED}: {why}"))?;
    Ok(match turns.is_empty() {
        true => vec![Turn::of_text("assistant", json)],
        false => turns,
    })
}

/// The text that is the only member of an object.
fn only_text(json: &str) -> Option<String> {
    let object = members(json.trim())?;
    let value = object.values().next().filter(|_| object.len() == 1)?;
    serde_json::from_str(value.get()).ok()
}

/// What was asked and the answer to it. An answer that begins with the first thing asked is the whole conversation, of
/// which it may leave out the instructions.
fn with_answer(asked: Vec<Turn>, answer: Vec<Turn>) -> Vec<Turn> {
    let first = |turns: &[Turn]| turns.iter().find(|turn| !turn.is_instruction()).cloned();
    let is_whole = match (first(&asked), first(&answer)) {
        (Some(asked), Some(answered)) => asked.is_same_as(&answered),
        _ => false,
    };
    if !is_whole {
        return [asked, answer].concat();
    }
    if answer.iter().any(Turn::is_instruction) {
        return answer;
    }
    let instructions = asked.into_iter().filter(Turn::is_instruction);
    instructions.chain(answer).collect()
}

/// The members of a record that a conversation is: its last message, if it is the assistant's, is the outputs, and all
/// before it, with the tools, the inputs. `None` for what is no conversation.
pub(super) fn opened(fields: &Fields<'_>) -> Option<Fields<'static>> {
    const OF_INPUTS: [&str; 3] = ["tools", "functions", "parallel_tool_calls"];
    let mut messages: Vec<&RawValue> = serde_json::from_str(fields.get("messages")?).ok()?;
    let role = |message: &&RawValue| {
        let role = members(message.get())?.get("role").copied()?;
        serde_json::from_str::<String>(role.get()).ok()
    };
    let is_answer = |message: &&RawValue| role(message).as_deref() == Some("assistant");
    let answer = messages.pop_if(|message| is_answer(&*message));
    if messages.is_empty() || messages.iter().any(|message| role(message).is_none()) {
        return None;
    }
    let asked: Vec<&str> = messages.iter().map(|message| message.get()).collect();
    let mut inputs: BTreeMap<&str, String> =
        BTreeMap::from([("messages", format!("[{}]", asked.join(",")))]);
    let mut opened = Fields::new();
    for (name, json) in fields {
        match OF_INPUTS.iter().find(|of| *of == name) {
            Some(of) if json.trim() == "null" => drop(inputs.remove(of)),
            Some(of) => drop(inputs.insert(of, json.to_string())),
            None if name == "messages" => {}
            None => drop(opened.insert(name.clone(), json.to_string().into())),
        }
    }
    let inputs: Vec<String> = inputs
        .iter()
        .map(|(key, json)| format!("{}:{json}", quoted(key)))
        .collect();
    opened.insert("inputs".into(), format!("{{{}}}", inputs.join(",")).into());
    if let Some(answer) = answer {
        opened
            .entry("outputs".into())
            .or_insert_with(|| answer.get().to_string().into());
    }
    Some(opened)
}

//! Messages of every format that the reader of messages understands, as turns of a conversation.
//!
//! The reader shows calls as a person reads them; `calls` reads them back. Ids of calls are those of the payload where
//! each call and each answer has one and they fit; else calls are numbered and answered in their order.

use std::collections::VecDeque;

use tracehouse_query::messages::{Content, Message, Side, read};

use super::super::json::quoted;
use super::calls;
use super::plain::structure;
use super::turn::{Call, Turn, misfit};

/// The turns of a payload, none when it has no messages.
///
/// # Errors
/// What stands in a message that a conversation for fine-tuning has no place for.
pub(super) fn turns(payload: &str, side: Side) -> Result<Vec<Turn>, String> {
    let turns: Vec<Turn> = read(payload, side)
        .iter()
        .map(turn)
        .collect::<Result<_, _>>()?;
    let calls = turns.iter().map(|turn| turn.calls.len()).sum::<usize>();
    let answers = turns.iter().filter(|turn| turn.role == "tool").count();
    if calls + answers == 0 {
        return Ok(turns);
    }
    let ids = calls::ids(&structure(payload));
    if (ids.calls.len(), ids.answers.len()) == (calls, answers) {
        let turns = with_ids(turns.clone(), ids.calls, ids.answers);
        if misfit(&turns).is_none() {
            return Ok(turns);
        }
    }
    Ok(numbered(turns))
}

fn turn(message: &Message) -> Result<Turn, String> {
    let role = message.role.as_str();
    if !matches!(role, "system" | "user" | "assistant" | "tool") {
        return Err(format!(
            "a message of {role:?}: system, user, assistant or tool expected"
        ));
    }
    let (text, called) = match &message.content {
        None => (None, None),
        Some(Content::Text(text)) => (Some(text.as_str()), None),
        Some(Content::TextAndCalls { text, all }) => {
            let below = all
                .strip_prefix(text.as_str())
                .and_then(|all| all.strip_prefix('\n'));
            (Some(text.as_str()), below)
        }
        Some(Content::ToolCalls(called)) => (None, Some(called.as_str())),
        // What a tool answers is a text for the model, whatever it is for the tool.
        Some(Content::Json(json)) if role == "tool" => (Some(json.as_str()), None),
        Some(Content::Json(_)) => return Err(format!("a message of {role:?} has no text")),
    };
    let calls = match called {
        None => Vec::new(),
        Some(_) if role != "assistant" => {
            return Err(format!("a message of {role:?} calls tools"));
        }
        Some(called) => calls::read(called)
            .ok_or("a tool call whose arguments are no JSON object".to_string())?,
    };
    let is_silent = text.is_none() && calls.is_empty();
    Ok(Turn {
        role: role.to_string(),
        content: text.or(is_silent.then_some("")).map(quoted),
        calls,
        ..Turn::default()
    })
}

/// The turns with these ids, which are as many as there are calls and answers.
fn with_ids(mut turns: Vec<Turn>, calls: Vec<String>, answers: Vec<String>) -> Vec<Turn> {
    let (mut calls, mut answers) = (calls.into_iter(), answers.into_iter());
    for turn in &mut turns {
        for call in &mut turn.calls {
            call.id = calls.next().unwrap_or_default();
        }
        if turn.role == "tool" {
            turn.answers = answers.next();
        }
    }
    turns
}

/// The turns with calls numbered and answers in the order of the calls.
fn numbered(mut turns: Vec<Turn>) -> Vec<Turn> {
    let mut open: VecDeque<String> = VecDeque::new();
    let mut number = 0;
    for turn in &mut turns {
        if turn.role == "tool" {
            turn.answers = open.pop_front();
            continue;
        }
        let mut name = |call: &mut Call| {
            number += 1;
            call.id = format!("call_{number}");
            call.id.clone()
        };
        open = turn.calls.iter_mut().map(&mut name).collect();
    }
    turns
}

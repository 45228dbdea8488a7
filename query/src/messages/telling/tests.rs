//! What attributes tell beside inputs and outputs, of the producers that send both.

use super::super::{Content, Message, readable};
use super::*;

fn said(messages: &[Message]) -> Vec<(&str, &str)> {
    messages
        .iter()
        .map(|message| {
            let content = message.content.as_ref().map(Content::as_sent);
            (message.role.as_str(), content.unwrap_or_default())
        })
        .collect()
}

/// A question and the instructions above it, over indexed keys; a call as the answer.
const INDEXED: &str = r#"{"llm.input_messages.0.message.role":"system","llm.input_messages.0.message.content":"Be brief.",
    "llm.input_messages.1.message.role":"user","llm.input_messages.1.message.content":"Tides today?",
    "llm.output_messages.0.message.role":"assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name":"tides",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments":"{\"port\":\"Brest\"}"}"#;

#[test]
fn what_python_prints_of_messages_gives_way_to_the_messages() {
    for inputs in [
        r#"{"messages":["ChatMessage(role=<MessageRole.USER: 'user'>, blocks=[TextBlock(text='Tides today?')])"]}"#,
        "Tides today?",
        r#"[{"role":"user","content":"Tides today?"}]"#,
    ] {
        let wanted = [("system", "Be brief."), ("user", "Tides today?")];
        assert_eq!(said(&given(Some(inputs), INDEXED)), wanted, "{inputs}");
        let told = telling(inputs, INDEXED, Side::Input);
        assert_eq!(readable(&told, Side::Input), "Tides today?", "{inputs}");
    }
    for outputs in [
        "assistant: None",
        r#"{"replies":["ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[ToolCall(...)])"]}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":""}}]}"#,
        r#"{"result":{"calls":1}}"#,
    ] {
        let wanted = [("assistant", r#"tides({"port":"Brest"})"#)];
        assert_eq!(
            said(&made(Some(outputs), INDEXED, "LLM")),
            wanted,
            "{outputs}"
        );
    }
}

#[test]
fn messages_of_the_column_stay_where_attributes_say_no_more() {
    let outputs = r#"[{"role":"assistant","content":"High water at nine."}]"#;
    assert_eq!(telling(outputs, INDEXED, Side::Output), outputs);
    let hollow = r#"{"llm.output_messages.0.message.role":"assistant"}"#;
    assert_eq!(telling("at nine", hollow, Side::Output), "at nine");
    for attributes in [
        "{}",
        "",
        "{broken llm.output_messages.",
        r#"["gen_ai.output.messages"]"#,
    ] {
        assert_eq!(telling("at nine", attributes, Side::Output), "at nine");
    }
    // What a tool answered is no conversation, and what is not there has no messages.
    assert_eq!(
        said(&made(Some("at nine"), INDEXED, "TOOL")),
        [("tool", "at nine")]
    );
    assert!(given(None, INDEXED).is_empty());
}

#[test]
fn other_ways_of_sending_a_conversation_are_read_as_well() {
    let whole = r#"[{"role":"assistant","parts":[{"type":"tool_call","name":"tides","arguments":{}}]},
        {"role":"tool","parts":[{"type":"tool_call_response","response":"nine"}]},
        {"role":"assistant","parts":[{"type":"text","content":"At nine."}]}]"#;
    let sent_as_text = serde_json::json!({ "gen_ai.output.messages": whole }).to_string();
    let sent_as_structure = format!(r#"{{"gen_ai.output.messages":{whole}}}"#);
    for attributes in [sent_as_text, sent_as_structure] {
        let wanted = [
            ("assistant", "tides({})"),
            ("tool", "nine"),
            ("assistant", "At nine."),
        ];
        assert_eq!(said(&made(Some("At nine."), &attributes, "AGENT")), wanted);
    }
    let traceloop = r#"{"gen_ai.prompt.0.role":"user","gen_ai.prompt.0.content":"Tides?",
        "gen_ai.prompt.1.role":"assistant","gen_ai.prompt.1.content":"Where?"}"#;
    let wanted = [("user", "Tides?"), ("assistant", "Where?")];
    assert_eq!(
        said(&given(
            Some(r#"{"args":["Tides?"],"kwargs":{}}"#),
            traceloop
        )),
        wanted
    );
}

#[test]
fn instructions_are_said_once() {
    let apart = r#"{"gen_ai.system_instructions":[{"type":"text","content":"Be brief."}]}"#;
    let wanted = [("system", "Be brief."), ("user", "Tides?")];
    for inputs in [
        r#"[{"role":"user","content":"Tides?"}]"#,
        r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Tides?"}]"#,
    ] {
        assert_eq!(said(&given(Some(inputs), apart)), wanted, "{inputs}");
    }
    assert_eq!(said(&given(None, apart)), [("system", "Be brief.")]);
}

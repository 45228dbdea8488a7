//! One payload of each format, as its producer sends it.

use super::{Side, decode_unicode_escapes, read, readable};

mod calls;
mod wrappers;

fn decoded(payload: &str, side: Side) -> Vec<(String, String)> {
    let content = |message: &super::Message| {
        message
            .content
            .as_ref()
            .map(|content| content.as_sent().to_string())
    };
    read(payload, side)
        .iter()
        .map(|message| (message.role.clone(), content(message).unwrap_or_default()))
        .collect()
}

fn pair(role: &str, content: &str) -> (String, String) {
    (role.to_string(), content.to_string())
}

#[test]
fn formats_of_requests_say_the_same() {
    let hi = vec![pair("user", "hi")];
    for payload in [
        r#"hi"#,
        r#""hi""#,
        r#"{"messages":[{"role":"user","content":"hi"}],"model":"m"}"#,
        r#"[{"role":"user","content":"hi"}]"#,
        r#"[{"role":"User","content":"hi"}]"#,
        r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#,
        r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#,
        r#"[{"role":"user","contents":[{"type":"text","text":"hi"}]}]"#,
        r#"[{"role":"user","content":[{"text":"hi"}]}]"#,
        r#"[{"role":"user","content":"[{\"text\": \"hi\"}]"}]"#,
        r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}"#,
        r#"{"messages":[[{"type":"human","content":"hi"}]]}"#,
        r#"{"messages":[["human","hi"]]}"#,
        r#"{"messages":[[{"lc":1,"type":"human","kwargs":{"content":"hi"}}]]}"#,
        r#"{"messages":[[{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"hi","type":"human"}}]]}"#,
        r#"{"messages":[{"type":"human","data":{"content":"hi"}}]}"#,
        r#"{"messages":[{"role":"MessageRole.USER","blocks":[{"block_type":"text","text":"hi"}]}]}"#,
        r#"{"messages":[{"_role":"user","_content":[{"text":"hi"}]}]}"#,
        r#"[{"source":"user","content":"hi","type":"TextMessage"}]"#,
        r#"[{"event.name":"gen_ai.user.message","content":"hi"}]"#,
        r#"{"input":"hi"}"#,
        r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]}"#,
        r#"{"request":{"input":"hi"}}"#,
        r#"{"prompt":"hi"}"#,
        r#"[{"type":"text","text":"hi"}]"#,
        r#"{"args":["hi"],"kwargs":{}}"#,
        r#"{"items":[{"type":"message","role":"user","content":["hi"]}]}"#,
        r#""{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}""#,
    ] {
        assert_eq!(decoded(payload, Side::Input), hi, "{payload}");
        assert_eq!(readable(payload, Side::Input), "hi", "{payload}");
    }
}

#[test]
fn formats_of_answers_say_the_same() {
    let yes = vec![pair("assistant", "yes")];
    for payload in [
        r#"yes"#,
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"yes"}}]}"#,
        r#"{"choices":[{"text":"yes","index":0,"finish_reason":"stop"}]}"#,
        r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"yes"}]}"#,
        r#"{"output":[{"type":"reasoning","summary":[]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes"}]}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"yes"}],"role":"model"}}]}"#,
        r#"{"content":{"parts":[{"thought":true,"text":"hm"},{"text":"yes"}],"role":"model"}}"#,
        r#"{"output":{"message":{"role":"assistant","content":[{"text":"yes"}]}}}"#,
        r#"{"generations":[[{"text":"yes","message":{"type":"ai","content":"yes"}}]]}"#,
        r#"{"generations":[[{"text":"yes","type":"Generation"}]]}"#,
        r#"[{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"yes"}],"finish_reason":"stop"}]"#,
        r#"[{"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"yes"}}]"#,
        r#"{"output":"yes"}"#,
    ] {
        assert_eq!(decoded(payload, Side::Output), yes, "{payload}");
        assert_eq!(readable(payload, Side::Output), "yes", "{payload}");
    }
}

#[test]
fn instructions_come_first() {
    let both = vec![pair("system", "be kind"), pair("user", "hi")];
    for payload in [
        r#"{"messages":[{"role":"user","content":"hi"}],"system":"be kind"}"#,
        r#"{"messages":[{"role":"user","content":"hi"}],"system":[{"type":"text","text":"be kind"}]}"#,
        r#"{"input":"hi","instructions":"be kind"}"#,
        r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"be kind"}]}}"#,
        r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}],"config":{"system_instruction":"be kind"}}"#,
        r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"be kind"}]}"#,
    ] {
        assert_eq!(decoded(payload, Side::Input), both, "{payload}");
    }
    let parts = super::read_instructions(r#"[{"type":"text","content":"be kind"}]"#).unwrap();
    assert_eq!(
        (parts.role.as_str(), parts.content.unwrap().as_text()),
        ("system", "be kind")
    );
}

#[test]
fn what_tools_answer_is_the_tools() {
    let nine = vec![pair("tool", "9")];
    for payload in [
        r#"[{"role":"tool","tool_call_id":"c","content":"9"}]"#,
        r#"[{"type":"function_call_output","call_id":"c","output":"9"}]"#,
        r#"[{"type":"custom_tool_call_output","call_id":"c","output":"9"}]"#,
        r#"[{"type":"local_shell_call_output","id":"c","output":"9"}]"#,
        r#"[{"type":"apply_patch_call_output","call_id":"c","status":"completed","output":"9"}]"#,
        r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"9"}]}]}]"#,
        r#"[{"role":"user","content":[{"toolResult":{"toolUseId":"c","content":[{"text":"9"}]}}]}]"#,
        r#"[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"9"}}}]}]"#,
        r#"[{"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":"9"}]}]"#,
        r#"[{"role":"tool","content":[{"type":"tool-result","toolName":"f","output":{"type":"text","value":"9"}}]}]"#,
    ] {
        assert_eq!(decoded(payload, Side::Input), nine, "{payload}");
    }
    assert_eq!(
        decoded("sunny", Side::ToolOutput),
        vec![pair("tool", "sunny")]
    );
    let object =
        r#"[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"city":"x"}}}]}]"#;
    assert_eq!(
        decoded(object, Side::Input),
        vec![pair("tool", r#"{"city":"x"}"#)]
    );
}

#[test]
fn a_refusal_is_what_was_said() {
    for payload in [
        r#"{"choices":[{"message":{"role":"assistant","content":null,"refusal":"I can't"}}]}"#,
        r#"[{"role":"assistant","content":[{"type":"refusal","refusal":"I can't"}]}]"#,
    ] {
        assert_eq!(
            decoded(payload, Side::Output),
            vec![pair("assistant", "I can't")],
            "{payload}"
        );
    }
}

#[test]
fn calls_alone_are_read_as_calls() {
    let calls = r#"[{"id":"1","function":{"name":"f","arguments":"{\"a\":1}"}}]"#;
    let payload = format!(
        r#"{{"choices":[{{"message":{{"role":"assistant","content":null,"tool_calls":{calls}}}}}]}}"#
    );
    assert_eq!(
        decoded(&payload, Side::Output),
        vec![pair("assistant", r#"f({"a":1})"#)]
    );
    for payload in [
        payload.as_str(),
        r#"[{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}]"#,
        r#"[{"type":"custom_tool_call","call_id":"c","name":"f","input":"{\"a\":1}"}]"#,
        r#"[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]}]"#,
        r#"{"output":{"message":{"role":"assistant","content":[{"toolUse":{"name":"f","input":{"a":1}}}]}}}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"}}]}"#,
        r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"t","name":"f","arguments":{"a":1}}]}]"#,
        r#"[{"toolCallType":"function","toolCallId":"t","toolName":"f","args":"{\"a\":1}"}]"#,
        r#"[{"role":"assistant","content":"","tool_calls":[{"name":"f","args":{"a":1},"id":"t","type":"tool_call"}]}]"#,
    ] {
        assert_eq!(
            readable(payload, Side::Output),
            r#"f({"a":1})"#,
            "{payload}"
        );
    }
}

#[test]
fn parts_that_are_no_text_stand_in_brackets_or_stay_json() {
    let parts = r#"[{"type":"image","uri":"x"}]"#;
    let image = format!(r#"{{"role":"user","content":{parts}}}"#);
    assert_eq!(decoded(&image, Side::Input), vec![pair("user", parts)]);
    for payload in [
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"what"}]}]"#,
        r#"[{"role":"user","contents":[{"type":"image","image":{"image":{"url":"x"}}},{"type":"text","text":"what"}]}]"#,
        r#"[{"role":"user","parts":[{"type":"uri","modality":"image","uri":"x"},{"type":"text","content":"what"}]}]"#,
    ] {
        assert_eq!(
            decoded(payload, Side::Input),
            vec![pair("user", "[image]\nwhat")],
            "{payload}"
        );
    }
}

#[test]
fn retrieved_documents_are_read() {
    let both = vec![pair("document", "one"), pair("document", "two")];
    for payload in [
        r#"[{"document":{"content":"one","id":"1"}},{"document":{"content":"two"}}]"#,
        r#"[{"page_content":"one","metadata":{}},{"page_content":"two"}]"#,
        r#"{"documents":[{"document.content":"one","document.score":0.5},{"document.content":"two"}]}"#,
    ] {
        assert_eq!(decoded(payload, Side::Output), both, "{payload}");
        assert_eq!(readable(payload, Side::Output), "one\ntwo");
    }
}

#[test]
fn other_json_has_no_messages() {
    for payload in [
        r#"{"city":"Paris"}"#,
        "[1,2]",
        "{}",
        "[]",
        r#"[{"name":"x"}]"#,
        r#"{"question":"why"}"#,
    ] {
        assert_eq!(decoded(payload, Side::Input), Vec::new(), "{payload}");
        assert_eq!(readable(payload, Side::Input), payload);
    }
    assert_eq!(readable("{broken", Side::Input), "{broken");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(readable(&deep, Side::Input), deep);
    let nested = format!("{}\"hi\"{}", r#"{"input":"#.repeat(100), "}".repeat(100));
    assert_eq!(
        decoded(&nested, Side::Input),
        Vec::new(),
        "wrappers are followed to a depth"
    );
}

#[test]
fn the_last_message_of_the_speaker_is_read() {
    let chat = r#"{"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"hm"},
        {"role":"user","content":[{"type":"image"},{"type":"text","text":"second"}]},{"role":"tool","content":"t"}]}"#;
    assert_eq!(readable(chat, Side::Input), "[image]\nsecond");
    assert_eq!(readable(chat, Side::Output), "hm");
}

#[test]
fn escapes_of_letters_are_decoded_and_json_stays_json() {
    for (sent, shown) in [
        (r#"{"q": "\u6771\u4eac"}"#, r#"{"q": "東京"}"#),
        (
            r#"{"q": "\ud83d\ude00 \"\n\u000a\u0022\u005c"}"#,
            r#"{"q": "😀 \"\n\u000a\u0022\u005c"}"#,
        ),
        (
            r#"{"q": "\\u6771 \ud83d \ude00 \u67"}"#,
            r#"{"q": "\\u6771 \ud83d \ude00 \u67"}"#,
        ),
        (r#"{"q": "\u0085"}"#, r#"{"q": "\u0085"}"#),
        ("ends \\", "ends \\"),
    ] {
        assert_eq!(decode_unicode_escapes(sent), shown);
    }
    assert_eq!(
        readable(r#"{"a": "sch\u00f6n"}"#, Side::Output),
        r#"{"a": "schön"}"#
    );
}

#[test]
fn a_line_that_names_the_speaker_is_no_text() {
    assert_eq!(
        decoded("[USER]\nWhat now?", Side::Input),
        [pair("user", "What now?")]
    );
    assert_eq!(
        decoded("[TOOL RESULT: toolu_1]\n21 °C", Side::Input),
        [pair("tool", "21 °C")]
    );
    assert_eq!(
        readable("[USER PROMPT]\nWhat now?", Side::Input),
        "What now?"
    );
    assert_eq!(
        readable("[draft]\nWhat now?", Side::Input),
        "[draft]\nWhat now?"
    );
}

#[test]
fn a_role_that_is_not_known_is_the_agents_own_word() {
    for (role, wanted) in [
        ("Orchestrator (thought)", "Orchestrator (thought)"),
        ("Mr. Smith", "Mr. Smith"),
        ("ChatRole.CHATBOT", "assistant"),
        ("USER", "user"),
    ] {
        let payload = format!(r#"[{{"role":"{role}","content":"hi"}}]"#);
        assert_eq!(decoded(&payload, Side::Input), [pair(wanted, "hi")]);
    }
}

#[test]
fn instructions_that_an_answer_repeats_are_no_output() {
    let answer = r#"{"object":"response","instructions":"be kind","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes"}]}]}"#;
    assert_eq!(decoded(answer, Side::Output), [pair("assistant", "yes")]);
    let answer = r#"{"message":{"role":"model","content":[{"text":"yes"}]},
        "request":{"messages":[{"role":"user","content":[{"text":"so?"}]}]}}"#;
    assert_eq!(decoded(answer, Side::Output), [pair("assistant", "yes")]);
}

#[test]
fn calls_beside_a_text_stand_below_it() {
    for payload in [
        r#"[{"role":"assistant","content":"One moment.","tool_calls":[{"function":{"name":"look","arguments":"{\"q\":1}"}}]}]"#,
        r#"{"role":"assistant","content":[{"type":"text","text":"One moment."},{"type":"tool_use","name":"look","input":{"q":1}}]}"#,
        r#"[{"role":"model","parts":[{"text":"One moment."},{"functionCall":{"name":"look","args":{"q":1}}}]}]"#,
    ] {
        let said = decoded(payload, Side::Output);
        let text = said[0].1.replace(' ', "");
        assert_eq!(
            (said.len(), text.as_str()),
            (1, "Onemoment.\nlook({\"q\":1})"),
            "{payload}"
        );
        assert_eq!(readable(payload, Side::Output), "One moment.");
    }
}

#[test]
fn a_body_that_is_empty_gives_way_to_one_that_is_not() {
    for payload in [
        r#"[{"role":"user","content":"","contents":[{"type":"text","text":"hi"}]}]"#,
        r#"[{"role":"user","content":[],"parts":[{"text":"hi"}]}]"#,
    ] {
        assert_eq!(
            decoded(payload, Side::Input),
            [pair("user", "hi")],
            "{payload}"
        );
    }
    assert_eq!(
        decoded(r#"[{"role":"user","content":""}]"#, Side::Input),
        [pair("user", "")]
    );
}

#[test]
fn half_of_a_surrogate_pair_is_the_replacement_character() {
    let payload = r#"[{"role":"user","content":"cut \ud83d here, \ud83d\ude00 whole"}]"#;
    assert_eq!(
        decoded(payload, Side::Input),
        [pair("user", "cut \u{fffd} here, 😀 whole")]
    );
}

#[test]
fn calls_beside_the_message_of_a_choice_are_its_calls() {
    for payload in [
        r#"[{"role":"assistant","index":0,"message":{"role":"assistant","content":null},"finish_reason":"tool_calls","tool_calls":[{"id":"c","function":{"name":"w","arguments":{"c":1}}}]}]"#,
        r#"[{"role":"assistant","tool_calls":"[{\"function\":{\"name\":\"w\",\"arguments\":{\"c\":1}}}]"}]"#,
    ] {
        assert_eq!(decoded(payload, Side::Output).len(), 1, "{payload}");
        assert_eq!(
            readable(payload, Side::Output),
            r#"w({"c":1})"#,
            "{payload}"
        );
    }
    let text =
        r#"[{"role":"assistant","message":"{\"role\":\"assistant\",\"content\":\"final\"}"}]"#;
    assert_eq!(readable(text, Side::Output), "final");
}

#[test]
fn parts_of_pydantic_ai_say_who_speaks() {
    let history = r#"{"messages":[{"kind":"request","parts":[{"content":"be nice","part_kind":"system-prompt"},{"content":"weather?","part_kind":"user-prompt"}]},
        {"kind":"response","parts":[{"tool_name":"w","args":"{\"c\":1}","part_kind":"tool-call"}]},
        {"kind":"request","parts":[{"tool_name":"w","content":"sunny","part_kind":"tool-return"}]}]}"#;
    let roles: Vec<String> = decoded(history, Side::Input)
        .into_iter()
        .map(|(role, _)| role)
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(readable(history, Side::Input), "weather?");
    let answer = r#"{"kind":"response","parts":[{"content":"It is sunny","part_kind":"text"}]}"#;
    assert_eq!(
        decoded(answer, Side::Output),
        [pair("assistant", "It is sunny")]
    );
}

#[test]
fn what_was_retrieved_is_a_document_each() {
    let both = vec![pair("document", "one"), pair("document", "two")];
    for payload in [
        r#"[{"id":"a","score":0.9,"content":"one"},{"id":"b","content":"two"}]"#,
        r#"[{"text":"one"},{"text":"two"}]"#,
        r#"["one","two"]"#,
        r#"["{\"content\":\"one\"}","two"]"#,
        r#"{"results":[{"memory":"one","score":1},{"memory":"two"}]}"#,
        r#"{"nodes":[{"node":{"text":"one"},"score":1},{"node":{"text":"two"},"score":0}]}"#,
        r#"{"matches":[{"id":"a","metadata":{"text":"one"}},{"id":"b","metadata":{"text":"two"}}]}"#,
        r#"[{"content":{"content":"one"}},{"content":["two"]}]"#,
        r#"{"documents":[{"page_content":"one"},{"document":{"content":"two"}}]}"#,
        r#"[{"lc":1,"type":"constructor","id":["langchain","Document"],"kwargs":{"page_content":"one"}},"two"]"#,
    ] {
        assert_eq!(decoded(payload, Side::Retrieved), both, "{payload}");
        assert_eq!(readable(payload, Side::Retrieved), "one\ntwo", "{payload}");
    }
    let title = r#"{"id":"a","score":0.9,"title":"One"}"#;
    assert_eq!(
        decoded(&format!("[{title}]"), Side::Retrieved),
        [pair("document", title)]
    );
    assert_eq!(decoded("one", Side::Retrieved), [pair("document", "one")]);
    let answer = r#"[{"role":"assistant","content":"yes"}]"#;
    assert_eq!(decoded(answer, Side::Retrieved), [pair("assistant", "yes")]);
    // Elsewhere a list of texts is one message of parts.
    assert_eq!(
        decoded(r#"[{"text":"one"},{"text":"two"}]"#, Side::Output),
        [pair("assistant", "one\ntwo")]
    );
    for (span_type, role) in [
        ("RETRIEVER", "document"),
        ("MEMORY", "document"),
        ("TOOL", "tool"),
        ("LLM", "assistant"),
    ] {
        assert_eq!(
            decoded("so", Side::of_outputs(span_type)),
            [pair(role, "so")]
        );
    }
}

#[test]
fn answers_of_tools_of_the_model_context_protocol_are_their_parts() {
    let answer = r#"{"content":[{"type":"text","text":"sunny"},{"type":"image","data":"aGk=","mimeType":"image/png"}],"isError":false}"#;
    assert_eq!(
        decoded(answer, Side::ToolOutput),
        [pair("tool", "sunny\n[image]")]
    );
    assert_eq!(readable(answer, Side::ToolOutput), "sunny\n[image]");
    let other = r#"{"content":[{"id":7}],"isError":false}"#;
    assert!(decoded(other, Side::ToolOutput).is_empty());
}

#[test]
fn a_payload_is_decoded_whole() {
    for (payload, wanted) in [
        (r#""one\n\u6771 \"two\"""#, "one\n東 \"two\""),
        (r#"{"q":"\u6771\n"}"#, r#"{"q":"東\n"}"#),
        ("plain \\n", "plain \\n"),
        (r#""a" and "b""#, r#""a" and "b""#),
    ] {
        assert_eq!(super::decoded(payload), wanted, "{payload}");
    }
}

#[test]
fn a_single_call_beside_a_message_is_read() {
    let call = r#"{"name":"f","arguments":"{\"a\":1}"}"#;
    for payload in [
        format!(r#"{{"role":"assistant","content":null,"function_call":{call}}}"#),
        r#"[{"role":"assistant","function_call_name":"f","function_call_arguments_json":"{\"a\":1}"}]"#
            .to_string(),
    ] {
        let read = read(&payload, Side::Output);
        let content = read[0].content.as_ref().unwrap();
        assert_eq!((content.as_text(), content.as_sent()), (r#"f({"a":1})"#, r#"f({"a":1})"#), "{payload}");
        assert_eq!(readable(&payload, Side::Output), r#"f({"a":1})"#);
    }
}

//! Calls of tools and their answers, of the tools that a model's host runs too.

use super::{Side, decoded, pair, readable};

#[test]
fn items_of_the_hosts_own_tools_are_calls_of_the_assistant() {
    for (item, call) in [
        (
            r#"{"type":"web_search_call","id":"w","status":"completed","action":{"query":"tides"}}"#,
            r#"web_search({"query":"tides"})"#,
        ),
        (
            r#"{"type":"file_search_call","id":"f","queries":["tides"],"results":[{"text":"long"}]}"#,
            r#"file_search(["tides"])"#,
        ),
        (
            r#"{"type":"code_interpreter_call","id":"c","code":"1+1","outputs":[{"type":"logs","logs":"2"}]}"#,
            "code_interpreter(1+1)",
        ),
        (
            r#"{"type":"local_shell_call","call_id":"l","action":{"command":["date"]}}"#,
            r#"local_shell({"command":["date"]})"#,
        ),
        (
            r#"{"type":"computer_call","call_id":"c","action":{"type":"wait"}}"#,
            r#"computer({"type":"wait"})"#,
        ),
        (
            r#"{"type":"image_generation_call","id":"i","revised_prompt":"a pier","result":"aGk="}"#,
            "image_generation(a pier)",
        ),
        (
            r#"{"type":"apply_patch_call","call_id":"a","operation":{"path":"x"}}"#,
            r#"apply_patch({"path":"x"})"#,
        ),
    ] {
        let answer = r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done"}]}"#;
        let both = [pair("assistant", call), pair("assistant", "done")];
        let payload = format!(r#"{{"object":"response","output":[{item},{answer}]}}"#);
        assert_eq!(decoded(&payload, Side::Output), both, "{item}");
        let input = format!(r#"{{"input":[{{"role":"user","content":"go"}},{item}]}}"#);
        assert_eq!(readable(&input, Side::Input), "go", "{item}");
    }
}

#[test]
fn a_call_by_the_model_context_protocol_has_its_answer_with_it() {
    let call = r#"{"type":"mcp_call","id":"m","name":"tides","server_label":"s","arguments":"{\"port\":1}","output":"nine"}"#;
    let wanted = [
        pair("user", "when?"),
        pair("assistant", r#"tides({"port":1})"#),
        pair("tool", "nine"),
    ];
    let input = format!(r#"{{"input":[{{"role":"user","content":"when?"}},{call}]}}"#);
    assert_eq!(decoded(&input, Side::Input), wanted);
    assert_eq!(readable(&input, Side::Input), "when?");
    let failed = r#"[{"type":"mcp_call","name":"tides","arguments":"{}","output":null,"error":"no such port"}]"#;
    assert_eq!(
        decoded(failed, Side::Output),
        [pair("assistant", "tides({})"), pair("tool", "no such port")]
    );
}

#[test]
fn what_a_host_ran_in_the_midst_of_an_answer_stands_between_its_texts() {
    for (call, answer) in [
        (
            r#"{"type":"mcp_tool_use","id":"m","name":"tides","server_name":"s","input":{"port":1}}"#,
            r#"{"type":"mcp_tool_result","tool_use_id":"m","content":[{"type":"text","text":"nine"}]}"#,
        ),
        (
            r#"{"type":"server_tool_use","id":"m","name":"tides","input":{"port":1}}"#,
            r#"{"type":"web_search_tool_result","tool_use_id":"m","content":"nine"}"#,
        ),
        (
            r#"{"type":"tool_call","id":"m","name":"tides","arguments":{"port":1}}"#,
            r#"{"type":"tool_call_response","id":"m","response":"nine"}"#,
        ),
    ] {
        let payload = format!(
            r#"{{"role":"assistant","content":[{{"type":"text","text":"I look."}},{call},{answer},{{"type":"text","text":"At nine."}}]}}"#
        );
        let wanted = [
            pair("assistant", "I look.\ntides({\"port\":1})"),
            pair("tool", "nine"),
            pair("assistant", "At nine."),
        ];
        assert_eq!(decoded(&payload, Side::Output), wanted, "{call}");
        assert_eq!(readable(&payload, Side::Output), "At nine.");
    }
    let otel = r#"[{"role":"assistant","parts":[{"type":"server_tool_call","id":"c","name":"run","server_tool_call":{"code":"1+1"}},
        {"type":"server_tool_call_response","id":"c","server_tool_call_response":{"output":"2"}},{"type":"text","content":"Two."}]}]"#;
    let wanted = [
        pair("assistant", r#"run({"code":"1+1"})"#),
        pair("tool", "2"),
        pair("assistant", "Two."),
    ];
    assert_eq!(decoded(otel, Side::Output), wanted);
}

#[test]
fn arguments_are_read_wherever_a_format_has_them() {
    for payload in [
        r#"{"message":{"role":"assistant","blocks":[{"block_type":"tool_call","tool_call_id":"c","tool_name":"f","tool_kwargs":{"a":1}}]}}"#,
        r#"{"message":{"role":"model","content":[{"toolRequest":{"name":"f","input":{"a":1}}}]}}"#,
        r#"{"messages":[{"source":"helper","type":"ToolCallRequestEvent","content":[{"id":"c","name":"f","arguments":"{\"a\":1}"}]}]}"#,
        r#"[{"id":"c","name":"f","arguments":"{\"a\":1}"}]"#,
        r#"[{"id":"c","call_id":"d","name":"f","arguments":"{\"a\":1}","extra":{}}]"#,
    ] {
        let wanted = [pair("assistant", r#"f({"a":1})"#)];
        assert_eq!(decoded(payload, Side::Output), wanted, "{payload}");
    }
    // A list of calls that is given to tools is what the model said.
    for payload in [
        r#"[{"name":"f","args":{"a":1},"id":"c","type":"tool_call"}]"#,
        r#"{"name":"f","args":{"a":1},"id":"c","type":"tool_call"}"#,
    ] {
        let wanted = [pair("assistant", r#"f({"a":1})"#)];
        assert_eq!(decoded(payload, Side::Input), wanted, "{payload}");
    }
}

#[test]
fn escapes_of_letters_in_arguments_are_decoded() {
    for call in [
        r#""tool_calls":[{"function":{"name":"f","arguments":"{\"q\": \"\\u6f6e \\\"x\\\"\"}"}}]"#,
        r#""tool_calls":[{"name":"f","args":{"q": "\u6f6e \"x\""}}]"#,
        r#""function_call_name":"f","function_call_arguments_json":"{\"q\": \"\\u6f6e \\\"x\\\"\"}""#,
    ] {
        let payload = format!(r#"[{{"role":"assistant","content":null,{call}}}]"#);
        let wanted = r#"f({"q": "潮 \"x\""})"#;
        assert_eq!(
            decoded(&payload, Side::Output),
            [pair("assistant", wanted)],
            "{call}"
        );
        assert_eq!(readable(&payload, Side::Output), wanted);
    }
}

#[test]
fn answers_of_tools_are_the_tools() {
    for payload in [
        r#"{"messages":[{"source":"helper","type":"ToolCallExecutionEvent","content":[{"content":"nine","name":"f","call_id":"c"}]}]}"#,
        r#"{"messages":[{"role":"tool","content":[{"toolResponse":{"name":"f","output":"nine"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"toolResponse":{"name":"f","output":"nine"}}]}]}"#,
    ] {
        assert_eq!(
            decoded(payload, Side::Input),
            [pair("tool", "nine")],
            "{payload}"
        );
    }
}

//! Conversations for fine-tuning: what is written of each format, what is left out and why, what comes back.

use super::super::calls;
use super::*;

/// The conversation of one record.
fn chat(record: NewRecord) -> Value {
    let (report, lines) = written(&dataset(&[record]), ExportForm::Chat);
    assert_eq!(report.left_out, []);
    serde_json::from_str(&lines[0]).unwrap()
}

/// Why a record makes no conversation.
fn why_not(record: NewRecord) -> String {
    let dataset = dataset(&[record]);
    let (report, lines) = written(&dataset, ExportForm::Chat);
    assert_eq!((lines.len(), report.left_out_count), (0, 1));
    let id = &dataset.rows(None).unwrap()[0].dataset_record_id;
    assert_eq!(&report.left_out[0].dataset_record_id, id);
    report.left_out[0].reason.clone()
}

fn record(inputs: Value, outputs: Value) -> NewRecord {
    NewRecord::new(inputs.to_string()).outputs(outputs.to_string())
}

#[test]
fn messages_in_the_form_of_chat_are_kept_as_they_are() {
    let inputs = concat!(
        r#"{"model":"m","temperature":0.10,"messages":[{"role":"developer","content":"Be brief."},"#,
        r#"{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"u"}}]},"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"b","type":"function","function":{"name":"look","arguments":"{\"n\": 1.50}"}},"#,
        r#"{"id":"a","type":"function","function":{"name":"look","arguments":""}}]},"#,
        r#"{"role":"tool","tool_call_id":"a","content":"A"},{"role":"tool","tool_call_id":"b","content":"B"}],"#,
        r#""tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}],"parallel_tool_calls":true}"#
    );
    let outputs = concat!(
        r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"A cat.","refusal":null,"annotations":[]}},"#,
        r#"{"index":1,"message":{"role":"assistant","content":"A dog."}}]}"#
    );
    let dataset = dataset(&[NewRecord::new(inputs).outputs(outputs)]);
    let (report, lines) = written(&dataset, ExportForm::Chat);
    assert_eq!((report.records, report.left_out_count), (1, 0));
    assert_eq!(
        lines[0],
        concat!(
            r#"{"messages":[{"role":"developer","content":"Be brief."},"#,
            r#"{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"u"}}]},"#,
            r#"{"role":"assistant","tool_calls":[{"id":"b","type":"function","function":{"name":"look","arguments":"{\"n\": 1.50}"}},"#,
            r#"{"id":"a","type":"function","function":{"name":"look","arguments":""}}]},"#,
            r#"{"role":"tool","tool_call_id":"a","content":"A"},{"role":"tool","tool_call_id":"b","content":"B"},"#,
            r#"{"role":"assistant","content":"A cat."}],"#,
            r#""tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}],"parallel_tool_calls":true}"#
        )
    );
}

#[test]
fn what_was_expected_is_the_answer_before_the_outputs() {
    let asked = || record(json!({"question": "refund?"}), json!("never"));
    let messages = |expected: Value| {
        let expectations = json!({"expected_response": expected, "other": 1}).to_string();
        chat(asked().expectations(expectations))["messages"].clone()
    };
    let user = json!({"role": "user", "content": "refund?"});
    let says = |text: &str| json!([user, {"role": "assistant", "content": text}]);
    assert_eq!(messages(json!("in \"30\" days")), says("in \"30\" days"));
    assert_eq!(
        messages(json!({"days": 30, "ok": true})),
        says(r#"{"days":30,"ok":true}"#)
    );
    assert_eq!(
        messages(json!({"role": "assistant", "content": "yes"})),
        says("yes")
    );
    assert_eq!(messages(Value::Null), says("never"));
    assert_eq!(chat(asked())["messages"], says("never"));
    let text = chat(record(json!("refund?"), json!({"answer": "no"})));
    assert_eq!(text, json!({"messages": says("no")}));
}

/// Two calls, as a conversation has them.
fn called(ids: [&str; 2], answers: [&str; 2], said: Option<&str>) -> Value {
    let call = |id: &str, city: &str| {
        let arguments = format!(r#"{{"city":"{city}"}}"#);
        json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}})
    };
    let calls = json!([call(ids[0], "Rom"), call(ids[1], "Bonn (DE)")]);
    let mut called = json!({"role": "assistant", "tool_calls": calls});
    if let Some(said) = said {
        called["content"] = said.into();
    }
    json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        called,
        {"role": "tool", "tool_call_id": answers[0], "content": "rain"},
        {"role": "tool", "tool_call_id": answers[1], "content": "sun"},
        {"role": "assistant", "content": "Rain and sun."},
    ])
}

#[test]
fn calls_of_anthropic_are_calls_with_their_ids() {
    let anthropic = json!({
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rom"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {"city": "Bonn (DE)"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t2", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "t1", "content": "sun"},
            ]},
        ],
    });
    let answer = json!({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Rain and sun."}]});
    assert_eq!(
        chat(record(anthropic, answer))["messages"],
        called(["t1", "t2"], ["t2", "t1"], Some("I look."))
    );
}

#[test]
fn calls_of_genai_are_calls_with_their_ids() {
    let call = |id: Option<&str>, city: &str| json!({"type": "tool_call", "id": id, "name": "weather", "arguments": {"city": city}});
    let genai = |ids: [Option<&str>; 2]| {
        json!([
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {"role": "assistant", "parts": [call(ids[0], "Rom"), call(ids[1], "Bonn (DE)")]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": ids[1], "response": "rain"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": ids[0], "response": "sun"}]},
        ])
    };
    let answer =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Rain and sun."}]}]);
    assert_eq!(
        chat(record(genai([Some("t1"), Some("t2")]), answer.clone()))["messages"],
        called(["t1", "t2"], ["t2", "t1"], None)
    );
    // Without ids they are numbered and answered in order.
    assert_eq!(
        chat(record(genai([None, None]), answer))["messages"],
        called(["call_1", "call_2"], ["call_1", "call_2"], None)
    );
}

#[test]
fn calls_of_langchain_are_calls_with_their_ids() {
    let langchain = json!({"messages": [
        {"type": "system", "content": "Be brief.", "id": "1"},
        {"type": "human", "content": "Weather?", "id": "2"},
        {"type": "ai", "content": "", "id": "3", "tool_calls": [
            {"name": "weather", "args": {"city": "Rom"}, "id": "t1", "type": "tool_call"},
            {"name": "weather", "args": {"city": "Bonn (DE)"}, "id": "t2", "type": "tool_call"},
        ]},
        {"type": "tool", "content": "rain", "name": "weather", "id": "4", "tool_call_id": "t2"},
        {"type": "tool", "content": "sun", "name": "weather", "id": "5", "tool_call_id": "t1"},
    ]});
    // As text, and with outputs that are the whole conversation but for the instructions.
    let mut whole = langchain["messages"].as_array().unwrap()[1..].to_vec();
    whole.push(json!({"type": "ai", "content": "Rain and sun.", "id": "6"}));
    let outputs = json!({"messages": whole});
    assert_eq!(
        chat(record(langchain.to_string().into(), outputs))["messages"],
        called(["t1", "t2"], ["t2", "t1"], None)
    );
}

#[test]
fn tools_of_other_formats_are_functions() {
    let tools = |inputs: Value| {
        let mut inputs = inputs;
        inputs["messages"] = json!([{"role": "user", "content": "q"}]);
        chat(record(inputs, json!("a")))["tools"].clone()
    };
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let expected = json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}]);
    for given in [
        json!({"tools": expected}),
        json!({"tools": [{"name": "f", "description": "d", "input_schema": schema}]}),
        json!({"tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema}]}),
        json!({"functions": [{"name": "f", "description": "d", "parameters": schema}]}),
        json!({"config": {"tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": schema}]}]}}),
    ] {
        assert_eq!(tools(given.clone()), expected, "{given}");
    }
    let hosted =
        json!([{"type": "web_search_20250305", "name": "web_search"}, {"type": "file_search"}]);
    assert_eq!(tools(json!({"tools": hosted})), hosted);
    assert_eq!(tools(json!({"tools": []})), Value::Null);
}

#[test]
fn a_record_without_a_conversation_is_reported() {
    let user = json!({"role": "user", "content": "q"});
    let called = json!({"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let answered = json!({"role": "tool", "tool_call_id": "u", "content": "x"});
    for (inputs, outputs, reason) in [
        (
            json!({"a": 1, "b": 2}),
            json!("a"),
            "inputs hold no messages: messages, a text, or an object of one text expected",
        ),
        (
            json!("q"),
            json!({"a": 1}),
            "outputs hold no answer: messages, a text, or an object of one text expected",
        ),
        (
            json!("q"),
            json!(null),
            "no outputs and no expectation expected_response",
        ),
        (
            json!("q"),
            json!([user]),
            "its last message is no answer of the assistant",
        ),
        (
            json!("q"),
            json!({"role": "assistant", "content": ""}),
            "its last message is no answer of the assistant",
        ),
        (
            json!([user, called]),
            json!("a"),
            "the tool call \"t\" has no answer",
        ),
        (
            json!([user, called, answered]),
            json!("a"),
            "a tool's answer belongs to no call before it",
        ),
        (
            json!([{"role": "planner", "content": "q"}]),
            json!("a"),
            "inputs: a message of \"planner\": system, user, assistant or tool expected",
        ),
        (
            json!([{"role": "user", "parts": [{"type": "blob", "modality": "image", "content": "x"}]}]),
            json!("a"),
            "inputs: a message of \"user\" has no text",
        ),
        (
            json!([user, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "no JSON"}}]}]),
            json!("a"),
            "inputs: a tool call whose arguments are no JSON object",
        ),
    ] {
        assert_eq!(why_not(record(inputs, outputs)), reason);
    }
    // The others are written all the same, and an answer may be a call.
    let records = [
        record(json!("p"), json!(null)),
        record(json!("q"), called.clone()),
    ];
    let (report, lines) = written(&dataset(&records), ExportForm::Chat);
    assert_eq!((report.records, report.left_out_count), (1, 1));
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["messages"], json!([user, called]));
}

#[test]
fn calls_are_read_from_lines() {
    let read = |text: &str| {
        let calls = calls::read(text)?.into_iter();
        Some(
            calls
                .map(|call| (call.name, call.arguments))
                .collect::<Vec<_>>(),
        )
    };
    let call = |name: &str, arguments: &str| (name.to_string(), arguments.to_string());
    assert_eq!(
        read("f({\"a\":\n \")\\n(\"})\ng()"),
        Some(vec![call("f", "{\"a\":\")\\n(\"}"), call("g", "{}")])
    );
    for wrong in [
        "",
        "f",
        "f(",
        "f(1)",
        "f({})x",
        "f({}) g()",
        "(1)",
        "a b()",
        "f({}",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_conversation_comes_back_as_what_was_asked_and_the_answer() {
    let line = concat!(
        r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a","weight":1}],"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false}"#
    );
    let read = back(line);
    let inputs = concat!(
        r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"#,
        r#""parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f"}}]}"#
    );
    assert_eq!(read.inputs, inputs);
    let outputs = read.outputs.flatten().unwrap();
    assert_eq!(outputs, r#"{"role":"assistant","content":"a","weight":1}"#);
    let again = dataset(&[NewRecord::new(inputs).outputs(outputs)]);
    assert_eq!(written(&again, ExportForm::Chat).1, [line]);
    let unanswered = back(r#"{"messages":[{"role":"user","content":"q"}],"tools":null}"#);
    assert_eq!(
        unanswered.inputs,
        r#"{"messages":[{"role":"user","content":"q"}]}"#
    );
    assert_eq!(unanswered.outputs, None);
    // No conversations: what is only an answer, and messages that nobody says.
    for line in [
        r#"{"messages":[{"role":"assistant","content":"a"}]}"#,
        r#"{"messages":["q"]}"#,
        r#"{"messages":[]}"#,
    ] {
        let fields = members(line).unwrap().into_iter();
        let fields: Fields<'_> = fields
            .map(|(name, value)| (name, value.get().into()))
            .collect();
        assert_eq!(opened(&fields), None, "{line}");
    }
}

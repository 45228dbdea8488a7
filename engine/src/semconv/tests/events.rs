//! Messages that come as events of a span, in every shape of them.

use super::span_with;

#[test]
fn events_are_read_when_no_attribute_tells() {
    let spring = span_with(
        &[],
        r#","events":[{"name":"gen_ai.content.prompt","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":"p"}}]},
           {"name":"gen_ai.content.completion","attributes":[{"key":"gen_ai.completion","value":{"stringValue":"c"}}]}]"#,
    );
    assert_eq!(
        (spring.inputs.as_deref(), spring.outputs.as_deref()),
        (Some("p"), Some("c"))
    );
    let otel = span_with(
        &[],
        r#","events":[{"name":"gen_ai.user.message","attributes":[{"key":"content","value":{"stringValue":"hi"}}]},
           {"name":"other"},{"name":"gen_ai.choice","attributes":[{"key":"index","value":{"intValue":0}}]}]"#,
    );
    assert_eq!(
        otel.inputs.as_deref(),
        Some(r#"[{"role":"user","content":"hi"}]"#)
    );
    assert_eq!(
        otel.outputs.as_deref(),
        Some(r#"[{"role":"assistant","index":0}]"#)
    );
}

#[test]
fn records_that_were_exported_as_events_are_read_as_records() {
    let record = |name: &str, body: &str| {
        format!(
            r#"{{"name":"{name}","attributes":[{{"key":"gen_ai.system","value":{{"stringValue":"s"}}}},
            {{"key":"body","value":{{"kvlistValue":{{"values":[{{"key":"content","value":{{"stringValue":"{body}"}}}}]}}}}}}]}}"#
        )
    };
    let events = [
        record("gen_ai.user.message", "one"),
        record("gen_ai.system.message", "two"),
    ]
    .join(",");
    let span = span_with(&[], &format!(r#","events":[{events}]"#));
    let inputs = r#"[{"role":"user","content":"one"},{"role":"system","content":"two"}]"#;
    assert_eq!(span.inputs.as_deref(), Some(inputs));
}

#[test]
fn an_event_with_the_details_of_a_call_is_read_as_the_record_of_it() {
    let event = r#","events":[{"timeUnixNano":"1","name":"gen_ai.client.inference.operation.details","attributes":[
        {"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
        {"key":"gen_ai.system_instructions","value":{"stringValue":"[{\"type\":\"text\",\"content\":\"be kind\"}]"}},
        {"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[]}]"}},
        {"key":"gen_ai.usage.input_tokens","value":{"intValue":"3"}}]}]"#;
    let span = span_with(&[], event);
    assert_eq!(
        (span.model.as_deref(), span.input_tokens),
        (Some("gpt-4o"), Some(3))
    );
    assert!(
        span.inputs
            .is_some_and(|inputs| inputs.contains("be kind") && inputs.contains("\"user\""))
    );
}

#[test]
fn lists_of_texts_in_events_are_messages() {
    let listed = |event: &str, key: &str, texts: &str| {
        format!(
            r#"{{"timeUnixNano":"1","name":"gen_ai.content.{event}","attributes":[
            {{"key":"gen_ai.{key}","value":{{"arrayValue":{{"values":[{texts}]}}}}}}]}}"#
        )
    };
    let asked = listed(
        "prompt",
        "prompt",
        r#"{"stringValue":"be kind"},{"stringValue":"why \"so\"?"}"#,
    );
    let answered = listed("completion", "completion", r#"{"stringValue":"since"}"#);
    let span = span_with(&[], &format!(r#","events":[{asked},{answered}]"#));
    assert_eq!(
        (span.inputs.as_deref(), span.outputs.as_deref()),
        (
            Some(
                r#"[{"role":"user","content":"be kind"},{"role":"user","content":"why \"so\"?"}]"#
            ),
            Some(r#"[{"role":"assistant","content":"since"}]"#)
        )
    );
    let hint = span.hint.unwrap();
    assert_eq!(hint.request_preview.as_deref(), Some("why \"so\"?"));
    assert_eq!(hint.response_preview.as_deref(), Some("since"));
}

#[test]
fn details_of_an_operation_may_stand_in_the_body() {
    let messages = r#"{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}},
        {"key":"content","value":{"stringValue":"haiku?"}}]}}]}}"#;
    let event = |body: String| {
        format!(
            r#","events":[{{"timeUnixNano":"1","name":"gen_ai.client.inference.operation.details","attributes":[
            {{"key":"gen_ai.request.model","value":{{"stringValue":"m"}}}},{{"key":"body","value":{body}}}]}}]"#
        )
    };
    let map = format!(
        r#"{{"kvlistValue":{{"values":[{{"key":"gen_ai.input.messages","value":{messages}}}]}}}}"#
    );
    let text = serde_json::json!({
        "stringValue": r#"{"gen_ai.input.messages":[{"role":"user","content":"haiku?"}]}"#
    });
    for body in [map, text.to_string()] {
        let span = span_with(&[], &event(body));
        assert_eq!(
            (span.inputs.as_deref(), span.model.as_deref()),
            (Some(r#"[{"role":"user","content":"haiku?"}]"#), Some("m"))
        );
    }
}

#[test]
fn events_with_their_message_as_json_text() {
    let event = |name: &str, content: &str| {
        let content = serde_json::Value::from(content);
        format!(
            r#"{{"timeUnixNano":"1","name":"{name}","attributes":[{{"key":"gen_ai.system","value":{{"stringValue":"az.ai.inference"}}}},
            {{"key":"gen_ai.event.content","value":{{"stringValue":{content}}}}}]}}"#
        )
    };
    let asked = event(
        "gen_ai.user.message",
        r#"{"role": "user", "content": "weather?"}"#,
    );
    let answered = event(
        "gen_ai.choice",
        r#"{"message": {"content": "sunny"}, "finish_reason": "stop", "index": 0}"#,
    );
    let span = span_with(&[], &format!(r#","events":[{asked},{answered}]"#));
    assert_eq!(
        span.inputs.as_deref(),
        Some(r#"[{"role":"user","content":"weather?"}]"#)
    );
    assert!(
        span.outputs
            .is_some_and(|outputs| outputs.contains(r#""message":{"content":"sunny"}"#))
    );
    let listed = event("gen_ai.input.messages", r#"[{"role":"user","parts":[]}]"#);
    let span = span_with(&[], &format!(r#","events":[{listed}]"#));
    assert_eq!(
        span.inputs.as_deref(),
        Some(r#"[{"role":"user","parts":[]}]"#)
    );
}

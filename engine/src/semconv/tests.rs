//! One test per convention, on spans as their instrumentations send them.

use tracehouse_storage::model::Span;

use crate::otlp::decode_json;

/// A span with attributes given as (key, OTLP/JSON value).
fn span_of(attributes: &[(&str, &str)]) -> Span {
    span_with(attributes, "")
}

fn span_with(attributes: &[(&str, &str)], more: &str) -> Span {
    let pairs: Vec<String> =
        attributes.iter().map(|(key, value)| format!(r#"{{"key":"{key}","value":{{{value}}}}}"#)).collect();
    let text = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"step","attributes":[{}]{more}}}]}}]}}]}}"#,
        pairs.join(",")
    );
    let mut decoded = decode_json(text.as_bytes(), "0").unwrap();
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    decoded.spans.pop().unwrap()
}

fn text(value: &str) -> String {
    format!("\"stringValue\":{}", serde_json::Value::from(value))
}

/// A span whose attributes are all texts.
fn span_of_texts(attributes: &[(&str, &str)]) -> Span {
    let values: Vec<(&str, String)> = attributes.iter().map(|(key, value)| (*key, text(value))).collect();
    let pairs: Vec<(&str, &str)> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
    span_of(&pairs)
}

fn tokens(span: &Span) -> [Option<i64>; 5] {
    [
        span.input_tokens,
        span.output_tokens,
        span.total_tokens,
        span.cache_read_input_tokens,
        span.cache_creation_input_tokens,
    ]
}

#[test]
fn mlflow_values_are_json_texts() {
    let span = span_of_texts(&[
        ("mlflow.spanType", "\"CHAT_MODEL\""),
        ("mlflow.spanInputs", r#"{"messages":[{"role":"user","content":"hi"}]}"#),
        ("mlflow.spanOutputs", "\"hello\""),
        ("mlflow.chat.tokenUsage", r#"{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":1}"#),
        ("mlflow.llm.cost", r#"{"input_cost":0.5,"output_cost":0.25,"total_cost":0.75}"#),
        ("mlflow.llm.model", "\"gpt-4\""),
        ("mlflow.llm.provider", "\"openai\""),
        ("mlflow.traceTag.env", "\"prod\""),
        ("mlflow.traceTag.plain", "x y"),
        ("mlflow.traceTag.mlflow.artifactLocation", "\"/etc\""),
        ("session.id", "\"s1\""),
        ("user.id", "u1"),
    ]);
    assert_eq!(span.span_type, "CHAT_MODEL");
    assert_eq!(span.inputs.as_deref(), Some(r#"{"messages":[{"role":"user","content":"hi"}]}"#));
    assert_eq!(span.outputs.as_deref(), Some("\"hello\""));
    assert_eq!(tokens(&span), [Some(3), Some(4), Some(7), Some(1), None]);
    assert_eq!(span.cost_usd, Some(0.75));
    assert_eq!((span.model.as_deref(), span.provider.as_deref()), (Some("gpt-4"), Some("openai")));
    assert_eq!((span.session_id.as_deref(), span.user_id.as_deref()), (Some("s1"), Some("u1")));
    let hint = span.hint.unwrap();
    assert_eq!(hint.request_preview.as_deref(), Some("hi"));
    assert_eq!(hint.response_preview.as_deref(), Some("\"hello\""));
    let tags: Vec<(&str, &str)> =
        hint.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("env", "prod"), ("plain", "x y")]);
    assert!(hint.metadata.is_empty());
}

#[test]
fn span_types_are_predefined_words_or_the_producers_own() {
    for (key, word, span_type) in [
        ("mlflow.spanType", "llm", "LLM"),
        ("mlflow.spanType", "\"my_step\"", "my_step"),
        ("mlflow.spanType", "UNKNOWN", "UNKNOWN"),
        ("openinference.span.kind", "RERANKER", "RERANKER"),
        ("gen_ai.operation.name", "chat", "CHAT_MODEL"),
        ("gen_ai.operation.name", "execute_tool", "TOOL"),
        ("gen_ai.operation.name", "something_new", "UNKNOWN"),
        ("traceloop.span.kind", "workflow", "WORKFLOW"),
        ("ai.operationId", "ai.streamText.doStream", "LLM"),
        ("ai.operationId", "ai.embedMany", "EMBEDDING"),
        ("lmnr.span.type", "EXECUTOR", "AGENT"),
        ("langfuse.observation.type", "generation", "LLM"),
        ("langfuse.observation.type", "span", "UNKNOWN"),
        ("llm.request.type", "rerank", "RERANKER"),
        ("unrelated", "LLM", "UNKNOWN"),
    ] {
        assert_eq!(span_of_texts(&[(key, word)]).span_type, span_type, "{key} {word}");
    }
    let both =
        span_of_texts(&[("langfuse.observation.type", "generation"), ("mlflow.spanType", "\"UNKNOWN\"")]);
    assert_eq!(both.span_type, "LLM");
}

#[test]
fn otel_genai() {
    let span = span_of(&[
        ("gen_ai.operation.name", r#""stringValue":"chat""#),
        ("gen_ai.request.model", r#""stringValue":"gpt-4o""#),
        ("gen_ai.response.model", r#""stringValue":"gpt-4o-2024""#),
        ("gen_ai.provider.name", r#""stringValue":"openai""#),
        ("gen_ai.conversation.id", r#""stringValue":"c1""#),
        ("gen_ai.usage.input_tokens", r#""intValue":"5""#),
        ("gen_ai.usage.output_tokens", r#""doubleValue":2"#),
        ("gen_ai.usage.cache_read.input_tokens", r#""stringValue":"1""#),
        ("gen_ai.usage.cost", r#""doubleValue":0.5"#),
        (
            "gen_ai.input.messages",
            r#""arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}}]}}]}"#,
        ),
    ]);
    assert_eq!(span.operation.as_deref(), Some("chat"));
    assert_eq!((span.model.as_deref(), span.provider.as_deref()), (Some("gpt-4o-2024"), Some("openai")));
    assert_eq!(tokens(&span), [Some(5), Some(2), Some(7), Some(1), None]);
    assert_eq!(span.cost_usd, Some(0.5));
    assert_eq!(span.session_id.as_deref(), Some("c1"));
    assert_eq!(span.inputs.as_deref(), Some(r#"[{"role":"user"}]"#));
    let tool = span_of_texts(&[
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "search"),
        ("gen_ai.tool.call.arguments", "{\"q\":1}"),
        ("gen_ai.tool.call.result", "found"),
    ]);
    assert_eq!((tool.tool_name.as_deref(), tool.span_type.as_str()), (Some("search"), "TOOL"));
    assert_eq!((tool.inputs.as_deref(), tool.outputs.as_deref()), (Some("{\"q\":1}"), Some("found")));
}

#[test]
fn openinference_with_and_without_whole_values() {
    let span = span_of_texts(&[
        ("openinference.span.kind", "TOOL"),
        ("input.value", "in"),
        ("output.value", ""),
        ("llm.output_messages.1.message.content", "second"),
        ("llm.output_messages.0.message.role", "assistant"),
        ("llm.output_messages.0.message.contents.0.message_content.type", "text"),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "f"),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.id", "t1"),
        ("llm.token_count.total", "9"),
        ("llm.model_name", "m"),
    ]);
    assert_eq!(span.tool_name.as_deref(), Some("step"));
    assert_eq!(span.inputs.as_deref(), Some("in"));
    assert_eq!(
        span.outputs.as_deref(),
        Some(
            r#"[{"role":"assistant","contents":[{"type":"text"}],"tool_calls":[{"function":{"name":"f"},"id":"t1"}]},{"content":"second"}]"#
        )
    );
    assert_eq!(tokens(&span), [None, None, Some(9), None, None]);
    assert_eq!(span.model.as_deref(), Some("m"));
}

#[test]
fn traceloop_messages_are_assembled() {
    let span = span_of_texts(&[
        ("traceloop.span.kind", "llm"),
        ("gen_ai.system", "anthropic"),
        ("gen_ai.prompt.10.content", "later"),
        ("gen_ai.prompt.2.content", "hi"),
        ("gen_ai.prompt.2.role", "user"),
        ("gen_ai.prompt.name", "not a message"),
        ("gen_ai.completion.0.content", "yo"),
        ("gen_ai.usage.prompt_tokens", "3"),
        ("gen_ai.usage.completion_tokens", "x"),
        ("llm.usage.total_tokens", "8"),
        ("traceloop.association.properties.session_id", "s"),
    ]);
    assert_eq!(span.span_type, "LLM");
    assert_eq!(span.provider.as_deref(), Some("anthropic"));
    assert_eq!(span.inputs.as_deref(), Some(r#"[{"role":"user","content":"hi"},{"content":"later"}]"#));
    assert_eq!(span.outputs.as_deref(), Some(r#"[{"content":"yo"}]"#));
    assert_eq!(tokens(&span), [Some(3), None, Some(8), None, None]);
    assert_eq!(span.session_id.as_deref(), Some("s"));
}

#[test]
fn langfuse_vercel_laminar_and_google_adk() {
    let langfuse = span_of_texts(&[
        ("langfuse.observation.type", "generation"),
        ("langfuse.observation.input", "question"),
        ("langfuse.observation.usage_details", r#"{"input":163,"output":20,"total":183}"#),
        ("langfuse.observation.cost_details", r#"{"total":3.645e-05}"#),
        ("langfuse.observation.model.name", "gpt"),
        ("langfuse.session.id", "ls"),
        ("langfuse.user.id", "lu"),
    ]);
    assert_eq!(langfuse.inputs.as_deref(), Some("question"));
    assert_eq!(tokens(&langfuse)[..3], [Some(163), Some(20), Some(183)]);
    assert_eq!(langfuse.cost_usd, Some(3.645e-5));
    assert_eq!((langfuse.session_id.as_deref(), langfuse.user_id.as_deref()), (Some("ls"), Some("lu")));
    let vercel = span_of_texts(&[
        ("ai.operationId", "ai.toolCall"),
        ("ai.toolCall.name", "weather"),
        ("ai.toolCall.args", "{}"),
        ("ai.toolCall.result", "sun"),
    ]);
    assert_eq!((vercel.tool_name.as_deref(), vercel.outputs.as_deref()), (Some("weather"), Some("sun")));
    let laminar =
        span_of_texts(&[("lmnr.span.type", "CACHED"), ("lmnr.span.input", "i"), ("lmnr.span.output", "o")]);
    assert_eq!((laminar.span_type.as_str(), laminar.inputs.as_deref()), ("LLM", Some("i")));
    let google =
        span_of_texts(&[("gcp.vertex.agent.llm_request", "{}"), ("gcp.vertex.agent.llm_response", "r")]);
    assert_eq!((google.inputs.as_deref(), google.outputs.as_deref()), (Some("{}"), Some("r")));
}

#[test]
fn events_are_read_when_no_attribute_tells() {
    let spring = span_with(
        &[],
        r#","events":[{"name":"gen_ai.content.prompt","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":"p"}}]},
           {"name":"gen_ai.content.completion","attributes":[{"key":"gen_ai.completion","value":{"stringValue":"c"}}]}]"#,
    );
    assert_eq!((spring.inputs.as_deref(), spring.outputs.as_deref()), (Some("p"), Some("c")));
    let otel = span_with(
        &[],
        r#","events":[{"name":"gen_ai.user.message","attributes":[{"key":"content","value":{"stringValue":"hi"}}]},
           {"name":"other"},{"name":"gen_ai.choice","attributes":[{"key":"index","value":{"intValue":0}}]}]"#,
    );
    assert_eq!(otel.inputs.as_deref(), Some(r#"[{"role":"user","content":"hi"}]"#));
    assert_eq!(otel.outputs.as_deref(), Some(r#"[{"role":"assistant","index":0}]"#));
}

#[test]
fn counts_are_whole_and_not_negative() {
    for (value, wanted) in [
        (r#""intValue":"7""#, Some(7)),
        (r#""intValue":-1"#, None),
        (r#""doubleValue":3.0"#, Some(3)),
        (r#""doubleValue":3.5"#, None),
        (r#""doubleValue":"NaN""#, None),
        (r#""stringValue":" 12 ""#, Some(12)),
        (r#""stringValue":"12.0""#, Some(12)),
        (r#""stringValue":"many""#, None),
        (r#""boolValue":true"#, None),
    ] {
        assert_eq!(span_of(&[("gen_ai.usage.input_tokens", value)]).input_tokens, wanted, "{value}");
    }
    assert_eq!(span_of_texts(&[("gen_ai.usage.cost", "inf")]).cost_usd, None);
    assert_eq!(span_of_texts(&[("tau2.cost_usd", "0.5")]).cost_usd, None);
}

#[test]
fn only_root_spans_speak_for_their_trace() {
    let child =
        span_with(&[("mlflow.traceTag.a", r#""stringValue":"b""#)], r#","parentSpanId":"00f067aa0ba902b8""#);
    assert_eq!(child.hint, None);
    assert!(span_of(&[]).hint.is_some());
}

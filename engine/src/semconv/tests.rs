//! What fills the columns of a span, on spans as their instrumentations send them. Here: the words, names and members
//! that producers have in common; conventions, counts and events have files of their own.

use tracehouse_storage::model::Span;

use crate::otlp::decode_json;

mod conventions;
mod counts;
mod events;
mod found_and_kept;
mod gateways;

/// A span with attributes given as (key, OTLP/JSON value).
fn span_of(attributes: &[(&str, &str)]) -> Span {
    span_with(attributes, "")
}

fn span_with(attributes: &[(&str, &str)], more: &str) -> Span {
    let pairs: Vec<String> = attributes
        .iter()
        .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{{value}}}}}"#))
        .collect();
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
    let values: Vec<(&str, String)> = attributes
        .iter()
        .map(|(key, value)| (*key, text(value)))
        .collect();
    let pairs: Vec<(&str, &str)> = values
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
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
        assert_eq!(
            span_of_texts(&[(key, word)]).span_type,
            span_type,
            "{key} {word}"
        );
    }
    let both = span_of_texts(&[
        ("langfuse.observation.type", "generation"),
        ("mlflow.spanType", "\"UNKNOWN\""),
    ]);
    assert_eq!(both.span_type, "LLM");
}

#[test]
fn only_root_spans_speak_for_their_trace() {
    let child = span_with(
        &[("mlflow.traceTag.a", r#""stringValue":"b""#)],
        r#","parentSpanId":"00f067aa0ba902b8""#,
    );
    assert_eq!(child.hint, None);
    assert!(span_of(&[]).hint.is_some());
}

#[test]
fn sessions_and_users_have_these_names_too() {
    for key in [
        "gen_ai.thread.id",
        "session_id",
        "ai.telemetry.metadata.conversation_id",
        "langfuse.trace.metadata.thread_id",
    ] {
        let span = span_of_texts(&[(key, "s-1")]);
        assert_eq!(span.session_id.as_deref(), Some("s-1"), "{key}");
    }
    let scrubbed = span_of_texts(&[
        ("session_id", "[Scrubbed due to 'session']"),
        ("gen_ai.conversation.id", "c-1"),
    ]);
    assert_eq!(scrubbed.session_id.as_deref(), Some("c-1"));
}

#[test]
fn models_of_requests_are_those_of_their_bodies() {
    let of = |span_type: &str, input: &str| {
        span_of_texts(&[
            ("openinference.span.kind", span_type),
            ("input.value", input),
        ])
        .model
    };
    assert_eq!(
        of("LLM", r#"{"model":"m","messages":[]}"#).as_deref(),
        Some("m")
    );
    assert_eq!(of("LLM", r#"{"a":{"model":"m"}}"#), None);
    assert_eq!(of("TOOL", r#"{"model":"a car"}"#), None);
    let google = span_of_texts(&[(
        "gcp.vertex.agent.llm_request",
        r#"{"model":"gemini","contents":[]}"#,
    )]);
    assert_eq!(google.model.as_deref(), Some("gemini"));
}

#[test]
fn sessions_under_every_name() {
    for (key, value) in [
        ("session.id", "s"),
        ("gen_ai.conversation.id", "s"),
        ("metadata", r#"{"thread_id":"s"}"#),
        ("traceloop.association.properties.thread_id", "s"),
        ("langsmith.metadata.thread_id", "s"),
        ("langsmith.metadata.session_id", "s"),
        ("langwatch.thread.id", "s"),
        ("gcp.vertex.agent.session_id", "s"),
        ("ai.telemetry.metadata.threadId", "s"),
        ("opik.thread_id", "s"),
    ] {
        assert_eq!(
            span_of_texts(&[(key, value)]).session_id.as_deref(),
            Some("s"),
            "{key}"
        );
    }
}

#[test]
fn tables_have_no_key_twice_and_words_for_each_type_key() {
    use super::producers::{Concern, PRODUCERS};
    let mut seen = std::collections::BTreeSet::new();
    for producer in PRODUCERS {
        assert!(producer.source.starts_with("https://"), "{}", producer.name);
        for key in producer.keys {
            assert!(
                seen.insert((key.concern, key.name, producer.marks)),
                "{} of {} stands twice",
                key.name,
                producer.name
            );
            let has_words = PRODUCERS
                .iter()
                .flat_map(|p| p.words)
                .any(|words| words.key == key.name);
            assert!(
                key.concern != Concern::SpanType || has_words,
                "{} has no words",
                key.name
            );
        }
    }
}

#[test]
fn a_key_that_is_there_a_name_or_a_model_tell_what_no_word_says() {
    for (attributes, span_type) in [
        (
            &[
                ("gen_ai.request.model", "m"),
                ("gen_ai.usage.input_tokens", "1"),
            ][..],
            "LLM",
        ),
        (&[("gen_ai.request.model", "m")], "UNKNOWN"),
        (
            &[
                ("gen_ai.request.model", "m"),
                ("gen_ai.operation.name", "invoke_agent"),
            ],
            "AGENT",
        ),
        (
            &[("gen_ai.request.model", "m"), ("gen_ai.tool.name", "t")],
            "TOOL",
        ),
        (
            &[
                ("crewai.crew.id", "1"),
                ("gen_ai.operation.name", "invoke_agent"),
            ],
            "WORKFLOW",
        ),
        (&[("haystack.agent.max_steps", "100")], "AGENT"),
        (&[("sk.available_functions", "a, b")], "CHAIN"),
        (&[("spring.ai.kind", "vector_store")], "RETRIEVER"),
        (&[("other", "m")], "UNKNOWN"),
    ] {
        assert_eq!(
            span_of_texts(attributes).span_type,
            span_type,
            "{attributes:?}"
        );
    }
    let named = |scope: &str, name: &str| {
        let mut span = Span {
            scope_name: Some(scope.to_string()),
            name: name.to_string(),
            ..Span::default()
        };
        super::fill(&mut span, &[], &[]);
        span.span_type
    };
    assert_eq!(named("gcp.vertex.agent", "agent_run [a]"), "AGENT");
    assert_eq!(named("pydantic-ai", "running tools"), "CHAIN");
    assert_eq!(named("pydantic-ai", "running tool"), "TOOL");
    assert_eq!(named("livekit-agents", "llm_node"), "LLM");
    assert_eq!(named("app", "agent run"), "UNKNOWN");
}

#[test]
fn what_says_nothing_is_no_preview_and_the_richer_answer_wins() {
    let span = span_of_texts(&[
        ("gen_ai.input.messages", "[]"),
        (
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[],"finish_reason":"tool_calls"}]"#,
        ),
        ("gen_ai.completion.0.function_call.name", "get_weather"),
        ("gen_ai.completion.0.function_call.arguments", "{}"),
    ]);
    assert_eq!(span.inputs.as_deref(), Some("[]"));
    let hint = span.hint.unwrap();
    assert_eq!(
        (hint.request_preview, hint.response_preview.as_deref()),
        (None, Some("get_weather({})"))
    );
}

#[test]
fn a_call_without_arguments_is_kept_and_no_preview() {
    let span = span_of_texts(&[
        ("agentops.span.kind", "session"),
        ("agentops.entity.input", r#"{"args": [], "kwargs": {}}"#),
        ("agentops.entity.output", "done"),
    ]);
    assert_eq!(
        (span.span_type.as_str(), span.inputs.as_deref()),
        ("WORKFLOW", Some(r#"{"args": [], "kwargs": {}}"#))
    );
    let hint = span.hint.unwrap();
    assert_eq!(
        (hint.request_preview, hint.response_preview.as_deref()),
        (None, Some("done"))
    );
}

#[test]
fn types_may_be_members_of_an_object() {
    let span = span_of_texts(&[
        (
            "braintrust.span_attributes",
            r#"{"type": "score", "name": "helpful"}"#,
        ),
        (
            "braintrust.metadata",
            r#"{"model": "gpt-4o", "provider": "openai"}"#,
        ),
        (
            "braintrust.metrics",
            r#"{"prompt_tokens": 12, "completion_tokens": 3, "prompt_cached_tokens": 2}"#,
        ),
    ]);
    assert_eq!(
        (
            span.span_type.as_str(),
            span.model.as_deref(),
            span.provider.as_deref()
        ),
        ("EVALUATOR", Some("gpt-4o"), Some("openai"))
    );
    assert_eq!(
        (
            span.input_tokens,
            span.total_tokens,
            span.cache_read_input_tokens
        ),
        (Some(12), Some(15), Some(2))
    );
}

#[test]
fn metadata_of_a_trace_in_one_object_or_by_key() {
    let span = span_of_texts(&[
        ("metadata", r#"{"plan":"free","retries":2,"none":null}"#),
        ("langfuse.release", "v1"),
        ("logfire.span_type", "span"),
        ("logfire.msg", "answer u1"),
    ]);
    let hint = span.hint.unwrap();
    let metadata: Vec<(&str, &str)> = hint
        .metadata
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        metadata,
        [
            ("langfuse.release", "v1"),
            ("plan", "free"),
            ("retries", "2")
        ]
    );
    assert_eq!(
        hint.tags.get("mlflow.traceName").map(String::as_str),
        Some("answer u1")
    );
}

#[test]
fn nothing_with_spaces_gives_way_to_something() {
    for nothing in [
        "{ }",
        "[ ]",
        " null ",
        r#"{"messages": []}"#,
        r#"{"args": [], "kwargs": {}}"#,
    ] {
        let span = span_of_texts(&[
            ("traceloop.span.kind", "workflow"),
            ("traceloop.entity.input", nothing),
            ("input.value", "hello"),
        ]);
        assert_eq!(span.inputs.as_deref(), Some("hello"), "{nothing}");
    }
}

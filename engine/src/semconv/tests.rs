//! One test per convention, on spans as their instrumentations send them.

use tracehouse_storage::model::Span;

use crate::otlp::decode_json;

mod found_and_kept;

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
fn mlflow_values_are_json_texts() {
    let span = span_of_texts(&[
        ("mlflow.spanType", "\"CHAT_MODEL\""),
        (
            "mlflow.spanInputs",
            r#"{"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        ("mlflow.spanOutputs", "\"hello\""),
        (
            "mlflow.chat.tokenUsage",
            r#"{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":1}"#,
        ),
        (
            "mlflow.llm.cost",
            r#"{"input_cost":0.5,"output_cost":0.25,"total_cost":0.75}"#,
        ),
        ("mlflow.llm.model", "\"gpt-4\""),
        ("mlflow.llm.provider", "\"openai\""),
        ("mlflow.traceTag.env", "\"prod\""),
        ("mlflow.traceTag.plain", "x y"),
        ("mlflow.traceTag.mlflow.artifactLocation", "\"/etc\""),
        ("session.id", "\"s1\""),
        ("user.id", "u1"),
    ]);
    assert_eq!(span.span_type, "CHAT_MODEL");
    assert_eq!(
        span.inputs.as_deref(),
        Some(r#"{"messages":[{"role":"user","content":"hi"}]}"#)
    );
    assert_eq!(span.outputs.as_deref(), Some("\"hello\""));
    assert_eq!(tokens(&span), [Some(3), Some(4), Some(7), Some(1), None]);
    assert_eq!(span.cost_usd, Some(0.75));
    assert_eq!(
        (span.model.as_deref(), span.provider.as_deref()),
        (Some("gpt-4"), Some("openai"))
    );
    assert_eq!(
        (span.session_id.as_deref(), span.user_id.as_deref()),
        (Some("s1"), Some("u1"))
    );
    let hint = span.hint.unwrap();
    assert_eq!(hint.request_preview.as_deref(), Some("hi"));
    assert_eq!(hint.response_preview.as_deref(), Some("hello"));
    let tags: Vec<(&str, &str)> = hint
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
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
fn otel_genai() {
    let span = span_of(&[
        ("gen_ai.operation.name", r#""stringValue":"chat""#),
        ("gen_ai.request.model", r#""stringValue":"gpt-4o""#),
        ("gen_ai.response.model", r#""stringValue":"gpt-4o-2024""#),
        ("gen_ai.provider.name", r#""stringValue":"openai""#),
        ("gen_ai.conversation.id", r#""stringValue":"c1""#),
        ("gen_ai.usage.input_tokens", r#""intValue":"5""#),
        ("gen_ai.usage.output_tokens", r#""doubleValue":2"#),
        (
            "gen_ai.usage.cache_read.input_tokens",
            r#""stringValue":"1""#,
        ),
        ("gen_ai.usage.cost", r#""doubleValue":0.5"#),
        (
            "gen_ai.input.messages",
            r#""arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}}]}}]}"#,
        ),
    ]);
    assert_eq!(span.operation.as_deref(), Some("chat"));
    assert_eq!(
        (span.model.as_deref(), span.provider.as_deref()),
        (Some("gpt-4o-2024"), Some("openai"))
    );
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
    assert_eq!(
        (tool.tool_name.as_deref(), tool.span_type.as_str()),
        (Some("search"), "TOOL")
    );
    assert_eq!(
        (tool.inputs.as_deref(), tool.outputs.as_deref()),
        (Some("{\"q\":1}"), Some("found"))
    );
}

#[test]
fn openinference_with_and_without_whole_values() {
    let span = span_of_texts(&[
        ("openinference.span.kind", "TOOL"),
        ("input.value", "in"),
        ("output.value", ""),
        ("llm.output_messages.1.message.content", "second"),
        ("llm.output_messages.0.message.role", "assistant"),
        (
            "llm.output_messages.0.message.contents.0.message_content.type",
            "text",
        ),
        (
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
            "f",
        ),
        (
            "llm.output_messages.0.message.tool_calls.0.tool_call.id",
            "t1",
        ),
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
    assert_eq!(
        span.inputs.as_deref(),
        Some(r#"[{"role":"user","content":"hi"},{"content":"later"}]"#)
    );
    assert_eq!(span.outputs.as_deref(), Some(r#"[{"content":"yo"}]"#));
    assert_eq!(tokens(&span), [Some(3), None, Some(8), None, None]);
    assert_eq!(span.session_id.as_deref(), Some("s"));
}

#[test]
fn costs_may_be_texts() {
    for details in [
        r#"{"total":"0.5"}"#,
        r#"{"input":"0.2","output":"0.3"}"#,
        r#"{"input":0.5,"output":"0"}"#,
    ] {
        let span = span_of_texts(&[("langfuse.observation.cost_details", details)]);
        assert_eq!(span.cost_usd, Some(0.5), "{details}");
    }
    assert_eq!(
        span_of_texts(&[("langfuse.observation.cost_details", r#"{"total":"0"}"#)]).cost_usd,
        None
    );
}

#[test]
fn older_versions_of_semantic_kernel_count_the_response() {
    let span = span_of_texts(&[
        ("gen_ai.operation.name", "chat.completions"),
        ("gen_ai.response.prompt_tokens", "16"),
        ("gen_ai.response.completion_tokens", "28"),
    ]);
    assert_eq!(span.span_type, "CHAT_MODEL");
    assert_eq!(tokens(&span)[..3], [Some(16), Some(28), Some(44)]);
}

#[test]
fn langfuse_vercel_laminar_and_google_adk() {
    let langfuse = span_of_texts(&[
        ("langfuse.observation.type", "generation"),
        ("langfuse.observation.input", "question"),
        (
            "langfuse.observation.usage_details",
            r#"{"input":163,"output":20,"total":183}"#,
        ),
        (
            "langfuse.observation.cost_details",
            r#"{"total":3.645e-05}"#,
        ),
        ("langfuse.observation.model.name", "gpt"),
        ("langfuse.session.id", "ls"),
        ("langfuse.user.id", "lu"),
    ]);
    assert_eq!(langfuse.inputs.as_deref(), Some("question"));
    assert_eq!(tokens(&langfuse)[..3], [Some(163), Some(20), Some(183)]);
    assert_eq!(langfuse.cost_usd, Some(3.645e-5));
    assert_eq!(
        (langfuse.session_id.as_deref(), langfuse.user_id.as_deref()),
        (Some("ls"), Some("lu"))
    );
    let vercel = span_of_texts(&[
        ("ai.operationId", "ai.toolCall"),
        ("ai.toolCall.name", "weather"),
        ("ai.toolCall.args", "{}"),
        ("ai.toolCall.result", "sun"),
    ]);
    assert_eq!(
        (vercel.tool_name.as_deref(), vercel.outputs.as_deref()),
        (Some("weather"), Some("sun"))
    );
    let laminar = span_of_texts(&[
        ("lmnr.span.type", "CACHED"),
        ("lmnr.span.input", "i"),
        ("lmnr.span.output", "o"),
    ]);
    assert_eq!(
        (laminar.span_type.as_str(), laminar.inputs.as_deref()),
        ("LLM", Some("i"))
    );
    let google = span_of_texts(&[
        ("gcp.vertex.agent.llm_request", "{}"),
        ("gcp.vertex.agent.llm_response", "{}"),
        ("gcp.vertex.agent.tool_call_args", r#"{"city":"x"}"#),
        ("gcp.vertex.agent.tool_response", "cold"),
    ]);
    assert_eq!(
        (google.inputs.as_deref(), google.outputs.as_deref()),
        (Some(r#"{"city":"x"}"#), Some("cold"))
    );
    let empty = span_of_texts(&[
        ("gcp.vertex.agent.llm_request", "{}"),
        ("gcp.vertex.agent.session_id", "s"),
    ]);
    assert_eq!(
        (empty.inputs.as_deref(), empty.session_id.as_deref()),
        (Some("{}"), Some("s"))
    );
}

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
        assert_eq!(
            span_of(&[("gen_ai.usage.input_tokens", value)]).input_tokens,
            wanted,
            "{value}"
        );
    }
    assert_eq!(
        span_of_texts(&[("gen_ai.usage.cost", "inf")]).cost_usd,
        None
    );
    assert_eq!(span_of_texts(&[("tau2.cost_usd", "0.5")]).cost_usd, None);
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
fn cached_tokens_under_every_name() {
    let both = |more: &[(&str, &str)]| {
        let mut sent = vec![
            ("gen_ai.usage.input_tokens", "10"),
            ("gen_ai.usage.output_tokens", "5"),
        ];
        sent.extend_from_slice(more);
        tokens(&span_of_texts(&sent))
    };
    for key in [
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_cached_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.details.cache_read_tokens",
        "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "llm.token_count.prompt_details.cache_read",
    ] {
        assert_eq!(
            both(&[(key, "4")]),
            [Some(10), Some(5), Some(15), Some(4), None],
            "{key}"
        );
    }
    for key in [
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ] {
        assert_eq!(
            both(&[(key, "4")]),
            [Some(10), Some(5), Some(15), None, Some(4)],
            "{key}"
        );
    }
}

#[test]
fn langfuse_counts_are_disjoint_in_its_own_words_only() {
    let of = |usage: &str| {
        tokens(&span_of_texts(&[(
            "langfuse.observation.usage_details",
            usage,
        )]))
    };
    assert_eq!(
        of(r#"{"input":10,"output":5,"input_cached_tokens":4}"#),
        [Some(14), Some(5), Some(19), Some(4), None]
    );
    assert_eq!(
        of(
            r#"{"input":5,"output":3,"cache_read_input_tokens":4,"output_reasoning_tokens":6,"audio":1,"total":19}"#
        ),
        [Some(9), Some(9), Some(19), Some(4), None]
    );
    assert_eq!(
        of(
            r#"{"input":10,"output":60,"output_reasoning_tokens":50,"input_cached_tokens":4,"total":70}"#
        ),
        [Some(10), Some(60), Some(70), Some(4), None],
        "parts that the total does not count are parts of input and output"
    );
    assert_eq!(
        of(
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}"#
        ),
        [Some(10), Some(5), Some(15), Some(4), None]
    );
}

#[test]
fn bodies_of_answers_count_where_no_attribute_does() {
    let logfire = span_of_texts(&[
        (
            "logfire.msg_template",
            "Chat Completion with {request_data[model]!r}",
        ),
        ("gen_ai.request.model", "gpt-4o"),
        (
            "response_data",
            r#"{"message":{"role":"assistant","content":"Yes."},"usage":{"prompt_tokens":9,"completion_tokens":3,
            "total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        ),
    ]);
    assert_eq!(logfire.span_type, "LLM");
    assert_eq!(
        tokens(&logfire),
        [Some(9), Some(3), Some(12), Some(4), None]
    );
    let adk = span_of_texts(&[
        ("gen_ai.operation.name", "call_llm"),
        (
            "gcp.vertex.agent.llm_response",
            r#"{"content":{"parts":[{"text":"Yes."}]},"usage_metadata":{"prompt_token_count":9,
            "candidates_token_count":3,"total_token_count":14,"cached_content_token_count":4}}"#,
        ),
    ]);
    assert_eq!(adk.span_type, "LLM");
    assert_eq!(tokens(&adk), [Some(9), Some(3), Some(14), Some(4), None]);
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
fn claude_code_counts_input_without_the_cache() {
    let model = span_of_texts(&[
        ("span.type", "llm_request"),
        ("gen_ai.request.model", "claude"),
        ("input_tokens", "12"),
        ("output_tokens", "80"),
        ("cache_read_tokens", "9000"),
        ("cache_creation_tokens", "400"),
        ("response.model_output", "Two files."),
    ]);
    assert_eq!(
        tokens(&model),
        [Some(9412), Some(80), Some(9492), Some(9000), Some(400)]
    );
    assert_eq!(
        (model.span_type.as_str(), model.outputs.as_deref()),
        ("LLM", Some("Two files."))
    );
    let tool = span_with(
        &[
            ("span.type", r#""stringValue":"claude_code.tool""#),
            ("tool_name", r#""stringValue":"Bash""#),
            ("tool_input", r#""stringValue":"<REDACTED>""#),
        ],
        r#","events":[{"name":"tool.output","attributes":[{"key":"output","value":{"stringValue":"a.txt"}}]}]"#,
    );
    assert_eq!(
        (tool.span_type.as_str(), tool.tool_name.as_deref()),
        ("TOOL", Some("Bash"))
    );
    assert_eq!(
        (tool.inputs.as_deref(), tool.outputs.as_deref()),
        (None, Some("a.txt"))
    );
    let other = span_of_texts(&[("tool_name", "x"), ("input_tokens", "1")]);
    assert_eq!(
        (other.tool_name, other.input_tokens),
        (None, None),
        "plain words say nothing without the mark"
    );
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
fn pydantic_ai_and_logfire() {
    let agent = span_of_texts(&[
        ("gen_ai.operation.name", "invoke_agent"),
        (
            "pydantic_ai.all_messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"why"}]}]"#,
        ),
        ("final_result", "so"),
        ("operation.cost", "0.5"),
    ]);
    assert_eq!(
        (agent.outputs.as_deref(), agent.cost_usd),
        (Some("so"), Some(0.5))
    );
    assert_eq!(agent.hint.unwrap().request_preview.as_deref(), Some("why"));
    let tool = span_of_texts(&[
        ("gen_ai.tool.name", "f"),
        ("tool_arguments", "{\"q\":1}"),
        ("tool_response", "r"),
    ]);
    assert_eq!(
        (tool.span_type.as_str(), tool.inputs.as_deref()),
        ("TOOL", Some("{\"q\":1}"))
    );
    let first = span_of_texts(&[(
        "events",
        r#"[{"event.name":"gen_ai.user.message","content":"q"},{"event.name":"gen_ai.choice","message":{"role":"assistant","content":"a"}}]"#,
    )]);
    assert_eq!(
        first.inputs.as_deref(),
        Some(r#"[{"event.name":"gen_ai.user.message","content":"q"}]"#)
    );
    let hint = first.hint.unwrap();
    assert_eq!(
        (
            hint.request_preview.as_deref(),
            hint.response_preview.as_deref()
        ),
        (Some("q"), Some("a"))
    );
    assert_eq!(span_of_texts(&[("events", "[1]")]).inputs, None);
}

#[test]
fn a_pending_span_stands_for_the_real_one() {
    let pending = |parent: &str| {
        span_with(
            &[
                ("logfire.span_type", r#""stringValue":"pending_span""#),
                ("logfire.pending_parent_id", &text(parent)),
            ],
            r#","parentSpanId":"00f067aa0ba902b8","startTimeUnixNano":"5","endTimeUnixNano":"5""#,
        )
    };
    let root = pending("0000000000000000");
    assert_eq!(
        (root.span_id.as_str(), root.parent_span_id.as_deref()),
        ("00f067aa0ba902b8", None)
    );
    assert_eq!(root.end_time_ns, None);
    assert_eq!(
        pending("00f067aa0ba902b9").parent_span_id.as_deref(),
        Some("00f067aa0ba902b9")
    );
}

#[test]
fn what_langfuse_says_of_a_trace() {
    let span = span_of(&[
        ("langfuse.trace.name", r#""stringValue":"My Trace""#),
        (
            "langfuse.trace.tags",
            r#""arrayValue":{"values":[{"stringValue":"prod"},{"stringValue":"eu"}]}"#,
        ),
        (
            "langfuse.trace.metadata.tenant",
            r#""stringValue":"\"acme\"""#,
        ),
        ("langfuse.observation.level", r#""stringValue":"ERROR""#),
        (
            "langfuse.observation.status_message",
            r#""stringValue":"quota""#,
        ),
    ]);
    assert_eq!(
        (span.status.as_str(), span.status_message.as_deref()),
        ("ERROR", Some("quota"))
    );
    let hint = span.hint.unwrap();
    let tags: Vec<(&str, &str)> = hint
        .tags
        .iter()
        .map(|(tag, value)| (tag.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags,
        [
            ("eu", "true"),
            ("mlflow.traceName", "My Trace"),
            ("prod", "true")
        ]
    );
    assert_eq!(
        hint.metadata.get("tenant").map(String::as_str),
        Some("acme")
    );
}

#[test]
fn retrieved_and_embedded_texts() {
    let found = span_of_texts(&[
        ("openinference.span.kind", "RETRIEVER"),
        ("retrieval.documents.0.document.content", "X equals Y"),
        ("retrieval.documents.0.document.id", "d0"),
        ("retrieval.documents.1.document.content", "Z"),
    ]);
    assert_eq!(
        found.outputs.as_deref(),
        Some(r#"[{"document":{"content":"X equals Y","id":"d0"}},{"document":{"content":"Z"}}]"#)
    );
    assert_eq!(
        found.hint.unwrap().response_preview.as_deref(),
        Some("X equals Y\nZ")
    );
    let embedded = span_of_texts(&[
        ("openinference.span.kind", "EMBEDDING"),
        ("embedding.embeddings.0.embedding.text", "embed me"),
        ("embedding.embeddings.0.embedding.vector", "0.5"),
    ]);
    assert_eq!(embedded.inputs.as_deref(), Some(r#"[{"text":"embed me"}]"#));
    let reranked = span_of_texts(&[
        ("openinference.span.kind", "RERANKER"),
        ("reranker.query", "q"),
        ("reranker.output_documents.0.document.content", "Y"),
    ]);
    assert_eq!(
        (reranked.inputs.as_deref(), reranked.outputs.is_some()),
        (Some("q"), true)
    );
}

#[test]
fn tables_have_no_key_twice_and_words_for_each_type_key() {
    use super::producers::{Concern, PRODUCERS};
    let mut seen = std::collections::BTreeSet::new();
    for producer in PRODUCERS {
        assert!(producer.source.starts_with("https://"), "{}", producer.name);
        for key in producer.keys {
            assert!(
                seen.insert((key.concern, key.name)),
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
fn further_producers() {
    for (key, word, span_type) in [
        ("langsmith.span.kind", "retriever", "RETRIEVER"),
        ("mastra.span.type", "agent_run", "AGENT"),
        ("genkit:metadata:subtype", "model", "LLM"),
        ("haystack.component.type", "OpenAIChatGenerator", "LLM"),
        ("haystack.component.type", "Other", "UNKNOWN"),
        ("entity.type", "agent", "AGENT"),
    ] {
        assert_eq!(
            span_of_texts(&[(key, word)]).span_type,
            span_type,
            "{key} {word}"
        );
    }
    let crew = |kind: &str, operation: &str| {
        span_of_texts(&[
            ("traceloop.span.kind", kind),
            ("gen_ai.operation.name", operation),
        ])
        .span_type
    };
    assert_eq!(crew("workflow", "invoke_agent"), "WORKFLOW");
    assert_eq!(crew("task", "execute_tool"), "TOOL");
    assert_eq!(crew("agent", "invoke_agent"), "AGENT");
    let volt = span_of_texts(&[
        ("entity.type", "agent"),
        ("span.type", "tool"),
        ("input", "{\"city\":\"x\"}"),
        ("tool.parameters", "{\"type\":\"object\"}"),
        ("usage.prompt_tokens", "3"),
        ("conversation.id", "s"),
    ]);
    assert_eq!(
        (volt.span_type.as_str(), volt.inputs.as_deref()),
        ("TOOL", Some("{\"city\":\"x\"}"))
    );
    assert_eq!(
        (volt.input_tokens, volt.session_id.as_deref()),
        (Some(3), Some("s"))
    );
    let vertex = span_of_texts(&[(
        "llm.model_name",
        "projects/p/locations/l/publishers/google/models/gemini",
    )]);
    assert_eq!(vertex.model.as_deref(), Some("gemini"));
    let genkit = span_of_texts(&[(
        "genkit:output",
        r#"{"usage":{"inputTokens":3,"outputTokens":4}}"#,
    )]);
    assert_eq!(tokens(&genkit), [Some(3), Some(4), Some(7), None, None]);
}

#[test]
fn counts_of_the_last_step_are_not_those_of_all() {
    let outer = |operation: &str, key: &str| {
        span_of_texts(&[
            ("ai.operationId", operation),
            (key, "180"),
            ("ai.usage.completionTokens", "40"),
        ])
        .input_tokens
    };
    assert_eq!(outer("ai.generateText", "ai.usage.promptTokens"), None);
    assert_eq!(
        outer("ai.generateText.doGenerate", "ai.usage.promptTokens"),
        Some(180)
    );
    assert_eq!(outer("ai.generateText", "ai.usage.inputTokens"), Some(180));
    let zeros = span_of_texts(&[(
        "langfuse.observation.cost_details",
        r#"{"input":0,"output":0,"total":0}"#,
    )]);
    assert_eq!(zeros.cost_usd, None);
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
fn counts_and_models_inside_answers() {
    let haystack = span_of_texts(&[
        ("haystack.component.type", "OpenAIChatGenerator"),
        (
            "haystack.component.output",
            r#"{"replies":[{"meta":{"model":"m","usage":{"prompt_tokens":5,"completion_tokens":2,
            "prompt_tokens_details":{"cached_tokens":3}}}}]}"#,
        ),
    ]);
    assert_eq!(
        (haystack.model.as_deref(), tokens(&haystack)),
        (Some("m"), [Some(5), Some(2), Some(7), Some(3), None])
    );
    let genkit = |subtype: &str| {
        span_of_texts(&[
            ("genkit:metadata:subtype", subtype),
            (
                "genkit:output",
                r#"{"usage":{"inputTokens":5,"outputTokens":2},"raw":{"model":"m"}}"#,
            ),
        ])
    };
    assert_eq!(
        (
            genkit("model").model.as_deref(),
            genkit("model").input_tokens
        ),
        (Some("m"), Some(5))
    );
    assert_eq!(
        genkit("flow").input_tokens,
        None,
        "the model's span has them"
    );
    let answer = r#"{"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let mlflow = |span_type: &str| {
        let pairs = [
            ("mlflow.spanType", span_type),
            ("mlflow.spanOutputs", answer),
        ];
        tokens(&span_of_texts(&pairs))
    };
    assert_eq!(
        mlflow("\"EMBEDDING\""),
        [Some(8), None, Some(8), None, None]
    );
    assert_eq!(mlflow("\"CHAIN\""), [None; 5]);
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
fn what_cannot_be_a_cost_or_a_total_is_none() {
    for cost in [
        "\"doubleValue\":-1",
        "\"stringValue\":\"-0.5\"",
        "\"stringValue\":\"NaN\"",
    ] {
        assert_eq!(
            span_of(&[("gen_ai.usage.cost", cost)]).cost_usd,
            None,
            "{cost}"
        );
    }
    let count = |number: &str| format!("\"intValue\":\"{number}\"");
    let (ten, five, zero) = (count("10"), count("5"), count("0"));
    let span = span_of(&[
        ("gen_ai.usage.input_tokens", &ten),
        ("gen_ai.usage.output_tokens", &five),
        ("llm.usage.total_tokens", &zero),
    ]);
    assert_eq!(tokens(&span)[..3], [Some(10), Some(5), Some(15)]);
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

#[test]
fn counts_that_python_printed_and_keys_of_older_versions() {
    let count = |number: &str| format!("\"intValue\":\"{number}\"");
    let (input, details) = (count("1200"), text("{'audio': 0, 'cache_read': 1024}"));
    let span = span_of(&[
        ("gen_ai.usage.input_tokens", &input),
        ("gen_ai.usage.input_token_details", &details),
    ]);
    assert_eq!(span.cache_read_input_tokens, Some(1024));
    let span = span_of_texts(&[
        ("llm.vendor", "OpenAI"),
        ("llm.request.model", "gpt-3.5-turbo"),
        ("llm.response.model", "gpt-3.5-turbo-0613"),
        ("llm.completions.0.role", "assistant"),
        ("llm.completions.0.content", "Why did"),
    ]);
    assert_eq!(
        (span.model.as_deref(), span.provider.as_deref()),
        (Some("gpt-3.5-turbo-0613"), Some("OpenAI"))
    );
    assert_eq!(
        span.outputs.as_deref(),
        Some(r#"[{"role":"assistant","content":"Why did"}]"#)
    );
    let span = span_of_texts(&[
        ("ai.operationId", "ai.generateText.doGenerate"),
        ("ai.result.text", "old"),
    ]);
    assert_eq!(span.outputs.as_deref(), Some("old"));
}

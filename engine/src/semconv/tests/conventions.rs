//! One test per convention, on spans as their instrumentations send them.

use super::{span_of, span_of_texts, span_with, text, tokens};

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

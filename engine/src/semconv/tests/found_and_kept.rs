//! What was searched and found, memories, guardrails, and the producers that send them under keys of their own.

use super::{span_of_texts, span_with, text, tokens};

/// An event of a span with attributes that are texts.
fn event(name: &str, attributes: &[(&str, &str)]) -> String {
    let pairs = attributes
        .iter()
        .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{{}}}}}"#, text(value)));
    format!(
        r#"{{"timeUnixNano":"1","name":"{name}","attributes":[{}]}}"#,
        pairs.collect::<Vec<_>>().join(",")
    )
}

#[test]
fn documents_in_events_are_what_was_found() {
    let events = [
        event(
            "db.query.embeddings",
            &[("db.query.embeddings.vector", "[0.1]")],
        ),
        event(
            "db.query.result",
            &[
                ("db.query.result.id", "1"),
                ("db.query.result.distance", "0.3"),
                ("db.query.result.vector", "[0.1]"),
                ("db.query.result.document", "first"),
            ],
        ),
        event(
            "db.search.result",
            &[
                ("db.search.result.id", "2"),
                ("db.search.result.entity", "second"),
            ],
        ),
        event(
            "db.chroma.query.result",
            &[("id", "3"), ("document", "third")],
        ),
    ];
    let events = format!(r#","events":[{}]"#, events.join(","));
    let chroma = ("db.system", r#""stringValue":"chroma""#);
    let found = span_with(&[chroma], &events);
    assert_eq!(found.span_type, "RETRIEVER");
    assert_eq!(
        found.outputs.as_deref(),
        Some(
            r#"[{"id":"1","distance":"0.3","content":"first"},{"id":"2","content":"second"},{"id":"3","content":"third"}]"#
        )
    );
    assert_eq!(
        found.hint.unwrap().response_preview.as_deref(),
        Some("first\nsecond\nthird")
    );
    let task = ("traceloop.span.kind", r#""stringValue":"task""#);
    assert_eq!(span_with(&[task], &events).span_type, "TASK");
    let found = span_of_texts(&[
        ("gen_ai.operation.name", "retrieval"),
        (
            "gen_ai.retrieval.documents",
            r#"[{"id":"a","score":0.9,"content":"one"},{"id":"b","content":"two"}]"#,
        ),
    ]);
    assert_eq!(
        found.hint.unwrap().response_preview.as_deref(),
        Some("one\ntwo")
    );
}

#[test]
fn memories_are_found_or_kept() {
    let records = (
        "gen_ai.memory.records",
        r#"[{"id":"m","content":"likes tea"}]"#,
    );
    let search = span_of_texts(&[
        ("gen_ai.operation.name", "search_memory"),
        ("gen_ai.memory.query.text", "drinks"),
        records,
    ]);
    assert_eq!(
        (search.span_type.as_str(), search.inputs.as_deref()),
        ("MEMORY", Some("drinks"))
    );
    assert_eq!(search.outputs.as_deref(), Some(records.1));
    assert_eq!(
        search.hint.unwrap().response_preview.as_deref(),
        Some("likes tea")
    );
    for operation in [
        "create_memory",
        "update_memory",
        "upsert_memory",
        "delete_memory",
        "create_memory_store",
    ] {
        let kept = span_of_texts(&[("gen_ai.operation.name", operation), records]);
        assert_eq!(
            (kept.span_type.as_str(), kept.inputs.as_deref()),
            ("MEMORY", Some(records.1)),
            "{operation}"
        );
        assert_eq!(kept.outputs, None, "{operation}");
    }
}

#[test]
fn guardrails() {
    let run = span_of_texts(&[
        ("gen_ai.operation.name", "run_guardrail"),
        (
            "gen_ai.guardrail.security.content.input.value",
            "mail a@b.c",
        ),
        ("gen_ai.guardrail.verdict.type", "deny"),
    ]);
    assert_eq!(
        (run.span_type.as_str(), run.inputs.as_deref()),
        ("GUARDRAIL", Some("mail a@b.c"))
    );
    assert_eq!(run.outputs.as_deref(), Some("deny"));
    let traceloop = span_of_texts(&[
        ("gen_ai.guardrail.status", "PASSED"),
        ("gen_ai.guardrail.input", "hi"),
    ]);
    assert_eq!(
        (traceloop.span_type.as_str(), traceloop.inputs.as_deref()),
        ("GUARDRAIL", Some("hi"))
    );
    let validator = span_of_texts(&[("validator_on_fail", "noop"), ("output.value", "pass")]);
    assert_eq!(
        (validator.span_type.as_str(), validator.outputs.as_deref()),
        ("GUARDRAIL", Some("pass"))
    );
}

#[test]
fn alibaba_arms() {
    for (kind, span_type) in [
        ("LLM", "LLM"),
        ("ENTRY", "CHAIN"),
        ("STEP", "CHAIN"),
        ("RERANKER", "RERANKER"),
    ] {
        assert_eq!(
            span_of_texts(&[("gen_ai.span.kind", kind)]).span_type,
            span_type,
            "{kind}"
        );
    }
    let chat = span_of_texts(&[
        ("gen_ai.span.kind", "LLM"),
        ("gen_ai.operation.name", "chat"),
    ]);
    assert_eq!(chat.span_type, "CHAT_MODEL", "the operation is more exact");
    let span = span_of_texts(&[
        ("gen_ai.span.kind", "RETRIEVER"),
        ("gen_ai.session.id", "S"),
        ("gen_ai.user.id", "U"),
        ("gen_ai.model_name", "qwen-max"),
        ("retrieval.query", "what"),
        ("retrieval.document", r#"[{"content":"one"}]"#),
    ]);
    assert_eq!(
        (span.session_id.as_deref(), span.user_id.as_deref()),
        (Some("S"), Some("U"))
    );
    assert_eq!(
        (span.model.as_deref(), span.inputs.as_deref()),
        (Some("qwen-max"), Some("what"))
    );
    assert_eq!(span.hint.unwrap().response_preview.as_deref(), Some("one"));
}

#[test]
fn langtrace_of_all_versions() {
    let span = span_of_texts(&[
        ("langtrace.service.name", "OpenAI"),
        ("langtrace.service.type", "llm"),
        ("llm.model", "gpt-4"),
        ("llm.prompts", r#"[{"role":"user","content":"say this"}]"#),
        (
            "llm.responses",
            r#"[{"message":{"role":"assistant","content":"this"}}]"#,
        ),
        (
            "llm.token.counts",
            r#"{"prompt_tokens":13,"output_tokens":5,"total_tokens":18}"#,
        ),
        ("llm.conversation_id", "c"),
    ]);
    assert_eq!(
        (span.span_type.as_str(), span.provider.as_deref()),
        ("LLM", Some("OpenAI"))
    );
    assert_eq!(
        (span.model.as_deref(), span.session_id.as_deref()),
        (Some("gpt-4"), Some("c"))
    );
    assert_eq!(tokens(&span), [Some(13), Some(5), Some(18), None, None]);
    let hint = span.hint.unwrap();
    assert_eq!(
        (
            hint.request_preview.as_deref(),
            hint.response_preview.as_deref()
        ),
        (Some("say this"), Some("this"))
    );
    let chain = span_of_texts(&[
        ("langtrace.service.type", "framework"),
        ("langchain.inputs", r#"{"input":"q"}"#),
        ("langchain.outputs", "a"),
    ]);
    assert_eq!(
        (chain.span_type.as_str(), chain.outputs.as_deref()),
        ("CHAIN", Some("a"))
    );
    assert_eq!(chain.inputs.as_deref(), Some(r#"{"input":"q"}"#));
}

/// Traceloop's instrumentation of watsonx.
#[test]
fn a_prompt_under_the_name_of_its_speaker() {
    let span = span_of_texts(&[
        ("llm.request.type", "completion"),
        ("gen_ai.prompt.0.user", "one"),
        ("gen_ai.prompt.1.user", "two"),
        ("gen_ai.completion.0.content", "answer"),
    ]);
    assert_eq!(
        span.inputs.as_deref(),
        Some(r#"[{"role":"user","content":"one"},{"role":"user","content":"two"}]"#)
    );
    let hint = span.hint.unwrap();
    assert_eq!(
        (
            hint.request_preview.as_deref(),
            hint.response_preview.as_deref()
        ),
        (Some("two"), Some("answer"))
    );
    // What is no message stays as it is.
    let other = span_of_texts(&[
        ("gen_ai.prompt.0.user", "one"),
        ("gen_ai.prompt.0.name", "n"),
    ]);
    assert_eq!(
        other.inputs.as_deref(),
        Some(r#"[{"name":"n","user":"one"}]"#)
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
fn previews_are_of_the_messages_that_tell_more_than_the_columns() {
    let call = "llm.output_messages.0.message.tool_calls.0.tool_call.function";
    let (name, arguments) = (format!("{call}.name"), format!("{call}.arguments"));
    let inputs = r#"{"messages":["ChatMessage(role=<MessageRole.USER: 'user'>, blocks=[TextBlock(text='tides?')])"]}"#;
    let span = super::span_of_texts(&[
        ("openinference.span.kind", "LLM"),
        ("input.value", inputs),
        ("output.value", "assistant: None"),
        ("llm.input_messages.0.message.role", "user"),
        ("llm.input_messages.0.message.content", "tides?"),
        ("llm.output_messages.0.message.role", "assistant"),
        (&name, "tides"),
        (&arguments, r#"{"port":"Brest"}"#),
    ]);
    // The columns are what the producer calls its input and output.
    assert_eq!(span.inputs.as_deref(), Some(inputs));
    assert_eq!(span.outputs.as_deref(), Some("assistant: None"));
    let hint = span.hint.unwrap();
    assert_eq!(hint.request_preview.as_deref(), Some("tides?"));
    assert_eq!(
        hint.response_preview.as_deref(),
        Some(r#"tides({"port":"Brest"})"#)
    );
}

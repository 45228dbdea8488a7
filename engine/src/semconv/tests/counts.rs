//! Tokens and costs: under every name, in answers and details, and what is none.

use super::{span_of, span_of_texts, text, tokens};

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
fn answers_that_mlflow_keeps_have_counts_in_the_words_of_their_vendors() {
    let answered = |body: &str| {
        let kind = ("mlflow.spanType", "\"CHAT_MODEL\"");
        tokens(&span_of_texts(&[kind, ("mlflow.spanOutputs", body)]))
    };
    // Anthropic counts what the cache gave and took apart from the other input.
    assert_eq!(
        answered(
            r#"{"type":"message","usage":{"input_tokens":7,"output_tokens":3,"cache_read_input_tokens":40,
            "cache_creation_input_tokens":2}}"#
        ),
        [Some(49), Some(3), Some(52), Some(40), Some(2)]
    );
    assert_eq!(
        answered(
            r#"{"output":{},"usage":{"inputTokens":30,"outputTokens":5,"totalTokens":35,"cacheReadInputTokens":10}}"#
        ),
        [Some(30), Some(5), Some(35), Some(10), None]
    );
    assert_eq!(
        answered(
            r#"{"candidates":[],"usage_metadata":{"prompt_token_count":30,"candidates_token_count":5,
            "thoughts_token_count":6,"total_token_count":41,"cached_content_token_count":20}}"#
        ),
        [Some(30), Some(5), Some(41), Some(20), None]
    );
    assert_eq!(
        answered(
            r#"{"generations":[[{"text":"a","message":{"usage_metadata":{"input_tokens":30,"output_tokens":5,
            "total_tokens":35,"input_token_details":{"cache_read":20}}}}]],"llm_output":null}"#
        ),
        [Some(30), Some(5), Some(35), Some(20), None]
    );
    assert_eq!(answered(r#"{"usage":"much"}"#), [None; 5]);
}

#[test]
fn generators_and_embedders_of_haystack_count_beside_their_answer() {
    let generator = span_of_texts(&[
        ("haystack.component.type", "OpenAIGenerator"),
        (
            "haystack.component.output",
            r#"{"replies":["yes"],"meta":[{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":1,
            "total_tokens":10,"prompt_tokens_details":{"cached_tokens":8}}}]}"#,
        ),
    ]);
    assert_eq!(
        tokens(&generator),
        [Some(9), Some(1), Some(10), Some(8), None]
    );
    let embedder = span_of_texts(&[
        ("haystack.component.type", "OpenAITextEmbedder"),
        (
            "haystack.component.output",
            r#"{"embedding":[0.5],"meta":{"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}}"#,
        ),
    ]);
    assert_eq!(
        (embedder.model.as_deref(), embedder.input_tokens),
        (Some("e"), Some(4))
    );
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

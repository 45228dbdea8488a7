//! Ids of tables, and the words of a gateway (Cloudflare), voice agents (Pipecat) and an evaluator (DeepEval).

use super::{span_of, span_of_texts};

#[test]
fn ids_of_tables_are_whole_numbers() {
    let span = span_of(&[
        ("session.id", r#""doubleValue":1207.0"#),
        ("user.id", r#""doubleValue":5.0"#),
    ]);
    assert_eq!(
        (span.session_id.as_deref(), span.user_id.as_deref()),
        (Some("1207"), Some("5"))
    );
}

#[test]
fn a_gateway_has_prompt_and_completion_as_json() {
    let cloudflare = span_of_texts(&[
        ("gen_ai.model.provider", "anthropic"),
        (
            "gen_ai.prompt_json",
            r#"[{"role":"user","content":"hi there"}]"#,
        ),
        (
            "gen_ai.completion_json",
            r#"{"role":"assistant","content":"hello"}"#,
        ),
    ]);
    assert_eq!(cloudflare.provider.as_deref(), Some("anthropic"));
    let hint = cloudflare.hint.unwrap();
    assert_eq!(
        (
            hint.request_preview.as_deref(),
            hint.response_preview.as_deref()
        ),
        (Some("hi there"), Some("hello"))
    );
}

#[test]
fn voice_agents_use_plain_words_beside_an_operation() {
    let voice = |texts: &[(&str, &str)]| {
        let span = span_of_texts(texts);
        (span.span_type, span.inputs, span.outputs, span.session_id)
    };
    let some = |text: &str| Some(text.to_string());
    assert_eq!(
        voice(&[
            ("gen_ai.operation.name", "chat"),
            ("input", "[]x"),
            ("output", "on its way"),
            ("conversation.id", "call-7"),
        ]),
        (
            "CHAT_MODEL".into(),
            some("[]x"),
            some("on its way"),
            some("call-7")
        )
    );
    assert_eq!(
        voice(&[("gen_ai.operation.name", "tts"), ("text", "on its way")]),
        ("LLM".into(), some("on its way"), None, None)
    );
    assert_eq!(
        voice(&[
            ("gen_ai.operation.name", "stt"),
            ("transcript", "where is it")
        ]),
        ("LLM".into(), None, some("where is it"), None)
    );
    assert_eq!(
        voice(&[("input", "a"), ("output", "b")]).1,
        None,
        "plain words alone"
    );
}

#[test]
fn deepeval_names_type_model_counts_and_thread() {
    let deepeval = span_of_texts(&[
        ("confident.span.type", "llm"),
        ("confident.span.input", "why"),
        ("confident.span.output", "since"),
        ("confident.llm.model", "m-2"),
        ("confident.llm.input_token_count", "6"),
        ("confident.trace.thread_id", "th-3"),
        ("confident.trace.user_id", "u-4"),
    ]);
    assert_eq!(
        (
            deepeval.span_type.as_str(),
            deepeval.model.as_deref(),
            deepeval.input_tokens
        ),
        ("LLM", Some("m-2"), Some(6))
    );
    assert_eq!(
        (deepeval.inputs.as_deref(), deepeval.outputs.as_deref()),
        (Some("why"), Some("since"))
    );
    assert_eq!(
        (deepeval.session_id.as_deref(), deepeval.user_id.as_deref()),
        (Some("th-3"), Some("u-4"))
    );
}

//! Thirty-odd made-up traces that touch every convention and every corner: the input of the golden
//! scripts and of the property tests. Always the same bytes.
//!
//! A trace is named by its number: trace 7 is `a0000000000000000000000000000007`. Trace *n* starts *n*
//! minutes after 2025-03-01T00:00:00Z.

use serde_json::{Map, Value, json};

/// 2025-03-01T00:00:00Z.
const START_NS: i64 = 1_740_787_200_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const MS_NS: i64 = 1_000_000;

/// One request's spans of one service.
struct Request {
    resource: Value,
    scope: Value,
    spans: Vec<Value>,
}

/// The id of trace `number`.
pub fn trace_id(number: u64) -> String {
    format!("a{number:031x}")
}

/// All requests as OTLP/JSON, a line each, in the order in which they would be sent: one line holds a
/// span twice, two lines are the same, and some traces take several lines.
pub fn lines() -> Vec<String> {
    let mut requests = agents();
    requests.extend(rag());
    requests.extend(other_conventions());
    requests.extend(odd_shapes());
    requests.extend(odd_values());
    requests.extend(many_spans());
    let mut lines: Vec<String> = requests.iter().map(line).collect();
    lines.push(lines[0].clone());
    lines
}

/// The same spans, but that the roots have parents that never come.
pub fn orphaned(lines: &[String]) -> Vec<String> {
    let orphaned = |line: &String| {
        let mut request: Value = serde_json::from_str(line).unwrap();
        for resource in request["resourceSpans"].as_array_mut().unwrap() {
            for scope in resource["scopeSpans"].as_array_mut().unwrap() {
                for span in scope["spans"].as_array_mut().unwrap() {
                    if span["parentSpanId"].as_str().is_none_or(str::is_empty) {
                        span["parentSpanId"] = json!("00000000000000ff");
                    }
                }
            }
        }
        request.to_string()
    };
    lines.iter().map(orphaned).collect()
}

/// Lines that change a span that was already sent: of the two the later one counts.
pub fn corrections() -> Vec<String> {
    let open = span(
        60,
        1,
        0,
        "draft",
        0,
        0,
        json!({"input.value": "first version"}),
    );
    let closed = span(
        60,
        1,
        0,
        "final",
        0,
        9,
        json!({"input.value": "first version", "output.value": "second version"}),
    );
    let mut open = open;
    open["endTimeUnixNano"] = json!("0");
    [open, closed]
        .into_iter()
        .map(|span| line(&request("drafts", vec![span])))
        .collect()
}

/// Feedback and expectations as the lines of an assessments file.
pub fn assessments() -> String {
    let mut lines = Vec::new();
    let mut add = |trace: u64, name: &str, value: Value, rest: Value| {
        let mut line = json!({"trace_id": trace_id(trace), "name": name, "value": value});
        line.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        lines.push(line.to_string());
    };
    let human = json!({"source": "HUMAN:ana", "type": "feedback", "rationale": "read it twice"});
    add(0, "correctness", json!(true), human.clone());
    add(1, "correctness", json!(false), human);
    add(
        1,
        "correctness",
        json!("yes"),
        json!({"source": "LLM_JUDGE:gpt-4o", "type": "feedback"}),
    );
    add(
        2,
        "helpfulness",
        json!(0.25),
        json!({"source": "LLM_JUDGE:gpt-4o", "confidence": 0.5, "model": "judge"}),
    );
    add(4, "helpfulness", json!(4), json!({"source": "CODE"}));
    add(
        5,
        "relevance",
        json!(0.75),
        json!({"source": "CODE:ragas", "span_id": span_id(5, 3)}),
    );
    add(
        4,
        "expected_answer",
        json!("30 days"),
        json!({"source": "HUMAN", "type": "expectation"}),
    );
    add(
        5,
        "expected_answer",
        json!("no fee"),
        json!({"source": "HUMAN", "type": "expectation"}),
    );
    add(
        5,
        "expected_facts",
        json!(["fee", "waived"]),
        json!({"type": "expectation"}),
    );
    add(
        7,
        "labels",
        json!({"topic": "billing", "urgent": true}),
        json!({"source": "HUMAN"}),
    );
    add(7, "nothing", json!(null), json!({"source": "CODE"}));
    lines.push(lines[0].clone());
    lines.join("\n")
}

fn span_id(trace: u64, span: u64) -> String {
    format!("b{trace:07x}{span:08x}")
}

/// A span; times are milliseconds from the start of its trace, parent 0 is none.
fn span(
    trace: u64,
    number: u64,
    parent: u64,
    name: &str,
    start_ms: i64,
    end_ms: i64,
    attributes: Value,
) -> Value {
    let at = |ms: i64| (START_NS + trace as i64 * MINUTE_NS + ms * MS_NS).to_string();
    let mut span = json!({
        "traceId": trace_id(trace), "spanId": span_id(trace, number), "name": name, "kind": 1,
        "startTimeUnixNano": at(start_ms), "endTimeUnixNano": at(end_ms), "attributes": pairs(&attributes),
    });
    if parent > 0 {
        span["parentSpanId"] = json!(span_id(trace, parent));
    }
    span
}

fn failed(mut span: Value, message: &str) -> Value {
    span["status"] = json!({"code": 2, "message": message});
    span["events"] = json!([{
        "name": "exception", "timeUnixNano": span["endTimeUnixNano"],
        "attributes": pairs(&json!({"exception.type": "ToolError", "exception.message": message})),
    }]);
    span
}

/// A JSON object as OTLP attributes.
fn pairs(object: &Value) -> Value {
    let members = object.as_object().unwrap();
    members
        .iter()
        .map(|(key, value)| json!({"key": key, "value": any_value(value)}))
        .collect()
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.iter().map(any_value).collect::<Vec<_>>()}})
        }
        Value::Object(_) => json!({"kvlistValue": {"values": pairs(value)}}),
    }
}

fn request(service: &str, spans: Vec<Value>) -> Request {
    let resource =
        json!({"service.name": service, "deployment.environment": "test", "host.cpus": 4});
    Request {
        resource,
        scope: json!({"name": "made.up", "version": "1.2"}),
        spans,
    }
}

fn line(request: &Request) -> String {
    json!({"resourceSpans": [{
        "resource": {"attributes": pairs(&request.resource)},
        "scopeSpans": [{"scope": request.scope, "spans": request.spans}],
    }]})
    .to_string()
}

/// Attributes of a chat call by the OTel GenAI convention.
fn chat(model: &str, question: &str, answer: &str, tokens: (i64, i64)) -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
        "gen_ai.response.model": format!("{model}-2025"), "gen_ai.request.temperature": 0.7,
        "gen_ai.input.messages": json!([{"role": "user", "parts": [{"type": "text", "content": question}]}]).to_string(),
        "gen_ai.output.messages": json!([{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]).to_string(),
        "gen_ai.usage.input_tokens": tokens.0, "gen_ai.usage.output_tokens": tokens.1,
    })
}

fn with(mut attributes: Value, more: Value) -> Value {
    attributes
        .as_object_mut()
        .unwrap()
        .extend::<Map<String, Value>>(more.as_object().unwrap().clone());
    attributes
}

fn tool(name: &str, arguments: Value, result: &str) -> Value {
    json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name,
           "gen_ai.tool.call.arguments": arguments.to_string(), "gen_ai.tool.call.result": result})
}

fn agent(session: &str, user: &str) -> Value {
    json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk",
           "gen_ai.conversation.id": session, "user.id": user})
}

/// Trace `n`: a question, a look-up and the answer.
fn turn(n: u64, question: &str, answer: &str, tokens: (i64, i64)) -> Vec<Value> {
    vec![
        span(
            n,
            2,
            1,
            "chat gpt-4o",
            5,
            900,
            chat("gpt-4o", question, "let me look", tokens),
        ),
        span(
            n,
            3,
            1,
            "execute_tool lookup",
            900,
            950,
            tool("lookup", json!({"q": question}), "[\"found\"]"),
        ),
        span(
            n,
            4,
            1,
            "chat gpt-4o",
            960,
            1_800,
            chat("gpt-4o", question, answer, (tokens.0 * 2, tokens.1)),
        ),
        span(
            n,
            1,
            0,
            "invoke_agent desk",
            0,
            2_000,
            agent("s-1", "u-ana"),
        ),
    ]
}

/// Traces 0 to 3: agents with tools, in sessions; spans end before their parents, roots come last.
fn agents() -> Vec<Request> {
    let mut broken = turn(2, "cancel my order", "sorry, that failed", (70, 7));
    broken[1] = failed(broken[1].clone(), "order 77 not found");
    let rejected = failed(
        span(3, 1, 0, "invoke_agent desk", 0, 40, agent("s-2", "u-bo")),
        "quota exceeded",
    );
    vec![
        request(
            "desk",
            turn(
                0,
                "what is the refund policy?",
                "Refunds take 30 days.",
                (100, 10),
            ),
        ),
        request(
            "desk",
            turn(
                1,
                "and for gift cards?",
                "Gift cards are not refunded.",
                (160, 12),
            ),
        ),
        request("desk", broken),
        request("desk", vec![rejected]),
    ]
}

/// Traces 4 to 6: retrieval by OpenInference; the children come in an earlier request than the root.
fn rag() -> Vec<Request> {
    let kind = |kind: &str, rest: Value| with(json!({"openinference.span.kind": kind}), rest);
    let mut requests = Vec::new();
    for (n, question, answer) in [
        (
            4,
            "how long do refunds take?",
            "Refunds take 30 days after the return.",
        ),
        (
            5,
            "is there a late fee?",
            "The late fee is waived for members.",
        ),
        (6, "¿dónde está mi pedido?", "Su pedido está en camino."),
    ] {
        let documents = json!([{"document": {"content": answer, "score": 0.9}}]);
        let embedding =
            json!({"embedding.model_name": "text-embedding-3-small", "input.value": question});
        let retrieval = json!({"input.value": question, "retrieval.documents.0.document.content": answer,
                               "output.value": documents.to_string(), "output.mime_type": "application/json"});
        let answer = json!({"llm.model_name": "claude-sonnet-4", "llm.provider": "anthropic",
            "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": question,
            "input.value": json!({"messages": [{"role": "user", "content": question}]}).to_string(),
            "output.value": json!({"role": "assistant", "content": answer}).to_string(),
            "llm.token_count.prompt": 30 + n as i64, "llm.token_count.completion": 9, "llm.token_count.total": 39 + n as i64,
            "llm.token_count.prompt_details.cache_read": 20});
        requests.push(request(
            "rag",
            vec![
                span(n, 2, 1, "embed", 1, 20, kind("EMBEDDING", embedding)),
                span(n, 3, 1, "retrieve", 20, 120, kind("RETRIEVER", retrieval)),
                span(
                    n,
                    5,
                    4,
                    "rerank",
                    121,
                    130,
                    kind("RERANKER", json!({"reranker.top_k": 3})),
                ),
                span(n, 4, 1, "answer", 120, 700, kind("LLM", answer)),
            ],
        ));
        let root = json!({"input.value": question, "session.id": format!("rag-{n}"), "user.id": "u-cy",
                          "output.value": "see the last step", "tag.tags": ["rag", "prod"]});
        requests.push(request(
            "rag",
            vec![span(n, 1, 0, "rag pipeline", 0, 710, kind("CHAIN", root))],
        ));
    }
    requests
}

/// Trace `n` as MLflow sends it.
fn mlflow(n: u64, team: &str) -> Request {
    let text = |value: Value| value.to_string();
    let root = json!({"mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": text(json!({"question": "why is \"it\" slow?"})),
            "mlflow.spanOutputs": text(json!("because of the index\nand the scan")), "mlflow.traceTag.team": team,
            "mlflow.traceTag.mlflow.traceName": "renamed", "mlflow.trace.session": "ignored", "session.id": "s-2", "user.id": "u-ana"});
    let call = json!({"mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.llm.model": "\"gpt-4o-mini\"",
            "mlflow.chat.tokenUsage": text(json!({"input_tokens": 11, "output_tokens": 4, "total_tokens": 15})),
            "mlflow.llm.cost": text(json!({"input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003}))});
    request(
        "mlflow-app",
        vec![
            span(n, 2, 1, "call", 5, 50, call),
            span(n, 1, 0, "ask", 0, 60, root),
        ],
    )
}

/// Trace 12, whose texts are in events.
fn spring() -> Value {
    let mut spring = span(
        12,
        1,
        0,
        "spring chat",
        0,
        100,
        json!({"gen_ai.operation.name": "chat"}),
    );
    spring["events"] = json!([
        {"name": "gen_ai.content.prompt", "timeUnixNano": spring["startTimeUnixNano"],
         "attributes": pairs(&json!({"gen_ai.prompt": "spring question"}))},
        {"name": "gen_ai.content.completion", "timeUnixNano": spring["endTimeUnixNano"],
         "attributes": pairs(&json!({"gen_ai.completion": "spring answer"}))}
    ]);
    spring
}

/// Traces 7 to 16: one for each further convention.
fn other_conventions() -> Vec<Request> {
    let one = |n: u64, name: &str, attributes: Value| {
        request("zoo", vec![span(n, 1, 0, name, 0, 100, attributes)])
    };
    vec![
        mlflow(7, "blue"),
        mlflow(8, "red"),
        one(
            9,
            "joke.workflow",
            json!({"traceloop.span.kind": "workflow", "traceloop.entity.input": "{\"inputs\":{\"topic\":\"otel\"}}",
            "traceloop.entity.output": "\"a joke about spans\""}),
        ),
        one(
            10,
            "openai.chat",
            json!({"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "tell a joke", "gen_ai.completion.0.content": "no", "gen_ai.request.model": "gpt-3.5-turbo",
            "gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.completion_tokens": 1, "llm.usage.total_tokens": 6}),
        ),
        one(
            11,
            "ai.generateText",
            json!({"ai.operationId": "ai.generateText", "ai.prompt": "{\"prompt\":\"vercel asks\"}",
            "ai.response.text": "vercel answers", "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat"}),
        ),
        request("zoo", vec![spring()]),
        one(
            13,
            "call_llm",
            json!({"gcp.vertex.agent.llm_request": "{\"contents\":[{\"parts\":[{\"text\":\"gemini asks\"}],\"role\":\"user\"}]}",
            "gcp.vertex.agent.llm_response": "{\"content\":{\"parts\":[{\"text\":\"gemini answers\"}]}}", "gen_ai.system": "gcp.vertex.agent"}),
        ),
        one(
            14,
            "lmnr step",
            json!({"lmnr.span.type": "LLM", "lmnr.span.input": "[{\"role\":\"user\",\"content\":\"laminar asks\"}]",
            "lmnr.span.output": "laminar answers", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}),
        ),
        one(
            15,
            "generation",
            json!({"langfuse.observation.type": "generation", "langfuse.observation.input": "langfuse asks",
            "langfuse.observation.output": "langfuse answers", "langfuse.observation.model.name": "mistral-large"}),
        ),
        one(
            16,
            "safety",
            json!({"openinference.span.kind": "GUARDRAIL", "gen_ai.operation.name": "moderate"}),
        ),
    ]
}

/// Traces 25 to 27: a span with a link, one without times, one that ends before it starts.
fn linked_and_strange_times() -> Vec<Value> {
    let mut linked = span(25, 1, 0, "linked", 0, 10, json!({}));
    linked["links"] = json!([{"traceId": trace_id(20), "spanId": span_id(20, 1), "traceState": "k=v",
                              "attributes": pairs(&json!({"why": "follows"}))}]);
    linked["traceState"] = json!("vendor=1");
    linked["flags"] = json!(257);
    linked["droppedAttributesCount"] = json!(2);
    let mut zero = span(26, 1, 0, "", 0, 0, json!({"note": "no name, no times"}));
    (zero["startTimeUnixNano"], zero["endTimeUnixNano"]) = (json!("0"), json!("0"));
    let backwards = span(27, 1, 0, "backwards", 500, 100, json!({}));
    vec![linked, zero, backwards]
}

/// Traces 20 to 27: roots that come late, never or twice; orphans; several services; strange times.
fn odd_shapes() -> Vec<Request> {
    let mut twice = span(20, 3, 2, "grandchild", 20, 30, json!({"n": 1}));
    twice["kind"] = json!(3);
    let answered = |code: u16| json!({"http.response.status_code": code});
    vec![
        request("late", vec![twice.clone(), twice]),
        request(
            "late",
            vec![span(
                21,
                2,
                1,
                "no root yet",
                0,
                10,
                json!({"session.id": "s-2"}),
            )],
        ),
        request(
            "late",
            vec![
                span(22, 2, 9, "orphan", 5, 10, json!({})),
                span(22, 1, 0, "root", 0, 20, json!({})),
            ],
        ),
        request(
            "late",
            vec![
                span(23, 1, 0, "root one", 0, 20, json!({})),
                span(23, 2, 0, "root two", 1, 30, json!({})),
            ],
        ),
        request(
            "front",
            vec![span(24, 1, 0, "GET /chat", 0, 90, answered(200))],
        ),
        request(
            "back",
            vec![span(24, 2, 1, "POST /llm", 5, 80, answered(429))],
        ),
        request("late", vec![span(20, 2, 1, "child", 10, 40, json!({}))]),
        request("late", linked_and_strange_times()),
        request(
            "late",
            vec![span(
                20,
                1,
                0,
                "late root",
                0,
                50,
                json!({"input.value": "late question"}),
            )],
        ),
    ]
}

/// Traces 30 to 33: text and values at their limits.
fn odd_values() -> Vec<Request> {
    let deep = (0..12).fold(
        json!("bottom of the well"),
        |inner, level| json!({format!("level{level}"): inner}),
    );
    let nested = json!({"say": "a \"quoted\" word\nand a new line", "more": json!({"inner": "deep\tword"}).to_string()}).to_string();
    let mut values = span(
        30,
        1,
        0,
        "values",
        0,
        10,
        json!({
            "int.max": i64::MAX, "int.min": i64::MIN, "int.2e53": 9_007_199_254_740_993_i64, "double": 0.1, "double.whole": 3.0,
            "double.tiny": 5e-324, "flag": true, "nothing": null, "empty": "", "list": ["a", 1, 2.5, false, ["b"], {}],
            "map": {"k": {"k": {"k": "v"}}}, "deep": deep, "": "empty key", "$bytes": "not bytes",
        }),
    );
    let more = json!([
        {"key": "bytes", "value": {"bytesValue": "AP/+"}}, {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "inf", "value": {"doubleValue": "-Infinity"}},
        {"key": "twice", "value": {"stringValue": "first"}}, {"key": "twice", "value": {"stringValue": "second"}},
    ]);
    values["attributes"]
        .as_array_mut()
        .unwrap()
        .extend(more.as_array().unwrap().clone());
    let unicode = json!({"input.value": "東京の天気は? Straße ÉCOLE naïve", "output.value": "晴れ ☀️ 100% שלום مرحبا", "user.id": "Ünal"});
    let escapes = json!({"input.value": nested, "output.value": "C:\\temp\\new 100%_sure 'single' \"double\"",
                         "a.key with space": "v", "a'quote": 1, "tab\there": "x"});
    let long = json!({"input.value": format!("needle {} haystack", "word ".repeat(20_000)), "output.value": "x".repeat(5_000)});
    vec![
        request("values", vec![values]),
        request(
            "wörld",
            vec![span(31, 1, 0, "日本語のスパン 🚀", 0, 10, unicode)],
        ),
        request(
            "values",
            vec![span(32, 1, 0, "escapes: \"a\"\\b", 0, 10, escapes)],
        ),
        request("values", vec![span(33, 1, 0, "long", 0, 10, long)]),
    ]
}

/// Traces 40 and 41: forty spans in a chain and thirty in a row, over several requests.
fn many_spans() -> Vec<Request> {
    let step = |n: u64| {
        let attributes = chat("gpt-4.1", &format!("step {n}"), "done", (1, 1));
        let span = span(
            40,
            n,
            n - 1,
            &format!("step {n}"),
            n as i64,
            200 - n as i64,
            attributes,
        );
        if n.is_multiple_of(13) {
            failed(span, &format!("step {n} failed"))
        } else {
            span
        }
    };
    let chain: Vec<Value> = (1..=40).map(step).collect();
    let mut requests: Vec<Request> = chain
        .chunks(16)
        .map(|spans| request("steps", spans.to_vec()))
        .collect();
    let sibling = |n: u64| {
        span(
            41,
            n,
            u64::from(n > 1),
            "poll",
            n as i64 * 10,
            n as i64 * 10 + 5,
            json!({"attempt": n as i64}),
        )
    };
    requests.push(request("steps", (2..=30).map(sibling).collect()));
    requests.push(request("steps", vec![sibling(1)]));
    requests
}

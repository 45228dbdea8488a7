//! The language end to end: goldens, errors, what MLflow rejects.

mod hostile;

use super::*;
use crate::predicate::Predicate;

/// Filter and the predicate it means.
const GOLDENS: &[(&str, &str)] = &[
    ("", "true"),
    ("  \n ", "true"),
    ("AND", "true"),
    ("status = 'OK'", r#"state = "OK""#),
    ("status='OK'", r#"state = "OK""#),
    ("trace.status = \"OK\"", r#"state = "OK""#),
    ("`status` <> 'OK'", r#"state != "OK""#),
    ("\"status\" = 'OK'", r#"state = "OK""#),
    (
        "attributes.state IN ('OK', 'ERROR',)",
        r#"state in ["ERROR", "OK"]"#,
    ),
    ("status NOT IN ('OK')", r#"state != "OK""#),
    (
        "and status = 'OK' and name = 'a' AND",
        r#"(state = "OK" and name = "a")"#,
    ),
    (
        "status = 'OK' name = 'a'",
        r#"(state = "OK" and name = "a")"#,
    ),
    (
        "status = 'OK' OR name = 'a' AND user = 'u'",
        r#"(state = "OK" or (name = "a" and user_id = "u"))"#,
    ),
    (
        "(status = 'OK' or name = 'a') user = 'u'",
        r#"((state = "OK" or name = "a") and user_id = "u")"#,
    ),
    (
        "NOT status = 'OK' AND name = 'a'",
        r#"(not state = "OK" and name = "a")"#,
    ),
    (
        "NOT (status = 'OK' AND name = 'a')",
        r#"not (state = "OK" and name = "a")"#,
    ),
    ("not not name = 'a'", r#"not not name = "a""#),
    // Values and quoting.
    ("name = 'it''s'", r#"name = "it's""#),
    ("name = \"it's\"", r#"name = "it's""#),
    ("name = ''", r#"name = """#),
    ("name = ''''", r#"name = "'""#),
    ("name = 'a\\'", r#"name = "a\\""#),
    ("name not like '%x_'", r#"name not like "%x_""#),
    ("name ILIKE 'É%'", r#"name ilike "É%""#),
    ("name RLIKE '^a.*$'", r#"name rlike "^a.*$""#),
    ("name IS NULL", "name is null"),
    ("name is not null", "name is not null"),
    // Keys.
    ("tags.name = 'x'", r#"tags.name = "x""#),
    ("tags.score > 10", "tags.score in (10..)"),
    ("tags.score != -1.5", "tags.score not in -1.5"),
    ("metadata.score IN (1, 'a')", r#"metadata.score in 1 "a""#),
    ("tags.score NOT BETWEEN 1 AND 2", "tags.score not in [1..2]"),
    ("tag.a.b = 'x'", r#"tags.a.b = "x""#),
    ("tags.`my key` = 'x'", r#"tags.my key = "x""#),
    ("tags.\"my key\" = 'x'", r#"tags.my key = "x""#),
    ("tags.'my key' = 'x'", r#"tags.my key = "x""#),
    ("tags.order = 'x'", r#"tags.order = "x""#),
    ("tags.and = 'x'", r#"tags.and = "x""#),
    ("tags.my-key/2:3 = 'x'", r#"tags.my-key/2:3 = "x""#),
    ("tags.mlflow.traceName IS NULL", "name is null"),
    (
        "metadata.mlflow.trace.session = 's1'",
        r#"session_id = "s1""#,
    ),
    (
        "request_metadata.`mlflow.trace.user` = 'u'",
        r#"user_id = "u""#,
    ),
    ("metadata.name = 'x'", r#"metadata.name = "x""#),
    (
        "metadata.mlflow.trace.tokenUsage = '{}'",
        r#"token_usage = "{}""#,
    ),
    (
        "run_id = 'r' AND run_id != 's'",
        r#"(run_id = "r" and run_id != "s")"#,
    ),
    (
        "request_id = 'tr-4BF92F3577B34DA6A3CE929D0E0E4736'",
        r#"trace_id = "4bf92f3577b34da6a3ce929d0e0e4736""#,
    ),
    ("trace_id LIKE 'tr-%'", r#"trace_id like "tr-%""#),
    (
        "model = 'gpt-4' and service_name = 'x'",
        r#"(models = "gpt-4" and service_name = "x")"#,
    ),
    ("prompt = \"qa/3\"", r#"prompt = "qa/3""#),
    ("tags.mlflow.linkedPrompts = 'qa/3'", r#"prompt = "qa/3""#),
    ("prompt IS NOT NULL", "prompt is not null"),
    ("issue.id = 'i-1'", "any issue[i-1]"),
    ("issue.id IN ('i-1', 'i-2')", "any issue[i-1|i-2]"),
    ("issue.id != 'i-1'", r#"any issue[!= "i-1"]"#),
    ("issue.id IS NULL", "not any issue[not in []]"),
    ("dataset = 'd'", r#"dataset = "d""#),
    ("dataset NOT IN ('d', 'e')", r#"dataset not in ["d", "e"]"#),
    ("dataset LIKE 'd%'", r#"dataset like "d%""#),
    ("dataset IS NOT NULL", "dataset not in []"),
    ("prompt NOT IN ('p/1')", r#"prompt != "p/1""#),
    ("metadata.mlflow.trace.cost IS NULL", "cost_usage is null"),
    // Numbers.
    ("timestamp > 1000", "request_time in 1001000000.."),
    ("timestamp >= 1000", "request_time in 1000000000.."),
    (
        "timestamp_ms = 2000",
        "request_time in 2000000000..2000999999",
    ),
    ("timestamp < 1000.5", "request_time in ..1000999999"),
    ("timestamp > 1000.5", "request_time in 1001000000.."),
    ("timestamp > '1000'", "request_time in 1001000000.."),
    ("timestamp > -5", "request_time in -4000000.."),
    ("timestamp != 1", "request_time not in 1000000..1999999"),
    (
        "timestamp IN (1, 2)",
        "request_time in 1000000..1999999 2000000..2999999",
    ),
    (
        "timestamp BETWEEN 1 AND 2 AND name = 'a'",
        r#"(request_time in 1000000..2999999 and name = "a")"#,
    ),
    ("timestamp BETWEEN 2 AND 1", "request_time in nothing"),
    ("timestamp > 1e300", "request_time in nothing"),
    (
        "timestamp < -1e18",
        "request_time in ..-9223372036853775809",
    ),
    (
        "timestamp < '2020-01-01'",
        "request_time in ..1577836799999999999",
    ),
    (
        "request_time >= '2020-01-01T01:00:00+01:00'",
        "request_time in 1577836800000000000..",
    ),
    (
        "timestamp = '2020-01-01T00:00:00.001Z'",
        "request_time in 1577836800001000000..1577836800001999999",
    ),
    (
        "timestamp > '2020-01-01T00:00:00.0005Z'",
        "request_time in 1577836800001000000..",
    ),
    (
        "end_time BETWEEN '1970-01-01' AND '1970-01-02'",
        "end_time_ms in 0..86400000",
    ),
    (
        "end_time IN ('1970-01-01 00:00:01', 5)",
        "end_time_ms in 1000 5",
    ),
    (
        "span.start_time_ms != '1970-01-01'",
        "span[start_time not in 0..999999]",
    ),
    (
        "duration > 5s AND duration_ms < 1.5m",
        "(duration_ns in 5000000001.. and duration_ns in ..89999999999)",
    ),
    (
        "duration > 1h30m AND duration < '2h 30m'",
        "(duration_ns in 5400000000001.. and duration_ns in ..8999999999999)",
    ),
    (
        "execution_time IN ('1m 30s', '90')",
        "execution_time_ms in 90000 90",
    ),
    ("execution_time <= 2h", "execution_time_ms in ..7200000"),
    ("execution_time > 500us", "execution_time_ms in 1.."),
    ("span.duration >= 20ms", "span[duration_ns in 20000000..]"),
    ("end_time >= 2000", "end_time_ms in 2000.."),
    ("duration_ms > 0.0000015", "duration_ns in 2.."),
    ("duration_ms = 1.5", "duration_ns in 1500000"),
    ("duration_ms = 1.0000005", "duration_ns in nothing"),
    (
        "duration_ms NOT BETWEEN 1 AND 2",
        "duration_ns not in 1000000..2000000",
    ),
    (
        "total_tokens >= 10 AND cost < 0.5",
        "(total_tokens in 10.. and cost_usd in (..0.5))",
    ),
    ("cost != 1", "cost_usd not in [1..1]"),
    ("span_count IN (1, 2)", "span_count in 1 2"),
    // Spans and their scopes.
    ("span.name = 'a'", r#"span[name = "a"]"#),
    (
        "span.name = 'a' AND span.status = 'OK'",
        r#"span[(name = "a" and status = "OK")]"#,
    ),
    (
        "span.name = 'a' OR span.name = 'b'",
        r#"span[(name = "a" or name = "b")]"#,
    ),
    (
        "(span.name = 'a' OR span.name = 'b') AND span.status = 'OK'",
        r#"span[((name = "a" or name = "b") and status = "OK")]"#,
    ),
    (
        "NOT span.name = 'a' AND span.kind = 'x'",
        r#"(not span[name = "a"] and span[kind = "x"])"#,
    ),
    (
        "NOT (span.name = 'a' AND span.kind = 'x')",
        r#"not span[(name = "a" and kind = "x")]"#,
    ),
    (
        "(span.name = 'a' AND NOT span.kind = 'x')",
        r#"(not span[kind = "x"] and span[name = "a"])"#,
    ),
    (
        "HAS(span.name = 'a' AND NOT span.kind = 'x')",
        r#"span[(name = "a" and not kind = "x")]"#,
    ),
    (
        "HAS(span.tool = 'search') AND has (span.tool = 'pay')",
        r#"(span[tool_name = "search"] and span[tool_name = "pay"])"#,
    ),
    (
        "HAS(span.tool = 'a') AND span.tool = 'b'",
        r#"(span[tool_name = "a"] and span[tool_name = "b"])"#,
    ),
    ("NOT HAS(span.tool = 'a')", r#"not span[tool_name = "a"]"#),
    (
        "span.name = 'a' AND status = 'OK' AND span.kind = 'b'",
        r#"(state = "OK" and span[(name = "a" and kind = "b")])"#,
    ),
    (
        "(span.name = 'a' AND status = 'OK') AND span.kind = 'b'",
        r#"((state = "OK" and span[name = "a"]) and span[kind = "b"])"#,
    ),
    (
        "span.id = '1' span.parent_id IS NULL",
        r#"span[(span_id = "1" and parent_span_id is null)]"#,
    ),
    (
        "span.attributes.model LIKE '%gpt%'",
        r#"span[attributes.model like "%gpt%"]"#,
    ),
    (
        "span.attributes.`mlflow.spanInputs` = 'a'",
        r#"span[attributes.mlflow.spanInputs in "a"]"#,
    ),
    (
        "span.attributes.temp > 0.7",
        "span[attributes.temp in (0.7..)]",
    ),
    (
        "span.attributes.flag != true",
        "span[attributes.flag not in true]",
    ),
    (
        "span.attributes.x IN ('a', 1, FALSE)",
        r#"span[attributes.x in "a" 1 false]"#,
    ),
    (
        "span.attributes.x BETWEEN -1 AND 1e3",
        "span[attributes.x in [-1..1000]]",
    ),
    (
        "resource.service.version = '1'",
        r#"span[resource.service.version in "1"]"#,
    ),
    (
        "span.duration_ms > 0.5 span.start_time_ms <= 5",
        "span[(duration_ns in 500001.. and start_time in ..5999999)]",
    ),
    (
        "trace.text LIKE '%a%' AND span.status = 'ERROR'",
        r#"span[(content like "%a%" and status = "ERROR")]"#,
    ),
    (
        "text MATCHES 'a \"b c\"' ",
        r#"span[content matches "a \"b c\""]"#,
    ),
    ("span.inputs MATCHES 'a'", r#"span[inputs matches "a"]"#),
    ("attribute.text ILIKE '%A%'", r#"span[content ilike "%A%"]"#),
    // Assessments.
    ("feedback.ok = 'true'", r#"feedback[ok in "true"]"#),
    ("feedback.ok = true", "feedback[ok in true]"),
    ("feedback.score > 0.5", "feedback[score in (0.5..)]"),
    ("feedback.`my score` <= -1", "feedback[my score in (..-1]]"),
    ("`feedback`.score != 1", "feedback[score not in 1]"),
    ("feedback.name LIKE 'y%'", r#"feedback[name like "y%"]"#),
    ("feedback.rel IS NULL", "not feedback[rel]"),
    ("expectation.exp IS NOT NULL", "expectation[exp]"),
    (
        "assessment.x NOT IN ('a', 2)",
        r#"feedback|expectation[x not in "a" 2]"#,
    ),
    (
        "feedback.x.source = 'HUMAN'",
        r#"feedback[x.source = "HUMAN"]"#,
    ),
    (
        "feedback.`x.source` = 'HUMAN'",
        r#"feedback[x.source in "HUMAN"]"#,
    ),
    ("feedback.a.b = 'c'", r#"feedback[a.b in "c"]"#),
];

#[test]
fn filters_mean_what_they_should() {
    let mut wrong = Vec::new();
    for (filter, expected) in GOLDENS {
        match parse(filter) {
            Ok(predicate) if predicate.to_string() == *expected => {}
            Ok(predicate) => wrong.push(format!("{filter}\n  is   {predicate}\n  want {expected}")),
            Err(error) => wrong.push(format!("{filter}\n  {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Filter, position of the error, and what its message contains.
const ERRORS: &[(&str, usize, &str)] = &[
    (
        "statuss = 'OK'",
        1,
        "Invalid attribute key 'statuss' specified at position 1. Did you mean 'status'?",
    ),
    ("name = 'a' AND Status = 'x'", 16, "Did you mean 'status'?"),
    (
        "Trace.status = 'OK'",
        1,
        "Invalid entity type 'Trace' at position 1. Did you mean 'trace'?",
    ),
    ("attr.status = 'OK'", 1, "Invalid entity type 'attr'"),
    ("foo.bar = 'x'", 1, "Valid values are trace, attribute"),
    ("`tags.env` = 'x'", 1, "Invalid attribute key 'tags.env'"),
    ("tags = 'x'", 1, "It takes a name: tags.NAME"),
    ("tags. = 'x'", 1, "Tag key cannot be empty"),
    (
        "span.attributes. = 'x'",
        1,
        "Span attribute name cannot be empty",
    ),
    (
        "span.attributes = 'x'",
        1,
        "Invalid span attribute 'attributes'",
    ),
    ("span.nme = 'x'", 1, "Did you mean 'name'?"),
    (
        "feedback. = 'x'",
        1,
        "Assessment field name cannot be empty",
    ),
    ("issue.name = 'x'", 1, "Supported: issue.id"),
    (
        "status = OK",
        10,
        "'OK' at position 10: expected a value: a text is written in quotes",
    ),
    ("status == 'OK'", 8, "equality is written '='"),
    ("'OK' = status", 1, "expected a key"),
    ("status", 7, "it ends at position 7, expected an operator"),
    ("invalid", 8, "Invalid clause(s) in filter string"),
    (
        "name = 'foo' AND invalid",
        25,
        "Invalid clause(s) in filter string",
    ),
    ("status = ", 10, "expected a value"),
    ("status = NULL", 10, "IS NULL"),
    ("status IN 'OK'", 11, "expected a list in parentheses"),
    ("status IN ()", 12, "expected a value"),
    (
        "status IN ('OK', 5)",
        18,
        "Expected a quoted string value (e.g. 'my-value') for 'status'. Got value 5",
    ),
    (
        "status > 'A'",
        8,
        "Invalid comparator '>' at position 8 for 'status'",
    ),
    (
        "status BETWEEN 'A' AND 'Z'",
        8,
        "Invalid comparator 'BETWEEN'",
    ),
    ("tags.env = true", 12, "Got value true at position 12"),
    (
        "tags.env IN (5, true)",
        17,
        "Expected a quoted text or a number for 'tags.env'. Got value true",
    ),
    (
        "tags.env > '5'",
        12,
        "Expected a numeric value, without quotes",
    ),
    ("name LIKE 5", 11, "Expected a quoted string value"),
    ("timestamp LIKE '1%'", 11, "Invalid comparator 'LIKE'"),
    ("timestamp = true", 13, "Expected a time"),
    (
        "duration_ms > 'abc'",
        15,
        "Expected a numeric value or a duration such as 5s",
    ),
    (
        "execution_time < 'abc'",
        18,
        "Expected a numeric value or a duration such as 5s",
    ),
    (
        "timestamp < 'abc'",
        13,
        "Expected a time: Unix milliseconds, '2026-01-31'",
    ),
    ("timestamp != 'abc'", 14, "Expected a time"),
    ("end_time IN (1, '2026-13-01')", 17, "Expected a time"),
    ("span.start_time_ms > '12:00'", 22, "Expected a time"),
    ("timestamp > 5s", 13, "Expected a time"),
    (
        "duration_ms > now()",
        15,
        "Expected a numeric value or a duration",
    ),
    (
        "total_tokens > 5s",
        16,
        "Expected a numeric value for 'total_tokens'. Got value 5s",
    ),
    (
        "span.attributes.k = 5s",
        21,
        "Expected a quoted text, a number, true or false",
    ),
    ("name = now()", 8, "Expected a quoted string value"),
    ("duration_ms > 5 s", 18, "expected an operator"),
    ("duration_ms > 1h30", 15, "this is not a number"),
    (
        "duration_ms > '1h 30'",
        15,
        "Expected a numeric value or a duration such as 5s or '1h 30m'",
    ),
    ("duration_ms > 5sec", 15, "this is not a number"),
    ("duration_ms > 0.1ns", 15, "a whole number of nanoseconds"),
    (
        "feedback.score > '0.5'",
        18,
        "Expected a numeric value, without quotes, with comparator '>'",
    ),
    (
        "span.content = 'x'",
        14,
        "not one of LIKE, ILIKE, RLIKE, MATCHES",
    ),
    ("span.content IS NULL", 14, "Invalid comparator 'IS NULL'"),
    ("name MATCHES 'x'", 6, "Invalid comparator 'MATCHES'"),
    (
        "trace.text MATCHES '\"open'",
        20,
        "Invalid text query for 'trace.text' at position 20",
    ),
    ("issue.id > 'x'", 10, "Invalid comparator '>'"),
    ("prompt = 'p'", 10, "name/version"),
    ("prompt != 'p'", 11, "name/version"),
    (
        "name RLIKE '('",
        12,
        "Invalid pattern for 'name' at position 12",
    ),
    (
        "HAS(status = 'OK')",
        5,
        "'status' at position 5 is not about a span",
    ),
    ("(status = 'OK'", 1, "the '(' at position 1 is not closed"),
    (
        "name = 'a' AND (status = 'OK' OR (name = 'b')",
        16,
        "the '(' at position 16 is not closed",
    ),
    ("(status = 'OK' 5", 16, "expected ')' or AND"),
    (
        "timestamp > 2026-01-31 AND status = 'OK'",
        13,
        "a time is written in quotes, '2026-01-31'",
    ),
    (
        "total_tokens > 2-1",
        17,
        "expected the end of the filter or AND",
    ),
    ("total_tokens > 1k", 16, "all its digits are written, 1000"),
    ("status = 'OK')", 14, "')' at position 14: expected the end"),
    ("status = 'OK", 10, "the closing quote is missing"),
    (
        "é = 'OK' AND status = 'x",
        23,
        "the closing quote is missing",
    ),
    ("status = 'a' OR", 16, "expected a key"),
    ("OR status = 'a'", 1, "expected a key"),
    (
        "status = 'a' AND OR name = 'b'",
        18,
        "expected a clause after AND",
    ),
    ("()", 2, "expected a key"),
    ("NOT", 4, "expected a key"),
    ("status ! 'a'", 8, "inequality is written '!='"),
    ("status = 'a';", 13, "';'"),
    ("tags.env='prod' -- c", 17, "comments are not part"),
    ("tags.env='prod' /* c */", 17, "comments are not part"),
    ("timestamp > 10abc", 13, "this is not a number"),
    ("timestamp > 1.2.3", 13, "this is not a number"),
    ("name = 'a' ? 'b'", 12, "no token of the filter language"),
    ("timestamp BETWEEN 1 OR 2", 21, "expected AND between"),
    (
        "name LIEK 'a'",
        6,
        "'LIEK' at position 6: expected an operator",
    ),
    ("name LIEK 'a'", 6, "Did you mean 'LIKE'?"),
    ("name contains 'a'", 6, "Did you mean LIKE '%...%'?"),
    ("name NOT CONTAINS 'a'", 10, "Did you mean LIKE '%...%'?"),
    (
        "name = 'a' ADN status = 'OK'",
        12,
        "'ADN' at position 12: expected AND or OR. Did you mean 'AND'?",
    ),
    (
        "name = 'a' && status = 'OK'",
        12,
        "clauses are joined by AND",
    ),
    (
        "name = 'a' || status = 'OK'",
        12,
        "alternatives are joined by OR",
    ),
    ("duration_ms => 5", 13, "greater or equal is written '>='"),
    ("duration_ms =< 5", 13, "less or equal is written '<='"),
    ("name =~ 'a'", 6, "RLIKE"),
    ("name ~ 'a'", 6, "RLIKE"),
    ("total_tokns > 5", 1, "Did you mean 'total_tokens'?"),
    ("tgas.env = 'x'", 1, "Did you mean 'tags'?"),
    ("span.tol = 'x'", 1, "Did you mean 'tool'?"),
    (
        "dataset BETWEEN 'a' AND 'b'",
        9,
        "not one of =, !=, IN, NOT IN, LIKE, ILIKE, RLIKE, IS NULL",
    ),
];

#[test]
fn errors_name_token_and_position() {
    let mut wrong = Vec::new();
    for (filter, position, part) in ERRORS {
        match parse(filter) {
            Ok(predicate) => wrong.push(format!("{filter}\n  is accepted as {predicate}")),
            Err(error) if error.position == *position && error.message.contains(part) => {
                assert_eq!(error.code, INVALID_PARAMETER_VALUE);
            }
            Err(error) => wrong.push(format!(
                "{filter}\n  at {}: {error}\n  want at {position}: {part}",
                error.position
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Filters of MLflow's observed vectors that MLflow rejects, and we too.
const REJECTED_LIKE_MLFLOW: &[&str] = &[
    "attr.status = 'OK'",
    "Trace.status = 'OK'",
    "timestamp LIKE '1%'",
    "trace.text = 'Hello'",
    "span.attributes. = 'x'",
    "prompt = 'p'",
    "prompts = 'p/1'",
    "status == 'OK'",
    "'OK' = status",
    "status = OK",
    "status BETWEEN 'A' AND 'Z'",
    "foo.bar = 'x'",
    "status IN ('OK', 5)",
    "status IN 'OK'",
    "`tags.env` = 'prod'",
    "tags.env='prod' -- c",
    "tags.env='prod' /* c */ AND status='OK'",
    "feedback.score > '0.5'",
    "tags.timestamp > '5'",
];

#[test]
fn nonsense_is_rejected_like_mlflow() {
    for filter in REJECTED_LIKE_MLFLOW {
        assert!(parse(filter).is_err(), "{filter}");
    }
}

#[test]
fn orders_are_scalar_keys_of_traces() {
    let order = |clause: &str| {
        parse_order_by(&[clause]).map(|keys| (keys[0].field.to_string(), keys[0].descending))
    };
    assert_eq!(order("timestamp").unwrap(), ("request_time".into(), false));
    assert_eq!(
        order("timestamp_ms desc").unwrap(),
        ("request_time".into(), true)
    );
    assert_eq!(
        order("attribute.status ASC").unwrap(),
        ("state".into(), false)
    );
    assert_eq!(
        order("tags.`my key` DESC").unwrap(),
        ("tags.my key".into(), true)
    );
    assert_eq!(
        order("run_id").unwrap(),
        ("metadata.mlflow.sourceRun".into(), false)
    );
    assert_eq!(order("cost DESC").unwrap(), ("cost_usd".into(), true));
    assert_eq!(
        order("total_tokens").unwrap(),
        ("total_tokens".into(), false)
    );
    for clause in [
        "",
        "span.name",
        "feedback.x",
        "prompt",
        "text",
        "timestamp foo",
        "timestamp DESC DESC",
        "model",
        "'a'",
    ] {
        assert!(order(clause).is_err(), "{clause}");
    }
    assert!(order("metadata.mlflow.trace.tokenUsage").is_err());
    assert!(parse_order_by(&["timestamp", "timestamp_ms DESC"]).is_err());
    assert!(
        order("statu")
            .unwrap_err()
            .message
            .contains("Did you mean 'status'?")
    );
}

#[test]
fn bounds_come_from_the_top_level_conjunction() {
    let bounds = |filter: &str| parse(filter).unwrap().time_bounds();
    assert_eq!(
        bounds("timestamp > 1 AND timestamp <= 3"),
        (Some(2_000_000), Some(3_999_999))
    );
    assert_eq!(
        bounds("timestamp > 1 AND (timestamp <= 3 AND name = 'x')"),
        (Some(2_000_000), Some(3_999_999))
    );
    assert_eq!(bounds("timestamp > 1 OR timestamp <= 3"), (None, None));
    assert_eq!(bounds("NOT timestamp > 1"), (None, None));
    assert_eq!(bounds("timestamp != 1"), (None, None));
    assert_eq!(
        bounds("timestamp IN (1, 5)"),
        (Some(1_000_000), Some(5_999_999))
    );
    assert_eq!(
        bounds("timestamp > 1e300"),
        (Some(i64::MAX), Some(i64::MIN))
    );

    let keys = |filter: &str| -> Vec<String> {
        let equalities = parse(filter).unwrap().required_equalities();
        equalities
            .iter()
            .map(|equality| format!("{:?}={}", equality.key, equality.values.join("|")))
            .collect()
    };
    assert_eq!(
        keys(
            "trace_id IN ('b', 'a') AND session = 's' AND tags.env = 'prod' AND user != 'u' AND span.name = 'x'"
        ),
        ["TraceId=a|b", "Session=s", "Tag(\"env\")=prod"]
    );
    assert_eq!(
        keys("status = 'OK' AND service_name = 'x' AND user = 'u'"),
        ["State=OK", "Service=x", "User=u"]
    );
    assert!(keys("status = 'OK' OR user = 'u'").is_empty());
    assert_eq!(parse("").unwrap(), Predicate::Const(true));
}

#[test]
fn now_is_the_time_of_asking() {
    let time = |filter: &str| {
        let shown = parse(filter).unwrap().to_string();
        let digits: String = shown
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<i64>().unwrap()
    };
    let (now, earlier) = (time("timestamp >= now()"), time("timestamp >= NOW( ) - 7d"));
    let day_ns = 86_400_000_000_000;
    assert!(
        (now - earlier - 7 * day_ns).abs() < day_ns,
        "{now} {earlier}"
    );
    assert!(parse("timestamp BETWEEN now()-1h AND now() + 1h AND name = 'a'").is_ok());
    for refused in [
        "timestamp > now() 7d",
        "timestamp > now",
        "timestamp > now(1)",
        "timestamp > now() - 7",
    ] {
        assert!(parse(refused).is_err(), "{refused}");
    }
}

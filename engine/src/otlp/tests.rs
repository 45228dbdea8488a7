//! The decoders against real and odd payloads, against an independent reading of the same JSON, and
//! against damage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::*;

/// The folder of sample data, when this checkout has it.
fn data_folder() -> Option<PathBuf> {
    let candidates = ["../../shared/data", "../../../shared/data"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = candidates
        .iter()
        .map(|path| root.join(path))
        .find(|path| path.join("facts.json").exists());
    if found.is_none() {
        println!("no sample data beside this checkout: nothing checked");
    }
    found
}

fn json_file(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What a payload gave: spans, rejected spans, requests or read errors that failed.
#[derive(Debug, Default)]
struct Outcome {
    spans: Vec<Span>,
    rejected: Vec<String>,
    errors: Vec<String>,
    requests: usize,
}

fn import(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    for request in RequestReader::new(bytes) {
        outcome.requests += 1;
        match request
            .map_err(|error| error.to_string())
            .and_then(|r| r.decode("0").map_err(|e| e.to_string()))
        {
            Ok(decoded) => {
                outcome.spans.extend(decoded.spans);
                outcome.rejected.extend(decoded.rejected);
            }
            Err(error) => outcome.errors.push(error),
        }
    }
    outcome
}

/// Spans, rejected spans and failed requests that a manifest entry asks for.
fn wanted(file: &str, expected: &str) -> (usize, usize, usize) {
    let stem = file.split('.').next().unwrap();
    match stem {
        "odd_missing_trace_id" | "odd_all_zero_ids" => return (1, 1, 0),
        "odd_empty_string_ids" | "odd_short_trace_id" | "odd_max_time" => return (0, 1, 0),
        "odd_two_objects"
        | "real_jaeger_otlp2jaeger_in"
        | "odd_same_span_twice"
        | "odd_span_in_two_resources" => {
            return (2, 0, 0);
        }
        // No request for a server, but a file of requests.
        "odd_json_array_top" => return (1, 0, 0),
        // A file is told by its bytes, not by what a header claims: this one is plain JSON.
        "odd_gzip_header_on_plain" => return (1, 0, 0),
        _ => {}
    }
    let count = expected
        .split(", ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|n| n.parse().ok());
    match count {
        Some(count) if expected.starts_with("accept") => (count, 0, 0),
        // Recognised, and skipped; in protobuf it cannot be told from damage.
        _ if expected.starts_with("another signal") && file.ends_with(".json") => (0, 0, 0),
        _ if expected.starts_with("another signal") || expected == "400" => (0, 0, 1),
        _ if expected.starts_with("400 or replaced") => (0, 0, 1),
        _ => (1, 0, 0),
    }
}

#[test]
fn every_protocol_payload_has_its_expected_outcome() {
    let Some(folder) = data_folder() else { return };
    let folder = folder.join("protocol");
    let manifest = json_file(&folder.join("manifest.json"));
    let entries = manifest.as_array().unwrap();
    assert_eq!(entries.len(), 123);
    for entry in entries {
        let (file, expected) = (
            entry["file"].as_str().unwrap(),
            entry["expected"].as_str().unwrap(),
        );
        let bytes = fs::read(folder.join(file)).unwrap();
        let outcome = import(&bytes);
        let got = (
            outcome.spans.len(),
            outcome.rejected.len(),
            outcome.errors.len(),
        );
        assert_eq!(
            got,
            wanted(file, expected),
            "{file}: {expected}: {outcome:?}"
        );
        let is_json = file.ends_with(".json") && outcome.errors.is_empty();
        if let Some(text) = std::str::from_utf8(&bytes)
            .ok()
            .filter(|text| is_json && !text.contains("\\ud83d\""))
        {
            check_lossless(text.trim_start_matches('\u{feff}'), &outcome.spans);
        }
    }
}

#[test]
fn json_and_protobuf_twins_are_equal() {
    let Some(folder) = data_folder() else { return };
    let folder = folder.join("protocol");
    let mut twins = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let json_path = entry.unwrap().path();
        let protobuf_path = json_path.with_extension("pb");
        if json_path.extension().is_none_or(|e| e != "json") || !protobuf_path.exists() {
            continue;
        }
        let json = decode_json(&fs::read(&json_path).unwrap(), "0").unwrap();
        let protobuf = decode_protobuf(&fs::read(&protobuf_path).unwrap(), "0").unwrap();
        assert_eq!(json.spans, protobuf.spans, "{json_path:?}");
        assert_eq!(
            json.rejected.len(),
            protobuf.rejected.len(),
            "{json_path:?}"
        );
        twins += 1;
    }
    assert!(twins > 40, "{twins}");
}

/// A member in its camelCase or snake_case spelling; null counts as absent.
fn member<'j>(object: &'j Json, name: &str) -> Option<&'j Json> {
    let snake: String = name
        .chars()
        .flat_map(|c| {
            if c.is_uppercase() {
                vec!['_', c.to_ascii_lowercase()]
            } else {
                vec![c]
            }
        })
        .collect();
    object
        .get(name)
        .or_else(|| object.get(&snake))
        .filter(|value| !value.is_null())
}

fn elements<'j>(object: &'j Json, name: &str) -> &'j [Json] {
    member(object, name)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

fn integer(value: &Json) -> i128 {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_string)
        .parse()
        .unwrap()
}

/// An OTLP value as the documented attribute encoding says, made without the code under test.
fn encoded(value: &Json) -> Json {
    if let Some(text) = member(value, "stringValue") {
        return text.clone();
    }
    if let Some(truth) = member(value, "boolValue") {
        return truth.clone();
    }
    if let Some(number) = member(value, "intValue") {
        return Json::from(i64::try_from(integer(number)).unwrap());
    }
    if let Some(number) = member(value, "doubleValue") {
        return match number {
            Json::String(special) => serde_json::json!({ "$double": special }),
            number => Json::from(number.to_string().parse::<f64>().unwrap()),
        };
    }
    if let Some(bytes) = member(value, "bytesValue") {
        return serde_json::json!({ "$bytes": bytes });
    }
    if let Some(array) = member(value, "arrayValue") {
        return elements(array, "values").iter().map(encoded).collect();
    }
    if let Some(list) = member(value, "kvlistValue") {
        return attributes(elements(list, "values"));
    }
    Json::Null
}

fn attributes(pairs: &[Json]) -> Json {
    pairs
        .iter()
        .map(|pair| {
            (
                pair["key"].as_str().unwrap().to_string(),
                encoded(&pair["value"]),
            )
        })
        .collect()
}

/// JSON numbers compared with their type: 3 is not 3.0.
fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            // The parser used here may be off by the last bit.
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= a.abs() * f64::EPSILON
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => left == right,
    }
}

fn assert_same(text: &str, pairs: &[Json]) {
    let stored: Json = serde_json::from_str(text).unwrap();
    let wanted = attributes(pairs);
    assert!(same(&stored, &wanted), "{stored} is not {wanted}");
}

/// Compares every span of a document with what was decoded of it.
fn check_lossless(text: &str, spans: &[Span]) {
    // One payload nests deeper than serde_json reads; the twin test covers it.
    let Ok(document) = serde_json::from_str::<Json>(text) else {
        assert!(text.contains("\"deep\""), "{text}");
        return;
    };
    let mut by_id: BTreeMap<(String, String), Vec<&Span>> = BTreeMap::new();
    for span in spans {
        by_id
            .entry((span.trace_id.clone(), span.span_id.clone()))
            .or_default()
            .push(span);
    }
    for resource in elements(&document, "resourceSpans") {
        for scope in elements(resource, "scopeSpans") {
            for raw in elements(scope, "spans") {
                let id = |name| {
                    member(raw, name)
                        .and_then(Json::as_str)
                        .unwrap_or_default()
                        .to_lowercase()
                };
                let Some(found) = by_id.get(&(id("traceId"), id("spanId"))) else {
                    continue;
                };
                let resource_attributes = resource
                    .get("resource")
                    .map_or(&[][..], |r| elements(r, "attributes"));
                let span = found
                    .iter()
                    .find(|span| span.name == raw["name"].as_str().unwrap_or_default())
                    .unwrap();
                check_span(raw, span);
                assert!(found.iter().any(|span| same(
                    &serde_json::from_str(&span.resource).unwrap(),
                    &attributes(resource_attributes)
                )));
            }
        }
    }
}

fn check_span(raw: &Json, span: &Span) {
    assert_same(&span.attributes, elements(raw, "attributes"));
    let time = |object: &Json, name: &str| member(object, name).map_or(0, integer);
    assert_eq!(
        i128::from(span.start_time_ns),
        time(raw, "startTimeUnixNano")
    );
    assert_eq!(
        i128::from(span.end_time_ns.unwrap_or(0)),
        time(raw, "endTimeUnixNano")
    );
    let (events, links) = (elements(raw, "events"), elements(raw, "links"));
    assert_eq!(
        (span.events.len(), span.links.len()),
        (events.len(), links.len())
    );
    for (raw, event) in events.iter().zip(&span.events) {
        assert_eq!(raw["name"].as_str().unwrap_or_default(), event.name);
        assert_eq!(i128::from(event.time_ns), time(raw, "timeUnixNano"));
        assert_same(&event.attributes, elements(raw, "attributes"));
    }
    for (raw, link) in links.iter().zip(&span.links) {
        assert_eq!(
            raw["traceId"].as_str().unwrap().to_lowercase(),
            link.trace_id
        );
        assert_same(&link.attributes, elements(raw, "attributes"));
    }
    let extra: Json = span
        .extra
        .as_deref()
        .map_or(Json::Null, |extra| serde_json::from_str(extra).unwrap());
    for (name, key) in [
        ("traceState", "trace_state"),
        ("flags", "flags"),
        ("droppedLinksCount", "dropped_links_count"),
    ] {
        let wanted = member(raw, name).filter(|value| **value != "" && **value != 0);
        assert_eq!(
            wanted,
            extra.get(key).filter(|value| !value.is_null()),
            "{name}"
        );
    }
}

fn sample_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().ends_with(".jsonl.gz"))
        .collect();
    files.sort();
    files
}

#[test]
fn sample_traces_are_lossless_and_add_up_to_the_facts() {
    let Some(folder) = data_folder() else { return };
    let facts = json_file(&folder.join("facts.json"));
    let (mut spans, mut errors, mut events, mut tokens) = (0, 0, 0, 0);
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    let mut tools: BTreeMap<String, i64> = BTreeMap::new();
    let mut sessions: BTreeSet<String> = BTreeSet::new();
    let mut models: BTreeMap<String, [i64; 2]> = BTreeMap::new();
    for file in sample_files(&folder) {
        for request in RequestReader::new(fs::File::open(&file).unwrap()) {
            let request = request.unwrap();
            let decoded = request.decode("0").unwrap();
            assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
            check_lossless(
                std::str::from_utf8(request.bytes()).unwrap(),
                &decoded.spans,
            );
            for span in &decoded.spans {
                spans += 1;
                errors += i64::from(span.status == "ERROR");
                events += span.events.len();
                tokens += span.input_tokens.unwrap_or(0) + span.output_tokens.unwrap_or(0);
                *sums.entry("input").or_default() += span.input_tokens.unwrap_or(0);
                *sums.entry("output").or_default() += span.output_tokens.unwrap_or(0);
                sessions.extend(span.session_id.clone());
                if span.input_tokens.is_some() || span.output_tokens.is_some() {
                    let [input, output] =
                        models.entry(request_model(&span.attributes)).or_default();
                    *input += span.input_tokens.unwrap_or(0);
                    *output += span.output_tokens.unwrap_or(0);
                }
                if let Some(tool) = &span.tool_name {
                    *tools.entry(tool.clone()).or_default() += 1;
                }
            }
        }
    }
    assert_eq!(Json::from(spans), facts["totals"]["spans"]);
    assert_eq!(Json::from(events), facts["totals"]["events"]);
    assert_eq!(Json::from(errors), facts["errors"]["error_spans"]);
    assert_eq!(
        Json::from(tokens),
        facts["tokens"]["total_input_plus_output_all_traces"]
    );
    let by_key = |key: &str| facts["tokens"]["sum_by_key"][key].as_i64().unwrap();
    assert_eq!(
        sums["input"],
        by_key("gen_ai.usage.input_tokens") + by_key("llm.token_count.prompt")
    );
    assert_eq!(
        sums["output"],
        by_key("gen_ai.usage.output_tokens") + by_key("llm.token_count.completion")
    );
    assert_eq!(
        Json::from(sessions.len()),
        facts["totals"]["distinct_sessions_or_conversations"]
    );
    for (model, sums) in facts["tokens"]["by_model"].as_object().unwrap() {
        assert_eq!(
            models[model].map(Json::from),
            [sums["input"].clone(), sums["output"].clone()],
            "{model}"
        );
    }
    for (tool, count) in facts["tools"]["spans"].as_object().unwrap() {
        assert_eq!(tools.get(tool).copied(), count.as_i64(), "{tool}");
    }
}

/// The request's model as the facts define it, from the stored attributes.
fn request_model(attributes: &str) -> String {
    let attributes: Json = serde_json::from_str(attributes).unwrap();
    let model = ["gen_ai.request.model", "llm.model_name"]
        .iter()
        .find_map(|key| attributes[key].as_str());
    model.unwrap_or("(none)").to_string()
}

fn with_span(members: &str) -> Decoded {
    let ids = r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","startTimeUnixNano":"5""#;
    let text =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{members}}}]}}]}}]}}"#);
    decode_json(text.as_bytes(), "7").unwrap()
}

fn one_span(members: &str) -> Span {
    let mut decoded = with_span(members);
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    decoded.spans.pop().unwrap()
}

fn rejection(members: &str) -> String {
    let mut decoded = with_span(members);
    assert!(decoded.spans.is_empty());
    decoded.rejected.pop().unwrap()
}

#[test]
fn what_has_no_column_is_kept_in_extra() {
    let span = one_span(
        r#""kind":9,"status":{"code":7},"flags":257,"traceState":"a=b","droppedEventsCount":2,
           "events":[{"name":"x"},{"name":"y","droppedAttributesCount":4}],
           "links":[{"traceId":"AB","spanId":"","flags":1,"traceState":"t"}]"#,
    );
    assert_eq!(
        (&*span.kind, &*span.status, span.end_time_ns),
        ("UNSPECIFIED", "UNSET", None)
    );
    assert_eq!(
        span.extra.unwrap(),
        r#"{"trace_state":"a=b","flags":257,"dropped_events_count":2,"kind":9,"status_code":7,"events":[{"index":1,"dropped_attributes_count":4}],"links":[{"index":0,"trace_state":"t","flags":1}]}"#
    );
    assert_eq!(
        one_span(r#""name":"n","flags":0,"kind":"SPAN_KIND_SERVER""#).extra,
        None
    );
    assert_eq!(one_span(r#""kind":"server""#).kind, "SERVER");
}

#[test]
fn one_bad_span_is_rejected_with_its_reason() {
    let depth = |levels: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        format!(
            r#""attributes":[{{"key":"a","value":{open}{}}}]"#,
            "]}}".repeat(levels)
        )
    };
    assert!(one_span(&depth(64)).attributes.contains(&"[".repeat(64)));
    assert!(rejection(&depth(65)).contains("deeper than 64"));
    let many = format!(
        r#""attributes":[{{"key":"a","value":{{"arrayValue":{{"values":[{}{{}}]}}}}}}]"#,
        "{},".repeat(100_000)
    );
    assert!(rejection(&many).contains("more than 100000 values"));
    for (members, reason) in [
        (
            r#""endTimeUnixNano":"18446744073709551615""#,
            "after the year 2262",
        ),
        (r#""endTimeUnixNano":-1"#, "not an unsigned"),
        (
            r#""parentSpanId":"abc""#,
            "parent span id has to be 8 bytes",
        ),
        (
            r#""attributes":[{"key":"a","value":{"intValue":"9223372036854775808"}}]"#,
            "not a 64-bit integer",
        ),
        (
            r#""attributes":[{"key":"a","value":{"bytesValue":"***"}}]"#,
            "not base64",
        ),
    ] {
        let got = rejection(members);
        assert!(
            got.contains(reason) && got.contains("00f067aa0ba902b7"),
            "{got}"
        );
    }
}

#[test]
fn whole_numbers_of_javascript_beyond_64_bits_are_doubles() {
    for (written, kept) in [
        ("1e+300", "1e+300"),
        ("-1e+300", "-1e+300"),
        ("9223372036854776000", "9.223372036854776e+18"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e3", "1000"),
    ] {
        let span = one_span(&format!(
            r#""attributes":[{{"key":"a","value":{{"intValue":{written}}}}}]"#
        ));
        let attributes: Json = serde_json::from_str(&span.attributes).unwrap();
        let expected: Json = serde_json::from_str(kept).unwrap();
        assert_eq!(attributes["a"], expected, "{written}");
        assert_eq!(attributes["a"].is_f64(), expected.is_f64(), "{written}");
    }
    for wrong in ["1.5", "9007199254740993.5", "\"1e300\""] {
        let got = rejection(&format!(
            r#""attributes":[{{"key":"a","value":{{"intValue":{wrong}}}}}]"#
        ));
        assert!(got.contains("not a 64-bit integer"), "{got}");
    }
}

#[test]
fn documents_that_are_no_trace_request_are_errors() {
    for (text, reason) in [
        (r#"{"resourceMetrics":[]}"#, "metrics"),
        (r#"{"foo":1}"#, "without it"),
        ("[]", "array"),
        ("", "nothing"),
        ("{\"resourceSpans\":[]} x", "after the end"),
        ("{\"resourceSpans\":[{]}", "byte 19"),
        ("\"text\"", "expected an object"),
    ] {
        let error = decode_json(text.as_bytes(), "0").unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!(decode_json(b"{\"resourceSpans\":[\"\xff\"]}", "0").is_err());
    assert!(
        decode_json(br#"{"x":{"y":[1,"z"]},"resourceSpans":null}"#, "0")
            .unwrap()
            .spans
            .is_empty()
    );
}

/// A small generator with a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 => bytes.insert(at, b"{}[]\",:\\\x00\x0a"[random.below(10)]),
            _ => {
                let end = (at + random.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

#[test]
fn damage_never_panics() {
    let mut seeds: Vec<Vec<u8>> = vec![br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"$x","value":{"doubleValue":"NaN"}}]}}}]},"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"\ud83d\ude80"}]}]}]}"#.to_vec()];
    if let Some(folder) = data_folder() {
        let files = fs::read_dir(folder.join("protocol"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        seeds.extend(
            files
                .map(|path| fs::read(path).unwrap())
                .filter(|bytes| bytes.len() < 8_000),
        );
    }
    let mut random = Random(42);
    for round in 0..6_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        mutate(&mut bytes, &mut random);
        let _ = (decode_json(&bytes, "0"), decode_protobuf(&bytes, "0"));
        let _ = import(&bytes);
    }
}

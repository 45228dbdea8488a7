//! What is encoded decodes to what it was made of.

use std::fs;
use std::path::{Path, PathBuf};

use tracehouse_storage::model::{Event, Link, Span};

use super::super::value::object_text;
use super::super::{decode_json, decode_protobuf};
use super::*;
use crate::otlp::RequestReader;

fn again(spans: &[Span]) -> Vec<Span> {
    let decoded = decode_protobuf(&request(spans), "0").unwrap();
    assert_eq!(decoded.rejected, [""; 0]);
    decoded.spans
}

/// Spans of one resource and scope come together: those of equal ids stay in order.
fn sorted(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    let key = |span: &Span| (span.trace_id.clone(), span.span_id.clone());
    sorted.sort_by_key(key);
    sorted
}

/// The folder of sample data, when this checkout has it.
fn data_folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let candidates = ["../../shared/data", "../../../shared/data"];
    let found = candidates.iter().map(|path| root.join(path));
    found
        .into_iter()
        .find(|path| path.join("facts.json").exists())
}

#[test]
fn all_sample_data_is_sent_as_it_came() {
    let Some(folder) = data_folder() else {
        println!("no sample data beside this checkout: nothing checked");
        return;
    };
    let names = fs::read_dir(&folder)
        .unwrap()
        .chain(fs::read_dir(folder.join("protocol")).unwrap());
    let paths = names
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let (mut spans, mut requests) = (0, 0);
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        for read in RequestReader::new(bytes.as_slice()) {
            let Some(decoded) = read.ok().and_then(|read| read.decode("0").ok()) else {
                continue;
            };
            // Some are files of other products.
            if decoded.forms.keys().all(|form| *form == "OTLP request") {
                let sent = again(&decoded.spans);
                assert_eq!(sorted(&sent), sorted(&decoded.spans), "{}", path.display());
                spans += sent.len();
                requests += 1;
            }
        }
    }
    println!("{requests} requests with {spans} spans");
    assert!(spans > 10_000, "{spans}");
}

#[test]
fn everything_that_otlp_has_is_sent() {
    let document = r#"{"resourceSpans":[{"schemaUrl":"r","resource":{"droppedAttributesCount":3,"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"schemaUrl":"s","scope":{"name":"n",
        "version":"v","droppedAttributesCount":4,"attributes":[{"key":"$double","value":{"stringValue":"NaN"}}]},"spans":[
        {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"00f067aa0ba902b8",
        "name":"x","kind":77,"flags":257,"traceState":"a=b","startTimeUnixNano":"5","droppedAttributesCount":1,
        "droppedEventsCount":2,"droppedLinksCount":3,"status":{"code":-9,"message":"m"},
        "attributes":[{"key":"none"},{"key":"bytes","value":{"bytesValue":"AQID"}},
        {"key":"list","value":{"arrayValue":{"values":[{"intValue":"-9223372036854775808"},{"doubleValue":3},{}]}}},
        {"key":"map","value":{"kvlistValue":{"values":[{"key":"$bytes","value":{"stringValue":"AQID"}}]}}}],
        "events":[{"timeUnixNano":"6","name":"e"},{"timeUnixNano":"7","name":"f","droppedAttributesCount":8}],
        "links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4737","spanId":"00f067aa0ba902b9","traceState":"c=d","flags":1,
        "droppedAttributesCount":9,"attributes":[{"key":"k","value":{"boolValue":true}}]},{}]}]}]},
        {"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8"}]}]}]}"#;
    let spans = decode_json(document.as_bytes(), "0").unwrap().spans;
    assert_eq!((spans.len(), again(&spans)), (2, spans));
}

#[test]
fn ids_of_other_products_become_the_same_hash_each_time() {
    let mut root = Span::new("run 1", "agent", "root");
    root.service_name = Some("shop".into());
    let mut child = Span::new("run 1", "step", "child");
    child.parent_span_id = Some("agent".into());
    child.links.push(Link {
        trace_id: "run 0".into(),
        span_id: "agent".into(),
        attributes: "{}".into(),
    });
    let [one, two] = again(&[root, child]).try_into().unwrap();
    assert_eq!((one.trace_id.len(), one.span_id.len()), (32, 16));
    assert_eq!(one.trace_id, two.trace_id);
    assert_eq!(two.parent_span_id.as_ref(), Some(&one.span_id));
    assert_eq!(two.links[0].span_id, one.span_id);
    assert_eq!(one.service_name.as_deref(), Some("shop"));
    assert_eq!(
        one.attributes,
        r#"{"tracehouse.trace_id":"run 1","tracehouse.span_id":"agent"}"#
    );
    assert_eq!(
        two.links[0].attributes,
        r#"{"tracehouse.trace_id":"run 0","tracehouse.span_id":"agent"}"#
    );
    // Written down: another hash would break traces that are half sent.
    assert_eq!(hex(&id_bytes("run 1", 16).0), one.trace_id);
    assert_eq!(
        hex(&id_bytes("run 1", 16).0),
        "505fbbb632bc5ddf45501e22c5228c94"
    );
    for zero in ["0".repeat(32), "ABCDEF".into()] {
        assert!(id_bytes(&zero, 16).1, "{zero}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn words_that_otlp_has_not_go_along() {
    let document = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b8","kind":"SPAN_KIND_ROBOT","status":{"code":"FINE"}}]}]}]}"#;
    let spans = decode_json(document.as_bytes(), "0").unwrap().spans;
    let sent = again(&spans);
    assert_eq!(sent[0].kind, "UNSPECIFIED");
    assert_eq!(
        sent[0].attributes,
        r#"{"tracehouse.kind":"SPAN_KIND_ROBOT","tracehouse.status_code":"FINE"}"#
    );
}

/// A generator of numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 8] = [
            "",
            "a",
            "$double",
            "$bytes",
            "\"\\\n\0",
            "héllo 世界 🚀",
            "\u{2028}",
            "k",
        ];
        let pieces = (0..self.below(3)).map(|_| PIECES[self.below(8) as usize]);
        pieces.collect()
    }

    fn value(&mut self, depth: u64) -> Value<'static> {
        match self.below(if depth > 3 { 6 } else { 8 }) {
            0 => Value::Unset,
            1 => Value::String(self.text().into()),
            2 => Value::Bool(self.below(2) == 1),
            3 => Value::Int((self.below(1 << 31) as i64).wrapping_mul(-7_777_777_777)),
            4 => Value::Double(match self.below(6) {
                0 => f64::NEG_INFINITY,
                1 => -0.0,
                2 => 1e300,
                3 => 3.0,
                4 => 5e-324,
                _ => self.below(1 << 30) as f64 / 7.0,
            }),
            5 => Value::Bytes((0..self.below(5)).map(|_| self.below(256) as u8).collect()),
            6 => Value::Array((0..self.below(4)).map(|_| self.value(depth + 1)).collect()),
            _ => Value::KeyValues(self.pairs(depth + 1)),
        }
    }

    fn pairs(&mut self, depth: u64) -> Vec<KeyValue<'static>> {
        let mut pairs: Vec<KeyValue<'static>> = Vec::new();
        for _ in 0..self.below(4) {
            let (key, value) = (self.text(), self.value(depth));
            if !pairs.iter().any(|pair| pair.key == key) {
                pairs.push(KeyValue {
                    key: key.into(),
                    value,
                });
            }
        }
        pairs
    }

    fn attributes(&mut self) -> String {
        object_text(&self.pairs(0))
    }

    fn span(&mut self) -> Span {
        let mut span = Span::new(
            &format!("{:032x}", 1 + self.below(1 << 20)),
            format!("{:016x}", 1 + self.below(1 << 20)),
            self.text(),
        );
        span.resource = format!(r#"{{"n":{}}}"#, self.below(3));
        span.attributes = self.attributes();
        let kind = self.below(6) as usize;
        span.kind = KINDS[kind].into();
        span.status = STATUSES[self.below(3) as usize].into();
        span.status_message = Some(self.text()).filter(|text| !text.is_empty());
        span.start_time_ns = self.below(1 << 31) as i64;
        span.end_time_ns = Some(self.below(1 << 31) as i64).filter(|end| *end > 0);
        span.scope_name = Some(self.text()).filter(|text| !text.is_empty());
        span.events = (0..self.below(3)).map(|_| self.event()).collect();
        span.links = (0..self.below(3)).map(|_| self.link()).collect();
        span
    }

    fn event(&mut self) -> Event {
        Event {
            time_ns: self.below(1 << 31) as i64,
            name: self.text(),
            attributes: self.attributes(),
        }
    }

    fn link(&mut self) -> Link {
        Link {
            trace_id: format!("{:032x}", 1 + self.below(1 << 31)),
            span_id: format!("{:016x}", 1 + self.below(1 << 31)),
            attributes: self.attributes(),
        }
    }
}

/// What a request decodes to is encoded to a request that decodes to the same, whatever it has.
#[test]
fn any_spans_are_sent_as_they_came() {
    let mut random = Random(22);
    for round in 0..500 {
        let made: Vec<Span> = (0..1 + random.below(20)).map(|_| random.span()).collect();
        let came = again(&made);
        for (made, came) in sorted(&made).iter().zip(sorted(&came)) {
            assert_eq!(made.attributes, came.attributes, "round {round}");
            assert_eq!((&made.events, &made.links), (&came.events, &came.links));
            assert_eq!((&made.kind, &made.status), (&came.kind, &came.status));
        }
        assert_eq!(sorted(&again(&came)), sorted(&came), "round {round}");
    }
}

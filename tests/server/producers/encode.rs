//! OTLP/JSON to the protobuf that OpenTelemetry's encoders write of the same message: fields in the order of their
//! numbers. It shares no code with the decoder that it is to test, and loses nothing: a name that it does not know fails.

use serde_json::{Map, Value};

/// A field: its name in JSON, its number, its type.
type Field = (&'static str, u64, Kind);

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Bytes that are hex in OTLP/JSON.
    Id,
    Varint,
    Bool,
    Fixed64,
    Fixed32,
    Double,
    /// One message, or a list of them.
    Message(&'static [Field]),
}

use Kind::{Bool, Double, Fixed32, Fixed64, Id, Message, Text, Varint};

/// Requests of traces and of logs, which have the same number for what they have.
static REQUEST: [Field; 2] = [
    ("resourceSpans", 1, Message(&RESOURCE_SPANS)),
    ("resourceLogs", 1, Message(&RESOURCE_LOGS)),
];
static RESOURCE_SPANS: [Field; 3] = [
    ("resource", 1, Message(&RESOURCE)),
    ("scopeSpans", 2, Message(&SCOPE_SPANS)),
    ("schemaUrl", 3, Text),
];
static RESOURCE_LOGS: [Field; 3] = [
    ("resource", 1, Message(&RESOURCE)),
    ("scopeLogs", 2, Message(&SCOPE_LOGS)),
    ("schemaUrl", 3, Text),
];
static RESOURCE: [Field; 2] = [
    ("attributes", 1, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 2, Varint),
];
static SCOPE_SPANS: [Field; 3] = [
    ("scope", 1, Message(&SCOPE)),
    ("spans", 2, Message(&SPAN)),
    ("schemaUrl", 3, Text),
];
static SCOPE_LOGS: [Field; 3] = [
    ("scope", 1, Message(&SCOPE)),
    ("logRecords", 2, Message(&LOG_RECORD)),
    ("schemaUrl", 3, Text),
];
static SCOPE: [Field; 4] = [
    ("name", 1, Text),
    ("version", 2, Text),
    ("attributes", 3, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Varint),
];
static SPAN: [Field; 16] = [
    ("traceId", 1, Id),
    ("spanId", 2, Id),
    ("traceState", 3, Text),
    ("parentSpanId", 4, Id),
    ("name", 5, Text),
    ("kind", 6, Varint),
    ("startTimeUnixNano", 7, Fixed64),
    ("endTimeUnixNano", 8, Fixed64),
    ("attributes", 9, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 10, Varint),
    ("events", 11, Message(&EVENT)),
    ("droppedEventsCount", 12, Varint),
    ("links", 13, Message(&LINK)),
    ("droppedLinksCount", 14, Varint),
    ("status", 15, Message(&STATUS)),
    ("flags", 16, Fixed32),
];
static EVENT: [Field; 4] = [
    ("timeUnixNano", 1, Fixed64),
    ("name", 2, Text),
    ("attributes", 3, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Varint),
];
static LINK: [Field; 6] = [
    ("traceId", 1, Id),
    ("spanId", 2, Id),
    ("traceState", 3, Text),
    ("attributes", 4, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 5, Varint),
    ("flags", 6, Fixed32),
];
static STATUS: [Field; 2] = [("message", 2, Text), ("code", 3, Varint)];
static LOG_RECORD: [Field; 11] = [
    ("timeUnixNano", 1, Fixed64),
    ("severityNumber", 2, Varint),
    ("severityText", 3, Text),
    ("body", 5, Message(&ANY_VALUE)),
    ("attributes", 6, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 7, Varint),
    ("flags", 8, Fixed32),
    ("traceId", 9, Id),
    ("spanId", 10, Id),
    ("observedTimeUnixNano", 11, Fixed64),
    ("eventName", 12, Text),
];
static KEY_VALUE: [Field; 2] = [("key", 1, Text), ("value", 2, Message(&ANY_VALUE))];
/// One of these, which is written also when it is empty or 0.
static ANY_VALUE: [Field; 6] = [
    ("stringValue", 1, Text),
    ("boolValue", 2, Bool),
    ("intValue", 3, Varint),
    ("doubleValue", 4, Double),
    ("arrayValue", 5, Message(&ARRAY)),
    ("kvlistValue", 6, Message(&KEY_VALUE_LIST)),
];
static ARRAY: [Field; 1] = [("values", 1, Message(&ANY_VALUE))];
static KEY_VALUE_LIST: [Field; 1] = [("values", 1, Message(&KEY_VALUE))];

/// A request in protobuf.
pub fn request(document: &Map<String, Value>) -> Vec<u8> {
    message(&REQUEST, document)
}

fn message(fields: &[Field], document: &Map<String, Value>) -> Vec<u8> {
    for name in document.keys() {
        assert!(fields.iter().any(|field| field.0 == name), "{name}?");
    }
    let mut bytes = Vec::new();
    for (name, number, kind) in fields {
        let values = match document.get(*name) {
            None => continue,
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
        };
        for value in values {
            field(&mut bytes, *number, *kind, value);
        }
    }
    bytes
}

fn field(bytes: &mut Vec<u8>, number: u64, kind: Kind, value: &Value) {
    const VARINT: u64 = 0;
    const EIGHT_BYTES: u64 = 1;
    const DELIMITED: u64 = 2;
    const FOUR_BYTES: u64 = 5;
    let wire_type = match kind {
        Varint | Bool => VARINT,
        Fixed64 | Double => EIGHT_BYTES,
        Text | Id | Message(_) => DELIMITED,
        Fixed32 => FOUR_BYTES,
    };
    varint(bytes, number << 3 | wire_type);
    match kind {
        // A negative number is that of 64 bits.
        Varint => varint(bytes, integer(value).cast_unsigned()),
        Bool => varint(bytes, u64::from(value.as_bool().unwrap())),
        Fixed64 => bytes.extend(integer(value).to_le_bytes()),
        Fixed32 => bytes.extend(u32::try_from(integer(value)).unwrap().to_le_bytes()),
        Double => bytes.extend(double(value).to_le_bytes()),
        Text => delimited(bytes, value.as_str().unwrap().as_bytes()),
        Id => delimited(bytes, &unhex(value.as_str().unwrap())),
        Message(fields) => delimited(bytes, &message(fields, value.as_object().unwrap())),
    }
}

fn delimited(bytes: &mut Vec<u8>, content: &[u8]) {
    varint(bytes, content.len() as u64);
    bytes.extend(content);
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// 64-bit numbers are texts in OTLP/JSON.
fn integer(value: &Value) -> i64 {
    let text = value.as_str().map(|text| text.parse().unwrap());
    text.or_else(|| value.as_i64()).unwrap()
}

/// Doubles that JSON has no number for are texts.
fn double(value: &Value) -> f64 {
    let text = value.as_str().map(|text| text.parse().unwrap());
    text.or_else(|| value.as_f64()).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

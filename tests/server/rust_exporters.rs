//! The exporters of OpenTelemetry's SDK for Rust, over HTTP and gRPC: what the SDK recorded is what the database has.

mod application;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{Array, KeyValue, StringValue, Value as Attribute};
use opentelemetry_otlp::Compression;
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Value, json};

use self::application::{Application, Way, resource};
use super::client::{Serving, get};
use crate::support::{open, rows};

/// What a server takes of one request.
const REQUEST_BYTES_MAX: u64 = 64 << 20;

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

fn attributes(attributes: &[KeyValue]) -> Value {
    let value = |value: &Attribute| match value {
        Attribute::Bool(value) => json!(value),
        Attribute::I64(value) => json!(value),
        Attribute::F64(value) => json!(value),
        Attribute::String(value) => json!(value.as_str()),
        Attribute::Array(Array::Bool(values)) => json!(values),
        Attribute::Array(Array::I64(values)) => json!(values),
        Attribute::Array(Array::F64(values)) => json!(values),
        Attribute::Array(Array::String(values)) => {
            json!(values.iter().map(StringValue::as_str).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    let pairs = attributes.iter();
    pairs
        .map(|pair| (pair.key.as_str().to_string(), value(&pair.value)))
        .collect()
}

/// A span's id and what the database should have of it.
fn recorded(span: &SpanData) -> (String, Value) {
    let parent = Some(span.parent_span_id).filter(|id| *id != SpanId::INVALID);
    let (status, message) = match &span.status {
        Status::Unset => ("UNSET", None),
        Status::Ok => ("OK", None),
        Status::Error { description } => ("ERROR", Some(description)),
    };
    let events = span.events.iter().map(|event| {
        let time = nanoseconds(event.timestamp);
        json!({"name": event.name, "time": time, "attributes": attributes(&event.attributes)})
    });
    let links = span.links.iter().map(|link| {
        json!({
            "trace_id": link.span_context.trace_id().to_string(),
            "span_id": link.span_context.span_id().to_string(),
            "attributes": attributes(&link.attributes),
        })
    });
    let id = span.span_context.span_id().to_string();
    let wanted = json!({
        "trace_id": span.span_context.trace_id().to_string(),
        "span_id": id,
        "parent_span_id": parent.map(|id| id.to_string()),
        "name": span.name,
        "kind": format!("{:?}", span.span_kind).to_uppercase(),
        "status": status,
        "status_message": message,
        "start_time": nanoseconds(span.start_time),
        "end_time": nanoseconds(span.end_time),
        "scope_name": span.instrumentation_scope.name(),
        "resource": attributes(&resource()),
        "attributes": attributes(&span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
    });
    (id, wanted)
}

/// Ends the server, and says what its database has in the same form.
fn stored(server: Serving, path: &Path) -> BTreeMap<String, Value> {
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
    let db = open(path);
    let spans = rows(
        &db,
        "SELECT trace_id, span_id, parent_span_id, name, kind, status, status_message, scope_name, \
         CAST(start_time AS BIGINT) AS start_time, CAST(end_time AS BIGINT) AS end_time, \
         attributes, resource, links FROM spans",
    );
    let count = spans.len();
    let by_id = spans.into_iter().map(|mut span| {
        read_in_place(&mut span["attributes"]);
        read_in_place(&mut span["resource"]);
        let links = span["links"].as_array_mut().unwrap();
        links
            .iter_mut()
            .for_each(|link| read_in_place(&mut link["attributes"]));
        span["events"] = json!([]);
        (text(&span["span_id"]), span)
    });
    let mut by_id: BTreeMap<String, Value> = by_id.collect();
    assert_eq!(by_id.len(), count);
    let events = "SELECT span_id, name, CAST(time AS BIGINT) AS time, attributes FROM events";
    for mut event in rows(&db, events) {
        read_in_place(&mut event["attributes"]);
        let span_id = event.as_object_mut().unwrap().remove("span_id").unwrap();
        let span = by_id.get_mut(&text(&span_id)).unwrap();
        span["events"].as_array_mut().unwrap().push(event);
    }
    by_id
}

/// JSON text as what it says.
fn read_in_place(value: &mut Value) {
    *value = serde_json::from_str(&text(value)).unwrap();
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

/// The sum of a metric's values where its labels have some text.
fn figure(server: &Serving, name: &str, labels: &str) -> u64 {
    let text = get(server.http, "/metrics").text();
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with([' ', '{']) && rest.contains(labels)
    });
    let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    values.sum()
}

/// Waits for something that has to become true soon.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Senders whose last bytes do not come: they have all but a few bytes of the memory for requests.
fn fill(server: &Serving) -> Vec<TcpStream> {
    let bytes_max = figure(server, "tracehouse_in_flight_bytes_max", "");
    let (mut left, mut senders) = (bytes_max, Vec::new());
    while left > 0 {
        let size = left.min(REQUEST_BYTES_MAX);
        let mut sender = TcpStream::connect(server.http).unwrap();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {size}\r\n\r\n",
            server.http
        );
        sender.write_all(head.as_bytes()).unwrap();
        let body = vec![b' '; usize::try_from(size - 1).unwrap()];
        sender.write_all(&body).unwrap();
        senders.push(sender);
        left -= size;
    }
    let taken = bytes_max - senders.len() as u64;
    until("the memory is taken", || {
        figure(server, "tracehouse_in_flight_bytes", "") == taken
    });
    senders
}

#[test]
fn what_the_sdk_recorded_is_what_the_database_has() {
    for (way, compression) in [
        (Way::Http, None),
        (Way::Http, Some(Compression::Gzip)),
        (Way::Grpc, None),
        (Way::Grpc, Some(Compression::Gzip)),
        (Way::Grpc, Some(Compression::Zstd)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("served.traces");
        let server = Serving::start(&path, &[]);
        let application = Application::new(&server, way, compression);
        application.work();
        // Counted when its answer has gone; the one that asks is on its way.
        until("requests end", || {
            figure(&server, "tracehouse_requests_in_progress", "") == 1
        });
        // A call of gRPC ends with its trailers.
        let given_up = figure(&server, "tracehouse_requests_given_up_total", "");
        assert_eq!(given_up, 0, "{way:?} {compression:?}");
        let sent = figure(&server, "tracehouse_request_bytes_total", "");
        let read = figure(&server, "tracehouse_received_bytes_total", "");
        assert_eq!(sent < read, compression.is_some(), "{sent} bytes of {read}");
        let wanted: BTreeMap<_, _> = application.recorded().iter().map(recorded).collect();
        assert_eq!(stored(server, &path), wanted, "{way:?} {compression:?}");
    }
}

#[test]
fn a_full_server_is_sent_to_again() {
    for (way, refused) in [
        (Way::Http, "status=\"503\""),
        (Way::Grpc, "status=\"Unavailable\""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("served.traces");
        let server = Serving::start(&path, &[]);
        let application = Application::new(&server, way, Some(Compression::Gzip));
        let senders = fill(&server);
        std::thread::scope(|scope| {
            let working = scope.spawn(|| application.work());
            until("an export is refused", || {
                figure(&server, "tracehouse_requests_total", refused) >= 1
            });
            drop(senders);
            working.join().unwrap();
        });
        let wanted: BTreeMap<_, _> = application.recorded().iter().map(recorded).collect();
        assert_eq!(stored(server, &path), wanted, "{way:?}");
    }
}

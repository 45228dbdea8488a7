//! Sending on to a target that is a socket of the test: what it gets, and what becomes of what it does not take.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use tracehouse::{Database, Span, SpanBuilder};

use super::target::Target;
use super::*;

/// What it says to the spans of a request.
type Says = fn(number: usize, spans: &[Span]) -> u16;

/// An OTLP/HTTP endpoint.
struct Endpoint {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Span>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    fn new(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            taken: Arc::default(),
            heads: Arc::default(),
        };
        let (taken, heads) = (endpoint.taken.clone(), endpoint.heads.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), says, &taken, &heads);
            }
        });
        endpoint
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn names(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let mut names: Vec<String> = taken.iter().map(|span| span.name.clone()).collect();
        names.sort();
        names
    }
}

/// Answers the requests of a connection one by one.
fn answer(mut stream: TcpStream, says: Says, taken: &Mutex<Vec<Span>>, heads: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut bytes) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let begun = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            let line = head[begun..].to_ascii_lowercase();
            if let Some(length) = line.strip_prefix("content-length:") {
                bytes = length.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; bytes];
        reader.read_exact(&mut body).unwrap();
        let mut request = Vec::new();
        GzDecoder::new(body.as_slice())
            .read_to_end(&mut request)
            .unwrap();
        let spans = tracehouse::decode_otlp(&request, "0").unwrap().spans;
        heads.lock().unwrap().push(head);
        let status = says(heads.lock().unwrap().len(), &spans);
        if status == 200 {
            taken.lock().unwrap().extend(spans);
        }
        write!(
            stream,
            "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nretry-after: 0\r\n\r\n"
        )
        .unwrap();
    }
}

fn options(urls: &[String]) -> ServeOptions {
    ServeOptions {
        forward: urls.to_vec(),
        ..ServeOptions::default()
    }
}

fn write(db: &Database, names: std::ops::Range<usize>) {
    let span = |number: usize| {
        let id = format!("{:016x}", number + 1);
        SpanBuilder::new(format!("{:032x}", 7), id, format!("span {number:04}"))
            .build()
            .unwrap()
    };
    db.append(&names.map(span).collect::<Vec<Span>>()).unwrap();
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("span {number:04}")).collect()
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn sent(forward: &Forward, db: &Database) -> status::Sent {
    forward.status(db).unwrap()[0].sent.clone().unwrap()
}

#[test]
fn a_target_that_fails_gets_everything_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path()).unwrap();
    // Away, busy, not letting in; then it takes.
    let endpoint = Endpoint::new(|number, _| *[503, 401, 500, 200].get(number - 1).unwrap_or(&200));
    let mut options = options(&[endpoint.url()]);
    options.forward_headers = vec!["api-key=sesame".into()];
    let forward = Forward::start(&db, &options, &[]).unwrap();
    write(&db, 0..100);
    wait_for("all spans", || endpoint.names() == names(0..100));
    wait_for("the position", || {
        forward.status(&db).unwrap()[0].feed.waiting_records == 0
    });
    let told = sent(&forward, &db);
    assert_eq!((told.spans, told.retries, told.failure), (100, 3, None));
    let head = endpoint.heads.lock().unwrap()[0].to_ascii_lowercase();
    for line in [
        "post /v1/traces ",
        "api-key: sesame",
        "content-encoding: gzip",
        &db.id(),
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    forward.stop(Duration::from_secs(10));
    db.close().unwrap();
}

#[test]
fn spans_that_are_refused_do_not_stop_others_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path()).unwrap();
    let endpoint = Endpoint::new(|_, spans| {
        let is_bad = |span: &Span| span.name == "span 0003" || span.name == "span 0042";
        if spans.iter().any(is_bad) { 400 } else { 200 }
    });
    let forward = Forward::start(&db, &options(&[endpoint.url()]), &[]).unwrap();
    write(&db, 0..64);
    wait_for("the position", || {
        forward.status(&db).unwrap()[0].feed.waiting_records == 0
    });
    let told = sent(&forward, &db);
    assert_eq!((told.spans, told.refused_spans), (62, 2));
    assert_eq!(told.last_refusal.as_deref(), Some("HTTP status 400"));
    let taken = endpoint.names();
    assert_eq!(taken.len(), 62);
    assert!(!taken.contains(&"span 0003".to_string()));
}

#[test]
fn what_no_process_sent_the_next_one_sends() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path()).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let forward = Forward::start(&db, &options(&[format!("http://{closed}")]), &[]).unwrap();
    write(&db, 0..10);
    wait_for("a failure", || sent(&forward, &db).failure.is_some());
    forward.stop(Duration::from_secs(10));
    db.seal().unwrap();
    db.close().unwrap();
    drop((forward, db));
    // Who serves without the target keeps its place, and says so.
    let db = Database::open(folder.path()).unwrap();
    let forward = Forward::start(&db, &options(&[]), &[]).unwrap();
    let status = forward.status(&db).unwrap();
    assert_eq!(
        (status[0].feed.waiting_records, status[0].sent.is_none()),
        (1, true)
    );
    drop(forward);
    let listener = TcpListener::bind(closed).unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let there = taken.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), |_, _| 200, &there, &Mutex::default());
        }
    });
    let forward = Forward::start(&db, &options(&[format!("http://{closed}")]), &[]).unwrap();
    wait_for("all spans", || taken.lock().unwrap().len() == 10);
    drop(forward);
    let mut releasing = options(&[]);
    releasing.forward_release = vec![format!("http://{closed}/")];
    let forward = Forward::start(&db, &releasing, &[]).unwrap();
    assert_eq!(forward.status(&db).unwrap(), []);
}

#[test]
fn a_target_is_an_endpoint_of_somebody_else() {
    let parse = |url: &str| Target::parse(url, &[]);
    for (url, uri) in [
        ("http://h", "http://h/v1/traces"),
        ("https://h:1/", "https://h:1/v1/traces"),
        ("http://h/otlp/v1/traces", "http://h/otlp/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ] {
        assert_eq!(parse(url).unwrap().uri.to_string(), uri);
    }
    for url in [
        "",
        "h:4318",
        "ftp://h",
        "http://",
        "grpc://h",
        "http://user:pw@h",
        "http://h/#x",
    ] {
        let error = parse(url).unwrap_err().to_string();
        assert!(!error.contains("pw"), "{error}");
    }
    let own: SocketAddr = "0.0.0.0:4318".parse().unwrap();
    for url in [
        "http://127.0.0.1:4318",
        "http://localhost:4318/x",
        "http://127.1.2.3:4318",
    ] {
        let error = parse(url)
            .unwrap()
            .check_other(&[own])
            .unwrap_err()
            .to_string();
        assert!(error.contains("itself"), "{error}");
    }
    assert!(
        parse("http://127.0.0.1:4319")
            .unwrap()
            .check_other(&[own])
            .is_ok()
    );
    let long = parse(&format!("http://h/{}?key=secret", "x".repeat(500))).unwrap();
    assert!(long.feed_name().len() < 128 && !long.feed_name().contains("secret"));
}

#[test]
fn headers_go_to_the_target_that_they_are_for() {
    let urls = ["http://a".to_string(), "http://b".to_string()];
    let headers = |headers: &[&str]| {
        let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
        Target::all(&urls, &headers)
    };
    let targets = headers(&["http://b authorization=Bearer x y=z"]).unwrap();
    assert_eq!((targets[0].headers.len(), targets[1].headers.len()), (0, 1));
    assert_eq!(targets[1].headers[0].1, "Bearer x y=z");
    for bad in [
        "a=b",
        "http://c a=b",
        "http://b ab",
        "http://b host=x",
        "http://b a\nc=b",
        "http://b a=b\nc",
    ] {
        assert!(headers(&[bad]).is_err(), "{bad:?}");
    }
    assert!(Target::all(&["http://a".into(), "http://a/v1/traces".into()], &[]).is_err());
    assert_eq!(
        Target::all(&urls[..1], &["a=b".into()]).unwrap()[0]
            .headers
            .len(),
        1
    );
}

#[test]
fn a_server_is_no_target_of_itself() {
    let db = Database::in_memory().unwrap();
    let mut headers = HeaderMap::new();
    check_loop(&db, &headers).unwrap();
    headers.insert(FORWARDED_BY, "another".parse().unwrap());
    check_loop(&db, &headers).unwrap();
    headers.insert(FORWARDED_BY, db.id().parse().unwrap());
    assert_eq!(check_loop(&db, &headers).unwrap_err().status.as_u16(), 508);
    let error = Forward::start(&db, &options(&["http://h".into()]), &[]).unwrap_err();
    assert!(error.to_string().contains("memory"), "{error}");
}

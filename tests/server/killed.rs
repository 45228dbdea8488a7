//! Kill -9 of the server while senders send and try again: what was acknowledged is there, and nothing is there twice.
//!
//! `TRACEHOUSE_KILLS` sets how many kills there are.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::client::{Serving, request};
use super::spans_request;
use crate::order::Random;
use crate::support::{open, seed, setting, texts};

const KILLS: u64 = 5;
const SENDERS: u64 = 4;
const SPANS: u64 = 20;
/// Longest time that a server lives, in milliseconds.
const LIFE_MS: usize = 400;
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn acknowledged_spans_outlive_kills_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.traces");
    let mut random = Random::new(seed());
    let mut server = Serving::start(&path, &[]);
    let (address, stop) = (Mutex::new(server.http), AtomicBool::new(false));
    let (next, acknowledged) = (AtomicU64::new(1), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    let first = next.fetch_add(SPANS, Ordering::AcqRel);
                    let ids: Vec<_> = (first..first + SPANS)
                        .map(|id| (u128::from(id / 5 + 1), id))
                        .collect();
                    let body = spans_request(&ids).to_string();
                    send(&address, &body);
                    let mut all = acknowledged.lock().unwrap();
                    all.extend(ids.iter().map(|(_, id)| format!("{id:016x}")));
                }
            });
        }
        for _ in 0..setting("TRACEHOUSE_KILLS", KILLS) {
            std::thread::sleep(Duration::from_millis(random.below(LIFE_MS) as u64 + 50));
            server.kill();
            server = Serving::start(&path, &[]);
            *address.lock().unwrap_or_else(PoisonError::into_inner) = server.http;
        }
        stop.store(true, Ordering::Release);
    });
    server.kill();
    let acknowledged = acknowledged.into_inner().unwrap();
    let stored = texts(&open(&path), "SELECT span_id FROM spans ORDER BY span_id");
    assert!(acknowledged.len() > 100, "{} spans", acknowledged.len());
    // Every request was sent again until it was acknowledged, so that nothing else is there either.
    assert_eq!(stored, acknowledged.into_iter().collect::<Vec<_>>());
}

/// Sends a request until it is acknowledged, as exporters do.
fn send(address: &Mutex<SocketAddr>, body: &str) {
    loop {
        let server = *address.lock().unwrap_or_else(PoisonError::into_inner);
        let headers = [("Content-Type", "application/json")];
        match request(server, "POST", "/v1/traces", &headers, body.as_bytes()) {
            Ok(answer) if answer.status == 200 => return,
            Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            Err(_) => {}
        }
        std::thread::sleep(PAUSE);
    }
}

//! Pages of a search while another thread ingests, edits, seals and compacts: each trace that was there
//! from the start comes exactly once.
//!
//! `TRACEHOUSE_TEST_PAGED_TRACES` sets how many traces are paged through (10,000 unless told otherwise).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tracehouse::model::Span;
use tracehouse::{Database, Search};

use crate::order::Random;
use crate::support::DiskDb;

const PAGE: usize = 100;
const BATCH: usize = 1_000;
/// 2025-03-01T00:00:00Z.
const START_NS: i64 = 1_740_787_200_000_000_000;
const SECOND_NS: usize = 1_000_000_000;

fn trace_count() -> usize {
    let set = std::env::var("TRACEHOUSE_TEST_PAGED_TRACES").ok();
    set.map_or(10_000, |count| {
        count
            .parse()
            .expect("TRACEHOUSE_TEST_PAGED_TRACES is a number")
    })
}

/// A trace of one span, somewhere within the time of all.
fn span(random: &mut Random, id: String, count: usize) -> Span {
    let start_time_ns = START_NS + (random.below(count) * SECOND_NS) as i64;
    Span {
        span_id: id.get(16..).unwrap_or("s").to_string(),
        trace_id: id,
        experiment_id: "0".into(),
        name: ["plan", "answer", "search"][random.below(3)].into(),
        span_type: "CHAIN".into(),
        kind: "INTERNAL".into(),
        status: ["OK", "ERROR"][random.below(2)].into(),
        start_time_ns,
        end_time_ns: Some(start_time_ns + random.below(50) as i64 * 1_000_000),
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    }
}

fn original_id(number: usize) -> String {
    format!("aa{number:030x}")
}

/// What goes on beside the paging, until it is done: new traces among the old ones, edits of old
/// traces, which move their rows, seals and compactions.
fn disturb(db: &Database, count: usize, is_done: &AtomicBool) -> usize {
    let mut random = Random::new(5);
    let (mut round, mut added) = (0, 0);
    while !is_done.load(Ordering::Relaxed) {
        round += 1;
        let spans: Vec<Span> = (0..50)
            .map(|at| span(&mut random, format!("bb{:030x}", added + at), count))
            .collect();
        added += spans.len();
        db.append(&spans).unwrap();
        for _ in 0..5 {
            db.set_tag(&original_id(random.below(count)), "seen", "yes")
                .unwrap();
        }
        if round % 4 == 0 {
            db.seal().unwrap();
        }
        if round % 16 == 0 {
            db.compact().unwrap();
        }
        thread::yield_now();
    }
    added
}

/// How often each original trace came, page by page.
fn page_through(db: &Database, order: &[&str], filter: &str) -> (BTreeMap<String, usize>, usize) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut search = Search::new(filter)
        .order_by(order.iter().copied())
        .limit(PAGE);
    let mut pages = 0;
    loop {
        let page = db.search_traces(&search).unwrap();
        pages += 1;
        assert!(page.traces.len() <= PAGE);
        for trace in page
            .traces
            .into_iter()
            .filter(|trace| trace.trace_id.starts_with("aa"))
        {
            *seen.entry(trace.trace_id).or_default() += 1;
        }
        match page.next_page_token {
            Some(token) => search = search.page_token(token),
            None => return (seen, pages),
        }
    }
}

#[test]
fn pages_hold_each_trace_once_while_rows_arrive_and_move() {
    let count = trace_count();
    let disk = DiskDb::new();
    let mut random = Random::new(3);
    for first in (0..count).step_by(BATCH) {
        let numbers = first..(first + BATCH).min(count);
        let spans: Vec<Span> = numbers
            .map(|number| span(&mut random, original_id(number), count))
            .collect();
        disk.db.append(&spans).unwrap();
        if (first / BATCH).is_multiple_of(4) {
            disk.db.seal().unwrap();
        }
    }
    let orders: [(&[&str], &str); 3] = [
        (&[], ""),
        (&["duration_ms DESC", "name"], ""),
        (&["timestamp ASC"], "duration_ms >= 0"),
    ];
    for (order, filter) in orders {
        let is_done = AtomicBool::new(false);
        let (seen, pages, added) = thread::scope(|scope| {
            let beside = scope.spawn(|| disturb(&disk.db, count, &is_done));
            let (seen, pages) = page_through(&disk.db, order, filter);
            is_done.store(true, Ordering::Relaxed);
            (seen, pages, beside.join().unwrap())
        });
        println!("{order:?}: {count} traces in {pages} pages, {added} added meanwhile");
        let again: Vec<_> = seen
            .iter()
            .filter(|(_, times)| **times > 1)
            .take(3)
            .collect();
        assert!(again.is_empty(), "{order:?}: repeated {again:?}");
        assert_eq!(seen.len(), count, "{order:?}: traces were skipped");
        assert!(added > 0, "nothing happened beside the paging");
    }
}

//! Results that are read batch by batch.

use std::future::poll_fn;
use std::thread;
use std::time::Instant;

use tracehouse_storage::interrupt::{CancelToken, Interrupt};

use super::*;

const MANY: &str = "SELECT value FROM generate_series(1, 300000) AS t(value)";
const ENDLESS: &str =
    "SELECT a.value FROM generate_series(1, 1000000) AS a(value), generate_series(1, 1000000) AS b";
/// Has no row before it is done.
const LATE: &str = "SELECT sum(a.value * b.value % 7) FROM generate_series(1, 1000000) AS a(value), \
                    generate_series(1, 1000000) AS b(value)";

fn read_all(mut stream: SqlStream) -> usize {
    let mut rows = 0;
    while let Some(batch) = stream.next_blocking() {
        rows += batch.unwrap().num_rows();
    }
    assert!(stream.next_blocking().is_none());
    rows
}

#[test]
fn a_result_is_read_to_its_end() {
    let context = context();
    let stream = SqlStream::start_blocking(&context, MANY).unwrap();
    assert_eq!(stream.schema().field(0).name(), "value");
    assert_eq!(read_all(stream), 300_000);
    let empty = SqlStream::start_blocking(&context, "SELECT name FROM spans WHERE false").unwrap();
    assert_eq!(
        (empty.schema().field(0).name().as_str(), read_all(empty)),
        ("name", 0)
    );
    let refused = SqlStream::start_blocking(&context, "DROP TABLE spans").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let failing = "SELECT 1 / (value - 200000) FROM generate_series(1, 300000) AS t(value)";
    let mut failing = SqlStream::start_blocking(&context, failing).unwrap();
    let failed = std::iter::from_fn(|| failing.next_blocking())
        .find_map(|batch| batch.err())
        .unwrap();
    assert_eq!(failed.kind(), ErrorKind::InvalidInput, "{failed}");
    assert!(failing.next_blocking().is_none());
    // From an executor, also by the calls that block.
    futures::executor::block_on(async {
        let mut stream = SqlStream::start(&context, MANY).await.unwrap();
        let mut rows = 0;
        while let Some(batch) = poll_fn(|waker| stream.poll_next(waker)).await {
            rows += batch.unwrap().num_rows();
        }
        assert_eq!(rows, 300_000);
        assert_eq!(
            read_all(SqlStream::start_blocking(&context, MANY).unwrap()),
            300_000
        );
    });
}

#[test]
fn a_result_may_be_larger_than_what_is_collected() {
    let context = context_with(SqlSettings {
        result_bytes_max: 1 << 20,
        ..SqlSettings::default()
    });
    let error = run_sql(&context, MANY).unwrap_err();
    assert!(error.message().contains("read it as a stream"), "{error}");
    assert_eq!(
        read_all(SqlStream::start_blocking(&context, MANY).unwrap()),
        300_000
    );
}

#[test]
fn a_dropped_stream_ends_its_query() {
    let context = context();
    for (statement, reads) in [(ENDLESS, true), (LATE, false)] {
        let mut stream = SqlStream::start_blocking(&context, statement).unwrap();
        if reads {
            assert!(stream.next_blocking().unwrap().unwrap().num_rows() > 0);
        }
        let task = stream.task().unwrap();
        assert!(!task.is_finished(), "{statement}");
        drop(stream);
        let begun = Instant::now();
        while !task.is_finished() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{statement} goes on"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_limit_is_about_waiting() {
    let mut context = context();
    context.timeout = Some(Duration::from_millis(100));
    let mut late = SqlStream::start_blocking(&context, LATE).unwrap();
    assert_eq!(
        late.next_blocking().unwrap().unwrap_err().kind(),
        ErrorKind::Timeout
    );
    assert!(late.next_blocking().is_none());
    // A reader that takes its time is not kept waiting.
    context.timeout = Some(Duration::from_secs(2));
    let mut stream = SqlStream::start_blocking(&context, MANY).unwrap();
    let first = stream.next_blocking().unwrap().unwrap().num_rows();
    thread::sleep(Duration::from_millis(2_200));
    assert_eq!(first + read_all(stream), 300_000);
    // The limit of the snapshot is about the whole.
    context.snapshot = context
        .snapshot
        .until(Interrupt::default().within(Duration::from_millis(500)));
    let mut endless = SqlStream::start_blocking(&context, ENDLESS).unwrap();
    let ended = std::iter::from_fn(|| endless.next_blocking())
        .find_map(|batch| batch.err())
        .unwrap();
    assert_eq!(ended.kind(), ErrorKind::Timeout);
}

#[test]
fn a_token_ends_a_stream() {
    for (statement, reads) in [(ENDLESS, true), (LATE, false)] {
        let mut context = context();
        let token = CancelToken::new();
        context.snapshot = context
            .snapshot
            .until(Interrupt::default().or(token.clone()));
        let mut stream = SqlStream::start_blocking(&context, statement).unwrap();
        if reads {
            assert!(stream.next_blocking().unwrap().is_ok());
        }
        let canceller = thread::spawn(move || token.cancel());
        let ended = std::iter::from_fn(|| stream.next_blocking())
            .find_map(|batch| batch.err())
            .unwrap();
        assert_eq!(ended.kind(), ErrorKind::Cancelled, "{statement}: {ended}");
        assert!(stream.next_blocking().is_none());
        canceller.join().unwrap();
        let again = SqlStream::start_blocking(&context, MANY).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Cancelled);
    }
}

/// A result that is not whole never looks like one that is.
#[test]
fn a_query_without_threads_is_an_error() {
    let context = context();
    let mut stream = SqlStream::start_blocking(&context, ENDLESS).unwrap();
    context.runtime.end();
    let mut batches = std::iter::from_fn(|| stream.next_blocking());
    assert_eq!(
        batches.find_map(|batch| batch.err()).unwrap().kind(),
        ErrorKind::Internal
    );
}

#[test]
fn a_question_that_was_given_up_leaves_threads_for_the_next() {
    for (series, condition) in [
        (5_000, "a.x + b.x * c.x = -1"),
        (20_000, "a.x || ' ' LIKE '%' || b.x || c.x || '%'"),
    ] {
        let mut context = context();
        let join = ["a", "b", "c"].map(|name| format!("generate_series(1, {series}) {name}(x)"));
        context.timeout = Some(Duration::from_millis(300));
        let statement = format!(
            "SELECT count(*) FROM {} WHERE {condition}",
            join.join(" CROSS JOIN ")
        );
        assert_eq!(
            run_sql(&context, statement.as_str()).unwrap_err().kind(),
            ErrorKind::Timeout
        );
        context.timeout = Some(Duration::from_secs(20));
        assert_eq!(
            rows(&context, "SELECT count(*) FROM generate_series(1, 100000)"),
            ["100000"],
            "{condition}"
        );
    }
}

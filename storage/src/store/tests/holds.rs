//! Holds of the log: what was written since is read, each record at least once, until the reader is done with it.

use std::io::ErrorKind as IoKind;
use std::path::Path;
use std::sync::Arc;

use super::{append, options, span, trace_rows};
use crate::ErrorKind;
use crate::backup::backup;
use crate::check::{Opened, check};
use crate::columns::{span_at, spans_batch};
use crate::env::{Env, MemEnv, RealEnv};
use crate::model::{Span, TraceEdit};
use crate::repair::repair;
use crate::store::{HeldReader, HoldLimits, Store, StoreOptions, WhenFull};

const NAME: &str = "collector";
const LIMITS: HoldLimits = HoldLimits {
    bytes_max: u64::MAX,
    when_full: WhenFull::GiveUpOldest,
};

fn mem() -> (Arc<MemEnv>, Arc<dyn Env>) {
    let env = Arc::new(MemEnv::default());
    (env.clone(), env)
}

fn open(env: &Arc<dyn Env>) -> Arc<Store> {
    Store::open(env.clone(), options()).unwrap()
}

fn held(env: &Arc<dyn Env>) -> Arc<Store> {
    let store = open(env);
    store.hold_log(NAME, LIMITS).unwrap();
    store
}

/// Writes these traces, with a segment after each but the last.
fn sealed(store: &Store, traces: impl IntoIterator<Item = u32>) {
    for trace in traces {
        store.seal().unwrap();
        append(store, trace).unwrap();
    }
}

/// The names of the files of the log, as numbers.
fn files(env: &Arc<dyn Env>) -> Vec<u64> {
    let names = env.list(Path::new("wal")).unwrap();
    names
        .iter()
        .map(|name| name.trim_end_matches(".wal").parse().unwrap())
        .collect()
}

fn read_with(store: &Store, reader: &mut HeldReader, bytes_max: u64) -> (Vec<Span>, u64) {
    let Some(read) = store.read_held(reader, bytes_max).unwrap() else {
        return (Vec::new(), reader.next_sequence());
    };
    let batches = read.batches.iter();
    let spans = batches.flat_map(|batch| (0..batch.num_rows()).map(|row| span_at(batch, row)));
    (spans.map(Result::unwrap).collect(), read.next_sequence)
}

/// The traces that a new reader gets; it is done with them when `done`.
fn traces(store: &Store, done: bool) -> Vec<u32> {
    let mut reader = store.held_reader(NAME).unwrap();
    let mut found = Vec::new();
    loop {
        let before = reader.next_sequence();
        let (spans, next) = read_with(store, &mut reader, u64::MAX);
        let ids = spans
            .iter()
            .map(|span| u32::from_str_radix(&span.trace_id, 16));
        found.extend(ids.map(Result::unwrap));
        if done {
            store.advance_hold(NAME, next).unwrap();
        }
        if next == before {
            return found;
        }
    }
}

#[test]
fn what_was_written_since_is_read_over_seals_merges_and_opens() {
    let (_, env) = mem();
    let store = open(&env);
    append(&store, 1).unwrap();
    store.hold_log(NAME, LIMITS).unwrap();
    sealed(&store, 2..6);
    let edit = TraceEdit::set_tags([("seen", "yes")]);
    store
        .edit_traces(vec![(format!("{:032x}", 2), edit)])
        .unwrap();
    store.delete_traces(vec![format!("{:032x}", 3)]).unwrap();
    store.seal().unwrap();
    store.compact().unwrap();
    assert_eq!(traces(&store, false), [2, 3, 4, 5]);
    let rows = trace_rows(&store.snapshot().unwrap());
    store.close().unwrap();
    drop(store);
    // Who opens the database and knows of no hold keeps to it.
    for _ in 0..3 {
        let store = open(&env);
        assert_eq!(trace_rows(&store.snapshot().unwrap()), rows);
        store.seal().unwrap();
    }
    let store = open(&env);
    append(&store, 6).unwrap();
    // The second hold begins here, and keeps its own place.
    store.hold_log("other", LIMITS).unwrap();
    assert_eq!(traces(&store, true), [2, 3, 4, 5, 6]);
    assert_eq!(traces(&store, true), [0; 0]);
    append(&store, 7).unwrap();
    store.seal().unwrap();
    assert_eq!(traces(&store, true), [7]);
    let status = store.hold("other").unwrap();
    assert_eq!(
        (status.waiting_records, store.holds().unwrap().len()),
        (1, 2)
    );
    assert!(store.release_hold("other").unwrap() && !store.release_hold("other").unwrap());
    assert_eq!(files(&env).len(), 1);
    assert_eq!(
        store.held_reader("other").unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn rows_are_as_they_were_written() {
    let (_, env) = mem();
    let store = held(&env);
    let spans: Vec<Span> = (0..50).map(|number| span(1, number)).collect();
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    store
        .append_spans(spans_batch(&spans[..1]).unwrap())
        .unwrap();
    store.seal().unwrap();
    let mut reader = store.held_reader(NAME).unwrap();
    assert!(store.bytes_to_read(&reader).unwrap() > 0);
    // One record is read as a whole; the next one waits for the next call.
    assert_eq!(read_with(&store, &mut reader, 1), (spans.clone(), 2));
    assert_eq!(read_with(&store, &mut reader, 1), (spans[..1].to_vec(), 3));
    assert_eq!(read_with(&store, &mut reader, 1), (Vec::new(), 3));
    assert_eq!(store.bytes_to_read(&reader).unwrap(), 0);
}

/// Whoever dies between what is done and noting it does it again: nothing is passed over.
#[test]
fn what_was_not_noted_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(dir.path().to_path_buf()));
    let (mut store, mut got) = (held(&env), Vec::new());
    for trace in 1..30 {
        append(&store, trace).unwrap();
        if trace % 4 == 0 {
            store.seal().unwrap();
        }
        if trace % 3 == 0 {
            got.extend(traces(&store, trace % 2 == 0));
        }
        if trace % 5 == 0 {
            // Without a close, as when the process is killed.
            drop(store);
            store = open(&env);
        }
    }
    got.extend(traces(&store, true));
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (1..30).collect::<Vec<u32>>());
    let status = store.hold(NAME).unwrap();
    assert_eq!((status.waiting_records, status.given_up_records), (0, 0));
}

#[test]
fn a_position_that_cannot_be_noted_stays_where_it_was() {
    let (disk, env) = mem();
    let store = held(&env);
    sealed(&store, 1..4);
    store.seal().unwrap();
    disk.set_fault(Some(IoKind::StorageFull));
    assert_eq!(
        store.advance_hold(NAME, 3).unwrap_err().kind(),
        ErrorKind::Io
    );
    disk.set_fault(None);
    assert_eq!(store.hold(NAME).unwrap().next_sequence, 1);
    assert_eq!(traces(&store, false), [1, 2, 3]);
    let error = store.advance_hold(NAME, 5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    // Nobody goes back.
    store.advance_hold(NAME, 3).unwrap();
    store.advance_hold(NAME, 2).unwrap();
    assert_eq!((traces(&store, false), files(&env)), (vec![3], vec![3, 4]));
}

#[test]
fn what_is_above_the_limit_is_given_up_and_counted() {
    let (_, env) = mem();
    let store = held(&env);
    sealed(&store, 1..9);
    store.seal().unwrap();
    let all = store.hold(NAME).unwrap();
    assert_eq!((all.given_up_records, files(&env).len()), (0, 9));
    // Half of them may stay: the limit is of whole files.
    let limits = HoldLimits {
        bytes_max: all.held_bytes / 2,
        when_full: WhenFull::GiveUpOldest,
    };
    let status = store.hold_log(NAME, limits).unwrap();
    assert!(status.held_bytes <= limits.bytes_max && status.held_bytes > 0);
    let given_up = status.given_up_records as u32;
    assert!((4..8).contains(&given_up) && status.given_up_spans == u64::from(given_up));
    assert_eq!(
        traces(&store, false),
        (given_up + 1..9).collect::<Vec<u32>>()
    );
    // A reader that was there goes on behind what it lost, also in another life of the store.
    let mut reader = store.held_reader(NAME).unwrap();
    sealed(&store, 9..13);
    store.seal().unwrap();
    assert!(store.hold(NAME).unwrap().held_bytes <= limits.bytes_max);
    let (read, _) = read_with(&store, &mut reader, u64::MAX);
    let given_up = store.hold(NAME).unwrap().given_up_spans;
    assert_eq!(read.len() as u64 + given_up, 12);
    drop(store);
    assert_eq!(open(&env).hold(NAME).unwrap().given_up_spans, given_up);
}

#[test]
fn a_full_hold_refuses_writes_when_it_says_so() {
    let (_, env) = mem();
    let store = open(&env);
    let limits = HoldLimits {
        bytes_max: 1,
        when_full: WhenFull::RefuseWrites,
    };
    store.hold_log(NAME, limits).unwrap();
    append(&store, 1).unwrap();
    store.seal().unwrap();
    let error = append(&store, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(NAME), "{error}");
    assert!(store.hold(NAME).unwrap().refuses_writes);
    // Deletes make room, and who catches up lets others write.
    store.delete_traces(vec![format!("{:032x}", 1)]).unwrap();
    assert_eq!(traces(&store, true), [1]);
    append(&store, 3).unwrap();
    store.seal().unwrap();
    drop(store);
    // It is as full after the next open.
    let store = open(&env);
    store.hold_log(NAME, limits).unwrap();
    assert!(append(&store, 4).is_err());
    assert!(store.release_hold(NAME).unwrap());
    append(&store, 4).unwrap();
}

/// The bytes of all files of the log.
fn log_bytes(env: &Arc<dyn Env>) -> Vec<u8> {
    let names = env.list(Path::new("wal")).unwrap();
    let read = |name: &String| env.read(&Path::new("wal").join(name)).unwrap().to_vec();
    names.iter().flat_map(read).collect()
}

#[test]
fn erased_traces_leave_held_files_and_others_stay() {
    let (_, env) = mem();
    let store = held(&env);
    let secret = format!("{:032x}", 2);
    let one = |trace| spans_batch(&[span(trace, 0), span(9, trace)]).unwrap();
    for trace in 1..4 {
        store.append_spans(one(trace)).unwrap();
        store.seal().unwrap();
    }
    let mut reader = store.held_reader(NAME).unwrap();
    assert_eq!(read_with(&store, &mut reader, 1).0.len(), 2);
    let untouched = |name: &str| env.read(&Path::new("wal").join(name)).unwrap().to_vec();
    let last = untouched("00000000000000000003.wal");
    let erase = |ids: &[String]| {
        let ids = store.begin_erase(ids).unwrap();
        store.delete_traces(ids.clone()).unwrap();
        store.erase(&ids).unwrap();
    };
    erase(std::slice::from_ref(&secret));
    assert_eq!(untouched("00000000000000000003.wal"), last);
    // Its mutation named the trace, too. Records are compressed, so they are read.
    assert!(!log_bytes(&env).windows(32).any(|w| w == secret.as_bytes()));
    assert_eq!(traces(&store, false), [1, 9, 9, 3, 9]);
    // A reader goes on in a file that was written again.
    let (rest, next) = read_with(&store, &mut reader, u64::MAX);
    assert_eq!((rest.len(), next), (3, 5));
    assert_eq!(store.hold(NAME).unwrap().given_up_records, 0);
    assert!(store.check(true).unwrap().is_clean());
    erase(&[format!("{:032x}", 9)]);
    assert_eq!(traces(&store, true), [1, 3]);
    assert_eq!(files(&env).len(), 1);
}

fn damage(env: &Arc<dyn Env>, path: &str, at: usize) {
    let path = Path::new(path);
    let mut content = env.read(path).unwrap().to_vec();
    content[at] ^= 4;
    env.remove_file(path).unwrap();
    let mut file = env.create(path).unwrap();
    file.write_all(&content).unwrap();
    file.sync_data().unwrap();
}

#[test]
fn held_files_that_are_damaged_or_gone_are_passed_over_and_counted() {
    let (_, env) = mem();
    let store = held(&env);
    for trace in 1..7 {
        append(&store, trace).unwrap();
        if trace % 2 == 0 {
            store.seal().unwrap();
        }
    }
    append(&store, 7).unwrap();
    assert_eq!(files(&env), [1, 3, 5, 7]);
    drop(store);
    env.remove_file(Path::new("wal/00000000000000000001.wal"))
        .unwrap();
    let second = env
        .read(Path::new("wal/00000000000000000003.wal"))
        .unwrap()
        .len();
    damage(&env, "wal/00000000000000000003.wal", second - 5);
    let report = check(&env, true, &Opened::default());
    let noted = report
        .findings
        .iter()
        .filter(|finding| finding.invariant == "I19");
    assert!(report.is_clean() && noted.count() == 1, "{report:?}");
    let store = open(&env);
    // Record 3 comes before the damage, and the file after it is whole.
    assert_eq!(traces(&store, true), [3, 5, 6, 7]);
    let status = store.hold(NAME).unwrap();
    assert_eq!((status.given_up_records, status.given_up_spans), (3, 0));
}

#[test]
fn damage_of_what_replay_needs_is_an_error() {
    let (_, env) = mem();
    let store = held(&env);
    append(&store, 1).unwrap();
    append(&store, 2).unwrap();
    let bytes = env
        .read(Path::new("wal/00000000000000000001.wal"))
        .unwrap()
        .len();
    damage(&env, "wal/00000000000000000001.wal", bytes - 5);
    let mut reader = store.held_reader(NAME).unwrap();
    assert_eq!(read_with(&store, &mut reader, u64::MAX).0.len(), 1);
    for _ in 0..2 {
        let error = store.read_held(&mut reader, u64::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert_eq!(store.hold(NAME).unwrap().given_up_records, 0);
}

#[test]
fn holds_that_cannot_be_read_stop_an_open_and_are_let_go_by_a_repair() {
    let (_, env) = mem();
    let store = held(&env);
    sealed(&store, 1..4);
    drop(store);
    damage(&env, "HOLDS", 0);
    let error = Store::open(env.clone(), options()).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("HOLDS"));
    assert_eq!(files(&env), [1, 2, 3]);
    // Who reads does not need them.
    let reading = StoreOptions {
        read_only: true,
        ..options()
    };
    let rows = trace_rows(
        &Store::open(env.clone(), reading)
            .unwrap()
            .snapshot()
            .unwrap(),
    );
    assert_eq!(rows.len(), 3);
    let report = repair(&env, options(), true).unwrap();
    assert!(report.after.unwrap().is_clean() && report.quarantine.is_some());
    let store = open(&env);
    assert_eq!((store.holds().unwrap(), files(&env).len()), (Vec::new(), 1));
    assert_eq!(trace_rows(&store.snapshot().unwrap()), rows);
}

#[test]
fn copies_hold_nothing_and_readers_see_the_holds() {
    let (_, env) = mem();
    let store = held(&env);
    sealed(&store, 1..4);
    let (_, copy) = mem();
    backup(&env, &copy).unwrap();
    let copied = open(&copy);
    assert_eq!(copied.holds().unwrap(), []);
    let rows = trace_rows(&store.snapshot().unwrap());
    assert_eq!(trace_rows(&copied.snapshot().unwrap()), rows);
    let reading = StoreOptions {
        read_only: true,
        ..options()
    };
    let reading = Store::open(env.clone(), reading).unwrap();
    assert_eq!(reading.hold(NAME).unwrap(), store.hold(NAME).unwrap());
    assert_eq!(
        reading.advance_hold(NAME, 2).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    sealed(&store, 4..6);
    reading.refresh().unwrap();
    assert_eq!(trace_rows(&reading.snapshot().unwrap()).len(), 5);
}

#[test]
fn bad_holds_are_refused() {
    let (_, env) = mem();
    let store = open(&env);
    for name in ["", "a\nb", &"x".repeat(129)] {
        let error = store.hold_log(name, LIMITS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
    }
    for number in 0..64 {
        store.hold_log(&format!("n{number}"), LIMITS).unwrap();
    }
    assert!(store.hold_log("one more", LIMITS).is_err());
    store.hold_log("n3", LIMITS).unwrap();
    let fleeting = StoreOptions {
        durable: false,
        ..options()
    };
    let store = Store::open(mem().1, fleeting).unwrap();
    assert_eq!(
        store.hold_log(NAME, LIMITS).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

//! Every file operation of some lives fails once, or from then on, in every way: the caller is told, nothing
//! acknowledged is lost, reading goes on, and after the fault everything goes on (ST-6).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tracehouse_storage::env::Env;
use tracehouse_storage::{ErrorKind, Store, StoreOptions};

use super::disk::Disk;
use super::fault::{Call, EINTR, EIO, EMFILE, ENOSPC, Fault, Strike};
use super::lives::written_out;
use super::model::{Possible, Rows, Write, perform, read};
use super::sim::SimEnv;
use super::workload::{Run, Step, Workload, options};
use crate::support::{say, setting};

const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

const FAULTS: [Fault; 8] = [
    Fault::Errno(EIO),
    Fault::Errno(ENOSPC),
    Fault::Errno(EDQUOT),
    Fault::Errno(EROFS),
    Fault::Errno(EMFILE),
    Fault::Errno(EINTR),
    Fault::ShortWrite,
    Fault::LostSync,
];
const THREADS: usize = 4;
/// Without news for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One life with one fault.
#[derive(Clone)]
struct Case {
    life: Workload,
    strike: Strike,
}

/// The operations of a life without faults.
fn calls(life: &Workload) -> Vec<Call> {
    let env = SimEnv::new(Disk::default());
    let mut run = Run::new(
        &env,
        life.flush_bytes_max,
        Possible::only(Rows::default()),
        0,
    );
    run.live(&life.steps);
    assert_eq!(run.errors, 0, "{}", life.name);
    env.calls()
}

/// Lives the case; whether its fault struck at all.
fn live(case: &Case) -> bool {
    let env = SimEnv::new(Disk::default());
    let mut run = Run::new(
        &env,
        case.life.flush_bytes_max,
        Possible::only(Rows::default()),
        0,
    );
    env.strike(Some(case.strike));
    run.live(&case.life.steps);
    let has_struck = env.has_struck();
    // The process ends; the next one finds a disk that works.
    run.kill();
    env.strike(None);
    let errors = run.errors;
    run.open()
        .unwrap_or_else(|error| panic!("does not open again: {error}"));
    run.live(&[Step::Write(Write::Spans(vec![(50, 1, 999)])), Step::Reopen]);
    assert_eq!(run.errors, errors, "errors after the fault");
    has_struck
}

fn describe(case: &Case) -> String {
    format!("{}: {:?}", case.life.name, case.strike)
}

/// Each operation of each life with the faults it can have. The test command leaves out most reads at positions,
/// which are many and alike, and gives each other operation two faults, which take turns.
fn cases() -> Vec<Case> {
    let is_full = setting("TRACEHOUSE_CRASH_FAULTS", 0) > 0;
    let mut cases = Vec::new();
    for life in written_out() {
        for (at, kind) in calls(&life).into_iter().enumerate() {
            if kind == Call::Read && at % 16 > 0 && !is_full {
                continue;
            }
            let mut faults: Vec<Fault> = FAULTS
                .into_iter()
                .filter(|fault| fault.concerns(kind))
                .collect();
            if !is_full {
                let first = at % faults.len();
                faults.rotate_left(first);
                faults.truncate(2);
            }
            for (turn, fault) in faults.into_iter().enumerate() {
                let case = |lasts| Case {
                    life: life.clone(),
                    strike: Strike {
                        call: at + 1,
                        fault,
                        lasts,
                    },
                };
                let (once, lasting) = (is_full || turn == 0, is_full || turn == 1);
                // Signals do not come for ever: writing is tried again after each.
                let lasting = lasting && fault != Fault::Errno(EINTR);
                cases.extend(
                    [(once || !lasting, false), (lasting, true)]
                        .iter()
                        .filter(|(is, _)| *is)
                        .map(|(_, lasts)| case(*lasts)),
                );
            }
        }
    }
    cases
}

#[test]
fn any_operation_may_fail() {
    let cases = cases();
    let (cases, next) = (Arc::new(cases), Arc::new(AtomicUsize::new(0)));
    let (sender, receiver) = mpsc::channel::<(bool, Option<String>)>();
    for _ in 0..THREADS {
        let (cases, next, sender) = (cases.clone(), next.clone(), sender.clone());
        std::thread::spawn(move || {
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let lived = catch_unwind(AssertUnwindSafe(|| live(case)));
                let wrong = lived.as_ref().err().map(|panic| {
                    let text = panic.downcast_ref::<String>().cloned();
                    format!(
                        "{}: {}",
                        describe(case),
                        text.unwrap_or_else(|| "a panic".into())
                    )
                });
                let _ = sender.send((lived.unwrap_or(true), wrong));
            }
        });
    }
    drop(sender);
    let (mut struck, mut wrong) = (0, Vec::new());
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok((has_struck, found)) => {
                struck += usize::from(has_struck);
                wrong.extend(found);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let last = next.load(Ordering::Relaxed);
                let late: Vec<String> = cases[last.saturating_sub(THREADS)..]
                    .iter()
                    .take(THREADS)
                    .map(describe)
                    .collect();
                panic!("one of these hangs: {late:?}");
            }
        }
    }
    say(&format!(
        "faults: {struck} struck, of {} tried",
        cases.len()
    ));
    assert!(
        wrong.is_empty(),
        "{} of {struck}, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

/// A store that another thread would seal.
fn unattended(env: &SimEnv, flush_bytes_max: usize) -> Arc<Store> {
    let options = StoreOptions {
        inline_maintenance: false,
        ..options(flush_bytes_max)
    };
    Store::open(Arc::new(env.clone()) as Arc<dyn Env>, options).unwrap()
}

fn spans(trace: u8) -> Write {
    Write::Spans(vec![(trace, 1, 1)])
}

#[test]
fn writers_are_told_when_memory_cannot_be_sealed() {
    let env = SimEnv::new(Disk::default());
    let store = unattended(&env, 1);
    perform(&store, &spans(1)).unwrap();
    perform(&store, &spans(2)).unwrap();
    env.before(Some(|path| match path.starts_with("tmp") {
        true => Err(std::io::Error::from_raw_os_error(ENOSPC)),
        false => Ok(()),
    }));
    assert!(store.seal_frozen().is_err());
    let refused = perform(&store, &spans(3)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io);
    assert!(
        refused.to_string().contains("cannot be sealed"),
        "{refused}"
    );
    env.before(None);
    assert!(store.seal_frozen().unwrap());
    perform(&store, &spans(3)).unwrap();
    assert_eq!(read(&store).unwrap().spans.len(), 3);
}

#[test]
fn nobody_waits_for_a_text_index_whose_builder_died() {
    let env = SimEnv::new(Disk::default());
    let store = unattended(&env, 1 << 20);
    perform(&store, &spans(1)).unwrap();
    store.seal().unwrap();
    env.before(Some(|path| {
        if path.ends_with("spans.parquet") {
            panic!("as asked")
        } else {
            Ok(())
        }
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| store.index_next_text())).is_err());
    env.before(None);
    store.wait_for_indexing();
    assert_eq!(store.stats().unwrap().unindexable_segments, 1);
    assert_eq!(read(&store).unwrap().spans.len(), 1);
}

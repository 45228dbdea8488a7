//! The test of the tests: with any one kind of sync left out, or the log cut before the manifest is committed,
//! the enumeration finds a violation.

use super::disk::{Disk, Op};
use super::enumerate::Enumerator;
use super::lives::{made_up, written_out};
use super::model::{Possible, Rows};
use super::sim::{Event, LeftOut, SimEnv};
use super::workload::{Workload, events};
use crate::support::say;

/// Kinds of syncs, by the path that is synced.
const SYNCS: [(&str, LeftOut); 14] = [
    ("a log file", |path, is_dir| {
        path.starts_with("wal") && !is_dir
    }),
    ("the folder of the log", |path, is_dir| {
        path.ends_with("wal") && is_dir
    }),
    ("a manifest file", |path, is_dir| {
        path.starts_with("manifest") && !is_dir && !path.ends_with("CURRENT.tmp")
    }),
    ("CURRENT", |path, _| path.ends_with("CURRENT.tmp")),
    ("the folder of the manifest", |path, is_dir| {
        path.ends_with("manifest") && is_dir
    }),
    ("a segment file", |path, is_dir| {
        path.starts_with("tmp") && !is_dir
    }),
    ("the folder of a segment", |path, is_dir| {
        path.starts_with("tmp") && is_dir
    }),
    ("the folder of the segments", |path, is_dir| {
        path.ends_with("seg") && is_dir
    }),
    ("a catalogue file", |path, is_dir| {
        path.starts_with("catalog") && !is_dir
    }),
    ("the folder of the catalogue", |path, is_dir| {
        path.ends_with("catalog") && is_dir
    }),
    ("ERASE", |path, _| path.ends_with("ERASE.tmp")),
    ("FORMAT", |path, _| path.ends_with("FORMAT.tmp")),
    ("the folder of the database", |path, is_dir| {
        path.as_os_str().is_empty() && is_dir
    }),
    ("the folder that the database is in", |path, _| {
        path.ends_with("..")
    }),
];

/// Lives to look for a violation in: those that are written out, then a few others.
fn lives() -> impl Iterator<Item = Workload> {
    written_out().into_iter().chain((0..8).map(made_up))
}

/// The first violation in some life, and the states that were looked at.
fn violation(left_out: Option<LeftOut>, change: impl Fn(&mut [Event])) -> (Option<String>, usize) {
    let mut states = 0;
    for life in lives() {
        let env = SimEnv::new(Disk::default());
        if let Some(left_out) = left_out {
            env.leave_out(left_out);
        }
        let mut events = events(&life, &env);
        change(&mut events);
        let mut enumerator = Enumerator::new(&life.name, life.flush_bytes_max, 1);
        (enumerator.left_out, enumerator.stops_early) = (left_out, true);
        enumerator.run(
            &Disk::default(),
            &events,
            Possible::only(Rows::default()),
            0,
        );
        states += enumerator.found.states;
        if let Some(violation) = enumerator.found.violations.pop() {
            return (Some(violation), states);
        }
    }
    (None, states)
}

#[test]
fn each_sync_is_missed() {
    std::thread::scope(|scope| {
        for some in SYNCS.chunks(SYNCS.len().div_ceil(4)) {
            scope.spawn(move || {
                some.iter()
                    .for_each(|(what, left_out)| assert_missed(what, *left_out))
            });
        }
    });
}

fn assert_missed(what: &str, left_out: LeftOut) {
    let (found, states) = violation(Some(left_out), |_| {});
    let found =
        found.unwrap_or_else(|| panic!("nobody misses the sync of {what}, in {states} states"));
    let how = found
        .rsplit_once("}: ")
        .map_or(found.as_str(), |(_, how)| how);
    let how: String = how.chars().take(90).collect();
    say(&format!(
        "without the sync of {what}: found after {states} states: {how}"
    ));
}

#[test]
fn the_log_must_not_be_cut_before_the_commit() {
    let (found, states) = violation(None, cut_first);
    assert!(found.is_some(), "nobody minds, in {states} states");
}

/// Moves each removal of log files before the commit of the manifest that it follows.
fn cut_first(events: &mut [Event]) {
    let is_cut = |event: &Event| match event {
        Event::Disk(Op::Names(names)) => {
            matches!(names.0.as_slice(), [(_, name, None)] if name.ends_with(".wal"))
        }
        _ => false,
    };
    let mut at = 0;
    while let Some(cut) = events[at..].iter().position(is_cut).map(|found| at + found) {
        let is_write = |event: &Event| matches!(event, Event::Disk(Op::Write(..)));
        let is_sync = |event: &Event| matches!(event, Event::Disk(Op::SyncDir(_)));
        let commit = events[..cut].iter().rposition(is_write).unwrap();
        let end = events[cut..]
            .iter()
            .position(is_sync)
            .map_or(cut, |found| cut + found);
        events[commit..=end].rotate_left(cut - commit);
        at = end + 1;
    }
}

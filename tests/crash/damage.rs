//! Damage to every kind of truth file: it is noticed by a typed error that names the file, when the database is
//! opened, read or verified, or it changes no answer. Never a panic, never other rows. What was noticed can be
//! repaired.
//!
//! One thing cannot be noticed: that the end of the log of a database that was not closed is missing, cut off at
//! the start of a group or at any sector of the last one. A power cut before it was written looks the same.
//! The rows are then those of an earlier moment.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracehouse_storage::env::Env;
use tracehouse_storage::repair::repair;
use tracehouse_storage::{Error, ErrorKind, Store};

use super::disk::{Disk, Node, SECTOR};
use super::model::{Possible, Rows, Unread, Write, read};
use super::sim::SimEnv;
use super::workload::{Run, Step, options};
use crate::order::Random;
use crate::support::{say, seed, setting};

/// Mutations of the test command, at least.
const MUTATIONS: u64 = 600;

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// This bit is another.
    Flip(usize),
    /// From here on a sector is zero.
    Zero(usize),
    /// It ends here.
    Cut(usize),
    /// It holds what this other file holds, and the other way round.
    Swap(String, Node),
    Delete,
}

/// A database to damage.
struct Subject {
    disk: Disk,
    /// Its rows, after what was written before.
    moments: Vec<Rows>,
    is_closed: bool,
}

/// A database with segments, masks, catalogue files and, unless it is closed, a log with several groups.
fn subject(is_closed: bool) -> Subject {
    let spans =
        |trace: u8, version| Write::Spans((0..3).map(|n| (trace + n, 1 + n, version)).collect());
    let writes = [
        spans(1, 1),
        Write::Catalog(1, 2),
        spans(3, 3),
        Write::Assess(1, 1, 4),
        Write::Catalog(2, 5),
    ];
    let later = [spans(2, 6), Write::Delete(4), Write::Tag(1, 7)];
    let last = [
        spans(9, 8),
        Write::Tag(2, 9),
        Write::Assess(2, 1, 10),
        spans(1, 11),
    ];
    let step = |writes: &[Write]| writes.iter().cloned().map(Step::Write).collect::<Vec<_>>();
    let steps = [
        step(&writes),
        vec![Step::Seal],
        step(&later),
        vec![Step::Seal],
        step(&last),
    ]
    .concat();
    let mut moments = vec![Rows::default()];
    for write in writes.iter().chain(&later).chain(&last) {
        moments.push(moments.last().unwrap().after(write));
    }
    let env = SimEnv::new(Disk::default());
    let mut run = Run::new(&env, 1 << 20, Possible::only(Rows::default()), 0);
    run.live(&steps);
    if is_closed {
        run.close().unwrap();
    }
    run.kill();
    Subject {
        disk: env.disk(),
        moments,
        is_closed,
    }
}

impl Damage {
    fn draw(disk: &Disk, path: &str, node: Node, random: &mut Random) -> Self {
        let len = disk.content(node).unwrap().len();
        let others: Vec<(String, Node)> = disk
            .files()
            .into_iter()
            .filter(|(other, _)| other != path)
            .collect();
        match random.below(16) {
            0..=7 if len > 0 => Self::Flip(random.below(len * 8)),
            8..=9 if len > 0 => Self::Zero(random.below(len)),
            10..=12 if len > 0 => Self::Cut(random.below(len)),
            13..=14 => {
                // Of its own kind most times.
                let folder = path.split('/').next().unwrap();
                let kin: Vec<_> = others
                    .iter()
                    .filter(|(other, _)| other.starts_with(folder))
                    .collect();
                let (other, node) = match kin.len() {
                    0 => others[random.below(others.len())].clone(),
                    count => kin[random.below(count)].clone(),
                };
                Self::Swap(other, node)
            }
            _ => Self::Delete,
        }
    }

    /// Does it; whether the disk is another then.
    fn inflict(&self, disk: &mut Disk, path: &str, node: Node) -> bool {
        let content = |node| disk.content(node).unwrap().to_vec();
        let (mut bytes, before) = (content(node), content(node));
        match self {
            Self::Flip(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
            Self::Zero(from) => {
                let end = (from + SECTOR).min(bytes.len());
                bytes[*from..end].fill(0);
            }
            Self::Cut(len) => bytes.truncate(*len),
            Self::Swap(_, other) => {
                bytes = content(*other);
                disk.set_content(*other, before.clone());
            }
            Self::Delete => {
                let (dir, name) = disk.place(path.as_ref()).unwrap();
                disk.set_entry(dir, &name, None);
                return true;
            }
        }
        let differs = bytes != before;
        disk.set_content(node, bytes);
        differs
    }
}

/// How damage was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    AtOpen,
    AtRead,
    AtVerify,
    Harmless,
    EndMissing,
}

/// What a damaged database does; an error is a violation.
fn judge(
    subject: &Subject,
    disk: Disk,
    damaged: &[&str],
    damage: &Damage,
) -> Result<Verdict, String> {
    let notice = |error: &Error, verdict| match names_one(error, damaged) {
        true => Ok(verdict),
        false => Err(format!(
            "an error that names no file of it: {:?} {error}",
            error.kind()
        )),
    };
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(disk));
    let store = match Store::open(env, options(1 << 20)) {
        Ok(store) => store,
        Err(error) => return notice(&error, Verdict::AtOpen),
    };
    let rows = match read(&store) {
        Ok(rows) => Some(rows),
        Err(Unread::Error(error)) if names_one(&error, damaged) => return Ok(Verdict::AtRead),
        // A value that was read and makes no sense does not know its file. Whoever verifies is told, and of wrong
        // rows as well.
        Err(Unread::Error(error)) if error.kind() != ErrorKind::Corrupt => {
            return Err(format!(
                "an error of the wrong kind: {:?} {error}",
                error.kind()
            ));
        }
        Err(_) => None,
    };
    let snapshot = store.snapshot().map_err(|error| error.to_string())?;
    for segment in snapshot
        .sources()
        .iter()
        .filter_map(|source| source.segment())
    {
        if let Err(error) = segment.reader().verify() {
            return notice(&error, Verdict::AtVerify);
        }
    }
    let (last, earlier) = subject.moments.split_last().unwrap();
    let may_end_early = !subject.is_closed
        && !matches!(damage, Damage::Flip(_))
        && damaged.iter().any(|path| path.starts_with("wal/"));
    match rows {
        Some(rows) if rows == *last => Ok(Verdict::Harmless),
        Some(rows) if may_end_early && earlier.contains(&rows) => Ok(Verdict::EndMissing),
        rows => Err(format!("unnoticed, and the rows are {rows:?}")),
    }
}

/// Whether an error is of a kind that a user can act upon and names a damaged file, or its folder.
fn names_one(error: &Error, damaged: &[&str]) -> bool {
    let text = error.to_string();
    let is_named = |path: &&str| {
        let folder = path.split('/').next().unwrap();
        let tail = path.rsplit('/').next().unwrap();
        text.contains(tail) || (matches!(folder, "wal" | "manifest") && text.contains(folder))
    };
    let is_typed = !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Closed);
    is_typed && damaged.iter().any(is_named)
}

/// Repairs what was noticed; a database that opens and can be read to its end, and of which nothing is lost in
/// silence. `FORMAT` of what seems to be a newer program is not touched.
fn mend(subject: &Subject, disk: Disk, damaged: &[&str]) -> Result<(), String> {
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(disk));
    let report = match repair(&env, options(1 << 20), true) {
        Ok(report) => report,
        Err(error) if error.kind() == ErrorKind::InvalidInput && damaged.contains(&"FORMAT") => {
            return Ok(());
        }
        Err(error) => return Err(format!("repair: {error}")),
    };
    if let Some(after) = report.after.as_ref().filter(|after| !after.is_clean()) {
        return Err(format!("damaged after a repair: {:?}", after.findings));
    }
    let store =
        Store::open(env, options(1 << 20)).map_err(|error| format!("after a repair: {error}"))?;
    let rows = read(&store).map_err(|unread| format!("after a repair: {unread:?}"))?;
    match report.applied || rows == *subject.moments.last().unwrap() {
        true => Ok(()),
        false => Err(format!("nothing to repair, and the rows are {rows:?}")),
    }
}

fn judge_and_mend(
    subject: &Subject,
    disk: Disk,
    damaged: &[&str],
    damage: &Damage,
) -> Result<Verdict, String> {
    let verdict = judge(subject, disk.clone(), damaged, damage)?;
    if !matches!(verdict, Verdict::Harmless | Verdict::EndMissing) {
        mend(subject, disk, damaged)?;
    }
    Ok(verdict)
}

#[test]
fn logs_and_manifests_in_each_others_place_are_repaired() {
    let subject = subject(false);
    let files = subject.disk.files();
    let of = |folder: &'static str| {
        files
            .iter()
            .filter(move |(path, _)| path.starts_with(folder))
    };
    let mut swaps = 0;
    for (log, node) in of("wal/") {
        for (manifest, other) in of("manifest/") {
            let damage = Damage::Swap(manifest.clone(), *other);
            let mut disk = subject.disk.clone();
            if damage.inflict(&mut disk, log, *node) {
                swaps += 1;
                let verdict = judge_and_mend(&subject, disk, &[log, manifest], &damage);
                assert!(verdict.is_ok(), "{log} and {manifest}: {verdict:?}");
            }
        }
    }
    assert!(swaps > 1);
}

#[test]
fn a_word_that_replay_cannot_read_names_its_file() {
    let subject = subject(false);
    let is_wanted = |path: &str| path.ends_with("assessments.parquet");
    let mut found = 0;
    for (path, node) in subject
        .disk
        .files()
        .into_iter()
        .filter(|(path, _)| is_wanted(path))
    {
        let content = subject.disk.content(node).unwrap();
        let places = content
            .windows(8)
            .enumerate()
            .filter(|(_, bytes)| *bytes == b"feedback");
        for (at, _) in places {
            let damage = Damage::Flip(at * 8);
            let mut disk = subject.disk.clone();
            assert!(damage.inflict(&mut disk, &path, node));
            let verdict = judge_and_mend(&subject, disk, &[&path], &damage);
            assert!(verdict.is_ok(), "{path} at {at}: {verdict:?}");
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn damage_is_noticed_or_harmless() {
    let wanted = setting("TRACEHOUSE_CRASH_MUTATIONS", MUTATIONS) as usize;
    let seed = seed();
    let mut random = Random::new(seed);
    let (mut verdicts, mut violations) = (BTreeMap::<(String, Verdict), usize>::new(), Vec::new());
    let subjects = [subject(true), subject(false)];
    let mut done = 0;
    for subject in subjects.iter().cycle() {
        if done >= wanted {
            break;
        }
        for (path, node) in subject
            .disk
            .files()
            .into_iter()
            .filter(|(path, _)| path != "LOCK")
        {
            let damage = Damage::draw(&subject.disk, &path, node, &mut random);
            let mut disk = subject.disk.clone();
            if !damage.inflict(&mut disk, &path, node) {
                continue;
            }
            done += 1;
            let mut damaged = vec![path.as_str()];
            if let Damage::Swap(other, _) = &damage {
                damaged.push(other);
            }
            let judged = catch_unwind(AssertUnwindSafe(|| {
                judge_and_mend(subject, disk, &damaged, &damage)
            }));
            let kind = path.split('/').next().unwrap().to_string();
            match judged.unwrap_or_else(|_| Err("a panic".into())) {
                Ok(verdict) => *verdicts.entry((kind, verdict)).or_default() += 1,
                Err(wrong) => violations.push(format!(
                    "{path} {damage:?}, closed: {}: {wrong}",
                    subject.is_closed
                )),
            }
        }
    }
    say(&format!(
        "damage: {done} mutations from seed {seed}: {verdicts:?}"
    ));
    let some = violations
        .iter()
        .take(12)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        violations.is_empty(),
        "{} of {done}, such as\n{some}",
        violations.len()
    );
}

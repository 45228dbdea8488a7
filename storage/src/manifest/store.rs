//! The manifest's files: create, recover, commit.
//!
//! A change of file: (1) create the new file with the state as its head and sync it, (2) sync the
//! folder, (3) point `CURRENT` at it (tmp, sync, rename, sync of the folder), (4) unlink the others.
//! A crash before 3 leaves a file that nothing names, after 3 old files that nothing names; the next
//! change of file removes both.

use std::io::{ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ManifestEdit, ManifestState};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{Frame, FrameReader, FrameWriter};

const KIND_STATE: u8 = 1;
const KIND_EDIT: u8 = 2;

const CURRENT: &str = "CURRENT";
const CURRENT_TMP: &str = "CURRENT.tmp";

/// A file is left when its edits outgrow its head by this much: reading them back stays in the
/// milliseconds, and a state is not rewritten more often than its own size in edits.
const EDIT_BYTES_MAX: u64 = 4 << 20;

/// The writing end of the manifest. There is one per open database.
#[derive(Debug)]
pub struct Manifest {
    env: Arc<dyn Env>,
    dir: PathBuf,
    file: FrameWriter,
    /// Size of the file when it had only its head.
    head_bytes: u64,
    state: Arc<ManifestState>,
}

impl Manifest {
    /// The manifest of a new database: empty, version 0, durable when it returns. The folder exists.
    ///
    /// # Errors
    /// `Conflict` when there is a manifest, `Io`.
    pub fn create(env: &Arc<dyn Env>, dir: &Path) -> Result<(Self, ManifestState)> {
        match find_state(env.as_ref(), dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("{} has a manifest", dir.display()),
                ));
            }
        }
        Self::start(env, dir, ManifestState::default())
    }

    /// Reads the manifest back and goes on in a new file.
    ///
    /// # Errors
    /// `NotFound` when there is none (also when a crash cut its creation short), `Corrupt`, `Io`.
    /// Nothing is modified unless the state could be read.
    pub fn recover(env: &Arc<dyn Env>, dir: &Path) -> Result<(Self, ManifestState)> {
        let state = find_state(env.as_ref(), dir)?;
        Self::start(env, dir, state)
    }

    /// The state without touching the files: for processes that only read.
    ///
    /// # Errors
    /// As `recover`; `NotFound` also when the writer changed files meanwhile (try again).
    pub fn read(env: &dyn Env, dir: &Path) -> Result<ManifestState> {
        find_state(env, dir)
    }

    /// Tells whether the manifest changed since: the live file and its length, read without its content.
    ///
    /// # Errors
    /// `Io`.
    pub fn stamp(env: &dyn Env, dir: &Path) -> Result<(String, u64)> {
        let current = dir.join(CURRENT);
        let text = env.read(&current).map_err(|e| io_at("read", &current, e))?;
        let name = String::from_utf8_lossy(&text).trim().to_string();
        let path = dir.join(&name);
        let len = env.open(&path).map_err(|e| io_at("open", &path, e))?.len();
        Ok((name, len))
    }

    /// What can be read of a damaged manifest: the state before the damage, and what was met. The files
    /// stay as they are; [`Manifest::replace`] goes on from the state.
    ///
    /// # Errors
    /// `Io` when the folder cannot be listed.
    pub fn salvage(env: &dyn Env, dir: &Path) -> Result<(ManifestState, Vec<String>)> {
        let mut damage = Vec::new();
        let mut best: Option<ManifestState> = None;
        for number in file_numbers(env, dir)?.into_iter().rev() {
            let state = read_prefix(env, &file_path(dir, number), &mut damage);
            let is_newer =
                |state: &ManifestState| best.as_ref().is_none_or(|b| b.version < state.version);
            best = state.filter(is_newer).or(best.take());
        }
        let nothing_left = || {
            damage.push(format!("{}: no state can be read", dir.display()));
            ManifestState::default()
        };
        let state = best.unwrap_or_else(nothing_left);
        Ok((state, damage))
    }

    /// Goes on from `state` in a new file; the files there are unlinked.
    ///
    /// # Errors
    /// `Io`.
    pub fn replace(env: &Arc<dyn Env>, dir: &Path, state: ManifestState) -> Result<()> {
        Self::start(env, dir, state).map(drop)
    }

    fn start(
        env: &Arc<dyn Env>,
        dir: &Path,
        state: ManifestState,
    ) -> Result<(Self, ManifestState)> {
        let file = start_file(env.as_ref(), dir, &state)?;
        assert_eq!(
            file.next_sequence(),
            state.version + 1,
            "frames are numbered by the state's version"
        );
        let (env, dir, head_bytes) = (env.clone(), dir.to_path_buf(), file.file_bytes());
        Ok((
            Self {
                env,
                dir,
                file,
                head_bytes,
                state: Arc::new(state.clone()),
            },
            state,
        ))
    }

    /// Puts an edit in force: all of it, durably, when it returns (ST-2).
    ///
    /// # Errors
    /// `Internal` when the edit contradicts the state (nothing changes then); `Io`, after which it may
    /// or may not be found by `recover` and every later commit is `Closed`.
    pub fn commit(&mut self, edit: ManifestEdit) -> Result<Arc<ManifestState>> {
        self.file.check_open()?;
        let next = self.state.apply(&edit)?;
        if self.file.file_bytes() > 2 * self.head_bytes + EDIT_BYTES_MAX {
            self.change_file()?;
        }
        let bytes = encode(&edit)?;
        debug_assert!(
            decode::<ManifestEdit>(&self.dir, &bytes)? == edit,
            "what is written reads back the same"
        );
        self.file.append(KIND_EDIT, next.version, &bytes)?;
        self.file.sync()?;
        assert_eq!(
            self.file.next_sequence(),
            next.version + 1,
            "frames are numbered by the state's version"
        );
        self.state = Arc::new(next);
        Ok(self.state.clone())
    }

    /// The state after the last commit.
    pub fn state(&self) -> Arc<ManifestState> {
        self.state.clone()
    }

    /// Goes on in a new file when there were edits since the last: its head is synced before `CURRENT` names it,
    /// so whatever is missing of it later is damage, while the last edit of a file may also be a torn one.
    ///
    /// # Errors
    /// As [`Manifest::commit`].
    pub fn settle(&mut self) -> Result<()> {
        self.file.check_open()?;
        if self.file.file_bytes() > self.head_bytes {
            self.change_file()
        } else {
            Ok(())
        }
    }

    /// Goes on in a new file, whose head is the state; what past edits said is gone then.
    ///
    /// Before an edit, not after: a failure here must not fail a commit that is in force. The writer
    /// fails with it, since which file `CURRENT` names is unknown then.
    ///
    /// # Errors
    /// `Io`, and from then on `Closed`.
    pub fn change_file(&mut self) -> Result<()> {
        match start_file(self.env.as_ref(), &self.dir, &self.state) {
            Ok(file) => {
                let next = self.file.next_sequence();
                assert_eq!(
                    file.next_sequence(),
                    next,
                    "ST-2: the new file goes on with what is in force"
                );
                self.head_bytes = file.file_bytes();
                self.file = file;
                Ok(())
            }
            Err(error) => {
                self.file.fail();
                Err(error)
            }
        }
    }
}

fn io_at(verb: &str, path: &Path, source: std::io::Error) -> Error {
    Error::io(format!("cannot {verb} {}", path.display()), source)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let fail = |e| Error::with_source(ErrorKind::Internal, "cannot encode a manifest record", e);
    postcard::to_stdvec(value).map_err(fail)
}

fn decode<T: DeserializeOwned>(path: &Path, payload: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(Error::corrupt(format!(
            "{}: a record is longer than its content",
            path.display()
        ))),
        Err(error) => {
            let message = format!("{}: a record cannot be decoded", path.display());
            Err(Error::with_source(ErrorKind::Corrupt, message, error))
        }
    }
}

/// Numbers of the manifest files, ascending.
fn file_numbers(env: &dyn Env, dir: &Path) -> Result<Vec<u64>> {
    let names = env.list(dir).map_err(|e| io_at("list", dir, e))?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
    debug_assert!(
        numbers.is_sorted_by(|a, b| a < b),
        "names come sorted, each once"
    );
    Ok(numbers)
}

fn file_number(name: &str) -> Option<u64> {
    if name.len() != 10 || !name.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    name.parse().ok()
}

fn file_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}"))
}

/// Creates the next file with `state` as its head and makes it the live one.
fn start_file(env: &dyn Env, dir: &Path, state: &ManifestState) -> Result<FrameWriter> {
    let older = file_numbers(env, dir)?;
    let number = older.last().map_or(1, |last| last + 1);
    assert!(
        !older.contains(&number),
        "ST-4: each file of the manifest has a name of its own"
    );
    let path = file_path(dir, number);
    let file = FrameWriter::create(env, &path, KIND_STATE, state.version, &encode(state)?)?;
    env.sync_dir(dir).map_err(|e| io_at("sync", dir, e))?;
    point_current(env, dir, number)?;
    for number in older {
        // Nothing names it any more; if it stays, the next change of file tries again.
        let _ = env.remove_file(&file_path(dir, number));
    }
    Ok(file)
}

fn point_current(env: &dyn Env, dir: &Path, number: u64) -> Result<()> {
    let (current, tmp) = (dir.join(CURRENT), dir.join(CURRENT_TMP));
    match env.remove_file(&tmp) {
        Err(error) if error.kind() != IoKind::NotFound => return Err(io_at("remove", &tmp, error)),
        _ => {}
    }
    let mut file = env.create(&tmp).map_err(|e| io_at("create", &tmp, e))?;
    file.write_all(format!("{number:010}\n").as_bytes())
        .map_err(|e| io_at("write", &tmp, e))?;
    file.sync_data().map_err(|e| io_at("sync", &tmp, e))?;
    env.rename(&tmp, &current)
        .map_err(|e| io_at("rename", &tmp, e))?;
    env.sync_dir(dir).map_err(|e| io_at("sync", dir, e))
}

/// The state of the live file; without `CURRENT`, of the highest file with a readable head.
fn find_state(env: &dyn Env, dir: &Path) -> Result<ManifestState> {
    let current = dir.join(CURRENT);
    match env.read(&current) {
        Ok(text) => {
            let number = std::str::from_utf8(&text)
                .ok()
                .and_then(|text| file_number(text.strip_suffix('\n')?));
            let Some(number) = number else {
                return Err(Error::corrupt(format!(
                    "{} does not name a manifest",
                    current.display()
                )));
            };
            let path = file_path(dir, number);
            if !env.exists(&path) {
                return Err(Error::corrupt(format!(
                    "{} names {}, which is missing",
                    current.display(),
                    path.display()
                )));
            }
            let no_head = || Error::corrupt(format!("{}: the head is damaged", path.display()));
            read_file(env, &path)?.ok_or_else(no_head)
        }
        Err(error) if error.kind() == IoKind::NotFound => find_without_current(env, dir),
        Err(error) => Err(io_at("read", &current, error)),
    }
}

fn find_without_current(env: &dyn Env, dir: &Path) -> Result<ManifestState> {
    let numbers = file_numbers(env, dir)?;
    for number in numbers.iter().rev() {
        if let Some(state) = read_file(env, &file_path(dir, *number))? {
            return Ok(state);
        }
    }
    match numbers.as_slice() {
        // Only the file of `create` has number 1, and without a head it never had an edit.
        [] | [1] => Err(Error::not_found(format!(
            "{} has no manifest",
            dir.display()
        ))),
        _ => Err(Error::corrupt(format!(
            "{} has no manifest with a readable head",
            dir.display()
        ))),
    }
}

/// The state at the end of a file; `None` when it ends before its head does.
fn read_file(env: &dyn Env, path: &Path) -> Result<Option<ManifestState>> {
    let mut reader = FrameReader::open(env, path)?;
    let Some(head) = reader.next_frame()? else {
        return Ok(None);
    };
    let mut state: ManifestState = decode(path, expect_kind(path, &head, KIND_STATE)?)?;
    if state.version != head.sequence {
        return Err(Error::corrupt(format!(
            "{}: the head is of another version",
            path.display()
        )));
    }
    check_head(path, &state)?;
    while let Some(frame) = reader.next_frame()? {
        let edit: ManifestEdit = decode(path, expect_kind(path, &frame, KIND_EDIT)?)?;
        let contradiction = |e| {
            let message = format!("{}: edit {} does not apply", path.display(), frame.sequence);
            Error::with_source(ErrorKind::Corrupt, message, e)
        };
        state = state.apply(&edit).map_err(contradiction)?;
        assert_eq!(
            state.version, frame.sequence,
            "frames are numbered by the state's version"
        );
    }
    Ok(Some(state))
}

fn check_head(path: &Path, state: &ManifestState) -> Result<()> {
    let contradiction = |e| {
        let message = format!("{}: the head contradicts itself", path.display());
        Error::with_source(ErrorKind::Corrupt, message, e)
    };
    state.check().map_err(contradiction)
}

/// The state at the end of a file or before its first damage; `None` when its head is damaged.
fn read_prefix(env: &dyn Env, path: &Path, damage: &mut Vec<String>) -> Option<ManifestState> {
    let mut state: Option<ManifestState> = None;
    let mut read = || -> Result<()> {
        let mut reader = FrameReader::open(env, path)?;
        if let Some(head) = reader.next_frame()? {
            let read: ManifestState = decode(path, expect_kind(path, &head, KIND_STATE)?)?;
            check_head(path, &read)?;
            state = Some(read);
        }
        while let (Some(frame), Some(before)) = (reader.next_frame()?, &state) {
            let edit: ManifestEdit = decode(path, expect_kind(path, &frame, KIND_EDIT)?)?;
            state = Some(before.apply(&edit)?);
        }
        Ok(())
    };
    if let Err(error) = read() {
        damage.push(error.to_string());
    }
    state
}

fn expect_kind<'a>(path: &Path, frame: &'a Frame, kind: u8) -> Result<&'a [u8]> {
    if frame.kind != kind {
        let (found, at) = (frame.kind, frame.sequence);
        return Err(Error::corrupt(format!(
            "{}: record {at} is of kind {found}, not {kind}",
            path.display()
        )));
    }
    Ok(&frame.payload)
}

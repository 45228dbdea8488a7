//! [`Env`] over a simulated [`Disk`]: keeps a log of what was done to it, fails when told to, and can leave out
//! syncs, which is how the crash tests are tested.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracehouse_storage::env::{Env, EnvLock, EnvReader, EnvWriter, Folder};

use super::disk::{ABOVE, Disk, Names, Node, Op};
use super::fault::{Call, EIO, Fault, Strike};
use super::files::{SimLock, SimReader, SimWriter};
use super::model::{Action, Rows};

/// What happened, in order.
#[derive(Debug, Clone)]
pub enum Event {
    /// The disk changed.
    Disk(Op),
    /// A write was begun.
    Begun(Arc<Action>),
    /// It was acknowledged.
    Acknowledged(usize),
    /// Someone read this after an open.
    Seen(Arc<Rows>),
    /// These files are gone for good: an erase that took them is done.
    Gone(Arc<Vec<Node>>),
}

/// Which syncs to leave out, by the path of what is synced and whether it is a folder.
pub type LeftOut = fn(&Path, bool) -> bool;

/// What happens before a file is opened or made: nothing, an error, or a panic.
pub type Before = fn(&Path) -> io::Result<()>;

/// The environment; clones share it.
#[derive(Clone)]
pub struct SimEnv {
    state: Arc<Mutex<State>>,
}

/// What the clones share.
pub struct State {
    disk: Disk,
    events: Vec<Event>,
    locks: Vec<PathBuf>,
    /// Files that were made in folders whose files hold rows.
    made: Vec<Node>,
    /// File operations so far.
    pub calls: Vec<Call>,
    pub strike: Option<Strike>,
    pub left_out: Option<LeftOut>,
    before: Option<Before>,
    has_struck: bool,
    is_looked_on: bool,
    now_ns: i64,
}

impl fmt::Debug for SimEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimEnv")
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(
        ErrorKind::NotFound,
        format!("{} does not exist", path.display()),
    )
}

impl State {
    /// Changes the disk.
    pub fn act(&mut self, op: Op) {
        self.disk.apply(&op);
        self.events.push(Event::Disk(op));
    }

    fn names(&mut self, changes: Vec<(Node, Arc<str>, Option<Node>)>) {
        self.act(Op::Names(Names(changes)));
    }

    fn make(&mut self, place: (Node, Arc<str>), is_dir: bool) -> Node {
        let node = self.disk.next_node();
        self.act(Op::New(is_dir));
        self.names(vec![(place.0, place.1, Some(node))]);
        node
    }

    /// The fault of this call, if one is due that such calls have.
    pub fn fault(&mut self, call: Call) -> Option<Fault> {
        if self.is_looked_on {
            return None;
        }
        self.calls.push(call);
        let number = self.calls.len();
        let strike = self.strike?;
        let is_due = number == strike.call || (strike.lasts && number > strike.call);
        let strikes = is_due && strike.fault.concerns(call);
        self.has_struck |= strikes;
        strikes.then_some(strike.fault)
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        self.disk.find(path).ok_or_else(|| missing(path))
    }

    fn file(&self, path: &Path) -> io::Result<Arc<Vec<u8>>> {
        let node = self.node(path)?;
        let is_dir = || {
            io::Error::new(
                ErrorKind::InvalidInput,
                format!("{} is a folder", path.display()),
            )
        };
        self.disk.content(node).cloned().ok_or_else(is_dir)
    }

    fn remove_dir(&mut self, place: (Node, Arc<str>), node: Node) {
        let entries: BTreeMap<Arc<str>, Node> =
            self.disk.entries(node).cloned().unwrap_or_default();
        for (name, below) in entries {
            match self.disk.entries(below) {
                Some(_) => self.remove_dir((node, name), below),
                None => self.names(vec![(node, name, None)]),
            }
        }
        self.names(vec![(place.0, place.1, None)]);
    }
}

impl SimEnv {
    /// An environment over a disk, with an empty log.
    pub fn new(disk: Disk) -> Self {
        let state = State {
            disk,
            events: Vec::new(),
            locks: Vec::new(),
            made: Vec::new(),
            calls: Vec::new(),
            strike: None,
            left_out: None,
            before: None,
            has_struck: false,
            is_looked_on: false,
            now_ns: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What the clones share.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless this call is to fail.
    pub fn call(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match state.fault(call) {
            Some(Fault::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Fault::ShortWrite | Fault::LostSync) => Err(io::Error::from_raw_os_error(EIO)),
            None => Ok(state),
        }
    }

    /// Leaves syncs out from now on.
    pub fn leave_out(&self, left_out: LeftOut) {
        self.state().left_out = Some(left_out);
    }

    /// Sets or clears what happens before a file is opened or made.
    pub fn before(&self, before: Option<Before>) {
        self.state().before = before;
    }

    fn ask_before(&self, path: &Path) -> io::Result<()> {
        let before = self.state().before;
        before.map_or(Ok(()), |before| before(path))
    }

    /// Does something that faults spare and that does not count.
    pub fn look_on<T>(&self, look: impl FnOnce() -> T) -> T {
        self.state().is_looked_on = true;
        let seen = look();
        self.state().is_looked_on = false;
        seen
    }

    /// Sets or clears the fault to come.
    pub fn strike(&self, strike: Option<Strike>) {
        self.state().strike = strike;
    }

    /// Whether the fault to come has come.
    pub fn has_struck(&self) -> bool {
        self.state().has_struck
    }

    /// File operations so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The process is gone, and with it its locks; the disk stays as it is, durable or not.
    pub fn kill(&self) {
        self.state().locks.clear();
    }

    /// Gives a lock back.
    pub fn unlock(&self, path: &Path) {
        self.state().locks.retain(|held| held != path);
    }

    /// Of the files with rows that were made before `node`, those that have no name any more.
    pub fn gone(&self, node: Node) -> Vec<Node> {
        let state = self.state();
        let there: HashSet<Node> = state
            .disk
            .files()
            .into_iter()
            .map(|(_, node)| node)
            .collect();
        state
            .made
            .iter()
            .copied()
            .filter(|made| *made < node && !there.contains(made))
            .collect()
    }

    /// Adds to the log.
    pub fn note(&self, event: Event) {
        self.state().events.push(event);
    }

    /// The disk as it is.
    pub fn disk(&self) -> Disk {
        self.state().disk.clone()
    }

    /// The log so far.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Syncs a folder unless that is left out.
    fn sync_node(&self, path: &Path, node: Node) -> io::Result<()> {
        let mut state = self.call(Call::Sync)?;
        if !state.left_out.is_some_and(|left_out| left_out(path, true)) {
            state.act(Op::SyncDir(node));
        }
        Ok(())
    }
}

impl Env for SimEnv {
    fn create_root(&self) -> io::Result<()> {
        self.create_dir_all(Path::new(""))?;
        self.sync_node(Path::new(".."), ABOVE)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call(Call::Names)?;
        let mut chain: Vec<&Path> = path.ancestors().collect();
        chain.reverse();
        for dir in chain {
            if state.disk.find(dir).is_none() {
                let place = state.disk.place(dir).ok_or_else(|| missing(dir))?;
                state.make(place, true);
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn EnvWriter>> {
        self.ask_before(path)?;
        let mut state = self.call(Call::Create)?;
        if state.disk.find(path).is_some() {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                format!("{} exists", path.display()),
            ));
        }
        let place = state.disk.place(path).ok_or_else(|| missing(path))?;
        let node = state.make(place, false);
        if ["wal", "tmp", "catalog"]
            .iter()
            .any(|dir| path.starts_with(dir))
        {
            state.made.push(node);
        }
        Ok(Box::new(SimWriter {
            env: self.clone(),
            path: path.to_path_buf(),
            node,
            len: 0,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn EnvReader>> {
        self.ask_before(path)?;
        let content = self.call(Call::Open)?.file(path)?;
        Ok(Arc::new(SimReader {
            env: self.clone(),
            content,
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.call(Call::Open)?.file(path)?.to_vec())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call(Call::Names)?;
        let node = state.node(from)?;
        let source = state.disk.place(from).ok_or_else(|| missing(from))?;
        let target = state.disk.place(to).ok_or_else(|| missing(to))?;
        if state.disk.find(to).is_some_and(|there| {
            state
                .disk
                .entries(there)
                .is_some_and(|names| !names.is_empty())
        }) {
            return Err(io::Error::new(
                ErrorKind::DirectoryNotEmpty,
                format!("{} has content", to.display()),
            ));
        }
        state.names(vec![
            (source.0, source.1, None),
            (target.0, target.1, Some(node)),
        ]);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call(Call::Names)?;
        state.file(path)?;
        let place = state.disk.place(path).ok_or_else(|| missing(path))?;
        state.names(vec![(place.0, place.1, None)]);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call(Call::Names)?;
        let node = state.node(path)?;
        if state.disk.entries(node).is_none() {
            return Err(io::Error::new(
                ErrorKind::NotADirectory,
                format!("{} is a file", path.display()),
            ));
        }
        let place = state.disk.place(path).ok_or_else(|| missing(path))?;
        state.remove_dir(place, node);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let node = self.state().node(path)?;
        self.sync_node(path, node)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.call(Call::Open)?;
        let entries = state
            .disk
            .entries(state.node(path)?)
            .ok_or_else(|| missing(path))?;
        Ok(entries.keys().map(ToString::to_string).collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().disk.find(path).is_some()
    }

    fn lock(&self, path: &Path, _holder: &str) -> io::Result<Box<dyn EnvLock>> {
        let mut state = self.call(Call::Create)?;
        if state.locks.iter().any(|held| held == path) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if state.disk.find(path).is_none() {
            let place = state.disk.place(path).ok_or_else(|| missing(path))?;
            state.make(place, false);
        }
        state.locks.push(path.to_path_buf());
        Ok(Box::new(SimLock {
            env: self.clone(),
            path: path.to_path_buf(),
        }))
    }

    fn folder(&self, _path: &Path) -> Option<Folder> {
        None
    }

    fn now_ns(&self) -> i64 {
        let mut state = self.state();
        state.now_ns += 1;
        state.now_ns
    }

    fn boot_id(&self) -> String {
        format!("boot {}", self.state().disk.boots)
    }

    fn new_ulid(&self) -> u128 {
        let mut state = self.state();
        state.disk.ids += 1;
        // Power cuts that differ in what they keep must not lead to the same ids.
        (u128::from(state.disk.boots) << 64) | u128::from(state.disk.ids) | (1 << 120)
    }
}

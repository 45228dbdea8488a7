//! A disk that knows what of it is durable, and what a power cut may make of the rest.
//!
//! It changes by [`Op`]s, which can be applied again to a copy: the disk after any prefix of them is rebuilt
//! that way. Of what is not durable, an [`Outcome`] tells what survives: each change of names on its own, of
//! each file any part of the bytes written since its last sync. That is stricter than file systems are, which
//! keep their own order of names.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The number of a file or folder.
pub type Node = usize;

/// The folder that the database's folder is in; always there.
pub const ABOVE: Node = 0;

/// The name of the database's folder.
const DATABASE: &str = "database";

/// Bytes that a device writes as one.
pub const SECTOR: usize = 512;

/// Names that come or go together: folder, name, and what it stands for afterwards.
#[derive(Debug, Clone)]
pub struct Names(pub Vec<(Node, Arc<str>, Option<Node>)>);

/// A change of the disk.
#[derive(Debug, Clone)]
pub enum Op {
    /// The next node, without a name; a folder if it says so.
    New(bool),
    /// Names change.
    Names(Names),
    /// Bytes at the end of a file.
    Write(Node, Arc<[u8]>),
    /// What a file holds is durable.
    SyncFile(Node),
    /// A sync of the file failed: what was written since the last one will never be durable.
    LoseFile(Node),
    /// The names of a folder are durable.
    SyncDir(Node),
}

#[derive(Debug, Clone)]
enum Item {
    File {
        content: Arc<Vec<u8>>,
        durable: usize,
        is_lost: bool,
    },
    Dir {
        now: BTreeMap<Arc<str>, Node>,
        durable: BTreeMap<Arc<str>, Node>,
    },
}

/// Files and folders.
#[derive(Debug, Clone)]
pub struct Disk {
    items: Vec<Item>,
    /// Changes of names that no sync has made durable, in order.
    pending: Vec<Names>,
    /// Ids given out so far.
    pub ids: u64,
    /// Power cuts survived.
    pub boots: u32,
}

/// What a power cut makes of the bytes that were written to a file since its last sync.
#[derive(Debug, Clone, PartialEq)]
pub enum Tail {
    /// All of them are there.
    Kept,
    /// So many of the first are there, and the file ends.
    Cut(usize),
    /// The sectors whose turn is true are there, the others are zero; turns repeat. The file keeps its length
    /// or ends with the last sector that is there.
    Sectors(Vec<bool>, bool),
}

/// What a power cut makes of all that is not durable.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// For each pending change of names, whether it is there.
    pub names: Vec<bool>,
    /// For files with unsynced bytes; those not named have none of them.
    pub tails: BTreeMap<Node, Tail>,
}

impl Default for Disk {
    fn default() -> Self {
        let above = Item::Dir {
            now: BTreeMap::new(),
            durable: BTreeMap::new(),
        };
        Self {
            items: vec![above],
            pending: Vec::new(),
            ids: 0,
            boots: 0,
        }
    }
}

impl Disk {
    /// Applies a change that was made to this disk, or to one that was equal.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::New(true) => {
                self.items.push(Item::Dir {
                    now: BTreeMap::new(),
                    durable: BTreeMap::new(),
                });
            }
            Op::New(false) => {
                self.items.push(Item::File {
                    content: Arc::default(),
                    durable: 0,
                    is_lost: false,
                });
            }
            Op::Names(names) => {
                self.change(names, false);
                self.pending.push(names.clone());
            }
            Op::Write(node, bytes) => {
                if let Item::File { content, .. } = &mut self.items[*node] {
                    Arc::make_mut(content).extend_from_slice(bytes);
                }
            }
            Op::SyncFile(node) => {
                if let Item::File {
                    content,
                    durable,
                    is_lost: false,
                } = &mut self.items[*node]
                {
                    *durable = content.len();
                }
            }
            Op::LoseFile(node) => {
                if let Item::File { is_lost, .. } = &mut self.items[*node] {
                    *is_lost = true;
                }
            }
            Op::SyncDir(node) => self.sync_dir(*node),
        }
    }

    fn sync_dir(&mut self, node: Node) {
        let touches = |names: &Names| names.0.iter().any(|(dir, _, _)| *dir == node);
        let mut left: Vec<Names> = Vec::new();
        for names in std::mem::take(&mut self.pending) {
            if !touches(&names) {
                left.push(names);
                continue;
            }
            self.change(&names, true);
            // What was pending of these names is history: it cannot come after what is durable.
            for earlier in &mut left {
                earlier.0.retain(|(dir, name, _)| {
                    !names.0.iter().any(|(d, n, _)| d == dir && n == name)
                });
            }
        }
        left.retain(|names| !names.0.is_empty());
        self.pending = left;
    }

    fn change(&mut self, names: &Names, is_durable: bool) {
        for (dir, name, node) in &names.0 {
            if let Item::Dir { now, durable } = &mut self.items[*dir] {
                let entries = if is_durable { durable } else { now };
                match node {
                    Some(node) => entries.insert(name.clone(), *node),
                    None => entries.remove(name),
                };
            }
        }
    }

    /// The number the next [`Op::New`] gives.
    pub fn next_node(&self) -> Node {
        self.items.len()
    }

    /// What a name in a folder stands for.
    pub fn entry(&self, dir: Node, name: &str) -> Option<Node> {
        self.entries(dir)?.get(name).copied()
    }

    /// The names of a folder; `None` for a file.
    pub fn entries(&self, dir: Node) -> Option<&BTreeMap<Arc<str>, Node>> {
        match &self.items[dir] {
            Item::Dir { now, .. } => Some(now),
            Item::File { .. } => None,
        }
    }

    /// What a file holds; `None` for a folder.
    pub fn content(&self, node: Node) -> Option<&Arc<Vec<u8>>> {
        match &self.items[node] {
            Item::File { content, .. } => Some(content),
            Item::Dir { .. } => None,
        }
    }

    /// The node at a path below the database's folder, which is the empty path.
    pub fn find(&self, path: &Path) -> Option<Node> {
        let database = self.entry(ABOVE, DATABASE)?;
        path.components().try_fold(database, |dir, part| {
            self.entry(dir, part.as_os_str().to_str()?)
        })
    }

    /// Folder and name of a path; the folder must exist.
    pub fn place(&self, path: &Path) -> Option<(Node, Arc<str>)> {
        let Some(name) = path.file_name() else {
            return Some((ABOVE, DATABASE.into()));
        };
        Some((self.find(path.parent()?)?, name.to_str()?.into()))
    }

    /// Changes of names that are not durable.
    pub fn pending_names(&self) -> usize {
        self.pending.len()
    }

    /// Files with bytes that are not durable: which, and how many.
    pub fn unsynced(&self) -> Vec<(Node, usize)> {
        let tail = |(node, item): (Node, &Item)| match item {
            Item::File {
                content, durable, ..
            } => Some((node, content.len() - durable)),
            Item::Dir { .. } => None,
        };
        self.items
            .iter()
            .enumerate()
            .filter_map(tail)
            .filter(|(_, bytes)| *bytes > 0)
            .collect()
    }

    /// The disk after a power cut. What there is then is durable.
    pub fn after_power_cut(&self, outcome: &Outcome) -> Self {
        let mut after = self.clone();
        after.boots += 1;
        for (names, is_kept) in self.pending.iter().zip(&outcome.names) {
            if *is_kept {
                after.change(names, true);
            }
        }
        after.pending.clear();
        for (node, item) in after.items.iter_mut().enumerate() {
            match item {
                Item::Dir { now, durable } => *now = durable.clone(),
                Item::File {
                    content,
                    durable,
                    is_lost,
                } => {
                    if *durable < content.len() {
                        *content = Arc::new(survivors(content, *durable, outcome.tails.get(&node)));
                    }
                    (*durable, *is_lost) = (content.len(), false);
                }
            }
        }
        after
    }

    /// Replaces what a file holds.
    pub fn set_content(&mut self, node: Node, bytes: Vec<u8>) {
        let (durable, content) = (bytes.len(), Arc::new(bytes));
        self.items[node] = Item::File {
            content,
            durable,
            is_lost: false,
        };
    }

    /// Changes what a name stands for, durably.
    pub fn set_entry(&mut self, dir: Node, name: &str, node: Option<Node>) {
        let names = Names(vec![(dir, name.into(), node)]);
        self.change(&names, false);
        self.change(&names, true);
    }

    /// All files below the database's folder, with their paths.
    pub fn files(&self) -> Vec<(String, Node)> {
        let mut found = Vec::new();
        let mut dirs: Vec<(String, Node)> = self
            .find(Path::new(""))
            .map(|n| (String::new(), n))
            .into_iter()
            .collect();
        while let Some((path, dir)) = dirs.pop() {
            for (name, node) in self.entries(dir).into_iter().flatten() {
                let path = if path.is_empty() {
                    name.to_string()
                } else {
                    format!("{path}/{name}")
                };
                let of_kind = if self.entries(*node).is_some() {
                    &mut dirs
                } else {
                    &mut found
                };
                of_kind.push((path, *node));
            }
        }
        found.sort();
        found
    }

    /// Equal for disks that hold the same.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut dirs = vec![ABOVE];
        while let Some(dir) = dirs.pop() {
            for (name, node) in self.entries(dir).into_iter().flatten() {
                (dir, name, node).hash(&mut hasher);
                match &self.items[*node] {
                    Item::Dir { .. } => dirs.push(*node),
                    Item::File { content, .. } => content.hash(&mut hasher),
                }
            }
        }
        hasher.finish()
    }
}

/// A file's bytes after a power cut: the durable ones, and of the others what `tail` says.
fn survivors(content: &[u8], durable: usize, tail: Option<&Tail>) -> Vec<u8> {
    let written = &content[durable..];
    let mut after = content[..durable].to_vec();
    match tail {
        None => {}
        Some(Tail::Kept) => after.extend_from_slice(written),
        Some(Tail::Cut(bytes)) => after.extend_from_slice(&written[..(*bytes).min(written.len())]),
        Some(Tail::Sectors(turns, keeps_length)) => {
            let mut end = durable;
            for (sector, is_kept) in sectors(durable..content.len()).zip(turns.iter().cycle()) {
                match is_kept {
                    true => after.extend_from_slice(&content[sector.clone()]),
                    false => after.resize(sector.end, 0),
                }
                end = if *is_kept { sector.end } else { end };
            }
            after.truncate(if *keeps_length { content.len() } else { end });
        }
    }
    after
}

/// A range cut at the borders of sectors.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let first = range.start / SECTOR;
    let last = range.end.div_ceil(SECTOR);
    (first..last).map(move |at| (at * SECTOR).max(range.start)..((at + 1) * SECTOR).min(range.end))
}

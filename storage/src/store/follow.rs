//! A store that only reads, beside a process that writes: it follows.
//!
//! 1. Pin everything, read the manifest, pin its version (see `readers.rs`): its files stay.
//! 2. Read the log from the replay point on into a memtable of its own.
//! 3. Later: as long as the manifest is the same, read what the log has more; otherwise do 1 and 2 again,
//!    keeping the segments that are still there open.
//!
//! Snapshots taken before keep their segments open, so they go on to answer from what they saw.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open::open_state;
use super::replay::Replay;
use super::{State, Store, StoreOptions, lock};
use crate::env::Env;
use crate::error::Result;
use crate::kv::MetaStore;
use crate::manifest::Manifest;
use crate::readers::{PendingDeletions, ReaderPin, pin_files};
use crate::segment::BlockCache;
use crate::snapshot::Segment;
use crate::wal::Tail;

/// How often reading starts over because the writer changed files meanwhile, and the pause between.
const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(5);
/// Snapshots of a store that only reads are at most this old.
const AGE_MAX: Duration = Duration::from_millis(100);

pub(super) type Held = (Arc<MetaStore>, Arc<BlockCache>, Arc<PendingDeletions>);

/// What a store that only reads has read.
#[derive(Debug)]
pub(super) struct Follow {
    /// `None` after a failure: everything is read again.
    stamp: Option<(String, u64)>,
    tail: Tail,
    checked: Instant,
    /// Pins of this version and of those before whose segments a snapshot may still hold open.
    pins: Vec<(Option<ReaderPin>, Vec<std::sync::Weak<Segment>>)>,
}

/// The newest state on disk. Segments in `known` are not opened again.
pub(super) fn read_newest(
    env: &Arc<dyn Env>,
    options: &StoreOptions,
    held: &Held,
    known: &[Arc<Segment>],
) -> Result<(State, Follow)> {
    let dir = Path::new("manifest");
    let mut tries = 0;
    loop {
        tries += 1;
        let before = Manifest::stamp(env.as_ref(), dir).ok();
        match read_once(env, options, held, known) {
            Ok(read) => return Ok(read),
            // The same manifest before and after: nobody is in the way, it is damage.
            Err(error) if tries == TRIES => return Err(error),
            Err(error)
                if before.is_some()
                    && before == Manifest::stamp(env.as_ref(), dir).ok()
                    && tries > 2 =>
            {
                return Err(error);
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn read_once(
    env: &Arc<dyn Env>,
    options: &StoreOptions,
    (meta_store, cache, deletions): &Held,
    known: &[Arc<Segment>],
) -> Result<(State, Follow)> {
    let dir = Path::new("manifest");
    let everything = pin_files(env);
    let stamp = Manifest::stamp(env.as_ref(), dir).ok();
    let manifest = Manifest::read(env.as_ref(), dir)?;
    let pin = ReaderPin::take(env, manifest.version);
    drop(everything);
    let mut tail = Tail::new(manifest.replay_from.max(1));
    let mut state = open_state(
        env,
        options,
        manifest,
        (meta_store, cache, deletions),
        known,
    )?;
    if options.durable {
        let mut replay = Replay::new(&mut state);
        tail.read(env.as_ref(), Path::new("wal"), &mut |record| {
            replay.add(&record)
        })?;
        replay.finish()?;
        assert_eq!(
            state.active.last_sequence,
            tail.last_sequence(),
            "ST-3: what is read is applied"
        );
    }
    let segments = state.segments.iter().map(Arc::downgrade).collect();
    Ok((
        state,
        Follow {
            stamp,
            tail,
            checked: Instant::now(),
            pins: vec![(pin, segments)],
        },
    ))
}

impl Store {
    /// Sees what the writer has acknowledged by now, in a store that only reads; elsewhere there is nothing
    /// to do. Returns whether there was something new.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the files.
    pub fn refresh(&self) -> Result<bool> {
        let mut slot = lock(&self.follow);
        let Some(follow) = slot.as_mut() else {
            return Ok(false);
        };
        follow.checked = Instant::now();
        let stamp = Manifest::stamp(self.env.as_ref(), Path::new("manifest")).ok();
        if stamp.is_some() && stamp == follow.stamp && self.options.durable {
            let before = follow.tail.last_sequence();
            let mut state = lock(&self.state);
            let mut replay = Replay::new(&mut state);
            let read = follow
                .tail
                .read(self.env.as_ref(), Path::new("wal"), &mut |record| {
                    replay.add(&record)
                })
                .and_then(|()| replay.finish());
            if read.is_ok() {
                assert_eq!(
                    state.active.last_sequence,
                    follow.tail.last_sequence(),
                    "ST-3: what is read is applied"
                );
                return Ok(follow.tail.last_sequence() > before);
            }
        }
        follow.stamp = None;
        let known = lock(&self.state).segments.clone();
        let held = (
            self.meta_store.clone(),
            self.cache.clone(),
            self.deletions.clone(),
        );
        let (mut state, mut newer) = read_newest(&self.env, &self.options, &held, &known)?;
        drop(known);
        let mut current = lock(&self.state);
        state.closed = current.closed;
        *current = state;
        drop(current);
        // A pin stays until no snapshot has a segment of its version that later versions do not have.
        let live: Vec<_> = newer
            .pins
            .iter()
            .flat_map(|(_, segments)| segments.clone())
            .collect();
        let is_live =
            |segment: &std::sync::Weak<Segment>| live.iter().any(|other| other.ptr_eq(segment));
        let is_held =
            |segment: &std::sync::Weak<Segment>| segment.strong_count() > 0 && !is_live(segment);
        follow
            .pins
            .retain(|(_, segments)| segments.iter().any(is_held));
        newer.pins.append(&mut follow.pins);
        *follow = newer;
        Ok(true)
    }

    /// Refreshes unless that was done a moment ago.
    pub(super) fn follow_writer(&self) -> Result<()> {
        let is_due = lock(&self.follow)
            .as_ref()
            .is_some_and(|follow| follow.checked.elapsed() > AGE_MAX);
        if is_due {
            self.refresh()?;
        }
        Ok(())
    }
}

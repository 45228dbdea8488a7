//! The places of connections: so many at a time, both ports together. When all are taken, those that have been without a
//! request for longest make room: connections that nobody uses keep out none that is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::connection::Connection;

/// This part of the connections is asked for room at a time.
const ASKED_PART: usize = 128;
/// How long is waited for a place before others are asked.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// The places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// A place that is taken; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    places: Arc<Places>,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for a connection, once there is one.
    pub(super) async fn take(self: &Arc<Self>, connection: &Arc<Connection>) -> Place {
        loop {
            if let Some(place) = self.try_take(connection) {
                return place;
            }
            self.ask_for_room();
            let _ = tokio::time::timeout(LOOK_PAUSE, self.freed.notified()).await;
        }
    }

    fn try_take(self: &Arc<Self>, connection: &Arc<Connection>) -> Option<Place> {
        let mut open = self.open();
        if open.connections.len() >= self.most {
            return None;
        }
        let id = open.next_id;
        open.next_id += 1;
        open.connections.insert(id, connection.clone());
        Some(Place {
            id,
            places: self.clone(),
        })
    }

    /// Asks those that are idle for longest.
    fn ask_for_room(&self) {
        let open = self.open();
        let idle =
            |connection: &Arc<Connection>| Some((connection.idle_since()?, connection.clone()));
        let mut idle: Vec<(Instant, Arc<Connection>)> =
            open.connections.values().filter_map(idle).collect();
        drop(open);
        idle.sort_by_key(|(since, _)| *since);
        let count = self.most / ASKED_PART + 1;
        let asked = idle
            .iter()
            .filter(|(_, connection)| connection.ask_for_room());
        asked.take(count).for_each(drop);
    }

    /// Waits until no connection is left.
    pub(crate) async fn all_left(&self) {
        while !self.open().connections.is_empty() {
            let _ = tokio::time::timeout(LOOK_PAUSE, self.freed.notified()).await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().connections.remove(&self.id);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Times, Verdict};
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const TIMES: Times = Times {
        head: LONG,
        idle: LONG,
        answer: LONG,
    };

    #[test]
    fn whoever_is_idle_for_longest_makes_room_and_whoever_asks_does_not() {
        let places = Places::new(3);
        let [asking, old, new] = std::array::from_fn(|_| {
            std::thread::sleep(Duration::from_millis(2));
            Connection::new()
        });
        let _request = asking.begin();
        let mut taken: Vec<Place> = [&asking, &old, &new]
            .into_iter()
            .map(|connection| places.try_take(connection).unwrap())
            .collect();
        let late = Connection::new();
        assert!(places.try_take(&late).is_none());
        places.ask_for_room();
        let verdicts = [&asking, &old, &new].map(|connection| connection.verdict(&TIMES));
        assert_eq!(verdicts, [Verdict::GoOn, Verdict::Room, Verdict::GoOn]);
        places.ask_for_room();
        assert_eq!(
            new.verdict(&TIMES),
            Verdict::Room,
            "the next, as the first has not left"
        );
        taken.remove(1);
        assert!(places.try_take(&late).is_some());
    }
}

//! Long runs: what a process uses, and what it leaves on the disk, does not grow with time.
//!
//! The test command has a short form of each; `TRACEHOUSE_TEST_READER_SECONDS=300` and
//! `TRACEHOUSE_TEST_SOAK_SECONDS=1200` make the long ones, in which growth is measured too.

mod model;
mod readers;
mod soak;

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Bytes of memory that count as no growth.
const MEMORY_SLACK: u64 = 48 << 20;
/// Descriptors and files that count as no growth.
const COUNT_SLACK: u64 = 16;

/// A duration in seconds from the environment.
fn seconds(variable: &str) -> Option<Duration> {
    let text = std::env::var(variable).ok()?;
    Some(Duration::from_secs(text.parse().unwrap()))
}

/// What this process uses.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    /// Resident memory, bytes.
    memory: u64,
    /// Open descriptors.
    descriptors: u64,
}

impl Usage {
    /// As the system tells; zero where it does not.
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
        Self {
            memory: kib.unwrap_or(0) << 10,
            descriptors,
        }
    }
}

/// Fails when the last third of a series rises above the third before it by more than a fifth and `slack`.
fn assert_flat(what: &str, series: &[u64], slack: u64) {
    let third = series.len() / 3;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    let (before, last) = (most(&series[third..2 * third]), most(&series[2 * third..]));
    assert!(
        last <= before + before / 5 + slack,
        "{what} grows: {before}, then {last}"
    );
}

/// Number and bytes of the files below a folder, some of which may go meanwhile.
fn disk_use(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let (below, size) = match metadata.is_dir() {
            true => disk_use(&entry.path()),
            false => (1, metadata.len()),
        };
        files += below;
        bytes += size;
    }
    (files, bytes)
}

#[test]
fn what_grows_is_told_from_what_does_not() {
    assert_flat("even", &[9, 9, 100, 101, 99, 100, 101, 103, 98], 0);
    let grows = std::panic::catch_unwind(|| assert_flat("odd", &[1, 2, 3, 4, 5, 6, 7, 8, 9], 1));
    assert!(grows.is_err());
    assert!(Usage::now().descriptors > 0 || !cfg!(target_os = "linux"));
}

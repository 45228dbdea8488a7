//! What the system says of this process. Where it says nothing, nothing is told.

use std::fs;

const KIB: u64 = 1024;

/// Figures of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Own {
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
}

/// Reads them. Counts open files one by one.
pub(super) fn own() -> Own {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| {
        let kib = line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?;
        kib.parse::<u64>().ok()?.checked_mul(KIB)
    });
    let open_files = fs::read_dir("/proc/self/fd").map(|entries| entries.count() as u64);
    Own {
        resident_bytes: resident,
        open_files: open_files.ok(),
        open_files_max: open_files_max(),
    }
}

/// How many files and sockets the process may have open.
pub(crate) fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_of_this_process() {
        let own = own();
        assert!(own.resident_bytes.unwrap() > 1 << 20);
        assert!(own.open_files.unwrap() > 2);
        assert!(own.open_files_max.unwrap() >= own.open_files.unwrap());
    }
}

//! Power cuts on real file systems: an image of ext4 and one of XFS, each on a loop device, lose everything that
//! was not synced, while a process imports (ST-1, ST-2).
//!
//! A cut is the file system's shutdown without flushing its journal, then the end of the process, an unmount, and
//! a mount that recovers the journal, as a boot does. The imports are those of [`kill`](crate::kill). It takes
//! root, loop devices, `mkfs.ext4` or `mkfs.xfs`, and `python3` for the call that shuts down; where one of these is
//! missing a notice says so. `TRACEHOUSE_POWER_CUTS` sets how often each file system is cut. What a drive keeps in
//! a cache of its own is not modelled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::kill::{assert_intact, command_line, library, run_and_stop};
use crate::order::Random;
use crate::support::{open, say, seed, setting};

/// Cuts of each file system.
const CUTS: u64 = 10;
/// A database is left to itself after so many cuts, and a new one begun.
const CUTS_OF_ONE: u64 = 25;
/// `FS_IOC_SHUTDOWN` with the flag that says: do not flush the journal.
const SHUTDOWN: &str = "import fcntl, os, struct, sys, time; \
    root = os.open(sys.argv[1], os.O_RDONLY); print(time.time_ns()); \
    fcntl.ioctl(root, 0x8004587D, struct.pack('I', 2))";

/// A file system in an image file, mounted while this lives.
pub struct Mounted {
    folder: TempDir,
    options: &'static str,
}

impl Mounted {
    /// A new file system of so many MiB; `None` with a notice where that cannot be.
    pub fn new(kind: &str, mebibytes: u64, make: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Self {
            folder,
            options: "loop",
        };
        let image = mounted.image();
        std::fs::File::create(&image)
            .unwrap()
            .set_len(mebibytes << 20)
            .unwrap();
        std::fs::create_dir(mounted.root()).unwrap();
        let made = run(Command::new(format!("mkfs.{kind}")).args(make).arg(&image));
        let done = made.and_then(|()| mounted.mount());
        mounted.unless_skipped(kind, done)
    }

    /// A file system in memory.
    pub fn in_memory(options: &'static str) -> Option<Self> {
        let mounted = Self {
            folder: tempfile::tempdir().unwrap(),
            options,
        };
        std::fs::create_dir(mounted.root()).unwrap();
        let done = run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(mounted.root()));
        mounted.unless_skipped("tmpfs", done)
    }

    fn unless_skipped(self, kind: &str, done: Result<(), String>) -> Option<Self> {
        match done {
            Ok(()) => Some(self),
            Err(why) => {
                say(&format!(
                    "NOTICE: skipped, as no {kind} can be made and mounted here: {why}"
                ));
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount")
            .args(["-o", self.options])
            .arg(self.image())
            .arg(self.root()))
    }

    /// Nothing reaches the image from now on. Gives the time before that: a sync that is under way while the file
    /// system shuts down may return without an error and without having synced, which no power cut does.
    fn shut_down(&self) -> SystemTime {
        let output = Command::new("python3")
            .args(["-c", SHUTDOWN])
            .arg(self.root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_nanos(text.trim().parse().unwrap())
    }

    /// What there is after the power is back.
    fn boot(&self) {
        run(Command::new("umount").arg(self.root())).unwrap();
        self.mount().unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nothing is mounted when making it failed.
        let _ = Command::new("umount").arg(self.root()).output();
    }
}

/// Runs a program to its end; what it said when it failed.
fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// Cuts the power of imports again and again.
fn cut_power(kind: &str, mounted: &Mounted) {
    let wanted = setting("TRACEHOUSE_POWER_CUTS", CUTS);
    let seed = seed();
    let mut random = Random::new(seed);
    let (mut cuts, mut databases, mut lines_in_all) = (0, 0, 0);
    for importer in [library, command_line].into_iter().cycle() {
        if cuts == wanted {
            break;
        }
        databases += 1;
        let path = mounted.root().join(format!("{databases}.traces"));
        let (mut acknowledged, mut goes_on) = (0, true);
        let last = wanted.min(cuts + CUTS_OF_ONE);
        while goes_on && cuts < last {
            let when = (
                random.below(25),
                Duration::from_micros(random.below(30_000) as u64),
            );
            let lines;
            (lines, goes_on) = run_and_stop(importer(&path, acknowledged), when, |child| {
                let before = mounted.shut_down();
                child.kill().unwrap();
                Some(before)
            });
            mounted.boot();
            (acknowledged, lines_in_all) = (acknowledged + lines, lines_in_all + lines);
            cuts += 1;
            let what = format!(
                "{kind}, seed {seed}, cut {cuts} {when:?} on, {acknowledged} lines acknowledged"
            );
            assert_intact(&open(&path), acknowledged, &what);
        }
        remove(&path);
    }
    say(&format!(
        "power cuts: {cuts} on {kind}, {databases} databases, {lines_in_all} lines acknowledged, seed {seed}"
    ));
}

/// Makes room for the next database.
fn remove(path: &Path) {
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_power_cut_on_ext4_loses_nothing_acknowledged() {
    let Some(mounted) = Mounted::new("ext4", 256, &["-q", "-F"]) else {
        return;
    };
    cut_power("ext4", &mounted);
}

#[test]
fn a_power_cut_on_xfs_loses_nothing_acknowledged() {
    let Some(mounted) = Mounted::new("xfs", 400, &["-q"]) else {
        return;
    };
    cut_power("XFS", &mounted);
}

//! Statements typed before, kept in the user's state folder, each as soon as it is typed: a shell that is killed
//! has lost none. Failing to keep them is no failure.
//!
//! The file has a line for each, as a JSON string; lines that are none were written by earlier versions and stand
//! for themselves.

// The history is the user's file, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Statements that a shell begins with.
pub const ENTRIES_MAX: usize = 1_000;
/// The file is cut to the latest when it has this many.
const KEPT_MAX: usize = 4 * ENTRIES_MAX;

/// The history of one user.
#[derive(Debug)]
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// That of the user: `$XDG_STATE_HOME/tracehouse/history`, by default below `~/.local/state`.
    pub fn of_user() -> Self {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        Self {
            path: state.map(|state| state.join("tracehouse").join("history")),
        }
    }

    /// The latest statements, oldest first.
    pub fn load(&self) -> Vec<String> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        let text = fs::read_to_string(path).unwrap_or_default();
        let entries: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let latest = entries
            .get(entries.len().saturating_sub(ENTRIES_MAX)..)
            .unwrap_or_default();
        if entries.len() > KEPT_MAX {
            replace(path, latest);
        }
        latest
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| (*line).to_string()))
            .collect()
    }

    /// Keeps one more.
    pub fn add(&self, statement: &str) {
        let (Some(path), Ok(mut line)) = (&self.path, serde_json::to_string(statement)) else {
            return;
        };
        if let Some(folder) = path.parent() {
            // Opening fails then, too.
            let _ = fs::create_dir_all(folder);
        }
        line.push('\n');
        if let Ok(mut file) = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
        {
            // One write: two shells do not mix theirs.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn replace(path: &Path, lines: &[&str]) {
    let part = path.with_extension("part");
    let text = format!("{}\n", lines.join("\n"));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    // Where that fails the old one stays.
    let _ = written.and_then(|()| fs::rename(&part, path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_there_as_they_were_typed() {
        let folder =
            std::env::temp_dir().join(format!("tracehouse-history-{}", std::process::id()));
        let history = History {
            path: Some(folder.join("a/history")),
        };
        assert!(history.load().is_empty());
        history.add("SELECT 1\n  AS a;");
        fs::write(
            folder.join("a/history"),
            fs::read_to_string(folder.join("a/history")).unwrap() + "old\\n\n",
        )
        .unwrap();
        history.add(".tables");
        assert_eq!(history.load(), ["SELECT 1\n  AS a;", "old\\n", ".tables"]);
        for number in 0..KEPT_MAX {
            history.add(&format!("SELECT {number};"));
        }
        assert_eq!(history.load().len(), ENTRIES_MAX);
        assert_eq!(
            fs::read_to_string(folder.join("a/history"))
                .unwrap()
                .lines()
                .count(),
            ENTRIES_MAX
        );
        assert_eq!(
            history.load().last().unwrap(),
            &format!("SELECT {};", KEPT_MAX - 1)
        );
        fs::remove_dir_all(folder).unwrap();
    }
}

//! Lines typed before, kept in the user's state folder. Failing to keep them is no failure.

// The history is the user's file, not the database's.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::PathBuf;

/// Lines kept.
pub const LINES_MAX: usize = 1_000;

/// The lines of earlier shells, oldest first.
pub fn load() -> Vec<String> {
    let text = file().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

/// Keeps the latest lines.
pub fn save(lines: &[String]) {
    let Some(path) = file() else { return };
    let kept = lines.get(lines.len().saturating_sub(LINES_MAX)..).unwrap_or_default();
    let mut text = kept.join("\n");
    text.push('\n');
    if let Some(folder) = path.parent() {
        // The write below fails then, too.
        let _ = fs::create_dir_all(folder);
    }
    let _ = fs::write(&path, text);
}

/// `$XDG_STATE_HOME/tracehouse/history`, by default below `~/.local/state`.
fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("tracehouse").join("history"))
}

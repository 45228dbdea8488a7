//! The manifest: which segments, masks and catalogue files are the database.
//!
//! A file `<10-digit number>` is a sequence of frames (`frame`), numbered by the state's
//! version: a head with a full [`ManifestState`], then one [`ManifestEdit`] per commit. `CURRENT` names
//! the live file.
//!
//! ```text
//! manifest/0000000007   [state v41] [edit v42] [edit v43]     every commit: append, fdatasync
//! manifest/0000000008   [state v43] [edit v44] ...            at every open, and past a size
//! manifest/CURRENT      "0000000008\n"                        tmp, fsync, rename, fsync of the folder
//! ```
//!
//! Invariants
//! * ST-2: a file is synced before the manifest names it; an edit is in force when `commit` returns.
//! * ST-4: manifest files are only appended to, by the one open that made them, or unlinked.
//! * ST-6: a torn last edit is cut (it was never in force), damage before is `Corrupt`; a failed commit
//!   or change of file leaves the manifest `Closed`.

mod edit;
mod mask;
mod state;
mod store;

#[cfg(test)]
mod tests;

pub use edit::ManifestEdit;
pub use state::{CatalogFile, FileEnd, FileMeta, ManifestState, SegmentId, SegmentMeta};
pub use store::Manifest;

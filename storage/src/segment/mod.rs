//! Segments: immutable Parquet files of one sealed memtable or one compaction, written once and
//! read by many. The only module that knows parquet (AR-2).
//!
//! Writing: `writer` splits rows into row groups, `encode` encodes their columns on a few threads
//! under the properties of `layout`, `file` hashes the bytes on their way out and ends the file with `sums`.
//! Reading: `reader` opens files, `footer` parses and caches what their ends say, `prune` decides
//! which row groups and pages can hold wanted rows, `selection` puts wanted rows together, `projection`
//! names columns, `scan` goes through the blocks, `blocks` keeps decoded ones, `open_files` open files, `decode` decodes.
//!
//! `payload`, `preview` and `crate::packing`: how a file's columns differ from its table's.
//!
//! `table_file` is apart: the catalogue's files, one table each.

mod block_rows;
mod blocks;
mod decode;
mod encode;
pub mod export;
mod file;
mod footer;
mod layout;
mod open_files;
mod payload;
mod preview;
mod projection;
mod prune;
mod reader;
mod rows;
mod scan;
mod selection;
mod sums;
mod table_file;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::packed::{ABSENT_TEXT, stored_members};
pub use blocks::BlockCache;
pub(crate) use blocks::OPEN_FILES_MAX;
pub use layout::{FORMAT_VERSION, SegmentOptions, file_name};
pub use reader::{SegmentReader, describe, verify_file};
pub use table_file::{read_table_file, write_table_file};
pub use writer::SegmentWriter;

//! Sums of the files of an index in a directory, so that nothing is read that is not what was written: tantivy
//! takes damaged bytes for lengths and offsets, and panics, or answers from them.
//!
//! The file `sums` has a magic, the CRC-32C of what follows, and of each file its name, its length and the CRC-32C
//! of its blocks of 4 KiB (postcard). It is written last. An index without is of an older version or unfinished.
//!
//! Invariant ST-5: a block is compared before the first byte of it is given out; what differs is an error, and the
//! index is built anew.

// tantivy writes its own files; the folder is derived and no truth file (ST-5).
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The name of the file.
pub(crate) const SUMS_FILE: &str = "sums";

const MAGIC: &[u8; 8] = b"THTEXTS1";
/// A page of the system's cache: whole blocks cost no more reading.
const BLOCK_BYTES: usize = 4096;

/// Of one file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    len: u64,
    blocks: Vec<u32>,
}

/// The sums of one file, and which of its blocks were compared since the index was opened.
#[derive(Debug)]
pub(super) struct FileSums {
    sums: Sums,
    compared: Vec<AtomicU64>,
}

/// The sums of all files of an index, by name.
#[derive(Debug)]
pub(super) struct TextSums(BTreeMap<String, FileSums>);

impl TextSums {
    /// Sums up all files of a directory and notes that beside them, durably.
    pub(super) fn write(directory: &Path) -> io::Result<()> {
        let mut files = BTreeMap::new();
        for (name, path) in files_of(directory)? {
            files.insert(name, Sums::of(&path)?);
        }
        let body = postcard::to_allocvec(&files).map_err(io::Error::other)?;
        let mut file = File::create(directory.join(SUMS_FILE))?;
        file.write_all(MAGIC)?;
        file.write_all(&crc32c::crc32c(&body).to_le_bytes())?;
        file.write_all(&body)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    }

    /// The sums in a directory.
    pub(super) fn read(directory: &Path) -> io::Result<TextSums> {
        let bytes = match fs::read(directory.join(SUMS_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
                return Err(invalid(
                    "without sums, made by another version or unfinished".to_owned(),
                ));
            }
            read => read?,
        };
        let body = bytes
            .strip_prefix(MAGIC)
            .and_then(<[u8]>::split_first_chunk::<4>);
        let body = body.filter(|(sum, body)| crc32c::crc32c(body).to_le_bytes() == **sum);
        let (_, body) = body.ok_or_else(|| invalid(format!("the file {SUMS_FILE} is damaged")))?;
        let files: BTreeMap<String, Sums> = postcard::from_bytes(body).map_err(io::Error::other)?;
        Ok(TextSums(
            files
                .into_iter()
                .map(|(name, sums)| (name, FileSums::new(sums)))
                .collect(),
        ))
    }

    /// The checksums of a file of the index; `None` when there are none of it.
    pub(super) fn of(&self, path: &Path) -> Option<&FileSums> {
        self.0.get(path.to_str()?)
    }

    /// The files of a directory that are not as they were written, by name.
    pub(super) fn damaged(directory: &Path) -> io::Result<Vec<String>> {
        let is_damaged = |name: &str, wanted: &FileSums| match Sums::of(&directory.join(name)) {
            Ok(found) => Ok(found != wanted.sums),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        };
        let mut damaged = Vec::new();
        for (name, sums) in Self::read(directory)?.0 {
            if is_damaged(&name, &sums)? {
                damaged.push(name);
            }
        }
        Ok(damaged)
    }
}

impl Sums {
    fn of(path: &Path) -> io::Result<Sums> {
        let (mut file, mut sums) = (File::open(path)?, Sums::default());
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        loop {
            block.clear();
            Read::by_ref(&mut file)
                .take(BLOCK_BYTES as u64)
                .read_to_end(&mut block)?;
            if block.is_empty() {
                let blocks = sums.len.div_ceil(BLOCK_BYTES as u64);
                debug_assert_eq!(sums.blocks.len() as u64, blocks, "each block has a sum");
                return Ok(sums);
            }
            sums.len += block.len() as u64;
            sums.blocks.push(crc32c::crc32c(&block));
        }
    }
}

impl FileSums {
    fn new(sums: Sums) -> FileSums {
        let compared = (0..sums.blocks.len().div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        FileSums { sums, compared }
    }

    /// Checks that a file of `len` bytes is as long as it was written.
    pub(super) fn check_len(&self, len: usize) -> io::Result<()> {
        match self.sums.len == len as u64 {
            true => Ok(()),
            false => Err(invalid(format!("{len} bytes instead of {}", self.sums.len))),
        }
    }

    /// Compares the blocks that the bytes of `range` lie in, unless that was done before. `read` gives bytes of the
    /// file.
    pub(super) fn check<B: AsRef<[u8]>>(
        &self,
        range: Range<usize>,
        read: impl Fn(Range<usize>) -> io::Result<B>,
    ) -> io::Result<()> {
        let len = usize::try_from(self.sums.len).map_err(io::Error::other)?;
        if range.start > range.end || range.end > len {
            return Err(invalid(format!(
                "bytes {} to {} of {len} asked for",
                range.start, range.end
            )));
        }
        for block in range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES) {
            let (word, bit) = (self.compared.get(block / 64), 1_u64 << (block % 64));
            if word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0) {
                continue;
            }
            let start = block * BLOCK_BYTES;
            let bytes = read(start..(start + BLOCK_BYTES).min(len))?;
            if self.sums.blocks.get(block) != Some(&crc32c::crc32c(bytes.as_ref())) {
                return Err(invalid(format!("the block at byte {start} is damaged")));
            }
            if let Some(word) = word {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

fn files_of(directory: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| invalid(format!("a file {name:?}")))?;
        if entry.file_type()?.is_file() && name != SUMS_FILE {
            files.push((name, entry.path()));
        }
    }
    Ok(files)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_changed_byte_is_found_and_only_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let whole: Vec<u8> = (0..10_000).map(|at| (at * 7 / 5) as u8).collect();
        fs::write(root.path().join("a"), &whole).unwrap();
        fs::write(root.path().join("empty"), []).unwrap();
        TextSums::write(root.path()).unwrap();
        assert_eq!(
            TextSums::damaged(root.path()).unwrap(),
            Vec::<String>::new()
        );
        for at in [0, 4_095, 4_096, 9_999] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let sums = TextSums::read(root.path()).unwrap();
            let file = sums.of(Path::new("a")).unwrap();
            for block in 0..3 {
                let range = block * BLOCK_BYTES + 5..block * BLOCK_BYTES + 6;
                let checked = file.check(range, |range| Ok(&bytes[range]));
                assert_eq!(
                    checked.is_ok(),
                    at / BLOCK_BYTES != block,
                    "byte {at}, block {block}"
                );
            }
            fs::write(root.path().join("a"), &bytes).unwrap();
            assert_eq!(TextSums::damaged(root.path()).unwrap(), ["a"]);
        }
        let sums = TextSums::read(root.path()).unwrap();
        let file = sums.of(Path::new("a")).unwrap();
        assert!(file.check(0..10_001, |range| Ok(&whole[range])).is_err());
        assert!(file.check(7..7, |range| Ok(&whole[range])).is_ok());
        assert!(file.check_len(9_999).is_err() && sums.of(Path::new("b")).is_none());
        fs::remove_file(root.path().join("a")).unwrap();
        assert_eq!(TextSums::damaged(root.path()).unwrap(), ["a"]);
        let path = root.path().join(SUMS_FILE);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, &bytes).unwrap();
            assert!(TextSums::read(root.path()).is_err(), "byte {at}");
        }
    }
}

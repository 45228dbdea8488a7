//! Open files and locks of a simulated disk.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tracehouse_storage::env::{EnvLock, EnvReader, EnvWriter};

use super::disk::{Node, Op};
use super::fault::{Call, EIO, ENOSPC, Fault, Strike};
use super::sim::SimEnv;

/// A file being written.
pub struct SimWriter {
    pub env: SimEnv,
    pub path: PathBuf,
    pub node: Node,
    pub len: u64,
}

impl Write for SimWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut state = self.env.state();
        let taken = match state.fault(Call::Write) {
            Some(Fault::Errno(number)) => return Err(io::Error::from_raw_os_error(number)),
            Some(Fault::ShortWrite) if data.len() > 1 => {
                // The rest is tried at once, and there is no room for it.
                let call = state.calls.len() + 1;
                state.strike = Some(Strike {
                    call,
                    fault: Fault::Errno(ENOSPC),
                    lasts: false,
                });
                &data[..data.len() / 2]
            }
            _ => data,
        };
        state.act(Op::Write(self.node, taken.into()));
        self.len += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl EnvWriter for SimWriter {
    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.env.state();
        match state.fault(Call::Sync) {
            Some(Fault::Errno(number)) => return Err(io::Error::from_raw_os_error(number)),
            Some(Fault::LostSync) => {
                state.act(Op::LoseFile(self.node));
                return Err(io::Error::from_raw_os_error(EIO));
            }
            _ => {}
        }
        if !state
            .left_out
            .is_some_and(|left_out| left_out(&self.path, false))
        {
            state.act(Op::SyncFile(self.node));
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// A file being read, as it was when it was opened.
pub struct SimReader {
    pub env: SimEnv,
    pub content: Arc<Vec<u8>>,
}

impl fmt::Debug for SimReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimReader")
    }
}

impl EnvReader for SimReader {
    fn len(&self) -> u64 {
        self.content.len() as u64
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        drop(self.env.call(Call::Read)?);
        let start = usize::try_from(offset).unwrap();
        let end = start
            .checked_add(len)
            .filter(|end| *end <= self.content.len());
        let end = end.ok_or(ErrorKind::UnexpectedEof)?;
        Ok(Bytes::copy_from_slice(&self.content[start..end]))
    }
}

/// A held lock.
pub struct SimLock {
    pub env: SimEnv,
    pub path: PathBuf,
}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimLock")
    }
}

impl EnvLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.env.unlock(&self.path);
    }
}

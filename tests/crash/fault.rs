//! Faults of a simulated disk: what they are, which file operations can have them, and when they strike.

/// Input or output failed.
pub const EIO: i32 = 5;
/// Interrupted by a signal.
pub const EINTR: i32 = 4;
/// Too many open files.
pub const EMFILE: i32 = 24;
/// No space left.
pub const ENOSPC: i32 = 28;

/// A fault to inject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// An error of the operating system, by number.
    Errno(i32),
    /// A write that takes only half of the bytes, and fails when it is tried again.
    ShortWrite,
    /// A sync that fails and loses what was to be synced, while reading still finds it.
    LostSync,
}

/// What a file operation does, which decides which faults it may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Call {
    /// Opens, lists or creates.
    Open,
    Create,
    Read,
    Write,
    Sync,
    /// Changes names.
    Names,
}

impl Fault {
    /// Whether a call can have it.
    pub fn concerns(self, call: Call) -> bool {
        match self {
            Self::ShortWrite => call == Call::Write,
            Self::LostSync => call == Call::Sync,
            Self::Errno(EMFILE) => matches!(call, Call::Open | Call::Create),
            fault if fault.spares_reading() => !matches!(call, Call::Open | Call::Read),
            Self::Errno(_) => true,
        }
    }

    /// Whether only writing can fail in this way.
    pub fn spares_reading(self) -> bool {
        !matches!(self, Self::Errno(EIO | EINTR | EMFILE))
    }
}

/// When a fault strikes: at the call of this number, and at those after it if `lasts`.
#[derive(Debug, Clone, Copy)]
pub struct Strike {
    pub call: usize,
    pub fault: Fault,
    pub lasts: bool,
}

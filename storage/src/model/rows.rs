//! Numbers of rows. A table of a source has fewer than 2^32 rows, and a row's number has 32 bits everywhere: in
//! masks, posting lists and files.

use crate::error::{Error, Result};

/// A number of rows, or the number of a row, of one source.
///
/// # Errors
/// `Internal`: who adds rows to a source refuses those that it cannot have (`RowLog::append`, `SegmentWriter::write`).
pub(crate) fn row_number(rows: usize) -> Result<u32> {
    u32::try_from(rows)
        .map_err(|_| Error::internal(format!("{rows} rows, more than a source can have")))
}

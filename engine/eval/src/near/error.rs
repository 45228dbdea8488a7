//! What may be wrong with the arguments of this module.
//!
//! Invariant: each message names the thing at fault and what would be right.

use std::fmt;

/// Why near-duplicates or a split could not be made. Always the caller's arguments.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NearError {
    /// Shingles of no words.
    ShingleWords,
    /// A threshold that is not above 0 and at most 1.
    Threshold(f64),
    /// More texts than positions of 32 bits.
    TooManyTexts,
    /// Two finders of different thresholds or shingles.
    DifferentSettings,
    /// Not one order key for each text.
    OrderKeys {
        /// Texts that were added.
        texts: usize,
        /// Keys that were given.
        keys: usize,
    },
    /// Names and ratios of parts that cannot be.
    Parts(String),
    /// Two records of one id.
    RepeatedRecord(String),
}

impl fmt::Display for NearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShingleWords => write!(f, "a shingle of 0 words: use 1 or more (3 is usual)"),
            Self::Threshold(threshold) => write!(
                f,
                "threshold {threshold} of similarity: use a number above 0 and at most 1, such as 0.9"
            ),
            Self::TooManyTexts => write!(f, "more than {} texts: use fewer", u32::MAX),
            Self::DifferentSettings => write!(
                f,
                "two sets of texts with different thresholds or shingles: use the same for both"
            ),
            Self::OrderKeys { texts, keys } => {
                write!(
                    f,
                    "{keys} order keys for {texts} texts: give one for each text"
                )
            }
            Self::Parts(message) => f.write_str(message),
            Self::RepeatedRecord(id) => write!(
                f,
                "record id '{id}' is there twice: the ids of the records to split must be distinct"
            ),
        }
    }
}

impl std::error::Error for NearError {}

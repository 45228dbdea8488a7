//! How many steps the search of one text may take, so that no input makes the work grow with the square of the texts.
//!
//! A step is a set looked at or a token compared. Long texts may take more, for one comparison costs them more.
//!
//! Invariant: a limit that is reached is told by the search, never passed over.

/// Steps for each hundred shingles of a text: some hundred comparisons. Of 134,000 paragraphs of
/// documentation and source comments none took an eighth of it.
const STEPS_PER_HUNDRED: u64 = 40_000;

/// Steps of all texts together that are allowed in any case: some seconds. So a few thousand texts of
/// usual length are never cut.
const STEPS_TOTAL: u64 = 2_000_000_000;

/// Steps that a search goes on for after it found a near set, in order to find a nearer one.
pub(super) const NEARER_STEPS_MAX: u64 = 4_000;

/// The limit for texts of any length.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// The same for all.
    Fixed(u64),
    /// By the length of the text, and at least so many.
    ByLength { steps_min: u64 },
}

impl Limit {
    /// What is allowed in a collection of so many texts.
    pub(super) fn for_texts(texts: usize) -> Self {
        Self::ByLength {
            steps_min: STEPS_TOTAL / (texts as u64).max(1),
        }
    }

    /// Steps for a text of so many shingles.
    pub(super) fn steps_max(self, shingles: usize) -> u64 {
        match self {
            Self::Fixed(steps_max) => steps_max,
            Self::ByLength { steps_min } => {
                steps_min.max(STEPS_PER_HUNDRED * (shingles as u64).div_ceil(100))
            }
        }
    }
}

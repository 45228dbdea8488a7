//! The finder: texts go in, near-duplicates come out.
//!
//! The public entrance of this module. It keeps no text, only hashed shingles: eight bytes for each distinct shingle of
//! each distinct text, and about as much again while it searches.
//!
//! Invariant: the two threads that hash a batch change nothing: their halves are taken in order.

use std::ops::Range;

use super::dedupe::{self, Deduped};
use super::error::NearError;
use super::join::{self, Groups, Pairs};
use super::limit::Limit;
use super::nearest::{self, Against};
use super::sets::{Sets, common, rank};
use super::shingles::Shingles;
use super::threshold::Threshold;

/// Texts that are hashed before they are stored, so that the room for them stays small.
const BATCH_TEXTS: usize = 8192;

/// Below so many, a second thread does not pay.
const THREAD_TEXTS_MIN: usize = 128;

/// Finds near-duplicates among texts: those whose sets of shingles have a Jaccard similarity of at least the threshold.
///
/// A search takes steps: texts looked at, shingles compared. One text may take 40,000 for each hundred of its shingles, or
/// more in a small collection (2,000,000,000 shared out among its texts), which only texts made of a few common pieces
/// need. A text that would take more is named in `cut` of the result: near-duplicates of it may be missing.
/// [`NearFinder::steps_max`] sets another limit.
///
/// ```
/// use tracehouse_eval::near::NearFinder;
///
/// let mut finder = NearFinder::new(0.5)?;
/// finder.add("the cat sat on the mat today")?;
/// finder.add("a dog ran over the road")?;
/// finder.add("The cat sat on the mat.")?;
/// let pairs = finder.pairs(100);
/// assert_eq!(pairs.pairs.len(), 1);
/// assert_eq!(pairs.pairs.first().map(|pair| (pair.a, pair.b, pair.similarity)), Some((0, 2, 0.8)));
/// # Ok::<(), tracehouse_eval::near::NearError>(())
/// ```
#[derive(Debug)]
pub struct NearFinder {
    threshold: Threshold,
    shingles: Shingles,
    limit: Option<Limit>,
    sets: Sets,
    words: Vec<[u8; 8]>,
    hashes: Vec<u64>,
}

impl NearFinder {
    /// A finder with shingles of three words. At threshold 1 only texts of the same shingles are near.
    ///
    /// # Errors
    /// When the threshold is not above 0 and at most 1.
    pub fn new(threshold: f64) -> Result<Self, NearError> {
        Self::with_shingles(threshold, Shingles::default())
    }

    /// A finder with other shingles.
    ///
    /// # Errors
    /// When the threshold is not above 0 and at most 1.
    pub fn with_shingles(threshold: f64, shingles: Shingles) -> Result<Self, NearError> {
        Ok(Self {
            threshold: Threshold::new(threshold)?,
            shingles,
            limit: None,
            sets: Sets::default(),
            words: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Sets how many steps one text's search may take; `u64::MAX` for no limit.
    pub fn steps_max(mut self, steps_max: u64) -> Self {
        self.limit = Some(Limit::Fixed(steps_max));
        self
    }

    /// Adds a text; returns its position, counted from 0.
    ///
    /// # Errors
    /// When there are 4,294,967,295 texts already.
    pub fn add(&mut self, text: &str) -> Result<usize, NearError> {
        self.shingles.hash(text, &mut self.words, &mut self.hashes);
        self.sets.push(&self.hashes)
    }

    /// Adds texts on two threads; returns their positions.
    ///
    /// # Errors
    /// When there would be more than 4,294,967,295 texts.
    pub fn add_all<T: AsRef<str> + Sync>(
        &mut self,
        texts: &[T],
    ) -> Result<Range<usize>, NearError> {
        let start = self.len();
        for batch in texts.chunks(BATCH_TEXTS) {
            if batch.len() < THREAD_TEXTS_MIN {
                for text in batch {
                    self.add(text.as_ref())?;
                }
                continue;
            }
            let (a, b) = batch.split_at(batch.len() / 2);
            let (mut hashed_a, mut hashed_b) = (Hashed::default(), Hashed::default());
            std::thread::scope(|scope| {
                scope.spawn(|| hashed_a = Hashed::of(a, self.shingles));
                hashed_b = Hashed::of(b, self.shingles);
            });
            hashed_a.store(&mut self.sets)?;
            hashed_b.store(&mut self.sets)?;
        }
        Ok(start..self.len())
    }

    /// How many texts were added.
    pub fn len(&self) -> usize {
        self.sets.texts()
    }

    /// Whether no text was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exact Jaccard similarity of two texts by position; `None` when there is no such text.
    pub fn similarity(&self, a: usize, b: usize) -> Option<f64> {
        let (a, b) = (self.sets.hashes_of_text(a)?, self.sets.hashes_of_text(b)?);
        let shared = common(&a, &b, 0, &mut 0)?;
        Some(shared as f64 / (a.len() + b.len() - shared) as f64)
    }

    /// Texts that are near, directly or over others, as groups of two or more.
    pub fn groups(&mut self) -> Groups {
        rank(&mut [&mut self.sets]);
        join::groups(&self.sets, self.threshold, self.limit())
    }

    /// Pairs of near texts, up to so many: copies of one text alone make half the square of their number.
    pub fn pairs(&mut self, pairs_max: usize) -> Pairs {
        rank(&mut [&mut self.sets]);
        join::pairs(&self.sets, self.threshold, self.limit(), pairs_max)
    }

    /// Which of these texts have a near-duplicate among the other's, and which one: whether a test set leaks into a training
    /// set. The limit of steps is this finder's.
    ///
    /// # Errors
    /// When the two have different thresholds or shingles.
    pub fn against(&mut self, other: &mut Self) -> Result<Against, NearError> {
        if self.threshold != other.threshold || self.shingles != other.shingles {
            return Err(NearError::DifferentSettings);
        }
        rank(&mut [&mut self.sets, &mut other.sets]);
        let limit = self.limit();
        Ok(nearest::against(
            &self.sets,
            &other.sets,
            self.threshold,
            limit,
        ))
    }

    /// Leaves out near-duplicates. Texts are taken by ascending order key (age, say), those of one key by position; each is
    /// kept unless one that was kept before it is near, so the first of a group always is.
    ///
    /// # Errors
    /// When there is not one key for each text.
    pub fn dedupe<K: Ord>(&mut self, order: &[K]) -> Result<Deduped, NearError> {
        if order.len() != self.len() {
            return Err(NearError::OrderKeys {
                texts: self.len(),
                keys: order.len(),
            });
        }
        rank(&mut [&mut self.sets]);
        let mut texts: Vec<usize> = (0..order.len()).collect();
        texts.sort_by_key(|text| order.get(*text));
        Ok(dedupe::deduped(
            &self.sets,
            self.threshold,
            self.limit(),
            &texts,
        ))
    }

    fn limit(&self) -> Limit {
        self.limit.unwrap_or(Limit::for_texts(self.len()))
    }
}

/// The hashes of a run of texts, before they are stored.
#[derive(Default)]
struct Hashed {
    hashes: Vec<u64>,
    lengths: Vec<usize>,
}

impl Hashed {
    fn of<T: AsRef<str>>(texts: &[T], shingles: Shingles) -> Self {
        let mut hashed = Self::default();
        let (mut words, mut hashes) = (Vec::new(), Vec::new());
        for text in texts {
            shingles.hash(text.as_ref(), &mut words, &mut hashes);
            hashed.hashes.extend_from_slice(&hashes);
            hashed.lengths.push(hashes.len());
        }
        hashed
    }

    fn store(&self, sets: &mut Sets) -> Result<(), NearError> {
        let mut rest = self.hashes.as_slice();
        for length in &self.lengths {
            let Some((hashes, after)) = rest.split_at_checked(*length) else {
                break;
            };
            sets.push(hashes)?;
            rest = after;
        }
        Ok(())
    }
}

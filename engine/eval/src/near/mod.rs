//! Near-duplicates of texts: found, grouped, dropped, kept together in a split, looked for in another dataset.
//!
//! It stands above nothing but hashes: the caller gives texts, order keys and group keys, and gets positions back. Texts
//! are not kept; of each one its set of hashed shingles is.
//!
//! ```text
//! text -> words -> shingles -> Sets (hashed, copies folded, rare shingles first)
//! Sets -> Index of prefixes -> candidates -> exact Jaccard -> groups, pairs, against, dedupe
//! groups, sessions, users -> split: whole groups dealt to parts
//! ```
//!
//! **Why no MinHash.** Two sets of Jaccard `t` or more must share a shingle among the first few of each, when all sets are
//! written in one order. With the rarest shingles first, those few are hardly ever shared by chance. So the search finds
//! *every* pair at the threshold, where bands of MinHash find 95 to 99 of 100, and texts that share boilerplate do not
//! meet in one bucket, because boilerplate stands last in the order.
//!
//! Invariants:
//! 1. A reported pair has an exact Jaccard of at least the threshold, but for collisions of 56-bit hashes.
//! 2. Every pair at the threshold is found, but for texts named in `cut`, whose search reached its limit.
//! 3. Results depend on the texts, their positions and the caller's keys, not on threads or hash maps; which texts are near
//!    does not depend on their positions either.
//!
//! ```
//! use tracehouse_eval::near::{NearFinder, Parts, SplitRecord, split};
//!
//! let texts = [
//!     "How do I reset my password, please? I forgot it.",
//!     "how do I reset my password please, I forgot it",
//!     "Which plan has single sign-on?",
//!     "What does the team plan cost?",
//! ];
//! let mut finder = NearFinder::new(0.8)?;
//! finder.add_all(&texts)?;
//! let groups = finder.groups();
//! assert_eq!(groups.groups, [[0, 1]]);
//!
//! let number = groups.numbers(texts.len());
//! let records: Vec<SplitRecord> = (0..texts.len())
//!     .map(|at| SplitRecord {
//!         id: format!("r{at}"),
//!         keys: vec![number.get(at).copied().flatten().map(|n| n.to_string())],
//!     })
//!     .collect();
//! let parts = Parts::new(&["train", "test"], &[50.0, 50.0])?;
//! let split = split(&records, &parts, 7)?;
//! assert_eq!(split.part_of.first(), split.part_of.get(1)); // the two near ones stay together
//! # Ok::<(), tracehouse_eval::near::NearError>(())
//! ```

mod dedupe;
mod error;
mod finder;
mod index;
mod join;
mod limit;
mod nearest;
mod sets;
mod shingles;
mod split;
#[cfg(test)]
mod tests;
mod threshold;
mod union;
mod words;

pub use dedupe::{Deduped, Dropped, dedupe};
pub use error::NearError;
pub use finder::NearFinder;
pub use join::{Groups, Pair, Pairs};
pub use nearest::{Against, Match};
pub use shingles::Shingles;
pub use split::{LargestGroup, PartSize, Parts, Split, SplitRecord, split};

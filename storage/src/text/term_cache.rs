//! The occurrences of terms asked for lately, of one index. Ranking needs them twice: to count rows with
//! a term over all sources, and then to score them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::evaluate::Occurrence;
use super::query::TextTerm;

/// Occurrences kept at most, half a MiB.
const OCCURRENCES_MAX: usize = 64 << 10;
/// Terms kept at most.
const TERMS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// Occurrences by term, those used longest ago are dropped first.
pub(super) struct TermCache(Mutex<Kept>);

struct Kept {
    terms: LruCache<TextTerm, Arc<[Occurrence]>>,
    occurrences: usize,
}

impl Default for TermCache {
    fn default() -> Self {
        TermCache(Mutex::new(Kept {
            terms: LruCache::new(TERMS_MAX),
            occurrences: 0,
        }))
    }
}

impl TermCache {
    pub(super) fn get(&self, term: &TextTerm) -> Option<Arc<[Occurrence]>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .terms
            .get(term)
            .cloned()
    }

    /// Keeps what a term occurs in, unless that is too much.
    pub(super) fn put(&self, term: &TextTerm, found: &Arc<[Occurrence]>) {
        if found.len() > OCCURRENCES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.occurrences += found.len();
        if let Some((_, dropped)) = kept.terms.push(term.clone(), Arc::clone(found)) {
            kept.occurrences -= dropped.len();
        }
        while kept.occurrences > OCCURRENCES_MAX
            && let Some((_, dropped)) = kept.terms.pop_lru()
        {
            kept.occurrences -= dropped.len();
        }
        assert!(
            kept.occurrences <= OCCURRENCES_MAX,
            "the cache stays within its budget"
        );
        assert!(
            kept.occurrences == 0 || !kept.terms.is_empty(),
            "what is counted is kept"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TextQuery;

    #[test]
    fn what_is_kept_is_bounded() {
        let cache = TermCache::default();
        let term = |word: &str| match TextQuery::parse(word).unwrap() {
            TextQuery::Term(term) => term,
            other => panic!("{other:?}"),
        };
        let list =
            |length| -> Arc<[Occurrence]> { vec![Occurrence { row: 0, count: 1 }; length].into() };
        cache.put(&term("huge"), &list(OCCURRENCES_MAX + 1));
        assert!(cache.get(&term("huge")).is_none());
        cache.put(&term("a"), &list(OCCURRENCES_MAX / 2));
        cache.put(&term("a"), &list(OCCURRENCES_MAX / 2));
        cache.put(&term("b"), &list(OCCURRENCES_MAX / 2));
        assert!(cache.get(&term("a")).is_some() && cache.get(&term("b")).is_some());
        cache.put(&term("c"), &list(1));
        assert!(cache.get(&term("a")).is_none() && cache.get(&term("b")).is_some());
        for i in 0..200 {
            cache.put(&term(&format!("w{i}")), &list(1));
        }
        assert!(cache.get(&term("b")).is_none() && cache.get(&term("w199")).is_some());
    }
}

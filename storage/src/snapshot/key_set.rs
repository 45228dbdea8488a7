//! Which traces a segment may have, in four bytes each: most lookups by trace concern one segment of many,
//! and asking the metadata store costs microseconds.

use crate::model::TraceKey;

/// Fingerprints of trace keys, sorted. It never says no of a key it was made of, and yes of another one with
/// a probability of its length in 2^32.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<u32>);

impl KeySet {
    pub(crate) fn of(keys: impl Iterator<Item = TraceKey>) -> Self {
        let mut prints: Vec<u32> = keys.map(fingerprint).collect();
        prints.sort_unstable();
        prints.dedup();
        prints.shrink_to_fit();
        Self(prints)
    }

    pub(crate) fn may_contain(&self, key: TraceKey) -> bool {
        self.0.binary_search(&fingerprint(key)).is_ok()
    }
}

/// Ids need not be random: each bit of the key has a say.
fn fingerprint(TraceKey(key): TraceKey) -> u32 {
    let low = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = ((key >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    (low.wrapping_add(high) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_its_keys_and_hardly_any_other() {
        for step in [1_u128, 1 << 64, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let key = |number: u128| TraceKey(number.wrapping_mul(step));
            let set = KeySet::of((0..10_000).map(key));
            assert!((0..10_000).all(|number| set.may_contain(key(number))));
            let others = (10_000..20_000)
                .filter(|number| set.may_contain(key(*number)))
                .count();
            assert!(others < 10, "{step}: {others}");
        }
        assert!(!KeySet::of(std::iter::empty()).may_contain(TraceKey(0)));
    }
}

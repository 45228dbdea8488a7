//! Numbers for terms, in the order in which they are first seen. Used by the index writer, which then
//! handles four bytes in place of a word.

use hashbrown::HashTable;
use twox_hash::XxHash3_64;

/// Bytes of a term in its slot.
const HEAD_BYTES: usize = 11;

/// The terms of one field.
#[derive(Debug, Default)]
pub(super) struct TermIds {
    slots: HashTable<Slot>,
    terms: Terms,
}

/// Most words are found without a look at the terms themselves, which are far away in memory.
#[derive(Debug)]
struct Slot {
    head: Head,
    number: u32,
}

/// The beginning of a term and its length, capped: all of a term that is not longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    bytes: [u8; HEAD_BYTES],
    len: u8,
}

impl Head {
    fn new(term: &[u8]) -> Head {
        let mut bytes = [0; HEAD_BYTES];
        bytes.iter_mut().zip(term).for_each(|(to, from)| *to = *from);
        Head { bytes, len: u8::try_from(term.len()).unwrap_or(u8::MAX) }
    }

    fn is_whole(self) -> bool {
        usize::from(self.len) <= HEAD_BYTES
    }
}

/// Terms one after the other.
#[derive(Debug, Default)]
struct Terms {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TermIds {
    /// Number of terms.
    pub(super) fn len(&self) -> usize {
        self.terms.ends.len()
    }

    /// The number of a term, a new one when it is new; `None` when all numbers are taken.
    pub(super) fn number(&mut self, term: &[u8]) -> Option<u32> {
        let TermIds { slots, terms } = self;
        let (hash, head) = (XxHash3_64::oneshot(term), Head::new(term));
        let is_term = |slot: &Slot| slot.head == head && (head.is_whole() || terms.get(slot.number) == term);
        if let Some(slot) = slots.find(hash, is_term) {
            return Some(slot.number);
        }
        let number = u32::try_from(terms.ends.len()).ok().filter(|&number| number < u32::MAX)?;
        terms.bytes.extend_from_slice(term);
        terms.ends.push(terms.bytes.len());
        slots.insert_unique(hash, Slot { head, number }, |slot| XxHash3_64::oneshot(terms.get(slot.number)));
        Some(number)
    }

    /// The term of a number that was given out.
    pub(super) fn term(&self, number: u32) -> &[u8] {
        self.terms.get(number)
    }

    /// All numbers, in the order of their terms' bytes.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let key = |term: &[u8]| {
            let mut first = [0; 8];
            first.iter_mut().zip(term).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(first)
        };
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut order: Vec<_> = (0..count).map(|number| (key(self.term(number)), number)).collect();
        // Most terms differ within their first bytes: these are compared without a look at the others.
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.term(a.1).cmp(self.term(b.1))));
        order.into_iter().map(|(_, number)| number).collect()
    }
}

impl Terms {
    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_terms_have_one_number_and_numbers_sort_by_term() {
        let mut ids = TermIds::default();
        let words: Vec<String> =
            (0..3000).map(|i| format!("{}word{}", "x".repeat(i % 11), (i * 7919) % 1000)).collect();
        let numbers: Vec<u32> = words.iter().map(|word| ids.number(word.as_bytes()).unwrap()).collect();
        for (word, number) in words.iter().zip(&numbers) {
            assert_eq!(ids.term(*number), word.as_bytes());
            assert_eq!(ids.number(word.as_bytes()), Some(*number));
        }
        let mut expected = words.clone();
        expected.sort();
        expected.dedup();
        let sorted: Vec<_> =
            ids.sorted().iter().map(|&n| String::from_utf8(ids.term(n).to_vec()).unwrap()).collect();
        assert_eq!(sorted, expected);
        assert_eq!(ids.len(), expected.len());
    }
}

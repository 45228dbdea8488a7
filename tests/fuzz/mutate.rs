//! Inputs made from inputs: bytes, words, JSON values and protobuf fields are changed, repeated, moved and
//! taken from other seeds. The same seed always makes the same input.

use serde_json::Value;

use super::protobuf::{Content, Field, encode, fields, flat};
use super::targets::Form;
use crate::order::Random;

/// Longest input made.
const BYTES_MAX: usize = 256 << 10;
/// Numbers at which lengths, counts and offsets go wrong.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    127,
    128,
    255,
    65_535,
    1 << 31,
    (1 << 31) - 1,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX,
];
/// Texts at which languages go wrong.
const TEXTS: [&str; 30] = [
    "",
    "'",
    "\"",
    "`",
    "''",
    "\\",
    "(",
    ")",
    ",",
    "%",
    "_",
    "*",
    "-",
    "--",
    "/*",
    "\0",
    "\n",
    "\u{301}",
    "📶",
    "İ",
    "ß",
    "1e400",
    "-0",
    "9223372036854775808",
    "null",
    "NOT ",
    " OR ",
    " AND ",
    "0x",
    ".",
];

/// Makes one input.
pub struct Mutator(Random);

impl Mutator {
    /// The one of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// One of the seeds, changed a few times.
    pub fn changed(mut self, seeds: &[Vec<u8>], form: Form) -> Vec<u8> {
        let (input, other) = (self.pick(seeds).clone(), self.pick(seeds).clone());
        let times = 1 + self.0.below(4);
        // Every fifth input is changed as if its form were unknown.
        let mut input = match form {
            _ if self.0.below(5) == 0 => self.bytes(input, &other, times),
            Form::Bytes => self.bytes(input, &other, times),
            Form::Words => self.words(&input, &other, times),
            Form::Json => self.json(&input, &other, times),
            Form::Protobuf => self.protobuf(&input, &other, times),
        };
        input.truncate(BYTES_MAX);
        input
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.0.below(items.len())]
    }

    fn bytes(&mut self, mut input: Vec<u8>, other: &[u8], times: usize) -> Vec<u8> {
        for _ in 0..times {
            // The first byte may choose a variant, and footers are at the end.
            let len = input.len().max(1);
            let at = match self.0.below(4) {
                0 => len - 1 - self.0.below(len.min(1_024)),
                _ => self.0.below(len).max(1),
            }
            .min(input.len());
            let end = (at + 1 + self.0.below(32)).min(input.len());
            match self.0.below(9) {
                0..3 if at < input.len() => input[at] ^= 1 << self.0.below(8),
                3 if at < input.len() => input[at] = self.0.below(256) as u8,
                4 => {
                    let width = *self.pick(&[1, 2, 4, 8]);
                    let number = self.pick(&NUMBERS).to_le_bytes();
                    input.splice(
                        at..(at + width).min(input.len()),
                        number[..width].iter().copied(),
                    );
                }
                5 => drop(input.drain(at..end)),
                6 => {
                    let copy = input[at..end].to_vec();
                    input.splice(at..at, copy);
                }
                7 => input.truncate(at),
                _ => {
                    let from = self.0.below(other.len().max(1)).min(other.len());
                    let piece = &other[from..(from + 64).min(other.len())];
                    input.splice(at..end, piece.iter().copied());
                }
            }
        }
        input
    }

    fn words(&mut self, input: &[u8], other: &[u8], times: usize) -> Vec<u8> {
        let (mut words, others) = (split(input), split(other));
        for _ in 0..times {
            let at = self.0.below(words.len() + 1);
            let end = (at + 1 + self.0.below(4)).min(words.len());
            let piece = words[at.min(end)..end].to_vec();
            match self.0.below(8) {
                0 => drop(words.splice(at.min(end)..end, [])),
                1 => drop(words.splice(at..at, piece)),
                2 => {
                    let count = self.0.below(200);
                    words.splice(at..at, std::iter::repeat_n(piece, count).flatten());
                }
                3 => {
                    let text = self.pick(&TEXTS).to_string();
                    words.insert(at, text);
                }
                4 => {
                    words.insert(end, ")".to_string());
                    words.insert(at.min(end), "(".to_string());
                }
                _ => {
                    let from = self.0.below(others.len() + 1);
                    let taken = &others[from..(from + 1 + self.0.below(6)).min(others.len())];
                    words.splice(at.min(end)..end, taken.iter().cloned());
                }
            }
        }
        words.concat().into_bytes()
    }

    fn json(&mut self, input: &[u8], other: &[u8], times: usize) -> Vec<u8> {
        let (Ok(mut value), Ok(other)) = (
            serde_json::from_slice(input),
            serde_json::from_slice::<Value>(other),
        ) else {
            return self.bytes(input.to_vec(), other, times);
        };
        for _ in 0..times {
            let mut place = self.0.below(count(&value));
            let replacement = self.replacement(&other);
            let choice = self.0.below(4);
            let depth = self.0.below(300);
            let node = find(&mut value, &mut place).unwrap();
            match (choice, &mut *node) {
                (0, Value::Array(items)) => items.extend(items.clone()),
                (0, Value::Object(fields)) => fields.clear(),
                (1, Value::Array(items)) => drop(items.pop()),
                (1, Value::Object(fields)) => {
                    drop(fields.insert("stringValue".into(), replacement))
                }
                (2, node) if depth < 100 => {
                    *node = (0..depth * 2).fold(node.take(), |inner, _| Value::Array(vec![inner]));
                }
                (_, node) => *node = replacement,
            }
        }
        value.to_string().into_bytes()
    }

    fn replacement(&mut self, other: &Value) -> Value {
        match self.0.below(6) {
            0 => Value::from(*self.pick(&NUMBERS)),
            1 => Value::from(self.pick(&NUMBERS).to_string()),
            2 => Value::from(*self.pick(&TEXTS)),
            3 => Value::Null,
            4 => Value::from(-0.5 * self.0.below(9) as f64),
            _ => {
                let mut place = self.0.below(count(other));
                find(&mut other.clone(), &mut place).unwrap().clone()
            }
        }
    }

    fn protobuf(&mut self, input: &[u8], other: &[u8], times: usize) -> Vec<u8> {
        let (mut fields, others) = (fields(input), flat(&fields(other)));
        for _ in 0..times {
            self.change_field(&mut fields, &others);
        }
        encode(&fields)
    }

    fn change_field(&mut self, fields: &mut Vec<Field>, others: &[Field]) {
        if fields.is_empty() || others.is_empty() {
            return;
        }
        let at = self.0.below(fields.len());
        if let Content::Message(inner) = &mut fields[at].content
            && self.0.below(4) > 0
        {
            return self.change_field(inner, others);
        }
        match self.0.below(8) {
            0 => drop(fields.remove(at)),
            1 => fields.insert(at, fields[at].clone()),
            2 => fields[at].number = *self.pick(&[0, 1, 2, 3, 4, 5, 7, 9, 15, 16, 536_870_911]),
            3 => fields[at].content = Content::Varint(*self.pick(&NUMBERS)),
            4 => fields[at].content = Content::Bytes(self.pick(&TEXTS).as_bytes().to_vec()),
            5 => {
                for _ in 0..self.0.below(200) {
                    let inner = Content::Message(vec![fields[at].clone()]);
                    fields[at].content = inner;
                }
            }
            6 => fields[at].content = self.pick(others).content.clone(),
            _ => fields[at] = self.pick(others).clone(),
        }
    }
}

/// Words, numbers, runs of white space, and everything else by the character.
fn split(input: &[u8]) -> Vec<String> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let mut words: Vec<String> = Vec::new();
    let mut last = 0;
    for c in String::from_utf8_lossy(input).chars() {
        match words.last_mut() {
            Some(word) if class(c) == last && last > 0 => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = class(c);
    }
    words
}

/// Values in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at a place, counted from the front.
fn find<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, place)),
        Value::Object(fields) => fields.values_mut().find_map(|field| find(field, place)),
        _ => None,
    }
}

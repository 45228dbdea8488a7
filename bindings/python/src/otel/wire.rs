//! A protobuf message that is written field by field: what the walk over the spans makes OTLP of.
//!
//! Messages within messages begin with their length, which is known at their end only: one byte is left for it and,
//! where it needs more, what follows is moved. Fields that are at their default are left out, as everybody does.

/// How a field is written: the three low bits of its key.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// The bytes of a message.
#[derive(Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// Where a message within the message began.
pub(super) struct Inner {
    length_at: usize,
}

impl Message {
    /// An empty message with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// How long it is.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes back what was written after it had this length.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Takes the fields of another message.
    pub(super) fn append(&mut self, mut other: Self) {
        self.bytes.append(&mut other.bytes);
    }

    /// Its bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A number of any size; negative ones take ten bytes.
    pub(super) fn number(&mut self, field: u64, number: i64) {
        self.key(field, VARINT);
        self.varint(number.cast_unsigned());
    }

    /// A truth value, also when it is false.
    pub(super) fn truth(&mut self, field: u64, truth: bool) {
        self.number(field, i64::from(truth));
    }

    /// A count or a word's number, which is left out at 0.
    pub(super) fn count(&mut self, field: u64, count: u32) {
        if count != 0 {
            self.number(field, i64::from(count));
        }
    }

    /// Eight bytes, for times.
    pub(super) fn fixed64(&mut self, field: u64, number: u64) {
        self.key(field, FIXED64);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Four bytes, for flags.
    pub(super) fn fixed32(&mut self, field: u64, number: u32) {
        self.key(field, FIXED32);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// A number with a fraction.
    pub(super) fn double(&mut self, field: u64, number: f64) {
        self.fixed64(field, number.to_bits());
    }

    /// Bytes, or a text as UTF-8, also when there are none.
    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, DELIMITED);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A text, which is left out when it is empty.
    pub(super) fn text(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// Begins a message within; what is written until [`Message::end`] is part of it.
    pub(super) fn begin(&mut self, field: u64) -> Inner {
        self.key(field, DELIMITED);
        let length_at = self.bytes.len();
        self.bytes.push(0);
        Inner { length_at }
    }

    /// Ends the message within that began last.
    pub(super) fn end(&mut self, inner: Inner) {
        let Inner { length_at } = inner;
        let mut length = self.bytes.len().saturating_sub(length_at + 1) as u64;
        let mut digits = [0_u8; 10];
        let mut count = 0;
        for digit in &mut digits {
            count += 1;
            *digit = (length & 0x7F) as u8 | if length > 0x7F { 0x80 } else { 0 };
            length >>= 7;
            if length == 0 {
                break;
            }
        }
        self.bytes
            .splice(length_at..=length_at, digits.into_iter().take(count));
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn varint(&mut self, mut number: u64) {
        while number > 0x7F {
            self.bytes.push((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

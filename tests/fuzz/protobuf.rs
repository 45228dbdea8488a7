//! Protobuf messages as trees of fields, without a schema: bytes that read as a message are one.

/// A field of a message.
#[derive(Debug, Clone)]
pub struct Field {
    pub number: u64,
    pub content: Content,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Content {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// The fields of a message; none when it is no message.
pub fn fields(input: &[u8]) -> Vec<Field> {
    read(input).unwrap_or_default()
}

fn read(mut input: &[u8]) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    while !input.is_empty() {
        let key = varint(&mut input)?;
        let content = match key & 7 {
            0 => Content::Varint(varint(&mut input)?),
            1 => Content::Fixed64(chunk(&mut input)?),
            5 => Content::Fixed32(chunk(&mut input)?),
            2 => {
                let length = varint(&mut input)? as usize;
                let (bytes, rest) = input.split_at_checked(length)?;
                input = rest;
                match read(bytes).filter(|fields| !fields.is_empty()) {
                    Some(fields) => Content::Message(fields),
                    None => Content::Bytes(bytes.to_vec()),
                }
            }
            _ => return None,
        };
        found.push(Field {
            number: key >> 3,
            content,
        });
    }
    Some(found)
}

/// The fields, and those inside them.
pub fn flat(fields: &[Field]) -> Vec<Field> {
    let mut all = fields.to_vec();
    for field in fields {
        if let Content::Message(inner) = &field.content {
            all.extend(flat(inner));
        }
    }
    all
}

/// The message of these fields.
pub fn encode(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let (kind, content) = match &field.content {
            Content::Varint(number) => (0, varint_bytes(*number)),
            Content::Fixed64(bytes) => (1, bytes.to_vec()),
            Content::Fixed32(bytes) => (5, bytes.to_vec()),
            Content::Bytes(bytes) => (
                2,
                [varint_bytes(bytes.len() as u64), bytes.clone()].concat(),
            ),
            Content::Message(inner) => {
                let bytes = encode(inner);
                (2, [varint_bytes(bytes.len() as u64), bytes].concat())
            }
        };
        out.extend(varint_bytes(field.number << 3 | kind));
        out.extend(content);
    }
    out
}

fn chunk<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*first)
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = chunk(input)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn varint_bytes(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

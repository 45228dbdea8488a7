//! The scanner of JSON: what it takes and what it reads is what `serde_json` takes and reads, and any other text is
//! gone over without losing a byte.

use serde_json::{Map, Value};
use tracehouse_storage::json::{
    Elements, Grammar, JsonPiece, Members, NotJson, Pieces, Scanner, TokenKind, Tokens,
    decoded_literal, push_decoded, write_string,
};

const BYTES_MAX: usize = 4_096;
/// Depth that `serde_json` surely takes.
const DEPTH_MAX: usize = 100;

/// Texts, most of them JSON.
pub fn texts() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"a":{"b":[1,-2.50,1e5,{}],"c.d":"x"},"a":null,"":[true,false]}"#,
        r#" [ "plain", "\"\\\/\b\f\n\r\t", "\u00e9\ud83d\ude80", "東京 é" , [] ] "#,
        r#"{"k":"{\"in\":\"[1,\\\"x\\\"]\"}","n":[NaN,-Infinity]}"#,
        r#"["\ud83d","\ude80x\ud83d\u0041"]"#,
        "{\"a\":\"cut short \\",
        "[1,2",
        "-0",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A text.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    no_byte_is_lost(text);
    let written = {
        let mut literal = String::new();
        write_string(text, &mut literal);
        literal
    };
    assert_eq!(written, serde_json::to_string(text).unwrap());
    assert_eq!(decoded_literal(&written).unwrap(), text);
    let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    match read(text) {
        Ok(found) => {
            let is_comparable = found.depth < DEPTH_MAX && !found.has_more;
            assert!(theirs || !is_comparable, "only we take {text:?}");
            if let Ok(value) = serde_json::from_str::<Value>(text) {
                assert_eq!(found.value, value, "{text:?}");
            }
            members_are_those_of(text, &found.value);
            let mut lenient = Scanner::new(text, Grammar::Lenient);
            let passed = lenient.value().is_ok() && lenient.finish().is_ok();
            assert!(passed || found.has_more, "{text:?}");
        }
        Err(NotJson) => assert!(!theirs, "only serde_json takes {text:?}"),
    }
}

/// Tokens follow each other, and what is between them is white space.
fn no_byte_is_lost(text: &str) {
    let mut end = 0;
    for token in Tokens::of(text) {
        assert!(
            text[end..token.range.start].trim_ascii().is_empty(),
            "{text:?}"
        );
        assert!(!token.range.is_empty(), "{text:?}");
        let first = text.as_bytes()[token.range.start];
        assert_eq!(token.kind == TokenKind::String, first == b'"', "{text:?}");
        end = token.range.end;
    }
    assert!(text[end..].trim_ascii().is_empty(), "{text:?}");
}

/// What the pieces of a text say.
struct Read {
    value: Value,
    depth: usize,
    /// Whether it has what only Python takes for JSON.
    has_more: bool,
}

fn read(text: &str) -> Result<Read, NotJson> {
    let mut pieces = Pieces::of(text);
    let mut open: Vec<(Value, Option<String>)> = vec![(Value::Array(Vec::new()), None)];
    let (mut depth, mut has_more) = (0, false);
    while let Some(piece) = pieces.next()? {
        depth = depth.max(pieces.depth());
        let value = match piece {
            JsonPiece::BeginObject => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            JsonPiece::BeginArray => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            JsonPiece::Key(key) => {
                open.last_mut().unwrap().1 = Some(decoded(key));
                continue;
            }
            JsonPiece::End => open.pop().unwrap().0,
            JsonPiece::Text(text) => Value::String(decoded(text)),
            JsonPiece::Number(number) => {
                has_more |= number.ends_with(['N', 'y']);
                serde_json::from_str(number).unwrap_or_default()
            }
            JsonPiece::Literal(word) => serde_json::from_str(word).unwrap(),
            JsonPiece::Marked(_) => panic!("{text:?} has no marks"),
        };
        match open.last_mut().unwrap() {
            (Value::Object(members), key) => drop(members.insert(key.take().unwrap(), value)),
            (Value::Array(items), _) => items.push(value),
            _ => panic!("only objects and arrays are open"),
        }
    }
    let (all, _) = open.pop().unwrap();
    Ok(Read {
        value: all[0].clone(),
        depth,
        has_more,
    })
}

fn decoded(escaped: &str) -> String {
    let mut out = String::new();
    push_decoded(escaped, &mut out);
    out
}

/// The members and elements of a text, read by themselves, are those of its value.
fn members_are_those_of(text: &str, value: &Value) {
    let read = |raw| read(raw).map(|found| found.value).unwrap();
    let members: Map<String, Value> = Members::of(text)
        .map(|(key, raw)| (decoded_literal(key).unwrap().into_owned(), read(raw)))
        .collect();
    assert_eq!(
        members,
        value.as_object().cloned().unwrap_or_default(),
        "{text:?}"
    );
    let elements: Vec<Value> = Elements::of(text).map(read).collect();
    assert_eq!(
        elements,
        value.as_array().cloned().unwrap_or_default(),
        "{text:?}"
    );
}

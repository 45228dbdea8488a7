//! Redaction: a secret somewhere in any text, wrapped a few times, is gone, and what is left is a text that
//! has nothing more to hide.

use std::sync::LazyLock;

use serde_json::json;
use tracehouse::{Database, Redaction, TraceStart};

const BYTES_MAX: usize = 512;
/// What is looked for: no part of any input.
const NEEDLE: &str = "Zq7Xw9Kd4Vb2Np8Rt5Lm3Hc6Jf1Gs0Ty4Ab9Cd7Ef2";

static DB: LazyLock<Database> = LazyLock::new(|| {
    let db = Database::in_memory().unwrap();
    db.set_redaction(Redaction::default().secrets(true))
        .unwrap();
    db
});

/// Secrets that end in the needle, or hold it.
const SECRETS: [(&str, &str); 8] = [
    ("sk-ant-api03-", ""),
    ("ghp_", ""),
    ("hf_", ""),
    ("Bearer ", ""),
    ("postgres://ann:", "@db.example.org/x"),
    (
        "-----BEGIN PRIVATE KEY-----\n",
        "\n-----END PRIVATE KEY-----",
    ),
    ("hvs.", ""),
    ("MISTRAL_API_KEY=", ""),
];

/// Choices and a text around.
pub fn texts() -> Vec<Vec<u8>> {
    let around = [
        "",
        "plain text",
        "{\"a\": [1, \"b\\",
        "data: {\"x\":\"\\u00",
        "\u{1b}[3",
        "a%2",
        "C:\\n\"\"'",
        "{{{[[[",
    ];
    let kinds = (0..8_u8).flat_map(|secret| (0..12_u8).map(move |wrap| [secret, wrap, wrap / 2]));
    let inputs = kinds.zip(around.iter().cycle());
    inputs
        .map(|(choices, text)| [&choices[..], text.as_bytes()].concat())
        .collect()
}

/// A text with a secret in it.
pub fn text(data: &[u8]) {
    let [secret, outer, inner, around @ ..] = data else {
        return;
    };
    let around = String::from_utf8_lossy(around);
    let around = &around[..around.floor_char_boundary(BYTES_MAX)];
    if around.contains(NEEDLE) || around.contains("PRIVATE") {
        return;
    }
    let (before, after) = SECRETS[usize::from(*secret) % SECRETS.len()];
    let wrapped = wrap(*outer, &wrap(*inner, &format!("{before}{NEEDLE}{after}")));
    let (left, right) = around.split_at(around.floor_char_boundary(around.len() / 2));
    let once = redacted(&format!("{left} {wrapped} {right}"));
    assert!(!once.contains(NEEDLE), "{around:?}, {data:?}: {once:?}");
    assert_eq!(
        redacted(&once),
        once,
        "nothing of what stands for a secret is one"
    );
}

fn redacted(text: &str) -> String {
    DB.start_trace(&TraceStart::new("t", 0).tag("note", text))
        .unwrap();
    DB.get_trace_info("t").unwrap().tags["note"].clone()
}

fn wrap(kind: u8, text: &str) -> String {
    let escaped = || json!(text).to_string();
    match kind % 12 {
        0 => text.to_string(),
        1 => json!({"k": text}).to_string(),
        2 => json!([1, {"k": format!("\n{text}")}]).to_string(),
        3 => escaped(),
        4 => format!("a\\n{}", escaped().trim_matches('"')),
        5 => format!("data: {}\n\n", escaped()),
        6 => format!(
            "q=%22{}%22",
            text.replace('%', "%25")
                .replace(' ', "%20")
                .replace('"', "%22")
        ),
        7 => format!("\u{1b}[31m{text}\u{1b}[0m"),
        8 => format!("x_{text}"),
        9 => format!("&quot;{}&quot;", text.replace('"', "&quot;")),
        10 => format!("{{'k': '{}'}}", text.replace('\n', "\\n")),
        _ => format!("\u{200b}{text}\u{1f511}"),
    }
}

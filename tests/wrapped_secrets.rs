//! Redaction of well-known secrets: each type of key in each wrapping and place, by import and by every call;
//! none of them is in any file, and every name of secrets hides its value.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};
use tracehouse::{Database, NewAssessment, NewRecord, Redaction, TraceStart};

use crate::care::erase::file_texts;
use crate::order::Random;
use crate::support::{DiskDb, import_lines, texts};

/// Types of secrets: literal text, and in braces how many characters of which alphabet: `a`ny, `h`ex, `u`pper
/// or `d`igits. None is whole here, so that nobody takes this file for a leak.
const TYPES: [(&str, &str); 76] = [
    ("anthropic", "sk-ant-api03-{a40}"),
    ("openai", "sk-{a48}"),
    ("openai project", "sk-proj-{a60}"),
    ("openrouter", "sk-or-v1-{h64}"),
    ("langfuse secret", "sk-lf-{h8}-{h4}-4{h3}-a{h3}-{h12}"),
    ("langfuse public", "pk-lf-{h8}-{h4}-4{h3}-a{h3}-{h12}"),
    ("langsmith", "lsv2_pt_{h32}_{h10}"),
    ("stripe", "sk_live_{a24}"),
    ("stripe webhook", "whsec_{a32}"),
    ("aws id", "AKIA{u16}"),
    ("aws secret", "aws_secret_access_key={a40}"),
    ("github", "ghp_{a36}"),
    ("github app", "ghs_{a36}"),
    ("github pat", "github_pat_{a22}_{a59}"),
    ("gitlab", "glpat-{a20}"),
    ("slack", "xoxb-{d12}-{d12}-{a24}"),
    ("slack app", "xapp-1-A{u10}-{d12}-{h64}"),
    (
        "slack webhook",
        "https://hooks.slack.com/services/T{u10}/B{u10}/{a24}",
    ),
    ("google", "AIza{a35}"),
    ("google oauth", "ya29.{a60}"),
    ("google client", "GOCSPX-{a28}"),
    ("hugging face", "hf_{a34}"),
    ("groq", "gsk_{a52}"),
    ("xai", "xai-{a80}"),
    ("npm", "npm_{a36}"),
    ("sendgrid", "SG.{a22}.{a43}"),
    ("azure", "{a52}JQQJ99BC{a16}x{a7}"),
    ("azure ad", "{a3}8Q~{a34}"),
    ("azure storage", "AccountKey={a86}=="),
    ("azure signature", "sig={a43}="),
    ("replicate", "r8_{a37}"),
    ("databricks", "dapi{h32}"),
    ("twilio", "SK{h32}"),
    ("telegram", "{d10}:AA{a33}"),
    ("discord", "M{a23}.{a6}.{a38}"),
    ("heroku", "HRKU-{a40}"),
    ("digitalocean", "dop_v1_{h64}"),
    ("cloudflare", "cfut_{a48}"),
    ("vault", "hvs.{a90}"),
    ("doppler", "dp.pt.{a43}"),
    ("pypi", "pypi-{a80}"),
    ("docker", "dckr_pat_{a27}"),
    ("postman", "PMAK-{h24}-{h34}"),
    ("linear", "lin_api_{a40}"),
    ("notion", "ntn_{a46}"),
    ("notion old", "secret_{a43}"),
    ("airtable", "pat{a14}.{h64}"),
    ("sentry", "sntryu_{h64}"),
    ("sentry dsn", "https://{h32}@o1.ingest.sentry.io/2"),
    ("new relic", "NRAK-{u27}"),
    ("datadog by name", "DD_API_KEY={h32}"),
    ("cohere by name", "CO_API_KEY={a40}"),
    ("mistral by name", "MISTRAL_API_KEY={a32}"),
    ("twilio by name", "TWILIO_AUTH_TOKEN={h32}"),
    (
        "heroku by name",
        "HEROKU_API_KEY={h8}-{h4}-4{h3}-a{h3}-{h12}",
    ),
    ("postgres", "postgres://ann:{a20}@db.example.org/x"),
    ("redis", "redis://:{a20}@db.example.org:6379"),
    ("mongodb", "mongodb+srv://ann:{a20}@db.example.org/x?y=1"),
    ("basic auth url", "https://ann:{a20}@example.org/x"),
    (
        "rsa",
        "-----BEGIN RSA PRIVATE KEY-----\n{a64}\n{a40}\n-----END RSA PRIVATE KEY-----",
    ),
    (
        "openssh",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{a70}\n-----END OPENSSH PRIVATE KEY-----",
    ),
    (
        "pgp",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{a64}\n-----END PGP PRIVATE KEY BLOCK-----",
    ),
    ("jwt", "eyJ{a20}.eyJ{a40}.{a43}"),
    ("bearer", "Bearer {a32}"),
    ("bearer header", "Authorization: Bearer {a20}"),
    ("basic header", "Authorization: Basic {a24}="),
    ("token header", "authorization: token {h40}"),
    ("perplexity", "pplx-{a48}"),
    ("fireworks", "fw_{a24}"),
    ("tavily", "tvly-{a32}"),
    ("pinecone", "pcsk_{a50}"),
    ("nvidia", "nvapi-{a64}"),
    ("grafana", "glsa_{a32}_{h8}"),
    ("figma", "figd_{a40}"),
    ("shopify", "shpat_{h32}"),
    ("supabase", "sbp_{h40}"),
];

/// A secret of a type, and the part of it that must not be found anywhere.
fn secret(pattern: &str, random: &mut Random) -> (String, String) {
    let (mut secret, mut needle) = (String::new(), String::new());
    for (at, piece) in pattern.split(['{', '}']).enumerate() {
        if at % 2 == 0 {
            secret.push_str(piece);
            continue;
        }
        let alphabet: &[u8] = match &piece[..1] {
            "a" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "h" => b"0123456789abcdef",
            "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            _ => b"123456789",
        };
        let mut letter = || alphabet[random.below(alphabet.len())] as char;
        let mut part: String = (0..piece[1..].parse().unwrap()).map(|_| letter()).collect();
        if !part.contains(|c: char| c.is_ascii_digit()) {
            part.replace_range(1..2, "7");
        }
        if part.len() >= needle.len() {
            needle.clone_from(&part);
        }
        secret.push_str(&part);
    }
    needle.truncate(24);
    (secret, needle.to_ascii_lowercase())
}

/// As the inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_string()
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            (byte as char).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn entities(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

type Wrap = fn(&str) -> String;

/// What stands around a secret, and how it is written there.
const WRAPS: [(&str, Wrap); 64] = [
    ("plain", str::to_string),
    ("prose", |s| format!("the key is {s} and so on")),
    ("double quotes", |s| format!("\"{s}\"")),
    ("single quotes", |s| format!("it is '{s}'")),
    ("backticks", |s| format!("`{s}`")),
    ("json", |s| json!({"a": s, "n": 1}).to_string()),
    ("json in a line", |s| {
        json!({"a": format!("x\n{s}\n")}).to_string()
    }),
    ("json twice", |s| {
        json!({"a": json!({"b": format!("x\t{s}")}).to_string()}).to_string()
    }),
    ("json three times", |s| {
        json!([json!({"a": json!({"b": format!("\n{s}")}).to_string()}).to_string()]).to_string()
    }),
    ("json cut at the end", |s| {
        format!("{{\"a\":\"x\\n{}\", \"b\": \"cut", escaped(s))
    }),
    ("json cut right behind", |s| {
        format!("{{\"a\":\"x\\n{}", escaped(s))
    }),
    ("json cut at the start", |s| {
        format!("tent\":\"x\\n{}\"}}", escaped(s))
    }),
    ("json twice, cut", |s| {
        format!("a\\\":\\\"x\\\\n{}\\\"}}\"", escaped(&escaped(s)))
    }),
    ("log line", |s| {
        format!(
            "12:00 INFO sent {{\"m\":[{{\"c\":\"a\\n{}\"}}]}} in 3 ms",
            escaped(s)
        )
    }),
    ("log line, nested", |s| {
        format!(
            "INFO {}",
            json!({"a": json!({"b": format!("\n{s}")}).to_string()})
        )
    }),
    ("events", |s| {
        format!("data: {{\"d\":\"\\t{}\"}}\n\ndata: [DONE]\n\n", escaped(s))
    }),
    ("python", |s| {
        format!("{{'content': 'a\\n{}', 'n': None}}", s.replace('\n', "\\n"))
    }),
    ("python bytes", |s| {
        format!("b'a\\x22{}\\x22'", s.replace('\n', "\\n"))
    }),
    ("yaml", |s| format!("a:\n  b: {s}\n  c: 1\n")),
    ("env file", |s| format!("A=1\nB={s}\nC=2\n")),
    ("export", |s| format!("export B=\"{s}\" && run")),
    ("curl", |s| {
        format!("curl -H 'X-Key: {s}' https://example.org/x")
    }),
    ("curl data", |s| {
        format!("curl -d \"{{\\\"k\\\":\\\"{s}\\\"}}\" https://example.org/x")
    }),
    ("header", |s| {
        format!("GET / HTTP/1.1\r\nX-Key: {s}\r\nAccept: */*\r\n")
    }),
    ("query", |s| {
        format!("https://example.org/?p=1&q={}&r=2", percent(s))
    }),
    ("form", |s| format!("a=1&b=%22{}%22&c=2", percent(s))),
    ("form, json", |s| {
        format!("b=%7B%22k%22%3A%22{}%22%7D", percent(s))
    }),
    ("form, spaces", |s| format!("q=see+{}+now", percent(s))),
    ("percent twice", |s| {
        format!("q=%2522{}%2522", percent(&percent(s)))
    }),
    ("after %3D", |s| format!("q%3D{}%26", percent(s))),
    ("after %20", |s| format!("a%20{}%20b", percent(s))),
    ("attribute of xml", |s| {
        format!("<a b=\"{}\" c='1'/>", entities(s))
    }),
    ("element", |s| format!("<k>{}</k>", entities(s))),
    ("entities", |s| {
        format!("{{&quot;k&quot;:&quot;{}&quot;}}", entities(s))
    }),
    ("numeric entities", |s| format!("&#34;{s}&#34;")),
    ("markdown", |s| {
        format!("use `{s}` or\n```sh\nrun {s}\n```\n")
    }),
    ("link", |s| format!("[{s}](https://example.org)")),
    ("csv", |s| format!("1,{s},2\n3,\"{s}\",4\n")),
    ("tabs", |s| format!("a\t{s}\tb")),
    ("colours", |s| format!("\u{1b}[31m{s}\u{1b}[0m")),
    ("more colours", |s| format!("\u{1b}[1;38;5;196m{s}\u{1b}[m")),
    ("title of a terminal", |s| {
        format!("\u{1b}]0;x\u{7}{s}\u{1b}]0;\u{7}")
    }),
    ("colours written out", |s| {
        format!("\\x1b[31m{}\\x1b[0m", s.replace('\n', "\\n"))
    }),
    ("colours in json", |s| {
        format!("\\u001b[36m{}\\u001b[0m", escaped(s))
    }),
    ("underscore", |s| format!("my_{s}")),
    ("equals", |s| format!("x={s} y=1")),
    ("colon", |s| format!("x:{s}")),
    ("comma", |s| format!("x,{s},y")),
    ("brackets", |s| format!("x[{s}]")),
    ("parentheses", |s| format!("f({s})")),
    ("slash", |s| format!("a/{s}")),
    ("at the start", |s| format!("{s}\nand so on")),
    ("at the end", |s| format!("it was: {s}")),
    ("literal \\n", |s| format!("a\\n{}\\nb", escaped(s))),
    ("literal \\t", |s| format!("a\\t{}\\t", escaped(s))),
    ("literal \\r\\n", |s| format!("a\\r\\n{}\\r\\n", escaped(s))),
    ("backslashes", |s| {
        format!("a\\\\\\\\n{}\\\\\\\\n", escaped(s))
    }),
    ("\\u0022", |s| {
        format!("k\\u0022:\\u0022{}\\u0022", escaped(s))
    }),
    ("octal", |s| format!("k\\042{}\\042", escaped(s))),
    ("letters of Han", |s| format!("密钥{s}密钥")),
    ("emoji", |s| format!("\u{1f511}{s}\u{1f511}")),
    ("no width", |s| format!("key\u{200b}{s}\u{200b}")),
    ("cut in an escape", |s| format!("n{}\\nb", escaped(s))),
    ("cut in a code", |s| format!("u0022{}\\u0022", escaped(s))),
];

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": value})
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

/// Places of a span that hold a text.
const PLACES: [&str; 16] = [
    "input.value",
    "attribute",
    "list",
    "tree",
    "bytes",
    "key",
    "event",
    "event attribute",
    "name",
    "status",
    "link",
    "tag",
    "metadata",
    "resource",
    "scope",
    "state",
];

/// A span with a text in a place.
fn line(number: usize, place: &str, held: &str) -> String {
    let mut span = json!({
        "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": "s",
        "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787201000000000",
    });
    let (mut resource, mut scope) = (json!([]), json!({}));
    let bytes = || -> Vec<u8> { held.bytes().collect() };
    let event = json!([{"name": held, "timeUnixNano": "1"}]);
    let with = |value: Value| json!([{"name": "e", "timeUnixNano": "1", "attributes": [value]}]);
    match place {
        "list" => {
            span["attributes"] = json!([attribute(
                "l",
                json!({"arrayValue": {"values": [text(held)]}})
            )])
        }
        "tree" => {
            let inner = json!({"kvlistValue": {"values": [attribute("leaf", text(held))]}});
            span["attributes"] = json!([attribute("t", inner)]);
        }
        "bytes" => {
            let coded = crate::redaction::base64(&bytes());
            span["attributes"] = json!([attribute("b", json!({"bytesValue": coded}))]);
        }
        "key" => span["attributes"] = json!([attribute(held, json!({"boolValue": true}))]),
        "event" => span["events"] = event,
        "event attribute" => span["events"] = with(attribute("a", text(held))),
        "name" => span["name"] = json!(held),
        "status" => span["status"] = json!({"code": 2, "message": held}),
        "link" => {
            span["links"] = json!([{"traceId": format!("{:032x}", 9), "spanId": format!("{:016x}", 9),
                "attributes": [attribute("a", text(held))]}]);
        }
        "resource" => resource = json!([attribute("r", text(held))]),
        "scope" => scope = json!({"name": held}),
        "state" => span["traceState"] = json!(held),
        "tag" => span["attributes"] = json!([attribute("mlflow.traceTag.t", text(held))]),
        "metadata" => span["attributes"] = json!([attribute("session.id", text(held))]),
        key => span["attributes"] = json!([attribute(key, text(held))]),
    }
    let scopes = json!([{"scope": scope, "spans": [span]}]);
    json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": scopes}]})
        .to_string()
}

/// Lines with every combination, and what each of them must not leave behind.
fn combinations() -> (Vec<String>, Vec<(String, String)>) {
    let mut random = Random::new(11);
    let (mut lines, mut needles) = (Vec::new(), Vec::new());
    for (at, (name, pattern)) in TYPES.iter().enumerate() {
        for (wrap_at, (wrap, form)) in WRAPS.iter().enumerate() {
            let (secret, needle) = secret(pattern, &mut random);
            let place = ["input.value", "attribute"][(at + wrap_at) % 2];
            lines.push(line(lines.len(), place, &form(&secret)));
            needles.push((needle, format!("{name} in {wrap}")));
        }
        for place in PLACES {
            let (secret, needle) = secret(pattern, &mut random);
            lines.push(line(lines.len(), place, &format!("see {secret}")));
            // What is stored as bytes is looked for in the rows.
            if place != "bytes" {
                needles.push((needle, format!("{name} as {place}")));
            }
        }
    }
    (lines, needles)
}

/// The combinations whose secrets are in any of the texts.
fn found(texts: &[String], needles: &[(String, String)]) -> BTreeSet<String> {
    let words = Regex::new("[0-9A-Za-z]{12,}").unwrap();
    let wanted: HashMap<&str, &String> = needles
        .iter()
        .map(|(needle, what)| (&needle[..12], what))
        .collect();
    assert_eq!(wanted.len(), needles.len(), "no needle is like another");
    let mut all = BTreeSet::new();
    for word in texts.iter().flat_map(|text| words.find_iter(text)) {
        let word = word.as_str().to_ascii_lowercase();
        let pieces = (0..=word.len() - 12).filter_map(|start| wanted.get(&word[start..start + 12]));
        all.extend(pieces.map(|what| (*what).clone()));
    }
    all
}

fn texts_of(path: &Path) -> Vec<String> {
    file_texts(path)
        .into_iter()
        .flat_map(|(_, texts)| texts)
        .collect()
}

#[test]
fn no_type_of_secret_reaches_a_file_in_any_wrapping() {
    let (lines, needles) = combinations();
    assert!(needles.len() > 5_000, "{} combinations", needles.len());
    let disk = DiskDb::new();
    disk.db
        .set_redaction(Redaction::default().secrets(true))
        .unwrap();
    let report = import_lines(&disk.db, &lines);
    assert_eq!(report.spans, lines.len() as u64);
    let none = BTreeSet::new();
    assert_eq!(found(&texts_of(&disk.path()), &needles), none, "in the log");
    disk.db.compact().unwrap();
    assert_eq!(
        found(&texts_of(&disk.path()), &needles),
        none,
        "in segments"
    );
    let bytes = texts(
        &disk.db,
        "SELECT attributes FROM spans WHERE attributes LIKE '%$bytes%'",
    );
    assert_eq!(bytes.len(), TYPES.len());
    let shown = crate::redaction::base64(b"see [REDACTED:");
    // Three bytes are four letters: what is before the name of the secret is the same for all.
    let unlike = bytes
        .iter()
        .filter(|text| !text.contains(&shown[..16]))
        .count();
    let by_part = TYPES
        .iter()
        .filter(|(_, pattern)| pattern.contains(['=', ':', '/']))
        .count();
    assert!(unlike <= by_part, "{unlike} of {}", bytes.len());

    let open = DiskDb::new();
    open.db.set_redaction(Redaction::none()).unwrap();
    import_lines(&open.db, &lines);
    let missed = needles.len() - found(&texts_of(&open.path()), &needles).len();
    assert_eq!(
        missed, 0,
        "the search for them finds each without redaction"
    );
}

/// Every call that takes a text.
fn write(db: &Database, number: usize, held: &str, inner: &str) {
    let id = format!("started-{number}");
    let start = TraceStart::new(id.as_str(), 1_740_787_200_000_000_000)
        .name(held)
        .previews(Some(held.to_string()), Some(inner.to_string()))
        .tag("a", held)
        .metadata("m", inner);
    db.start_trace(&start).unwrap();
    db.set_tags(&id, [("later", held), ("nested", inner)])
        .unwrap();
    let verdict = NewAssessment::feedback("f", json!({"v": held}).to_string())
        .rationale(inner)
        .metadata("m", held);
    db.assess(&id, verdict).unwrap();
    let record = NewRecord::new(json!({"q": held, "n": number}).to_string())
        .outputs(json!(inner).to_string())
        .expectations(json!({"e": held}).to_string())
        .tags(json!({"t": inner}).to_string());
    assert_eq!(
        db.dataset("d").unwrap().merge(&[record]).unwrap().inserted,
        1
    );
}

#[test]
fn no_type_of_secret_reaches_a_file_by_any_call() {
    let disk = DiskDb::new();
    disk.db
        .set_redaction(Redaction::default().secrets(true))
        .unwrap();
    disk.db.create_dataset("d").unwrap();
    let (mut random, mut needles) = (Random::new(12), Vec::new());
    for (number, (name, pattern)) in TYPES.iter().enumerate() {
        let (secret, needle) = secret(pattern, &mut random);
        write(
            &disk.db,
            number,
            &format!("my_{secret}"),
            &json!({"a": format!("\n{secret}")}).to_string(),
        );
        needles.push((needle, (*name).to_string()));
    }
    assert_eq!(found(&texts_of(&disk.path()), &needles), BTreeSet::new());
    disk.db.seal().unwrap();
    assert_eq!(found(&texts_of(&disk.path()), &needles), BTreeSet::new());
}

/// Names of secrets, as people and frameworks write them.
const NAMES: [&str; 26] = [
    "client secret",
    "private key",
    "password:",
    "password.0",
    "password[0]",
    "password.value",
    "ｐａｓｓｗｏｒｄ",
    "p\u{430}ssword",
    "pwd",
    "token",
    "auth",
    "credentials",
    "apikey",
    "x-api-key",
    "db.password",
    "user.token",
    "GITHUB_TOKEN",
    "headers['authorization']",
    "secret",
    "app_secret",
    "pass\u{200b}word",
    "api\u{2011}key",
    "Authorization",
    "cookie",
    "sessionToken",
    "connection_string",
];

#[test]
fn values_under_names_of_secrets_reach_no_file() {
    let disk = DiskDb::new();
    let (mut lines, mut needles) = (Vec::new(), Vec::new());
    let mut value = |what: String| {
        let needle = format!("zq{:08}hunter", needles.len());
        needles.push((needle.clone(), what));
        needle
    };
    for name in NAMES {
        for place in ["attribute", "tree", "pair", "event", "resource"] {
            let value = text(&value(format!("{name} as {place}")));
            let tree = json!([attribute(
                "t",
                json!({"kvlistValue": {"values": [attribute(name, value.clone())]}})
            )]);
            let pair = json!([
                attribute("name", text(name)),
                attribute("value", value.clone())
            ]);
            let mut span: Value = serde_json::from_str(&line(lines.len(), "name", "s")).unwrap();
            let resource = &mut span["resourceSpans"][0];
            let inner = &mut resource["scopeSpans"][0]["spans"][0];
            match place {
                "attribute" => inner["attributes"] = json!([attribute(name, value)]),
                "tree" => inner["attributes"] = tree,
                "pair" => {
                    inner["attributes"] =
                        json!([attribute("h", json!({"kvlistValue": {"values": pair}}))])
                }
                "event" => {
                    let attributes = json!([attribute(name, value)]);
                    inner["events"] =
                        json!([{"name": "e", "timeUnixNano": "1", "attributes": attributes}]);
                }
                _ => resource["resource"]["attributes"] = json!([attribute(name, value)]),
            }
            lines.push(span.to_string());
        }
    }
    let state = format!("a=1,tenant@api_key={}", value("trace state".into()));
    lines.push(line(lines.len(), "state", &state));
    import_lines(&disk.db, &lines);
    let trace = format!("{:032x}", 1);
    let is_tag = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_/.- :".contains(c))
    };
    for name in NAMES.into_iter().filter(is_tag) {
        disk.db
            .set_tags(&trace, [(name, value(format!("{name} as tag")).as_str())])
            .unwrap();
    }
    assert_eq!(found(&texts_of(&disk.path()), &needles), BTreeSet::new());
    disk.db.seal().unwrap();
    assert_eq!(found(&texts_of(&disk.path()), &needles), BTreeSet::new());
    assert_eq!(
        disk.db.stats().unwrap().redacted_values,
        needles.len() as u64
    );
}

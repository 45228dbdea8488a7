//! Deep forms: every production of every language nested and repeated, alone and with others, up to far beyond
//! what is allowed. Each is refused or answered; nothing that goes by recursion may run out of stack, which
//! would end the whole process. The caller's thread has the smallest stack that is supported.
//!
//! An input is a byte for the language, one for the place in it, and pairs of a production and how often it is
//! put around what is there.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tracehouse::{Error, ErrorKind, ImportOptions, Search, SqlQuery};

use super::world::{WORLD, empty};

/// The smallest stack of a calling thread that is supported, in bytes.
const STACK_BYTES: usize = 512 << 10;
/// Longest text made, in bytes: beyond what a statement may have.
const BYTES_MAX: usize = 300 << 10;
const PAIRS_MAX: usize = 12;
const TIMEOUT: Duration = Duration::from_secs(1);
/// How often a production is repeated, by the second byte of a pair.
const TIMES: [usize; 12] = [1, 2, 3, 7, 20, 60, 130, 490, 510, 2_000, 9_000, 40_000];

/// What is put before and after what is there.
type Production = (&'static str, &'static str);

/// Around an expression of SQL.
const EXPRESSIONS: &[Production] = &[
    ("(", ")"),
    ("- ", ""),
    ("+", ""),
    ("~", ""),
    ("NOT ", ""),
    ("interval ", ""),
    ("date ", ""),
    ("1 + ", ""),
    ("", " + 1"),
    ("", " - length(name)"),
    ("1 * ", ""),
    ("2 ^ ", ""),
    ("", " ^ 2"),
    ("1 & ", ""),
    ("", " << 1"),
    ("'x' || ", ""),
    ("", " || 'x'"),
    ("1 = ", ""),
    ("", " = 1"),
    ("", " < 1"),
    ("true AND ", ""),
    ("", " AND true"),
    ("", " OR name = 'x'"),
    ("", " OR true AND false"),
    ("", " LIKE 'x%'"),
    ("'x' LIKE ", ""),
    ("", " NOT ILIKE 'a!%' ESCAPE '!'"),
    ("", " RLIKE 'x'"),
    ("", " ~ 'x'"),
    ("", " SIMILAR TO 'x'"),
    ("", " BETWEEN 1 AND 2"),
    ("1 BETWEEN ", " AND 2"),
    ("1 BETWEEN 0 AND ", ""),
    ("", " IN (1, 2)"),
    ("1 IN (", ")"),
    ("1 IN (", ", name)"),
    ("", " IS NULL"),
    ("", " IS NOT TRUE"),
    ("", " NOTNULL"),
    ("", " IS DISTINCT FROM 1"),
    ("1 IS NOT DISTINCT FROM ", ""),
    ("", " COLLATE x"),
    ("", " AT TIME ZONE 'UTC'"),
    ("now() AT TIME ZONE ", ""),
    ("", "::BIGINT"),
    ("", "::BIGINT[]"),
    ("CAST(", " AS BIGINT)"),
    ("TRY_CAST(", " AS VARCHAR)"),
    ("", "[1]"),
    ("", "[1:2]"),
    ("x[", "]"),
    ("", ".x"),
    ("", " -> 'a'"),
    ("attributes ->> ", ""),
    ("", " #> 'a'"),
    ("", " ? 'a'"),
    ("", ":a"),
    ("abs(", ")"),
    ("coalesce(", ", 1)"),
    ("coalesce(1, ", ")"),
    ("CASE WHEN ", " THEN 1 END"),
    ("CASE WHEN true THEN ", " ELSE 2 END"),
    ("CASE WHEN true THEN 1 ELSE ", " END"),
    ("CASE ", " WHEN 1 THEN 2 END"),
    ("CASE ", ""),
    ("[", "]"),
    ("ARRAY[", "]"),
    ("{'a': ", "}"),
    ("MAP {'a': ", "}"),
    ("STRUCT(", ")"),
    ("(1, ", ")"),
    ("ROW(", ")"),
    ("(SELECT ", ")"),
    ("(SELECT max(", ") FROM spans)"),
    ("EXISTS (SELECT ", ")"),
    ("NOT EXISTS (SELECT ", ")"),
    ("1 IN (SELECT ", ")"),
    ("1 = ANY (SELECT ", ")"),
    ("1 = ALL (", ")"),
    ("sum(", ")"),
    ("count(DISTINCT ", ")"),
    ("count(*) FILTER (WHERE ", ")"),
    ("array_agg(name ORDER BY ", ")"),
    ("sum(", ") OVER ()"),
    ("sum(1) OVER (PARTITION BY ", ")"),
    (
        "sum(1) OVER (ORDER BY ",
        " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    ),
    ("EXTRACT(year FROM ", ")"),
    ("TRIM(", ")"),
    ("substring(", " FROM 1 FOR 2)"),
    ("position('a' IN ", ")"),
    ("overlay(", " PLACING 'a' FROM 1)"),
    ("unnest(", ")"),
    ("matches(text, ", ")"),
    ("x -> ", ""),
    ("PRIOR ", ""),
    ("DISTINCT ", ""),
    ("ALL ", ""),
    ("OPERATOR(", ")"),
    ("/*", "*/"),
    ("--\n", ""),
    ("", ", 1"),
    ("", " AS a"),
    ("\"", "\""),
    ("$", ""),
    ("{fn abs(", ")}"),
];

/// Around a type of SQL.
const TYPES: &[Production] = &[
    ("", "[]"),
    ("", "[3]"),
    ("ARRAY<", ">"),
    ("STRUCT<a ", ">"),
    ("STRUCT(a ", ")"),
    ("MAP(VARCHAR, ", ")"),
    ("Nullable(", ")"),
    ("Nested(a ", ")"),
    ("TABLE(a ", ")"),
    ("", " ARRAY"),
];

/// Around a query of SQL.
const QUERIES: &[Production] = &[
    ("(", ")"),
    ("SELECT * FROM (", ")"),
    ("SELECT * FROM (", ") t WHERE 1 = 1"),
    ("SELECT 1 FROM spans WHERE EXISTS (", ")"),
    ("SELECT 1 FROM spans WHERE name IN (", ")"),
    ("SELECT (", ") FROM spans"),
    ("WITH t AS (", ") SELECT * FROM t"),
    ("WITH t AS (", ") SELECT * FROM t a, t b"),
    ("WITH RECURSIVE t AS (", ") SELECT * FROM t"),
    ("", " UNION ALL SELECT 1"),
    ("", " UNION SELECT 1"),
    ("", " EXCEPT SELECT 2"),
    ("SELECT 1 INTERSECT ", ""),
    ("SELECT 1 UNION ALL (", ")"),
    ("SELECT 1 FROM spans JOIN (", ") b ON true"),
    ("SELECT 1 FROM spans LEFT JOIN (", ") b ON spans.name = 'x'"),
    ("SELECT 1 FROM spans, LATERAL (", ") b"),
    ("SELECT 1 FROM (spans CROSS JOIN (", "))"),
    ("", ", spans"),
    ("", " JOIN spans USING (trace_id)"),
    ("", " NATURAL JOIN traces"),
    ("", " |> WHERE true"),
    ("", " |> SELECT 1"),
    ("", " ORDER BY 1"),
    ("", " LIMIT 1"),
    ("", " OFFSET 1"),
    ("", " WINDOW w AS (ORDER BY 1)"),
    ("", " GROUP BY 1"),
    ("", " GROUP BY CUBE(1, 1, 1)"),
    ("", " GROUP BY GROUPING SETS ((1), (1, 1))"),
    ("", " PIVOT (sum(1) FOR name IN (1))"),
    ("", " TABLESAMPLE (1)"),
    ("EXPLAIN ", ""),
    ("EXPLAIN ANALYZE ", ""),
    ("FROM ", ""),
    ("VALUES (1), ", ""),
    ("VALUES ((", "))"),
    ("DESCRIBE ", ""),
    ("", ";"),
    (";", ""),
];

/// Around a condition of the filter language.
const FILTERS: &[Production] = &[
    ("(", ")"),
    ("NOT ", ""),
    ("NOT (", ")"),
    ("state = 'OK' AND ", ""),
    ("", " OR name LIKE '%a_b%'"),
    ("(state = 'OK' OR ", ")"),
    ("span.", ""),
    ("span.attributes.a.", ""),
    ("span(", ")"),
    ("tags.`", "`"),
    ("", " IN ('a')"),
    ("", ", 'a')"),
    ("[", "]"),
];

/// Around a text query.
const TEXTS: &[Production] = &[
    ("(", ")"),
    ("-", ""),
    ("NOT ", ""),
    ("inputs:", ""),
    ("inputs:(", ")"),
    ("a AND ", ""),
    ("", " OR b"),
    ("(a OR ", ")"),
    ("\"", "\""),
    ("", "*"),
    ("", "~2"),
    ("+", ""),
];

/// Around a JSON value.
const VALUES: &[Production] = &[
    ("[", "]"),
    ("{\"a\":", "}"),
    ("[1,", "]"),
    ("{\"content\":[", "]}"),
    ("{\"arrayValue\":{\"values\":[", "]}}"),
    (
        "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":",
        "}]}}",
    ),
    ("[[[", "]]]"),
    ("[", ""),
    ("{\"a\":", ""),
];

/// Around a regular expression.
const REGEXES: &[Production] = &[
    ("(", ")"),
    ("(?:", ")*"),
    ("(?i:", ")"),
    ("(a|", ")"),
    ("a|", ""),
    ("", "*"),
    ("", "{2}"),
    ("", "+?"),
    ("[", "]"),
    ("[^[", "]&&[a]]"),
    ("\\b", ""),
    ("(?P<a>", ")"),
    ("", "|"),
];

/// One language: what its forms are made of, what is inside, and what is done with one.
struct Language {
    productions: &'static [Production],
    cores: &'static [&'static str],
    ask: fn(usize, String) -> Result<(), Error>,
}

const LANGUAGES: &[Language] = &[
    Language {
        productions: EXPRESSIONS,
        cores: &["1", "'1'", "name", "true"],
        ask: expression,
    },
    Language {
        productions: QUERIES,
        cores: &["SELECT 1", "SELECT * FROM spans", "spans"],
        ask: query,
    },
    Language {
        productions: TYPES,
        cores: &["BIGINT", "VARCHAR"],
        ask: kind,
    },
    Language {
        productions: FILTERS,
        cores: &["state = 'OK'", "name IN ('a'", "name"],
        ask: filter,
    },
    Language {
        productions: TEXTS,
        cores: &["word", "two words"],
        ask: text,
    },
    Language {
        productions: VALUES,
        cores: &["1", "\"text\"", "{\"stringValue\":\"x\"}"],
        ask: value,
    },
    Language {
        productions: REGEXES,
        cores: &["a", "\\w"],
        ask: regex,
    },
    Language {
        productions: &[],
        cores: &[],
        ask: message,
    },
];

/// Each production alone, as often as is allowed and as is not, and each with others. A run for a time has all
/// of them, the test command every fifth.
pub fn forms() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, language) in LANGUAGES.iter().enumerate() {
        let number = number as u8;
        for production in 0..language.productions.len() as u8 {
            for times in [5, 7, 9, 11] {
                seeds.push(vec![number, production ^ times, production, times]);
            }
            let other = production.wrapping_mul(29).wrapping_add(7);
            seeds.push(vec![
                number, production, production, 4, other, 4, production, 4, other, 5,
            ]);
            seeds.push(
                [
                    vec![number, production],
                    [production, 0, other, 0].repeat(PAIRS_MAX / 2),
                ]
                .concat(),
            );
        }
    }
    if std::env::var_os("TRACEHOUSE_TEST_FUZZ_SECONDS").is_none() {
        // Five is no divisor of six: all kinds of seeds come in turn.
        seeds = seeds.into_iter().step_by(5).collect();
    }
    // What has ended the process before.
    seeds.push(vec![0, 0, 5, 9]);
    seeds.extend([6, 8, 10, 11].map(|times| vec![LANGUAGES.len() as u8 - 1, 0, 0, times]));
    seeds
}

/// Where inputs go, and where what became of them comes from.
type Worker = (Sender<Vec<u8>>, Receiver<Result<(), String>>);

/// A form, given to a thread with a small stack; the thread is used again.
pub fn form(data: &[u8]) {
    static WORKER: Mutex<Option<Worker>> = Mutex::new(None);
    let mut worker = WORKER
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let (inputs, done) = worker.get_or_insert_with(|| {
        let ((inputs, taken), (told, done)) = (channel::<Vec<u8>>(), channel());
        let work = move || {
            for input in taken {
                told.send(ask(&input)).unwrap();
            }
        };
        // Made with the stack of the thread that is first to need it.
        let _ = &*WORLD;
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(work)
            .unwrap();
        (inputs, done)
    });
    inputs.send(data.to_vec()).unwrap();
    if let Err(message) = done
        .recv()
        .unwrap_or_else(|_| Err("the thread is gone".to_string()))
    {
        *worker = None;
        panic!("{message}");
    }
}

fn ask(data: &[u8]) -> Result<(), String> {
    let [number, place, pairs @ ..] = data else {
        return Ok(());
    };
    let language = &LANGUAGES[*number as usize % LANGUAGES.len()];
    let place = *place as usize;
    let text = match language.cores {
        [] => TIMES[pairs
            .get(1)
            .map_or(0, |times| *times as usize % TIMES.len())]
        .to_string(),
        cores => built(cores[place % cores.len()], language.productions, pairs),
    };
    let shown = text.chars().take(200).collect::<String>();
    match std::panic::catch_unwind(|| (language.ask)(place, text)) {
        Err(_) => Err(format!("a panic: {shown}")),
        Ok(Err(error)) if error.to_string().is_empty() => Err(format!("no message: {shown}")),
        Ok(_) => Ok(()),
    }
}

/// Every production around what is there, as often as its pair says and the length allows.
fn built(core: &str, productions: &[Production], pairs: &[u8]) -> String {
    let (mut before, mut after, mut bytes) = (Vec::new(), String::new(), core.len());
    for pair in pairs.chunks_exact(2).take(PAIRS_MAX) {
        let (open, close) = productions[pair[0] as usize % productions.len()];
        let room = (BYTES_MAX - bytes) / (open.len() + close.len());
        let times = TIMES[pair[1] as usize % TIMES.len()].min(room);
        bytes += times * (open.len() + close.len());
        before.push(open.repeat(times));
        after.push_str(&close.repeat(times));
    }
    before.reverse();
    format!("{}{core}{after}", before.concat())
}

fn expression(place: usize, text: String) -> Result<(), Error> {
    statement(match place % 8 {
        0..3 => format!("SELECT {text}"),
        3 => format!("SELECT name FROM spans WHERE {text}"),
        4 => format!("SELECT name FROM spans ORDER BY {text}"),
        5 => format!("SELECT count(*) FROM spans GROUP BY {text}"),
        6 => format!("SELECT 1 FROM spans a JOIN spans b ON {text}"),
        _ => format!("SELECT {text} FROM spans HAVING {text}"),
    })
}

fn query(place: usize, text: String) -> Result<(), Error> {
    statement(if place.is_multiple_of(2) {
        text
    } else {
        format!("SELECT count(*) FROM {text}")
    })
}

fn kind(_place: usize, text: String) -> Result<(), Error> {
    statement(format!("SELECT CAST(NULL AS {text})"))
}

fn statement(text: String) -> Result<(), Error> {
    WORLD
        .fresh
        .query(SqlQuery::from(text.as_str()), Some(TIMEOUT))
        .map(drop)
}

fn filter(_place: usize, text: String) -> Result<(), Error> {
    WORLD
        .sealed
        .search_traces(&Search::new(text).timeout(TIMEOUT))
        .map(drop)
}

fn text(_place: usize, text: String) -> Result<(), Error> {
    WORLD.sealed.search_text(&text, 10).map(drop)
}

fn regex(place: usize, text: String) -> Result<(), Error> {
    let quoted = text.replace('\'', "''");
    match place % 2 {
        0 => filter(place, format!("trace.text RLIKE '{quoted}'")),
        _ => statement(format!(
            "SELECT count(*) FROM spans WHERE inputs ~ '{quoted}'"
        )),
    }
}

/// A value: as an attribute in JSON, as a text that holds JSON, as an argument of SQL, as a page token.
fn value(place: usize, text: String) -> Result<(), Error> {
    let quoted = serde_json::Value::from(text.as_str()).to_string();
    let sql = text.replace('\'', "''");
    match place % 6 {
        0 => import(&text),
        1 => import(&format!("{{\"stringValue\":{quoted}}}")),
        2 => import(&format!(
            "{{\"stringValue\":{}}}",
            serde_json::Value::from(quoted)
        )),
        3 => statement(format!(
            "SELECT '{sql}' -> 'a' ->> 0, chat_messages('{sql}', '{sql}', 'LLM', '{sql}'), json_length('{sql}')"
        )),
        4 => WORLD
            .fresh
            .search_traces(&Search::new("").page_token(text))
            .map(drop),
        _ => filter(place, format!("span.attributes.`a` = '{sql}'")),
    }
}

fn import(value: &str) -> Result<(), Error> {
    let request = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"a","startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{{"key":"input.value","value":{value}}},{{"key":"mlflow.spanInputs","value":{value}}}]}}]}}]}}]}}"#
    );
    store(request.as_bytes())
}

/// What is let in can be searched, asked for and read.
fn store(request: &[u8]) -> Result<(), Error> {
    let db = empty();
    db.set_redaction(tracehouse::Redaction::default())?;
    db.import_otlp(request, &ImportOptions::default())?;
    db.search_traces(&Search::new(
        "trace.text LIKE '%a_b%' OR span.attributes.`a` = 'b'",
    ))?;
    db.sql("SELECT attributes ->> 'input.value' FROM spans")?;
    db.sql("SELECT content FROM messages")?;
    db.seal()?;
    db.index_text()?;
    db.search_text("text", 3)?;
    db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736").map(drop)
}

/// A protobuf message whose values are as deep as the text says.
fn message(_place: usize, depth: String) -> Result<(), Error> {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length > 127 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, content.to_vec()].concat()
    };
    // Each level has a few bytes more; beyond this the time to make one grows with the square.
    let depth = depth.parse::<usize>().unwrap_or_default().min(9_000);
    let value = (0..depth).fold(field(1, b"x"), |inner, _| field(5, &field(1, &inner)));
    let attribute = field(9, &[field(1, b"input.value"), field(2, &value)].concat());
    let ids = [field(1, &[1; 16]), field(2, &[2; 8]), field(5, b"a")].concat();
    let span = field(2, &[ids, attribute].concat());
    let error = store(&field(1, &field(2, &span)));
    assert!(
        error
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::InvalidInput)
            || depth < 200
    );
    error
}

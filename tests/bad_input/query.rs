//! What whoever asks questions may ask: an error that says why, in bounded time and memory. Statements that
//! write, files as tables, chains of operators and functions that multiply their input are asked of the SQL
//! layer itself; here is what goes through the public API.

use tracehouse::{ErrorKind, ImportOptions, OpenOptions, Search, SqlQuery, SqlValue};

use crate::data;
use crate::support::{DiskDb, import_lines, in_memory, json_rows, number, quiet_settings};

#[test]
fn statements_are_refused_before_they_run() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &data::lines());
    let before = number(&disk.db, "SELECT count(*) FROM spans");
    let outside = disk.path().with_file_name("outside.csv");
    let copy = format!("COPY spans TO '{}'", outside.display());
    let chain = format!("SELECT {}", vec!["1"; 2_000].join("+"));
    let list = format!(
        "SELECT count(*) FROM spans WHERE name IN ({})",
        vec!["'x'"; 1_000_000].join(",")
    );
    let long = format!("SELECT '{}'", "x".repeat(5 << 20));
    for statement in [
        "INSERT INTO spans VALUES (1)",
        "DELETE FROM spans",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        copy.as_str(),
        "SELECT 1; DELETE FROM spans",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"file:///etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SET datafusion.execution.batch_size = 1",
        "SELECT repeat('x', 1000000000)",
        "SELECT * FROM generate_series(1, 10000000000)",
        chain.as_str(),
        list.as_str(),
        long.as_str(),
        "SELECT name FROM spans WHERE regexp_like(name, '(a+)+$(?=b)')",
        "\0",
        "SELECT",
    ] {
        let error = disk.db.sql(statement).unwrap_err();
        let shown: String = statement.chars().take(40).collect();
        // A limit of memory is no mistake of the statement.
        let is_typed = matches!(
            error.kind(),
            ErrorKind::InvalidInput | ErrorKind::ResourceExhausted
        );
        assert!(is_typed, "{shown}: {error}");
        assert!(error.to_string().chars().count() < 600, "{shown}: {error}");
        assert!(
            !error.to_string().contains(disk.path().to_str().unwrap()),
            "{shown}: {error}"
        );
    }
    assert!(!outside.exists());
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), before);
}

#[test]
fn a_query_ends_at_its_limits_of_time_and_memory() {
    let mut settings = quiet_settings();
    settings.query_bytes_max = 4 << 20;
    settings.query_timeout_ms = 500;
    let disk = DiskDb::new();
    import_lines(&disk.db, &data::lines());
    let db = OpenOptions::new()
        .settings(settings)
        .read_only(true)
        .open(disk.path())
        .unwrap();
    let product = "spans a, spans b, spans c, spans d, spans e, spans f";
    for statement in [
        format!("SELECT count(a.name || b.name || c.name || f.name) FROM {product}"),
        format!(
            "SELECT a.name, b.span_id, c.span_id, d.span_id, count(*) FROM {product} GROUP BY 1, 2, 3, 4"
        ),
        format!(
            "SELECT a.inputs, b.inputs FROM {product} ORDER BY a.inputs || b.outputs || c.name"
        ),
    ] {
        let error = db.sql(&statement).unwrap_err();
        let is_limit = matches!(
            error.kind(),
            ErrorKind::Timeout | ErrorKind::ResourceExhausted
        );
        assert!(is_limit, "{statement}: {error}");
    }
    assert!(number(&disk.db, "SELECT count(*) FROM spans") > 0);
}

#[test]
fn patterns_are_linear_and_bounded() {
    let db = in_memory();
    let line = data::lines()
        .remove(0)
        .replace("\"name\":\"", &format!("\"name\":\"{}", "a".repeat(50_000)));
    import_lines(&db, &[line]);
    for filter in [
        format!("span.name LIKE '{}b'", "%a".repeat(2_000)),
        "span.name RLIKE '(a+)+b$'".to_string(),
        "span.name RLIKE '(a|aa)*c'".to_string(),
        format!("span.name ILIKE '{}'", "%".repeat(4_000)),
    ] {
        db.count_traces(&Search::new(filter.as_str()))
            .unwrap_or_else(|error| panic!("{filter}: {error}"));
    }
    for filter in [
        "span.name RLIKE '(a)\\1'".to_string(),
        "span.name RLIKE '(?=a)'".to_string(),
        format!("span.name RLIKE '{}'", "(a{1000}){1000}"),
        format!(
            "span.name RLIKE '{}{}'",
            "(".repeat(1_000),
            ")".repeat(1_000)
        ),
        format!("span.name LIKE '{}'", "a".repeat(10_000)),
        format!("{}name = 'x'", "NOT ".repeat(100_000)),
        vec!["name = 'x'"; 10_000].join(" OR "),
        "name = 'unclosed".to_string(),
        "name > > 1".to_string(),
        "total_tokens = 'many'".to_string(),
    ] {
        let error = db.search_traces(&Search::new(filter.as_str())).unwrap_err();
        let shown: String = filter.chars().take(40).collect();
        assert_eq!(error.code(), "INVALID_PARAMETER_VALUE", "{shown}: {error}");
        assert!(error.to_string().len() < 2_000, "{shown}: {error}");
    }
}

#[test]
fn text_queries_are_bounded() {
    let db = in_memory();
    import_lines(&db, &data::lines());
    let words = |count: usize| {
        (0..count)
            .map(|n| format!("w{n}"))
            .collect::<Vec<_>>()
            .join(" OR ")
    };
    for query in [
        "a*".to_string(),
        "word~10".to_string(),
        words(10_000),
        "(".repeat(1_000),
        format!("{}*", "x".repeat(1_000)),
        "x".repeat(1 << 20),
        "\"unclosed".to_string(),
        "*".to_string(),
        "\u{0}\u{202e}".to_string(),
    ] {
        let shown: String = query.chars().take(30).collect();
        let Err(error) = db.search_text(&query, 10) else {
            panic!("{shown} is let through")
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{shown}: {error}");
        assert!(error.to_string().len() < 1_000, "{shown}");
    }
    for query in ["ab*", "word~1", "word~2", "\u{0}a\u{202e}", &words(200)] {
        db.search_text(query, 10)
            .unwrap_or_else(|error| panic!("{query}: {error}"));
    }
}

#[test]
fn limits_offsets_and_tokens_of_any_size_are_checked() {
    let db = in_memory();
    import_lines(&db, &data::lines());
    let all = db.search_traces(&Search::new("")).unwrap().traces.len();
    assert_eq!(
        db.search_traces(&Search::new("").limit(usize::MAX))
            .unwrap()
            .traces
            .len(),
        all
    );
    let mut search = Search::new("").limit(usize::MAX);
    search.offset = usize::MAX;
    assert!(db.search_traces(&search).unwrap().traces.is_empty());
    assert!(db.search_text("the", usize::MAX).is_ok());
    let token = db
        .search_traces(&Search::new("").limit(2))
        .unwrap()
        .next_page_token
        .unwrap();
    let mut edited = token.clone().into_bytes();
    let last = edited.len() / 2;
    edited[last] = if edited[last] == b'A' { b'B' } else { b'A' };
    for token in [
        String::from_utf8(edited).unwrap(),
        "x".repeat(1 << 20),
        "\0".into(),
        token[..token.len() - 1].into(),
    ] {
        let mut search = Search::new("").limit(2);
        search.page_token = Some(token.clone());
        let error = db.search_traces(&search).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
    for statement in [
        "SELECT * FROM spans LIMIT -1",
        "SELECT * FROM spans LIMIT 99999999999999999999",
    ] {
        assert_eq!(
            db.sql(statement).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{statement}"
        );
    }
    assert!(
        db.sql("SELECT * FROM spans LIMIT 9223372036854775807 OFFSET 9223372036854775807")
            .is_ok()
    );
}

#[test]
fn values_of_parameters_are_values() {
    let db = in_memory();
    import_lines(&db, &data::lines());
    let mut query = SqlQuery::from("SELECT count(*) AS n FROM spans WHERE name = $name");
    query
        .parameters
        .push(("name".into(), SqlValue::Text("' OR '1'='1".into())));
    let (_, batches) = db.query(query, None).unwrap();
    assert_eq!(json_rows(&batches)[0]["n"], 0);
}

#[test]
fn ids_of_any_form_are_checked() {
    let db = in_memory();
    import_lines(&db, &data::lines());
    let long = "x".repeat(129);
    for id in ["", "a\nb", "\0", long.as_str()] {
        assert!(db.get_trace(id).is_err(), "{id:?}");
        assert!(db.set_tag(id, "k", "v").is_err(), "{id:?}");
        let options = ImportOptions::default().experiment_id(id);
        let error = db
            .import_otlp(data::lines()[0].as_bytes(), &options)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{id:?}: {error}");
    }
    let error = db.set_tag("../../etc/passwd", "k", "v").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

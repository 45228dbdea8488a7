//! Prompts stored, loaded, linked.

use tracehouse_eval::prompt::{NewVersion, PromptContent};

use crate::{Database, ErrorKind, SpanBuilder, SpanStatus};

fn register(db: &Database, template: &str) -> u32 {
    let content = PromptContent::parse(template).unwrap();
    let version = db.register_prompt("answer", NewVersion::new(content));
    version.unwrap().version
}

#[test]
fn versions_stay_and_aliases_move() {
    let db = Database::in_memory().unwrap();
    assert_eq!(register(&db, "one {{q}}"), 1);
    assert_eq!(register(&db, "two {{q}}"), 2);
    db.set_prompt_alias("answer", "production", 1).unwrap();
    let loaded = db.load_prompt("prompts:/answer@production").unwrap();
    assert_eq!(
        (loaded.version, loaded.aliases),
        (1, vec!["production".to_string()])
    );
    db.set_prompt_alias("answer", "production", 2).unwrap();
    let version = |uri: &str| db.load_prompt(uri).map(|version| version.version);
    assert_eq!(version("prompts:/answer@production").unwrap(), 2);
    assert_eq!(version("prompts:/answer@latest").unwrap(), 2);
    assert_eq!(version("prompts:/answer/1").unwrap(), 1);
    for (uri, kind) in [
        ("prompts:/answer/3", ErrorKind::NotFound),
        ("prompts:/answer@staging", ErrorKind::NotFound),
        ("prompts:/other/1", ErrorKind::NotFound),
        ("answer", ErrorKind::InvalidInput),
    ] {
        assert_eq!(version(uri).unwrap_err().kind(), kind, "{uri}");
    }
    db.delete_prompt_version("answer", 2).unwrap();
    assert!(version("prompts:/answer@production").is_err());
    // A number is given once.
    assert_eq!(register(&db, "three"), 3);
    db.set_prompt_tag("answer", "team", "search").unwrap();
    assert_eq!(db.prompts().unwrap()[0].tags["team"], "search");
    db.delete_prompt_tag("answer", "team").unwrap();
    db.delete_prompt("answer").unwrap();
    assert!(db.prompts().unwrap().is_empty());
}

#[test]
fn traces_tell_what_versions_do() {
    let db = Database::in_memory().unwrap();
    register(&db, "one");
    register(&db, "two");
    for (at, version) in [(0, "1"), (1, "2"), (2, "2")] {
        let id = format!("t{at}");
        let status = match at {
            2 => SpanStatus::Error,
            _ => SpanStatus::Ok,
        };
        let span = SpanBuilder::new(&id, "1", "agent")
            .times_ns(0, Some(1_000_000 * (at + 1)))
            .status(status)
            .attribute("gen_ai.usage.cost", 0.5)
            .build()
            .unwrap();
        db.append(&[span]).unwrap();
        match at {
            0 => db
                .link_prompts_to_trace(&id, &[format!("answer/{version}")])
                .unwrap(),
            _ => db
                .set_tag(
                    &id,
                    "mlflow.linkedPrompts",
                    &format!(r#"[{{"name":"answer","version":"{version}"}}]"#),
                )
                .unwrap(),
        }
        db.log_feedback(&id, "good", if at == 1 { "true" } else { "false" })
            .unwrap();
    }
    let stats = db.prompt_stats("answer").unwrap();
    let figures: Vec<(&str, u64, u64, f64)> = stats
        .iter()
        .map(|one| {
            (
                one.version.as_str(),
                one.trace_count,
                one.error_count,
                one.feedback["good"],
            )
        })
        .collect();
    assert_eq!(figures, [("1", 1, 0, 0.0), ("2", 2, 1, 0.5)]);
    assert_eq!(stats[1].duration_p50_ns, Some(2_500_000.0));
    let links: Vec<(String, String)> = db
        .sql_rows("SELECT trace_id, prompt_version FROM trace_prompts WHERE prompt_name = 'answer' ORDER BY 1")
        .unwrap()
        .collect::<crate::Result<_>>()
        .unwrap();
    let expected = [("t0", "1"), ("t1", "2"), ("t2", "2")];
    assert_eq!(
        links,
        expected.map(|(id, version)| (id.to_string(), version.to_string()))
    );
    let (versions, kind): (i64, String) = db
        .sql_rows("SELECT count(*), max(type) FROM prompt_versions JOIN prompts USING (name)")
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!((versions, kind.as_str()), (2, "text"));
}

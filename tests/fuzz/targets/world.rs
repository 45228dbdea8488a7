//! The same small database twice: all in memory, and in segments with indexes and later changes. Whatever
//! is asked, both give the same answer (QU-1).

use std::sync::LazyLock;

use tracehouse::{Database, OpenOptions, Search, Settings};

use crate::data;

/// The two databases.
pub struct World {
    pub fresh: Database,
    pub sealed: Database,
    /// Traces in each.
    pub traces: u64,
}

/// Made once, read by all.
pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (fresh, sealed) = (empty(), empty());
    for (db, seals) in [(&fresh, false), (&sealed, true)] {
        let lines = data::lines();
        let (first, second) = lines.split_at(lines.len() / 2);
        for part in [first, second] {
            db.import(part.join("\n").as_bytes(), &Default::default(), &mut |_| {})
                .unwrap();
            db.import_assessments(data::assessments().as_bytes(), &Default::default())
                .unwrap();
            if seals {
                db.seal().unwrap();
                db.index_text().unwrap();
            }
        }
        db.import(
            data::corrections().join("\n").as_bytes(),
            &Default::default(),
            &mut |_| {},
        )
        .unwrap();
        db.set_tags(&data::trace_id(1), [("env", "it's prod"), ("late", "yes")])
            .unwrap();
        db.delete_traces(&[data::trace_id(3)]).unwrap();
    }
    let traces = fresh.count_traces(&Search::new("")).unwrap();
    assert_eq!(sealed.count_traces(&Search::new("")).unwrap(), traces);
    World {
        fresh,
        sealed,
        traces,
    }
});

/// A database in memory that does nothing by itself.
pub fn empty() -> Database {
    let mut settings = Settings::default();
    settings.background = false;
    settings.threads = 1;
    OpenOptions::new()
        .settings(settings)
        .open(":memory:")
        .unwrap()
}

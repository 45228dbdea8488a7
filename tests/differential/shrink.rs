//! Makes a statement smaller as long as it shows the same.

use tracehouse::Database;

use super::peers::Peers;
use super::report::{Small, Verdict};
use super::statement::Statement;
use super::{Outcome, Question, ask};

/// Statements that are tried for one.
const TRIES_MAX: usize = 150;

/// The smallest statement found whose verdict is `wanted`.
pub fn shrink(statement: Statement, wanted: &Verdict, db: &Database, peers: &mut Peers) -> Small {
    let mut best = statement;
    let mut tries = 0;
    'smaller: loop {
        let mut candidates = best.smaller();
        candidates.sort_by_key(|candidate| candidate.tree.size());
        for candidate in candidates {
            if tries == TRIES_MAX {
                break 'smaller;
            }
            tries += 1;
            let question = candidate.question();
            if question.ours.len() < best.question().ours.len()
                && asked(question, db, peers).verdict == *wanted
            {
                best = candidate;
                continue 'smaller;
            }
        }
        break;
    }
    asked(best.question(), db, peers)
}

fn asked(question: Question, db: &Database, peers: &mut Peers) -> Small {
    let (ours, duckdb, sqlite): (Outcome, Outcome, Option<Outcome>) = ask(&question, db, peers);
    let verdict = Verdict::of(&question, &ours, &duckdb, sqlite.as_ref());
    Small {
        question,
        verdict,
        ours,
        duckdb,
        sqlite,
    }
}

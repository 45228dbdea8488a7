//! What a person should hear beside an answer: names that nothing has, values that cannot be.

use std::time::Duration;

use tracehouse::{Database, Search};

use crate::context::Context;
use crate::failure::Result;

/// Longest that looking for names may take where there is an answer to show; what takes longer goes unsaid.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// The notices of a search that found something, or nothing. Without an answer they are what there is to say.
pub fn of_search(db: &Database, search: &Search, has_found: bool) -> Result<Vec<String>> {
    match has_found {
        false => Ok(db.notices(search, false)?),
        true => Ok(db
            .with_timeout(LOOK_LIMIT)
            .notices(search, true)
            .unwrap_or_default()),
    }
}

/// Says the notices of a SQL statement.
pub fn say_of_sql(context: &Context, db: &Database, statement: &str) {
    if !context.quiet {
        context.notice(
            &db.with_timeout(LOOK_LIMIT)
                .sql_notices(statement)
                .unwrap_or_default(),
        );
    }
}

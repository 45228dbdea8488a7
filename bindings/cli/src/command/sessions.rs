//! `sessions`: sessions of which some trace matches, with figures over all their traces.

use std::io::Write;

use serde_json::{Value, json};
use tracehouse::{Session, SessionSearch};

use super::write_json;
use crate::args::SessionsArgs;
use crate::context::Context;
use crate::failure::Result;
use crate::output::escape::line;
use crate::output::table::TextTable;
use crate::output::units::{count, rfc3339, time, usd};

/// Searches and shows the sessions.
pub fn run(context: &Context, args: &SessionsArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let mut search =
        SessionSearch::new(args.period.filter(&args.filter)?).limit(args.limit.saturating_add(1));
    search.order_by.clone_from(&args.order_by);
    if !args.experiment.is_empty() {
        search = search.experiments(args.experiment.iter().cloned());
    }
    let mut sessions = context.open_to_read(&args.db)?.sessions(&search)?;
    // One more than shown was looked for, to know whether there is more.
    let has_more = sessions.len() > args.limit;
    sessions.truncate(args.limit);
    if context.json {
        let shown = sessions.iter().map(as_json).collect::<Result<Vec<_>>>()?;
        return write_json(out, &json!({ "sessions": shown, "has_more": has_more }));
    }
    if sessions.is_empty() {
        return context.say(out, "no sessions");
    }
    let columns = [
        "!session_id",
        "user_id",
        ">traces",
        ">errors",
        "!first",
        "!last",
        ">tokens",
        ">cost",
    ];
    let mut table = TextTable::new(columns);
    for session in &sessions {
        let figure = |value: u64| count(i64::try_from(value).unwrap_or(i64::MAX));
        table.add_row(vec![
            line(&session.session_id),
            line(session.user_id.as_deref().unwrap_or_default()),
            figure(session.trace_count),
            figure(session.error_count),
            time(session.first_request_time_ns),
            time(session.last_request_time_ns),
            session.total_tokens.map(count).unwrap_or_default(),
            session.cost_usd.map(usd).unwrap_or_default(),
        ]);
    }
    table.write_fitting(out, context.style, "--json")?;
    if has_more {
        context.say(out, "\nthere are more: --limit shows them")
    } else {
        Ok(())
    }
}

/// A session as it is, with times for people and machines.
fn as_json(session: &Session) -> Result<Value> {
    let mut json = serde_json::to_value(session)?;
    if let Some(figures) = json.as_object_mut() {
        let (first, last) = (session.first_request_time_ns, session.last_request_time_ns);
        for (name, time_ns) in [("first_request_time", first), ("last_request_time", last)] {
            figures.remove(&format!("{name}_ns"));
            figures.insert(name.to_string(), rfc3339(time_ns).into());
        }
    }
    Ok(json)
}

//! `delete`: traces named by id, by filter or by age.

use std::io::Write;

use serde_json::json;
use tracehouse::{Database, Search, Table};

use super::confirm::confirm;
use super::notices::of_search;
use super::period::within;
use super::write_json;
use crate::args::DeleteArgs;
use crate::context::Context;
use crate::failure::{Failure, Result, report};
use crate::interrupt;
use crate::output::escape::line;
use crate::output::units::parse_time_ms;

/// Ids shown of a dry run for people.
const SHOWN_IDS_MAX: usize = 20;

/// Deletes, or with `--dry-run` says what would be.
pub fn run(context: &Context, args: &DeleteArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let filter = filter_of(args)?;
    let db = match args.dry_run {
        true => context.open_to_read(&args.db)?,
        false => context.open_to_change(&args.db)?,
    };
    let ids = match filter {
        Some(filter) => {
            let mut search = Search::new(filter).order_by(["timestamp ASC"]);
            search.limit = args.max.map(|count| count as usize);
            let ids = db.search_trace_ids(&search)?;
            context.notice(&of_search(&db, &search, !ids.is_empty())?);
            ids
        }
        // Bytes of traces that were deleted before are erased as well.
        None if args.erase && !args.dry_run => args.trace_ids.clone(),
        None => existing(&db, &args.trace_ids)?,
    };
    if args.dry_run {
        return show_plan(context, &ids, out);
    }
    if !args.yes && !ids.is_empty() {
        let verb = if args.erase { "erase" } else { "delete" };
        confirm(&format!("{verb} {}", traces(ids.len() as u64)))?;
    }
    if args.erase {
        interrupt::keeps("the next command that writes completes the erase".to_string());
        return erase(context, &db, &ids, out);
    }
    if !interrupt::finish() {
        return Err(Failure::failed("interrupted: nothing was deleted"));
    }
    let deleted = if ids.is_empty() {
        0
    } else {
        db.delete_traces(&ids)?
    };
    if context.json {
        return write_json(out, &json!({ "deleted": deleted, "dry_run": false }));
    }
    context.say(out, format_args!("deleted {}", traces(deleted)))
}

/// Erases, and shows the receipt; fails when a reader still holds old files.
fn erase(context: &Context, db: &Database, ids: &[String], out: &mut dyn Write) -> Result<()> {
    let receipt = db.erase_traces(ids)?;
    db.index_text()?;
    interrupt::finish();
    if context.json {
        write_json(out, &serde_json::to_value(&receipt)?)?;
    } else {
        let (segments, records) = (receipt.files.segments.len(), receipt.dataset_records);
        context.say(
            out,
            format_args!(
                "erased {}: {segments} segments written again, {records} dataset records removed",
                traces(receipt.deleted)
            ),
        )?;
    }
    match receipt.complete {
        true => Ok(()),
        false => Err(Failure::failed(format!(
            "the erase is not complete, readers hold: {}; the next command that writes goes on with it",
            receipt.files.pending.join(", ")
        ))),
    }
}

/// The filter of what is deleted; `None` when ids are given.
fn filter_of(args: &DeleteArgs) -> Result<Option<String>> {
    if !args.trace_ids.is_empty() {
        return Ok(None);
    }
    let filter = args
        .period
        .filter(args.filter.as_deref().unwrap_or_default())?;
    let before = args.before.as_deref().map(parse_time_ms).transpose()?;
    within(&filter, before.map(|ms| format!("timestamp < {ms}"))).map(Some)
}

/// The given ids that are there. Others are reported; none at all is the caller's mistake.
fn existing(db: &Database, ids: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for id in ids {
        if db.trace_rows(Table::Traces, id)?.num_rows() > 0 {
            found.push(tracehouse::model::normalize_trace_id(id));
        } else if ids.len() > 1 {
            report(format_args!("warning: trace {id} not found"));
        }
    }
    match ids.first() {
        Some(first) if found.is_empty() => {
            Err(Failure::bad_input(format!("trace {first} not found")))
        }
        _ => Ok(found),
    }
}

fn show_plan(context: &Context, ids: &[String], out: &mut dyn Write) -> Result<()> {
    if context.json {
        let plan = json!({ "deleted": 0, "dry_run": true, "matched": ids.len(), "trace_ids": ids });
        return write_json(out, &plan);
    }
    writeln!(out, "would delete {}", traces(ids.len() as u64))?;
    for id in ids.iter().take(SHOWN_IDS_MAX) {
        writeln!(out, "{}", line(id))?;
    }
    if ids.len() > SHOWN_IDS_MAX {
        writeln!(out, "and {} more", ids.len() - SHOWN_IDS_MAX)?;
    }
    Ok(())
}

fn traces(count: u64) -> String {
    if count == 1 {
        "1 trace".to_string()
    } else {
        format!("{count} traces")
    }
}

//! `dataset split`, `leaks`, `dedupe`, `edit`, `remove` and `where`: what datasets share, and single records.

use std::io::Write;

use serde_json::json;
use tracehouse::{Alike, RecordEdit, SplitOptions};

use super::write_json;
use crate::args::{
    DatasetDedupeArgs, DatasetEditArgs, DatasetLeaksArgs, DatasetRemoveArgs, DatasetSplitArgs,
    DatasetWhereArgs, SplitBy,
};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;
use crate::output::table::TextTable;

/// Pairs of records that are listed for people.
const SHOWN_PAIRS: usize = 20;

pub fn split(context: &Context, args: &DatasetSplitArgs, out: &mut dyn Write) -> Result<()> {
    if args.names.len() != args.ratios.len() {
        return Err(Failure::bad_input(format!(
            "{} names for {} ratios: one for each expected",
            args.names.len(),
            args.ratios.len()
        )));
    }
    let db = context.open_to_change(&args.db)?;
    let mut options =
        SplitOptions::new(args.names.iter().cloned().zip(args.ratios.iter().copied()));
    (options.seed, options.near) = (args.seed, args.near);
    options.by_user = args.by == Some(SplitBy::User);
    let report = db.dataset(&args.name)?.split(&options)?;
    if context.json {
        return write_json(out, &json!(report));
    }
    let mut table = TextTable::new(["dataset", ">records"]);
    for (name, records) in &report.parts {
        table.add_row(vec![line(name), records.to_string()]);
    }
    table.write(out, context.style)?;
    context.say(
        out,
        format_args!(
            "\n{} groups stayed together, the largest of {} records",
            report.groups, report.largest_group
        ),
    )
}

pub fn leaks(context: &Context, args: &DatasetLeaksArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let report = db
        .dataset(&args.a)?
        .leaks(&db.dataset(&args.b)?, args.near)?;
    if context.json {
        write_json(out, &json!(report))?;
    } else {
        let (a, b) = (line(&args.a), line(&args.b));
        pairs(context, &report.records, [&a, &b], out)?;
        let shared = [
            ("trace", &report.traces),
            ("session", &report.sessions),
            ("user", &report.users),
        ];
        for (what, ids) in shared {
            for id in ids {
                writeln!(out, "{what} {} is in both", line(id))?;
            }
        }
    }
    match report.is_clean() {
        true => context.say(out, "they share nothing"),
        false => Err(Failure::failed(format!(
            "the datasets share {} records, {} traces, {} sessions and {} users",
            report.records.len(),
            report.traces.len(),
            report.sessions.len(),
            report.users.len()
        ))),
    }
}

fn pairs(context: &Context, pairs: &[Alike], titles: [&str; 2], out: &mut dyn Write) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut table = TextTable::new([titles[0], titles[1], ">likeness"]);
    for pair in pairs.iter().take(SHOWN_PAIRS) {
        table.add_row(vec![
            line(&pair.record_id),
            line(&pair.other_id),
            format!("{:.3}", pair.similarity),
        ]);
    }
    table.write(out, context.style)?;
    match pairs.len().saturating_sub(SHOWN_PAIRS) {
        0 => Ok(()),
        more => context.say(out, format_args!("and {more} more; --json shows them")),
    }
}

pub fn dedupe(context: &Context, args: &DatasetDedupeArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let report = db.dataset(&args.name)?.dedupe(args.near)?;
    if context.json {
        return write_json(out, &json!(report));
    }
    pairs(context, &report.dropped, ["dropped", "like"], out)?;
    context.say(
        out,
        format_args!(
            "{} records dropped, {} left in version {}",
            report.dropped.len(),
            report.record_count,
            report.version
        ),
    )
}

pub fn edit(context: &Context, args: &DatasetEditArgs, out: &mut dyn Write) -> Result<()> {
    let mut edit = RecordEdit::new();
    edit.outputs.clone_from(&args.outputs);
    edit.expectations.clone_from(&args.expectations);
    edit.tags.clone_from(&args.tags);
    let db = context.open_to_change(&args.db)?;
    let version = db.dataset(&args.name)?.edit_records(&args.records, &edit)?;
    if context.json {
        return write_json(
            out,
            &json!({"version": version, "edited": args.records.len()}),
        );
    }
    context.say(
        out,
        format_args!(
            "{} records changed in version {version}",
            args.records.len()
        ),
    )
}

pub fn remove(context: &Context, args: &DatasetRemoveArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let dataset = db.dataset(&args.name)?;
    let removed = dataset.delete_records(&args.records)?;
    let version = dataset.info()?.version;
    if context.json {
        return write_json(out, &json!({"version": version, "removed": removed}));
    }
    context.say(
        out,
        format_args!("{removed} records removed, version {version}"),
    )
}

pub fn holding(context: &Context, args: &DatasetWhereArgs, out: &mut dyn Write) -> Result<()> {
    let found = context
        .open_to_read(&args.db)?
        .datasets_holding(&args.trace_id)?;
    if context.json {
        return write_json(out, &json!(found));
    }
    if found.is_empty() {
        return context.say(out, "no dataset has a record of this trace");
    }
    let mut table = TextTable::new(["dataset", ">version", "record", "span", "the trace"]);
    for one in &found {
        let same = match one.is_same {
            Some(true) => "says the same",
            Some(false) => "says something else now",
            None => "is gone",
        };
        table.add_row(vec![
            line(&one.dataset),
            one.version.to_string(),
            line(&one.dataset_record_id),
            line(one.span_id.as_deref().unwrap_or("-")),
            same.to_string(),
        ]);
    }
    table.write(out, context.style)
}

//! `review`: queues of items that people judge.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracehouse::eval::review::{Assignment, ItemKey, LabelSchema, Next};
use tracehouse::{Database, Search, SessionSearch};

use super::{tag, write_json};
use crate::args::{
    DbArgs, ReviewAnswerArgs, ReviewCommand, ReviewCreateArgs, ReviewNameArgs, ReviewNextArgs,
    ReviewSkipArgs,
};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;
use crate::output::table::TextTable;
use crate::output::units::time;

/// Runs one of the commands of review queues.
pub fn run(context: &Context, command: &ReviewCommand, out: &mut (dyn Write + Send)) -> Result<()> {
    match command {
        ReviewCommand::Create(args) => create(context, args, out),
        ReviewCommand::List(args) => list(context, args, out),
        ReviewCommand::Next(args) => next(context, args, out),
        ReviewCommand::Answer(args) => answer(context, args, out),
        ReviewCommand::Skip(args) => skip(context, args, out),
        ReviewCommand::Status(args) => status(context, args, out),
        ReviewCommand::Delete(args) => delete(context, args, out),
    }
}

fn create(context: &Context, args: &ReviewCreateArgs, out: &mut dyn Write) -> Result<()> {
    let name = args.labels.display();
    let text = std::fs::read_to_string(&args.labels);
    let text = text.map_err(|error| Failure::file(&name, &error))?;
    let schema = LabelSchema::parse(&text).map_err(tracehouse::Error::from)?;
    let answers_per_item = args.answers;
    let assignment = match args.round_robin {
        true => Assignment::RoundRobin { answers_per_item },
        false => Assignment::Open { answers_per_item },
    };
    let db = context.open_to_change(&args.db)?;
    let items = items(&db, args)?;
    let added = db.create_review(
        &args.queue,
        schema,
        args.reviewer.clone(),
        items,
        &assignment,
    )?;
    if context.json {
        return write_json(out, &json!({"queue": args.queue, "items": added.added}));
    }
    context.say(
        out,
        format_args!(
            "created queue {} with {} items",
            line(&args.queue),
            added.added
        ),
    )
}

fn items(db: &Database, args: &ReviewCreateArgs) -> Result<Vec<ItemKey>> {
    if let Some(filter) = &args.sessions {
        let mut search = SessionSearch::new(filter);
        search.limit = args.limit;
        let sessions = db.sessions(&search)?.into_iter();
        let keys = sessions.map(|session| ItemKey::Session {
            session_id: session.session_id,
        });
        return Ok(keys.collect());
    }
    let search = Search {
        limit: args.limit,
        ..Search::new(args.filter.as_deref().unwrap_or_default())
    };
    let ids = db.search_trace_ids(&search)?.into_iter();
    Ok(ids.map(|trace_id| ItemKey::Trace { trace_id }).collect())
}

fn list(context: &Context, args: &DbArgs, out: &mut dyn Write) -> Result<()> {
    let queues = context.open_to_read(&args.db)?.reviews()?;
    if context.json {
        return write_json(out, &json!(queues));
    }
    if queues.is_empty() {
        return context.say(out, "no review queues");
    }
    let mut table = TextTable::new(["queue", ">items", "created", "changed"]);
    for queue in &queues {
        table.add_row(vec![
            line(&queue.name),
            queue.item_count.to_string(),
            time(queue.created_at_ns),
            time(queue.updated_at_ns),
        ]);
    }
    table.write(out, context.style)
}

fn next(context: &Context, args: &ReviewNextArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let lease = Duration::from_secs(args.minutes.saturating_mul(60));
    let next = db.review_next(&args.queue, &args.reviewer, lease)?;
    if context.json {
        return write_json(out, &json!(next));
    }
    match next {
        Next::Item { key, .. } => {
            writeln!(out, "{}", line(&key.to_string()))?;
            let labels = db.review(&args.queue)?.schema().labels().to_vec();
            for label in labels {
                let instruction = label.instruction.unwrap_or_default();
                context.say(
                    out,
                    format_args!("  {}  {}", line(&label.name), line(&instruction)),
                )?;
            }
            Ok(())
        }
        Next::Wait { until_ns } => context.say(
            out,
            format_args!(
                "others hold what is left, the first until {}",
                time(until_ns)
            ),
        ),
        Next::Done => context.say(out, "nothing is left"),
    }
}

fn answer(context: &Context, args: &ReviewAnswerArgs, out: &mut dyn Write) -> Result<()> {
    let mut answers = Map::new();
    for pair in &args.label {
        let (label, value) = tag::parse(pair)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        answers.insert(label.to_string(), value);
    }
    let db = context.open_to_change(&args.db)?;
    let answered = db.review_answer(
        &args.queue,
        &key(&args.item)?,
        &args.reviewer,
        &answers,
        args.comment.clone(),
    )?;
    if context.json {
        return write_json(out, &json!(answered));
    }
    let what = if answered.supersedes {
        "replaced"
    } else {
        "answered"
    };
    context.say(out, format_args!("{what} {}", line(&args.item)))
}

fn skip(context: &Context, args: &ReviewSkipArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let item = key(&args.item)?;
    db.review_skip(&args.queue, &item, &args.reviewer, args.reason.clone())?;
    context.say(out, format_args!("skipped {}", line(&args.item)))
}

fn key(text: &str) -> Result<ItemKey> {
    let key: std::result::Result<ItemKey, _> = text.parse();
    Ok(key.map_err(tracehouse::Error::from)?)
}

fn status(context: &Context, args: &ReviewNameArgs, out: &mut dyn Write) -> Result<()> {
    let status = context.open_to_read(&args.db)?.review_status(&args.queue)?;
    if context.json {
        return write_json(out, &json!(status));
    }
    let progress = &status.progress;
    writeln!(
        out,
        "{} of {} items complete, {} of {} answers given",
        progress.complete, progress.items, progress.answers_given, progress.answers_wanted
    )?;
    let mut table = TextTable::new(["reviewer", ">answered", ">skipped", ">waiting"]);
    for one in &progress.by_reviewer {
        table.add_row(vec![
            line(&one.reviewer),
            one.answered.to_string(),
            one.skipped.to_string(),
            one.waiting.to_string(),
        ]);
    }
    table.write(out, context.style)?;
    for (label, kappa) in &status.agreement {
        let told = kappa
            .kappa
            .map_or_else(|| "-".into(), |kappa| format!("{kappa:.3}"));
        context.say(
            out,
            format_args!(
                "{}: Fleiss' kappa {told} over {} items",
                line(label),
                kappa.items_compared
            ),
        )?;
    }
    Ok(())
}

fn delete(context: &Context, args: &ReviewNameArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    db.delete_review(&args.queue)?;
    context.say(out, format_args!("deleted queue {}", line(&args.queue)))
}

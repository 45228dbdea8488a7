//! `scorer`: what production is watched with.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use tracehouse::eval::{EvalScorer, MonitorReport, RegisteredScorer};

use super::evaluate::{options, scorers::Judges};
use super::write_json;
use crate::args::{DbArgs, ScorerCommand, ScorerNameArgs, ScorerRegisterArgs, ScorerRunArgs};
use crate::context::Context;
use crate::failure::{Failure, Result, report};
use crate::output::escape::line;
use crate::output::table::TextTable;

/// How often a waiting command looks whether it is to end.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs one of the commands of registered scorers.
pub fn run(context: &Context, command: &ScorerCommand, out: &mut (dyn Write + Send)) -> Result<()> {
    match command {
        ScorerCommand::Register(args) => register(context, args, out),
        ScorerCommand::List(args) => list(context, args, out),
        ScorerCommand::Start(args) => set_active(context, args, true, out),
        ScorerCommand::Stop(args) => set_active(context, args, false, out),
        ScorerCommand::Delete(args) => delete(context, args, out),
        ScorerCommand::Run(args) => judge(context, args, out),
    }
}

fn register(context: &Context, args: &ScorerRegisterArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let judges = Judges::of(context, &db, &args.scorers.judge);
    let scorers = judges.parse(&args.scorers.scorer)?;
    if scorers.is_empty() {
        return Err(Failure::bad_input("name what to register: --scorer SPEC"));
    }
    let mut registered = Vec::new();
    for scorer in &scorers {
        registered.push(db.register_scorer(scorer, &args.filter, args.sample_rate)?);
    }
    if context.json {
        return write_json(out, &json!(registered));
    }
    for one in &registered {
        context.say(
            out,
            format_args!("registered {} {}", line(&one.name), line(&one.version)),
        )?;
    }
    Ok(())
}

fn list(context: &Context, args: &DbArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let (registered, reports) = (db.registered_scorers()?, db.registered_reports()?);
    told(context, &registered, &reports, out)
}

fn told(
    context: &Context,
    registered: &[RegisteredScorer],
    reports: &[MonitorReport],
    out: &mut dyn Write,
) -> Result<()> {
    if context.json {
        return write_json(out, &json!({"scorers": registered, "reports": reports}));
    }
    if registered.is_empty() {
        return context.say(out, "no scorers are registered");
    }
    let mut table = TextTable::new([
        "name",
        "version",
        "active",
        ">sample",
        "where",
        ">judged",
        ">errors",
        ">cost",
        ">waiting",
        ">will cost",
    ]);
    for (one, report) in registered.iter().zip(reports) {
        let usd = |usd: Option<f64>| usd.map_or_else(|| "-".into(), |usd| format!("${usd:.4}"));
        table.add_row(vec![
            line(&one.name),
            line(&one.version),
            if one.active { "yes" } else { "no" }.into(),
            one.sample_rate.to_string(),
            line(&one.filter),
            report.judged.to_string(),
            report.errors.to_string(),
            usd(report.cost_usd),
            report.waiting.to_string(),
            usd(report.waiting_cost_usd),
        ]);
    }
    table.write(out, context.style)
}

fn set_active(
    context: &Context,
    args: &ScorerNameArgs,
    active: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    db.set_scorer_active(&args.name, active)?;
    let done = if active { "started" } else { "stopped" };
    context.say(out, format_args!("{done} {}", line(&args.name)))
}

fn delete(context: &Context, args: &ScorerNameArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    db.delete_registered_scorer(&args.name)?;
    context.say(out, format_args!("forgot {}", line(&args.name)))
}

fn judge(context: &Context, args: &ScorerRunArgs, out: &mut dyn Write) -> Result<()> {
    if args.dry_run {
        return list(
            context,
            &DbArgs {
                db: args.db.clone(),
            },
            out,
        );
    }
    loop {
        // Between two looks others may write.
        match judged(context, args, out) {
            Err(failure) if !args.follow => return Err(failure),
            Err(failure) => report(format_args!("{}", failure.message)),
            Ok(()) => {}
        }
        if !args.follow {
            return Ok(());
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(args.every) {
            if context.cancel.is_cancelled() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Lets the active scorers judge what waits.
fn judged(context: &Context, args: &ScorerRunArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let judges = Judges::of(context, &db, &args.judge);
    let registered = db.registered_scorers()?;
    let made = |one: &RegisteredScorer| judges.stored(&one.definition);
    // One that cannot be made is told by the run; the others say whether a model is asked.
    let active = registered.iter().filter(|one| one.active);
    let scorers: Vec<EvalScorer> = active.filter_map(|one| made(one).ok()).collect();
    let reports = db.run_registered(&options(context, &args.judge, &scorers), made)?;
    judges.say_usage();
    match args.follow {
        true => Ok(()),
        false => told(context, &registered, &reports, out),
    }
}

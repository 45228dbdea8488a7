//! One file per command; this one sends each to its own.

mod assess;
mod backup;
mod check;
mod compact;
mod confirm;
mod dataset;
mod dataset_merge;
mod dataset_parts;
mod delete;
mod demo;
mod demo_data;
mod evaluate;
mod export;
mod fresh;
mod import;
mod manual;
mod metrics;
mod notices;
mod period;
mod prices;
mod progress;
mod prompt;
mod redaction;
mod repair;
mod retain;
mod review;
mod scorer;
mod search;
mod serve;
mod sessions;
mod shell;
mod show;
mod sql;
mod stats;
mod tag;
mod text;

use std::io::Write;

use crate::args::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::interrupt::{self, Doing};
use crate::output::escape::EscapingWriter;

/// Runs a command; its result goes to `out`.
pub fn run(context: &Context, command: &Command, out: &mut (dyn Write + Send)) -> Result<()> {
    if context.timeout.is_some() && !asks(command) {
        return Err(Failure::bad_input(
            "--timeout goes with commands that ask: search, text, sql, shell, show, sessions, metrics, stats, \
             dataset, eval, scorer, prompt, review, serve, delete and export",
        ));
    }
    let context = &context.with_cancel(interrupt::begin(doing(command)));
    match command {
        Command::Demo(args) => demo::run(context, args, out),
        Command::Import(args) => import::run(context, args, out),
        Command::Search(args) => search::run(context, args, out),
        Command::Text(args) => text::run(context, args, out),
        Command::Sql(args) => sql::run(context, args, out),
        Command::Shell(args) => shell::run(context, args, out),
        Command::Show(args) => show::run(context, args, out),
        Command::Sessions(args) => sessions::run(context, args, out),
        Command::Metrics(args) => metrics::run(context, args, out),
        Command::Stats(args) => stats::run(context, args, out),
        Command::Tag(args) => tag::set(context, args, out),
        Command::Untag(args) => tag::remove(context, args, out),
        Command::Assess(args) => assess::run(context, args, out),
        Command::Delete(args) => delete::run(context, args, out),
        Command::Dataset(command) => dataset::run(context, command, out),
        Command::Eval(command) => evaluate::run(context, command, out),
        Command::Scorer(command) => scorer::run(context, command, out),
        Command::Prompt(command) => prompt::run(context, command, out),
        Command::Review(command) => review::run(context, command, out),
        Command::Serve(args) => serve::run(context, args, out),
        Command::Mcp(args) => serve::mcp(context, args),
        Command::Token(args) => serve::token(context, args, out),
        Command::Compact(args) => compact::run(context, args, out),
        Command::Check(args) => check::run(context, args, out),
        Command::Repair(args) => repair::run(context, args, out),
        Command::Backup(args) => backup::run(context, args, out),
        Command::Retain(args) => retain::run(context, args, out),
        Command::Export(args) => export::run(context, args, out),
        Command::Prices(args) => prices::run(context, args, out),
        Command::Redaction(args) => redaction::run(context, args, out),
        Command::Completions(args) => manual::completions(args, out),
        Command::Man => manual::man(out),
    }
}

/// What a signal does to a command.
fn doing(command: &Command) -> Doing {
    match command {
        Command::Import(_)
        | Command::Delete(_)
        | Command::Dataset(_)
        | Command::Eval(_)
        | Command::Scorer(_)
        | Command::Prompt(_)
        | Command::Review(_)
        | Command::Backup(_)
        | Command::Export(_) => Doing::Writing,
        // It ends by itself: what was accepted is finished.
        Command::Serve(_) => Doing::Finishing,
        command if asks(command) => Doing::Question,
        _ => Doing::Unstoppable,
    }
}

/// Whether a command asks the database something that may take long, and not only writes or copies.
fn asks(command: &Command) -> bool {
    match command {
        Command::Search(_)
        | Command::Text(_)
        | Command::Sql(_)
        | Command::Shell(_)
        | Command::Show(_)
        | Command::Sessions(_)
        | Command::Metrics(_)
        | Command::Stats(_)
        | Command::Delete(_)
        | Command::Dataset(_)
        | Command::Eval(_)
        | Command::Scorer(_)
        | Command::Prompt(_)
        | Command::Review(_)
        | Command::Serve(_)
        | Command::Export(_) => true,
        Command::Demo(_)
        | Command::Import(_)
        | Command::Tag(_)
        | Command::Untag(_)
        | Command::Assess(_)
        | Command::Compact(_)
        | Command::Check(_)
        | Command::Repair(_)
        | Command::Backup(_)
        | Command::Retain(_)
        | Command::Mcp(_)
        | Command::Token(_)
        | Command::Prices(_)
        | Command::Redaction(_)
        | Command::Completions(_)
        | Command::Man => false,
    }
}

/// Writes one JSON document and a line end.
fn write_json(out: &mut dyn Write, value: &serde_json::Value) -> Result<()> {
    serde_json::to_writer(EscapingWriter::json(&mut *out), value)?;
    writeln!(out)?;
    Ok(())
}

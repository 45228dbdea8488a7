//! `eval`: runs that judge stored traces, sessions and records of datasets.

mod compare;
mod run;
pub(super) mod scorers;
mod show;

pub(super) use run::options;

use std::io::Write;

use crate::args::{EvalCommand, EvalNameArgs};
use crate::context::Context;
use crate::failure::Result;
use crate::output::escape::line;

/// Runs one of the commands of evaluation runs.
pub fn run(context: &Context, command: &EvalCommand, out: &mut (dyn Write + Send)) -> Result<()> {
    match command {
        EvalCommand::Run(args) => run::run(context, args, out),
        EvalCommand::List(args) => show::list(context, args, out),
        EvalCommand::Show(args) => show::show(context, args, out),
        EvalCommand::Compare(args) => compare::run(context, args, out),
        EvalCommand::Delete(args) => delete(context, args, out),
    }
}

fn delete(context: &Context, args: &EvalNameArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let run = db.eval_run(&args.run)?;
    db.delete_eval(&run.run_id)?;
    context.say(out, format_args!("deleted run {}", line(&run.run_id)))
}

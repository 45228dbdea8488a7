//! `eval run`: judges, and says what came of it.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use tracehouse::eval::{EvalOptions, EvalRun, EvalScorer, EvalSource, EvalState};
use tracehouse::{Database, ErrorKind, Search, SessionSearch};

use super::scorers::Judges;
use super::show;
use crate::args::{EvalRunArgs, JudgeArgs};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;

/// Items whose scores are committed together for each that a judge looks at at the same time.
const CHUNKS_A_JUDGE: usize = 8;
/// Answers of a judge that are waited for at the same time.
const CONCURRENCY: usize = 8;

/// Starts a run, or goes on with one.
pub fn run(context: &Context, args: &EvalRunArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    if args.resume.is_none() && args.scorers.scorer.is_empty() {
        return Err(Failure::bad_input(
            "a run needs a scorer: --scorer exact_match, for instance, or --resume RUN",
        ));
    }
    let db = context.open_to_change(&args.db)?;
    let judges = Judges::of(context, &db, &args.scorers.judge);
    let begun = args
        .resume
        .as_ref()
        .map(|run| db.eval_run(run))
        .transpose()?;
    let scorers = match &begun {
        Some(run) => judges.again(&run.scorers)?,
        None => judges.parse(&args.scorers.scorer)?,
    };
    let mut options = options(context, &args.scorers.judge, &scorers).feedback(!args.no_feedback);
    options.name.clone_from(&args.name);
    options.judge_traces.clone_from(&args.judge_traces);
    let judged = match &begun {
        Some(run) => db.resume_eval(&run.run_id, &source_again(&db, run)?, &scorers, &options),
        None => db.evaluate(&source(args)?, &scorers, &options),
    };
    judges.say_usage();
    let run = judged.map_err(|error| hinted(&db, &args.db, begun.as_ref(), error))?;
    tell(context, &db, &run, out)
}

/// What a run needs to be told besides its source and scorers.
pub fn options(context: &Context, args: &JudgeArgs, scorers: &[EvalScorer]) -> EvalOptions {
    let asks = scorers.iter().any(EvalScorer::is_judge);
    let mut options = EvalOptions::new();
    let concurrency = args.concurrency.or(asks.then_some(CONCURRENCY));
    if let Some(concurrency) = concurrency {
        options = options.concurrency(concurrency);
    }
    if asks {
        options = options.chunk_items(concurrency.unwrap_or(1).saturating_mul(CHUNKS_A_JUDGE));
    }
    if !context.quiet && !context.json && std::io::stderr().is_terminal() {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} judged, {eta}") {
            bar.set_style(style);
        }
        options = options.progress(Arc::new(move |done, all| {
            bar.set_length(all);
            bar.set_position(done);
            if done == all {
                bar.finish_and_clear();
            }
        }));
    }
    options
}

fn source(args: &EvalRunArgs) -> Result<EvalSource> {
    if let Some(dataset) = &args.dataset {
        return dataset_source(dataset);
    }
    let search = |filter: &str| Search {
        limit: args.limit,
        ..Search::new(filter)
    };
    if let Some(filter) = &args.spans {
        return Ok(EvalSource::Spans(search(filter)));
    }
    if let Some(filter) = &args.sessions {
        let mut sessions = SessionSearch::new(filter);
        sessions.limit = args.limit;
        return Ok(EvalSource::Sessions(sessions));
    }
    Ok(EvalSource::Traces(search(
        args.filter.as_deref().unwrap_or_default(),
    )))
}

fn dataset_source(text: &str) -> Result<EvalSource> {
    let (name, version) = match text.rsplit_once('@') {
        None => (text, None),
        Some((name, version)) => {
            let number = version.parse().map_err(|_| {
                Failure::bad_input(format!("{text:?}: NAME or NAME@VERSION expected"))
            })?;
            (name, Some(number))
        }
    };
    Ok(EvalSource::Dataset {
        name: name.to_string(),
        version,
    })
}

/// The source that a run began with.
fn source_again(db: &Database, run: &EvalRun) -> Result<EvalSource> {
    let filter = run.filter.clone().unwrap_or_default();
    let search = Search {
        limit: run.limit,
        ..Search::new(&filter)
    };
    match (run.source.as_str(), &run.dataset_id) {
        ("traces", _) => Ok(EvalSource::Traces(search)),
        ("spans", _) => Ok(EvalSource::Spans(search)),
        ("sessions", _) => {
            let mut sessions = SessionSearch::new(filter);
            sessions.limit = run.limit;
            Ok(EvalSource::Sessions(sessions))
        }
        ("dataset", Some(id)) => Ok(EvalSource::Dataset {
            name: db.dataset_by_id(id)?.name().to_string(),
            version: run.dataset_version,
        }),
        (source, _) => Err(Failure::bad_input(format!(
            "run {} judged {source} items of a program, which alone can go on with it",
            run.run_id
        ))),
    }
}

/// A run that was given up can go on.
fn hinted(
    db: &Database,
    path: &Path,
    begun: Option<&EvalRun>,
    error: tracehouse::Error,
) -> Failure {
    let last = match begun {
        Some(run) => db.eval_run(&run.run_id).ok(),
        None => db.eval_runs().ok().and_then(|runs| runs.into_iter().next()),
    };
    match last {
        Some(run) if error.kind() == ErrorKind::Cancelled && run.row_count > 0 => {
            Failure::failed(format!(
                "{error}; {} scores are stored, go on with: tracehouse eval run {} --resume {}",
                run.row_count,
                path.display(),
                run.run_id
            ))
        }
        _ => error.into(),
    }
}

fn tell(context: &Context, db: &Database, run: &EvalRun, out: &mut dyn Write) -> Result<()> {
    if context.json {
        return show::report_json(db, run, out);
    }
    if context.quiet {
        writeln!(out, "{}", line(&run.run_id))?;
        return Ok(());
    }
    show::report(context, db, run, 3, out)?;
    let ended = match run.state {
        EvalState::Done => "done",
        _ => "not done",
    };
    context.say(out, format_args!("\nrun {} {ended}", line(&run.run_id)))
}

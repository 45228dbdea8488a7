//! `import`: files of traces and assessments into a database.
//!
//! 1. Every file is looked at first: a name that cannot be read changes nothing.
//! 2. Files are imported in the given order, then the assessments. What a file judges waits for the files after it.
//! 3. The database is closed, which seals it: later commands find segments and indexes ready.
//! 4. The report; then the exit code, which is 2 when a file was incomplete.
//!
//! Ctrl-C ends the input. What was read is stored or, where that takes too long, reported as rejected; the database is
//! left as it is, with what is not sealed in its log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tracehouse::{
    CancelToken, Database, ImportOptions, ImportReport, Progress, Rejected, WaitingAssessments,
};

use super::fresh;
use super::progress::ProgressDisplay;
use crate::args::{ImportArgs, RedactKind};
use crate::context::Context;
use crate::failure::{Failure, Result, report};
use crate::interrupt::{self, until_cancelled};
use crate::output::escape::line;
use crate::output::units::{bytes, count};

/// Longest time that what came on standard input waits for more.
const FLUSH_PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether the end of an import is to be left to others.
const LOOK_PAUSE: Duration = Duration::from_millis(25);
/// Rejections listed for people; the JSON report has the first 100,000, and the count of all.
const LISTED_REJECTED_MAX: usize = 20;

/// One input: a file or standard input.
#[derive(Debug, Clone)]
struct Input {
    /// As the user wrote it.
    name: String,
    /// `None` for standard input.
    path: Option<PathBuf>,
    /// `None` when it cannot be known.
    bytes: Option<u64>,
}

/// The JSON report.
#[derive(Serialize)]
struct Summary<'a> {
    traces: u64,
    spans: u64,
    duplicate_spans: u64,
    assessments: u64,
    rejected: &'a [Rejected],
    rejected_count: u64,
    redacted: u64,
    cut_keys: u64,
    repeated_keys: u64,
    skipped: u64,
    log_records: u64,
    waiting_log_records: u64,
    skipped_log_records: &'a BTreeMap<String, u64>,
    forms: &'a BTreeMap<&'static str, u64>,
    bytes: u64,
    seconds: f64,
}

/// Imports everything and reports. A database that was made for nothing is not left behind.
pub fn run(context: &Context, args: &ImportArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let is_new = !fresh::is_there(&args.db);
    let done = import(context, args, is_new, out);
    if is_new && done.is_err() && interrupt::code().is_none() {
        fresh::remove_if_empty(context, &args.db);
    }
    done
}

fn import(
    context: &Context,
    args: &ImportArgs,
    is_new: bool,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let started = Instant::now();
    let files = args
        .files
        .iter()
        .map(|path| input(path))
        .collect::<Result<Vec<_>>>()?;
    let assessments = args
        .assessments
        .iter()
        .map(|path| input(path))
        .collect::<Result<Vec<_>>>()?;
    let standard_inputs = files
        .iter()
        .chain(&assessments)
        .filter(|input| input.path.is_none())
        .count();
    if standard_inputs > 1 {
        return Err(Failure::bad_input(
            "standard input can be imported only once",
        ));
    }
    let db = context.open_to_import(&args.db)?;
    redact_also(&db, &args.redact)?;
    let mut display = ProgressDisplay::new(context, args.progress, total_bytes(&files));
    let mut total = ImportReport::default();
    let mut incomplete: Option<String> = None;
    let imported = import_all(
        &db,
        args,
        (&files, &assessments),
        &context.cancel,
        &mut display,
        &mut total,
        &mut incomplete,
    );
    display.finish();
    let is_closed = close(&db, &context.cancel);
    interrupt::finish();
    if is_closed.is_none() {
        if is_new && !total.kept_something() {
            fresh::remove_open_if_empty(&db, &args.db);
        }
        // Its threads end with the process: one that seals takes longer than someone who gave up waits.
        std::mem::forget(db);
    }
    imported?;
    is_closed.transpose()?;
    total.seconds = started.elapsed().as_secs_f64();
    show(context, &total, out)?;
    judge(&total, incomplete)?;
    context.notice(&nothing_there(&total, files.iter().chain(&assessments)));
    Ok(())
}

/// Whether the command has done what it was asked to.
fn judge(total: &ImportReport, incomplete: Option<String>) -> Result<()> {
    match incomplete {
        _ if interrupt::code().is_some() => Err(Failure::failed(
            "interrupted: what was read is stored or counted as rejected",
        )),
        Some(name) => {
            let name = shown_name(&name);
            let kept = match total.kept_something() {
                true => "is incomplete: what could be read is kept",
                false => "is incomplete, or no file of traces: nothing was kept",
            };
            Err(Failure::bad_input(format!("{name} {kept}")))
        }
        None if kept_nothing(total) => Err(Failure::bad_input(format!(
            "nothing was kept{}: {} rejected, {} without traces",
            forms(total, " of"),
            total.rejected_count,
            total.skipped
        ))),
        None => Ok(()),
    }
}

/// Closes the database, which seals it: what was acknowledged before a failure is kept, too. `None` when Ctrl-C came
/// before that is done; then it is left to the next who opens it for writing.
fn close(db: &Database, cancel: &CancelToken) -> Option<Result<()>> {
    if cancel.is_cancelled() {
        return None;
    }
    let ((sender, closed), db) = (mpsc::channel(), db.clone());
    let closing = std::thread::spawn(move || sender.send(db.close()));
    loop {
        match closed.recv_timeout(LOOK_PAUSE) {
            Ok(closed) => return Some(closed.map_err(Failure::from)),
            Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match closing.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(_) => return Some(Err(Failure::failed("the database was not closed"))),
            },
        }
    }
}

/// Whether there was something to import and none of it was kept.
fn kept_nothing(total: &ImportReport) -> bool {
    let kept = total.kept_something() || total.dropped_spans > 0;
    !kept && total.rejected_count + total.skipped > 0
}

/// What to say when there was nothing to import.
fn nothing_there<'a>(total: &ImportReport, inputs: impl Iterator<Item = &'a Input>) -> Vec<String> {
    let seen = total.dropped_spans + total.rejected_count + total.skipped;
    if total.kept_something() || seen > 0 || !total.skipped_log_records.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = inputs.map(|input| shown_name(&input.name)).collect();
    vec![format!(
        "no spans, log records or assessments in {}",
        names.join(", ")
    )]
}

/// Turns on what is asked for, in the database, for this import and whatever is written later.
fn redact_also(db: &Database, kinds: &[RedactKind]) -> Result<()> {
    if kinds.is_empty() {
        return Ok(());
    }
    let mut setting = db.redaction();
    for kind in kinds {
        setting = match kind {
            RedactKind::Names => setting.names(true),
            RedactKind::Secrets => setting.secrets(true),
            RedactKind::Emails => setting.emails(true),
            RedactKind::Cards => setting.cards(true),
        };
    }
    if setting != db.redaction() {
        db.set_redaction(setting)?;
    }
    Ok(())
}

fn import_all(
    db: &Database,
    args: &ImportArgs,
    (files, assessments): (&[Input], &[Input]),
    cancel: &CancelToken,
    display: &mut ProgressDisplay,
    total: &mut ImportReport,
    incomplete: &mut Option<String>,
) -> Result<()> {
    let mut options = ImportOptions::default()
        .experiment_id(args.experiment.as_str())
        .strict(args.strict);
    if let Some(lines) = args.batch_lines {
        options = options.batch_lines(lines as usize);
    }
    let waiting = WaitingAssessments::default();
    let of_files = options
        .clone()
        .assessments_wait(&waiting)
        .until(cancel.clone());
    let imported = import_files(db, files, &of_files, display, total, incomplete);
    // What one file judges another may have brought, also when a later one failed.
    let placed = db.store_waiting(&waiting, args.strict);
    imported?;
    total.add(placed?);
    for input in assessments {
        total.add(db.import_assessments(
            open(input, cancel)?,
            &options.clone().name(input.name.as_str()),
        )?);
    }
    Ok(())
}

fn import_files(
    db: &Database,
    files: &[Input],
    options: &ImportOptions,
    display: &mut ProgressDisplay,
    total: &mut ImportReport,
    incomplete: &mut Option<String>,
) -> Result<()> {
    for input in files {
        let mut options = options.clone().name(input.name.as_str());
        if input.path.is_none() {
            options = options.flush_after(FLUSH_PAUSE);
        }
        let reader = display.counted(open(input, &options.until.clone().unwrap_or_default())?);
        let mut acked = Progress::default();
        let imported = db.import(reader, &options, &mut |progress| {
            acked = progress;
            interrupt::keeps(kept(&input.name, progress));
            display.acknowledged(progress);
        })?;
        display.file_done(acked);
        if imported.incomplete {
            incomplete.get_or_insert_with(|| input.name.clone());
        }
        total.add(imported);
    }
    Ok(())
}

/// Looks at a file without reading it.
fn input(path: &Path) -> Result<Input> {
    let name = path.display().to_string();
    if path == Path::new("-") {
        return Ok(Input {
            name,
            path: None,
            bytes: None,
        });
    }
    let named = |error: io::Error| match name.contains("://") {
        true => Failure::bad_input(format!(
            "{name} is no file of traces; a database of MLflow is moved by \
             `python -m tracehouse.mlflow import URL app.traces`"
        )),
        false => Failure::file(&name, &error),
    };
    let metadata = File::open(path)
        .and_then(|file| file.metadata())
        .map_err(named)?;
    if metadata.is_dir() {
        return Err(Failure::bad_input(format!(
            "{name} is a folder: a file of traces expected"
        )));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    Ok(Input {
        name,
        path: Some(path.to_path_buf()),
        bytes,
    })
}

/// Says of an import that was ended where it was what is stored; a batch more may be.
fn kept(name: &str, acknowledged: Progress) -> String {
    let lines = count(i64::try_from(acknowledged.acked_lines).unwrap_or(i64::MAX));
    format!(
        "of {}, the first {lines} lines at least are stored",
        shown_name(name)
    )
}

/// Opens an input. A pipe may wait for its writer: it is read by a thread of its own, until `cancel` is cancelled.
fn open(input: &Input, cancel: &CancelToken) -> Result<Box<dyn Read + Send>> {
    let Some(path) = &input.path else {
        return Ok(Box::new(until_cancelled(io::stdin(), cancel.clone())));
    };
    let file = File::open(path).map_err(|error| Failure::file(&input.name, &error))?;
    Ok(
        match file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            true => Box::new(file),
            false => Box::new(until_cancelled(file, cancel.clone())),
        },
    )
}

/// The size of all inputs; `None` when one is not known.
fn total_bytes(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(|input| input.bytes).sum()
}

fn show(context: &Context, total: &ImportReport, out: &mut dyn Write) -> Result<()> {
    if context.json {
        serde_json::to_writer(&mut *out, &summary(total))?;
        writeln!(out)?;
        return Ok(());
    }
    list_rejected(&total.rejected, total.rejected_count);
    context.say(out, sentence(total))
}

fn summary(total: &ImportReport) -> Summary<'_> {
    Summary {
        traces: total.traces,
        spans: total.spans,
        duplicate_spans: total.duplicate_spans,
        assessments: total.assessments,
        rejected: &total.rejected,
        rejected_count: total.rejected_count,
        redacted: total.redacted,
        cut_keys: total.cut_keys,
        repeated_keys: total.repeated_keys,
        skipped: total.skipped,
        log_records: total.log_records,
        waiting_log_records: total.waiting_log_records,
        skipped_log_records: &total.skipped_log_records,
        forms: &total.forms,
        bytes: total.bytes,
        seconds: total.seconds,
    }
}

/// An input's name for people.
fn shown_name(name: &str) -> String {
    if name == "-" {
        "standard input".to_string()
    } else {
        line(name)
    }
}

/// Lists what was not kept on standard error: the first of it, then the count.
pub fn list_rejected(rejected: &[Rejected], rejected_count: u64) {
    for Rejected {
        file,
        line: number,
        error,
    } in rejected.iter().take(LISTED_REJECTED_MAX)
    {
        match number {
            Some(number) => report(format_args!(
                "{}:{number}: {}",
                shown_name(file),
                line(error)
            )),
            None => report(format_args!("{}: {}", shown_name(file), line(error))),
        }
    }
    let unlisted = rejected_count.saturating_sub(LISTED_REJECTED_MAX as u64);
    if unlisted > 0 {
        report(format_args!(
            "and {unlisted} more: {rejected_count} rejected in all"
        ));
    }
}

fn sentence(total: &ImportReport) -> String {
    let figure = |value: u64| count(i64::try_from(value).unwrap_or(i64::MAX));
    let mut parts = vec![
        format!("{} traces", figure(total.traces)),
        format!("{} spans", figure(total.spans)),
    ];
    for (value, what) in [
        (total.assessments, "assessments"),
        (total.duplicate_spans, "spans that were there already"),
        (total.rejected_count, "rejected"),
        (total.redacted, "values redacted"),
        (total.cut_keys, "keys cut to 256 bytes"),
        (total.log_records, "log records joined to spans"),
        (total.waiting_log_records, "of them waiting for their span"),
        (
            total.skipped_log_records.values().sum(),
            "other log records skipped",
        ),
        (total.skipped, "requests without traces skipped"),
    ] {
        if value > 0 {
            parts.push(format!("{} {what}", figure(value)));
        }
    }
    let from = forms(total, " from");
    format!(
        "imported {}{from} ({} in {:.1} s)",
        parts.join(", "),
        bytes(total.bytes),
        total.seconds
    )
}

/// The forms that were seen, when there are others than OTLP.
fn forms(total: &ImportReport, word: &str) -> String {
    if total.forms.keys().all(|form| form.starts_with("OTLP")) {
        return String::new();
    }
    let figure = |seen: u64| count(i64::try_from(seen).unwrap_or(i64::MAX));
    let seen = total.forms.iter().map(|(form, count)| {
        let plural = if *count == 1 || form.ends_with('s') || form.ends_with("feedback") {
            ""
        } else {
            "s"
        };
        format!("{} {form}{plural}", figure(*count))
    });
    format!("{word} {}", seen.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_only_what_there_was() {
        let mut total = ImportReport {
            traces: 1200,
            spans: 3,
            bytes: 1000,
            ..ImportReport::default()
        };
        assert_eq!(
            sentence(&total),
            "imported 1,200 traces, 3 spans (1.0 kB in 0.0 s)"
        );
        total.rejected_count = 2;
        assert!(sentence(&total).contains(", 2 rejected ("));
    }

    #[test]
    fn the_json_report_has_the_documented_keys() {
        let rejected = vec![Rejected {
            file: "f".into(),
            line: None,
            error: "e".into(),
        }];
        let text = serde_json::to_string(&summary(&ImportReport {
            rejected,
            ..ImportReport::default()
        }))
        .unwrap();
        assert_eq!(
            text,
            "{\"traces\":0,\"spans\":0,\"duplicate_spans\":0,\"assessments\":0,\
             \"rejected\":[{\"file\":\"f\",\"line\":null,\"error\":\"e\"}],\"rejected_count\":0,\"redacted\":0,\
             \"cut_keys\":0,\"repeated_keys\":0,\"skipped\":0,\"log_records\":0,\
             \"waiting_log_records\":0,\"skipped_log_records\":{},\"forms\":{},\"bytes\":0,\"seconds\":0.0}"
        );
    }
}

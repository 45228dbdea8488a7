//! `demo`: a tour on sample traces, each step a command line as a user would type it.
//!
//! Steps are parsed and run like typed ones, so the tour cannot drift from the commands.

use std::io::Write;
use std::path::Path;

use clap::Parser;
use tracehouse::{Database, ImportOptions, ImportReport, OpenOptions, Search};

use super::demo_data::{EXPERIMENT, sample};
use crate::args::{Cli, DemoArgs};
use crate::context::Context;
use crate::failure::{Failure, Result};

/// Makes or reuses the sample database, then tours it.
pub fn run(context: &Context, args: &DemoArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let imported = fill(&args.dir)?;
    let db = args.dir.display().to_string();
    if context.json {
        // No tour for machines: the database is what they can use.
        let summary =
            serde_json::json!({ "db": db, "traces": imported.traces, "spans": imported.spans });
        return super::write_json(out, &summary);
    }
    if imported.traces > 0 {
        writeln!(
            out,
            "Made {} sample traces ({} spans) in {db}.",
            imported.traces, imported.spans
        )?;
    } else {
        writeln!(out, "The sample traces are already in {db}.")?;
    }
    let mut context = context.clone();
    context.quiet = false;
    for (what, command) in steps(&db) {
        step(&context, what, &command, out)?;
    }
    let failed = Search::new("span.tool = 'issue_refund' AND span.status = 'ERROR'").limit(1);
    let shown = context.open_to_read(&args.dir)?.search_trace_ids(&failed)?;
    if let Some(trace_id) = shown.first() {
        step(
            &context,
            "One trace as a tree, with timing, tokens and errors:",
            &["show", &db, trace_id],
            out,
        )?;
    }
    dataset_steps(&context, &args.dir, &db, out)?;
    writeln!(
        out,
        "\nNext: ask your own questions, or import your own traces.\n"
    )?;
    for next in [
        vec!["shell", &db],
        vec!["search", "--help"],
        vec!["import", "mine.traces", "FILE.jsonl.gz"],
    ] {
        writeln!(out, "  {}", typed(&next))?;
    }
    Ok(())
}

/// A dataset of what went wrong; on a second tour it is there already and only looked at.
fn dataset_steps(
    context: &Context,
    dir: &Path,
    db: &str,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    const NAME: &str = "regressions";
    let is_new = !context
        .open_to_read(dir)?
        .datasets()?
        .iter()
        .any(|info| info.name == NAME);
    let create = ["dataset", "create", db, NAME];
    let add = [
        "dataset",
        "add",
        db,
        NAME,
        "--where",
        "feedback.helpful = false",
        "--limit",
        "25",
    ];
    let show = ["dataset", "show", db, NAME, "--limit", "5"];
    if is_new {
        step(
            context,
            "An evaluation dataset of what went wrong:",
            &create,
            out,
        )?;
    }
    step(
        context,
        "Its records are the traces' inputs and outputs, each once:",
        &add,
        out,
    )?;
    step(
        context,
        "Versions never change; the newest is shown:",
        &show,
        out,
    )
}

/// Opens a folder that is new or holds only samples, and fills it; what is there already stays.
fn fill(dir: &Path) -> Result<ImportReport> {
    let db = OpenOptions::new().open(dir)?;
    let foreign = db.count_traces(&Search::new(format!("experiment_id != '{EXPERIMENT}'")))?;
    if foreign > 0 {
        return Err(Failure::bad_input(format!(
            "{} has {foreign} traces that are no samples: name another folder for the demo",
            dir.display()
        )));
    }
    let imported = import(&db);
    let closed = db.close();
    let imported = imported?;
    closed?;
    Ok(imported)
}

fn import(db: &Database) -> Result<ImportReport> {
    let samples = sample();
    let options = ImportOptions::default()
        .experiment_id(EXPERIMENT)
        .name("samples");
    let mut report = db.import_otlp_json_lines(samples.traces.as_bytes(), &options)?;
    report.add(db.import_assessments(samples.assessments.as_bytes(), &options)?);
    match report.rejected.first() {
        Some(rejected) => Err(Failure::failed(format!(
            "a sample was rejected: {}",
            rejected.error
        ))),
        None => Ok(report),
    }
}

fn steps(db: &str) -> Vec<(&'static str, Vec<&str>)> {
    vec![
        (
            "Search traces by what their spans did. These failed and were expensive:",
            vec![
                "search",
                db,
                "state = 'ERROR' AND total_tokens > 1500",
                "--order-by",
                "cost DESC",
                "--limit",
                "5",
            ],
        ),
        (
            "Conditions on one span hold together; feedback is a key like any other:",
            vec![
                "search",
                db,
                "HAS(span.tool = 'issue_refund' AND span.status = 'ERROR') AND feedback.helpful = false",
                "--limit",
                "3",
            ],
        ),
        (
            "SQL over the same spans:",
            vec![
                "sql",
                db,
                "SELECT model, count(*) AS calls, sum(total_tokens) AS tokens, round(sum(cost_usd), 4) AS cost_usd, \
                 approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns) / 1000000 AS p95_ms \
                 FROM spans WHERE model IS NOT NULL GROUP BY model ORDER BY tokens DESC",
            ],
        ),
        (
            "Words and phrases, best span first:",
            vec!["text", db, "\"refund policy\" -gift", "--limit", "3"],
        ),
    ]
}

/// Shows a command line and runs it.
fn step<S: AsRef<str>>(
    context: &Context,
    what: &str,
    command: &[S],
    out: &mut (dyn Write + Send),
) -> Result<()> {
    writeln!(out, "\n{}", context.style.bold(what))?;
    writeln!(out, "$ {}\n", typed(command))?;
    let words = std::iter::once("tracehouse").chain(command.iter().map(AsRef::as_ref));
    let cli = Cli::try_parse_from(words).map_err(|error| Failure::failed(error.to_string()))?;
    super::run(context, &cli.command, out)
}

/// The command line as a shell takes it.
fn typed<S: AsRef<str>>(command: &[S]) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=' | ':');
    let mut line = "tracehouse".to_string();
    for word in command.iter().map(AsRef::as_ref) {
        line.push(' ');
        if !word.is_empty() && word.chars().all(plain) {
            line.push_str(word);
        } else if !word.contains('"') && !word.contains(['$', '`', '\\', '!']) {
            line.push_str(&format!("\"{word}\""));
        } else {
            line.push_str(&format!("'{}'", word.replace('\'', "'\\''")));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_quoted_for_a_shell() {
        assert_eq!(
            typed(&["search", "a.traces", "state = 'OK'"]),
            "tracehouse search a.traces \"state = 'OK'\""
        );
        assert_eq!(
            typed(&["text", "a b", "\"x\""]),
            "tracehouse text \"a b\" '\"x\"'"
        );
        assert_eq!(typed(&[""]), "tracehouse \"\"");
    }

    #[test]
    fn every_step_is_a_valid_command() {
        for (_, command) in steps("x.traces") {
            Cli::try_parse_from(std::iter::once("tracehouse").chain(command)).unwrap();
        }
    }
}

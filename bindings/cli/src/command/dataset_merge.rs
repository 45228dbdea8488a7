//! `dataset add` and `dataset merge`: records into a dataset, and what became of them.

use std::fs::File;
use std::io::{self, Read, Write};

use serde_json::{Map, Value, json};
use tracehouse::{
    BuildPlan, Dataset, ExportForm, ExportFormat, MemberUse, MergeReport, Sample, Search,
    SourceRule,
};

use super::import::list_rejected;
use super::notices::of_search;
use super::write_json;
use crate::args::{DatasetAddArgs, DatasetFormat, DatasetMergeArgs, QuotaArgs};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::escape::line;
use crate::output::table::TextTable;

/// Members named one by one for people; the JSON has all.
const SHOWN_MEMBERS_MAX: usize = 20;

/// Adds what a filter finds.
pub fn add(context: &Context, args: &DatasetAddArgs, out: &mut dyn Write) -> Result<()> {
    let filter = args
        .spans
        .as_deref()
        .or(args.filter.as_deref())
        .unwrap_or_default();
    let mut search = Search::new(args.period.filter(filter)?);
    search.limit = args.limit;
    if !args.experiment.is_empty() {
        search = search.experiments(args.experiment.iter().cloned());
    }
    let sample = wanted_sample(args)?;
    if args.dry_run {
        let dataset = context.open_to_read(&args.db)?.dataset(&args.name)?;
        let plan = match args.spans.is_some() {
            true => dataset.plan_spans(&search, sample.as_ref())?,
            false => dataset.plan_traces(&search, sample.as_ref())?,
        };
        return show_plan(context, &plan, out);
    }
    let db = context.open_to_change(&args.db)?;
    let dataset = db
        .dataset(&args.name)?
        .source_rule(source_rule(args.keep_source));
    let report = match (args.spans.is_some(), &sample) {
        (false, None) => dataset.add_traces(&search)?,
        (false, Some(sample)) => dataset.add_sample(&search, sample)?,
        (true, None) => dataset.add_spans(&search)?,
        (true, Some(sample)) => dataset.add_span_sample(&search, sample)?,
    };
    interrupt::finish();
    let has_found = report.inserted + report.updated + report.unchanged + report.skipped > 0;
    match of_search(&db, &search, has_found) {
        // What was added is reported all the same.
        Err(_) if context.cancel.is_cancelled() => {}
        notices => context.notice(&notices?),
    }
    context.notice(&unmet_quotas(&report, args.stratify.as_deref()));
    show(context, &dataset, &report, out)
}

fn show_plan(context: &Context, plan: &BuildPlan, out: &mut dyn Write) -> Result<()> {
    if context.json {
        return write_json(out, &json!(plan));
    }
    let older = match plan.older {
        0 => String::new(),
        older => format!(", {older} older of their sessions"),
    };
    writeln!(
        out,
        "{} found, {} without inputs{older}, {} records, {} would be merged",
        plan.found, plan.skipped, plan.records, plan.chosen
    )?;
    if plan.strata.is_empty() {
        return Ok(());
    }
    let mut table = TextTable::new(["stratum", ">records", ">would be merged"]);
    for (stratum, there, chosen) in &plan.strata {
        table.add_row(vec![
            line(stratum.as_deref().unwrap_or("-")),
            there.to_string(),
            chosen.to_string(),
        ]);
    }
    table.write(out, context.style)
}

/// Merges a file.
pub fn merge(context: &Context, args: &DatasetMergeArgs, out: &mut dyn Write) -> Result<()> {
    let name = args.file.display().to_string();
    let input: Box<dyn Read> = match name.as_str() {
        "-" => Box::new(io::stdin()),
        _ => Box::new(File::open(&args.file).map_err(|error| Failure::file(&name, &error))?),
    };
    let form = match args.format {
        Some(form) => form.as_export(false),
        None => ExportFormat::of_file(&args.file).unwrap_or(ExportFormat::JsonLines),
    };
    let dataset = context.open_to_change(&args.db)?.dataset(&args.name)?;
    let dataset = dataset.source_rule(source_rule(args.keep_source));
    let report = dataset.merge_from(input, form, &name)?;
    interrupt::finish();
    show(context, &dataset, &report, out)?;
    let has_kept = report.inserted + report.updated + report.unchanged + report.skipped > 0;
    match report.rejected_count {
        rejected if rejected > 0 && !has_kept => Err(Failure::bad_input(format!(
            "nothing was kept: {rejected} rejected"
        ))),
        _ => Ok(()),
    }
}

impl DatasetFormat {
    /// The form of another tool that it is.
    pub fn as_form(self) -> Option<ExportForm> {
        match self {
            DatasetFormat::Chat => Some(ExportForm::Chat),
            DatasetFormat::Mlflow => Some(ExportForm::Mlflow),
            DatasetFormat::Langfuse => Some(ExportForm::Langfuse),
            DatasetFormat::JsonLines | DatasetFormat::Parquet | DatasetFormat::Csv => None,
        }
    }

    /// The form of an export, and of what is merged: the forms of other tools are JSON lines.
    pub fn as_export(self, raw: bool) -> ExportFormat {
        match self {
            DatasetFormat::JsonLines
            | DatasetFormat::Chat
            | DatasetFormat::Mlflow
            | DatasetFormat::Langfuse => ExportFormat::JsonLines,
            DatasetFormat::Parquet => ExportFormat::Parquet,
            DatasetFormat::Csv if raw => ExportFormat::RawCsv,
            DatasetFormat::Csv => ExportFormat::Csv,
        }
    }
}

fn source_rule(keep: bool) -> SourceRule {
    if keep {
        SourceRule::First
    } else {
        SourceRule::OfOutputs
    }
}

/// The sample that `add` is asked for; none where all of what is found is added.
fn wanted_sample(args: &DatasetAddArgs) -> Result<Option<Sample>> {
    let sample = sample_of(
        args.sample,
        args.seed,
        args.stratify.as_deref(),
        &args.quotas,
    )?;
    Ok(match args.newest_per_session {
        true => Some(sample.newest_per_session()),
        false => (args.sample.is_some() || !sample.quotas.is_empty()).then_some(sample),
    })
}

/// The sample that options ask for.
///
/// # Errors
/// Bad input for a quota that is none.
pub fn sample_of(
    count: Option<usize>,
    seed: u64,
    stratify: Option<&str>,
    quotas: &QuotaArgs,
) -> Result<Sample> {
    let mut sample = Sample::all(seed);
    sample.count = count;
    sample.stratify = stratify.map(str::to_string);
    for text in &quotas.quota {
        // A value may have a = in it, a number has none.
        let parts = text.rsplit_once('=');
        let quota = parts.and_then(|(value, number)| Some((value, number.parse().ok()?)));
        let (value, number) = quota.ok_or_else(|| {
            Failure::bad_input(format!(
                "quota {text:?}: VALUE=N expected, such as gpt-4o=20"
            ))
        })?;
        sample = sample.quota(Some(value), number);
    }
    Ok(match quotas.quota_missing {
        Some(number) => sample.quota(None, number),
        None => sample,
    })
}

/// A sentence for each quota that there were too few records for.
fn unmet_quotas(report: &MergeReport, stratify: Option<&str>) -> Vec<String> {
    let key = stratify.unwrap_or_default();
    let unmet = report.unmet_quotas.iter();
    unmet
        .map(|(value, there, quota)| match value {
            Some(value) => format!("{there} records of {quota} wanted have {key} = {value:?}"),
            None => format!("{there} records of {quota} wanted have no {key}"),
        })
        .collect()
}

fn show(
    context: &Context,
    dataset: &Dataset,
    report: &MergeReport,
    out: &mut dyn Write,
) -> Result<()> {
    if context.json {
        let shown = json!({
            "inserted": report.inserted,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "skipped": report.skipped,
            "rejected": report.rejected,
            "rejected_count": report.rejected_count,
            "ignored_members": members_json(report, |used| used.taken_as.is_none().then(|| used.records.into())),
            "taken_members": members_json(report, |used| {
                used.taken_as.map(|part| json!({ "as": part, "records": used.records }))
            }),
            "unmet_quotas": report.unmet_quotas,
            "version": report.version,
            "record_count": report.record_count,
        });
        return write_json(out, &shown);
    }
    list_rejected(&report.rejected, report.rejected_count);
    let name = line(dataset.name());
    let is_now = format!(
        "{name} is version {} with {} records",
        report.version, report.record_count
    );
    context.say(out, format_args!("{}: {is_now}", figures(report)))
}

fn members_json(report: &MergeReport, shown: impl Fn(&MemberUse) -> Option<Value>) -> Value {
    let members = report.members.iter();
    Value::Object(
        members
            .filter_map(|used| Some((used.member.clone(), shown(used)?)))
            .collect::<Map<_, _>>(),
    )
}

fn figures(report: &MergeReport) -> String {
    let (inserted, updated, unchanged) = (report.inserted, report.updated, report.unchanged);
    let mut text = format!("{inserted} added, {updated} updated, {unchanged} unchanged");
    for (value, what) in [
        (report.skipped, "skipped (no inputs)"),
        (report.rejected_count, "rejected"),
    ] {
        if value > 0 {
            text.push_str(&format!(", {value} {what}"));
        }
    }
    let mut parts: Vec<&str> = report
        .members
        .iter()
        .filter_map(|used| used.taken_as)
        .collect();
    parts.sort_unstable();
    parts.dedup();
    for part in parts {
        text.push_str(&format!(
            "; taken as {part}: {}",
            members_of(report, Some(part))
        ));
    }
    let ignored = members_of(report, None);
    if !ignored.is_empty() {
        text.push_str(&format!("; ignored members: {ignored}"));
    }
    text
}

/// The members that were used so, each with the records that have it.
fn members_of(report: &MergeReport, part: Option<&str>) -> String {
    let members: Vec<&MemberUse> = report
        .members
        .iter()
        .filter(|used| used.taken_as == part)
        .collect();
    let shown = members.iter().take(SHOWN_MEMBERS_MAX);
    let mut text: Vec<String> = shown
        .map(|used| format!("{} ({})", line(&used.member), used.records))
        .collect();
    if members.len() > SHOWN_MEMBERS_MAX {
        text.push(format!("and {} more", members.len() - SHOWN_MEMBERS_MAX));
    }
    text.join(", ")
}

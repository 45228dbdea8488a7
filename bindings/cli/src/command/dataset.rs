//! `dataset`: evaluation datasets, built from traces or merged from files.

use std::io::Write;

use arrow::array::RecordBatch;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracehouse::{
    Dataset, DatasetInfo, ExportForm, ExportFormat, ExportReport, NewDataset, RecordChange,
};

use super::confirm::confirm;
use super::dataset_merge::{self, sample_of};
use super::dataset_parts;
use super::tag;
use super::write_json;
use crate::args::{
    DatasetCommand, DatasetCreateArgs, DatasetDeleteArgs, DatasetDiffArgs, DatasetExportArgs,
    DatasetFormat, DatasetSampleArgs, DatasetShowArgs, DbArgs, SqlFormat,
};
use crate::context::Context;
use crate::failure::{Failure, Result, report};
use crate::output::escape::{EscapingWriter, line, preview};
use crate::output::table::TextTable;
use crate::output::units::{rfc3339, time};
use crate::output::{Style, format, json as json_output, to_file};

/// Records listed one by one that an export left out.
const LISTED_LEFT_OUT_MAX: usize = 20;
/// Records of a sample, unless it says how many.
const SAMPLE_RECORDS: usize = 10;
/// Records that `show` lists for people.
const SHOWN_RECORDS: usize = 20;
/// Columns of a record that tell it apart; the others are in the JSON.
const RECORD_COLUMNS: [&str; 5] = [
    "dataset_record_id",
    "inputs",
    "outputs",
    "expectations",
    "source_trace_id",
];

/// Runs one of the dataset commands.
pub fn run(
    context: &Context,
    command: &DatasetCommand,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    match command {
        DatasetCommand::Create(args) => create(context, args, out),
        DatasetCommand::List(args) => list(context, args, out),
        DatasetCommand::Show(args) => show(context, args, out),
        DatasetCommand::Add(args) => dataset_merge::add(context, args, out),
        DatasetCommand::Merge(args) => dataset_merge::merge(context, args, out),
        DatasetCommand::Sample(args) => sample(context, args, out),
        DatasetCommand::Diff(args) => diff(context, args, out),
        DatasetCommand::Export(args) => export(context, args, out),
        DatasetCommand::Split(args) => dataset_parts::split(context, args, out),
        DatasetCommand::Leaks(args) => dataset_parts::leaks(context, args, out),
        DatasetCommand::Dedupe(args) => dataset_parts::dedupe(context, args, out),
        DatasetCommand::Edit(args) => dataset_parts::edit(context, args, out),
        DatasetCommand::Remove(args) => dataset_parts::remove(context, args, out),
        DatasetCommand::Where(args) => dataset_parts::holding(context, args, out),
        DatasetCommand::Delete(args) => delete(context, args, out),
    }
}

fn create(context: &Context, args: &DatasetCreateArgs, out: &mut dyn Write) -> Result<()> {
    let mut new = NewDataset::new(args.name.as_str());
    for id in &args.experiment {
        new = new.experiment_id(id);
    }
    for text in &args.tag {
        let (key, value) = tag::parse(text)?;
        new = new.tag(key, value);
    }
    let dataset = context.open_to_create(&args.db)?.create_dataset_with(new)?;
    if context.json {
        return write_json(out, &info_json(&dataset.info()?));
    }
    context.say(
        out,
        format_args!("created dataset {}", line(dataset.name())),
    )
}

fn list(context: &Context, args: &DbArgs, out: &mut dyn Write) -> Result<()> {
    let datasets = context.open_to_read(&args.db)?.datasets()?;
    if context.json {
        return write_json(out, &Value::from_iter(datasets.iter().map(info_json)));
    }
    if datasets.is_empty() {
        return context.say(out, "no datasets");
    }
    let mut table = TextTable::new(["name", ">version", ">records", "updated", "dataset_id"]);
    for info in &datasets {
        table.add_row(vec![
            line(&info.name),
            info.version.to_string(),
            info.record_count.to_string(),
            time(info.updated_at_ns),
            line(&info.dataset_id),
        ]);
    }
    table.write(out, context.style)
}

fn show(context: &Context, args: &DatasetShowArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let dataset = db.dataset(&args.name)?;
    let (versions, records) = (dataset.versions()?, dataset.records(args.version)?);
    let info = match args.version {
        None => dataset.info()?,
        Some(number) => versions
            .iter()
            .find(|info| info.version == number)
            .cloned()
            .unwrap_or(dataset.info()?),
    };
    if context.json {
        let records = first(&records, args.limit.unwrap_or(usize::MAX));
        return show_json(&info, &versions, &records, out);
    }
    writeln!(out, "{}", context.style.bold(&line(&info.name)))?;
    for (name, value) in facts(&info) {
        writeln!(
            out,
            "{}  {value}",
            context.style.dim(&format!("{name:>10}"))
        )?;
    }
    for version in &versions {
        let made = time(version.updated_at_ns);
        writeln!(
            out,
            "{:>10}  {made}  {} records",
            format!("v{}", version.version),
            version.record_count
        )?;
    }
    let shown = first(&records, args.limit.unwrap_or(SHOWN_RECORDS));
    if shown.num_rows() > 0 {
        writeln!(out)?;
        record_table(&shown)?.write(out, context.style)?;
        context.say(
            out,
            format_args!("\nleft out: {}; --json shows them", left_out(&shown)),
        )?;
    }
    match records.num_rows() - shown.num_rows() {
        0 => Ok(()),
        more => context.say(out, format_args!("and {more} more; --limit shows them")),
    }
}

fn facts(info: &DatasetInfo) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("dataset", line(&info.dataset_id)),
        ("version", info.version.to_string()),
        ("records", info.record_count.to_string()),
        ("created", rfc3339(info.created_at_ns).unwrap_or_default()),
        ("updated", rfc3339(info.updated_at_ns).unwrap_or_default()),
    ];
    facts.extend(info.query.as_deref().map(|query| ("query", line(query))));
    facts.extend(
        info.tags
            .iter()
            .map(|(key, value)| ("tag", format!("{} = {}", line(key), line(value)))),
    );
    facts
}

fn show_json(
    info: &DatasetInfo,
    versions: &[DatasetInfo],
    records: &RecordBatch,
    out: &mut dyn Write,
) -> Result<()> {
    let mut shown = info_json(info);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert(
            "versions".into(),
            Value::from_iter(versions.iter().map(info_json)),
        );
    }
    // Rows are written as SQL writes them, in front of the object's end.
    let text = shown.to_string();
    out.write_all(text.strip_suffix('}').unwrap_or(&text).as_bytes())?;
    out.write_all(b",\"records\":")?;
    json_output::write_array(out, std::slice::from_ref(records))?;
    writeln!(out, "}}")?;
    Ok(())
}

/// The description of one version.
fn info_json(info: &DatasetInfo) -> Value {
    let json_text = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    json!({
        "dataset_id": info.dataset_id,
        "name": info.name,
        "version": info.version,
        "record_count": info.record_count,
        "created_at": rfc3339(info.created_at_ns),
        "updated_at": rfc3339(info.updated_at_ns),
        "experiment_ids": info.experiment_ids,
        "tags": info.tags,
        "query": info.query.as_deref().map(json_text),
        "schema": json_text(&info.schema),
    })
}

fn first(records: &RecordBatch, limit: usize) -> RecordBatch {
    records.slice(0, records.num_rows().min(limit))
}

/// The columns that tell records apart, cut to a line.
fn record_table(records: &RecordBatch) -> Result<TextTable> {
    let schema = records.schema();
    let columns: Vec<usize> = RECORD_COLUMNS
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .collect();
    let shown = records.project(&columns)?;
    format::table_cut(&shown.schema(), &[shown], RECORD_CELL_WIDTH)
}

/// The columns that the table of records does not have.
fn left_out(records: &RecordBatch) -> String {
    let schema = records.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    names
        .filter(|name| !RECORD_COLUMNS.contains(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Columns of a value in a comparison.
const DIFF_TEXT_WIDTH: usize = 60;
/// Columns of one cell of a record.
const RECORD_CELL_WIDTH: usize = 44;

fn sample(context: &Context, args: &DatasetSampleArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let has_quotas = !args.quotas.quota.is_empty() || args.quotas.quota_missing.is_some();
    let count = args.count.or((!has_quotas).then_some(SAMPLE_RECORDS));
    let sample = sample_of(count, args.seed, args.stratify.as_deref(), &args.quotas)?;
    if let Some(name) = &args.into {
        let dataset = context.open_to_change(&args.db)?.dataset(&args.name)?;
        let info = dataset
            .sample_into(NewDataset::new(name.as_str()), &sample)?
            .info()?;
        if context.json {
            return write_json(out, &info_json(&info));
        }
        return context.say(
            out,
            format_args!(
                "created dataset {} with {} records",
                line(name),
                info.record_count
            ),
        );
    }
    let records = context
        .open_to_read(&args.db)?
        .dataset(&args.name)?
        .sample(&sample)?;
    let default = if context.json {
        SqlFormat::Json
    } else {
        SqlFormat::Table
    };
    match args.format.unwrap_or(default) {
        SqlFormat::Table => record_table(&records)?.write(out, context.style),
        form => format::write(
            out,
            form,
            false,
            &records.schema(),
            &[records],
            context.style,
        ),
    }
}

fn diff(context: &Context, args: &DatasetDiffArgs, out: &mut dyn Write) -> Result<()> {
    let dataset = context.open_to_read(&args.db)?.dataset(&args.name)?;
    let (from, to) = match (args.from, args.to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, dataset.info()?.version),
        _ => newest_two(&dataset)?,
    };
    let diff = dataset.diff(from, to)?;
    if context.json {
        let changes = diff
            .changes
            .iter()
            .map(ShownChange::of)
            .collect::<Result<_>>()?;
        let (added, removed, changed) = (&diff.added, &diff.removed, &diff.changed);
        serde_json::to_writer(
            EscapingWriter::json(&mut *out),
            &ShownDiff {
                from,
                to,
                added,
                removed,
                changed,
                changes,
            },
        )?;
        return Ok(writeln!(out)?);
    }
    for (sign, ids) in [
        ('+', &diff.added),
        ('-', &diff.removed),
        ('~', &diff.changed),
    ] {
        for id in ids {
            let changes = || diff.changes.iter().filter(|change| change.record_id == *id);
            let inputs = changes()
                .next()
                .map(|change| preview(&change.inputs, DIFF_TEXT_WIDTH));
            writeln!(out, "{sign} {}  {}", line(id), inputs.unwrap_or_default())?;
            for part in changes().flat_map(|change| &change.parts) {
                let text = |json: &Option<String>| {
                    json.as_deref()
                        .map_or_else(|| "(none)".into(), |json| preview(json, DIFF_TEXT_WIDTH))
                };
                writeln!(
                    out,
                    "    {}: {} -> {}",
                    line(&part.name),
                    text(&part.before),
                    text(&part.after)
                )?;
            }
        }
    }
    let (added, removed, changed) = (diff.added.len(), diff.removed.len(), diff.changed.len());
    context.say(
        out,
        format_args!("version {from} to {to}: {added} added, {removed} removed, {changed} changed"),
    )
}

/// A comparison for machines: values as they are written, so that numbers keep their digits.
#[derive(Serialize)]
struct ShownDiff<'a> {
    from: u32,
    to: u32,
    added: &'a [String],
    removed: &'a [String],
    changed: &'a [String],
    changes: Vec<ShownChange<'a>>,
}

#[derive(Serialize)]
struct ShownChange<'a> {
    record_id: &'a str,
    inputs: Box<RawValue>,
    parts: Vec<ShownPart<'a>>,
}

#[derive(Serialize)]
struct ShownPart<'a> {
    part: &'a str,
    before: Option<Box<RawValue>>,
    after: Option<Box<RawValue>>,
}

impl<'a> ShownChange<'a> {
    fn of(change: &'a RecordChange) -> Result<Self> {
        let mut parts = Vec::with_capacity(change.parts.len());
        for part in &change.parts {
            let value = |text: &Option<String>| text.as_deref().map(raw).transpose();
            let (before, after) = (value(&part.before)?, value(&part.after)?);
            parts.push(ShownPart {
                part: &part.name,
                before,
                after,
            });
        }
        Ok(Self {
            record_id: &change.record_id,
            inputs: raw(&change.inputs)?,
            parts,
        })
    }
}

/// JSON text as a value; another text as a string.
fn raw(text: &str) -> Result<Box<RawValue>> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) => Ok(serde_json::value::to_raw_value(text)?),
    }
}

fn newest_two(dataset: &Dataset) -> Result<(u32, u32)> {
    match dataset.versions()?.as_slice() {
        [.., before, newest] => Ok((before.version, newest.version)),
        _ => Err(Failure::bad_input(format!(
            "dataset {:?} has no two versions to compare",
            dataset.name()
        ))),
    }
}

fn export(context: &Context, args: &DatasetExportArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let dataset = context.open_to_read(&args.db)?.dataset(&args.name)?;
    if let Some(form) = args.format.and_then(DatasetFormat::as_form) {
        return export_form(context, args, &dataset, form, out);
    }
    let form = export_format(args)?;
    let Some(path) = &args.output else {
        if context.style.is_terminal() && form == ExportFormat::Parquet {
            return Err(Failure::bad_input(
                "a terminal cannot show a binary format: add --output FILE",
            ));
        }
        return write_export(&dataset, form, args.version, context.style, out);
    };
    // A version that is not there leaves the file alone.
    dataset.records(args.version)?;
    let mut records = 0;
    to_file(path, |file| {
        records = export_text(&dataset, form, args.version, file)?;
        Ok(())
    })?;
    if context.json {
        return write_json(
            out,
            &json!({ "records": records, "output": path.display().to_string() }),
        );
    }
    context.say(
        out,
        format_args!("wrote {records} records to {}", path.display()),
    )
}

/// Exports in the form of another tool, and lists the records that it has no line for.
fn export_form(
    context: &Context,
    args: &DatasetExportArgs,
    dataset: &Dataset,
    form: ExportForm,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let write = |output: &mut (dyn Write + Send)| {
        dataset.export_form(form, args.version, &mut EscapingWriter::json(output))
    };
    let mut written = ExportReport::default();
    match &args.output {
        None => written = write(out)?,
        Some(path) => {
            // A version that is not there leaves the file alone.
            dataset.records(args.version)?;
            to_file(path, |file| {
                written = write(file)?;
                Ok(())
            })?;
        }
    }
    let (records, left_out) = (written.records, written.left_out_count);
    for record in written.left_out.iter().take(LISTED_LEFT_OUT_MAX) {
        let (id, reason) = (&record.dataset_record_id, &record.reason);
        report(format_args!("{}: {}", line(id), line(reason)));
    }
    if left_out > 0 {
        report(format_args!(
            "{left_out} records left out, {records} written"
        ));
    }
    let Some(path) = &args.output else {
        return Ok(());
    };
    if context.json {
        let shown = json!({
            "records": records,
            "left_out_count": left_out,
            "left_out": written.left_out,
            "output": path.display().to_string(),
        });
        return write_json(out, &shown);
    }
    context.say(
        out,
        format_args!("wrote {records} records to {}", path.display()),
    )
}

/// The format that is asked for, else that of the file's ending.
fn export_format(args: &DatasetExportArgs) -> Result<ExportFormat> {
    if let Some(form) = args.format {
        return Ok(form.as_export(args.raw));
    }
    let Some(path) = args
        .output
        .as_deref()
        .filter(|path| path.extension().is_some())
    else {
        return Ok(ExportFormat::JsonLines);
    };
    match ExportFormat::of_file(path) {
        Some(ExportFormat::Csv) if args.raw => Ok(ExportFormat::RawCsv),
        Some(form) => Ok(form),
        None => Err(Failure::bad_input(format!(
            "{}: its ending names no format: .jsonl, .csv or .parquet expected, or --format",
            path.display()
        ))),
    }
}

fn write_export(
    dataset: &Dataset,
    form: ExportFormat,
    version: Option<u32>,
    style: Style,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    if style.is_terminal() {
        export_text(dataset, form, version, &mut EscapingWriter::new(out))?;
    } else {
        export_text(dataset, form, version, out)?;
    }
    Ok(())
}

/// Exports; JSON with what a terminal would obey written as JSON's escapes.
fn export_text(
    dataset: &Dataset,
    form: ExportFormat,
    version: Option<u32>,
    out: &mut (dyn Write + Send),
) -> Result<u64> {
    Ok(match form {
        ExportFormat::JsonLines => dataset.export(form, version, &mut EscapingWriter::json(out))?,
        _ => dataset.export(form, version, out)?,
    })
}

fn delete(context: &Context, args: &DatasetDeleteArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let info = db.dataset(&args.name)?.info()?;
    if !args.yes {
        confirm(&format!(
            "delete dataset {} with {} records",
            line(&info.name),
            info.record_count
        ))?;
    }
    db.delete_dataset(&args.name)?;
    if context.json {
        return write_json(
            out,
            &json!({ "deleted": info.name, "dataset_id": info.dataset_id }),
        );
    }
    context.say(out, format_args!("deleted dataset {}", line(&info.name)))
}

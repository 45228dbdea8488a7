//! Datasets: created, found, changed, read.
//!
//! A dataset of Python knows its id and its database's handle; the engine's dataset is found anew for each call, so that
//! closing the database closes it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::compute::concat_batches;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pythonize::pythonize;
use tracehouse::export::write_parquet;
use tracehouse::{
    DatasetInfo, ExportForm, ExportFormat, MergeReport, NewDataset, NewRecord, RecordDiff,
    RecordEdit, Search, SplitOptions,
};

use crate::given::{GivenSample, sample as given_sample};
use crate::handle::{Database, Handle};
use crate::objects::{self, Class, json, optional_json};
use crate::reader::{FileSink, RaisedInside, Source};
use crate::rows::Rows;
use crate::value::fields;
use crate::{call, errors, tables};

static INFO: Class = Class::new("tracehouse.dataset", "DatasetInfo");
static RECORD: Class = Class::new("tracehouse.dataset", "DatasetRecord");
static REPORT: Class = Class::new("tracehouse.dataset", "MergeReport");
static DIFF: Class = Class::new("tracehouse.dataset", "RecordDiff");
static CHANGE: Class = Class::new("tracehouse.dataset", "RecordChange");
static PART: Class = Class::new("tracehouse.dataset", "PartChange");

/// The id of a record that was left out of an export, and why.
type LeftOut = (String, String);

/// Bytes written to a file object at a time.
const WRITE_BYTES: usize = 256 << 10;

#[pyfunction]
fn create_dataset(
    py: Python<'_>,
    db: &Database,
    name: String,
    experiments: Vec<String>,
    tags: std::collections::BTreeMap<String, String>,
) -> PyResult<Dataset> {
    let mut new = NewDataset::new(name);
    (new.experiment_ids, new.tags) = (experiments, tags);
    let created = call::run(py, db.handle()?, move |db| db.create_dataset_with(new))?;
    Ok(Dataset::of(&created, db.handle()?))
}

#[pyfunction]
fn dataset(py: Python<'_>, db: &Database, name: String) -> PyResult<Dataset> {
    let found = call::run(py, db.handle()?, move |db| {
        db.dataset(&name)
            .or_else(|error| db.dataset_by_id(&name).map_err(|_| error))
    })?;
    Ok(Dataset::of(&found, db.handle()?))
}

#[pyfunction]
fn datasets<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyList>> {
    infos(
        py,
        &call::run(py, db.handle()?, tracehouse::Database::datasets)?,
    )
}

/// The records that hold a trace, as dicts.
#[pyfunction]
fn datasets_holding<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
) -> PyResult<Bound<'py, PyAny>> {
    let found = call::run(py, db.handle()?, move |db| db.datasets_holding(&trace_id))?;
    Ok(pythonize(py, &found)?)
}

#[pyfunction]
fn delete_dataset(py: Python<'_>, db: &Database, name: String) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| db.delete_dataset(&name))
}

fn infos<'py>(py: Python<'py>, infos: &[DatasetInfo]) -> PyResult<Bound<'py, PyList>> {
    let made: PyResult<Vec<_>> = infos.iter().map(|one| info(py, one)).collect();
    PyList::new(py, made?)
}

fn info<'py>(py: Python<'py>, info: &DatasetInfo) -> PyResult<Bound<'py, PyAny>> {
    let dict = fields(py, info)?;
    dict.set_item("query", optional_json(py, info.query.as_deref())?)?;
    dict.set_item("schema", json(py, &info.schema)?)?;
    INFO.make(&dict)
}

fn merge_report<'py>(py: Python<'py>, report: &MergeReport) -> PyResult<Bound<'py, PyAny>> {
    let dict = fields(py, report)?;
    objects::set_rejected(&dict, &report.rejected)?;
    REPORT.make(&dict)
}

fn search_of(
    filter: String,
    limit: Option<usize>,
    order_by: Option<Vec<String>>,
    experiments: Option<Vec<String>>,
) -> Search {
    Search {
        filter,
        limit,
        order_by: order_by.unwrap_or_default(),
        experiments,
        ..Search::default()
    }
}

/// A dataset of an open database.
#[pyclass(frozen, module = "tracehouse._native")]
pub(crate) struct Dataset {
    id: String,
    name: String,
    handle: Handle,
}

impl Dataset {
    fn of(found: &tracehouse::Dataset, handle: &Handle) -> Self {
        let (id, name) = (found.id().to_string(), found.name().to_string());
        Self {
            id,
            name,
            handle: handle.clone(),
        }
    }

    fn run<T, F>(&self, py: Python<'_>, work: F) -> PyResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&tracehouse::Dataset) -> tracehouse::Result<T> + Send + 'static,
    {
        let id = self.id.clone();
        call::run(py, &self.handle, move |db| work(&db.dataset_by_id(&id)?))
    }
}

#[pymethods]
impl Dataset {
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        info(py, &self.run(py, tracehouse::Dataset::info)?)
    }

    fn versions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        infos(py, &self.run(py, tracehouse::Dataset::versions)?)
    }

    #[pyo3(signature = (of, filter, limit, order_by, experiments, sample))]
    #[allow(clippy::too_many_arguments)] // One for each thing that can be said.
    fn add<'py>(
        &self,
        py: Python<'py>,
        of: &str,
        filter: String,
        limit: Option<usize>,
        order_by: Option<Vec<String>>,
        experiments: Option<Vec<String>>,
        sample: Option<GivenSample>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let search = search_of(filter, limit, order_by, experiments);
        let sample = sample.map(given_sample);
        let of_spans = of == "span";
        let report = self.run(py, move |dataset| match (of_spans, &sample) {
            (false, None) => dataset.add_traces(&search),
            (false, Some(sample)) => dataset.add_sample(&search, sample),
            (true, None) => dataset.add_spans(&search),
            (true, Some(sample)) => dataset.add_span_sample(&search, sample),
        })?;
        merge_report(py, &report)
    }

    /// What `add` with the same arguments would make, counted; as a dict.
    #[pyo3(signature = (of, filter, limit, order_by, experiments, sample))]
    #[allow(clippy::too_many_arguments)] // As `add`.
    fn plan<'py>(
        &self,
        py: Python<'py>,
        of: &str,
        filter: String,
        limit: Option<usize>,
        order_by: Option<Vec<String>>,
        experiments: Option<Vec<String>>,
        sample: Option<GivenSample>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let search = search_of(filter, limit, order_by, experiments);
        let sample = sample.map(given_sample);
        let of_spans = of == "span";
        let plan = self.run(py, move |dataset| match of_spans {
            false => dataset.plan_traces(&search, sample.as_ref()),
            true => dataset.plan_spans(&search, sample.as_ref()),
        })?;
        Ok(pythonize(py, &plan)?)
    }

    fn merge<'py>(
        &self,
        py: Python<'py>,
        records: Vec<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let read: PyResult<Vec<NewRecord>> = records.iter().map(new_record).collect();
        let read = read?;
        merge_report(py, &self.run(py, move |dataset| dataset.merge(&read))?)
    }

    fn merge_table<'py>(&self, table: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = table.py();
        let read = tables::arrow_table("of records", table)?;
        let merged = self.run(py, move |dataset| {
            let rows = concat_batches(&read.schema, &read.batches)?;
            let mut file = Vec::new();
            write_parquet(&mut file, read.schema.clone(), &[rows])?;
            dataset.merge_from(file.as_slice(), ExportFormat::Parquet, "table")
        })?;
        merge_report(py, &merged)
    }

    #[pyo3(signature = (source, format))]
    fn merge_file<'py>(
        &self,
        source: &Bound<'py, PyAny>,
        format: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = source.py();
        let source = Source::of(source)?;
        // The forms of other tools are JSON lines.
        let format = match format.and_then(ExportForm::parse) {
            Some(_) => ExportFormat::JsonLines,
            None => export_format(py, format, source.path.as_deref())?,
        };
        let (name, raised) = (source.name.clone(), source.raised.clone());
        let merged = self.run(py, move |dataset| dataset.merge_from(source, format, &name));
        merge_report(py, &raised.before(merged)?)
    }

    #[pyo3(signature = (version))]
    fn records<'py>(&self, py: Python<'py>, version: Option<u32>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.run(py, move |dataset| dataset.rows(version))?;
        let mut made = Vec::with_capacity(rows.len());
        for row in &rows {
            let dict = fields(py, row)?;
            dict.set_item("inputs", json(py, &row.inputs)?)?;
            dict.set_item("outputs", optional_json(py, row.outputs.as_deref())?)?;
            dict.set_item(
                "expectations",
                optional_json(py, row.expectations.as_deref())?,
            )?;
            dict.set_item("tags", json(py, &row.tags)?)?;
            dict.set_item(
                "source_data",
                optional_json(py, row.source_data.as_deref())?,
            )?;
            made.push(RECORD.make(&dict)?);
        }
        PyList::new(py, made)
    }

    #[pyo3(signature = (version))]
    fn rows(&self, py: Python<'_>, version: Option<u32>) -> PyResult<Rows> {
        let batch = self.run(py, move |dataset| dataset.records(version))?;
        Ok(Rows::of_batches(batch.schema(), vec![batch], &self.handle))
    }

    fn sample(&self, py: Python<'_>, sample: GivenSample) -> PyResult<Rows> {
        let sample = given_sample(sample);
        let batch = self.run(py, move |dataset| dataset.sample(&sample))?;
        Ok(Rows::of_batches(batch.schema(), vec![batch], &self.handle))
    }

    fn sample_into(&self, py: Python<'_>, name: String, sample: GivenSample) -> PyResult<Self> {
        let sample = given_sample(sample);
        let made = self.run(py, move |dataset| {
            dataset.sample_into(NewDataset::new(name), &sample)
        })?;
        Ok(Self::of(&made, &self.handle))
    }

    fn diff<'py>(&self, py: Python<'py>, a: u32, b: u32) -> PyResult<Bound<'py, PyAny>> {
        let diff: RecordDiff = self.run(py, move |dataset| dataset.diff(a, b))?;
        let mut changes = Vec::with_capacity(diff.changes.len());
        for change in &diff.changes {
            let dict = fields(py, change)?;
            dict.set_item("inputs", json(py, &change.inputs)?)?;
            dict.set_item("parts", PART.list(py, &change.parts)?)?;
            changes.push(CHANGE.make(&dict)?);
        }
        let dict = fields(py, &diff)?;
        dict.set_item("changes", changes)?;
        DIFF.make(&dict)
    }

    /// Writes to a file object.
    #[pyo3(signature = (file, name, format, version, raw))]
    fn export(
        &self,
        file: &Bound<'_, PyAny>,
        name: PathBuf,
        format: Option<&str>,
        version: Option<u32>,
        raw: bool,
    ) -> PyResult<u64> {
        let py = file.py();
        let format = match export_format(py, format, Some(&name))? {
            ExportFormat::Csv if raw => ExportFormat::RawCsv,
            format => format,
        };
        let raised = RaisedInside::default();
        let sink = FileSink {
            file: file.clone().unbind(),
            raised: raised.clone(),
        };
        let written = self.run(py, move |dataset| {
            let mut sink = BufWriter::with_capacity(WRITE_BYTES, sink);
            let count = dataset.export(format, version, &mut sink)?;
            // What fails here was kept by the sink, too.
            Ok(sink.flush().map(|()| count))
        });
        raised.before(written)?.map_err(PyErr::from)
    }

    /// Makes datasets that share nothing; the report as a dict.
    fn split<'py>(
        &self,
        py: Python<'py>,
        parts: Vec<(String, f64)>,
        seed: u64,
        near: f64,
        by_user: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut options = SplitOptions::new(parts);
        (options.seed, options.near, options.by_user) = (seed, near, by_user);
        let report = self.run(py, move |dataset| dataset.split(&options))?;
        Ok(pythonize(py, &report)?)
    }

    /// What it shares with another; the report as a dict.
    fn leaks<'py>(&self, py: Python<'py>, other: String, near: f64) -> PyResult<Bound<'py, PyAny>> {
        let id = self.id.clone();
        let report = call::run(py, &self.handle, move |db| {
            db.dataset_by_id(&id)?.leaks(&db.dataset(&other)?, near)
        })?;
        Ok(pythonize(py, &report)?)
    }

    /// Takes near-duplicates out; the report as a dict.
    fn dedupe<'py>(&self, py: Python<'py>, near: f64) -> PyResult<Bound<'py, PyAny>> {
        let report = self.run(py, move |dataset| dataset.dedupe(near))?;
        Ok(pythonize(py, &report)?)
    }

    /// Changes records; texts are JSON. The new version.
    fn edit_records(
        &self,
        py: Python<'_>,
        record_ids: Vec<String>,
        outputs: Option<String>,
        expectations: Option<String>,
        tags: Option<String>,
    ) -> PyResult<u32> {
        let mut edit = RecordEdit::new();
        (edit.outputs, edit.expectations, edit.tags) = (outputs, expectations, tags);
        self.run(py, move |dataset| dataset.edit_records(&record_ids, &edit))
    }

    /// Writes to a file object in the form of another tool; how many records, how many were left out, and the first of
    /// these with the reason.
    #[pyo3(signature = (file, form, version))]
    fn export_form(
        &self,
        file: &Bound<'_, PyAny>,
        form: &str,
        version: Option<u32>,
    ) -> PyResult<(u64, u64, Option<LeftOut>)> {
        let py = file.py();
        let form = ExportForm::parse(form).ok_or_else(|| {
            errors::invalid(
                py,
                &format!("form {form:?}: chat, mlflow or langfuse expected"),
            )
        })?;
        let raised = RaisedInside::default();
        let sink = FileSink {
            file: file.clone().unbind(),
            raised: raised.clone(),
        };
        let written = self.run(py, move |dataset| {
            let mut sink = BufWriter::with_capacity(WRITE_BYTES, sink);
            let report = dataset.export_form(form, version, &mut sink)?;
            // What fails here was kept by the sink, too.
            Ok(sink.flush().map(|()| report))
        });
        let report = raised.before(written)?.map_err(PyErr::from)?;
        let first = report.left_out.into_iter().next();
        let first = first.map(|left_out| (left_out.dataset_record_id, left_out.reason));
        Ok((report.records, report.left_out_count, first))
    }

    fn delete_records(&self, py: Python<'_>, record_ids: Vec<String>) -> PyResult<u64> {
        self.run(py, move |dataset| dataset.delete_records(&record_ids))
    }

    fn edit_tags(
        &self,
        py: Python<'_>,
        tags: std::collections::BTreeMap<String, Option<String>>,
    ) -> PyResult<()> {
        self.run(py, move |dataset| {
            dataset.edit_tags(
                tags.iter()
                    .map(|(key, value)| (key.as_str(), value.as_deref())),
            )
        })
    }

    fn set_experiments(&self, py: Python<'_>, experiment_ids: Vec<String>) -> PyResult<()> {
        self.run(py, move |dataset| dataset.set_experiments(experiment_ids))
    }
}

/// The format of a word, else that of a file's name.
fn export_format(
    py: Python<'_>,
    word: Option<&str>,
    path: Option<&Path>,
) -> PyResult<ExportFormat> {
    let found = match word {
        Some(word) => ExportFormat::parse(word),
        None => path.and_then(ExportFormat::of_file),
    };
    found.ok_or_else(|| {
        let what = match (word, path) {
            (Some(word), _) => format!("format {word:?}"),
            (None, Some(path)) => format!("the ending of {}", path.display()),
            (None, None) => "no format".to_string(),
        };
        let expected = match word {
            Some(_) => "jsonl, csv, parquet, chat, mlflow or langfuse",
            None => "jsonl, csv or parquet",
        };
        errors::invalid(py, &format!("{what}: {expected} expected"))
    })
}

/// A record of JSON texts.
fn new_record(given: &Bound<'_, PyDict>) -> PyResult<NewRecord> {
    let mut record = NewRecord::default();
    for (name, text) in given {
        let (name, text): (String, String) = (name.extract()?, text.extract()?);
        match name.as_str() {
            "inputs" => record.inputs = text,
            "outputs" => record.outputs = Some(text),
            "expectations" => record.expectations = Some(text),
            "tags" => record.tags = Some(text),
            "source_type" => record.source_type = Some(text),
            "source_data" => record.source_data = Some(text),
            // An id is the database's.
            _ => {}
        }
    }
    Ok(record)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Dataset>()?;
    module.add_function(wrap_pyfunction!(create_dataset, module)?)?;
    module.add_function(wrap_pyfunction!(dataset, module)?)?;
    module.add_function(wrap_pyfunction!(datasets, module)?)?;
    module.add_function(wrap_pyfunction!(datasets_holding, module)?)?;
    module.add_function(wrap_pyfunction!(delete_dataset, module)?)
}

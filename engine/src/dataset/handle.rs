//! The handle on one dataset: its versions, and every change of it.

use std::collections::HashSet;
use std::io::{Read, Write};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use tracehouse_query::search::Search;
use tracehouse_storage::model::TraceEdit;

use super::build::{BuildPlan, build, plan, query_text};
use super::diff::RecordDiff;
use super::export::{ExportFormat, export};
use super::incoming::{REJECTED_MAX, read};
use super::info::{DatasetInfo, Version, versions};
use super::json::{members, plain};
use super::members::Uses;
use super::merge::{MergeReport, RecordSet, SourceRule};
use super::record::{
    Candidate, DatasetRecord, NewRecord, Record, records_batch, records_of, shown,
};
use super::registry::NewDataset;
use super::sample::{Sample, choose};
use super::schema::RecordTypes;
use super::subject::Kind;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::ingest::Rejected;
use crate::rows::batch_rows;

/// A dataset of an open database. Cheap to clone; calls see its newest version unless they name one.
///
/// ```
/// use tracehouse::{Database, NewRecord};
///
/// let db = Database::in_memory()?;
/// let dataset = db.create_dataset("regressions")?;
/// let report = dataset.merge(&[NewRecord::new(r#"{"question": "refund?"}"#)])?;
/// assert_eq!((report.inserted, report.version), (1, 1));
/// assert_eq!(db.dataset("regressions")?.records(None)?.num_rows(), 1);
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    pub(super) database: Database,
    pub(super) dataset_id: String,
    pub(super) name: String,
    pub(super) source_rule: SourceRule,
}

impl Dataset {
    /// `d-` + 32 hex.
    pub fn id(&self) -> &str {
        &self.dataset_id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the rule for the sources of records whose outputs this handle replaces.
    pub fn source_rule(mut self, rule: SourceRule) -> Self {
        self.source_rule = rule;
        self
    }

    /// The newest version.
    ///
    /// # Errors
    /// `NotFound` when the dataset was deleted; so for all calls here.
    pub fn info(&self) -> Result<DatasetInfo> {
        Ok(self.version(None)?.info)
    }

    /// All versions, oldest first; none for a new, empty dataset.
    ///
    /// # Errors
    /// As [`Dataset::info`].
    pub fn versions(&self) -> Result<Vec<DatasetInfo>> {
        let versions = self.live()?.into_iter().map(|version| version.info);
        Ok(versions.filter(|info| info.version > 0).collect())
    }

    /// Adds a record for each trace that a search finds, or updates the record with its inputs. Of
    /// several traces with equal inputs the first in the search's order counts. Traces without inputs
    /// are skipped and counted in the report; the search's limit is one of records, without either.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter, `Io` or `Closed` from writing.
    pub fn add_traces(&self, search: &Search) -> Result<MergeReport> {
        self.add(search, Kind::Trace, None)
    }

    /// Adds a sample of the records that the traces found make. It can be stratified by `state`, `service_name`, `name`,
    /// `session_id`, `user_id`, `experiment_id`, `client_request_id`, `model` (of several all of them, as
    /// `"a, b"`), `hour` and `day` of the beginning (UTC, `"2026-01-31T14:00:00Z"`, `"2026-01-31"`), `feedback.NAME` and
    /// `expectation.NAME` (the newest value), `tags.K` and `metadata.K`.
    ///
    /// ```
    /// use tracehouse::{Database, Sample, Search};
    ///
    /// let db = Database::in_memory()?;
    /// let sample = Sample::new(100, 7).stratify("model").quota(Some("gpt-4o"), 50).newest_per_session();
    /// let report = db.create_dataset("some")?.add_sample(&Search::new("state = 'OK'"), &sample)?;
    /// assert_eq!(report.unmet_quotas, [(Some("gpt-4o".to_string()), 0, 50)]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Dataset::add_traces`]; `InvalidInput` for a key that has no strata, and for quotas without a key, of more than
    /// the sample, or two of one value.
    pub fn add_sample(&self, search: &Search, sample: &Sample) -> Result<MergeReport> {
        self.add(search, Kind::Trace, Some(sample))
    }

    /// Adds a record for each span that a filter holds for, newest first, with the span's own inputs and outputs. A
    /// filter is read as if the span were the only one of its trace: clauses about spans, also under NOT, are about it,
    /// all others, and `HAS( ... )`, about its trace.
    ///
    /// # Errors
    /// As [`Dataset::add_traces`]; `InvalidInput` for a search with an order or a page token.
    pub fn add_spans(&self, search: &Search) -> Result<MergeReport> {
        self.add(search, Kind::Span, None)
    }

    /// Adds a sample of the records that the spans found make; it can be stratified by `span.name`,
    /// `span.type`, `span.status`, `span.model`, `span.provider` and `span.tool`, too.
    ///
    /// # Errors
    /// As [`Dataset::add_spans`]; `InvalidInput` for a key that has no strata.
    pub fn add_span_sample(&self, search: &Search, sample: &Sample) -> Result<MergeReport> {
        self.add(search, Kind::Span, Some(sample))
    }

    /// Counts what [`add_traces`](Self::add_traces) or [`add_sample`](Self::add_sample) would make, by stratum where the
    /// sample has strata, and changes nothing.
    ///
    /// # Errors
    /// As these.
    pub fn plan_traces(&self, search: &Search, sample: Option<&Sample>) -> Result<BuildPlan> {
        self.plan(search, Kind::Trace, sample)
    }

    /// Counts what [`add_spans`](Self::add_spans) or [`add_span_sample`](Self::add_span_sample) would make.
    ///
    /// # Errors
    /// As these.
    pub fn plan_spans(&self, search: &Search, sample: Option<&Sample>) -> Result<BuildPlan> {
        self.plan(search, Kind::Span, sample)
    }

    fn plan(&self, search: &Search, kind: Kind, sample: Option<&Sample>) -> Result<BuildPlan> {
        self.info()?;
        let search = self.database.with_datasets(search)?;
        plan(&self.database.reading()?, search.as_ref(), kind, sample)
    }

    fn add(&self, search: &Search, kind: Kind, sample: Option<&Sample>) -> Result<MergeReport> {
        self.info()?;
        let snapshot = self.database.reading()?;
        let built = build(
            &snapshot,
            self.database.with_datasets(search)?.as_ref(),
            kind,
            sample,
        )?;
        let query = Some(query_text(search, sample, kind)?);
        let mut report = self.merge_candidates(built.records, query, snapshot.sequence())?;
        report.unchanged += built.repeated;
        report.skipped = built.skipped;
        report.unmet_quotas = built.unmet_quotas;
        Ok(report)
    }

    /// Merges records; all of them or, when one is wrong, none.
    ///
    /// # Errors
    /// `InvalidInput` naming the record that is wrong, `Io` or `Closed` from writing.
    pub fn merge(&self, records: &[NewRecord]) -> Result<MergeReport> {
        let mut candidates = Vec::with_capacity(records.len());
        for (at, record) in records.iter().enumerate() {
            let named =
                |error: Error| Error::new(error.kind(), format!("record {}: {error}", at + 1));
            candidates.push(Candidate::of(record).map_err(named)?);
        }
        self.merge_candidates(candidates, None, self.database.snapshot()?.sequence())
    }

    /// Merges JSON lines, or an array of JSON objects: records with `inputs` and perhaps `outputs`, `expectations`,
    /// `tags` and `source`, as an export writes them. Wrong ones are in the report, the rest is kept. `name` is
    /// how reports call the input.
    ///
    /// # Errors
    /// `Io` when the input cannot be read, `Io` or `Closed` from writing.
    pub fn merge_json_lines<R: Read>(&self, input: R, name: &str) -> Result<MergeReport> {
        self.merge_from(input, ExportFormat::JsonLines, name)
    }

    /// Merges records of an input in any format that an export has. Members that other tools name otherwise
    /// (`expected_output`, `metadata` and the like) are taken as what they mean; the report names these and what was
    /// ignored.
    ///
    /// # Errors
    /// As [`Dataset::merge_json_lines`]; `InvalidInput` when the input is not of the format.
    pub fn merge_from<R: Read>(
        &self,
        input: R,
        format: ExportFormat,
        name: &str,
    ) -> Result<MergeReport> {
        let (mut candidates, mut uses) = (Vec::new(), Uses::default());
        let (mut rejected, mut rejected_count) = (Vec::new(), 0);
        let named = |error: Error| Error::new(error.kind(), format!("{name}: {error}"));
        for record in read(input, format).map_err(named)? {
            match record.parsed {
                Ok((candidate, of_record)) => {
                    candidates.push(candidate);
                    uses.add(of_record);
                }
                Err(error) => {
                    rejected_count += 1;
                    if rejected.len() < REJECTED_MAX {
                        let (file, line) = (name.to_string(), record.line);
                        rejected.push(Rejected {
                            file,
                            line,
                            error: error.to_string(),
                        });
                    }
                }
            }
        }
        let sequence = self.database.snapshot()?.sequence();
        let report = self.merge_candidates(candidates, None, sequence)?;
        Ok(MergeReport {
            rejected,
            rejected_count,
            members: uses.into_list(),
            ..report
        })
    }

    fn merge_candidates(
        &self,
        mut candidates: Vec<Candidate>,
        mut query: Option<String>,
        sequence: u64,
    ) -> Result<MergeReport> {
        let redactor = self.database.redactor()?;
        let mut redacted = 0;
        if let Some(mut pass) = redactor.pass() {
            candidates
                .iter_mut()
                .for_each(|candidate| pass.candidate(candidate));
            query
                .iter_mut()
                .for_each(|query| pass.document("query", query));
            redacted = pass.finish();
        }
        let _changes = self.database.catalog().lock_changes();
        let before = self.version(None)?;
        let env = self.database.store().env();
        let now_ns = env.now_ns();
        let mut types = RecordTypes::parse(&before.info.schema);
        let mut set = RecordSet::new(records_of(&self.read(&before)?)?, self.source_rule);
        let mut report = MergeReport {
            version: before.info.version,
            redacted,
            ..MergeReport::default()
        };
        for candidate in candidates {
            self.database.limits().check_cancelled()?;
            if let Some(record) = set.merge(candidate, env.as_ref(), now_ns, &mut report) {
                types.add(record);
            }
        }
        report.record_count = set.records.len() as u64;
        if report.is_change() {
            let change = DatasetInfo {
                query,
                snapshot_sequence: sequence,
                schema: types.text(),
                ..before.info.clone()
            };
            report.version = self.commit(&before, change, &set.records, now_ns)?;
        }
        Ok(report)
    }

    /// Deletes records by id and returns how many there were; the versions before keep them.
    ///
    /// # Errors
    /// `Io` or `Closed` from writing.
    pub fn delete_records<S: AsRef<str>>(&self, record_ids: &[S]) -> Result<u64> {
        let _changes = self.database.catalog().lock_changes();
        let before = self.version(None)?;
        let mut records = records_of(&self.read(&before)?)?;
        let ids: HashSet<&str> = record_ids.iter().map(AsRef::as_ref).collect();
        records.retain(|record| !ids.contains(record.id.as_str()));
        let deleted = before
            .info
            .record_count
            .saturating_sub(records.len() as u64);
        if deleted > 0 {
            self.commit_edited(&before, &records)?;
        }
        Ok(deleted)
    }

    /// Makes the next version of records that were edited and come of no search; the changes' lock is held.
    pub(super) fn commit_edited(&self, before: &Version, records: &[Record]) -> Result<u32> {
        let mut types = RecordTypes::parse(&before.info.schema);
        records.iter().for_each(|record| types.add(record));
        let change = DatasetInfo {
            query: None,
            snapshot_sequence: self.database.snapshot()?.sequence(),
            schema: types.text(),
            ..before.info.clone()
        };
        let now_ns = self.database.store().env().now_ns();
        self.commit(before, change, records, now_ns)
    }

    /// Makes the next version of these records; the changes' lock is held.
    fn commit(
        &self,
        before: &Version,
        change: DatasetInfo,
        records: &[Record],
        now_ns: i64,
    ) -> Result<u32> {
        let next = before.info.version.checked_add(1);
        let info = DatasetInfo {
            version: next.ok_or_else(|| Error::internal("dataset versions ran out"))?,
            record_count: records.len() as u64,
            updated_at_ns: now_ns,
            ..change
        };
        self.database.limits().check_cancelled()?;
        let store = self.database.store();
        store.check_space()?;
        let file = store.write_catalog_file(&records_batch(records)?, info.to_json()?)?;
        // The empty version 0 only stands for the dataset until there is another.
        let ended = if before.info.version == 0 {
            vec![before.file.name.clone()]
        } else {
            Vec::new()
        };
        store.commit_catalog(vec![file], ended)?;
        Ok(info.version)
    }

    /// Sets tags (`Some`) and deletes tags (`None`) of the dataset, without a new version.
    ///
    /// # Errors
    /// `Io` or `Closed` from writing.
    pub fn edit_tags<'a>(
        &self,
        edits: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<()> {
        let owned =
            |(key, value): (&str, Option<&str>)| (key.to_string(), value.map(str::to_string));
        let mut edit = TraceEdit {
            tags: edits.into_iter().map(owned).collect(),
            ..TraceEdit::default()
        };
        let redactor = self.database.redactor()?;
        if let Some(mut pass) = redactor.pass() {
            pass.edit(&mut edit);
            pass.finish();
        }
        self.describe(|info| {
            for (key, value) in edit.tags {
                match value {
                    Some(value) => info.tags.insert(key, value),
                    None => info.tags.remove(&key),
                };
            }
        })
    }

    /// Sets the experiments that the dataset belongs to, without a new version.
    ///
    /// # Errors
    /// `Io` or `Closed` from writing.
    pub fn set_experiments(&self, experiment_ids: Vec<String>) -> Result<()> {
        self.describe(|info| info.experiment_ids = experiment_ids)
    }

    /// Changes what the manifest says of the newest version; its records stay.
    fn describe(&self, edit: impl FnOnce(&mut DatasetInfo)) -> Result<()> {
        let _changes = self.database.catalog().lock_changes();
        let Version { mut info, mut file } = self.version(None)?;
        edit(&mut info);
        file.meta_json = info.to_json()?;
        let name = file.name.clone();
        Ok(self
            .database
            .store()
            .commit_catalog(vec![file], vec![name])?)
    }

    /// The records of a version, or of the newest, with the columns of the table `dataset_records`.
    ///
    /// # Errors
    /// `NotFound` when there is no such version, `Corrupt` or `Io` from its file.
    pub fn records(&self, version: Option<u32>) -> Result<RecordBatch> {
        let version = self.version(version)?;
        shown(&version.info, &self.read(&version)?)
    }

    /// The records as values.
    ///
    /// # Errors
    /// As [`Dataset::records`].
    pub fn rows(&self, version: Option<u32>) -> Result<Vec<DatasetRecord>> {
        batch_rows(&self.records(version)?)
    }

    /// A sample of the newest version's records. They can be stratified by `source_type`, `tags.K`,
    /// `expectations.K`, `inputs.K` or `outputs.K`.
    ///
    /// # Errors
    /// As [`Dataset::records`]; `InvalidInput` for another key, for quotas as [`Dataset::add_sample`], and for the newest
    /// of each session, which are of traces and spans.
    pub fn sample(&self, sample: &Sample) -> Result<RecordBatch> {
        let version = self.version(None)?;
        let stored = self.read(&version)?;
        let rows = chosen_rows(&records_of(&stored)?, sample)?;
        let rows = UInt64Array::from_iter_values(rows.into_iter().map(|row| row as u64));
        shown(&version.info, &take_record_batch(&stored, &rows)?)
    }

    /// Creates another dataset of a sample of the newest version's records. The copies keep their
    /// source and get ids of their own.
    ///
    /// # Errors
    /// As [`Dataset::sample`] and [`Database::create_dataset`].
    pub fn sample_into(&self, new: NewDataset, sample: &Sample) -> Result<Dataset> {
        let version = self.version(None)?;
        let records = records_of(&self.read(&version)?)?;
        let chosen: HashSet<usize> = chosen_rows(&records, sample)?.into_iter().collect();
        let env = self.database.store().env();
        let mut copies = Vec::with_capacity(chosen.len());
        for (_, record) in records
            .into_iter()
            .enumerate()
            .filter(|(row, _)| chosen.contains(row))
        {
            copies.push(Record {
                id: format!("dr-{:032x}", env.new_ulid()),
                ..record
            });
        }
        let query = serde_json::json!({
            "dataset": self.name, "version": version.info.version, "sample": sample,
        });
        self.database
            .start_dataset(new, copies, Some(query.to_string()))
    }

    /// What is different in version `b` from version `a`.
    ///
    /// # Errors
    /// As [`Dataset::records`].
    pub fn diff(&self, a: u32, b: u32) -> Result<RecordDiff> {
        let read = |number| -> Result<Vec<Record>> {
            records_of(&self.read(&self.version(Some(number))?)?)
        };
        Ok(RecordDiff::of(read(a)?, read(b)?))
    }

    /// Writes the records of a version, or of the newest; returns how many.
    ///
    /// # Errors
    /// As [`Dataset::records`]; `Io` when the output takes no more.
    pub fn export(
        &self,
        format: ExportFormat,
        version: Option<u32>,
        output: &mut (dyn Write + Send),
    ) -> Result<u64> {
        let version = self.version(version)?;
        export(&version.info, &self.read(&version)?, format, output)?;
        Ok(version.info.record_count)
    }

    pub(crate) fn read(&self, version: &Version) -> Result<RecordBatch> {
        self.database.catalog().read(self.database.store(), version)
    }

    /// All live versions, oldest first; never none.
    pub(super) fn live(&self) -> Result<Vec<Version>> {
        let mut versions = versions(&self.database.snapshot()?)?;
        versions.retain(|version| version.info.dataset_id == self.dataset_id);
        if versions.is_empty() {
            return Err(Error::not_found(format!(
                "dataset {:?} not found",
                self.name
            )));
        }
        Ok(versions)
    }

    pub(crate) fn version(&self, number: Option<u32>) -> Result<Version> {
        let live = self.live()?;
        let newest = live.last().map_or(0, |version| version.info.version);
        let wanted = number.unwrap_or(newest);
        live.into_iter()
            .find(|version| version.info.version == wanted)
            .ok_or_else(|| {
                let name = &self.name;
                Error::not_found(format!(
                    "dataset {name:?} has no version {wanted}: its newest is {newest}"
                ))
            })
    }
}

fn chosen_rows(records: &[Record], sample: &Sample) -> Result<Vec<usize>> {
    sample.check()?;
    if sample.newest_per_session {
        return Err(Error::invalid_input(
            "the newest of each session is taken of traces and spans when they are added, not of records",
        ));
    }
    // By content, so that copies of a dataset give the same sample.
    let ids: Vec<String> = records
        .iter()
        .map(|record| format!("{:032x}", record.hash))
        .collect();
    let mut strata = Vec::new();
    if let Some(key) = &sample.stratify {
        for record in records {
            strata.push(stratum(record, key)?);
        }
    }
    Ok(choose(&ids, &strata, sample))
}

fn stratum(record: &Record, key: &str) -> Result<Option<String>> {
    let (part, member) = key.split_once('.').unwrap_or((key, ""));
    let json = match part {
        "source_type" if member.is_empty() => return Ok(record.source.kind.clone()),
        "tags" => Some(record.tags.as_str()),
        "inputs" => Some(record.inputs.as_str()),
        "outputs" => record.outputs.as_deref(),
        "expectations" => record.expectations.as_deref(),
        _ => None,
    };
    if member.is_empty() || !["tags", "inputs", "outputs", "expectations"].contains(&part) {
        return Err(Error::invalid_input(format!(
            "stratify by {key:?}: source_type, tags.K, expectations.K, inputs.K or outputs.K expected"
        )));
    }
    let members = json.and_then(members).unwrap_or_default();
    let value = members.get(member.trim_matches('`'));
    Ok(value.and_then(|value| plain(value.get())))
}

//! What an import did: how much of what came is stored, and what is not and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ready;
use crate::ending::LeftOut;
use crate::evaluations::Judged;
use crate::semconv::evaluation::EVENT;

/// Rejections listed one by one; further ones are only counted.
const REJECTED_MAX: usize = 100_000;

/// Something that was not kept, and where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The input.
    pub file: String,
    /// 1-based line, where there are lines.
    pub line: Option<u64>,
    /// Why.
    pub error: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// Traces that were not there before.
    pub traces: u64,
    /// Spans that were not there before.
    pub spans: u64,
    /// Spans that were there already; of two different ones with the same ids the later is kept.
    pub duplicate_spans: u64,
    /// Assessments that were not there before, or changed.
    pub assessments: u64,
    /// Traces of which the input says more than spans do: tags, metadata, times.
    pub started_traces: u64,
    /// How many documents or records there were of each form.
    pub forms: BTreeMap<&'static str, u64>,
    /// What was not kept, the first 100,000 of it.
    pub rejected: Vec<Rejected>,
    /// How much was not kept.
    pub rejected_count: u64,
    /// Spans that were dropped because the disk could not keep up; see [`Overload`](crate::Overload).
    pub dropped_spans: u64,
    /// Values that redaction replaced, in whole or in part.
    pub redacted: u64,
    /// Keys of attributes that were cut to 256 bytes.
    pub cut_keys: u64,
    /// Keys that a list of attributes had more than once; the last value is kept.
    pub repeated_keys: u64,
    /// Requests of other signals (metrics, profiles, logs that say nothing of spans), which hold no traces.
    pub skipped: u64,
    /// Log records that were not there before and were kept for their spans.
    pub log_records: u64,
    /// Of those, the records whose span is not there yet.
    pub waiting_log_records: u64,
    /// Log records that had waited before for a span that came now.
    pub claimed_log_records: u64,
    /// Log records that were left out, by the name of their event.
    pub skipped_log_records: BTreeMap<String, u64>,
    /// Whether the input ended too early: cut short, or no OTLP at all.
    pub incomplete: bool,
    /// Bytes of the requests read, decompressed, without line ends.
    pub bytes: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl ImportReport {
    pub(crate) fn reject(&mut self, file: &str, line: Option<u64>, error: String) {
        self.reject_many(1, file, line, error);
    }

    fn reject_many(&mut self, count: u64, file: &str, line: Option<u64>, error: String) {
        self.rejected_count += count;
        if self.rejected.len() < REJECTED_MAX {
            self.rejected.push(Rejected {
                file: file.to_string(),
                line,
                error,
            });
        }
    }

    /// Counts lines that were read and not stored because the import was ended.
    pub(super) fn leave_out(&mut self, left_out: &LeftOut, file: &str) {
        let LeftOut { lines, first } = *left_out;
        if lines > 0 {
            let what =
                format!("ended here: {lines} lines that were read from here on are not stored");
            self.reject_many(lines, file, first, what);
        }
    }

    /// Whether anything of the input is stored, or was before.
    pub fn kept_something(&self) -> bool {
        [
            self.spans,
            self.duplicate_spans,
            self.assessments,
            self.started_traces,
            self.log_records,
        ]
        .iter()
        .any(|count| *count > 0)
    }

    /// Counts log records whose span came: those of this report wait no longer.
    pub(super) fn claim(&mut self, records: u64) {
        let own = records.min(self.waiting_log_records);
        self.waiting_log_records -= own;
        self.claimed_log_records += records - own;
    }

    /// Counts evaluations that waited before and whose response came.
    pub(crate) fn judge(&mut self, judged: Judged) {
        self.assessments += judged.assessments;
        self.claim(judged.placed);
    }

    /// Counts evaluations of responses.
    pub(super) fn judge_new(&mut self, judged: Judged) {
        self.assessments += judged.assessments;
        self.log_records += judged.placed + judged.waiting;
        self.waiting_log_records += judged.waiting;
        if judged.refused > 0 {
            let kind = format!("{EVENT} of a response that is not there, while too many wait");
            self.skip_records(BTreeMap::from([(kind, judged.refused)]));
        }
    }

    pub(super) fn skip_records(&mut self, skipped: BTreeMap<String, u64>) {
        for (kind, count) in skipped {
            *self.skipped_log_records.entry(kind).or_default() += count;
        }
    }

    /// Adds what decoding counted.
    pub(super) fn add_read(&mut self, ready: &mut Ready) {
        self.skip_records(std::mem::take(&mut ready.skipped_records));
        add_forms(&mut self.forms, std::mem::take(&mut ready.forms));
        self.redacted += ready.redacted;
        self.cut_keys += ready.cut_keys;
        self.repeated_keys += ready.repeated_keys;
        self.skipped += ready.skipped;
        self.bytes += ready.bytes;
        self.incomplete |= ready.incomplete;
    }

    /// Adds the figures of another input.
    pub fn add(&mut self, other: ImportReport) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.duplicate_spans += other.duplicate_spans;
        self.assessments += other.assessments;
        self.started_traces += other.started_traces;
        add_forms(&mut self.forms, other.forms);
        self.rejected.extend(other.rejected);
        self.rejected.truncate(REJECTED_MAX);
        self.rejected_count += other.rejected_count;
        self.dropped_spans += other.dropped_spans;
        self.redacted += other.redacted;
        self.cut_keys += other.cut_keys;
        self.repeated_keys += other.repeated_keys;
        self.skipped += other.skipped;
        self.claim(other.claimed_log_records);
        self.log_records += other.log_records;
        self.waiting_log_records += other.waiting_log_records;
        self.skip_records(other.skipped_log_records);
        self.incomplete |= other.incomplete;
        self.bytes += other.bytes;
        self.seconds += other.seconds;
    }
}

pub(super) fn add_forms(
    forms: &mut BTreeMap<&'static str, u64>,
    others: BTreeMap<&'static str, u64>,
) {
    for (form, count) in others {
        *forms.entry(form).or_default() += count;
    }
}

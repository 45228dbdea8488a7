//! Records in the forms of other tools, one JSON object a line: conversations for fine-tuning, MLflow's records,
//! Langfuse's items. `back` reads what these forms say when they come back.
//!
//! ```text
//! Record -> chat (plain | told -> turn; tools) --\
//!        -> mlflow, langfuse ---------------------> a line, or the reason why there is none
//! members of a line -> back -> members of a record
//! ```
//!
//! Invariants
//! * A record that has no line is in the report, by its id and with the reason.
//! * Lines of MLflow and Langfuse come back with the inputs, outputs and expectations that went out; what their forms
//!   have no place for is under names that begin with `tracehouse.`.

mod back;
mod calls;
mod chat;
mod langfuse;
mod mlflow;
mod plain;
#[cfg(test)]
mod tests;
mod told;
mod tools;
mod turn;

use std::io::Write;

use serde::Serialize;

use super::handle::Dataset;
use super::record::{Record, records_of};
use crate::error::{Error, ErrorKind, Result};

pub(in crate::dataset) use back::opened;

/// Records that are left out and listed one by one; further ones are only counted.
const LEFT_OUT_MAX: usize = 1_000;

/// A form that other tools read, as JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportForm {
    /// A conversation a record, for fine-tuning as OpenAI has it: `{"messages": [..], "tools": [..]}`. The messages are
    /// those of the inputs and the answer: expectation `expected_response`, else the outputs. A record that makes no
    /// conversation is left out and reported.
    Chat,
    /// What `merge_records` of MLflow's datasets takes. Inputs that are no object, which MLflow has no place for, are
    /// member `input` of one, and a tag says so.
    Mlflow,
    /// Items of a dataset of Langfuse, as its API takes them.
    Langfuse,
}

impl ExportForm {
    /// The form of the word `chat`, `mlflow` or `langfuse`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "chat" => Some(Self::Chat),
            "mlflow" => Some(Self::Mlflow),
            "langfuse" => Some(Self::Langfuse),
            _ => None,
        }
    }
}

/// What an export wrote, and what it could not write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// Records that were written.
    pub records: u64,
    /// Records that the form has no line for.
    pub left_out_count: u64,
    /// These, the first 1,000 of them.
    pub left_out: Vec<LeftOut>,
}

/// A record that was not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its id.
    pub dataset_record_id: String,
    /// What it lacks.
    pub reason: String,
}

impl ExportReport {
    fn leave_out(&mut self, record: &Record, reason: String) {
        self.left_out_count += 1;
        if self.left_out.len() < LEFT_OUT_MAX {
            self.left_out.push(LeftOut {
                dataset_record_id: record.id.clone(),
                reason,
            });
        }
    }
}

impl Dataset {
    /// Writes the records of a version, or of the newest, in the form of another tool; the report says which records
    /// were left out and why.
    ///
    /// ```
    /// use tracehouse::{Database, ExportForm, NewRecord};
    ///
    /// let db = Database::in_memory()?;
    /// let dataset = db.create_dataset("refunds")?;
    /// let asked = NewRecord::new(r#"{"question": "refund?"}"#);
    /// dataset.merge(&[asked.expectations(r#"{"expected_response": "Within 30 days."}"#)])?;
    /// let mut lines = Vec::new();
    /// let report = dataset.export_form(ExportForm::Chat, None, &mut lines)?;
    /// assert_eq!((report.records, report.left_out_count), (1, 0));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Dataset::records`]; `Io` when the output takes no more.
    pub fn export_form(
        &self,
        form: ExportForm,
        version: Option<u32>,
        output: &mut (dyn Write + Send),
    ) -> Result<ExportReport> {
        let io =
            |e: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write the export: {e}"));
        let mut report = ExportReport::default();
        for record in records_of(&self.read(&self.version(version)?)?)? {
            self.database.limits().check_cancelled()?;
            match line(form, &record) {
                Ok(line) => {
                    report.records += 1;
                    writeln!(output, "{line}").map_err(io)?;
                }
                Err(reason) => report.leave_out(&record, reason),
            }
        }
        output.flush().map_err(io)?;
        Ok(report)
    }
}

/// The line of a record, or what it lacks.
fn line(form: ExportForm, record: &Record) -> std::result::Result<String, String> {
    match form {
        ExportForm::Chat => chat::line(record),
        ExportForm::Mlflow => Ok(mlflow::line(record)),
        ExportForm::Langfuse => Ok(langfuse::line(record)),
    }
}

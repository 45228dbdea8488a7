//! A log record of the SDK as OTLP's `LogRecord`: where some instrumentations put what was said to a model.
//!
//! The SDK's interface of logs is not settled. A record is in what the exporter is handed (`ReadableLogRecord.log_record`,
//! before 1.39 `LogData.log_record`).

use pyo3::intern;
use pyo3::prelude::*;

use super::span::time;
use super::value::{attributes, value_into};
use super::walk::text_into;
use super::wire::Message;

/// Writes a record into those of its scope.
pub(super) fn record_into(message: &mut Message, item: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = item.py();
    let record = item.getattr(intern!(py, "log_record"))?;
    let inner = message.begin(2);
    time(message, 1, &record.getattr(intern!(py, "timestamp"))?)?;
    let severity = record.getattr(intern!(py, "severity_number"))?;
    if let Some(number) = severity.getattr_opt(intern!(py, "value"))? {
        message.count(2, number.extract()?);
    }
    text_into(message, 3, &record.getattr(intern!(py, "severity_text"))?)?;
    let of_body = message.begin(5);
    value_into(message, &record.getattr(intern!(py, "body"))?, 0)?;
    message.end(of_body);
    let own = record.getattr(intern!(py, "attributes"))?;
    attributes(message, 6, &own)?;
    if let Some(dropped) = item.getattr_opt(intern!(py, "dropped_attributes"))? {
        message.count(7, dropped.extract()?);
    }
    let flags = record.getattr(intern!(py, "trace_flags"))?;
    if !flags.is_none() {
        message.fixed32(8, flags.extract()?);
    }
    let trace_id: Option<u128> = record.getattr(intern!(py, "trace_id"))?.extract()?;
    if let Some(id) = trace_id.filter(|id| *id != 0) {
        message.bytes(9, &id.to_be_bytes());
    }
    let span_id: Option<u64> = record.getattr(intern!(py, "span_id"))?.extract()?;
    if let Some(id) = span_id.filter(|id| *id != 0) {
        message.bytes(10, &id.to_be_bytes());
    }
    time(
        message,
        11,
        &record.getattr(intern!(py, "observed_timestamp"))?,
    )?;
    // Records have a name of their own since 1.31 of the SDK.
    if let Some(name) = record.getattr_opt(intern!(py, "event_name"))? {
        text_into(message, 12, &name)?;
    }
    message.end(inner);
    Ok(())
}

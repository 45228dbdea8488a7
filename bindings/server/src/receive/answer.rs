//! What a sender is told: `ExportTraceServiceResponse` with what was left out, and `google.rpc.Status` for errors, as
//! protobuf or JSON. The messages are few and small, and are declared here field by field.

use prost::Message;
use serde_json::json;
use tracehouse::ImportReport;

use crate::error::ApiError;

/// Reasons named in an answer; further ones are only counted.
const REASONS_MAX: usize = 5;

/// What of the request is counted as left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

/// `ExportTraceServiceResponse` and `ExportLogsServiceResponse`, which have one form.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo` with its `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// How many spans or records were left out, and why.
fn left_out(report: &ImportReport) -> Option<(u64, String)> {
    if report.rejected_count == 0 {
        return None;
    }
    let reasons = report.rejected.iter().take(REASONS_MAX);
    let mut message = reasons
        .map(|rejected| rejected.error.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    if report.rejected_count > REASONS_MAX as u64 {
        message.push_str("; ..");
    }
    Some((report.rejected_count, message))
}

/// What a sender is told of a request that was stored, all of it or a part.
///
/// # Errors
/// 400 when nothing of it could be kept: it is not to be sent again.
pub(crate) fn check(report: &ImportReport) -> Result<(), ApiError> {
    match left_out(report) {
        Some((_, why)) if !report.kept_something() => Err(ApiError::bad_request(why)),
        _ => Ok(()),
    }
}

/// The answer as protobuf.
pub(crate) fn protobuf(report: &ImportReport) -> Vec<u8> {
    let partial_success = left_out(report).map(|(rejected, error_message)| PartialSuccess {
        rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message,
    });
    ExportResponse { partial_success }.encode_to_vec()
}

/// The answer as JSON: 64-bit numbers are texts there.
pub(crate) fn json(report: &ImportReport, signal: Signal) -> serde_json::Value {
    let name = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
    };
    match left_out(report) {
        None => json!({}),
        Some((rejected, why)) => {
            json!({"partialSuccess": {name: rejected.to_string(), "errorMessage": why}})
        }
    }
}

/// An error as `google.rpc.Status` in protobuf, with `RetryInfo` where trying again may work.
pub(crate) fn status_protobuf(error: &ApiError) -> Vec<u8> {
    let details = error.retry_after.map(|after| {
        let retry_delay = Delay {
            seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            nanos: after.subsec_nanos().cast_signed(),
        };
        Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: RetryInfo {
                retry_delay: Some(retry_delay),
            }
            .encode_to_vec(),
        }
    });
    let status = RpcStatus {
        code: error.grpc_code() as i32,
        message: error.message.clone(),
        details: details.into_iter().collect(),
    };
    status.encode_to_vec()
}

/// An error as `google.rpc.Status` in JSON.
pub(crate) fn status_json(error: &ApiError) -> serde_json::Value {
    json!({"code": error.grpc_code() as i32, "message": error.message})
}

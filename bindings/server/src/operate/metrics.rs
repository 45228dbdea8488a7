//! `/metrics`: what is counted, as Prometheus reads it.
//!
//! Figures of the database are read at most every few seconds, however often they are asked for: they look at a light
//! column of every trace.

use std::fmt::{Display, Write as _};
use std::time::{Duration, Instant};

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use tracehouse::Stats;

use super::figures::{CLASS_SECONDS, Figures, Histogram};
use super::process;
use crate::access::Role;
use crate::ask::ask;
use crate::error::ApiError;
use crate::forward::{ForwardStatus, Sent};
use crate::state::{Shared, State};

const TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// How long figures of the database are told again.
const STATS_AGE_MAX: Duration = Duration::from_secs(10);

/// Figures of the database, and when they were read.
#[derive(Debug, Default)]
pub(super) struct LastStats(tokio::sync::Mutex<Option<(Instant, Stats)>>);

pub(super) async fn metrics(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    state.access.admit(&headers, Role::Read)?;
    let stats = stats(&state).await?;
    let own = tokio::task::spawn_blocking(process::own)
        .await
        .map_err(|_| ApiError::internal("the figures of the process cannot be read"))?;
    let mut page = Page::default();
    requests(&mut page, &state.operate.figures);
    received(&mut page, &state.operate.figures);
    server(&mut page, &state);
    database(&mut page, &stats);
    forwarding(&mut page, &forwarded(&state).await?);
    process_figures(&mut page, &own);
    Ok(([(header::CONTENT_TYPE, TYPE)], page.text).into_response())
}

async fn stats(state: &Shared) -> Result<Stats, ApiError> {
    // Who comes meanwhile waits for the same figures.
    let mut last = state.operate.stats.0.lock().await;
    if let Some((at, stats)) = last.as_ref()
        && at.elapsed() < STATS_AGE_MAX
    {
        return Ok(stats.clone());
    }
    let stats = ask(state, |db| Ok(db.stats()?)).await?;
    *last = Some((Instant::now(), stats.clone()));
    Ok(stats)
}

async fn forwarded(state: &Shared) -> Result<Vec<ForwardStatus>, ApiError> {
    let shared = state.clone();
    ask(state, move |db| shared.forward.status(&db)).await
}

/// The text of the page.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    /// Begins a metric.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.text.push_str(name);
        for (at, (label, of)) in labels.iter().enumerate() {
            let begin = if at == 0 { '{' } else { ',' };
            let of = escaped(&of.to_string());
            let _ = write!(self.text, "{begin}{label}=\"{of}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help);
        self.value(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.value(name, &[], value);
    }

    /// A counter with one label.
    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.metric(name, "counter", help);
        for (of, value) in values {
            self.value(name, &[(label, of)], value);
        }
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn requests(page: &mut Page, figures: &Figures) {
    let requests = figures.requests();
    let name = "tracehouse_requests_total";
    page.metric(
        name,
        "counter",
        "Requests that ended, by route and status; of gRPC its own status.",
    );
    for (ended, count) in &requests.ended {
        let labels: [(&str, &dyn Display); 3] = [
            ("route", &ended.route),
            ("method", &ended.method),
            ("status", &ended.status),
        ];
        page.value(name, &labels, count);
    }
    let name = "tracehouse_request_seconds";
    page.metric(
        name,
        "histogram",
        "From the head of a request to the end of its answer.",
    );
    for (route, histogram) in &requests.seconds {
        histogram_of(page, name, route, histogram);
    }
    page.gauge(
        "tracehouse_requests_in_progress",
        "Requests without their whole answer.",
        figures.in_progress.get(),
    );
    page.counter(
        "tracehouse_requests_given_up_total",
        "Requests whose client went before their end.",
        figures.given_up.get(),
    );
    page.counter(
        "tracehouse_request_bytes_total",
        "Bytes of bodies of requests, as sent.",
        figures.request_bytes.get(),
    );
    page.counter(
        "tracehouse_response_bytes_total",
        "Bytes of bodies of answers.",
        figures.response_bytes.get(),
    );
    page.counters(
        "tracehouse_requests_refused_total",
        "Requests refused: without a known token, without the right, too many.",
        "reason",
        &[
            ("token", figures.refused_token.get()),
            ("right", figures.refused_right.get()),
            ("rate", figures.refused_rate.get()),
        ],
    );
}

fn histogram_of(page: &mut Page, name: &str, route: &str, histogram: &Histogram) {
    let ends = CLASS_SECONDS.iter().map(f64::to_string);
    let bucket = format!("{name}_bucket");
    let mut count = 0;
    for (end, more) in ends.chain(["+Inf".to_string()]).zip(histogram.counts) {
        count += more;
        page.value(&bucket, &[("route", &route), ("le", &end)], count);
    }
    page.value(
        &format!("{name}_sum"),
        &[("route", &route)],
        histogram.seconds,
    );
    page.value(&format!("{name}_count"), &[("route", &route)], count);
}

fn received(page: &mut Page, figures: &Figures) {
    page.counters(
        "tracehouse_received_spans_total",
        "Spans received: stored, there already, dropped because the disk could not keep up.",
        "outcome",
        &[
            ("stored", figures.spans.get()),
            ("duplicate", figures.duplicate_spans.get()),
            ("dropped", figures.dropped_spans.get()),
        ],
    );
    page.counter(
        "tracehouse_received_rejected_total",
        "Spans and records received that could not be kept.",
        figures.rejected.get(),
    );
    page.counter(
        "tracehouse_received_log_records_total",
        "Log records received and stored.",
        figures.log_records.get(),
    );
    page.counter(
        "tracehouse_received_bytes_total",
        "Bytes of export requests, decompressed.",
        figures.received_bytes.get(),
    );
    page.counter(
        "tracehouse_failed_writes_total",
        "Export requests that could not be stored.",
        figures.failed_writes.get(),
    );
}

fn server(page: &mut Page, state: &State) {
    let (figures, options) = (&state.operate.figures, &state.options);
    page.gauge(
        "tracehouse_in_flight_bytes",
        "Memory that requests have reserved.",
        state.budget.used(),
    );
    page.gauge(
        "tracehouse_in_flight_bytes_max",
        "Memory that requests may reserve.",
        options.in_flight_bytes_max,
    );
    page.gauge(
        "tracehouse_connections",
        "Open connections.",
        figures.connections.get(),
    );
    page.gauge(
        "tracehouse_connections_max",
        "Connections that may be open.",
        state.operate.connections_max,
    );
    page.counter(
        "tracehouse_connections_accepted_total",
        "Connections accepted.",
        figures.accepted.get(),
    );
    page.counters(
        "tracehouse_connections_closed_total",
        "Connections that the server closed: idle too long, idle when room was needed, too slow.",
        "reason",
        &[
            ("idle", figures.closed_idle.get()),
            ("room", figures.closed_for_room.get()),
            ("slow", figures.closed_slow.get()),
        ],
    );
    page.counter(
        "tracehouse_tls_handshakes_failed_total",
        "TLS handshakes that failed.",
        figures.failed_handshakes.get(),
    );
    questions_and_logs(page, state);
}

fn questions_and_logs(page: &mut Page, state: &State) {
    let (figures, log) = (&state.operate.figures, &state.operate.log);
    page.gauge(
        "tracehouse_queries_running",
        "Questions that run.",
        figures.questions_running.get(),
    );
    page.gauge(
        "tracehouse_queries_waiting",
        "Questions that wait for their turn.",
        figures.questions_waiting.get(),
    );
    page.counter(
        "tracehouse_queries_cancelled_total",
        "Questions whose client went before their answer.",
        figures.questions_given_up.get(),
    );
    page.counter(
        "tracehouse_log_lines_left_out_total",
        "Lines of the log that standard error did not take.",
        log.left_out(),
    );
    page.counter(
        "tracehouse_audit_failures_total",
        "Entries of the audit log that its file did not take.",
        log.audit_failures(),
    );
    page.metric(
        "tracehouse_build_info",
        "gauge",
        "The version of the server.",
    );
    page.value(
        "tracehouse_build_info",
        &[("version", &env!("CARGO_PKG_VERSION"))],
        1,
    );
}

fn database(page: &mut Page, stats: &Stats) {
    page.gauge("tracehouse_database_traces", "Traces stored.", stats.traces);
    page.gauge("tracehouse_database_spans", "Spans stored.", stats.spans);
    page.gauge(
        "tracehouse_database_assessments",
        "Assessments stored.",
        stats.assessments,
    );
    page.gauge(
        "tracehouse_database_segments",
        "Live segments.",
        stats.segments,
    );
    page.gauge(
        "tracehouse_database_disk_bytes",
        "Bytes of all files.",
        stats.disk_bytes,
    );
    page.gauge(
        "tracehouse_database_wal_bytes",
        "Bytes of the write-ahead log.",
        stats.wal_bytes,
    );
    page.gauge(
        "tracehouse_database_memtable_bytes",
        "Bytes of rows in memory.",
        stats.memtable_bytes,
    );
    page.gauge(
        "tracehouse_database_cache_bytes",
        "Bytes of decoded columns in memory.",
        stats.cache_bytes,
    );
    page.gauge(
        "tracehouse_database_indexed_spans",
        "Spans that a text index answers for.",
        stats.indexed_spans,
    );
    page.counter(
        "tracehouse_database_refused_writes_total",
        "Writes refused after they were logged.",
        stats.refused_writes,
    );
    let failed = u8::from(stats.maintenance_failure.is_some());
    page.gauge(
        "tracehouse_database_maintenance_failed",
        "Whether maintenance failed since the start.",
        failed,
    );
}

fn forwarding(page: &mut Page, targets: &[ForwardStatus]) {
    type Figure = (&'static str, &'static str, &'static str, fn(&Sent) -> u64);
    const FIGURES: [Figure; 4] = [
        (
            "spans_total",
            "counter",
            "Spans that a target took.",
            |sent| sent.spans,
        ),
        (
            "refused_spans_total",
            "counter",
            "Spans that a target refused for good.",
            |sent| sent.refused_spans,
        ),
        (
            "retries_total",
            "counter",
            "Requests to a target that failed and were sent again.",
            |sent| sent.retries,
        ),
        (
            "waiting_bytes",
            "gauge",
            "Bytes of the log that a target was not sent.",
            |sent| sent.waiting_bytes,
        ),
    ];
    let sent: Vec<&Sent> = targets.iter().filter_map(|of| of.sent.as_ref()).collect();
    for (name, kind, help, figure) in FIGURES.iter().filter(|_| !sent.is_empty()) {
        let name = format!("tracehouse_forward_{name}");
        page.metric(&name, kind, help);
        for sent in &sent {
            page.value(&name, &[("target", &sent.target)], figure(sent));
        }
    }
    if !targets.is_empty() {
        let name = "tracehouse_forward_dropped_spans_total";
        page.metric(name, "counter", "Spans that were given up for a target.");
        for of in targets {
            page.value(name, &[("feed", &of.feed.name)], of.feed.dropped_spans);
        }
    }
}

fn process_figures(page: &mut Page, own: &process::Own) {
    if let Some(bytes) = own.resident_bytes {
        page.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
    }
    if let Some(files) = own.open_files {
        page.gauge("process_open_fds", "Open file descriptors.", files);
    }
    if let Some(files) = own.open_files_max {
        page.gauge(
            "process_max_fds",
            "File descriptors that may be open.",
            files,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::figures::Ended;

    #[test]
    fn classes_of_a_histogram_add_up_and_labels_are_escaped() {
        let (figures, mut page) = (Figures::default(), Page::default());
        let ended = Ended {
            route: "/a\"\\\n".into(),
            method: "GET",
            status: "200".into(),
        };
        figures.request(ended.clone(), Duration::from_millis(3));
        figures.request(ended, Duration::from_secs(100));
        requests(&mut page, &figures);
        for line in [
            "tracehouse_requests_total{route=\"/a\\\"\\\\\\n\",method=\"GET\",status=\"200\"} 2",
            "le=\"0.0025\"} 0",
            "le=\"0.005\"} 1",
            "le=\"60\"} 1",
            "le=\"+Inf\"} 2",
            "tracehouse_requests_in_progress 0",
        ] {
            assert!(page.text.contains(line), "{line}\n{}", page.text);
        }
    }
}

//! The log: one JSON object a line on standard error, and the audit log, which goes to a file as well.
//!
//! A thread writes, so that no IO thread waits for a terminal or a disk. The log of requests has a bounded queue: what does
//! not fit is counted, and the count is told in the log and in the metrics. Of the audit log nothing is left out: who
//! makes an entry waits for room.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as threads;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::error::ServeError;
use crate::options::LogLevel;

/// Lines that wait to be written.
const QUEUE_LINES_MAX: usize = 8192;
/// How long the last lines may take to be written.
const LAST_LINES_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Item {
    Line(String),
    Audit(String),
    /// The audit file was moved away: begin it again.
    Reopen,
    /// Say when everything before is written.
    Flush(threads::Sender<()>),
}

/// Where events are told.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    level: LogLevel,
    queue: mpsc::Sender<Item>,
    left_out: Arc<AtomicU64>,
    audit_failures: Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread that writes; `audit` is the file of the audit log.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread not be started.
    pub(crate) fn start(level: LogLevel, audit: Option<&Path>) -> Result<Self, ServeError> {
        let audit = audit.map(AuditFile::open).transpose()?;
        let (queue, items) = mpsc::channel(QUEUE_LINES_MAX);
        let log = Self {
            level,
            queue,
            left_out: Arc::default(),
            audit_failures: Arc::default(),
        };
        let writer = Writer {
            is_quiet: level == LogLevel::Off,
            audit,
            left_out: log.left_out.clone(),
            audit_failures: log.audit_failures.clone(),
            told: 0,
        };
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run(items))
            .map_err(|error| ServeError::new(format!("cannot start a thread: {error}")))?;
        Ok(log)
    }

    /// Whether events of `level` are told.
    pub(crate) fn tells(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// Tells of an event. `fields` is a JSON object.
    pub(crate) fn tell(&self, level: LogLevel, event: &str, fields: &Value) {
        if self.tells(level)
            && self
                .queue
                .try_send(Item::Line(line(level, event, fields)))
                .is_err()
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes an entry of the audit log. It is told in the log, too, whatever its level.
    pub(crate) async fn audit(&self, event: &str, fields: &Value) {
        let entry = Item::Audit(line(LogLevel::Info, event, fields));
        // The thread ends only after the last handle.
        let _ = self.queue.send(entry).await;
    }

    /// Opens the audit file again, after it was moved away.
    pub(crate) fn reopen(&self) {
        let _ = self.queue.try_send(Item::Reopen);
    }

    /// Waits a moment until everything is written.
    pub(crate) fn flush(&self) {
        let (written, wait) = threads::channel();
        if self.queue.try_send(Item::Flush(written)).is_ok() {
            let _ = wait.recv_timeout(LAST_LINES_MAX);
        }
    }

    /// Lines that were left out because standard error did not take them.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Entries of the audit log that its file did not take.
    pub(crate) fn audit_failures(&self) -> u64 {
        self.audit_failures.load(Ordering::Relaxed)
    }
}

/// One line: the time, the level and the event come first.
fn line(level: LogLevel, event: &str, fields: &Value) -> String {
    let fields = fields.to_string();
    let rest = fields.strip_prefix('{').unwrap_or("}");
    let comma = if rest == "}" { "" } else { "," };
    let (time, level, event) = (now(), level.as_str(), json!(event));
    format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"event\":{event}{comma}{rest}\n")
}

/// RFC 3339 to the millisecond. A log tells of the time of the machine, not of rows.
#[allow(clippy::disallowed_methods)]
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    timestamp_ms_to_datetime(ms).map_or_else(String::new, |time| {
        format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S%.3f"))
    })
}

#[derive(Debug)]
struct AuditFile {
    path: PathBuf,
    file: File,
}

impl AuditFile {
    /// The audit log is none of the files of a database.
    #[allow(clippy::disallowed_methods)]
    fn open(path: &Path) -> Result<Self, ServeError> {
        let mut open = File::options();
        open.append(true).create(true);
        let file = open.open(path).map_err(|error| {
            ServeError::new(format!(
                "cannot open the audit log {}: {error}",
                path.display()
            ))
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }
}

/// What the thread has.
struct Writer {
    /// Whether nothing goes to standard error.
    is_quiet: bool,
    audit: Option<AuditFile>,
    left_out: Arc<AtomicU64>,
    audit_failures: Arc<AtomicU64>,
    /// How many of the lines left out were told of.
    told: u64,
}

impl Writer {
    /// Writes until the last handle is gone.
    fn run(mut self, mut items: mpsc::Receiver<Item>) {
        while let Some(item) = items.blocking_recv() {
            match item {
                Item::Line(line) => self.tell(&line),
                Item::Audit(entry) => {
                    self.tell(&entry);
                    self.keep(&entry);
                }
                Item::Reopen => self.reopen(),
                Item::Flush(written) => {
                    let _ = written.send(());
                }
            }
            let left_out = self.left_out.load(Ordering::Relaxed);
            if left_out > self.told && items.is_empty() {
                let fields = json!({"lines": left_out - self.told});
                self.told = left_out;
                self.tell(&line(LogLevel::Warn, "log_lines_left_out", &fields));
            }
        }
    }

    fn tell(&self, line: &str) {
        if !self.is_quiet {
            // Who closed standard error wants no log.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn keep(&mut self, entry: &str) {
        let Some(audit) = &mut self.audit else { return };
        if let Err(error) = audit.file.write_all(entry.as_bytes()) {
            let path = audit.path.display().to_string();
            self.failed(&path, &error);
        }
    }

    fn reopen(&mut self) {
        let Some(audit) = &self.audit else { return };
        let path = audit.path.clone();
        match AuditFile::open(&path) {
            Ok(audit) => self.audit = Some(audit),
            Err(error) => self.failed(&path.display().to_string(), &error),
        }
    }

    fn failed(&self, path: &str, error: &dyn std::fmt::Display) {
        self.audit_failures.fetch_add(1, Ordering::Relaxed);
        let fields = json!({"file": path, "error": error.to_string()});
        self.tell(&line(LogLevel::Error, "audit_log_failed", &fields));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_is_in_it() {
        let told = line(LogLevel::Warn, "request", &json!({"path": "/a\n\"b\u{7f}"}));
        assert_eq!(told.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(
            (&read["level"], &read["event"]),
            (&json!("warn"), &json!("request"))
        );
        assert_eq!(read["path"], "/a\n\"b\u{7f}");
        assert!(tracehouse::parse_time(read["time"].as_str().unwrap()).is_some());
        let empty: Value =
            serde_json::from_str(&line(LogLevel::Info, "stopped", &json!({}))).unwrap();
        assert_eq!(empty["event"], "stopped");
    }

    #[test]
    fn audit_entries_are_appended_and_the_file_may_be_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("audit"), folder.path().join("audit.1"));
        std::fs::write(&path, "before\n").unwrap();
        let log = Log::start(LogLevel::Off, Some(&path)).unwrap();
        let audit = |event: &str| futures::executor::block_on(log.audit(event, &json!({})));
        audit("one");
        log.flush();
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        audit("two");
        log.flush();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert!(read(&moved).starts_with("before\n") && read(&moved).contains("\"one\""));
        assert!(read(&path).contains("\"two\"") && !read(&path).contains("\"one\""));
        assert!(Log::start(LogLevel::Off, Some(folder.path())).is_err());
    }
}

//! Feeds: spans as they are written, in order, for whoever sends them on.
//!
//! ```text
//! LogFeed::next -> spans of the log, as they are stored (redacted, priced) -> sent on -> LogFeed::ack -> the log is cut
//! ```
//!
//! A feed is a hold of the write-ahead log (`storage/store/holds.rs`), so nothing is stored twice: its position is durable,
//! and what a process did not acknowledge the next one gets again. It gives spans, each time that one is written: late ones
//! and repeated ones, too. Changes of traces (tags, assessments, deletes) and log records are not part of it.

use serde::Serialize;
use tracehouse_storage::columns::span_at;
use tracehouse_storage::join::LogMark;
use tracehouse_storage::model::Span;
use tracehouse_storage::store::{HeldReader, HoldLimits, HoldStatus, WhenFull};

use crate::database::Database;
use crate::error::Result;
use crate::otlp::encode;

/// How much of the log a feed may keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedOptions {
    /// Bytes of log files that nobody but feeds needs any more. Files are kept or given up as a whole.
    pub bytes_max: u64,
    /// Whether writes are refused with `Unavailable` above that. Otherwise the oldest spans are given up for the feed, and
    /// counted: they are in the database all the same.
    pub refuse_writes: bool,
}

impl Default for FeedOptions {
    /// 4 GiB, and the oldest are given up: that whoever takes the spans is away is no reason to lose them here, too.
    fn default() -> Self {
        Self {
            bytes_max: 4 << 30,
            refuse_writes: false,
        }
    }
}

impl FeedOptions {
    /// The most that may be kept.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Refuses writes above that, instead of giving up spans.
    pub fn refuse_writes(mut self, refuse: bool) -> Self {
        self.refuse_writes = refuse;
        self
    }
}

/// How a feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// The first record of the log that is not acknowledged.
    pub next_sequence: u64,
    /// Writes that are not acknowledged, of spans or of something else.
    pub waiting_records: u64,
    /// Bytes of log files that nobody but feeds needs any more.
    pub held_bytes: u64,
    /// The most that this may become.
    pub bytes_max: u64,
    /// Writes that the feed did not give: above its limit, or damaged.
    pub dropped_records: u64,
    /// Spans of those, as far as they could be counted.
    pub dropped_spans: u64,
    /// Whether writes are refused until there is room.
    pub refuses_writes: bool,
}

impl From<HoldStatus> for FeedStatus {
    fn from(hold: HoldStatus) -> Self {
        Self {
            name: hold.name,
            next_sequence: hold.next_sequence,
            waiting_records: hold.waiting_records,
            held_bytes: hold.held_bytes,
            bytes_max: hold.bytes_max,
            dropped_records: hold.given_up_records,
            dropped_spans: hold.given_up_spans,
            refuses_writes: hold.refuses_writes,
        }
    }
}

/// The spans of a database as they are written.
#[derive(Debug)]
pub struct LogFeed {
    database: Database,
    name: String,
    reader: HeldReader,
    /// Bytes of records that were given and not acknowledged.
    in_hand_bytes: u64,
}

/// Spans in the order in which they were written.
#[derive(Debug)]
pub struct FeedBatch {
    spans: Vec<Span>,
    next_sequence: u64,
    log_bytes: u64,
}

impl FeedBatch {
    /// The spans; none when only other things were written.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }
}

impl LogFeed {
    /// The next spans, until their writes have more than `log_bytes_max` in the log, where they are compressed; spans of one
    /// write come together. `None` when there are none that are new.
    ///
    /// # Errors
    /// `NotFound` when the feed was released, `Closed`; `Corrupt` for damage of what is not sealed yet, `Io`. Damage of older
    /// records is passed over and counted as dropped.
    pub fn next(&mut self, log_bytes_max: u64) -> Result<Option<FeedBatch>> {
        let store = self.database.store();
        let read = store.read_held(&mut self.reader, log_bytes_max)?;
        let Some(read) = read else {
            return Ok(None);
        };
        let mut spans = Vec::new();
        for batch in &read.batches {
            for row in 0..batch.num_rows() {
                let span = span_at(batch, row)?;
                // Rows that wait for their span are none; they come with it.
                if LogMark::of(span.extra.as_deref()).is_none_or(|mark| !mark.stands_in) {
                    spans.push(span);
                }
            }
        }
        self.in_hand_bytes += read.log_bytes;
        Ok(Some(FeedBatch {
            spans,
            next_sequence: read.next_sequence,
            log_bytes: read.log_bytes,
        }))
    }

    /// Notes durably that this batch, and all before it, are where they should be. Files of the log go that nobody needs any
    /// more.
    ///
    /// # Errors
    /// `NotFound` when the feed was released, `Closed`, `Io`: the next process gets the batch again then.
    pub fn ack(&mut self, batch: &FeedBatch) -> Result<()> {
        let store = self.database.store();
        store.advance_hold(&self.name, batch.next_sequence)?;
        self.in_hand_bytes = self.in_hand_bytes.saturating_sub(batch.log_bytes);
        Ok(())
    }

    /// How it stands.
    ///
    /// # Errors
    /// `NotFound` when the feed was released, `Io`.
    pub fn status(&self) -> Result<FeedStatus> {
        Ok(self.database.store().hold(&self.name)?.into())
    }

    /// Bytes of the log that are not acknowledged, as they are stored.
    ///
    /// # Errors
    /// `Io`.
    pub fn waiting_bytes(&self) -> Result<u64> {
        Ok(self.in_hand_bytes + self.database.store().bytes_to_read(&self.reader)?)
    }
}

impl Database {
    /// The feed of this name: of what is written from now on, when there is none yet; else from where it was acknowledged,
    /// also by an earlier process. It keeps the log until it is released.
    ///
    /// ```
    /// use tracehouse::{Database, FeedOptions, SpanBuilder, encode_otlp};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let db = Database::open(folder.path().join("app.traces"))?;
    /// let mut feed = db.forward_feed("collector", &FeedOptions::default())?;
    /// db.append(&[SpanBuilder::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "chat").build()?])?;
    /// while let Some(batch) = feed.next(512 << 10)? {
    ///     let request = encode_otlp(batch.spans());
    ///     assert!(!request.is_empty()); // .. and it is sent
    ///     feed.ack(&batch)?;
    /// }
    /// assert_eq!(feed.status()?.waiting_records, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be, for a database in memory or one that is open for reading; `Closed`, `Io`.
    pub fn forward_feed(&self, name: &str, options: &FeedOptions) -> Result<LogFeed> {
        let limits = HoldLimits {
            bytes_max: options.bytes_max,
            when_full: match options.refuse_writes {
                true => WhenFull::RefuseWrites,
                false => WhenFull::GiveUpOldest,
            },
        };
        self.store().hold_log(name, limits)?;
        Ok(LogFeed {
            database: self.clone(),
            name: name.to_string(),
            reader: self.store().held_reader(name)?,
            in_hand_bytes: 0,
        })
    }

    /// Ends a feed and lets go of the log that it kept. Whether there was one.
    ///
    /// # Errors
    /// `InvalidInput` when the database is open for reading, `Closed`, `Io`.
    pub fn release_feed(&self, name: &str) -> Result<bool> {
        Ok(self.store().release_hold(name)?)
    }

    /// All feeds, whether somebody reads them or not.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn feeds(&self) -> Result<Vec<FeedStatus>> {
        Ok(self
            .store()
            .holds()?
            .into_iter()
            .map(FeedStatus::from)
            .collect())
    }

    /// What tells this database from others, also from its copies' originals: 32 hex digits.
    pub fn id(&self) -> String {
        format!("{:032x}", self.store().db_uuid())
    }
}

/// Spans as one `ExportTraceServiceRequest` in protobuf. Spans that came by OTLP are sent as they came. Ids that are none of
/// OTLP's become a hash of the right length, with the id itself as an attribute `tracehouse.trace_id` or `tracehouse.span_id`.
pub fn encode_otlp(spans: &[Span]) -> Vec<u8> {
    encode::request(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, ImportOptions, OpenOptions, SpanBuilder};

    fn traces(feed: &mut LogFeed) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(batch) = feed.next(1).unwrap() {
            found.extend(batch.spans().iter().map(|span| span.trace_id.clone()));
            feed.ack(&batch).unwrap();
        }
        found
    }

    fn write(db: &Database, trace: &str) {
        let span = SpanBuilder::new(trace, "s", "x").build().unwrap();
        db.append(&[span]).unwrap();
    }

    #[test]
    fn a_feed_goes_on_where_it_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.traces");
        let db = Database::open(&path).unwrap();
        write(&db, "before");
        let mut feed = db.forward_feed("there", &FeedOptions::default()).unwrap();
        write(&db, "one");
        db.set_tag("one", "k", "v").unwrap();
        write(&db, "two");
        let batch = feed.next(1).unwrap().unwrap();
        assert_eq!(batch.spans()[0].trace_id, "one");
        let (waiting, status) = (feed.waiting_bytes().unwrap(), feed.status().unwrap());
        assert!(waiting > 0 && status.waiting_records == 3, "{status:?}");
        drop((feed, batch));
        db.seal().unwrap();
        db.close().unwrap();
        drop(db);
        let db = Database::open(&path).unwrap();
        let mut feed = db.forward_feed("there", &FeedOptions::default()).unwrap();
        write(&db, "three");
        assert_eq!(traces(&mut feed), ["one", "two", "three"]);
        assert_eq!(
            (feed.waiting_bytes().unwrap(), db.feeds().unwrap().len()),
            (0, 1)
        );
        assert!(db.release_feed("there").unwrap());
        assert_eq!(feed.next(1).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_sent_is_what_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path()).unwrap();
        let mut feed = db.forward_feed("there", &FeedOptions::default()).unwrap();
        let document = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId":"00f067aa0ba902b7","attributes":[{"key":"password","value":{"stringValue":"hunter2"}}]}]}]}]}"#;
        db.import_otlp(document, &ImportOptions::default()).unwrap();
        let sent = encode_otlp(feed.next(1).unwrap().unwrap().spans());
        assert!(!sent.windows(7).any(|bytes| bytes == b"hunter2"));
        assert_eq!(crate::decode_otlp(&sent, "0").unwrap().spans.len(), 1);
    }

    #[test]
    fn databases_that_keep_no_log_have_no_feeds() {
        let db = Database::in_memory().unwrap();
        let error = db.forward_feed("x", &FeedOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let folder = tempfile::tempdir().unwrap();
        drop(Database::open(folder.path()).unwrap());
        let db = OpenOptions::new()
            .read_only(true)
            .open(folder.path())
            .unwrap();
        let error = db.forward_feed("x", &FeedOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(db.feeds().unwrap(), []);
    }
}

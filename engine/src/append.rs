//! Spans that a program made itself: checked, completed and stored.
//!
//! A span of an import and one that is given here are the same row: what its attributes and events say is put into
//! the typed columns by the same code. What the caller put there stays.

use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::join::LogMark;
use tracehouse_storage::model::{Assessment, Span, check_id, normalize_trace_id};
use tracehouse_storage::schema::Table;
use tracehouse_storage::store::Assess;

use crate::append_limits::bound;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::evaluations::Response;
use crate::ingest::{ImportOptions, ImportReport};
use crate::otlp::{ChangedKeys, read_object};
use crate::semconv::{self, evaluation};
use crate::span_builder::{SpanKind, SpanStatus};

impl Database {
    /// Appends spans: durable and visible when this returns. Typed columns that a span leaves open (`None`, or the type
    /// `UNKNOWN`) are filled from its attributes and events as an import fills them, and its cost from the prices of
    /// the database; what it has stays. Keys that are too long or there twice are changed and counted as in an import.
    /// The span ids of a trace are unique: of two different spans with the same ids the later one is kept.
    ///
    /// ```
    /// use tracehouse::{Database, Span};
    ///
    /// let db = Database::in_memory()?;
    /// let mut span = Span::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "chat");
    /// (span.start_time_ns, span.end_time_ns) = (1_700_000_000_000_000_000, Some(1_700_000_001_000_000_000));
    /// span.attributes = r#"{"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 12}"#.to_string();
    /// assert_eq!(db.append(&[span])?.spans, 1);
    /// let trace = db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736")?;
    /// assert_eq!(trace.spans[0].model.as_deref(), Some("gpt-4o"));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` naming the span and what is wrong with it: an id, a word of an enum, a time, a text that is no
    /// JSON object, values nested too deep or too many, too much text; nothing is stored then. `Unavailable` when the
    /// disk cannot keep up, `Io` or `Closed` from writing.
    pub fn append(&self, spans: &[Span]) -> Result<ImportReport> {
        let mut spans = spans.to_vec();
        let mut changed_keys = ChangedKeys::default();
        for span in &mut spans {
            span.trace_id = normalize_trace_id(&span.trace_id);
            // 0 is OTLP's way to say that there is none.
            span.end_time_ns = span.end_time_ns.filter(|end| *end != 0);
            check(span)?;
            let changed = bound(span).map_err(|what| at_fault(span, &what))?;
            changed_keys.cut += changed.cut;
            changed_keys.repeated += changed.repeated;
        }
        let redactor = self.redactor()?;
        let redacted = redactor.pass().map_or(0, |mut pass| {
            spans.iter_mut().for_each(|span| pass.span(span));
            pass.finish()
        });
        let prices = self.price_state().list();
        for span in &mut spans {
            semconv::complete(span);
            prices.fill(span);
            check_size(span, self.settings().span_bytes_max)?;
        }
        let before = self.snapshot()?.visible_rows(Table::Traces);
        let applied = match self.store().append_spans(spans_batch(&spans)?) {
            Err(error) => return self.drop_spans(error.into(), spans.len() as u64),
            applied => applied?,
        };
        let after = self.snapshot()?.visible_rows(Table::Traces);
        let mut report = ImportReport {
            traces: after.saturating_sub(before),
            spans: applied.spans,
            duplicate_spans: applied.duplicate_spans,
            redacted,
            cut_keys: changed_keys.cut,
            repeated_keys: changed_keys.repeated,
            ..ImportReport::default()
        };
        let rows = feedback(&spans, &mut report);
        if !rows.is_empty() {
            report.assessments = self
                .store()
                .assess(Assess {
                    rows,
                    check_existing: true,
                })?
                .assessments;
        }
        report.judge(self.claim_evaluations(spans.iter().filter_map(Response::of).collect())?);
        Ok(report)
    }
}

/// # Errors
/// `InvalidInput` naming the span and what is wrong.
pub(crate) fn check(span: &Span) -> Result<()> {
    check_id("trace id", &span.trace_id)?;
    check_id("span id", &span.span_id)?;
    let of_span = |what: String| at_fault(span, &what);
    check_id("experiment id", &span.experiment_id).map_err(|error| of_span(error.to_string()))?;
    if let Some(parent) = &span.parent_span_id {
        check_id("parent span id", parent).map_err(|error| of_span(error.to_string()))?;
    }
    let kinds = SpanKind::ALL.map(SpanKind::as_str);
    let statuses = SpanStatus::ALL.map(SpanStatus::as_str);
    for (what, word, words) in [
        ("kind", &span.kind, kinds.as_slice()),
        ("status", &span.status, statuses.as_slice()),
    ] {
        if !words.contains(&word.as_str()) {
            return Err(of_span(format!(
                "the {what} '{word}' is none of {}",
                words.join(", ")
            )));
        }
    }
    check_times(span).map_err(of_span)
}

/// # Errors
/// `InvalidInput` for a span that is larger than what is set, when all of it is there that is stored.
fn check_size(span: &Span, text_bytes_max: usize) -> Result<()> {
    let bytes = span.text_bytes();
    if bytes <= text_bytes_max {
        return Ok(());
    }
    Err(at_fault(
        span,
        &format!("it has {bytes} bytes of text, more than the {text_bytes_max} that are set"),
    ))
}

fn at_fault(span: &Span, what: &str) -> Error {
    Error::invalid_input(format!("span {}: {what}", span.span_id))
}

/// Says which time is none.
fn check_times(span: &Span) -> std::result::Result<(), String> {
    let own = [
        ("start time", Some(span.start_time_ns)),
        ("end time", span.end_time_ns),
    ];
    let events = span
        .events
        .iter()
        .map(|event| ("time of an event", Some(event.time_ns)));
    for (what, time) in own.into_iter().chain(events) {
        if let Some(time) = time.filter(|time| *time < 0) {
            return Err(format!(
                "the {what} {time} is before 1970: Unix nanoseconds are expected"
            ));
        }
    }
    Ok(())
}

/// What the spans' own events say of their quality, as an import has it.
fn feedback(spans: &[Span], report: &mut ImportReport) -> Vec<Assessment> {
    let mut rows = Vec::new();
    for span in spans {
        let records = LogMark::of(span.extra.as_deref()).map_or(0, |mark| mark.count);
        let own = span.events.len().saturating_sub(records);
        let events = span
            .events
            .iter()
            .take(own)
            .filter(|event| event.name == evaluation::EVENT);
        for event in events {
            let attributes = read_object(&event.attributes);
            let span_id = Some(span.span_id.as_str());
            match evaluation::feedback(&span.trace_id, span_id, event.time_ns, &attributes) {
                Ok(row) => rows.push(row),
                Err(reason) => report.reject(&ImportOptions::default().name, None, reason),
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use tracehouse_storage::model::{Event, Link};

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_a_span_says_itself_stays() {
        let db = Database::in_memory().unwrap();
        let span = |id: &str| {
            Span {
            attributes:
                r#"{"gen_ai.request.model":"gpt-4o","gen_ai.usage.input_tokens":12,"input.value":"asked"}"#
                    .into(),
            resource: r#"{"service.name":"shop"}"#.into(),
            end_time_ns: Some(0),
            ..Span::new("tr-4BF92F3577B34DA6A3CE929D0E0E4736", id, "chat")
        }
        };
        let own = Span {
            parent_span_id: Some("a".into()),
            model: Some("mine".into()),
            output_tokens: Some(3),
            inputs: Some("own".into()),
            span_type: "OTHER".into(),
            ..span("b")
        };
        assert_eq!(db.append(&[span("a"), own]).unwrap().spans, 2);
        let trace = db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        let [root, own] = trace.spans.as_slice() else {
            panic!("{:?}", trace.spans)
        };
        assert_eq!(
            (root.model.as_deref(), root.input_tokens),
            (Some("gpt-4o"), Some(12))
        );
        assert_eq!(
            (root.span_type.as_str(), root.service_name.as_deref()),
            ("LLM", Some("shop"))
        );
        assert_eq!(
            (root.end_time_ns, root.cost_source.as_deref()),
            (None, Some("computed"))
        );
        assert_eq!(trace.info.request_preview.as_deref(), Some("asked"));
        assert_eq!(
            (own.model.as_deref(), own.inputs.as_deref()),
            (Some("mine"), Some("own"))
        );
        assert_eq!(
            (own.input_tokens, own.output_tokens),
            (None, Some(3)),
            "counts belong together"
        );
        assert_eq!(own.span_type, "OTHER");
        // A row that was read is complete.
        let copy = Database::in_memory().unwrap();
        copy.append(&trace.spans).unwrap();
        assert_eq!(copy.get_trace(&trace.info.trace_id).unwrap(), trace);
    }

    #[test]
    fn judgements_among_the_events_are_feedback() {
        let db = Database::in_memory().unwrap();
        let event = |attributes: &str| Event {
            time_ns: 5,
            name: evaluation::EVENT.into(),
            attributes: attributes.into(),
        };
        let events = vec![
            event(r#"{"gen_ai.evaluation.name":"tone","gen_ai.evaluation.score.value":0.5}"#),
            event(r#"{"gen_ai.evaluation.score.value":0.5}"#),
        ];
        let report = db
            .append(&[Span {
                events,
                ..Span::new("t", "s", "chat")
            }])
            .unwrap();
        assert_eq!(
            (report.assessments, report.rejected_count),
            (1, 1),
            "{report:?}"
        );
        assert_eq!(db.get_trace("t").unwrap().assessments[0].name, "tone");
    }

    fn event(time_ns: i64, attributes: &str) -> Event {
        Event {
            time_ns,
            name: "e".into(),
            attributes: attributes.into(),
        }
    }

    /// A change that makes a legal span an illegal one, and what is said of it.
    type Illegal = (fn(&mut Span), &'static str);

    const ILLEGAL: &[Illegal] = &[
        (|span| span.trace_id = String::new(), "trace id is empty"),
        (
            |span| span.span_id = "a\nb".into(),
            "span id has a control character",
        ),
        (
            |span| span.parent_span_id = Some(String::new()),
            "span s: parent span id is empty",
        ),
        (
            |span| span.experiment_id = String::new(),
            "span s: experiment id is empty",
        ),
        (
            |span| span.kind = String::new(),
            "the kind '' is none of UNSPECIFIED, INTERNAL",
        ),
        (
            |span| span.status = "FINE".into(),
            "the status 'FINE' is none of UNSET, OK, ERROR",
        ),
        (
            |span| span.start_time_ns = -1,
            "the start time -1 is before 1970",
        ),
        (
            |span| span.end_time_ns = Some(-1),
            "the end time -1 is before 1970",
        ),
        (
            |span| span.events = vec![event(-2, "{}")],
            "time of an event -2",
        ),
        (
            |span| span.events = vec![event(1, "")],
            "attributes of an event are no JSON object",
        ),
        (
            |span| span.links = vec![Link::default()],
            "attributes of a link are no JSON object",
        ),
        (
            |span| span.attributes = "[]".into(),
            "attributes are no JSON object",
        ),
    ];

    #[test]
    fn illegal_rows_are_refused_by_name() {
        let db = Database::in_memory().unwrap();
        for &(change, words) in ILLEGAL {
            let mut span = Span::new("t", "s", "x");
            change(&mut span);
            let error = db.append(&[legal(), span]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
        assert!(db.get_trace("legal").is_err(), "all of the spans or none");
        assert_eq!(db.append(&[legal()]).unwrap().spans, 1);
    }

    /// Attributes with lists in lists.
    fn nested(levels: usize) -> String {
        format!(
            r#"{{"a":{}1{}}}"#,
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    }

    /// Objects in objects, as deep as the value of an attribute may be.
    fn objects() -> String {
        (2..=64).fold("1".to_string(), |inner, _| format!(r#"{{"k":{inner}}}"#))
    }

    fn with(attributes: String) -> Span {
        Span {
            attributes,
            ..Span::new("t", "s", "x")
        }
    }

    #[test]
    fn attributes_have_the_limits_of_an_import() {
        let objects = objects();
        let link = Link {
            attributes: nested(65),
            ..Link::default()
        };
        let db = Database::in_memory().unwrap();
        for (span, words) in [
            (
                with(nested(65)),
                "span s: its attributes: attributes nest deeper than 64 levels",
            ),
            (
                with(format!(r#"{{"k":{{"o":{objects}}}}}"#)),
                "nest deeper than 64 levels",
            ),
            (with(nested(100_000)), "nest deeper than 64 levels"),
            (
                Span {
                    resource: nested(65),
                    ..with("{}".into())
                },
                "its resource: attributes nest deeper",
            ),
            (
                Span {
                    links: vec![link],
                    ..with("{}".into())
                },
                "its attributes of a link: attributes nest",
            ),
            (
                Span {
                    events: vec![event(1, "{}"); 100_001],
                    ..with("{}".into())
                },
                "more than 100000 values, events",
            ),
            (
                with(format!(r#"{{"a":[{}1]}}"#, "1,".repeat(99_999))),
                "more than 100000 values, events",
            ),
        ] {
            let error = db.append(&[legal(), span]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn attributes_at_the_limits_are_stored_with_their_long_keys_cut() {
        let long = "k".repeat(300);
        let db = Database::in_memory().unwrap();
        let many = Span {
            events: vec![event(1, "{}"); 100_000],
            span_id: "many".into(),
            ..with("{}".into())
        };
        let deep = Span {
            span_id: "deep".into(),
            ..with(format!(r#"{{"k":{}}}"#, objects()))
        };
        let keys = format!(
            r#"{{"{long}": 1e2,"a":1,"b":[{{"{long}":2, "c":3}},{{"$${long}":{{"$double":"NaN"}}}}],"a":18446744073709551616}}"#
        );
        let report = db.append(&[many, deep, with(keys)]).unwrap();
        assert_eq!(
            (report.spans, report.cut_keys, report.repeated_keys),
            (3, 3, 1)
        );
        let cut = crate::otlp::cut_key(&long).unwrap();
        let dollar = crate::otlp::cut_key(&format!("${long}")).unwrap();
        let trace = db.get_trace("t").unwrap();
        let stored = trace.spans.iter().find(|span| span.span_id == "s").unwrap();
        assert_eq!(
            stored.attributes,
            format!(
                r#"{{"{cut}":1e2,"a":18446744073709551616,"b":[{{"{cut}":2,"c":3}},{{"${dollar}":{{"$double":"NaN"}}}}]}}"#
            )
        );
        // What is stored is within the limits, as it is.
        let report = Database::in_memory().unwrap().append(&trace.spans).unwrap();
        assert_eq!(
            (report.spans, report.cut_keys, report.repeated_keys),
            (3, 0, 0)
        );
    }

    #[test]
    fn an_append_and_an_import_change_keys_alike() {
        let long = "é".repeat(200);
        let request = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",
            "name":"x","attributes":[{{"key":"{long}","value":{{"intValue":"1"}}}},{{"key":"a","value":{{"intValue":"2"}}}},
            {{"key":"a","value":{{"intValue":"3"}}}}]}}]}}]}}]}}"#
        );
        let imported = Database::in_memory().unwrap();
        let of_import = imported
            .import_otlp(request.as_bytes(), &ImportOptions::default())
            .unwrap();
        let span = Span {
            attributes: format!(r#"{{"{long}":1,"a":2,"a":3}}"#),
            ..Span::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "x")
        };
        let appended = Database::in_memory().unwrap();
        let of_append = appended.append(&[span]).unwrap();
        let keys = |report: &ImportReport| (report.cut_keys, report.repeated_keys);
        assert_eq!((keys(&of_import), keys(&of_append)), ((1, 1), (1, 1)));
        let attributes = |db: &Database| {
            db.get_trace("4bf92f3577b34da6a3ce929d0e0e4736")
                .unwrap()
                .spans[0]
                .attributes
                .clone()
        };
        assert_eq!(attributes(&appended), attributes(&imported));
    }

    #[test]
    fn the_size_of_a_span_is_what_it_is_in_an_import() {
        let settings = crate::Settings {
            span_bytes_max: 3_000,
            ..crate::Settings::default()
        };
        let db = crate::OpenOptions::new()
            .settings(settings)
            .open(":memory:")
            .unwrap();
        // A text that is among the attributes and a column of its own counts once.
        let span = |bytes: usize| Span {
            attributes: format!(r#"{{"input.value":"{}"}}"#, "a".repeat(bytes)),
            ..legal()
        };
        let error = db.append(&[span(3_000)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error
                .to_string()
                .contains("bytes of text, more than the 3000 that are set"),
            "{error}"
        );
        assert_eq!(db.append(&[span(2_900)]).unwrap().spans, 1);
    }

    fn legal() -> Span {
        Span::new("legal", "s", "x")
    }
}

//! A span made by a program: legal when it is built, its typed columns filled as an import of OTLP fills them.

use tracehouse_storage::model::{Event, Link, Span, normalize_trace_id};

use crate::append::check;
use crate::attribute_value::{AttributeValue, attributes_text};
use crate::error::{Error, Result};
use crate::semconv;

/// OTel's kinds of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SpanKind {
    /// Inside an application.
    #[default]
    Internal,
    /// Answers a request from elsewhere.
    Server,
    /// Asks something elsewhere.
    Client,
    /// Sends a message.
    Producer,
    /// Takes a message.
    Consumer,
    /// Nobody said.
    Unspecified,
}

impl SpanKind {
    /// All of them, in OTLP's order.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// The word in the column `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
            Self::Unspecified => "UNSPECIFIED",
        }
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SpanStatus {
    /// Nothing was said.
    #[default]
    Unset,
    /// Well.
    Ok,
    /// With an error.
    Error,
}

impl SpanStatus {
    /// All of them, in OTLP's order.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// The word in the column `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error => "ERROR",
        }
    }
}

/// Makes a [`Span`] for [`Database::append`](crate::Database::append).
///
/// ```
/// use tracehouse::{Database, SpanBuilder, SpanStatus};
///
/// let db = Database::in_memory()?;
/// let span = SpanBuilder::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "chat")
///     .times_ns(1_700_000_000_000_000_000, Some(1_700_000_001_000_000_000))
///     .status(SpanStatus::Ok)
///     .attribute("gen_ai.request.model", "gpt-4o")
///     .attribute("gen_ai.usage.input_tokens", 12)
///     .build()?;
/// assert_eq!((span.model.as_deref(), span.input_tokens), (Some("gpt-4o"), Some(12)));
/// db.append(&[span])?;
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpanBuilder {
    span: Span,
    attributes: Vec<(String, AttributeValue)>,
    resource: Vec<(String, AttributeValue)>,
}

impl SpanBuilder {
    /// A root span that begins at 0 and is open, in the experiment `"0"`.
    pub fn new(
        trace_id: impl AsRef<str>,
        span_id: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let span = Span::new(trace_id.as_ref(), span_id, name);
        Self {
            span,
            attributes: Vec::new(),
            resource: Vec::new(),
        }
    }

    /// Below another span of the trace.
    pub fn parent(mut self, span_id: impl Into<String>) -> Self {
        self.span.parent_span_id = Some(span_id.into());
        self
    }

    /// In another experiment than `"0"`.
    pub fn experiment(mut self, experiment_id: impl Into<String>) -> Self {
        self.span.experiment_id = experiment_id.into();
        self
    }

    /// Start and end in Unix nanoseconds; no end, or 0, = the span is open. As with OTLP, a span that ends before it
    /// starts is kept as it is, and its duration is 0.
    pub fn times_ns(mut self, start_time_ns: i64, end_time_ns: Option<i64>) -> Self {
        (self.span.start_time_ns, self.span.end_time_ns) = (start_time_ns, end_time_ns);
        self
    }

    /// Another kind than internal.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.span.kind = kind.as_str().to_string();
        self
    }

    /// How it ended.
    pub fn status(mut self, status: SpanStatus) -> Self {
        self.span.status = status.as_str().to_string();
        self
    }

    /// What the status says in words.
    pub fn status_message(mut self, message: impl Into<String>) -> Self {
        self.span.status_message = Some(message.into()).filter(|message| !message.is_empty());
        self
    }

    /// An attribute; one of the same name is replaced. Typed columns come of those that a convention knows: see
    /// [`conventions`](crate::conventions).
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// An attribute of the resource, `service.name` for instance.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.resource.push((key.into(), value.into()));
        self
    }

    /// The instrumentation that made it.
    pub fn scope(mut self, name: impl Into<String>) -> Self {
        self.span.scope_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// The version of that instrumentation.
    pub fn scope_version(mut self, version: impl Into<String>) -> Self {
        self.span.scope_version = Some(version.into()).filter(|version| !version.is_empty());
        self
    }

    /// A point inside the span.
    pub fn event<K: Into<String>, V: Into<AttributeValue>>(
        mut self,
        time_ns: i64,
        name: impl Into<String>,
        attributes: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let attributes = attributes
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()));
        let attributes = attributes_text(&attributes.collect::<Vec<_>>());
        self.span.events.push(Event {
            time_ns,
            name: name.into(),
            attributes,
        });
        self
    }

    /// A link to another span.
    pub fn link(mut self, trace_id: impl Into<String>, span_id: impl Into<String>) -> Self {
        let (trace_id, span_id) = (normalize_trace_id(&trace_id.into()), span_id.into());
        self.span.links.push(Link {
            trace_id,
            span_id,
            attributes: "{}".to_string(),
        });
        self
    }

    /// The span, with its typed columns.
    ///
    /// # Errors
    /// `InvalidInput` naming an id that is empty, too long or has control characters, an empty experiment, a span that
    /// is its own parent, or a negative time.
    pub fn build(self) -> Result<Span> {
        let Self {
            mut span,
            attributes,
            resource,
        } = self;
        span.end_time_ns = span.end_time_ns.filter(|end| *end != 0);
        span.attributes = attributes_text(&attributes);
        span.resource = attributes_text(&resource);
        check(&span)?;
        if let Some(parent) = span
            .parent_span_id
            .as_ref()
            .filter(|parent| **parent == span.span_id)
        {
            return Err(Error::invalid_input(format!(
                "span {parent} is its own parent"
            )));
        }
        semconv::complete(&mut span);
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, ErrorKind, ImportOptions};

    #[test]
    fn a_built_span_is_what_an_import_makes_of_it() {
        let (trace, id) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let built = SpanBuilder::new(format!("tr-{trace}"), id, "chat")
            .times_ns(7, Some(3))
            .kind(SpanKind::Client)
            .status(SpanStatus::Error)
            .status_message("refused")
            .attribute("gen_ai.request.model", "another")
            .attribute("gen_ai.operation.name", "chat")
            .attribute("gen_ai.request.model", "gpt-4o")
            .attribute("gen_ai.usage.input_tokens", 12)
            .attribute("input.value", "what is it?")
            .attribute("temperature", 1.0)
            .resource("service.name", "shop")
            .scope("mine")
            .event(4, "thought", [("deep", true)])
            .build()
            .unwrap();
        let request = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
            "scopeSpans":[{{"scope":{{"name":"mine"}},"spans":[{{"traceId":"{trace}","spanId":"{id}","name":"chat","kind":3,
            "startTimeUnixNano":"7","endTimeUnixNano":"3","status":{{"code":2,"message":"refused"}},"attributes":[
            {{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},
            {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
            {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"12"}}}},
            {{"key":"input.value","value":{{"stringValue":"what is it?"}}}},
            {{"key":"temperature","value":{{"doubleValue":1}}}}],
            "events":[{{"timeUnixNano":"4","name":"thought","attributes":[{{"key":"deep","value":{{"boolValue":true}}}}]}}]
            }}]}}]}}]}}"#
        );
        let (one, other) = (
            Database::in_memory().unwrap(),
            Database::in_memory().unwrap(),
        );
        one.append(std::slice::from_ref(&built)).unwrap();
        other
            .import_otlp(request.as_bytes(), &ImportOptions::default())
            .unwrap();
        let (one, other) = (
            one.get_trace(trace).unwrap(),
            other.get_trace(trace).unwrap(),
        );
        assert_eq!(one, other);
        assert_eq!(one.info.request_preview.as_deref(), Some("what is it?"));
        assert_eq!(
            (
                one.spans[0].experiment_id.as_str(),
                one.spans[0].duration_ns()
            ),
            ("0", Some(0))
        );
    }

    #[test]
    fn illegal_spans_are_refused() {
        let span = |trace: &str, id: &str| SpanBuilder::new(trace, id, "x").times_ns(1, None);
        for (span, word) in [
            (span("", "s"), "trace id"),
            (span("t", ""), "span id"),
            (span("t", "s").parent(""), "parent"),
            (span("t", "s").parent("s"), "parent"),
            (span("t", "s").experiment(""), "experiment"),
            (span("t", "s").times_ns(-1, None), "start"),
            (span("t", "s").times_ns(1, Some(-1)), "end"),
        ] {
            let error = span.build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(span("t", "s").build().is_ok());
    }
}

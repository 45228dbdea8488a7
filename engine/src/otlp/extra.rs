//! The `extra` column: OTLP members without a column of their own, as JSON object text with only
//! those that are not at their default.
//!
//! Members: `trace_state`, `flags`, `dropped_attributes_count`, `dropped_events_count`,
//! `dropped_links_count`, `kind` and `status_code` (values this version has no word for),
//! `scope_attributes`, `scope_dropped_attributes_count`, `scope_schema_url`,
//! `resource_dropped_attributes_count`, `resource_schema_url`; and `events`, `links`: arrays of
//! objects that name an `index` and what that event or link has besides.

use std::fmt::Write as _;

use super::raw::{RawEnum, RawEvent, RawLink, RawResource, RawScope, RawSpan};
use super::value::{object_text, write_string};

/// A JSON object text that grows member by member and leaves defaults out.
#[derive(Clone)]
struct Members {
    text: String,
}

impl Members {
    fn new() -> Self {
        Self {
            text: String::new(),
        }
    }

    fn key(&mut self, key: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        write_string(key, &mut self.text);
        self.text.push(':');
    }

    fn number(&mut self, key: &str, number: u64) {
        if number != 0 {
            self.key(key);
            let _ = write!(self.text, "{number}");
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            write_string(text, &mut self.text);
        }
    }

    fn json(&mut self, key: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.key(key);
            self.text.push_str(json);
        }
    }

    fn enumeration(&mut self, key: &str, value: &RawEnum<'_>) {
        match value {
            RawEnum::Number(number) => {
                self.key(key);
                let _ = write!(self.text, "{number}");
            }
            RawEnum::Name(name) => self.text(key, name),
        }
    }

    fn finish(mut self) -> Option<String> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push('}');
        Some(self.text)
    }
}

/// What all spans of one scope share.
pub(super) struct SharedExtra(Members);

impl SharedExtra {
    pub(super) fn new(resource: &RawResource<'_>, scope: &RawScope<'_>) -> Self {
        let mut members = Members::new();
        members.number(
            "resource_dropped_attributes_count",
            resource.dropped_attributes_count,
        );
        members.text("resource_schema_url", &resource.schema_url);
        let attributes = (!scope.attributes.is_empty()).then(|| object_text(&scope.attributes));
        members.json("scope_attributes", attributes.as_deref());
        members.number(
            "scope_dropped_attributes_count",
            scope.dropped_attributes_count,
        );
        members.text("scope_schema_url", &scope.schema_url);
        Self(members)
    }

    /// The text of one span. `kind_known` and `status_known` say whether a column has their word.
    pub(super) fn of_span(
        &self,
        span: &RawSpan<'_>,
        kind_known: bool,
        status_known: bool,
    ) -> Option<String> {
        let mut members = self.0.clone();
        members.text("trace_state", &span.trace_state);
        members.number("flags", span.flags);
        members.number("dropped_attributes_count", span.dropped_attributes_count);
        members.number("dropped_events_count", span.dropped_events_count);
        members.number("dropped_links_count", span.dropped_links_count);
        if !kind_known {
            members.enumeration("kind", &span.kind);
        }
        if !status_known {
            members.enumeration("status_code", &span.status_code);
        }
        members.json(
            "events",
            list(span.events.iter().map(event_members)).as_deref(),
        );
        members.json(
            "links",
            list(span.links.iter().map(link_members)).as_deref(),
        );
        members.finish()
    }
}

fn event_members(event: &RawEvent<'_>) -> Members {
    let mut members = Members::new();
    members.number("dropped_attributes_count", event.dropped_attributes_count);
    members
}

fn link_members(link: &RawLink<'_>) -> Members {
    let mut members = Members::new();
    members.text("trace_state", &link.trace_state);
    members.number("flags", link.flags);
    members.number("dropped_attributes_count", link.dropped_attributes_count);
    members
}

/// The elements that have members, each with its index.
fn list(elements: impl Iterator<Item = Members>) -> Option<String> {
    let mut text = String::new();
    for (index, element) in elements.enumerate() {
        let Some(members) = element.finish() else {
            continue;
        };
        text.push(if text.is_empty() { '[' } else { ',' });
        let rest = members.strip_prefix('{').unwrap_or_default();
        let _ = write!(text, "{{\"index\":{index},{rest}");
    }
    if text.is_empty() {
        return None;
    }
    text.push(']');
    Some(text)
}

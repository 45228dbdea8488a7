//! A record of an export, its members taken out one by one, so that what nobody asked for is known and kept; and the
//! span that is made of it.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use serde_json::{Map, Value as Json, json};

use super::otlp_value::any_value;
use crate::otlp::error::DecodeError;

/// Numbers below these are seconds, milliseconds, microseconds of a time between 1973 and 5138.
const SECONDS_BELOW: f64 = 1e11;
const MILLISECONDS_BELOW: f64 = 1e14;
const MICROSECONDS_BELOW: f64 = 1e17;

/// A record. Members are named in camel case, and found in snake case too.
#[derive(Debug, Default)]
pub(super) struct Record {
    members: Map<String, Json>,
}

impl Record {
    pub(super) fn new(members: Map<String, Json>) -> Self {
        Self { members }
    }

    /// Whether there is a member that is not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.name(name).is_some()
    }

    /// Whether there is a member, perhaps null.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.members.contains_key(name) || self.members.contains_key(&snake_case(name))
    }

    /// The name under which a member is there and not null.
    fn name(&self, name: &str) -> Option<String> {
        let is_there = |name: &str| self.members.get(name).is_some_and(|value| !value.is_null());
        if is_there(name) {
            return Some(name.to_string());
        }
        Some(snake_case(name)).filter(|name| is_there(name))
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let name = self.name(name)?;
        self.members.remove(&name)
    }

    /// Puts a member back.
    pub(super) fn put(&mut self, name: &str, value: Json) {
        self.members.insert(name.to_string(), value);
    }

    /// Takes the first of these members out that is there.
    pub(super) fn take_any(&mut self, names: &[&str]) -> Option<Json> {
        names.iter().find_map(|name| self.take(name))
    }

    /// Takes out a member that is a text or number; one that is something else stays. The empty text is none.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let name = self.name(name)?;
        let text = match self.members.get(&name)? {
            Json::String(text) => text.clone(),
            // A column of whole numbers with gaps has them as doubles in a table of pandas.
            Json::Number(number) => {
                let text = number.to_string();
                text.strip_suffix(".0").map_or(text.clone(), str::to_string)
            }
            _ => return None,
        };
        self.members.remove(&name);
        Some(text).filter(|text| !text.is_empty())
    }

    /// Takes out a member that is a text or number, and must be there.
    ///
    /// # Errors
    /// Names the member.
    pub(super) fn required(&mut self, name: &str) -> Result<String, DecodeError> {
        self.text(name)
            .ok_or_else(|| DecodeError::new(format!("{name} is missing")))
    }

    /// Takes out a member that is an object, or is one as JSON text; one that is something else stays.
    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Json>> {
        match self.structure(name, Json::is_object)? {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Takes out a member that is a list, or is one as JSON text; one that is something else stays.
    pub(super) fn list(&mut self, name: &str) -> Option<Vec<Json>> {
        match self.structure(name, Json::is_array)? {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    fn structure(&mut self, name: &str, is_wanted: fn(&Json) -> bool) -> Option<Json> {
        let name = self.name(name)?;
        let value = opened(self.members.remove(&name)?, is_wanted);
        if is_wanted(&value) {
            return Some(value);
        }
        self.members.insert(name, value);
        None
    }

    /// Takes out the members of which `is_wanted` says so.
    pub(super) fn take_where(
        &mut self,
        is_wanted: impl Fn(&str, &Json) -> bool,
    ) -> Vec<(String, Json)> {
        let wanted = self
            .members
            .iter()
            .filter(|(name, value)| is_wanted(name, value));
        let names: Vec<String> = wanted.map(|(name, _)| name.clone()).collect();
        names
            .into_iter()
            .filter_map(|name| self.members.remove_entry(&name))
            .collect()
    }

    /// Takes out a time, Unix nanoseconds.
    ///
    /// # Errors
    /// When the member is there and is no time.
    pub(super) fn time_ns(&mut self, name: &str) -> Result<Option<i64>, DecodeError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match time_ns(&value) {
            Some(time) => Ok(Some(time)),
            None => Err(DecodeError::new(format!(
                "{name} {value} is no time since 1970"
            ))),
        }
    }

    /// What was not taken out and is not null.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, Json)> {
        self.members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The structure that a value is as JSON text, where it is what is wanted; else the value.
pub(super) fn opened(value: Json, is_wanted: fn(&Json) -> bool) -> Json {
    let of_text = |text: &str| {
        let begins = text.trim_start().starts_with(['{', '[']);
        if begins {
            serde_json::from_str::<Json>(text).ok().filter(is_wanted)
        } else {
            None
        }
    };
    value.as_str().and_then(of_text).unwrap_or(value)
}

/// A time: a text of RFC 3339, or without an offset, which means UTC; or a number, whose size tells its unit.
pub(super) fn time_ns(value: &Json) -> Option<i64> {
    let time = match value {
        Json::String(text) => string_to_timestamp_nanos(text)
            .ok()
            .or_else(|| match text.parse() {
                Ok(whole) => whole_ns(whole),
                Err(_) => number_ns(text.parse().ok()?),
            }),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole_ns(whole),
            None => number_ns(number.as_f64()?),
        },
        _ => None,
    };
    time.filter(|time| *time >= 0)
}

/// Nanoseconds of the unit that a number of this size counts.
fn unit_ns(number: f64) -> i64 {
    match number {
        number if number < SECONDS_BELOW => 1_000_000_000,
        number if number < MILLISECONDS_BELOW => 1_000_000,
        number if number < MICROSECONDS_BELOW => 1_000,
        _ => 1,
    }
}

/// A double has not the digits of a time in nanoseconds.
fn whole_ns(number: i64) -> Option<i64> {
    number.checked_mul(unit_ns(number as f64))
}

fn number_ns(number: f64) -> Option<i64> {
    if !number.is_finite() || !(0.0..i64::MAX as f64).contains(&number) {
        return None;
    }
    let part = number.fract() * unit_ns(number) as f64;
    whole_ns(number.trunc() as i64)?.checked_add(part.round() as i64)
}

/// A value as the text that attributes have: a text as it is, anything else as JSON.
pub(super) fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A span made of a record.
#[derive(Debug, Default)]
pub(super) struct SpanRecord {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) start_ns: i64,
    pub(super) end_ns: Option<i64>,
    /// `OK`, `ERROR` or nothing.
    pub(super) status: String,
    pub(super) status_message: String,
    pub(super) attributes: Vec<(String, Json)>,
    pub(super) events: Vec<Json>,
    pub(super) links: Vec<Json>,
    pub(super) scope: &'static str,
    pub(super) resource: Vec<(String, Json)>,
}

impl SpanRecord {
    /// Adds an attribute, if there is a value.
    pub(super) fn add(&mut self, key: impl Into<String>, value: Option<Json>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.attributes.push((key.into(), value));
        }
    }

    /// Adds an attribute with a text: structure as JSON.
    pub(super) fn add_text(&mut self, key: impl Into<String>, value: Option<Json>) {
        self.add(
            key,
            value
                .filter(|value| !value.is_null())
                .map(|value| Json::String(text_of(&value))),
        );
    }

    /// Adds what was not asked for of a record, as attributes whose keys begin with `prefix`.
    pub(super) fn add_rest(&mut self, prefix: &str, record: Record) {
        self.attributes.extend(
            record
                .rest()
                .map(|(key, value)| (format!("{prefix}{key}"), value)),
        );
    }

    /// The span as one `ResourceSpans`.
    pub(super) fn into_resource_spans(self) -> String {
        let pairs = |pairs: &[(String, Json)]| -> Vec<Json> {
            pairs
                .iter()
                .map(|(key, value)| json!({ "key": key, "value": any_value(value) }))
                .collect()
        };
        let span = json!({
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "parentSpanId": self.parent_id.as_deref().unwrap_or_default(),
            "name": self.name,
            "kind": if self.kind.is_empty() { "SPAN_KIND_INTERNAL".to_string() } else { self.kind },
            "startTimeUnixNano": self.start_ns.to_string(),
            "endTimeUnixNano": self.end_ns.unwrap_or_default().to_string(),
            "status": { "code": format!("STATUS_CODE_{}", self.status), "message": self.status_message },
            "attributes": pairs(&self.attributes),
            "events": self.events,
            "links": self.links,
        });
        json!({
            "resource": { "attributes": pairs(&self.resource) },
            "scopeSpans": [{ "scope": { "name": self.scope }, "spans": [span] }],
        })
        .to_string()
    }
}

/// An event of a span.
pub(super) fn event(name: &str, time_ns: i64, attributes: Option<&Json>) -> Json {
    json!({
        "name": name,
        "timeUnixNano": time_ns.to_string(),
        "attributes": super::otlp_value::attributes(attributes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_texts_or_numbers_of_any_unit() {
        let wanted = 1_767_225_600_500_000_000;
        for time in [
            json!("2026-01-01T00:00:00.500Z"),
            json!("2026-01-01T01:00:00.5+01:00"),
            json!("2026-01-01 00:00:00.500"),
            json!(1_767_225_600.5),
            json!(1_767_225_600_500_i64),
            json!(1_767_225_600_500_000_i64),
            json!(1_767_225_600_500_000_000_i64),
            json!("1767225600500"),
        ] {
            assert_eq!(time_ns(&time), Some(wanted), "{time}");
        }
        // A double would be 64 nanoseconds off.
        for exact in [
            json!(1_735_689_600_123_i64),
            json!("1735689600123"),
            json!(1_735_689_600_123.0),
        ] {
            assert_eq!(time_ns(&exact), Some(1_735_689_600_123_000_000), "{exact}");
        }
        for wrong in [
            json!("soon"),
            json!(-1),
            json!([]),
            json!("NaN"),
            json!(1e300),
        ] {
            assert_eq!(time_ns(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn structure_may_be_a_text() {
        let record = json!({"o": "{\"a\": [1]}", "l": "[1, 2]", "n": "[1", "t": "{text}", "e": ""});
        let mut record = Record::new(record.as_object().unwrap().clone());
        assert_eq!(record.list("o"), None);
        assert_eq!(
            record.object("o").map(Json::Object),
            Some(json!({"a": [1]}))
        );
        assert_eq!(record.list("l").map(Json::Array), Some(json!([1, 2])));
        assert_eq!(
            (record.list("n"), record.object("t"), record.object("e")),
            (None, None, None)
        );
        assert_eq!(record.text("t").as_deref(), Some("{text}"));
    }

    #[test]
    fn what_was_not_asked_for_is_left() {
        let record = json!({"trace_id": "t", "n": 1, "more": [1], "gone": null});
        let mut record = Record::new(record.as_object().unwrap().clone());
        assert_eq!(record.text("traceId").as_deref(), Some("t"));
        assert_eq!(
            (
                record.text("n").as_deref(),
                record.text("more"),
                record.has("gone")
            ),
            (Some("1"), None, false)
        );
        assert_eq!(
            record.rest().collect::<Vec<_>>(),
            [("more".to_string(), json!([1]))]
        );
    }
}

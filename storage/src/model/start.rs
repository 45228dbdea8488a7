//! What the producer of a trace says of it as a whole, apart from its spans: MLflow's `start_trace`.
//!
//! It may come before, between or after the spans, and there may be no span at all. It is kept in the
//! trace's [`super::TraceEdit`] and laid over the fold of the spans whenever a row is made, so that
//! the row depends on what was said, never on the order of arrival:
//!
//! 1. A trace begins with the earliest of the stated request time and the first span.
//! 2. A **finalised** start settles duration and state: it ends when the start says. One that is not
//!    finalised is widened by spans, and a root span (no top span, none without an end) settles its state. `IN_PROGRESS` and
//!    `STATE_UNSPECIFIED` never settle the state, an absent duration never settles the end.
//! 3. Name, previews, client id, session, user, tags, metadata and usage: what the start says goes
//!    before what spans say, key by key.
//! 4. Of two starts the later overwrites times, state and client id, and adds the rest key by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SESSION_METADATA, TRACE_NAME_TAG, TraceRow, USER_METADATA};

/// The metadata key that holds token counts as JSON text, as in MLflow.
pub const TOKEN_USAGE_METADATA: &str = "mlflow.trace.tokenUsage";
/// The metadata key that holds costs as JSON text, as in MLflow.
pub const COST_METADATA: &str = "mlflow.trace.cost";
/// The metadata key that says that a trace was finalised, as in MLflow.
pub const FINALIZED_METADATA: &str = "mlflow.trace.infoFinalized";

/// Token counts and costs stated for a whole trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartUsage {
    /// Input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// Output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    /// Total tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,
    /// Input tokens read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read_input_tokens: Option<i64>,
    /// Input tokens written to a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_creation_input_tokens: Option<i64>,
    /// How many of the tokens written to a cache are kept for longer than an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_creation_input_tokens_above_1hr: Option<i64>,
    /// Cost of the input in USD.
    #[serde(with = "exact", skip_serializing_if = "Option::is_none")]
    pub input_cost: Option<f64>,
    /// Cost of the output in USD.
    #[serde(with = "exact", skip_serializing_if = "Option::is_none")]
    pub output_cost: Option<f64>,
    /// Total cost in USD.
    #[serde(with = "exact", skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
}

/// Numbers as text: the JSON reader's own numbers may be off in the last digit, and a row must be the
/// same however often it was written.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &Option<f64>, out: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => out.collect_str(number),
            None => out.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

impl StartUsage {
    /// Lays `later` over this: what it states wins.
    fn merge(&mut self, later: StartUsage) {
        *self = StartUsage {
            input_tokens: later.input_tokens.or(self.input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
            total_tokens: later.total_tokens.or(self.total_tokens),
            cache_read_input_tokens: later
                .cache_read_input_tokens
                .or(self.cache_read_input_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            cache_creation_input_tokens_above_1hr: later
                .cache_creation_input_tokens_above_1hr
                .or(self.cache_creation_input_tokens_above_1hr),
            input_cost: later.input_cost.or(self.input_cost),
            output_cost: later.output_cost.or(self.output_cost),
            total_cost: later.total_cost.or(self.total_cost),
        };
    }

    /// The cost of the whole: as stated, else the sum of its parts.
    pub fn cost_usd(&self) -> Option<f64> {
        let parts = self.input_cost.is_some() || self.output_cost.is_some();
        let sum = || self.input_cost.unwrap_or(0.0) + self.output_cost.unwrap_or(0.0);
        self.total_cost.or_else(|| parts.then(sum))
    }

    /// MLflow's canonical JSON text of the token counts; `None` when none is stated.
    pub fn token_text(&self) -> Option<String> {
        let counts = [
            ("input_tokens", self.input_tokens),
            ("output_tokens", self.output_tokens),
            ("total_tokens", self.total_tokens),
            ("cache_read_input_tokens", self.cache_read_input_tokens),
            (
                "cache_creation_input_tokens",
                self.cache_creation_input_tokens,
            ),
            (
                "cache_creation_input_tokens_above_1hr",
                self.cache_creation_input_tokens_above_1hr,
            ),
        ];
        object_text(
            counts
                .into_iter()
                .filter_map(|(key, count)| Some((key, count?.to_string()))),
        )
    }

    /// MLflow's canonical JSON text of the costs; `None` when none is stated.
    pub fn cost_text(&self) -> Option<String> {
        let costs = [
            ("input_cost", self.input_cost),
            ("output_cost", self.output_cost),
            ("total_cost", self.total_cost),
        ];
        object_text(
            costs
                .into_iter()
                .filter_map(|(key, cost)| Some((key, float_text(cost?)))),
        )
    }
}

fn object_text<'a>(members: impl Iterator<Item = (&'a str, String)>) -> Option<String> {
    let members: Vec<String> = members
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(", ")))
}

/// A number as Python writes it, which is how MLflow's users compare it.
fn float_text(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, digits_of) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{digits_of:0>2}")
        }
    }
}

/// What a `start_trace` said. Texts that are absent are `None`, never empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartEdit {
    /// The scope the trace belongs to.
    pub experiment_id: String,
    /// Unix nanoseconds.
    pub request_time_ns: i64,
    /// Nanoseconds from `request_time_ns` to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<i64>,
    /// `OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`.
    pub state: String,
    /// Whether duration and state are settled, whatever spans say.
    pub finalised: bool,
    /// The trace's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The client's own id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// Start of what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_preview: Option<String>,
    /// Start of what was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_preview: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Tags at the start, below those set by a user.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Metadata besides session, user, token usage and cost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Tokens and costs.
    pub usage: StartUsage,
}

impl StartEdit {
    /// Lays a later start over this one.
    pub(super) fn merge(&mut self, later: StartEdit) {
        let mut earlier = std::mem::take(self);
        earlier.tags.extend(later.tags);
        earlier.metadata.extend(later.metadata);
        earlier.usage.merge(later.usage);
        *self = StartEdit {
            name: later.name.or(earlier.name),
            request_preview: later.request_preview.or(earlier.request_preview),
            response_preview: later.response_preview.or(earlier.response_preview),
            session_id: later.session_id.or(earlier.session_id),
            user_id: later.user_id.or(earlier.user_id),
            tags: earlier.tags,
            metadata: earlier.metadata,
            usage: earlier.usage,
            ..later
        };
    }

    /// Lays the start over a row fresh from the fold.
    pub(super) fn apply(&self, row: &mut TraceRow, has_root: bool) {
        self.apply_times_and_state(row, has_root);
        row.experiment_id.clone_from(&self.experiment_id);
        row.client_request_id.clone_from(&self.client_request_id);
        for (stated, column) in [
            (&self.request_preview, &mut row.request_preview),
            (&self.response_preview, &mut row.response_preview),
            (&self.session_id, &mut row.session_id),
            (&self.user_id, &mut row.user_id),
        ] {
            if stated.is_some() {
                column.clone_from(stated);
            }
        }
        row.tags.extend(self.tags.clone());
        if let Some(name) = &self.name {
            row.name = Some(name.clone());
            row.tags.insert(TRACE_NAME_TAG.to_string(), name.clone());
        }
        self.apply_usage(row);
        row.metadata.extend(self.metadata.clone());
        let stated = [
            (SESSION_METADATA, self.session_id.clone()),
            (USER_METADATA, self.user_id.clone()),
            (TOKEN_USAGE_METADATA, self.usage.token_text()),
            (COST_METADATA, self.usage.cost_text()),
            (
                FINALIZED_METADATA,
                self.finalised.then(|| "true".to_string()),
            ),
        ];
        for (key, value) in stated {
            if let Some(value) = value {
                row.metadata.insert(key.to_string(), value);
            }
        }
    }

    fn apply_times_and_state(&self, row: &mut TraceRow, has_root: bool) {
        let stated_end = self
            .duration_ns
            .map(|duration| self.request_time_ns.saturating_add(duration));
        row.request_time_ns = match row.span_count {
            0 => self.request_time_ns,
            _ => row.request_time_ns.min(self.request_time_ns),
        };
        row.end_time_ns = match stated_end {
            Some(end) if self.finalised => Some(end),
            stated => stated.max(row.end_time_ns),
        };
        row.duration_ns = row
            .end_time_ns
            .map(|end| end.saturating_sub(row.request_time_ns).max(0));
        let settled = self.finalised && matches!(self.state.as_str(), "OK" | "ERROR");
        if settled || !has_root {
            row.state.clone_from(&self.state);
        }
    }

    fn apply_usage(&self, row: &mut TraceRow) {
        let (stated, usage) = (&self.usage, &mut row.usage);
        usage.input_tokens = stated.input_tokens.or(usage.input_tokens);
        usage.output_tokens = stated.output_tokens.or(usage.output_tokens);
        usage.total_tokens = stated.total_tokens.or(usage.total_tokens);
        usage.cache_read_input_tokens = stated
            .cache_read_input_tokens
            .or(usage.cache_read_input_tokens);
        usage.cache_creation_input_tokens = stated
            .cache_creation_input_tokens
            .or(usage.cache_creation_input_tokens);
        usage.cost_usd = stated.cost_usd().or(usage.cost_usd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(span_count: i64, has_root: bool) -> TraceRow {
        TraceRow {
            span_count,
            root_span_id: (span_count > 0).then(|| "r".into()),
            state: if has_root { "ERROR" } else { "IN_PROGRESS" }.into(),
            request_time_ns: if span_count > 0 { 100 } else { 0 },
            end_time_ns: (span_count > 0).then_some(200),
            ..TraceRow::default()
        }
    }

    fn applied(start: &StartEdit, span_count: i64, has_root: bool) -> (i64, Option<i64>, String) {
        let mut row = row(span_count, has_root);
        start.apply(&mut row, has_root);
        (row.request_time_ns, row.duration_ns, row.state)
    }

    #[test]
    fn a_finalised_start_settles_duration_and_state() {
        let start = StartEdit {
            request_time_ns: 110,
            duration_ns: Some(40),
            state: "OK".into(),
            finalised: true,
            ..StartEdit::default()
        };
        assert_eq!(applied(&start, 2, true), (100, Some(50), "OK".into()));
        assert_eq!(applied(&start, 0, false), (110, Some(40), "OK".into()));
        let open = StartEdit {
            finalised: false,
            ..start.clone()
        };
        assert_eq!(applied(&open, 2, true), (100, Some(100), "ERROR".into()));
        assert_eq!(applied(&open, 1, false), (100, Some(100), "OK".into()));
        let unsettled = StartEdit {
            state: "IN_PROGRESS".into(),
            duration_ns: None,
            ..start
        };
        assert_eq!(
            applied(&unsettled, 2, true),
            (100, Some(100), "ERROR".into())
        );
        assert_eq!(
            applied(&unsettled, 0, false),
            (110, None, "IN_PROGRESS".into())
        );
    }

    #[test]
    fn a_later_start_overwrites_times_and_adds_keys() {
        let tags = |key: &str| BTreeMap::from([(key.to_string(), "v".to_string())]);
        let mut first = StartEdit {
            client_request_id: Some("c".into()),
            duration_ns: Some(5),
            name: Some("n".into()),
            tags: tags("a"),
            usage: StartUsage {
                input_tokens: Some(1),
                ..StartUsage::default()
            },
            ..StartEdit::default()
        };
        let usage = StartUsage {
            output_tokens: Some(2),
            total_cost: Some(1e-5),
            ..StartUsage::default()
        };
        first.merge(StartEdit {
            request_time_ns: 7,
            tags: tags("b"),
            usage,
            ..StartEdit::default()
        });
        assert_eq!(
            (
                first.request_time_ns,
                first.duration_ns,
                first.client_request_id
            ),
            (7, None, None)
        );
        assert_eq!((first.name.as_deref(), first.tags.len()), (Some("n"), 2));
        assert_eq!(
            first.usage.token_text().unwrap(),
            r#"{"input_tokens": 1, "output_tokens": 2}"#
        );
        assert_eq!(first.usage.cost_text().unwrap(), r#"{"total_cost": 1e-05}"#);
    }

    #[test]
    fn numbers_survive_exactly() {
        for bits in (0..2_000u64).map(|n| 0x3f00_0000_0000_0000 + n * 0x0000_13d7_9f3b_a1c5) {
            let usage = StartUsage {
                total_cost: Some(f64::from_bits(bits)),
                ..StartUsage::default()
            };
            let read: StartUsage =
                serde_json::from_str(&serde_json::to_string(&usage).unwrap()).unwrap();
            assert_eq!(read, usage);
        }
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        for (number, text) in [
            (0.5, "0.5"),
            (3.0, "3.0"),
            (1e-5, "1e-05"),
            (1e16, "1e+16"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }
}

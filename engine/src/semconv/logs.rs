//! What the log records of a span say of it, where the span itself says nothing.
//!
//! Records are read in the order in which they were told: by time, then by the number that a producer gives its
//! records, then as they came.

use std::borrow::Cow;

use tracehouse_storage::model::{Event, Span};

use super::keys::{Found, word};
use super::producers::Concern;
use super::producers::log_events::{CLAUDE_CODE_PREFIX, CLAUDE_CODE_SCOPE, EVENTS, LogEvent, Says};
use super::{io, model, scope, span_type, usage};
use crate::otlp::value::{KeyValue, Value, write_value};
use crate::otlp::{BODY, read_object};

/// The attribute that names the event of a record which has no name of its own.
const EVENT_NAME: &str = "event.name";

/// Numbers that producers give their records: Semantic Kernel's, Claude Code's.
const ORDINALS: &[&str] = &["CHAT_MESSAGE_INDEX", "event.sequence"];

/// Attributes of a message's record that are no part of the message.
const NO_MEMBERS: &[&str] = &[
    EVENT_NAME,
    BODY,
    "gen_ai.system",
    "gen_ai.provider.name",
    "severity_number",
    "severity_text",
    "CHAT_MESSAGE_INDEX",
];

/// The name of a record's event: the attribute, which some fill with the name and the field with a place in their
/// source, else the field.
pub(crate) fn event_name(scope: Option<&str>, field: &str, attributes: &[KeyValue<'_>]) -> String {
    let attribute = attributes
        .iter()
        .find(|pair| pair.key == EVENT_NAME)
        .and_then(|pair| word(&pair.value));
    let name = attribute.unwrap_or(Cow::Borrowed(field));
    match scope {
        Some(CLAUDE_CODE_SCOPE) if !name.starts_with(CLAUDE_CODE_PREFIX) => {
            format!("{CLAUDE_CODE_PREFIX}{name}")
        }
        _ if name.is_empty() => "(no event name)".to_string(),
        _ => name.into_owned(),
    }
}

/// Whether an event is kept.
pub(crate) fn is_known(name: &str, attributes: &[KeyValue<'_>]) -> bool {
    says(name, attributes).is_some()
}

/// What an event says: told by its name, or by its body, as the AWS distribution of OpenTelemetry sends it under the
/// name of the scope.
fn says(name: &str, attributes: &[KeyValue<'_>]) -> Option<Says> {
    let event = EVENTS
        .iter()
        .find(|event| event.name == name)
        .map(|event: &LogEvent| event.says);
    let has_messages = || {
        ["input", "output"]
            .iter()
            .any(|side| conversation(attributes, side).is_some())
    };
    event.or_else(|| has_messages().then_some(Says::Conversation))
}

/// The list of messages that a side of a body has.
fn conversation<'v>(attributes: &'v [KeyValue<'_>], side: &str) -> Option<&'v Value<'v>> {
    let body = attributes
        .iter()
        .find(|pair| pair.key == BODY)
        .map(|pair| &pair.value);
    let messages = member(member(body?, side)?, "messages")?;
    matches!(messages, Value::Array(_)).then_some(messages)
}

fn member<'v>(value: &'v Value<'_>, name: &str) -> Option<&'v Value<'v>> {
    match value {
        Value::KeyValues(members) => members
            .iter()
            .find(|pair| pair.key == name)
            .map(|pair| &pair.value),
        _ => None,
    }
}

/// A record of a known event.
pub(super) struct Record<'v> {
    time_ns: i64,
    says: Says,
    attributes: Vec<KeyValue<'v>>,
}

impl<'v> Record<'v> {
    /// Reads an event of a span as it is stored.
    pub(super) fn new(event: &'v Event) -> Option<Self> {
        let attributes = read_object(&event.attributes);
        let says = says(&event.name, &attributes)?;
        Some(Self {
            time_ns: event.time_ns,
            says,
            attributes,
        })
    }

    /// Reads an event of a span that has a body: a log record that was stored, exported and sent again as an event; or
    /// one with the attributes of a span. Events of a span are told in their order.
    pub(super) fn of_event(
        position: usize,
        (name, attributes): &super::EventView<'v>,
    ) -> Option<Self> {
        let says = says(name, attributes)?;
        let has_body = attributes.iter().any(|pair| pair.key == BODY);
        if !has_body && !matches!(says, Says::Attributes) {
            return None;
        }
        let time_ns = i64::try_from(position).unwrap_or(i64::MAX);
        Some(Self {
            time_ns,
            says,
            attributes: attributes.to_vec(),
        })
    }

    fn get(&self, key: &str) -> Option<&Value<'v>> {
        self.attributes
            .iter()
            .find(|pair| pair.key == key)
            .map(|pair| &pair.value)
    }

    fn order(&self) -> (i64, i64) {
        let number = ORDINALS
            .iter()
            .find_map(|key| word(self.get(key)?)?.parse().ok());
        let index = || match self.says {
            Says::Choice => {
                let index = self
                    .get(BODY)
                    .and_then(|body| member(body, "index"))
                    .or_else(|| self.get("index"));
                word(index?)?.parse().ok()
            }
            _ => None,
        };
        (self.time_ns, number.or_else(index).unwrap_or_default())
    }

    /// The attributes that some have in the body, a map or its JSON text.
    fn of_body(&self) -> Vec<KeyValue<'_>> {
        match self.get(BODY) {
            Some(Value::KeyValues(members)) => members.clone(),
            Some(Value::String(text)) => read_object(text),
            _ => Vec::new(),
        }
    }

    /// The messages of a side of the body.
    fn conversation(&self, side: &str) -> Option<String> {
        let mut out = String::new();
        write_value(conversation(&self.attributes, side)?, &mut out);
        Some(out)
    }

    /// The message as a JSON object: its role, then what its body, or a body that is JSON text, else its attributes
    /// have.
    fn message(&self, role: &str) -> String {
        let content = io::content_members(&self.attributes);
        if !content.is_empty() {
            let mut out = String::new();
            io::write_message(role, &content.iter().collect::<Vec<_>>(), &mut out);
            return out;
        }
        let text = self.get(BODY).and_then(Value::as_str).unwrap_or_default();
        let of_text = read_object(text);
        let members: Vec<&KeyValue<'_>> = match self.get(BODY) {
            Some(Value::KeyValues(members)) => members.iter().collect(),
            Some(Value::String(_)) if !of_text.is_empty() => of_text.iter().collect(),
            _ => self
                .attributes
                .iter()
                .filter(|pair| !NO_MEMBERS.contains(&pair.key.as_ref()))
                .collect(),
        };
        let mut out = String::new();
        io::write_message(role, &members, &mut out);
        out
    }
}

/// The records and the events of a span that are such, each once; and the other events where that are not all.
pub(super) fn with_told<'v>(
    mut records: Vec<Record<'v>>,
    events: &[super::EventView<'v>],
) -> (Vec<Record<'v>>, Option<Vec<super::EventView<'v>>>) {
    let mut others = Vec::new();
    let mut told = Vec::new();
    for (position, event) in events.iter().enumerate() {
        match Record::of_event(position, event) {
            Some(record) => told.push(record),
            None => others.push(*event),
        }
    }
    if told.is_empty() {
        return (records, None);
    }
    told.retain(|event| {
        !records
            .iter()
            .any(|record| record.attributes == event.attributes)
    });
    records.append(&mut told);
    (records, Some(others))
}

/// Puts the records of a stored span, which are by time, in the order in which they were told.
pub(super) fn put_in_order(records: &mut [Event]) {
    // Nothing is read for times that tell it all.
    if records.is_sorted_by(|a, b| a.time_ns < b.time_ns) {
        return;
    }
    records.sort_by_cached_key(|event| match Record::new(event) {
        Some(record) => record.order(),
        None => (event.time_ns, 0),
    });
}

/// Fills the columns of a span that it does not fill itself.
pub(super) fn fill(span: &mut Span, mut records: Vec<Record<'_>>) {
    records.sort_by_key(Record::order);
    let said = said(&records);
    fill_absent(span, said);
}

/// A span that has what the records say.
fn said(records: &[Record<'_>]) -> Span {
    let is_like_span = |record: &&Record<'_>| matches!(record.says, Says::Attributes);
    let attributes: Vec<KeyValue<'_>> = records
        .iter()
        .filter(is_like_span)
        .flat_map(|record| {
            record
                .of_body()
                .into_iter()
                .chain(record.attributes.clone())
        })
        .collect();
    let found = Found::new(&attributes);
    let mut said = Span {
        span_type: span_type::of(&found, None, ""),
        ..Span::default()
    };
    usage::fill(&mut said, &found);
    said.session_id = scope::session_id(&found);
    said.user_id = scope::user_id(&found);
    // Of several records the first has what was asked and the last what was answered; what stands later is found first.
    let from_last: Vec<KeyValue<'_>> = attributes.iter().rev().cloned().collect();
    let inputs = io::inputs(&Found::new(&from_last), &from_last, &[]);
    said.inputs = inputs.map(|inputs| with_instructions(&attributes, inputs));
    said.outputs = io::outputs(&found, &attributes, &[], &said.span_type);
    model::fill(&mut said, &found);
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for record in records {
        match record.says {
            Says::Message(role) => inputs.push(record.message(role)),
            Says::Choice => outputs.push(record.message("assistant")),
            Says::Conversation => {
                said.inputs = said.inputs.or_else(|| record.conversation("input"));
                said.outputs = record.conversation("output").or(said.outputs);
            }
            Says::Keys(keys) => add_keys(&mut said, record, keys),
            Says::Attributes | Says::Nothing => {}
        }
    }
    if !outputs.is_empty() && said.span_type == span_type::UNKNOWN {
        said.span_type = "LLM".to_string();
    }
    let list =
        |messages: Vec<String>| (!messages.is_empty()).then(|| format!("[{}]", messages.join(",")));
    said.inputs = said.inputs.or_else(|| list(inputs));
    said.outputs = said.outputs.or_else(|| list(outputs));
    said
}

/// Inputs that are a list of messages with the instructions to the model before them.
fn with_instructions(attributes: &[KeyValue<'_>], inputs: String) -> String {
    let is_instructions = |pair: &&KeyValue<'_>| pair.key == "gen_ai.system_instructions";
    let Some(pair) = attributes.iter().rev().find(is_instructions) else {
        return inputs;
    };
    let Some(messages) = inputs.trim().strip_prefix('[') else {
        return inputs;
    };
    let mut parts = String::new();
    match &pair.value {
        Value::String(text) if text.trim_start().starts_with(['[', '"']) => parts.push_str(text),
        value => write_value(value, &mut parts),
    }
    let comma = if messages.trim_start().starts_with(']') {
        ""
    } else {
        ","
    };
    format!("[{{\"role\":\"system\",\"parts\":{parts}}}{comma}{messages}")
}

fn add_keys(said: &mut Span, record: &Record<'_>, keys: &[(Concern, &str)]) {
    let counted = (said.input_tokens, said.output_tokens);
    for (concern, key) in keys {
        let Some(value) = record.get(key) else {
            continue;
        };
        let text = || value.to_text().filter(|text| !io::says_nothing(text));
        let count = |column: &mut Option<i64>| {
            if let Some(count) = usage::count(value) {
                *column = Some(column.unwrap_or_default().saturating_add(count));
            }
        };
        match concern {
            Concern::Inputs if said.inputs.is_none() => said.inputs = text(),
            Concern::Outputs => said.outputs = text().or(said.outputs.take()),
            Concern::RequestModel => {
                said.model = word(value).map(Cow::into_owned).or(said.model.take())
            }
            Concern::ToolName => said.tool_name = word(value).map(Cow::into_owned),
            Concern::InputTokens => count(&mut said.input_tokens),
            Concern::OutputTokens => count(&mut said.output_tokens),
            Concern::CacheReadTokens => count(&mut said.cache_read_input_tokens),
            Concern::CacheCreationTokens => count(&mut said.cache_creation_input_tokens),
            Concern::Cost => {
                let cost = usage::number(value).filter(usage::is_cost);
                said.cost_usd = cost
                    .map(|cost| said.cost_usd.unwrap_or_default() + cost)
                    .or(said.cost_usd);
            }
            _ => {}
        }
    }
    if (said.input_tokens, said.output_tokens) != counted {
        // The total so far is that of the records before.
        said.total_tokens = None;
    }
    usage::add_total(said);
}

/// Fills the columns of a span that are open with what is said elsewhere. Counts of tokens belong together.
pub(super) fn fill_absent(span: &mut Span, said: Span) {
    let has_tokens =
        span.input_tokens.is_some() || span.output_tokens.is_some() || span.total_tokens.is_some();
    if !has_tokens {
        (span.input_tokens, span.output_tokens) = (said.input_tokens, said.output_tokens);
        span.total_tokens = said.total_tokens;
    }
    span.cache_read_input_tokens = span
        .cache_read_input_tokens
        .or(said.cache_read_input_tokens);
    span.cache_creation_input_tokens = span
        .cache_creation_input_tokens
        .or(said.cache_creation_input_tokens);
    span.cost_usd = span.cost_usd.or(said.cost_usd);
    if span.span_type == span_type::UNKNOWN {
        span.span_type = said.span_type;
    }
    let keep = |column: &mut Option<String>, said: Option<String>| *column = column.take().or(said);
    keep(&mut span.session_id, said.session_id);
    keep(&mut span.user_id, said.user_id);
    keep(&mut span.operation, said.operation);
    keep(&mut span.model, said.model);
    keep(&mut span.provider, said.provider);
    keep(&mut span.tool_name, said.tool_name);
    for (column, said) in [
        (&mut span.inputs, said.inputs),
        (&mut span.outputs, said.outputs),
    ] {
        let is_silent = column
            .as_deref()
            .is_none_or(|text| io::says_nothing(text) || io::is_hollow(text));
        *column = if is_silent {
            said.or(column.take())
        } else {
            column.take()
        };
    }
}

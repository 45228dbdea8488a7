//! `start_trace`: what a producer says of a trace as a whole, apart from its spans.
//!
//! It may be called before, between or after the spans arrive, and for traces that never get a span;
//! the row in `traces` is the same in any order (`tracehouse_storage::model`, file `start.rs`, has the
//! rules). Metadata keys that stand for columns (session, user, token usage, cost) fill them.
//!
//! **Differences from MLflow.** There the result depends on which of `start_trace` and `log_spans`
//! came last; here it does not:
//!
//! | what | MLflow | here |
//! |---|---|---|
//! | a span begins before the stated request time | widens it when the span comes later, else not | widens it |
//! | spans of a finalised trace end later than stated | widen the duration unless the batch has tokens, cost or a session | never change it |
//! | a start without duration, or `IN_PROGRESS` | erases what spans said when it comes later | spans say it |
//! | tokens stated in part | the others are summed or not, by order | the others are summed over spans |
//! | a tag both set by a user and given at the start | the later one | the user's, also a deletion |
//! | a tag of the root span and of the start | the later one | the start's |
//! | spans of another experiment | an error | kept; the trace is in the start's experiment |
//! | a start for another experiment than known | an error | an error |
//! | tag `mlflow.artifactLocation` | added | not added: there is no artifact store |

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::text;
use tracehouse_storage::model::{
    COST_METADATA, FINALIZED_METADATA, SESSION_METADATA, StartEdit, StartUsage,
    TOKEN_USAGE_METADATA, TRACE_NAME_TAG, TraceEdit, TraceKey, TraceRow, USER_METADATA, check_id,
    cut_preview, normalize_trace_id,
};
use tracehouse_storage::schema::Table;

use crate::database::{Database, find};
use crate::error::{Error, Result};
use crate::redact::Pass;
use crate::tags::{check_pair, check_tag};
use crate::trace_cache::trace_rows;

/// The members of a JSON object, as they are written.
type Members = BTreeMap<String, Box<RawValue>>;

/// Longest trace name, as in MLflow.
const NAME_CHARS_MAX: usize = 4_096;
/// Longest session, user or client id, as MLflow's session id.
const SCOPE_CHARS_MAX: usize = 250;

/// The start, or the final word, of a trace.
///
/// ```
/// use tracehouse::{Database, TraceStart};
/// let db = Database::in_memory()?;
/// let start = TraceStart::new("tr-4bf92f3577b34da6a3ce929d0e0e4736", 1_700_000_000_000_000_000)
///     .state("OK")
///     .duration_ns(25_000_000)
///     .name("answer")
///     .session_id("s-1")
///     .tag("env", "prod");
/// db.start_trace(&start)?;
/// assert_eq!(db.get_trace_info("4bf92f3577b34da6a3ce929d0e0e4736")?.session_id.as_deref(), Some("s-1"));
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TraceStart {
    /// The trace; `tr-` + 32 hex means the 32 hex.
    pub trace_id: String,
    /// The scope it belongs to; `"0"` unless told otherwise.
    pub experiment_id: String,
    /// When it began, Unix nanoseconds.
    pub request_time_ns: i64,
    /// How long it took, nanoseconds.
    pub duration_ns: Option<i64>,
    /// `OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`.
    pub state: String,
    /// Whether duration and state are settled: spans do not change them then. True unless told
    /// otherwise.
    pub finalised: bool,
    /// The trace's name; also the tag `mlflow.traceName`.
    pub name: Option<String>,
    /// The client's own id of the request.
    pub client_request_id: Option<String>,
    /// What was asked; cut to 997 characters and `...` when it has more than 1,000.
    pub request_preview: Option<String>,
    /// What was answered; cut likewise.
    pub response_preview: Option<String>,
    /// The session; also the metadata `mlflow.trace.session`.
    pub session_id: Option<String>,
    /// The user; also the metadata `mlflow.trace.user`.
    pub user_id: Option<String>,
    /// Tags at the start. A tag that a user sets or deletes goes before, whenever that was.
    pub tags: BTreeMap<String, String>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Tokens and costs; also the metadata `mlflow.trace.tokenUsage` and `mlflow.trace.cost`.
    pub usage: StartUsage,
}

impl TraceStart {
    /// A trace that began then, in experiment `"0"`, with state `STATE_UNSPECIFIED`.
    pub fn new(trace_id: impl Into<String>, request_time_ns: i64) -> Self {
        Self {
            trace_id: trace_id.into(),
            experiment_id: "0".into(),
            request_time_ns,
            duration_ns: None,
            state: "STATE_UNSPECIFIED".into(),
            finalised: true,
            name: None,
            client_request_id: None,
            request_preview: None,
            response_preview: None,
            session_id: None,
            user_id: None,
            tags: BTreeMap::new(),
            metadata: BTreeMap::new(),
            usage: StartUsage::default(),
        }
    }

    /// Sets the experiment.
    pub fn experiment_id(mut self, id: impl Into<String>) -> Self {
        self.experiment_id = id.into();
        self
    }

    /// Sets the duration, in nanoseconds.
    pub fn duration_ns(mut self, duration_ns: i64) -> Self {
        self.duration_ns = Some(duration_ns);
        self
    }

    /// Sets the state.
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = state.into();
        self
    }

    /// Says whether the start is final.
    pub fn finalised(mut self, finalised: bool) -> Self {
        self.finalised = finalised;
        self
    }

    /// Sets the name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the client's own id.
    pub fn client_request_id(mut self, id: impl Into<String>) -> Self {
        self.client_request_id = Some(id.into());
        self
    }

    /// Sets the previews.
    pub fn previews(mut self, request: Option<String>, response: Option<String>) -> Self {
        (self.request_preview, self.response_preview) = (request, response);
        self
    }

    /// Sets the session.
    pub fn session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }

    /// Sets the user.
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.user_id = Some(id.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Adds a metadata pair.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets tokens and costs.
    pub fn usage(mut self, usage: StartUsage) -> Self {
        self.usage = usage;
        self
    }

    /// Checks what must be right before redaction, which may put anything into keys.
    fn check(&self) -> Result<()> {
        check_id("trace id", &self.trace_id)?;
        check_id("experiment id", &self.experiment_id)?;
        if self.duration_ns.is_some_and(|duration| duration < 0) {
            return Err(Error::invalid_input(format!(
                "the duration of trace {} is negative: {} ns",
                self.trace_id,
                self.duration_ns.unwrap_or_default()
            )));
        }
        self.tags
            .iter()
            .try_for_each(|(key, value)| check_tag(key, value))?;
        self.metadata
            .iter()
            .try_for_each(|(key, value)| check_pair("metadata", key, value))
    }

    /// The trace's id and what is stored, checked and redacted.
    ///
    /// # Errors
    /// `InvalidInput` for what is not allowed.
    pub(crate) fn prepare(&self, pass: Option<&mut Pass<'_>>) -> Result<(String, StartEdit)> {
        self.check()?;
        let mut start = self.clone();
        if let Some(pass) = pass {
            pass.start(&mut start);
        }
        Ok((normalize_trace_id(&self.trace_id), start.to_edit()?))
    }

    /// What is stored.
    fn to_edit(&self) -> Result<StartEdit> {
        let (mut tags, mut metadata) = (self.tags.clone(), self.metadata.clone());
        let name = one_of(
            "name",
            &self.name,
            tags.remove(TRACE_NAME_TAG),
            NAME_CHARS_MAX,
        )?;
        let session = metadata.remove(SESSION_METADATA);
        let user = metadata.remove(USER_METADATA);
        metadata.remove(FINALIZED_METADATA);
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(StartEdit {
            experiment_id: self.experiment_id.clone(),
            request_time_ns: self.request_time_ns,
            duration_ns: self.duration_ns,
            state: state(&self.state)?.to_string(),
            finalised: self.finalised,
            name,
            client_request_id: one_of(
                "client request id",
                &self.client_request_id,
                None,
                SCOPE_CHARS_MAX,
            )?,
            request_preview: text(&self.request_preview).map(|text| cut_preview(&text)),
            response_preview: text(&self.response_preview).map(|text| cut_preview(&text)),
            session_id: one_of("session id", &self.session_id, session, SCOPE_CHARS_MAX)?,
            user_id: one_of("user id", &self.user_id, user, SCOPE_CHARS_MAX)?,
            tags,
            usage: usage(&self.usage, &mut metadata),
            metadata,
        })
    }
}

impl Database {
    /// Starts a trace, or says the final word on one whose spans are there: durable and visible when
    /// this returns. Calling it again lays the later word over the earlier one.
    ///
    /// # Errors
    /// `InvalidInput` for an illegal id, an unknown state, a tag that is not allowed, or a trace that
    /// belongs to another experiment.
    pub fn start_trace(&self, start: &TraceStart) -> Result<()> {
        self.start_traces(std::slice::from_ref(start))
    }

    /// Starts many traces in one commit: all or none.
    ///
    /// # Errors
    /// As [`Database::start_trace`], for the first one at fault.
    pub fn start_traces(&self, starts: &[TraceStart]) -> Result<()> {
        let redactor = self.redactor()?;
        let mut pass = redactor.pass();
        // No other start may give one of the traces to another experiment between the look and the commit.
        let _alone = self.change_alone();
        let snapshot = self.snapshot()?;
        let mut edits = Vec::with_capacity(starts.len());
        let mut experiments: HashMap<String, String> = HashMap::with_capacity(starts.len());
        for start in starts {
            let (id, edit) = start.prepare(pass.as_mut())?;
            let known = match experiments.get(&id) {
                Some(stated) => Some(stated.clone()),
                None => experiment_of(&snapshot, &id)?,
            };
            if let Some(known) = known.filter(|known| *known != edit.experiment_id) {
                return Err(Error::invalid_input(format!(
                    "trace {} belongs to experiment {known:?}, not to {:?}",
                    start.trace_id, edit.experiment_id
                )));
            }
            experiments.insert(id.clone(), edit.experiment_id.clone());
            edits.push((id, TraceEdit::start(edit)));
        }
        self.store().edit_traces(edits)?;
        pass.map(Pass::finish);
        Ok(())
    }

    /// The row of a trace, without its spans.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace.
    pub fn get_trace_info(&self, trace_id: &str) -> Result<TraceRow> {
        let snapshot = self.snapshot()?;
        let row = find(&snapshot, trace_id)?;
        trace_rows(&snapshot, &[row])?
            .pop()
            .ok_or_else(|| Error::internal("a trace without a row"))
    }
}

/// The experiment that a trace belongs to, if there is the trace.
pub(crate) fn experiment_of(snapshot: &Snapshot, trace_id: &str) -> Result<Option<String>> {
    let Some(row) = snapshot.find_trace(TraceKey::of(trace_id))? else {
        return Ok(None);
    };
    let batch = snapshot.read_rows(Table::Traces, &[row], &["experiment_id"])?;
    Ok(text(&batch, "experiment_id")?
        .iter()
        .flatten()
        .next()
        .map(str::to_string))
}

/// The stored word of a state; `TRACE_STATUS_UNSPECIFIED` is MLflow's old name.
fn state(word: &str) -> Result<&'static str> {
    match word {
        "OK" => Ok("OK"),
        "ERROR" => Ok("ERROR"),
        "IN_PROGRESS" => Ok("IN_PROGRESS"),
        "STATE_UNSPECIFIED" | "TRACE_STATUS_UNSPECIFIED" => Ok("STATE_UNSPECIFIED"),
        _ => Err(Error::invalid_input(format!(
            "trace state {word:?}: OK, ERROR, IN_PROGRESS or STATE_UNSPECIFIED expected"
        ))),
    }
}

/// A text that may be given in two places, checked; the empty text is none.
fn one_of(
    what: &str,
    given: &Option<String>,
    other: Option<String>,
    chars_max: usize,
) -> Result<Option<String>> {
    let text = match (given, other) {
        (Some(given), Some(other)) if *given != other => {
            return Err(Error::invalid_input(format!(
                "two values of the {what}: {given:?} and, by its reserved key, {other:?}"
            )));
        }
        (given, other) => given.clone().or(other),
    };
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > chars_max)
    {
        return Err(Error::invalid_input(format!(
            "the {what} is longer than {chars_max} characters"
        )));
    }
    Ok(text.filter(|text| !text.is_empty()))
}

/// Tokens and costs as given, else from their metadata keys, which are taken out when they are JSON
/// objects. Counts that are not whole and costs that are not finite are left out, as in MLflow.
fn usage(given: &StartUsage, metadata: &mut BTreeMap<String, String>) -> StartUsage {
    let mut object = |key: &str| {
        let text = metadata.get(key).cloned();
        let members = text.and_then(|text| serde_json::from_str::<Members>(&text).ok());
        if members.is_some() {
            metadata.remove(key);
        }
        members.unwrap_or_default()
    };
    let (tokens, costs) = (object(TOKEN_USAGE_METADATA), object(COST_METADATA));
    let count = |given: Option<i64>, key: &str| given.or_else(|| whole(tokens.get(key)?.get()));
    // The JSON reader's own numbers may be off in the last digit.
    let cost = |given: Option<f64>, key: &str| given.or_else(|| costs.get(key)?.get().parse().ok());
    let finite = |cost: Option<f64>| cost.filter(|cost| cost.is_finite());
    StartUsage {
        input_tokens: count(given.input_tokens, "input_tokens"),
        output_tokens: count(given.output_tokens, "output_tokens"),
        total_tokens: count(given.total_tokens, "total_tokens"),
        cache_read_input_tokens: count(given.cache_read_input_tokens, "cache_read_input_tokens"),
        cache_creation_input_tokens: count(
            given.cache_creation_input_tokens,
            "cache_creation_input_tokens",
        ),
        cache_creation_input_tokens_above_1hr: count(
            given.cache_creation_input_tokens_above_1hr,
            "cache_creation_input_tokens_above_1hr",
        ),
        input_cost: finite(cost(given.input_cost, "input_cost")),
        output_cost: finite(cost(given.output_cost, "output_cost")),
        total_cost: finite(cost(given.total_cost, "total_cost")),
    }
}

/// A number that is whole, from its JSON text.
fn whole(number: &str) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let is_whole = |number: &f64| number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    let from_float = || {
        number
            .parse()
            .ok()
            .filter(is_whole)
            .map(|number| number as i64)
    };
    number.parse().ok().or_else(from_float)
}

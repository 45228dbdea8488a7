//! Evaluations that name only the response that they judge: `gen_ai.evaluation.result` with `gen_ai.response.id` and
//! without the ids of a span.
//!
//! The span with that response is looked for when the evaluation comes. Where it is not there, the evaluation waits in a
//! setting of the catalogue until it comes; spans that come are compared with what waits, which costs nothing while
//! nothing does.
//!
//! Invariant: the lock is held from before the search until what was not found waits, and spans are compared after they
//! are visible, so that an evaluation and its span, coming at the same time, do not miss each other. What a crash leaves
//! between the two is looked for again by the first who compares.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memchr::memmem::Finder;
use tracehouse_query::search::Search;
use tracehouse_storage::Store;
use tracehouse_storage::json::decoded_literal;
use tracehouse_storage::model::{Assessment, Span};
use tracehouse_storage::store::Assess;

use crate::database::Database;
use crate::error::{Error, Result};
use crate::semconv::evaluation::RESPONSE_ID;
use crate::stored_setting;

/// The setting's name.
const NAME: &str = "waiting_evaluations";
/// Most evaluations that wait, and most text of theirs.
const WAITING_MAX: usize = 2_000;
const WAITING_BYTES_MAX: usize = 1 << 20;
/// Responses that are looked for together.
const LOOKED_FOR_MAX: usize = 100;
/// A search may take long where text indexes are not built yet.
const SEARCH_SECONDS_MAX: u64 = 3_600;

/// What waits, by response.
type ByResponse = BTreeMap<String, Vec<Assessment>>;

/// The evaluations that wait.
#[derive(Debug)]
pub(crate) struct WaitingEvaluations(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    evaluations: ByResponse,
    /// Whether spans that are there were looked for since the open.
    is_checked: bool,
}

impl Waiting {
    /// How many there are and how much text they have.
    fn size(&self) -> (usize, usize) {
        let all = || self.evaluations.values().flatten();
        (all().count(), all().map(text_bytes).sum())
    }
}

fn text_bytes(evaluation: &Assessment) -> usize {
    let pairs = evaluation
        .metadata
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>();
    evaluation.value.len() + evaluation.rationale.as_ref().map_or(0, String::len) + pairs
}

impl WaitingEvaluations {
    /// Those that the catalogue of a database has.
    ///
    /// # Errors
    /// `InvalidInput` when they are not understood: a newer version may have stored them.
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let evaluations = match stored_setting::read(&store.catalog_files(), NAME) {
            Some(stored) => serde_json::from_value(stored).map_err(|error| {
                Error::invalid_input(format!(
                    "the evaluations that wait for a response are not understood: {error}"
                ))
            })?,
            None => ByResponse::new(),
        };
        let is_checked = evaluations.is_empty();
        Ok(Self(Mutex::new(Waiting {
            evaluations,
            is_checked,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A span with a response. Of several with one response the first in this order is the judged one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Response {
    response_id: String,
    /// An agent's span may repeat what its model's span says.
    is_no_model: bool,
    start_time_ns: i64,
    trace_id: String,
    span_id: String,
}

impl Response {
    /// That of a span, if it has one.
    pub(crate) fn of(span: &Span) -> Option<Self> {
        Some(Self {
            response_id: response_id(&span.attributes)?,
            is_no_model: !matches!(span.span_type.as_str(), "LLM" | "CHAT_MODEL"),
            start_time_ns: span.start_time_ns,
            trace_id: span.trace_id.clone(),
            span_id: span.span_id.clone(),
        })
    }
}

/// The response that attributes name. The text is searched and not parsed: this is asked of every span.
fn response_id(attributes: &str) -> Option<String> {
    const KEY: &[u8] = b"\"gen_ai.response.id\":\"";
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(KEY));
    let value = FINDER.find(attributes.as_bytes())? + KEY.len() - 1;
    decoded_literal(attributes.get(value..)?)
        .filter(|id| !id.is_empty())
        .map(Cow::into_owned)
}

/// What became of evaluations.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Stored assessments that were not there before.
    pub(crate) assessments: u64,
    /// How many found their span.
    pub(crate) placed: u64,
    pub(crate) waiting: u64,
    /// For how many there was no room to wait.
    pub(crate) refused: u64,
}

impl Database {
    /// Stores evaluations of responses, or lets them wait: durable when this returns.
    ///
    /// # Errors
    /// `Io` or `Closed` from writing, whatever reading gives.
    pub(crate) fn judge_responses(&self, evaluations: Vec<Assessment>) -> Result<Judged> {
        let mut judged = Judged::default();
        if evaluations.is_empty() {
            return Ok(judged);
        }
        let mut by_response = ByResponse::new();
        for evaluation in evaluations {
            let id = evaluation
                .metadata
                .get(RESPONSE_ID)
                .cloned()
                .unwrap_or_default();
            by_response.entry(id).or_default().push(evaluation);
        }
        let mut waiting = self.waiting_evaluations().lock();
        let responses = self.find_responses(by_response.keys())?;
        (judged.assessments, judged.placed) = self.place(&mut by_response, responses)?;
        let (before, mut bytes) = waiting.size();
        let mut len = before;
        for (response_id, evaluations) in by_response {
            let waits = waiting.evaluations.entry(response_id).or_default();
            for evaluation in evaluations {
                if waits
                    .iter()
                    .any(|other| other.assessment_id == evaluation.assessment_id)
                {
                    continue;
                }
                bytes += text_bytes(&evaluation);
                if len < WAITING_MAX && bytes <= WAITING_BYTES_MAX {
                    waits.push(evaluation);
                    len += 1;
                } else {
                    judged.refused += 1;
                }
            }
        }
        waiting
            .evaluations
            .retain(|_, evaluations| !evaluations.is_empty());
        judged.waiting = (len - before) as u64;
        if len > before {
            self.keep_waiting(&waiting)?;
        }
        Ok(judged)
    }

    /// Stores the evaluations that waited for one of these responses, whose spans are visible; returns how many.
    ///
    /// # Errors
    /// As [`Database::judge_responses`].
    pub(crate) fn claim_evaluations(&self, mut responses: Vec<Response>) -> Result<Judged> {
        let mut waiting = self.waiting_evaluations().lock();
        if waiting.evaluations.is_empty() {
            return Ok(Judged::default());
        }
        responses.retain(|response| waiting.evaluations.contains_key(&response.response_id));
        if !std::mem::replace(&mut waiting.is_checked, true) {
            responses.extend(self.find_responses(waiting.evaluations.keys())?);
        }
        let (assessments, placed) = self.place(&mut waiting.evaluations, responses)?;
        if placed > 0 {
            self.keep_waiting(&waiting)?;
        }
        Ok(Judged {
            assessments,
            placed,
            ..Judged::default()
        })
    }

    /// Stores those evaluations whose response is there and takes them out; how many are new, how many there were.
    fn place(
        &self,
        by_response: &mut ByResponse,
        mut responses: Vec<Response>,
    ) -> Result<(u64, u64)> {
        responses.sort();
        let mut rows = Vec::new();
        for response in responses {
            for mut row in by_response
                .remove(&response.response_id)
                .unwrap_or_default()
            {
                row.trace_id.clone_from(&response.trace_id);
                row.span_id = Some(response.span_id.clone());
                rows.push(row);
            }
        }
        let placed = rows.len() as u64;
        if rows.is_empty() {
            return Ok((0, 0));
        }
        let stored = self.store().assess(Assess {
            rows,
            check_existing: true,
        })?;
        Ok((stored.assessments, placed))
    }

    /// The spans with one of these responses.
    fn find_responses<'i>(&self, ids: impl Iterator<Item = &'i String>) -> Result<Vec<Response>> {
        let ids: Vec<String> = ids
            .map(|id| format!("'{}'", id.replace('\'', "''")))
            .collect();
        let mut responses = Vec::new();
        for ids in ids.chunks(LOOKED_FOR_MAX) {
            let filter = format!("span.attributes.`{RESPONSE_ID}` IN ({})", ids.join(","));
            let mut search = Search::new(filter);
            search.timeout = Some(Duration::from_secs(SEARCH_SECONDS_MAX));
            for trace in self.search_traces(&search)?.traces {
                responses.extend(
                    self.get_trace(&trace.trace_id)?
                        .spans
                        .iter()
                        .filter_map(Response::of),
                );
            }
        }
        Ok(responses)
    }

    fn keep_waiting(&self, waiting: &Waiting) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        stored_setting::write(self.store(), NAME, &waiting.evaluations)?.commit(self.store())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_of_attributes() {
        let id = response_id;
        assert_eq!(
            id(r#"{"a":1,"gen_ai.response.id":"resp\"\\1","b":"c"}"#).as_deref(),
            Some("resp\"\\1")
        );
        assert_eq!(id(r#"{"gen_ai.response.id":""}"#), None);
        assert_eq!(id(r#"{"a":"{\"gen_ai.response.id\":\"no\"}"}"#), None);
        assert_eq!(id("{}"), None);
    }
}

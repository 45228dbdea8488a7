//! One server, and the limits that all judges of a run share.
//!
//! How a question is asked:
//! 1. money is put aside, a place and a turn are waited for ([`super::super::limits`]);
//! 2. the call is made, and what it came to is sorted out ([`super::outcome`]);
//! 3. the money is settled, the counters are moved, the observer is told;
//! 4. after a failure that may pass, a pause without a place, and again from 1.
//!
//! Invariants:
//! 1. Every call that is made is counted once, and settled once, whatever it came to.
//! 2. No more than the budget is ever spent, reserved calls counted, as long as the server keeps to `max_tokens`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::super::limits::{
    Budget, Cancel, Gate, NoMoney, Pass, Patience, Rates, Reservation, Stop,
};
use super::super::settings::{ApiKey, JudgeSettings, SettingsError};
use super::cache::{self, JudgeCache};
use super::chat::{Ask, ChatAnswer, Purpose, Told};
use super::outcome::{self, Context, Failure, Next, Reply};
use super::record::{JudgeCall, Observer};
use super::retry::{Backoff, mixed};
use super::transport::Transport;
use super::usage::{Counters, JudgeUsage};
use crate::{ScoreError, ScoreErrorKind};

/// A connection to a judge's server, with its limits, counters, cache and observer. Judges share one by `Arc`.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::AtomicBool;
/// use tracehouse_eval::judge::{Client, Judge, JudgeKind, JudgeSettings, MemoryCache};
///
/// let settings = JudgeSettings::new("qwen3", "http://localhost:8000/v1").budget(1.0, 0.0, 0.0);
/// let cancel = Arc::new(AtomicBool::new(false));
/// let client = Client::new(&settings)?
///     .with_cancel(cancel.clone())
///     .with_cache(Arc::new(MemoryCache::new()));
/// let client = Arc::new(client);
/// let safe = Judge::with_client("safe", JudgeKind::Safety, &settings, client.clone())?;
/// let right = Judge::with_client("right", JudgeKind::Correctness, &settings, client.clone())?;
/// assert_eq!(client.usage().spent_usd, 0.0);
/// # let _ = (safe, right);
/// # Ok::<(), tracehouse_eval::judge::SettingsError>(())
/// ```
pub struct Client {
    transport: Transport,
    base_url: String,
    key: ApiKey,
    timeout_ms: u64,
    deadline: Duration,
    retries_max: u32,
    backoff: Backoff,
    has_budget: bool,
    budget: Budget,
    gate: Gate,
    rates: Rates,
    cancel: Cancel,
    counters: Counters,
    cache: Option<Arc<dyn JudgeCache>>,
    observer: Option<Observer>,
}

/// A question without an answer.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The server refused it; another form may do.
    Refused(ScoreError),
    Failed(ScoreError),
}

impl Client {
    /// A client for `base_url`, with the key and the limits of the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// When a setting cannot hold: which one, and what would be right.
    pub fn new(settings: &JudgeSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let key = settings.api_key.clone();
        Ok(Self {
            transport: Transport::new(&settings.base_url, &key, settings.timeout_ms)?,
            base_url: settings.base_url.clone(),
            key,
            timeout_ms: settings.timeout_ms,
            deadline: Duration::from_millis(settings.deadline_ms),
            retries_max: settings.retries_max,
            backoff: Backoff {
                base_ms: settings.backoff_base_ms,
                max_ms: settings.backoff_max_ms,
                seed: settings.seed.unwrap_or(0),
            },
            has_budget: settings.budget_usd.is_some(),
            budget: Budget::new(settings.budget_usd),
            gate: Gate::new(settings.concurrency),
            rates: Rates::new(settings.requests_per_minute, settings.tokens_per_minute),
            cancel: Cancel::default(),
            counters: Counters::default(),
            cache: None,
            observer: None,
        })
    }

    /// With a flag that ends everything when it is set: within 0.2 s every call and wait returns
    /// [`ScoreErrorKind::Cancelled`]. For good: a client that was cancelled makes no more calls.
    pub fn with_cancel(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Cancel::new(flag);
        self
    }

    /// With a cache of answers.
    pub fn with_cache(mut self, cache: Arc<dyn JudgeCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// With an observer of calls.
    pub fn with_observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What was used so far.
    pub fn usage(&self) -> JudgeUsage {
        JudgeUsage {
            calls: self.counters.calls.get(),
            retries: self.counters.retries.get(),
            repairs: self.counters.repairs.get(),
            fallbacks: self.counters.fallbacks.get(),
            cache_hits: self.counters.cache_hits.get(),
            input_tokens: self.counters.input_tokens.get(),
            output_tokens: self.counters.output_tokens.get(),
            spent_usd: self.budget.spent_usd(),
            unsure_usd: self.budget.unsure_usd(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn key(&self) -> &ApiKey {
        &self.key
    }

    pub(crate) fn has_budget(&self) -> bool {
        self.has_budget
    }

    pub(crate) fn cache(&self) -> Option<&dyn JudgeCache> {
        self.cache.as_deref()
    }

    pub(crate) fn count_cache_hit(&self) {
        self.counters.cache_hits.add(1);
    }

    /// The time for one item, from now.
    pub(crate) fn patience(&self) -> Patience<'_> {
        Patience::new(&self.cancel, Instant::now() + self.deadline)
    }

    pub(crate) fn stopped(&self, stop: Stop) -> ScoreError {
        outcome::stopped(stop, self.deadline_ms())
    }

    /// Asks until there is an answer, or no hope of one.
    pub(crate) fn ask(&self, ask: &Ask<'_>, patience: &Patience<'_>) -> Result<Reply, AskError> {
        let body = ask.body();
        let question = number_of(ask);
        let mut attempt = 0;
        loop {
            let failure = match self.attempt(ask, &body, attempt, patience) {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            match failure.next {
                Next::OtherForm => return Err(AskError::Refused(failure.error)),
                Next::End => return Err(AskError::Failed(failure.error)),
                Next::Retry if attempt >= self.retries_max => {
                    return Err(AskError::Failed(after_calls(failure.error, attempt)));
                }
                Next::Retry => {}
            }
            let pause = self.backoff.pause(question, attempt, failure.wish);
            if pause > patience.left() {
                return Err(AskError::Failed(too_long(failure.error, pause)));
            }
            let stopped = |stop| AskError::Failed(self.stopped(stop));
            patience.sleep(pause).map_err(stopped)?;
            attempt += 1;
        }
    }

    fn attempt(
        &self,
        ask: &Ask<'_>,
        body: &str,
        attempt: u32,
        patience: &Patience<'_>,
    ) -> Result<Reply, Failure> {
        let (reservation, pass) = self.enter(ask, body, patience)?;
        self.count_call(ask.purpose, attempt);
        let started = Instant::now();
        let result = self.transport.post(body.to_owned(), patience);
        drop(pass);
        let result = self.priced(ask, outcome::of(result, self.context()));
        let (told, cost_usd, free) = match &result {
            Ok(reply) => (reply.told, reply.cost_usd, false),
            Err(failure) => (
                failure.told,
                failure.told.cost_usd(ask.prices),
                failure.free,
            ),
        };
        match cost_usd {
            Some(cost) => reservation.settle(cost),
            None if free => reservation.free(),
            // The server told nothing, so it may have cost all that was put aside.
            None => drop(reservation),
        }
        self.count_tokens(ask.tokens_guess(body), &told);
        self.observe(ask, attempt, started, &result, cost_usd);
        result
    }

    /// Puts money aside, and waits for a place and a turn.
    fn enter(
        &self,
        ask: &Ask<'_>,
        body: &str,
        patience: &Patience<'_>,
    ) -> Result<(Reservation<'_>, Pass<'_>), Failure> {
        let reserved = self.budget.reserve(ask.most_usd(body), patience);
        let reservation = reserved.map_err(|error| self.no_money(error))?;
        let turn = self.gate.enter(patience).and_then(|pass| {
            self.rates.take(ask.tokens_guess(body), patience)?;
            Ok(pass)
        });
        match turn {
            Ok(pass) => Ok((reservation, pass)),
            Err(stop) => {
                reservation.free();
                Err(self.ended(stop))
            }
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            key: &self.key,
            timeout_ms: self.timeout_ms,
            deadline_ms: self.deadline_ms(),
        }
    }

    fn deadline_ms(&self) -> u64 {
        u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX)
    }

    fn priced(
        &self,
        ask: &Ask<'_>,
        result: Result<(ChatAnswer, Told), Failure>,
    ) -> Result<Reply, Failure> {
        result.map(|(mut answer, told)| {
            answer.text = self.key.hide_secret(answer.text);
            Reply {
                answer,
                told,
                cost_usd: told.cost_usd(ask.prices),
            }
        })
    }

    fn count_call(&self, purpose: Purpose, attempt: u32) {
        self.counters.calls.add(1);
        match (attempt, purpose) {
            (0, Purpose::First) => {}
            (0, Purpose::Repair) => self.counters.repairs.add(1),
            (0, Purpose::OtherForm) => self.counters.fallbacks.add(1),
            _ => self.counters.retries.add(1),
        }
    }

    fn count_tokens(&self, guess: u64, told: &Told) {
        let (input, output) = (told.input_tokens, told.output_tokens);
        self.counters.input_tokens.add(input.unwrap_or(0));
        self.counters.output_tokens.add(output.unwrap_or(0));
        if let (Some(input), Some(output)) = (input, output) {
            self.rates.correct(guess, input.saturating_add(output));
        }
    }

    fn observe(
        &self,
        ask: &Ask<'_>,
        attempt: u32,
        started: Instant,
        result: &Result<Reply, Failure>,
        cost_usd: Option<f64>,
    ) {
        let Some(observer) = &self.observer else {
            return;
        };
        let (reply, failure) = (result.as_ref().ok(), result.as_ref().err());
        let told = reply
            .map(|reply| reply.told)
            .or(failure.map(|failure| failure.told));
        observer(&JudgeCall {
            judge: ask.judge.to_owned(),
            judge_version: ask.judge_version.to_owned(),
            model: ask.model.to_owned(),
            answer_model: reply.and_then(|reply| reply.answer.model.clone()),
            messages: ask.messages.to_vec(),
            answer: reply.map(|reply| reply.answer.text.clone()),
            error: failure.map(|failure| failure.error.to_string()),
            attempt,
            input_tokens: told.and_then(|told| told.input_tokens),
            output_tokens: told.and_then(|told| told.output_tokens),
            cost_usd,
            started,
            duration: started.elapsed(),
        });
    }

    fn ended(&self, stop: Stop) -> Failure {
        let error = self.stopped(stop);
        Failure::new(error.kind, error.message, Next::End)
    }

    fn no_money(&self, error: NoMoney) -> Failure {
        let (limit, spent, unsure, asked) = match error {
            NoMoney::Stop(stop) => return self.ended(stop),
            NoMoney::Spent {
                limit_usd,
                spent_usd,
                unsure_usd,
                asked_usd,
            } => (limit_usd, spent_usd, unsure_usd, asked_usd),
        };
        let message = format!(
            "budget_usd = {limit} does not cover this call, which may cost {asked:.6}: {spent:.6} are spent, \
             {unsure:.6} more may be for calls whose cost the server did not tell"
        );
        Failure::new(ScoreErrorKind::Budget, message, Next::End)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url)
            .field("api_key", &self.key)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

/// A number for the question, from which its jitter is drawn.
fn number_of(ask: &Ask<'_>) -> u64 {
    let key = cache::key(ask.judge_version, ask.model, ask.messages);
    key.bytes()
        .fold(0, |sum, byte| mixed(sum ^ u64::from(byte)))
}

fn after_calls(mut error: ScoreError, attempt: u32) -> ScoreError {
    if attempt > 0 {
        error.message = format!("{} (after {attempt} retries)", error.message);
    }
    error
}

fn too_long(mut error: ScoreError, pause: Duration) -> ScoreError {
    let pause_s = pause.as_secs_f64();
    error.message = format!(
        "{} (the next try is due in {pause_s:.1} s, after the end of deadline_ms)",
        error.message
    );
    error
}

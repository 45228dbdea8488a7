//! A scorer that asks a language model.
//!
//! How an item is judged:
//! 1. its content goes into the prompt ([`super::ask`]); what is missing is an error, and nothing is asked;
//! 2. the cache is looked up;
//! 3. the model is asked ([`super::call`]), in a lower form when the server refuses one ([`super::forms`]);
//! 4. the answer is read ([`super::answer`]); once, the model is asked again with what was wrong;
//! 5. an answer that was read is kept in the cache.
//!
//! Invariants:
//! 1. The version changes with all that changes answers, and with nothing else: no key, no address, no limit.
//! 2. An answer that cannot be read is an error, never a score.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{self, Verdict};
use super::ask::{JudgeKind, Plan};
use super::call::cache::{self, CachedAnswer};
use super::call::{Ask, AskError, Client, Purpose, Reply};
use super::definition::{self, ModelSettings, Told};
use super::forms::Forms;
use super::limits::Patience;
use super::settings::{JudgeSettings, SettingsError};
use crate::{Item, Needs, Question, Score, ScoreError, ScoreErrorKind, Scorer, Turn};

/// Judges with a language model behind an OpenAI-compatible chat completions endpoint.
///
/// ```
/// use tracehouse_eval::judge::{Judge, JudgeKind, JudgeSettings};
/// use tracehouse_eval::{Item, Scorer};
///
/// let settings = JudgeSettings::new("gpt-4o-mini", "https://api.openai.com/v1")
///     .api_key("sk-...")
///     .budget(1.50, 0.15, 0.60);
/// let judge = Judge::new("polite", JudgeKind::guideline("The answer is polite."), &settings)?;
///
/// // An item without an answer is an error before anything is asked.
/// let error = judge.score(&Item::default()).unwrap_err();
/// assert_eq!(error.to_string(), "missing: the item has no outputs, which the judge reads");
/// assert_eq!(judge.client().usage().calls, 0);
/// # Ok::<(), tracehouse_eval::judge::SettingsError>(())
/// ```
#[derive(Debug)]
pub struct Judge {
    name: String,
    /// Of all that changes answers.
    hash: String,
    own_version: Option<String>,
    kind: JudgeKind,
    plan: Plan,
    schema: Value,
    model: ModelSettings,
    forms: Forms,
    client: Arc<Client>,
}

impl Judge {
    /// A judge with a client of its own.
    ///
    /// # Errors
    /// When a setting, the kind or its template cannot hold: which one, and what would be right.
    pub fn new(
        name: impl Into<String>,
        kind: JudgeKind,
        settings: &JudgeSettings,
    ) -> Result<Self, SettingsError> {
        let client = Arc::new(Client::new(settings)?);
        Self::with_client(name, kind, settings, client)
    }

    /// A judge that shares a client, and so its limits and counters. Of the settings, the model, temperature,
    /// `max_tokens`, seed and prices are the judge's; address, key and limits are the client's.
    ///
    /// # Errors
    /// As [`Judge::new`]; also when the settings name another `base_url` than the client's, and when the client
    /// has a budget but the judge no prices.
    pub fn with_client(
        name: impl Into<String>,
        kind: JudgeKind,
        settings: &JudgeSettings,
        client: Arc<Client>,
    ) -> Result<Self, SettingsError> {
        let name = name.into();
        settings.check()?;
        check_shared(&name, settings, &client)?;
        let plan = Plan::new(&kind)?;
        let model = ModelSettings::of(settings);
        Ok(Self {
            hash: hash(&kind, &plan, &model),
            own_version: None,
            schema: plan.schema(),
            forms: Forms::new(),
            name,
            kind,
            plan,
            model,
            client,
        })
    }

    /// The judge that [`Scorer::definition`] tells of. Name, kind, version, model, temperature, `max_tokens` and seed
    /// are the definition's, and of `settings` where it has none; address, key, limits and prices are those
    /// of `settings` and `client`, so the definition's `base_url` is for a caller who has no other.
    ///
    /// # Errors
    /// When the definition is not a judge's: which field, and what would be right; or as [`Judge::with_client`].
    pub fn from_definition(
        definition: &Value,
        settings: &JudgeSettings,
        client: Arc<Client>,
    ) -> Result<Self, SettingsError> {
        let told = Told::read(definition, settings)?;
        let judge = Self::with_client(told.name, told.kind, &told.settings, client)?;
        Ok(match told.version {
            Some(version) => judge.with_version(version),
            None => judge,
        })
    }

    /// The same under a version of the user's own. The cache goes on by the hash.
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.own_version = Some(version.into());
        self
    }

    /// The client it asks through.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    fn cached(&self, key: &str) -> Option<Score> {
        let answer = self.client.cache()?.get(key)?;
        // What cannot be read any more is asked again.
        let verdict = self.read(&answer.text, false).ok()?;
        self.client.count_cache_hit();
        Some(score_of(verdict, Some(0.0), key, &answer))
    }

    fn judged(&self, messages: &[Turn], key: &str) -> Result<Score, ScoreError> {
        let patience = self.client.patience();
        let first = self.ask(messages, Purpose::First, &patience)?;
        let mut cost_usd = first.cost_usd;
        let (verdict, reply) = match self.read(&first.answer.text, first.answer.cut) {
            Ok(verdict) => (verdict, first),
            Err(error) => {
                let start = start_of_answer(&first.answer.text);
                let messages = self.plan.repair(messages, &start, &error);
                let again = self.ask(&messages, Purpose::Repair, &patience)?;
                cost_usd = cost_usd.zip(again.cost_usd).map(|(a, b)| a + b);
                let read = self.read(&again.answer.text, again.answer.cut);
                let verdict = read.map_err(|error| self.malformed(&error, &again.answer.text))?;
                (verdict, again)
            }
        };
        let answer = CachedAnswer {
            text: reply.answer.text,
            model: reply.answer.model,
            input_tokens: reply.told.input_tokens,
            output_tokens: reply.told.output_tokens,
        };
        let score = score_of(verdict, cost_usd, key, &answer);
        if let Some(cache) = self.client.cache() {
            cache.put(key, answer);
        }
        Ok(score)
    }

    /// Asks in the best form that is known, and in lower ones when the server refuses it.
    fn ask(
        &self,
        messages: &[Turn],
        mut purpose: Purpose,
        patience: &Patience<'_>,
    ) -> Result<Reply, ScoreError> {
        let mut form = self.forms.current();
        loop {
            let ask = Ask {
                judge: &self.name,
                judge_version: self.version(),
                model: &self.model.model,
                messages,
                schema: &self.schema,
                form: form.answer,
                temperature: self.model.temperature,
                seed: self.model.seed,
                max_tokens: self.model.max_tokens,
                newer_limit: form.newer_limit,
                prices: self.model.prices,
                purpose,
            };
            let refusal = match self.client.ask(&ask, patience) {
                Ok(reply) => {
                    self.forms.accept(form);
                    return Ok(reply);
                }
                Err(AskError::Failed(error)) => return Err(error),
                Err(AskError::Refused(error)) => error,
            };
            match self.forms.after(form, &refusal.message) {
                Some(next) => form = next,
                None => return Err(refusal),
            }
            purpose = Purpose::OtherForm;
        }
    }

    fn read(&self, text: &str, cut: bool) -> Result<Verdict, String> {
        if cut {
            // What looks like a verdict may be a thought on the way to one.
            return Err(format!(
                "it was cut at max_tokens = {}; be brief",
                self.model.max_tokens
            ));
        }
        let mut verdict = answer::read(text, &self.plan.output)?;
        let key = self.client.key();
        verdict.rationale = verdict.rationale.map(|text| key.hide_secret(text));
        if let Value::String(text) = verdict.value {
            verdict.value = Value::String(key.hide_secret(text));
        }
        Ok(verdict)
    }

    fn malformed(&self, error: &str, text: &str) -> ScoreError {
        let key = self.client.key();
        let (error, start) = (key.hide(error), key.quote(text));
        let message = format!("the judge's answer cannot be read: {error}; it begins {start:?}");
        ScoreError::new(ScoreErrorKind::Malformed, message)
    }
}

impl Scorer for Judge {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        self.own_version.as_ref().unwrap_or(&self.hash)
    }

    fn definition(&self) -> Value {
        definition::write(
            self,
            &self.kind,
            &self.own_version,
            &self.model,
            &self.client,
        )
    }

    fn needs(&self) -> Needs {
        self.plan.needs()
    }

    fn score(&self, item: &Item) -> Result<Score, ScoreError> {
        let stopped = |stop| self.client.stopped(stop);
        self.client.patience().check().map_err(stopped)?;
        let messages = self.plan.messages(item)?;
        let key = cache::key(&self.hash, &self.model.model, &messages);
        match self.cached(&key) {
            Some(score) => Ok(score),
            None => self.judged(&messages, &key),
        }
    }
}

fn check_shared(
    name: &str,
    settings: &JudgeSettings,
    client: &Client,
) -> Result<(), SettingsError> {
    let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
    if name.trim().is_empty() {
        return Err(SettingsError::new(
            "the judge's name is empty; its scores are stored under it",
        ));
    }
    if plain(&settings.base_url) != plain(client.base_url()) {
        return Err(SettingsError::new(format!(
            "the judge {name:?} and its client have different base_url; make a client for each server"
        )));
    }
    if client.has_budget() && settings.prices().is_none() {
        return Err(SettingsError::new(format!(
            "the judge {name:?} has no prices, by which its client's budget_usd is kept; give \
             price_input_usd_per_million and price_output_usd_per_million"
        )));
    }
    Ok(())
}

/// 16 hexadecimal digits for all that changes answers.
fn hash(kind: &JudgeKind, plan: &Plan, model: &ModelSettings) -> String {
    let settings = json!([model.model, model.temperature, model.max_tokens, model.seed]);
    let parts = [
        "judge 1",
        &plan.fingerprint(),
        &json!(kind).to_string(),
        &settings.to_string(),
    ];
    cache::hash(&parts).chars().take(16).collect()
}

/// What of an unreadable answer is sent back: enough to see the fault, not all of a long one.
fn start_of_answer(text: &str) -> String {
    const LETTERS: usize = 2000;
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn score_of(verdict: Verdict, cost_usd: Option<f64>, key: &str, answer: &CachedAnswer) -> Score {
    // An answer is texts and numbers, which are always JSON.
    let question = serde_json::to_string(answer).ok().map(|answer| {
        Box::new(Question {
            key: key.to_owned(),
            answer,
        })
    });
    Score {
        value: verdict.value,
        passed: verdict.passed,
        rationale: verdict.rationale,
        cost_usd,
        question,
    }
}

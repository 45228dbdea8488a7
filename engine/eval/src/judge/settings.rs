//! Settings of judges: which model, where, and how much of it. Read once, by [`super::Client::new`] and
//! [`super::Judge::with_client`].
//!
//! Invariants:
//! 1. The key is shown by no `Debug`, no `Display` and no error; only `transport` reads it.
//! 2. Settings that cannot hold are an error before the first call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Budgets and prices are counted in whole pico-dollars; more dollars than this do not fit.
pub(crate) const USD_MAX: f64 = 10_000_000.0;

/// A year: clocks can add it without overflow.
const TIME_MS_MAX: u64 = 365 * 86_400_000;

/// Which model judges, where it is, and how much of it may be used.
///
/// The limits (`timeout_ms` to `budget_usd`) hold for all judges that share a [`super::Client`];
/// the model's own settings (`model`, `temperature`, `max_tokens`, `seed`, prices) for one judge.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSettings {
    /// The model's name, as the server knows it.
    pub model: String,
    /// Where the API begins, with or without a slash at the end: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; empty when the server asks for none.
    pub api_key: ApiKey,
    /// Sampling temperature; `None` leaves it to the server.
    pub temperature: Option<f64>,
    /// Tokens that one answer may have at most; the budget is reserved for as many.
    pub max_tokens: u32,
    /// Sent to the server as `seed` when given; also the seed of the pauses' jitter.
    pub seed: Option<u64>,
    /// The time one call may take, in milliseconds.
    pub timeout_ms: u64,
    /// The time one item may take with all its calls, retries and waits, in milliseconds.
    pub deadline_ms: u64,
    /// How often a call that failed is made again.
    pub retries_max: u32,
    /// The first pause before a retry is at most this long, in milliseconds; each further one twice as long.
    pub backoff_base_ms: u64,
    /// No pause is longer, unless the server asks for it, in milliseconds.
    pub backoff_max_ms: u64,
    /// Calls that run at the same time.
    pub concurrency: usize,
    /// Calls a minute; `None` is no limit.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, sent and received; `None` is no limit.
    pub tokens_per_minute: Option<u32>,
    /// What all calls together may cost, in US dollars; `None` is no limit. Needs both prices.
    pub budget_usd: Option<f64>,
    /// Price of a million input tokens, in US dollars.
    pub price_input_usd_per_million: Option<f64>,
    /// Price of a million output tokens, in US dollars.
    pub price_output_usd_per_million: Option<f64>,
}

impl JudgeSettings {
    /// A model at a place, without a key: temperature 0, 1,024 tokens of answer, 60 s a call and
    /// 10 minutes an item, 5 retries, 8 calls at once, no budget.
    pub fn new(model: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            base_url: base_url.into(),
            api_key: ApiKey::default(),
            temperature: Some(0.0),
            max_tokens: 1024,
            seed: None,
            timeout_ms: 60_000,
            deadline_ms: 600_000,
            retries_max: 5,
            backoff_base_ms: 500,
            backoff_max_ms: 30_000,
            concurrency: 8,
            requests_per_minute: None,
            tokens_per_minute: None,
            budget_usd: None,
            price_input_usd_per_million: None,
            price_output_usd_per_million: None,
        }
    }

    /// The same with a key.
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = key.into();
        self
    }

    /// The same with a budget and the prices it is counted by: US dollars, and US dollars for a
    /// million tokens of input and of output.
    pub fn budget(mut self, budget_usd: f64, input: f64, output: f64) -> Self {
        self.budget_usd = Some(budget_usd);
        self.price_input_usd_per_million = Some(input);
        self.price_output_usd_per_million = Some(output);
        self
    }

    /// Both prices, or none.
    pub(crate) fn prices(&self) -> Option<Prices> {
        Some(Prices {
            input: self.price_input_usd_per_million?,
            output: self.price_output_usd_per_million?,
        })
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if self.model.trim().is_empty() {
            return Err(SettingsError::new(
                "model is empty; name one that the server has",
            ));
        }
        self.api_key.check()?;
        self.check_counts()?;
        self.check_temperature()?;
        self.check_money()
    }

    fn check_counts(&self) -> Result<(), SettingsError> {
        let counts = [
            ("max_tokens", u64::from(self.max_tokens)),
            ("timeout_ms", self.timeout_ms),
            ("deadline_ms", self.deadline_ms),
            ("concurrency", self.concurrency as u64),
            (
                "requests_per_minute",
                self.requests_per_minute.map_or(1, u64::from),
            ),
            (
                "tokens_per_minute",
                self.tokens_per_minute.map_or(1, u64::from),
            ),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(SettingsError::new(format!("{name} is 0; give at least 1")));
        }
        let times = [
            ("timeout_ms", self.timeout_ms),
            ("deadline_ms", self.deadline_ms),
            ("backoff_base_ms", self.backoff_base_ms),
            ("backoff_max_ms", self.backoff_max_ms),
        ];
        match times.iter().find(|(_, time)| *time > TIME_MS_MAX) {
            Some((name, time)) => Err(SettingsError::new(format!(
                "{name} is {time}; give at most {TIME_MS_MAX}, which is a year"
            ))),
            None => Ok(()),
        }
    }

    fn check_temperature(&self) -> Result<(), SettingsError> {
        match self.temperature {
            Some(value) if !(value.is_finite() && value >= 0.0) => Err(SettingsError::new(
                format!("temperature is {value}; give a number from 0 up, or none"),
            )),
            _ => Ok(()),
        }
    }

    fn check_money(&self) -> Result<(), SettingsError> {
        let (input, output) = (
            self.price_input_usd_per_million,
            self.price_output_usd_per_million,
        );
        let sums = [
            ("budget_usd", self.budget_usd),
            ("price_input_usd_per_million", input),
            ("price_output_usd_per_million", output),
        ];
        for (name, sum) in sums {
            if let Some(sum) = sum.filter(|sum| !(0.0..=USD_MAX).contains(sum)) {
                let message = format!("{name} is {sum}; give dollars from 0 to {USD_MAX}");
                return Err(SettingsError::new(message));
            }
        }
        if input.is_some() != output.is_some() {
            return Err(SettingsError::new(
                "one of price_input_usd_per_million and price_output_usd_per_million is missing; give both",
            ));
        }
        if self.budget_usd.is_some() && input.is_none() {
            return Err(SettingsError::new(
                "budget_usd is kept by prices; give price_input_usd_per_million and \
                 price_output_usd_per_million (0 for a free model)",
            ));
        }
        Ok(())
    }
}

/// Prices of a million tokens, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prices {
    pub input: f64,
    pub output: f64,
}

impl Prices {
    /// What so many tokens cost, in US dollars.
    pub fn cost_usd(self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input + output_tokens as f64 * self.output) / 1e6
    }
}

/// A key that does not show itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ApiKey(String);

/// A key this long is a secret, not a word such as `none` or `EMPTY` that local servers want: it is
/// taken out of answers too, not only out of errors.
const SECRET_BYTES_MIN: usize = 16;

/// What stands where the key stood.
const HIDDEN: &str = "[key]";

impl ApiKey {
    /// A key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself, for the header of a request only.
    pub(crate) fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }

    /// A text of the server as it may stand in an error.
    pub(crate) fn hide(&self, text: &str) -> String {
        match self.reveal() {
            Some(key) => text.replace(key, HIDDEN),
            None => text.to_owned(),
        }
    }

    /// How a text of the server begins, as it may stand in an error: hidden first, then cut.
    pub(crate) fn quote(&self, text: &str) -> String {
        const LETTERS: usize = 200;
        let hidden = self.hide(text);
        match hidden.char_indices().nth(LETTERS) {
            Some((end, _)) => format!("{}...", hidden.get(..end).unwrap_or_default()),
            None => hidden,
        }
    }

    /// An answer of the model as it may be kept.
    pub(crate) fn hide_secret(&self, text: String) -> String {
        match self.reveal() {
            Some(key) if key.len() >= SECRET_BYTES_MIN && text.contains(key) => {
                text.replace(key, HIDDEN)
            }
            _ => text,
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        match self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(()),
            false => Err(SettingsError::new(
                "api_key has a space, a line end or a letter outside ASCII; give the key alone",
            )),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "none"
        } else {
            "[hidden]"
        })
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

/// A judge that cannot be made: what of its settings, kind or template is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsError(String);

impl SettingsError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

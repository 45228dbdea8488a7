//! From SPECs and stored definitions to scorers; judges get their model, server, key and budget here.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;
use tracehouse::eval::judge::{Client, Judge, JudgeSettings};
use tracehouse::eval::scorer::{Definition, parse_spec};
use tracehouse::eval::{EvalScorer, Scorer, ScorerInfo, definition_of, judge_observer, scorer_of};
use tracehouse::{Database, Error, Result};

use crate::args::JudgeArgs;
use crate::context::Context;
use crate::failure::report;

/// Where a server is looked for when the command line names none.
const URL_VARIABLE: &str = "OPENAI_BASE_URL";
/// Where the key is.
const KEY_VARIABLE: &str = "OPENAI_API_KEY";

/// What makes scorers; all judges share one client, and so the budget.
pub struct Judges<'a> {
    db: &'a Database,
    context: &'a Context,
    args: &'a JudgeArgs,
    client: OnceCell<Arc<Client>>,
}

impl<'a> Judges<'a> {
    /// With what the command line says of judges.
    pub fn of(context: &'a Context, db: &'a Database, args: &'a JudgeArgs) -> Self {
        Self {
            db,
            context,
            args,
            client: OnceCell::new(),
        }
    }

    /// The scorers of SPECs.
    pub fn parse(&self, specs: &[String]) -> Result<Vec<EvalScorer>> {
        let read = |name: &str| {
            let read = std::fs::read_to_string(name);
            read.map_err(|error| format!("{name}: {error}"))
        };
        let mut scorers = Vec::new();
        for spec in specs {
            let definitions = parse_spec(spec, &read);
            for definition in definitions.map_err(wrong)? {
                scorers.push(self.make(definition)?);
            }
        }
        Ok(scorers)
    }

    /// The scorers that a run keeps.
    pub fn again(&self, scorers: &[ScorerInfo]) -> Result<Vec<EvalScorer>> {
        let made = scorers.iter().map(|one| self.stored(&one.definition));
        made.collect()
    }

    /// The scorer of a stored definition.
    pub fn stored(&self, definition: &Value) -> Result<EvalScorer> {
        match definition.get("kind") == Some(&"judge".into()) {
            true => Ok(self.judge(definition)?.into()),
            false => self.make(definition_of(definition)?),
        }
    }

    fn make(&self, definition: Definition) -> Result<EvalScorer> {
        scorer_of(definition, |definition| self.judge(&definition.to_value()))
    }

    fn judge(&self, definition: &Value) -> Result<Arc<dyn Scorer>> {
        let settings = self.settings(definition.get("model").and_then(Value::as_str))?;
        let judge = Judge::from_definition(definition, &settings, self.client(&settings)?);
        Ok(Arc::new(judge.map_err(wrong)?))
    }

    fn settings(&self, stored_model: Option<&str>) -> Result<JudgeSettings> {
        let model = stored_model.or(self.args.judge_model.as_deref());
        let model = model
            .ok_or_else(|| Error::invalid_input("a judge needs --judge-model MODEL to ask"))?;
        let url = self
            .args
            .judge_url
            .clone()
            .or_else(|| variable(URL_VARIABLE));
        let url = url.ok_or_else(|| {
            Error::invalid_input(format!(
                "a judge needs --judge-url URL or {URL_VARIABLE}: an OpenAI-compatible server"
            ))
        })?;
        let mut settings = JudgeSettings::new(model, url);
        settings.concurrency = self.args.concurrency.unwrap_or(settings.concurrency);
        if let Some(key) = variable(KEY_VARIABLE) {
            settings = settings.api_key(key);
        }
        let price =
            (self.db.price_list().into_iter()).find(|row| row.model == model.to_lowercase());
        if let Some(row) = &price {
            settings.price_input_usd_per_million = Some(row.price.input);
            settings.price_output_usd_per_million = Some(row.price.output);
        }
        if let Some(budget) = self.args.budget {
            if price.is_none() {
                return Err(Error::invalid_input(format!(
                    "--budget needs the price of {model}: tracehouse prices DB set {model} --input USD --output USD"
                )));
            }
            settings.budget_usd = Some(budget);
        }
        Ok(settings)
    }

    fn client(&self, settings: &JudgeSettings) -> Result<Arc<Client>> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = Client::new(settings).map_err(wrong)?;
        let client = client.with_cancel(self.context.cancel.flag());
        let client = client.with_observer(judge_observer());
        let client = Arc::new(client.with_cache(self.db.judge_cache()?));
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// Says on standard error what judges used.
    pub fn say_usage(&self) {
        let Some(client) = self.client.get().filter(|_| !self.context.quiet) else {
            return;
        };
        let usage = client.usage();
        report(format_args!(
            "judges: {} calls, {} answers kept from before, {} retries, ${:.4}",
            usage.calls, usage.cache_hits, usage.retries, usage.spent_usd
        ));
    }
}

fn wrong(error: impl ToString) -> Error {
    Error::invalid_input(error.to_string())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

//! The JSON of a chat completions request, and of its response.

use serde_json::{Map, Value, json};

use super::super::settings::Prices;
use crate::Turn;

/// How the answer's form is asked for, from the strictest to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AnswerForm {
    JsonSchema,
    JsonObject,
    Plain,
}

impl AnswerForm {
    /// The next one to try.
    pub fn lower(self) -> Option<Self> {
        match self {
            Self::JsonSchema => Some(Self::JsonObject),
            Self::JsonObject => Some(Self::Plain),
            Self::Plain => None,
        }
    }
}

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    pub judge: &'a str,
    pub judge_version: &'a str,
    pub model: &'a str,
    pub messages: &'a [Turn],
    pub schema: &'a Value,
    pub form: AnswerForm,
    pub temperature: Option<f64>,
    pub seed: Option<u64>,
    pub max_tokens: u32,
    /// Whether the limit goes under its newer name, `max_completion_tokens`.
    pub newer_limit: bool,
    pub prices: Option<Prices>,
    pub purpose: Purpose,
}

/// Why a question is asked; it is counted so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    First,
    /// The answer could not be read.
    Repair,
    /// The server refused the form before.
    OtherForm,
}

/// Tokens of a prompt for which no byte is sent: marks between messages.
const PROMPT_TOKENS_SLACK: u64 = 64;

impl Ask<'_> {
    /// The request's body.
    pub fn body(&self) -> String {
        let messages = self.messages.iter();
        let messages: Vec<Value> = messages
            .map(|message| json!({"role": message.role, "content": message.text}))
            .collect();
        let mut body = Map::new();
        let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
        set("model", json!(self.model));
        set("messages", Value::Array(messages));
        set("stream", json!(false));
        set(
            match self.newer_limit {
                true => "max_completion_tokens",
                false => "max_tokens",
            },
            json!(self.max_tokens),
        );
        if let Some(temperature) = self.temperature {
            set("temperature", json!(temperature));
        }
        if let Some(seed) = self.seed {
            set("seed", json!(seed));
        }
        match self.form {
            AnswerForm::JsonSchema => {
                let schema = json!({"name": "verdict", "strict": true, "schema": self.schema});
                set(
                    "response_format",
                    json!({"type": "json_schema", "json_schema": schema}),
                );
            }
            AnswerForm::JsonObject => {
                set("response_format", json!({"type": "json_object"}));
            }
            AnswerForm::Plain => {}
        }
        Value::Object(body).to_string()
    }

    /// The most that a call with this body can cost, in US dollars: a token stands for at least one byte.
    pub fn most_usd(&self, body: &str) -> f64 {
        let input_tokens = body.len() as u64 + PROMPT_TOKENS_SLACK;
        self.prices.map_or(0.0, |prices| {
            prices.cost_usd(input_tokens, u64::from(self.max_tokens))
        })
    }

    /// Tokens that a call with this body will have, as far as one can guess: four bytes each, and all
    /// of the answer.
    pub fn tokens_guess(&self, body: &str) -> u64 {
        body.len() as u64 / 4 + u64::from(self.max_tokens)
    }
}

/// What a response says was used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Told {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost_usd: Option<f64>,
}

impl Told {
    /// What the call cost: by the prices and both counts of tokens, or by the server's own word.
    pub fn cost_usd(&self, prices: Option<Prices>) -> Option<f64> {
        match prices {
            Some(prices) => Some(prices.cost_usd(self.input_tokens?, self.output_tokens?)),
            None => self.cost_usd,
        }
    }
}

/// A response that holds an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChatAnswer {
    pub text: String,
    pub model: Option<String>,
    /// The server stopped it at the limit of tokens.
    pub cut: bool,
}

/// Reads a response's body: what it answers, or what is wrong with it, and what was used in any case.
pub(crate) fn read(body: &Value) -> (Result<ChatAnswer, String>, Told) {
    (answer(body), told(body))
}

fn told(body: &Value) -> Told {
    let usage = body.get("usage");
    let field = |name: &str| usage.and_then(|usage| usage.get(name));
    Told {
        input_tokens: field("prompt_tokens").and_then(Value::as_u64),
        output_tokens: field("completion_tokens").and_then(Value::as_u64),
        cost_usd: field("cost")
            .and_then(Value::as_f64)
            .filter(|cost| cost.is_finite() && *cost >= 0.0),
    }
}

fn answer(body: &Value) -> Result<ChatAnswer, String> {
    let Some(choice) = body.get("choices").and_then(|choices| choices.get(0)) else {
        return Err("the response has no choices[0]".to_owned());
    };
    let Some(message) = choice.get("message") else {
        return Err("the response has no choices[0].message".to_owned());
    };
    let text = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts_text(parts)?,
        None | Some(Value::Null) => message
            .get("refusal")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        Some(_) => return Err("choices[0].message.content is no text".to_owned()),
    };
    Ok(ChatAnswer {
        text,
        model: body.get("model").and_then(Value::as_str).map(str::to_owned),
        cut: choice.get("finish_reason").and_then(Value::as_str) == Some("length"),
    })
}

fn parts_text(parts: &[Value]) -> Result<String, String> {
    let text = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    let texts: Option<Vec<String>> = parts.iter().map(text).collect();
    let no_text = || "a part of choices[0].message.content is no text".to_owned();
    texts.map(|texts| texts.concat()).ok_or_else(no_text)
}

/// The message of an error response, in whichever of the usual places it is.
pub(crate) fn error_message(body: &Value) -> Option<String> {
    let error = body.get("error").filter(|error| !error.is_null());
    let places = [
        error.and_then(|error| error.get("message")),
        error,
        body.get("message"),
        body.get("detail"),
    ];
    let first = places
        .into_iter()
        .flatten()
        .find(|value| !value.is_null())?;
    Some(
        first
            .as_str()
            .map_or_else(|| first.to_string(), str::to_owned),
    )
}

//! What the argument of each kind means: `KIND:ARGUMENT` to settings.
//!
//! Invariant: a kind that takes no argument refuses one, a kind that needs one says how it looks.

use serde_json::{Map, Value};

use super::super::definition::{Body, JudgeForm, JudgeWord, Sql};
use super::super::error::SpecError;
use super::super::rules::{
    Citation, Contains, CostUsd, ExactMatch, Forbidden, JsonSchema, JsonValid, LatencyMs, MaxWords,
    Numeric, Regex, RougeL, Rule, TokenF1, TokensMax, ToolCalls,
};
use super::Read;
use super::nearest::nearest;

/// What stands after the kind, and how to read the files it names.
pub(super) struct Arguments<'a> {
    pub(super) argument: Option<&'a str>,
    pub(super) read: Read<'a>,
}

impl Arguments<'_> {
    /// The settings of a kind; `None` when it is not known.
    pub(super) fn body(&self, kind: &str) -> Option<Result<Body, SpecError>> {
        let rule = match kind {
            "exact_match" => self
                .nothing()
                .map(|()| Rule::ExactMatch(ExactMatch::default())),
            "contains" => self.contains().map(Rule::Contains),
            "regex" => self.text("RE").map(|text| Rule::Regex(Regex::new(text))),
            "json_valid" => self
                .nothing()
                .map(|()| Rule::JsonValid(JsonValid::default())),
            "json_schema" => self.json_schema().map(Rule::JsonSchema),
            "max_words" => self
                .count("words")
                .map(|n| Rule::MaxWords(MaxWords::new(n))),
            "numeric" => self.numeric().map(Rule::Numeric),
            "token_f1" => self.threshold().map(|t| Rule::TokenF1(TokenF1::new(t))),
            "rouge_l" => self.threshold().map(|t| Rule::RougeL(RougeL::new(t))),
            "tool_calls" => self
                .nothing()
                .map(|()| Rule::ToolCalls(ToolCalls::default())),
            "latency_ms" => self
                .number("milliseconds")
                .map(|max| Rule::LatencyMs(LatencyMs { max })),
            "tokens" => self
                .count("tokens")
                .map(|max| Rule::Tokens(TokensMax { max })),
            "cost_usd" => self
                .number("US dollars")
                .map(|max| Rule::CostUsd(CostUsd { max })),
            "citation" => self.nothing().map(|()| Rule::Citation(Citation::default())),
            "forbidden" => self
                .file()
                .map(|list| Rule::Forbidden(Forbidden::from_list(&list))),
            "sql" => return Some(self.sql().map(Body::Sql)),
            "judge" => return Some(self.judge().map(Body::Judge)),
            _ => return None,
        };
        Some(rule.map(Body::Rule))
    }

    fn nothing(&self) -> Result<(), SpecError> {
        match self.argument {
            None => Ok(()),
            Some(argument) => Err(SpecError::new(format!(
                "takes no argument, `{argument}` was given; a TOML file has its settings"
            ))),
        }
    }

    fn text(&self, form: &str) -> Result<&str, SpecError> {
        self.argument
            .filter(|argument| !argument.trim().is_empty())
            .ok_or_else(|| SpecError::new(format!("needs an argument, `:{form}`")))
    }

    fn file(&self) -> Result<String, SpecError> {
        read_file(self.text("FILE")?, self.read)
    }

    fn contains(&self) -> Result<Contains, SpecError> {
        let texts = match self.argument {
            None => Vec::new(),
            Some(_) => vec![self.text("TEXT")?.to_owned()],
        };
        Ok(Contains::new(texts))
    }

    fn json_schema(&self) -> Result<JsonSchema, SpecError> {
        let schema = parse_schema(self.text("FILE")?, &self.file()?)?;
        Ok(JsonSchema::new(schema))
    }

    fn number(&self, unit: &str) -> Result<f64, SpecError> {
        let text = self.text("NUMBER")?;
        let number: Option<f64> = text.trim().parse().ok();
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| SpecError::new(format!("`{text}` is not a number of {unit}, 0 or more")))
    }

    fn count(&self, unit: &str) -> Result<u64, SpecError> {
        let text = self.text("N")?;
        let message = format!("`{text}` is not a whole number of {unit}, 0 or more");
        text.trim().parse().map_err(|_| SpecError::new(message))
    }

    fn threshold(&self) -> Result<Option<f64>, SpecError> {
        match self.argument {
            None => Ok(None),
            Some(_) => self.number("a threshold").map(Some),
        }
    }

    /// `0.01` is absolute, `1%` is relative.
    fn numeric(&self) -> Result<Numeric, SpecError> {
        let text = self.text("TOLERANCE, as `:0.01`, or `:1%` of what is expected")?;
        let percent = text.trim().strip_suffix('%');
        let digits = Arguments {
            argument: Some(percent.unwrap_or(text)),
            read: self.read,
        };
        let number = digits.number("a tolerance")?;
        Ok(match percent {
            Some(_) => Numeric::new(None, Some(number / 100.0)),
            None => Numeric::new(Some(number), None),
        })
    }

    fn sql(&self) -> Result<Sql, SpecError> {
        Ok(Sql {
            expression: self.text("EXPR")?.trim().to_owned(),
            threshold: None,
        })
    }

    fn judge(&self) -> Result<JudgeForm, SpecError> {
        let argument = self.text("guidelines:FILE or :correctness")?;
        let (word, file) = match argument.split_once(':') {
            Some((word, file)) => (word, Some(file)),
            None => (argument.trim_end(), None),
        };
        let judge = JudgeWord::ALL.into_iter().find(|kind| kind.word() == word);
        let judge = judge.ok_or_else(|| unknown_judge(word))?;
        let inner = Arguments {
            argument: file,
            read: self.read,
        };
        let mut made = JudgeForm {
            judge,
            guidelines: Vec::new(),
            template: None,
            settings: Map::new(),
        };
        match judge {
            JudgeWord::Guidelines => made.guidelines = vec![inner.file()?.trim().to_owned()],
            JudgeWord::Custom => made.template = Some(inner.file()?),
            _ => inner.nothing()?,
        }
        Ok(made)
    }
}

/// The text of a file, through the caller.
pub(super) fn read_file(name: &str, read: Read<'_>) -> Result<String, SpecError> {
    read(name).map_err(|error| SpecError::new(format!("cannot read `{name}`: {error}")))
}

/// The JSON of a schema's file.
pub(super) fn parse_schema(name: &str, text: &str) -> Result<Value, SpecError> {
    serde_json::from_str(text)
        .map_err(|error| SpecError::new(format!("`{name}` is not JSON: {error}")))
}

fn unknown_judge(word: &str) -> SpecError {
    let words = JudgeWord::ALL.map(JudgeWord::word);
    let near = match nearest(word, words.into_iter()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    SpecError::new(format!(
        "unknown judge `{word}`; {near}known are {}",
        words.join(", ")
    ))
}

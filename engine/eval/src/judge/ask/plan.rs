//! A kind worked out: its text, its output, what it needs, and the messages for one item.

use serde_json::{Value, json};

use super::super::settings::SettingsError;
use super::fence::fenced;
use super::kind::{JudgeKind, OutputType};
use super::template::Template;
use super::texts;
use super::variable::{Variable, numbered};
use crate::{Item, Needs, ScoreError, Turn};

/// What a judge asks, ready for items.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub output: OutputType,
    system: String,
    template: Template,
}

impl Plan {
    pub fn new(kind: &JudgeKind) -> Result<Self, SettingsError> {
        let output = match kind {
            JudgeKind::Custom { output, .. } => output.clone(),
            _ => OutputType::Boolean,
        };
        output.check()?;
        Ok(Self {
            system: format!("{}{}", texts::SYSTEM, shape(&output)),
            template: template(kind)?,
            output,
        })
    }

    pub fn needs(&self) -> Needs {
        self.template.needs()
    }

    /// The system message and the user message.
    pub fn messages(&self, item: &Item) -> Result<Vec<Turn>, ScoreError> {
        let user = self.template.fill(item)?;
        Ok(vec![
            message("system", self.system.clone()),
            message("user", user),
        ])
    }

    /// The messages with which an answer that could not be read is asked for again.
    pub fn repair(&self, messages: &[Turn], answer: &str, error: &str) -> Vec<Turn> {
        let again = texts::REPAIR.replace("{error}", error);
        let mut all = messages.to_vec();
        all.push(message("assistant", answer.to_owned()));
        all.push(message("user", again));
        all
    }

    /// All fixed text, for the judge's version.
    pub fn fingerprint(&self) -> String {
        format!(
            "{}\0{}\0{}",
            self.system,
            self.template.fingerprint(),
            texts::REPAIR
        )
    }

    /// The JSON schema of the answer. The reason comes first, so that the verdict is drawn from it.
    pub fn schema(&self) -> Value {
        let value = match &self.output {
            OutputType::Boolean => json!({"type": "boolean"}),
            OutputType::Number { min, max, .. } => {
                json!({"type": "number", "minimum": min, "maximum": max})
            }
            OutputType::Category { categories, .. } => {
                json!({"type": "string", "enum": categories})
            }
            OutputType::Text => json!({"type": "string"}),
        };
        json!({
            "type": "object",
            "properties": {"rationale": {"type": "string"}, "value": value},
            "required": ["rationale", "value"],
            "additionalProperties": false,
        })
    }
}

/// The answer asked for, in words: servers without structured output follow these.
fn shape(output: &OutputType) -> String {
    let (value, what) = match output {
        OutputType::Boolean => ("true or false".to_owned(), "the verdict"),
        OutputType::Number { min, max, .. } => {
            (format!("a number from {min} to {max}"), "the verdict")
        }
        OutputType::Category { categories, .. } => {
            let words: Vec<String> = categories.iter().map(|word| format!("{word:?}")).collect();
            (format!("one of {}", words.join(", ")), "the verdict")
        }
        OutputType::Text => ("\"...\"".to_owned(), "the verdict, a text"),
    };
    format!(
        "{{\"rationale\": \"...\", \"value\": ...}}\n\
         - rationale: why, in one to three sentences, written before you decide;\n\
         - value: {what}: {value}."
    )
}

fn template(kind: &JudgeKind) -> Result<Template, SettingsError> {
    use Variable::{Answer, Documents, Expected, Guidelines, Inputs, InputsIfAny, Outputs};
    let of = |text: &str, blocks: &[Variable]| Ok(Template::of_blocks(text, blocks));
    match kind {
        JudgeKind::Guidelines { guidelines } if guidelines.is_empty() => {
            of(texts::GUIDELINES, &[Guidelines, InputsIfAny, Answer])
        }
        JudgeKind::Guidelines { guidelines } => {
            if guidelines.iter().any(|text| text.trim().is_empty()) {
                return Err(SettingsError::new(
                    "a guideline is empty; say what must hold",
                ));
            }
            let block = fenced("guidelines", &numbered(guidelines));
            of(
                &format!("{}\n\n{block}", texts::GUIDELINES),
                &[InputsIfAny, Answer],
            )
        }
        JudgeKind::Correctness => of(texts::CORRECTNESS, &[InputsIfAny, Outputs, Expected]),
        JudgeKind::Groundedness => of(texts::GROUNDEDNESS, &[InputsIfAny, Documents, Outputs]),
        JudgeKind::Safety => of(texts::SAFETY, &[InputsIfAny, Answer]),
        JudgeKind::Relevance => of(texts::RELEVANCE, &[Inputs, Outputs]),
        JudgeKind::Custom { template, .. } => Template::parse(template),
    }
}

fn message(role: &str, text: String) -> Turn {
    let role = role.to_owned();
    Turn { role, text }
}

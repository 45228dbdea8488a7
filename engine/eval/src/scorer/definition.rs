//! A scorer as data: what a run stores and what a scorer is made of again.
//!
//! ```text
//! {"kind": "contains", "name": "says_paris", "texts": ["Paris"], "any": false, "ignore_case": true}
//! {"kind": "sql", "name": "sql", "expression": "total_tokens < 500"}
//! {"kind": "judge", "name": "polite", "judge": "guidelines", "guidelines": ["Be polite."]}
//! ```
//!
//! `kind` says which; `name` is the kind (of a judge: the judge's) unless said; `version` is there only when a user gave
//! one; all else are settings of the kind.
//!
//! Invariants
//! 1. A definition that could be made can be built: its settings were checked.
//! 2. The version hashes the settings with keys in order, so it does not hang on the order of keys nor on the name.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::SpecError;
use super::named::Named;
use super::rules::Rule;
use super::spec::unknown_kind;
use crate::Scorer;

/// Length of a version that is a hash, in hex digits.
const VERSION_DIGITS: usize = 12;

/// A scorer with its name and, when a user gave one, its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    name: String,
    version: Option<String>,
    body: Body,
}

/// What kinds of scorers there are, by who can build them.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Built here, by [`Definition::scorer`].
    Rule(Rule),
    /// Built by who has a database.
    Sql(Sql),
    /// Built by who has a server.
    Judge(JudgeForm),
}

/// A scorer that is an expression of SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The expression; whether it is right is found by who builds it.
    pub expression: String,
    /// Numbers from here on pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// A scorer that asks a language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeForm {
    /// What it is asked about.
    pub judge: JudgeWord,
    /// The guidelines, of [`JudgeWord::Guidelines`] only; a single text is a list of one.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_more"
    )]
    pub guidelines: Vec<String>,
    /// The template, of [`JudgeWord::Custom`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Any other settings (model, type of the answer, ...), checked by who builds it.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// What a judge is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeWord {
    /// Whether the answer keeps to guidelines.
    Guidelines,
    /// Whether it says what was expected.
    Correctness,
    /// Whether the documents bear it out.
    Groundedness,
    /// Whether it is harmless.
    Safety,
    /// Whether it is about the question.
    Relevance,
    /// A template of the user's.
    Custom,
}

impl JudgeWord {
    /// All, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Guidelines,
        Self::Correctness,
        Self::Groundedness,
        Self::Safety,
        Self::Relevance,
        Self::Custom,
    ];

    /// Its word in a SPEC, and the default name of its scores.
    pub fn word(self) -> &'static str {
        match self {
            Self::Guidelines => "guidelines",
            Self::Correctness => "correctness",
            Self::Groundedness => "groundedness",
            Self::Safety => "safety",
            Self::Relevance => "relevance",
            Self::Custom => "custom",
        }
    }
}

impl Definition {
    /// A definition under its default name.
    ///
    /// # Errors
    /// When the settings are wrong: a pattern that is no regular expression, a threshold outside 0 to 1, ...
    pub fn new(body: Body) -> Result<Self, SpecError> {
        let definition = Self {
            name: default_name(&body).to_owned(),
            version: None,
            body,
        };
        definition.check()?;
        Ok(definition)
    }

    /// A definition from its JSON; settings left out have their defaults.
    ///
    /// # Errors
    /// When the JSON is not of the form this file's head shows, a setting is not known, or as [`Definition::new`].
    pub fn from_value(value: &Value) -> Result<Self, SpecError> {
        let Value::Object(object) = value else {
            let message = format!("a scorer's definition is an object with `kind`, not {value}");
            return Err(SpecError::new(message));
        };
        let mut settings = object.clone();
        let name = take_text(&mut settings, "name")?;
        let version = take_text(&mut settings, "version")?;
        let kind = match settings.get("kind") {
            Some(Value::String(kind)) => kind.clone(),
            _ => return Err(SpecError::new("a scorer's definition needs `kind`, a text")),
        };
        let of = name.clone().unwrap_or_else(|| kind.clone());
        let body = body_of(&kind, settings).map_err(|error| error.of(format!("scorer `{of}`")))?;
        let mut definition = Self::new(body)?;
        if let Some(name) = name {
            definition = definition.named(&name)?;
        }
        definition.version = version;
        Ok(definition)
    }

    /// The JSON of it: everything spelled out.
    pub fn to_value(&self) -> Value {
        let mut object = self.settings();
        object.insert("name".to_owned(), json!(self.name));
        if let Some(version) = &self.version {
            object.insert("version".to_owned(), json!(version));
        }
        Value::Object(object)
    }

    /// The name of the scores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same scorer under another name.
    ///
    /// # Errors
    /// When the name is empty, starts or ends with white space, or has control characters.
    pub fn named(mut self, name: &str) -> Result<Self, SpecError> {
        if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
            return Err(SpecError::new(format!(
                "a scorer cannot be named {name:?}; a name has no white space around it, no line breaks, and is not empty"
            )));
        }
        name.clone_into(&mut self.name);
        Ok(self)
    }

    /// The version: the user's, or the first 12 hex digits of the settings' SHA-256.
    pub fn version(&self) -> String {
        if let Some(version) = &self.version {
            return version.clone();
        }
        let mut canonical = String::new();
        write_canonical(&Value::Object(self.settings()), &mut canonical);
        let digest = Sha256::digest(canonical.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.chars().take(VERSION_DIGITS).collect()
    }

    /// What it is, for those who build it.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The scorer, when it is a rule.
    ///
    /// # Errors
    /// When it is SQL or a judge, which need a database or a server.
    pub fn scorer(&self) -> Result<Box<dyn Scorer>, SpecError> {
        let Body::Rule(rule) = &self.body else {
            let kind = default_name(&self.body);
            let message = format!("scorer `{}` ({kind}) is not a rule", self.name);
            return Err(SpecError::new(message));
        };
        Ok(Box::new(Named {
            name: self.name.clone(),
            version: self.version(),
            definition: self.to_value(),
            check: rule.build()?,
        }))
    }

    fn check(&self) -> Result<(), SpecError> {
        let checked = match &self.body {
            Body::Rule(rule) => rule.build().map(drop),
            Body::Sql(sql) => check_sql(sql),
            Body::Judge(judge) => check_judge(judge),
        };
        checked.map_err(|error| error.of(&self.name))
    }

    fn settings(&self) -> Map<String, Value> {
        let (kind, value) = match &self.body {
            Body::Rule(rule) => (None, serde_json::to_value(rule)),
            Body::Sql(sql) => (Some("sql"), serde_json::to_value(sql)),
            Body::Judge(judge) => (Some("judge"), serde_json::to_value(judge)),
        };
        // Only maps with keys that are no texts cannot be written, and no settings have one.
        let mut object = match value {
            Ok(Value::Object(object)) => object,
            _ => Map::new(),
        };
        if let Some(kind) = kind {
            object.insert("kind".to_owned(), json!(kind));
        }
        object
    }
}

/// The scorer of a definition in JSON, when it is a rule.
///
/// ```
/// use serde_json::json;
/// use tracehouse_eval::{Item, Scorer, scorer::from_definition};
///
/// let scorer = from_definition(&json!({"kind": "max_words", "max": 3})).unwrap();
/// let item = Item { output_text: Some("four words are here".into()), ..Item::default() };
/// let score = scorer.score(&item).unwrap();
/// assert_eq!((score.value, score.passed), (json!(4), Some(false)));
/// assert_eq!(scorer.name(), "max_words");
/// ```
///
/// # Errors
/// As [`Definition::from_value`] and [`Definition::scorer`].
pub fn from_definition(value: &Value) -> Result<Box<dyn Scorer>, SpecError> {
    Definition::from_value(value)?.scorer()
}

fn default_name(body: &Body) -> &'static str {
    match body {
        Body::Rule(rule) => rule.kind(),
        Body::Sql(_) => "sql",
        Body::Judge(judge) => judge.judge.word(),
    }
}

fn body_of(kind: &str, mut settings: Map<String, Value>) -> Result<Body, SpecError> {
    let built = match kind {
        "sql" | "judge" => {
            settings.remove("kind");
            let settings = Value::Object(settings);
            if kind == "sql" {
                serde_json::from_value(settings).map(Body::Sql)
            } else {
                serde_json::from_value(settings).map(Body::Judge)
            }
        }
        rule if Rule::KINDS.contains(&rule) => {
            serde_json::from_value(Value::Object(settings)).map(Body::Rule)
        }
        other => return Err(unknown_kind(other)),
    };
    built.map_err(|error| SpecError::new(format!("{kind}: {error}")))
}

fn take_text(settings: &mut Map<String, Value>, key: &str) -> Result<Option<String>, SpecError> {
    match settings.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(other) => Err(SpecError::new(format!(
            "`{key}` of a scorer is a text, not {other}"
        ))),
    }
}

fn check_sql(sql: &Sql) -> Result<(), SpecError> {
    if sql.expression.trim().is_empty() {
        return Err(SpecError::new(
            "the expression is empty; `sql:total_tokens < 500` would be one",
        ));
    }
    match sql.threshold {
        Some(threshold) if !threshold.is_finite() => {
            Err(SpecError::new("threshold must be a finite number"))
        }
        _ => Ok(()),
    }
}

fn check_judge(judge: &JudgeForm) -> Result<(), SpecError> {
    let wants = (
        judge.judge == JudgeWord::Guidelines,
        judge.judge == JudgeWord::Custom,
    );
    let has_guidelines = judge.guidelines.iter().any(|text| !text.trim().is_empty());
    let template = judge.template.as_deref();
    let has_template = template.is_some_and(|text| !text.trim().is_empty());
    let word = judge.judge.word();
    let message = match (wants, has_guidelines, has_template) {
        ((true, _), false, _) => "needs guidelines, and there are none".to_owned(),
        ((_, true), _, false) => "needs a template, and there is none".to_owned(),
        ((false, _), true, _) => format!("judge `{word}` takes no guidelines"),
        ((_, false), _, true) => format!("judge `{word}` takes no template; `custom` does"),
        _ => return Ok(()),
    };
    Err(SpecError::new(message))
}

/// JSON with the keys of objects in order, whatever the map keeps.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&json!(key).to_string());
                out.push(':');
                write_canonical(object.get(key).unwrap_or(&Value::Null), out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, inner) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_canonical(inner, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "guidelines are a text or a list of texts")]
    enum Texts {
        One(String),
        More(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::More(texts) => texts,
    })
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Definition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(de::Error::custom)
    }
}

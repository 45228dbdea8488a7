//! A judge as data, in the form that all scorers have.
//!
//! ```text
//! {"kind": "judge", "name": "polite", "judge": "guidelines", "guidelines": ["Be polite."], "model": "m",
//!  "base_url": "http://localhost/v1", "temperature": 0.0, "max_tokens": 1024, "seed": null}
//! ```
//!
//! Invariant: what is written and read again is a judge of the same version. The key is in none of it.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::ask::JudgeKind;
use super::call::Client;
use super::settings::{JudgeSettings, Prices, SettingsError};
use crate::Scorer;

/// Fields of a [`JudgeKind`].
const KIND_FIELDS: [&str; 4] = ["judge", "guidelines", "template", "output"];

/// All others.
const FIELDS: [&str; 8] = [
    "kind",
    "name",
    "version",
    "model",
    "base_url",
    "temperature",
    "max_tokens",
    "seed",
];

/// What of the settings is a judge's own.
#[derive(Debug, Clone)]
pub(crate) struct ModelSettings {
    pub model: String,
    pub temperature: Option<f64>,
    pub max_tokens: u32,
    pub seed: Option<u64>,
    pub prices: Option<Prices>,
}

impl ModelSettings {
    pub fn of(settings: &JudgeSettings) -> Self {
        Self {
            model: settings.model.clone(),
            temperature: settings.temperature,
            max_tokens: settings.max_tokens,
            seed: settings.seed,
            prices: settings.prices(),
        }
    }
}

pub(crate) fn write(
    judge: &dyn Scorer,
    kind: &JudgeKind,
    version: &Option<String>,
    model: &ModelSettings,
    client: &Client,
) -> Value {
    let mut fields = match json!(kind) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("kind", json!("judge"));
    set("name", json!(judge.name()));
    if let Some(version) = version {
        set("version", json!(version));
    }
    set("model", json!(model.model));
    set("base_url", json!(client.base_url()));
    set("temperature", json!(model.temperature));
    set("max_tokens", json!(model.max_tokens));
    set("seed", json!(model.seed));
    Value::Object(fields)
}

/// What a definition tells.
#[derive(Debug)]
pub(crate) struct Told {
    pub name: String,
    pub version: Option<String>,
    pub kind: JudgeKind,
    pub settings: JudgeSettings,
}

impl Told {
    /// Reads a definition; settings that it does not tell are those given.
    pub fn read(definition: &Value, settings: &JudgeSettings) -> Result<Self, SettingsError> {
        let fields = definition.as_object();
        let fields = fields.filter(|fields| fields.get("kind") == Some(&json!("judge")));
        let fields = fields.ok_or_else(|| {
            SettingsError::new("the definition is not a judge's; it has \"kind\": \"judge\"")
        })?;
        let known = |name: &String| {
            [&KIND_FIELDS[..], &FIELDS[..]]
                .concat()
                .contains(&name.as_str())
        };
        if let Some(name) = fields.keys().find(|name| !known(name)) {
            return Err(SettingsError::new(format!(
                "the definition of a judge has the unknown field {name:?}; known are {KIND_FIELDS:?} and {FIELDS:?}"
            )));
        }
        let of_kind = fields
            .iter()
            .filter(|(name, _)| KIND_FIELDS.contains(&name.as_str()));
        let of_kind = of_kind.map(|(name, value)| (name.clone(), value.clone()));
        let kind: JudgeKind = read("judge", Value::Object(of_kind.collect()))?;
        check_fields(&kind, fields)?;
        Ok(Self {
            name: field(fields, "name")?.unwrap_or_else(|| kind.word().to_owned()),
            version: field(fields, "version")?,
            settings: JudgeSettings {
                model: field(fields, "model")?.unwrap_or_else(|| settings.model.clone()),
                temperature: field(fields, "temperature")?.unwrap_or(settings.temperature),
                max_tokens: field(fields, "max_tokens")?.unwrap_or(settings.max_tokens),
                seed: field(fields, "seed")?.unwrap_or(settings.seed),
                ..settings.clone()
            },
            kind,
        })
    }
}

/// A field of another kind would be left unread.
fn check_fields(kind: &JudgeKind, fields: &Map<String, Value>) -> Result<(), SettingsError> {
    let own: &[&str] = match kind {
        JudgeKind::Guidelines { .. } => &["judge", "guidelines"],
        JudgeKind::Custom { .. } => &["judge", "template", "output"],
        _ => &["judge"],
    };
    let strange =
        |name: &&String| KIND_FIELDS.contains(&name.as_str()) && !own.contains(&name.as_str());
    match fields.keys().find(strange) {
        Some(name) => Err(SettingsError::new(format!(
            "a judge of {} has no field {name:?}; leave it out",
            kind.word()
        ))),
        None => Ok(()),
    }
}

/// The field, when it is there. Of an optional setting `null` is a value, and means none.
fn field<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<T>, SettingsError> {
    fields
        .get(name)
        .map(|value| read(name, value.clone()))
        .transpose()
}

fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, SettingsError> {
    serde_json::from_value(value).map_err(|error| {
        SettingsError::new(format!(
            "the definition of a judge has a wrong {name:?}: {error}"
        ))
    })
}

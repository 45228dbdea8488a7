//! The compiled setting, and the pass over one batch that applies and counts it.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::json;
use super::names;
use super::patterns::Patterns;
use super::settings::Redaction;
use crate::error::Result;

/// What stands for a value whose name says that it is secret.
pub(super) const HIDDEN: &str = "[REDACTED]";
/// How everything that stands for something begins.
const HIDDEN_START: &str = "[REDACTED";
/// What stands for a text that the callback failed on.
const FAILED: &str = "[REDACTED:callback failed]";
/// JSON in strings of JSON is looked into this deep; what is deeper is plain text.
const NESTING_MAX: usize = 8;

/// Where a text stands, for a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedactionField<'a> {
    /// What it is part of: `attributes`, `events`, `inputs`, `tags`, `value`, `records` and so on.
    pub part: &'a str,
    /// The key nearest to it, when it has one.
    pub key: Option<&'a str>,
}

/// A callback's answer: `None` keeps the text.
type Answer = std::result::Result<Option<String>, Box<dyn StdError + Send + Sync>>;
type Call = dyn Fn(RedactionField<'_>, &str) -> Answer + Send + Sync;

/// A function of the host that sees every text before it is stored, and its name.
#[derive(Clone)]
pub struct RedactionCallback {
    pub(super) name: String,
    call: Arc<Call>,
}

impl RedactionCallback {
    /// A callback of this name.
    pub fn new<F>(name: impl Into<String>, call: F) -> Self
    where
        F: Fn(RedactionField<'_>, &str) -> Answer + Send + Sync + 'static,
    {
        Self { name: name.into(), call: Arc::new(call) }
    }
}

impl fmt::Debug for RedactionCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedactionCallback").field(&self.name).finish()
    }
}

/// What was redacted since the database was opened.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub values: AtomicU64,
    pub failures: AtomicU64,
}

/// A setting ready to be applied.
#[derive(Debug)]
pub(crate) struct Redactor {
    setting: Redaction,
    /// Further names of secrets, as they are compared.
    deny: Vec<String>,
    patterns: Vec<Patterns>,
    callback: Option<RedactionCallback>,
    totals: Arc<Totals>,
}

impl Redactor {
    /// Compiles a setting.
    ///
    /// # Errors
    /// `InvalidInput` for a name, size or pattern that is not allowed.
    pub(super) fn new(
        setting: Redaction,
        callback: Option<RedactionCallback>,
        totals: Arc<Totals>,
    ) -> Result<Self> {
        setting.check()?;
        let patterns = Patterns::of(&setting)?;
        let deny = setting.deny.iter().map(|name| names::squashed(name)).collect();
        Ok(Self { setting, deny, patterns, callback, totals })
    }

    /// A pass over one batch; `None` when there is nothing to redact.
    pub(crate) fn pass(&self) -> Option<Pass<'_>> {
        let by_name = self.setting.names || !self.deny.is_empty();
        (by_name || self.reads_texts()).then_some(Pass { redactor: self, count: 0, failures: 0 })
    }

    fn reads_texts(&self) -> bool {
        self.setting.has_patterns() || self.callback.is_some()
    }
}

/// One pass over a batch.
pub(crate) struct Pass<'r> {
    redactor: &'r Redactor,
    count: u64,
    failures: u64,
}

impl Pass<'_> {
    /// How many values were replaced, in whole or in part; they count for the totals from now on.
    pub(crate) fn finish(self) -> u64 {
        let totals = &self.redactor.totals;
        totals.values.fetch_add(self.count, Ordering::Relaxed);
        totals.failures.fetch_add(self.failures, Ordering::Relaxed);
        self.count
    }

    /// Whether texts are looked into at all; otherwise only names count.
    pub(crate) fn reads_texts(&self) -> bool {
        self.redactor.reads_texts()
    }

    /// Whether numbers may match a pattern; secrets of well-known shapes are never numbers.
    pub(crate) fn reads_numbers(&self) -> bool {
        self.redactor.setting.cards || !self.redactor.setting.rules.is_empty()
    }

    /// Whether the values under a key are secret by its name.
    pub(crate) fn is_secret(&self, key: &str) -> bool {
        let setting = &self.redactor.setting;
        let named = (setting.names && names::is_well_known(key))
            || self.redactor.deny.iter().any(|name| names::is_same(key, name));
        named && !self.is_allowed(key)
    }

    /// Whether the values under a key are never touched.
    pub(crate) fn is_allowed(&self, key: &str) -> bool {
        self.redactor.setting.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(key))
    }

    /// What a secret text becomes; `None` when there is nothing to hide.
    pub(crate) fn hide(&mut self, text: &str) -> Option<String> {
        let says_nothing = text.is_empty() || text.starts_with(HIDDEN_START);
        (!says_nothing).then(|| self.hide_value())
    }

    /// What a secret value becomes that is no text.
    pub(crate) fn hide_value(&mut self) -> String {
        self.count += 1;
        HIDDEN.to_string()
    }

    /// A text without what matches, through the callback; `None` when it stays as it is.
    pub(crate) fn text(&mut self, field: RedactionField<'_>, text: &str) -> Option<String> {
        if !self.reads_texts() || field.key.is_some_and(|key| self.is_allowed(key)) {
            return None;
        }
        let scanned = self.scan(text, 0);
        let answer = match &self.redactor.callback {
            Some(callback) => {
                let seen = scanned.as_deref().unwrap_or(text);
                // A panic may leave the callback's own state half changed; it is the callback's to mend.
                catch_unwind(AssertUnwindSafe(|| (callback.call)(field, seen)))
            }
            None => return scanned,
        };
        match answer {
            Ok(Ok(None)) => scanned,
            Ok(Ok(Some(changed))) => {
                self.count += 1;
                Some(changed)
            }
            Ok(Err(_)) | Err(_) => {
                self.count += 1;
                self.failures += 1;
                Some(FAILED.to_string())
            }
        }
    }

    /// A text without what matches a pattern; strings inside JSON are looked at one by one first.
    pub(super) fn scan(&mut self, text: &str, depth: usize) -> Option<String> {
        let is_json = depth < NESTING_MAX && json::looks_like_json(text);
        let walked = if is_json { json::walk_nested(self, text, depth) } else { None };
        let matched = self.matches(walked.as_deref().unwrap_or(text));
        matched.or(walked)
    }

    /// A key, number or text without what matches a pattern, taken as it is; `None` when it stays.
    pub(crate) fn matches(&mut self, text: &str) -> Option<String> {
        let mut changed: Option<String> = None;
        for patterns in &self.redactor.patterns {
            changed = patterns.replace(changed.as_deref().unwrap_or(text), &mut self.count).or(changed);
        }
        changed
    }

    /// Redacts a text in place.
    pub(crate) fn replace(&mut self, part: &str, text: &mut String) {
        if let Some(changed) = self.text(RedactionField { part, key: None }, text) {
            *text = changed;
        }
    }

    /// The same for a text that may be absent.
    pub(crate) fn replace_some(&mut self, part: &str, text: &mut Option<String>) {
        if let Some(text) = text {
            self.replace(part, text);
        }
    }

    /// Redacts JSON text that has to stay JSON: the strings in it, and what stands under secret names.
    pub(crate) fn document(&mut self, part: &str, json: &mut String) {
        if let Some(changed) = json::walk_document(self, part, json) {
            *json = changed;
        }
    }

    /// Redacts keys and values of a map.
    pub(crate) fn map(&mut self, part: &str, map: &mut BTreeMap<String, String>) {
        for (key, value) in std::mem::take(map) {
            let (key, value) = self.pair(part, key, value);
            map.insert(key, value);
        }
    }

    /// Redacts a pair of key and value.
    pub(crate) fn pair(&mut self, part: &str, key: String, value: String) -> (String, String) {
        let changed = match self.is_secret(&key) {
            true => self.hide(&value),
            false => self.text(RedactionField { part, key: Some(&key) }, &value),
        };
        (self.matches(&key).unwrap_or(key), changed.unwrap_or(value))
    }
}

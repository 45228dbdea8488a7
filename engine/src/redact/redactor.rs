//! The compiled setting, and the pass over one batch that applies and counts it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;

use super::names::{self, Secrecy};
use super::patterns::Group;
use super::settings::Redaction;
use super::{assigned, json};
use crate::error::Result;

/// What stands for a value whose name says that it is secret.
pub(super) const HIDDEN: &str = "[REDACTED]";
/// How everything begins that stands for something, and ends.
const HIDDEN_START: &str = "[REDACTED";
const HIDDEN_END: char = ']';
/// What stands for a text that the callback failed on.
const FAILED: &str = "[REDACTED:callback failed]";
/// JSON in strings of JSON is looked into this deep; what is deeper is plain text.
const NESTING_MAX: usize = 8;
/// What is kept of keys that were met in a batch.
const KNOWN_KEYS_MAX: usize = 1_024;
const KNOWN_KEY_BYTES_MAX: usize = 128;

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

/// Equal are callbacks of one name and one function.
impl PartialEq for RedactionCallback {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.call, &other.call)
    }
}

impl RedactionCallback {
    /// A callback of this name.
    pub fn new<F>(name: impl Into<String>, call: F) -> Self
    where
        F: Fn(RedactionField<'_>, &str) -> Answer + Send + Sync + 'static,
    {
        Self {
            name: name.into(),
            call: Arc::new(call),
        }
    }
}

impl fmt::Debug for RedactionCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedactionCallback")
            .field(&self.name)
            .finish()
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
    patterns: Vec<Group>,
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
        let patterns = Group::of(&setting)?;
        let deny = setting
            .deny
            .iter()
            .map(|name| names::squashed(name))
            .collect();
        Ok(Self {
            setting,
            deny,
            patterns,
            callback,
            totals,
        })
    }

    /// A pass over one batch; `None` when there is nothing to redact.
    pub(crate) fn pass(&self) -> Option<Pass<'_>> {
        let by_name = self.setting.names || !self.deny.is_empty();
        (by_name || self.reads_texts()).then_some(Pass {
            redactor: self,
            known: RefCell::default(),
            count: 0,
            failures: 0,
        })
    }

    fn reads_texts(&self) -> bool {
        self.setting.has_patterns() || self.callback.is_some()
    }
}

/// One pass over a batch.
pub(crate) struct Pass<'r> {
    redactor: &'r Redactor,
    /// What keys that were met say of their values: spans have the same ones again and again.
    known: RefCell<HashMap<String, Secrecy>>,
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

    /// What a key says of its values.
    pub(crate) fn secrecy(&self, key: &str) -> Secrecy {
        let mut known = self.known.borrow_mut();
        if let Some(secrecy) = known.get(key) {
            return *secrecy;
        }
        let secrecy = self.told_secrecy(key);
        if key.len() <= KNOWN_KEY_BYTES_MAX && known.len() < KNOWN_KEYS_MAX {
            known.insert(key.to_string(), secrecy);
        }
        secrecy
    }

    fn told_secrecy(&self, key: &str) -> Secrecy {
        let setting = &self.redactor.setting;
        let is_denied = self
            .redactor
            .deny
            .iter()
            .any(|name| names::is_same(key, name));
        let secrecy = match (is_denied, setting.names) {
            (true, _) => Secrecy::Certain,
            (false, true) => names::secrecy(key),
            (false, false) => Secrecy::None,
        };
        if secrecy != Secrecy::None && self.is_allowed(key) {
            Secrecy::None
        } else {
            secrecy
        }
    }

    /// Whether the values under a key are never touched.
    pub(crate) fn is_allowed(&self, key: &str) -> bool {
        self.redactor
            .setting
            .allow
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(key))
    }

    /// What a text becomes under a key that says this of it; `None` when there is nothing to hide.
    pub(crate) fn hide(&mut self, secrecy: Secrecy, text: &str) -> Option<String> {
        let is_secret = match secrecy {
            Secrecy::None => false,
            Secrecy::Likely => !names::is_harmless(text),
            Secrecy::Certain => true,
        };
        (is_secret && !text.is_empty() && !is_hidden(text)).then(|| self.hide_value())
    }

    /// What a secret value becomes that is no text.
    pub(crate) fn hide_value(&mut self) -> String {
        self.count += 1;
        HIDDEN.to_string()
    }

    /// The state that vendors put into a trace's context, `key=value` with commas between.
    pub(crate) fn trace_state(&mut self, part: &str, text: &str) -> Option<String> {
        let mut changed = false;
        let mut members = Vec::new();
        for member in text.split(',') {
            let pair = member.split_once('=');
            let hidden = pair.and_then(|(key, value)| {
                let secrecy = self.secrecy(key.trim());
                Some(format!("{key}={}", self.hide(secrecy, value)?))
            });
            changed |= hidden.is_some();
            members.push(hidden.unwrap_or_else(|| member.to_string()));
        }
        let hidden = changed.then(|| members.join(","));
        let field = RedactionField { part, key: None };
        self.text(field, hidden.as_deref().unwrap_or(text))
            .or(hidden)
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
        let walked = if is_json {
            json::walk_nested(self, text, depth)
        } else {
            None
        };
        let matched = self.matches(walked.as_deref().unwrap_or(text));
        matched.or(walked)
    }

    /// A key, number or text without what matches a pattern, taken as it is; `None` when it stays.
    pub(crate) fn matches(&mut self, text: &str) -> Option<String> {
        let mut changed: Option<String> = None;
        for patterns in &self.redactor.patterns {
            changed = patterns
                .replace(changed.as_deref().unwrap_or(text), &mut self.count)
                .or(changed);
        }
        if self.redactor.setting.secrets {
            let mut count = 0;
            let secrecy = |name: &str| self.secrecy(name);
            let seen = changed.as_deref().unwrap_or(text);
            changed = assigned::replace(seen, &secrecy, &mut count).or(changed);
            self.count += count;
        }
        changed
    }

    /// Redacts a text in place.
    pub(crate) fn replace(&mut self, part: &str, text: &mut String) {
        if let Some(changed) = self.text(RedactionField { part, key: None }, text) {
            *text = changed;
        }
    }

    /// Replaces in a text that may be absent.
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
        let secrecy = self.secrecy(&key);
        let hidden = self.hide(secrecy, &value);
        let changed = hidden.or_else(|| {
            self.text(
                RedactionField {
                    part,
                    key: Some(&key),
                },
                &value,
            )
        });
        (self.matches(&key).unwrap_or(key), changed.unwrap_or(value))
    }
}

/// Whether a text is nothing but what stands for something else.
pub(super) fn is_hidden(text: &str) -> bool {
    let inner = text
        .strip_prefix(HIDDEN_START)
        .and_then(|rest| rest.strip_suffix(HIDDEN_END));
    inner.is_some_and(|inner| !inner.contains(['[', HIDDEN_END]))
}

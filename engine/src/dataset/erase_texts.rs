//! What is said of datasets, without what identifies erased traces: queries that chose them, names and tags.
//!
//! A query is kept as it was written, so it may say `user = 'jane@example.com'`. What is taken out is told by the
//! traces' own rows: a string of a query that one of their texts has, or that has one of their ids or labels in it.
//! Taking out too much costs a version the memory of how it was made; too little is what an erase is there against.
//! [`Database::erase_traces`](crate::Database::erase_traces) has the rule.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use tracehouse_storage::Store;
use tracehouse_storage::store::RowText;

use super::info::DatasetInfo;
use crate::error::Result;

/// Stands for what was taken out.
const ERASED: &str = "[erased]";

/// A shorter text says too little to be looked for inside others.
const PART_CHARS_MIN: usize = 4;

/// Columns whose texts are of one trace, session or person.
const IDENTITIES: [&str; 8] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "session_id",
    "user_id",
    "client_request_id",
    "assessment_id",
    "source_id",
];

/// What the erased traces say, as far as it matters to descriptions of datasets. All of it in lower case.
#[derive(Debug, Default)]
pub(crate) struct ErasedTexts {
    /// Strings of queries that go.
    literals: HashSet<String>,
    /// Ids, sessions and users.
    identities: BTreeSet<String>,
}

impl ErasedTexts {
    /// Of these traces, for the descriptions in `infos`.
    pub(crate) fn of<'i>(
        store: &Store,
        trace_ids: &[String],
        infos: impl Iterator<Item = &'i DatasetInfo>,
    ) -> Result<Self> {
        let mut open = BTreeSet::new();
        for query in infos.filter_map(|info| info.query.as_deref()) {
            let mut note = |literal: &str| {
                open.insert(literal.to_lowercase());
                None
            };
            with_texts(query, &mut note);
        }
        let mut erased = Self::default();
        erased
            .identities
            .extend(trace_ids.iter().map(|id| id.to_lowercase()));
        let mut labels = erased.identities.clone();
        store.visit_texts(trace_ids, &mut |row: RowText<'_>| {
            let text = row.text.to_lowercase();
            open.retain(|literal| {
                let is_in = may_match(&text, literal);
                if is_in {
                    erased.literals.insert(literal.clone());
                }
                !is_in
            });
            if IDENTITIES.contains(&row.column) {
                labels.insert(text.clone());
                erased.identities.insert(text);
            } else if row.key.is_some() {
                labels.insert(text);
            }
        })?;
        labels.remove("");
        erased.identities.remove("");
        let has_label = |literal: &String| labels.iter().any(|label| has(literal, label));
        erased.literals.extend(open.into_iter().filter(has_label));
        Ok(erased)
    }

    /// Takes out of a description what is the traces'. Returns whether there was anything.
    pub(crate) fn take_out(&self, info: &mut DatasetInfo) -> bool {
        let before = info.clone();
        if let Some(query) = &mut info.query {
            self.take_out_of_query(query);
        }
        let tags = std::mem::take(&mut info.tags).into_iter();
        info.tags = tags
            .map(|(key, value)| (self.without(key), self.without(value)))
            .collect();
        for experiment in &mut info.experiment_ids {
            *experiment = self.without(std::mem::take(experiment));
        }
        if self.identifies(&info.name) {
            info.name = format!("erased-{}", info.dataset_id);
        }
        *info != before
    }

    fn take_out_of_query(&self, query: &mut String) {
        let mut is_changed = false;
        let mut erased = |literal: &str| {
            let is_erased = self.literals.contains(&literal.to_lowercase());
            is_changed |= is_erased;
            is_erased.then(|| ERASED.to_string())
        };
        let replaced = with_texts(query, &mut erased);
        if is_changed {
            *query = replaced;
        }
        if self.identifies(query) {
            *query = serde_json::json!({ "filter": ERASED }).to_string();
        }
    }

    fn without(&self, text: String) -> String {
        if self.identifies(&text) {
            ERASED.to_string()
        } else {
            text
        }
    }

    fn identifies(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.identities.iter().any(|identity| has(&text, identity))
    }
}

/// Whether a text has another in it; one that is short must be all of it.
fn has(text: &str, part: &str) -> bool {
    if part.chars().count() < PART_CHARS_MIN {
        text == part
    } else {
        text.contains(part)
    }
}

/// Whether a text has what a literal says, its wildcards aside.
fn may_match(text: &str, literal: &str) -> bool {
    let mut pieces = literal.split(['%', '_']).filter(|piece| !piece.is_empty());
    match (pieces.next(), pieces.next()) {
        (None, _) => false,
        (Some(only), None) => has(text, only),
        (Some(first), Some(second)) => [first, second]
            .into_iter()
            .chain(pieces)
            .all(|piece| text.contains(piece)),
    }
}

/// A query with those of its texts replaced that `replace` has something for: what its strings quote, as filters do, and
/// the values that quotas are of.
fn with_texts(query: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(query) else {
        return with_literals(query, replace);
    };
    let quotas = value.pointer_mut("/sample/quotas");
    let quotas = quotas.and_then(Value::as_array_mut).into_iter().flatten();
    for of in quotas.filter_map(|quota| quota.get_mut(0)) {
        if let Some(text) = of.as_str().and_then(&mut *replace) {
            *of = Value::String(text);
        }
    }
    replace_strings(&mut value, &mut |text| with_literals(text, replace));
    value.to_string()
}

fn replace_strings(value: &mut Value, replace: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::String(text) => *text = replace(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace_strings(item, replace)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| replace_strings(member, replace)),
        _ => {}
    }
}

/// A filter with those of its quoted texts replaced that `replace` has something for. A doubled quote is one quote.
fn with_literals(filter: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let (mut replaced, mut rest) = (String::with_capacity(filter.len()), filter);
    while let Some(start) = rest.find(['\'', '"', '`']) {
        let (before, quoted) = rest.split_at(start);
        replaced.push_str(before);
        let quote = quoted.chars().next().unwrap_or('\'');
        let (literal, length) = literal_of(quoted, quote);
        let whole = quoted.get(..length).unwrap_or(quoted);
        match replace(&literal) {
            Some(text) => replaced.extend([quote.to_string(), text, quote.to_string()]),
            None => replaced.push_str(whole),
        }
        rest = quoted.get(length..).unwrap_or_default();
    }
    replaced + rest
}

/// What the quoted text that `text` begins with says, and its bytes, quotes included.
fn literal_of(text: &str, quote: char) -> (String, usize) {
    let (mut literal, mut at) = (String::new(), quote.len_utf8());
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(end) = rest.find(quote) else {
            literal.push_str(rest);
            return (literal, text.len());
        };
        literal.push_str(rest.get(..end).unwrap_or_default());
        at += end + quote.len_utf8();
        if !text.get(at..).unwrap_or_default().starts_with(quote) {
            return (literal, at);
        }
        literal.push(quote);
        at += quote.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_found_whatever_their_quotes() {
        let filter = r#"user = 'it''s jane' AND tags.`a b` LIKE "%x""y%" AND n > 3 OR 'open"#;
        let mut found = Vec::new();
        let same = with_literals(filter, &mut |literal| {
            found.push(literal.to_string());
            None
        });
        assert_eq!(same, filter);
        assert_eq!(found, ["it's jane", "a b", "%x\"y%", "open"]);
        let none = with_literals(filter, &mut |literal| {
            (literal.len() > 3).then(|| "-".into())
        });
        assert_eq!(
            none,
            r#"user = '-' AND tags.`a b` LIKE "-" AND n > 3 OR '-'"#
        );
    }

    #[test]
    fn values_of_quotas_are_texts_of_a_query() {
        let query = r#"{"filter":"a = 'x'","sample":{"quotas":[["it's",1],[null,2]],"seed":0}}"#;
        let mut found = Vec::new();
        let changed = with_texts(query, &mut |text| {
            found.push(text.to_string());
            (text == "it's").then(|| ERASED.to_string())
        });
        assert_eq!(found, ["it's", "x"]);
        assert_eq!(changed, query.replace("it's", ERASED));
    }

    #[test]
    fn short_texts_must_be_equal() {
        assert!(!has("prod", "pro") && !has("pro", "prod") && has("pro", "pro"));
        assert!(has("jane@example.com", "jane"));
        assert!(may_match("mr jane x doe", "%jane_doe%") && !may_match("mr jane", "%jane_doe%"));
        assert!(may_match("prod", "prod") && !may_match("x prod", "pro") && !may_match("x", "%%"));
    }
}

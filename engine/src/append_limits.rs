//! The limits that an import has for the attributes of a span (`otlp::raw`), for spans that a program gives.
//!
//! What costs a span its place in an import, values nested too deep or too many of them, is an error here; what an
//! import changes and counts, keys that are too long or there twice, is changed and counted here. Texts with nothing
//! to change stay byte for byte.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use tracehouse_storage::model::Span;

use crate::otlp::value::write_string;
use crate::otlp::{ChangedKeys, SPAN_NODES_MAX, VALUE_DEPTH_MAX, cut_key};
use crate::semconv::Members;

/// Levels of `extra` above the attributes of a scope or of an event in it.
const EXTRA_LEVELS: usize = 2;

/// Puts the JSON texts of a span within the limits; what happened to its keys.
///
/// # Errors
/// Says which text is no JSON object, or nests too deep; or that there are too many values.
pub(crate) fn bound(span: &mut Span) -> Result<ChangedKeys, String> {
    let mut changed = ChangedKeys::default();
    // A resource is counted by itself, as in a request.
    let mut resource = Walk::new(SPAN_NODES_MAX, VALUE_DEPTH_MAX, &mut changed);
    resource.bound("resource", &mut span.resource)?;
    if let Some(extra) = &mut span.extra {
        Walk::new(usize::MAX, VALUE_DEPTH_MAX + EXTRA_LEVELS, &mut changed)
            .bound("extra", extra)?;
    }
    let mut own = Walk::new(SPAN_NODES_MAX, VALUE_DEPTH_MAX, &mut changed);
    own.bound("attributes", &mut span.attributes)?;
    for event in &mut span.events {
        own.count(0)?;
        own.bound("attributes of an event", &mut event.attributes)?;
    }
    for link in &mut span.links {
        own.count(0)?;
        own.bound("attributes of a link", &mut link.attributes)?;
    }
    Ok(changed)
}

/// A way through JSON texts that counts what is in them.
struct Walk<'w> {
    nodes: usize,
    nodes_max: usize,
    depth_max: usize,
    changed: &'w mut ChangedKeys,
}

impl<'w> Walk<'w> {
    fn new(nodes_max: usize, depth_max: usize, changed: &'w mut ChangedKeys) -> Self {
        Self {
            nodes: 0,
            nodes_max,
            depth_max,
            changed,
        }
    }

    fn bound(&mut self, what: &str, text: &mut String) -> Result<(), String> {
        let members: Members<'_> = serde_json::from_str(text)
            .map_err(|error| format!("its {what} are no JSON object text: {error}"))?;
        if let Some(changed) = self
            .members(members, 1, false)
            .map_err(|error| format!("its {what}: {error}"))?
        {
            *text = changed;
        }
        Ok(())
    }

    fn count(&mut self, depth: usize) -> Result<(), String> {
        self.nodes += 1;
        if depth > self.depth_max {
            return Err(format!(
                "attributes nest deeper than {VALUE_DEPTH_MAX} levels"
            ));
        }
        match self.nodes > self.nodes_max {
            true => Err(format!(
                "more than {} values, events and links",
                self.nodes_max
            )),
            false => Ok(()),
        }
    }

    /// The text that members whose values lie at `depth` have instead, where they need another one.
    fn members(
        &mut self,
        members: Members<'_>,
        depth: usize,
        is_value: bool,
    ) -> Result<Option<String>, String> {
        let is_single = is_value && members.0.len() == 1;
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(members.0.len());
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(members.0.len());
        let mut is_changed = false;
        for (key, json) in members.0 {
            self.count(depth)?;
            let value = match self.value(json.get(), depth)? {
                Some(value) => Cow::Owned(value),
                None => Cow::Borrowed(json.get()),
            };
            is_changed |= matches!(value, Cow::Owned(_));
            // Of a single key the first `$` is none of its own; see `otlp::value`.
            let own = key.strip_prefix('$').filter(|_| is_single);
            let cut = cut_key(own.unwrap_or(&key)).map(|cut| {
                if own.is_some() {
                    format!("${cut}")
                } else {
                    cut
                }
            });
            self.changed.cut += u64::from(cut.is_some());
            is_changed |= cut.is_some();
            let key = cut.map_or(key, Cow::Owned);
            match places.get(&key).and_then(|place| pairs.get_mut(*place)) {
                Some((_, earlier)) => {
                    *earlier = value;
                    self.changed.repeated += 1;
                    is_changed = true;
                }
                None => {
                    places.insert(key.clone(), pairs.len());
                    pairs.push((key, value));
                }
            }
        }
        Ok(is_changed.then(|| object(&pairs)))
    }

    /// Counts a value at `depth`.
    fn value(&mut self, json: &str, depth: usize) -> Result<Option<String>, String> {
        let wrong = |error: serde_json::Error| error.to_string();
        match json.as_bytes().first() {
            Some(b'{') => {
                let members: Members<'_> = serde_json::from_str(json).map_err(wrong)?;
                match is_scalar(&members) {
                    true => Ok(None),
                    false => self.members(members, depth + 1, true),
                }
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).map_err(wrong)?;
                let mut is_changed = false;
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    self.count(depth + 1)?;
                    let changed = self.value(item.get(), depth + 1)?;
                    is_changed |= changed.is_some();
                    texts.push(changed.map_or(Cow::Borrowed(item.get()), Cow::Owned));
                }
                Ok(is_changed.then(|| format!("[{}]", texts.join(","))))
            }
            _ => Ok(None),
        }
    }
}

fn object(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let mut out = String::from("{");
    for (place, (key, value)) in pairs.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(key, &mut out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// Whether an object stands for a double or bytes.
fn is_scalar(members: &Members<'_>) -> bool {
    let [(key, json)] = members.0.as_slice() else {
        return false;
    };
    ["$double", "$bytes"].contains(&&**key) && json.get().starts_with('"')
}

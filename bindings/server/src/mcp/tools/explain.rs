//! `explain_filter`: whether a filter is right, what it finds and how.

use serde_json::Value;
use tracehouse::Database;

use super::Call;
use super::find::notices_within;
use crate::error::ApiError;
use crate::mcp::answer::{Draft, fit, untrusted};
use crate::mcp::json::{Fields, preview};

pub(super) fn run(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let search = call.scope.search(call.arguments.text("filter"));
    let count = db.count_traces(&search)?;
    // What is read and what is known of names is about traces of all experiments.
    if call.scope.is_limited() {
        let mut fields = Fields::new();
        fields.insert("count".into(), count.into());
        return Ok(fields);
    }
    let page = db.search_shared(&search.clone().limit(1).explain(true))?;
    let notices = db.notices(&search, count > 0)?;
    let fitted = fit(call.budget, |bytes| {
        let mut fields = untrusted(Fields::new());
        fields.insert("count".into(), count.into());
        if let Some(explain) = &page.explain {
            let conditions = explain.conditions.iter();
            let conditions: Vec<Value> = conditions.map(|text| preview(text, bytes)).collect();
            let path = preview(&explain.access_path, bytes);
            fields.insert("access_path".into(), path);
            fields.insert("conditions".into(), conditions.into());
            for (name, coverage) in [("traces", explain.traces), ("spans", explain.spans)] {
                fields.insert(format!("{name}_read"), coverage.read.into());
                fields.insert(format!("{name}_left_out_unread"), coverage.pruned.into());
            }
        }
        fields.insert("notices".into(), notices_within(&notices, bytes));
        Draft::of(fields)
    })?;
    Ok(fitted.fields)
}

//! The filters of a metric: single clauses `KEY = 'VALUE'`, all of which hold.
//!
//! Clauses on traces become a filter of the filter language; clauses on spans and assessments are
//! compared with the rows of the view.

use crate::error::{Error, Result};
use crate::filters::{named, quoted};

use super::query::MetricView;

/// The clauses of a metric, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    /// On traces, as a filter; empty when there is none.
    pub trace_filter: String,
    /// On the rows of the view: column and value.
    pub rows: Vec<(&'static str, String)>,
}

impl Clauses {
    pub fn parse(filters: &[String], view: MetricView) -> Result<Self> {
        let mut clauses = Self::default();
        let mut on_traces = Vec::new();
        for filter in filters {
            let (key, value) = split(filter)?;
            if let Some(name) = key.strip_prefix("trace.") {
                on_traces.push(trace_clause(filter, name, &value)?);
                continue;
            }
            let column = match (key.as_str(), view) {
                ("span.name", MetricView::Spans) => "name",
                ("span.status", MetricView::Spans) => "status",
                ("span.type", MetricView::Spans) => "span_type",
                ("assessment.name", MetricView::Assessments) => "name",
                ("assessment.type", MetricView::Assessments) => "type",
                _ => return Err(bad_key(filter, view)),
            };
            clauses.rows.push((column, value));
        }
        clauses.trace_filter = on_traces.join(" AND ");
        Ok(clauses)
    }
}

fn trace_clause(filter: &str, name: &str, value: &str) -> Result<String> {
    let key = match name.split_once('.') {
        None if name == "status" => "status".to_string(),
        Some(("tag", key)) => named("tags", key)?,
        Some(("metadata", key)) => named("metadata", key)?,
        _ => return Err(bad_key(filter, MetricView::Traces)),
    };
    Ok(format!("{key} = {}", quoted(value)))
}

fn bad_key(filter: &str, view: MetricView) -> Error {
    let rows = match view {
        MetricView::Traces => "",
        MetricView::Spans => ", span.name, span.status, span.type",
        MetricView::Assessments => ", assessment.name, assessment.type",
    };
    Error::invalid_input(format!(
        "invalid metric filter {filter:?}: the key must be one of trace.status, trace.tag.<key>, \
         trace.metadata.<key>{rows}"
    ))
}

/// Key and value of `KEY = 'VALUE'`; a back-ticked part of the key is taken as it is.
fn split(filter: &str) -> Result<(String, String)> {
    let bad = || {
        Error::invalid_input(format!(
            "invalid metric filter {filter:?}: one clause KEY = 'VALUE' expected"
        ))
    };
    let mut in_ticks = false;
    let equals = filter.char_indices().find(|(_, c)| {
        in_ticks ^= *c == '`';
        !in_ticks && matches!(c, '=' | '\'' | '"' | '!' | '<' | '>')
    });
    let Some((at, '=')) = equals else {
        return Err(bad());
    };
    let (key, rest) = filter.split_at(at);
    let key = key.trim();
    if key.is_empty() || key.matches('`').count() % 2 == 1 {
        return Err(bad());
    }
    let text = rest.strip_prefix('=').unwrap_or(rest).trim();
    let value = unquoted(text, '\'')
        .or_else(|| unquoted(text, '"'))
        .ok_or_else(bad)?;
    Ok((key.replace('`', ""), value))
}

/// What a quoted string says, when all of `text` is one; a doubled quote in it is one quote.
fn unquoted(text: &str, quote: char) -> Option<String> {
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let doubled = format!("{quote}{quote}");
    let rest = inner.replace(&doubled, "");
    (!rest.contains(quote)).then(|| inner.replace(&doubled, &quote.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(filter: &str, view: MetricView) -> Result<Clauses> {
        Clauses::parse(&[filter.to_string()], view)
    }

    #[test]
    fn single_clauses_are_understood() {
        let trace = |filter| parse(filter, MetricView::Traces).unwrap().trace_filter;
        assert_eq!(trace("trace.status = 'OK'"), "status = 'OK'");
        assert_eq!(trace("trace.tag.a.b=\"it's\""), "tags.`a.b` = 'it''s'");
        assert_eq!(
            trace("trace.metadata.`my = key` = 'x'"),
            "metadata.`my = key` = 'x'"
        );
        let span = parse("span.type = 'LLM'", MetricView::Spans).unwrap();
        assert_eq!(span.rows, [("span_type", "LLM".to_string())]);
    }

    #[test]
    fn anything_else_is_refused() {
        for filter in [
            "",
            "trace.status",
            "trace.status = OK",
            "trace.status != 'OK'",
            "trace.status = 'OK' AND trace.status = 'OK'",
            "trace.status = 'OK' OR '1' = '1'",
            "trace.name = 'x'",
            "trace.tag. = 'x'",
            "tags.a = 'x'",
            "span.name = 'x'",
            "trace.tag.`a = 'x'",
            "= 'x'",
        ] {
            assert!(parse(filter, MetricView::Traces).is_err(), "{filter}");
        }
    }
}

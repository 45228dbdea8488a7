//! Random clauses about feedback and expectations: filter text, SQL, plain code.

use std::rc::Rc;

use tracehouse::model::AssessmentKind;

use super::clauses::{Clause, On};
use super::comparisons::{self, Comparison, JsonColumns};
use super::world::{Json, SOURCES, VERDICTS, Verdict, json_text, pick};
use crate::order::Random;
use crate::support::quoted;

/// The word before a verdict's name, most often that of its own kind, and the kind that it stands for.
fn prefix_and_kind(random: &mut Random, name: &str) -> (&'static str, Option<AssessmentKind>) {
    let own = if name == "expected" {
        AssessmentKind::Expectation
    } else {
        AssessmentKind::Feedback
    };
    match random.below(4) {
        0 => ("assessment", None),
        1 => ("feedback", Some(AssessmentKind::Feedback)),
        _ => (own.as_str(), Some(own)),
    }
}

/// A clause about the verdicts of a trace.
pub fn of_verdict(random: &mut Random) -> Clause {
    let name = pick(random, &VERDICTS);
    let (prefix, kind) = prefix_and_kind(random, name);
    let kinds = kind.map_or("'feedback', 'expectation'".to_string(), |kind| {
        quoted(kind.as_str())
    });
    let base = format!("name = '{name}' AND type IN ({kinds}) AND valid");
    let is_named = move |verdict: &Verdict| {
        verdict.name == name && kind.is_none_or(|kind| verdict.kind == kind)
    };
    let key = format!("{prefix}.{name}");
    let clause = |filter: String, sql: String, accepts: Rc<dyn Fn(&Verdict) -> bool>| Clause {
        filter: format!("{key} {filter}"),
        sql: format!("({base} AND {sql})"),
        on: On::Verdict(
            Rc::new(move |verdict| is_named(verdict) && accepts(verdict)),
            true,
        ),
    };
    match random.below(8) {
        0 => {
            let exists = random.below(2) == 0;
            let filter = format!("{key} IS {}NULL", if exists { "NOT " } else { "" });
            Clause {
                filter,
                sql: base,
                on: On::Verdict(Rc::new(is_named), exists),
            }
        }
        1 => {
            let test = comparisons::pattern(random, &["\"yes\"", "0.25", "true", "\"it's\""]);
            let accepts = test.accepts.clone();
            clause(
                test.filter.clone(),
                test.sql("value"),
                Rc::new(move |v| accepts(Some(&v.value.to_string()))),
            )
        }
        2 => {
            let wanted = pick(random, &SOURCES);
            let want = random.below(3) > 0;
            let word = if want { "=" } else { "!=" };
            let sql = format!(
                "(source_type = '{wanted}' OR coalesce(source_id = '{wanted}', false)) = {want}"
            );
            let is = move |v: &Verdict| {
                is_named(v) && (v.source_type == wanted || v.source_id == Some(wanted)) == want
            };
            Clause {
                filter: format!("{key}.source {word} '{wanted}'"),
                sql: format!("({base} AND {sql})"),
                on: On::Verdict(Rc::new(is), true),
            }
        }
        _ => {
            let test = verdict_value(random);
            let accepts = test.accepts.clone();
            clause(
                test.filter.clone(),
                test.sql(""),
                Rc::new(move |v| accepts(Some(&v.value))),
            )
        }
    }
}

/// A comparison of an assessment's value by type.
fn verdict_value(random: &mut Random) -> Comparison<Json> {
    let values = ["yes", "no", "true", "it's", "0.5", "1"];
    let columns = JsonColumns {
        text: "value".into(),
        number: "value_number".into(),
        boolean: "(CASE WHEN value = 'true' THEN true WHEN value = 'false' THEN false END)".into(),
    };
    comparisons::json(
        random,
        &values,
        &columns,
        (
            |_, text| {
                format!(
                    "value IN ({}, {})",
                    quoted(text),
                    quoted(&Json::from(text).to_string())
                )
            },
            |json, text| json_text(json) == text || json.as_str() == Some(text),
        ),
    )
}

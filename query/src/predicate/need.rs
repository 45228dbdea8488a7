//! What conditions on spans need of a text index: patterns cut into literals, equalities on attributes.
//!
//! Only what narrows is said; the condition itself decides (QU-2). Negated conditions need nothing.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};
use tracehouse_storage::text::{IndexedValue, Literal, TextPattern, TextReader, ValueRows, folded};

use super::attributes::Translated;
use super::like::{LikeItem, like_items};
use super::pattern::{Pattern, PatternKind};
use super::test::{JsonOp, JsonTest, Scalar, Test, TextOp, TextTest};
use super::{Condition, Field};
use crate::text_need::TextNeed;

/// Most characters of a class that are looked at for being one letter in several cases.
const CASES_MAX: usize = 8;

impl Condition {
    /// What a span must have to satisfy the condition; `None` when an index cannot tell.
    pub(crate) fn text_need(&self) -> Option<TextNeed> {
        if let Field::Json { column, key } = &self.field
            && Translated::columns(column, key, &self.test)
                .next()
                .is_some()
        {
            // Spans without the attribute may satisfy it by other columns.
            return None;
        }
        match (&self.field, &self.test) {
            (
                Field::Content,
                Test::Text(TextTest {
                    op: TextOp::Pattern(pattern),
                    negated: false,
                }),
            ) => in_content(pattern),
            (Field::Text("inputs" | "outputs"), Test::Text(TextTest { op, negated: false })) => {
                match op {
                    TextOp::Pattern(pattern) => in_string(pattern, &TextPattern::on_strings),
                    TextOp::In(values) => Some(TextNeed::Any(
                        values.iter().map(|value| equal(value)).collect(),
                    )),
                }
            }
            (
                Field::Json {
                    column: "attributes",
                    key,
                },
                Test::IsNotNull,
            ) => Some(has_attribute(key)),
            (
                Field::Json {
                    column: "attributes",
                    key,
                },
                Test::Json(JsonTest { op, negated: false }),
            ) => in_attribute(key, op),
            _ => None,
        }
    }
}

impl Condition {
    /// The rows among `within` that satisfy the condition, as far as the values of its attribute tell; `None`
    /// for other conditions, and when the index does not tell.
    pub(crate) fn rows_by_value(
        &self,
        index: &TextReader,
        within: Range<u32>,
    ) -> Option<ValueRows> {
        let (
            Field::Json {
                column: "attributes",
                key,
            },
            Test::Json(test),
        ) = (&self.field, &self.test)
        else {
            return None;
        };
        // Spans without the attribute may satisfy it by other columns.
        let is_translated = Translated::columns("attributes", key, &self.test)
            .next()
            .is_some();
        let pattern = test.of_text().filter(|_| !is_translated)?;
        index
            .rows_with_value(key, &|text| pattern.is_match_decoded(text), within)
            .ok()?
    }
}

/// A string that equals the value.
pub(crate) fn equal(value: &str) -> TextNeed {
    let whole = Literal {
        text: value.to_string(),
        starts: true,
        ends: true,
    };
    TextNeed::Pattern(TextPattern::on_strings(vec![whole]))
}

/// An attribute with any value.
fn has_attribute(key: &str) -> TextNeed {
    TextNeed::Pattern(TextPattern::on_attribute(key, Vec::new()))
}

fn in_content(pattern: &Pattern) -> Option<TextNeed> {
    if pattern.kind() == PatternKind::RLike {
        return in_string(pattern, &TextPattern::on_strings);
    }
    let strings = TextPattern::on_strings(plain_literals(pattern.text()));
    // Names are matched as a whole, by what is left without the outer `%`.
    let name = pattern.text().trim_matches('%');
    let literals = plain_literals(name);
    match (name.is_empty(), literals.is_empty()) {
        (true, _) => Some(TextNeed::Pattern(strings)),
        (false, true) => None,
        (false, false) => Some(TextNeed::Pattern(strings.or_names(literals))),
    }
}

/// A string that matches the pattern; `of` says which string.
fn in_string(pattern: &Pattern, of: &dyn Fn(Vec<Literal>) -> TextPattern) -> Option<TextNeed> {
    match pattern.kind() {
        PatternKind::RLike => regex_need(pattern.text(), of),
        _ => {
            let literals = plain_literals(pattern.text());
            Some(TextNeed::Pattern(of(literals)))
        }
    }
}

fn in_attribute(key: &str, op: &JsonOp) -> Option<TextNeed> {
    match op {
        JsonOp::In(values) => {
            let value = |value: &Scalar| match value {
                Scalar::Text(text) => IndexedValue::Text(text.clone()),
                Scalar::Number(number) => IndexedValue::Number(number.value()),
                Scalar::Bool(value) => IndexedValue::Bool(*value),
            };
            let need = |scalar| TextNeed::Value {
                key: key.to_string(),
                value: value(scalar),
            };
            Some(TextNeed::Any(values.iter().map(need).collect()))
        }
        JsonOp::Range(..) => Some(has_attribute(key)),
        JsonOp::Pattern(pattern) => in_string(pattern, &|literals| {
            TextPattern::on_attribute(key, literals)
        }),
    }
}

/// The literals of a LIKE pattern without escapes.
fn plain_literals(pattern: &str) -> Vec<Literal> {
    like_literals(&like_items(pattern, None).unwrap_or_default())
}

/// The literals of a LIKE pattern.
pub(crate) fn like_literals(items: &[LikeItem]) -> Vec<Literal> {
    let mut literals = vec![Literal {
        text: String::new(),
        starts: true,
        ends: false,
    }];
    for item in items {
        match (item, literals.last_mut()) {
            (LikeItem::Char(c), Some(last)) => last.text.push(*c),
            _ => literals.push(Literal {
                text: String::new(),
                starts: false,
                ends: false,
            }),
        }
    }
    if let Some(last) = literals.last_mut() {
        last.ends = true;
    }
    literals.retain(|literal| !literal.text.is_empty());
    literals
}

/// A string in which the regular expression is found; `of` says which string.
pub(crate) fn regex_need(
    regex: &str,
    of: &dyn Fn(Vec<Literal>) -> TextPattern,
) -> Option<TextNeed> {
    let parsed = regex_syntax::Parser::new().parse(regex).ok()?;
    let mut required = Required::default();
    required.visit(&parsed);
    required.need(of)
}

/// What every match of a regular expression holds.
#[derive(Default)]
struct Required {
    literals: Vec<String>,
    /// Of each, one of the branches.
    choices: Vec<Vec<Required>>,
    /// The literal being read.
    current: String,
}

impl Required {
    fn visit(&mut self, hir: &Hir) {
        match hir.kind() {
            // Look-arounds take no text: what stands before and after is next to each other.
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.current.push_str(text),
                Err(_) => self.flush(),
            },
            HirKind::Class(class) => match one_letter(class) {
                Some(c) => self.current.push(c),
                None => self.flush(),
            },
            HirKind::Capture(capture) => self.visit(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.visit(part)),
            HirKind::Repetition(repetition) => {
                self.flush();
                if repetition.min > 0 {
                    self.visit(&repetition.sub);
                    self.flush();
                }
            }
            HirKind::Alternation(branches) => {
                self.flush();
                let branches = branches.iter().map(|branch| {
                    let mut required = Required::default();
                    required.visit(branch);
                    required
                });
                self.choices.push(branches.collect());
            }
        }
    }

    fn flush(&mut self) {
        if !self.current.is_empty() {
            self.literals.push(std::mem::take(&mut self.current));
        }
    }

    fn need(mut self, of: &dyn Fn(Vec<Literal>) -> TextPattern) -> Option<TextNeed> {
        self.flush();
        let literal = |text| Literal {
            text,
            starts: false,
            ends: false,
        };
        let literals: Vec<Literal> = self.literals.into_iter().map(literal).collect();
        let mut needs: Vec<TextNeed> = Vec::new();
        if !literals.is_empty() {
            needs.push(TextNeed::Pattern(of(literals)));
        }
        for branches in self.choices {
            let branches = branches
                .into_iter()
                .map(|branch| branch.need(of))
                .collect::<Option<Vec<_>>>();
            needs.extend(branches.map(TextNeed::Any));
        }
        (!needs.is_empty()).then_some(TextNeed::All(needs))
    }
}

/// The letter that a class has in several cases.
fn one_letter(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let chars = class.iter().flat_map(|range| range.start()..=range.end());
    let chars: String = chars.take(CASES_MAX + 1).collect();
    let folded = folded(&chars);
    let first = folded.chars().next()?;
    (chars.chars().count() <= CASES_MAX && folded.chars().all(|c| c == first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(text: &str) -> String {
        match regex_need(text, &TextPattern::on_strings) {
            Some(need) => shown(&need),
            None => "-".to_string(),
        }
    }

    fn shown(need: &TextNeed) -> String {
        let joined =
            |needs: &[TextNeed], joint| needs.iter().map(shown).collect::<Vec<_>>().join(joint);
        match need {
            TextNeed::Pattern(pattern) => {
                let texts: Vec<&str> = pattern
                    .literals()
                    .iter()
                    .map(|literal| literal.text.as_str())
                    .collect();
                texts.join("+")
            }
            TextNeed::All(needs) => joined(needs, " & "),
            TextNeed::Any(needs) => format!("({})", joined(needs, " | ")),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_match_of_a_regular_expression_holds_its_literals() {
        assert_eq!(regex("time(d )?out"), "time+out");
        assert_eq!(regex("(?i)Straße"), "straße");
        assert_eq!(regex(r"\bfoo\b.*ba[rz]+x"), "foo+ba+x");
        assert_eq!(regex("(alpha|beta) x"), " x & (alpha | beta)");
        assert_eq!(regex("a|b*"), "-");
        assert_eq!(regex("(ab)+c"), "ab+c");
        assert_eq!(regex("[0-9]+|.*"), "-");
    }

    #[test]
    fn like_patterns_are_cut_at_wildcards() {
        let literals = |text: &str| {
            let found = plain_literals(text);
            found
                .into_iter()
                .map(|l| (l.text, l.starts, l.ends))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            literals("ab%c_d"),
            [
                ("ab".to_string(), true, false),
                ("c".to_string(), false, false),
                ("d".to_string(), false, true)
            ]
        );
        assert_eq!(literals("%_%"), []);
        assert_eq!(literals("x"), [("x".to_string(), true, true)]);
    }
}

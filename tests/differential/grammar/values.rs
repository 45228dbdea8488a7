//! Expressions: leaves of what is in scope, forms over them, and what takes a query.

use super::forms::{FORMS, Form};
use super::{Column, Generator, Scope};
use crate::differential::made::TEXTS;
use crate::differential::tree::{Binding, Kind, Tree, Type};
use crate::support::quoted;

const ALL: [Type; 5] = [Type::Int, Type::Float, Type::Text, Type::Bool, Type::Time];

/// Pieces of patterns.
const PIECES: &[&str] = &[
    "%", "%", "%", "_", "a", "A", "search", "gpt", "é", "\\", "n", "!", "/", " ", "0", ".",
];

pub fn null(of: Type) -> Tree {
    let text = match of {
        Type::Int => "CAST(NULL AS BIGINT)",
        Type::Float => "CAST(NULL AS DOUBLE)",
        Type::Text => "CAST(NULL AS VARCHAR)",
        Type::Bool => "CAST(NULL AS BOOLEAN)",
        Type::Time => "CAST(NULL AS TIMESTAMP)",
    };
    Tree::each(Kind::Value(of), [text, text], Some("NULL"), [])
}

impl Generator {
    pub fn any_type(&mut self) -> Type {
        [
            Type::Int,
            Type::Int,
            Type::Float,
            Type::Text,
            Type::Text,
            Type::Bool,
            Type::Time,
        ][self.random.below(7)]
    }

    /// A value that is written out.
    pub fn literal(&mut self, of: Type) -> Tree {
        let leaf = |text: String| Tree::leaf(Kind::Value(of), text);
        match of {
            Type::Int => leaf(
                self.pick(&[
                    "0",
                    "1",
                    "2",
                    "(-1)",
                    "7",
                    "100",
                    "300",
                    "250000000",
                    "9223372036854775807",
                    "(-9223372036854775807)",
                ])
                .to_string(),
            ),
            Type::Float => leaf(
                self.pick(&["0.0e0", "0.5e0", "(-0.25e0)", "1.75e0", "1e3", "1024.125e0"])
                    .to_string(),
            ),
            Type::Text => leaf(quoted(self.text())),
            Type::Bool => leaf(self.pick(&["true", "false"]).to_string()),
            Type::Time => {
                let hour = self.random.below(16);
                let text = format!("TIMESTAMP '2025-03-01 {hour:02}:00:01.5'");
                let nanoseconds =
                    1_740_787_200_000_000_000 + hour as i64 * 3_600_000_000_000 + 1_500_000_000;
                Tree::each(
                    Kind::Value(of),
                    [&text, &text],
                    Some(&nanoseconds.to_string()),
                    [],
                )
            }
        }
    }

    fn text(&mut self) -> &'static str {
        const NAMES: &[&str] = &[
            "OK", "ERROR", "LLM", "TOOL", "gpt-4o", "s-1", "u-ana", "desk", "lookup", "HUMAN",
            "env", "prod", "reward",
        ];
        if self.one_in(2) {
            self.pick(NAMES)
        } else {
            self.pick(TEXTS)
        }
    }

    /// An expression of a type, at most `depth` forms deep.
    pub fn value(&mut self, of: Type, scope: &Scope, depth: usize) -> Tree {
        if depth == 0 || self.one_in(4) {
            return self.simple(of, scope);
        }
        match self.random.below(12) {
            0 => self.case(of, scope, depth - 1),
            1 => self.choice(of, scope, depth - 1),
            2 if self.queries_left > 0 && self.one_in(2) => self.scalar_query(of, scope),
            3 if matches!(of, Type::Text | Type::Int | Type::Bool) => self.json(of, scope),
            _ if of == Type::Bool => self.truth(scope, depth - 1),
            _ => self.form(of, scope, depth - 1),
        }
    }

    /// Something in scope, else a literal.
    pub fn simple(&mut self, of: Type, scope: &Scope) -> Tree {
        let found: Vec<&Column> = scope
            .columns
            .iter()
            .filter(|column| column.of == of)
            .collect();
        match (found.len(), self.random.below(14)) {
            (_, 0) => null(of),
            (1.., 1..12) => found[self.random.below(found.len())].tree.clone(),
            (0, 1..10) if !scope.rows.is_empty() => {
                self.aggregate(of, &Scope::of_rows(&scope.rows), 1)
            }
            (0, 1..12) if of == Type::Bool && !scope.columns.is_empty() => {
                self.plain_comparison(scope)
            }
            _ => self.literal(of),
        }
    }

    /// A column beside another value of its type.
    fn plain_comparison(&mut self, scope: &Scope) -> Tree {
        let column = scope.columns[self.random.below(scope.columns.len())].clone();
        let other = if self.one_in(3) {
            self.simple(column.of, scope)
        } else {
            self.literal(column.of)
        };
        let text = self.pick(&["({0} = {1})", "({0} <> {1})", "({0} < {1})", "({0} >= {1})"]);
        Tree::node(Kind::Value(Type::Bool), text, vec![column.tree, other]).bare(Binding::Wrapped)
    }

    fn form(&mut self, of: Type, scope: &Scope, depth: usize) -> Tree {
        let forms: Vec<&Form> = FORMS
            .iter()
            .filter(|form| form.of == of && (form.sqlite.is_some() || !self.is_common))
            .collect();
        let form = forms[self.random.below(forms.len())];
        let parts: Vec<Tree> = form
            .args
            .iter()
            .map(|of| self.value(*of, scope, depth))
            .collect();
        self.operator(
            of,
            [form.ours, form.duckdb],
            form.sqlite,
            parts,
            form.binding,
        )
    }

    /// A form, in parentheses or not if it is an operator.
    fn operator(
        &mut self,
        of: Type,
        [ours, duckdb]: [&str; 2],
        sqlite: Option<&str>,
        parts: Vec<Tree>,
        binding: Binding,
    ) -> Tree {
        let kind = Kind::Value(of);
        if binding == Binding::Closed {
            let binding = if ours.starts_with('(') {
                Binding::Wrapped
            } else {
                binding
            };
            return Tree::each(kind, [ours, duckdb], sqlite, parts).bare(binding);
        }
        if self.one_in(3) {
            return Tree::each(kind, [ours, duckdb], sqlite, parts).bare(binding);
        }
        let closed = |text: &str| format!("({text})");
        let sqlite = sqlite.map(closed);
        let tree = Tree::each(
            kind,
            [&closed(ours), &closed(duckdb)],
            sqlite.as_deref(),
            parts,
        );
        tree.bare(Binding::Wrapped)
    }

    fn case(&mut self, of: Type, scope: &Scope, depth: usize) -> Tree {
        let kind = Kind::Value(of);
        let (then, other) = (self.value(of, scope, depth), self.value(of, scope, depth));
        if self.one_in(3) {
            let by = self.any_type();
            let parts = vec![
                self.value(by, scope, depth),
                self.simple(by, scope),
                then,
                other,
            ];
            return Tree::node(kind, "CASE {0} WHEN {1} THEN {2} ELSE {3} END", parts);
        }
        let test = self.value(Type::Bool, scope, depth);
        match self.random.below(3) {
            0 => Tree::node(kind, "CASE WHEN {0} THEN {1} END", vec![test, then]),
            1 => Tree::node(
                kind,
                "CASE WHEN {0} THEN {1} ELSE {2} END",
                vec![test, then, other],
            ),
            _ => {
                let second = self.value(Type::Bool, scope, depth);
                let text = "CASE WHEN {0} THEN {1} WHEN {2} THEN {3} END";
                Tree::node(kind, text, vec![test, then, second, other])
            }
        }
    }

    fn choice(&mut self, of: Type, scope: &Scope, depth: usize) -> Tree {
        let parts = vec![self.value(of, scope, depth), self.value(of, scope, depth)];
        let kind = Kind::Value(of);
        match self.random.below(4) {
            0 => Tree::node(kind, "nullif({0}, {1})", parts),
            1 => Tree::each(
                kind,
                ["nvl({0}, {1})", "ifnull({0}, {1})"],
                Some("ifnull({0}, {1})"),
                parts,
            ),
            _ => Tree::node(kind, "coalesce({0}, {1})", parts),
        }
    }

    fn truth(&mut self, scope: &Scope, depth: usize) -> Tree {
        match self.random.below(16) {
            0..=4 => self.comparison(scope, depth),
            5 | 6 => self.like(scope, depth),
            7 => self.in_list(scope, depth),
            8 => self.between(scope, depth),
            9 => {
                let of = self.any_type();
                let parts = vec![self.value(of, scope, depth)];
                let text = self.pick(&["{0} IS NULL", "{0} IS NOT NULL"]);
                self.operator(
                    Type::Bool,
                    [text, text],
                    Some(text),
                    parts,
                    Binding::Disputed,
                )
            }
            10 | 11 if self.queries_left > 0 => self.query_test(scope, depth),
            _ => self.form(Type::Bool, scope, depth),
        }
    }

    fn comparison(&mut self, scope: &Scope, depth: usize) -> Tree {
        const OPERATORS: &[&str] = &[
            "=",
            "=",
            "<>",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "IS DISTINCT FROM",
            "IS NOT DISTINCT FROM",
        ];
        let of = self.any_type();
        let parts = vec![self.value(of, scope, depth), self.value(of, scope, depth)];
        let text = format!("{{0}} {} {{1}}", self.pick(OPERATORS));
        self.operator(
            Type::Bool,
            [&text, &text],
            Some(&text),
            parts,
            Binding::Disputed,
        )
    }

    fn between(&mut self, scope: &Scope, depth: usize) -> Tree {
        let of = [Type::Int, Type::Float, Type::Text, Type::Time][self.random.below(4)];
        let parts = vec![
            self.value(of, scope, depth),
            self.simple(of, scope),
            self.simple(of, scope),
        ];
        let text = self.pick(&["{0} BETWEEN {1} AND {2}", "{0} NOT BETWEEN {1} AND {2}"]);
        self.operator(
            Type::Bool,
            [text, text],
            Some(text),
            parts,
            Binding::Disputed,
        )
    }

    fn in_list(&mut self, scope: &Scope, depth: usize) -> Tree {
        let of = ALL[self.random.below(3)];
        let count = 1 + self.random.below(4);
        let items: Vec<Tree> = (0..count)
            .map(|_| match self.random.below(8) {
                0 => null(of),
                1 => self.simple(of, scope),
                _ => self.literal(of),
            })
            .collect();
        let parts = vec![self.value(of, scope, depth), Tree::list(1, ", ", items)];
        let text = self.pick(&["{0} IN ({1})", "{0} NOT IN ({1})"]);
        self.operator(
            Type::Bool,
            [text, text],
            Some(text),
            parts,
            Binding::Disputed,
        )
    }

    /// LIKE and ILIKE with each escape; patterns are mostly written out.
    fn like(&mut self, scope: &Scope, depth: usize) -> Tree {
        let subject = self.value(Type::Text, scope, depth);
        let not = self.pick(&["", "", "NOT "]);
        let ilike = self.one_in(3);
        let (pattern, escape) = if self.one_in(6) {
            (self.simple(Type::Text, scope), String::new())
        } else {
            let (pattern, escape) = self.pattern();
            (
                Tree::leaf(Kind::Value(Type::Text), quoted(&pattern)),
                escape,
            )
        };
        let escape = match escape.is_empty() {
            true => Tree::leaf(Kind::Clause, ""),
            false => Tree::leaf(Kind::Fixed, format!(" ESCAPE {}", quoted(&escape))),
        };
        let word = if ilike { "ILIKE" } else { "LIKE" };
        let ours = format!("{{0}} {not}{word} {{1}}{{2}}");
        let sqlite = match ilike {
            true => format!("lower({{0}}) {not}LIKE lower({{1}}){{2}}"),
            false => ours.clone(),
        };
        self.operator(
            Type::Bool,
            [&ours, &ours],
            Some(&sqlite),
            vec![subject, pattern, escape],
            Binding::Disputed,
        )
    }

    /// A pattern and its escape, which stands only before `%`, `_` and itself.
    fn pattern(&mut self) -> (String, String) {
        let escape = self.pick(&["", "", "!", "\\", "#", "/"]);
        let mut pattern = String::new();
        for _ in 0..1 + self.random.below(4) {
            let piece = self.pick(PIECES);
            if escape.is_empty() {
                pattern.push_str(piece);
            } else if piece == escape {
                pattern.push_str(&escape.repeat(2));
            } else if matches!(piece, "%" | "_") && self.one_in(2) {
                pattern.push_str(&format!("{escape}{piece}"));
            } else {
                pattern.push_str(piece);
            }
        }
        (pattern, escape.to_string())
    }

    /// Members of JSON texts.
    fn json(&mut self, of: Type, scope: &Scope) -> Tree {
        let is_json = |column: &&Column| column.name == "attributes";
        let found: Vec<&Column> = scope.columns.iter().filter(is_json).collect();
        if found.is_empty() {
            return self.simple(of, scope);
        }
        let json = found[self.random.below(found.len())].tree.clone().fixed();
        let key = self.pick(&["note", "a.b", "gen_ai.request.model", "input.value", "none"]);
        if of == Type::Int {
            let sqlite = "CAST({0} ->> '$.\"num\"' AS INTEGER)";
            return match self.one_in(2) {
                true => {
                    let duckdb = "CAST({0} ->> 'num' AS BIGINT)";
                    Tree::each(
                        Kind::Value(of),
                        ["json_get_int({0}, 'num')", duckdb],
                        Some(sqlite),
                        [json],
                    )
                }
                false => {
                    let text = "CAST({0} ->> 'num' AS BIGINT)";
                    Tree::each(Kind::Value(of), [text, text], Some(sqlite), [json])
                }
            };
        }
        if of == Type::Bool {
            let (ours, duckdb) = (
                format!("({{0}} ? '{key}')"),
                format!("json_exists({{0}}, '$.\"{key}\"')"),
            );
            let sqlite = format!(
                "CASE WHEN {{0}} IS NOT NULL THEN json_type({{0}}, '$.\"{key}\"') IS NOT NULL END"
            );
            return Tree::each(Kind::Value(of), [&ours, &duckdb], Some(&sqlite), [json]);
        }
        let text = format!("({{0}} ->> '{key}')");
        let get = format!("json_get_str({{0}}, '{key}')");
        let sqlite = format!("({{0}} ->> '$.\"{key}\"')");
        let ours = if self.one_in(3) { &get } else { &text };
        Tree::each(Kind::Value(of), [ours, &text], Some(&sqlite), [json])
    }
}

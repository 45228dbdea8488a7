//! Aggregates and windows.

use super::{Column, Generator, Scope};
use crate::differential::tree::{Dialect, Kind, Tree, Type};

/// An aggregate: result, argument, and its spelling.
struct Aggregate {
    of: Type,
    arg: Option<Type>,
    text: &'static str,
    duckdb: &'static str,
    sqlite: Option<&'static str>,
    is_windowed: bool,
}

const fn plain(of: Type, arg: Type, text: &'static str) -> Aggregate {
    Aggregate {
        of,
        arg: Some(arg),
        text,
        duckdb: text,
        sqlite: Some(text),
        is_windowed: true,
    }
}

const fn both(of: Type, arg: Type, text: &'static str) -> Aggregate {
    Aggregate {
        of,
        arg: Some(arg),
        text,
        duckdb: text,
        sqlite: None,
        is_windowed: false,
    }
}

const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        of: Type::Int,
        arg: None,
        text: "count(*)",
        duckdb: "count(*)",
        sqlite: Some("count(*)"),
        is_windowed: true,
    },
    plain(Type::Int, Type::Int, "count({0})"),
    plain(Type::Int, Type::Text, "count({0})"),
    Aggregate {
        is_windowed: false,
        ..plain(Type::Int, Type::Text, "count(DISTINCT {0})")
    },
    Aggregate {
        is_windowed: false,
        ..plain(Type::Int, Type::Int, "count(DISTINCT {0})")
    },
    Aggregate {
        is_windowed: false,
        ..plain(Type::Int, Type::Bool, "count(DISTINCT {0})")
    },
    plain(Type::Int, Type::Int, "sum({0})"),
    plain(Type::Int, Type::Int, "min({0})"),
    plain(Type::Int, Type::Int, "max({0})"),
    Aggregate {
        is_windowed: false,
        ..plain(Type::Int, Type::Int, "sum(DISTINCT {0})")
    },
    Aggregate {
        sqlite: Some("sum({0})"),
        duckdb: "sum(CAST({0} AS BIGINT))",
        ..plain(Type::Int, Type::Bool, "sum(CAST({0} AS BIGINT))")
    },
    both(Type::Int, Type::Int, "bit_and({0})"),
    both(Type::Int, Type::Int, "bit_or({0})"),
    plain(Type::Float, Type::Int, "avg({0})"),
    plain(Type::Float, Type::Float, "avg({0})"),
    plain(Type::Float, Type::Float, "sum({0})"),
    plain(Type::Float, Type::Float, "max({0})"),
    both(Type::Float, Type::Float, "stddev({0})"),
    both(Type::Float, Type::Float, "var_pop({0})"),
    both(Type::Float, Type::Float, "median({0})"),
    Aggregate {
        text: "percentile_cont(0.25) WITHIN GROUP (ORDER BY {0})",
        duckdb: "quantile_cont({0}, 0.25)",
        ..both(Type::Float, Type::Float, "")
    },
    both(Type::Int, Type::Bool, "count_if({0})"),
    both(Type::Int, Type::Int, "quantile({0}, 0.3)"),
    both(Type::Int, Type::Int, "arg_max({0}, {0})"),
    both(Type::Text, Type::Text, "quantile_disc({0}, 0.5)"),
    both(Type::Text, Type::Text, "min_by({0}, {0})"),
    plain(Type::Text, Type::Text, "min({0})"),
    plain(Type::Text, Type::Text, "max({0})"),
    both(Type::Text, Type::Text, "string_agg({0}, ',' ORDER BY {0})"),
    // Of NULLs alone DuckDB makes NULL, and PostgreSQL an empty text, as we do.
    both(
        Type::Text,
        Type::Text,
        "array_to_string(array_agg(coalesce({0}, '-') ORDER BY {0}), ',')",
    ),
    Aggregate {
        sqlite: Some("min({0})"),
        ..both(Type::Bool, Type::Bool, "bool_and({0})")
    },
    Aggregate {
        sqlite: Some("max({0})"),
        ..both(Type::Bool, Type::Bool, "bool_or({0})")
    },
    plain(Type::Time, Type::Time, "min({0})"),
    plain(Type::Time, Type::Time, "max({0})"),
];

impl Generator {
    /// An aggregate of a type over what `scope` has.
    pub fn aggregate(&mut self, of: Type, scope: &Scope, depth: usize) -> Tree {
        self.aggregate_of(of, scope, depth, false)
    }

    fn aggregate_of(&mut self, of: Type, scope: &Scope, depth: usize, is_windowed: bool) -> Tree {
        let is_common = self.is_common;
        let fits = |aggregate: &&Aggregate| {
            let is_known = aggregate.sqlite.is_some() || !is_common;
            aggregate.of == of && is_known && (aggregate.is_windowed || !is_windowed)
        };
        let fitting: Vec<&Aggregate> = AGGREGATES.iter().filter(fits).collect();
        if fitting.is_empty() {
            // No aggregate of truth values has a window that all know.
            return Tree::node(
                Kind::Value(of),
                "(count({0}) > 1)",
                vec![self.value(Type::Int, scope, depth)],
            );
        }
        let found = fitting[self.random.below(fitting.len())];
        let argument = match found.arg {
            Some(arg) => self.value(arg, scope, depth),
            None => Tree::empty(),
        };
        let filter = match self.one_in(5) && !is_windowed && !found.text.starts_with("array_to") {
            true => Tree::node(
                Kind::Clause,
                " FILTER (WHERE {0})",
                vec![self.value(Type::Bool, scope, depth)],
            ),
            false => Tree::leaf(Kind::Clause, ""),
        };
        let with = |text: &str| format!("{text}{{1}}");
        let sqlite = found.sqlite.map(with);
        Tree::each(
            Kind::Value(of),
            [&with(found.text), &with(found.duckdb)],
            sqlite.as_deref(),
            [argument, filter],
        )
    }

    /// Aggregates of all types, for a scope.
    pub fn aggregates(&mut self, scope: &Scope) -> Vec<Column> {
        let count = 1 + self.random.below(4);
        let of_all = |generator: &mut Self| {
            let of = generator.any_type();
            let depth = generator.random.below(3);
            Column {
                name: String::new(),
                of,
                tree: generator.aggregate(of, scope, depth),
            }
        };
        (0..count).map(|_| of_all(self)).collect()
    }

    /// Window calls; `key` puts the rows into one order.
    pub fn windows(&mut self, scope: &Scope, key: Option<&[Column]>) -> Vec<Column> {
        (0..1 + self.random.below(2))
            .map(|_| self.window(scope, key))
            .collect()
    }

    fn window(&mut self, scope: &Scope, key: Option<&[Column]>) -> Column {
        let of = self.any_type();
        let Some(key) = key.filter(|_| !self.one_in(4)) else {
            return self.window_of_peers(of, scope);
        };
        let by = self.any_type();
        let mut items = vec![self.order_by(by, scope)];
        items.extend(key.iter().map(|column| {
            Tree::each(
                Kind::Fixed,
                ["{0}", "{0}"],
                Some("{0} NULLS LAST"),
                [column.tree.clone()],
            )
        }));
        let count = items.len();
        let order = Tree::list(count, ", ", items);
        let value = self.value(of, scope, 1);
        let (of, call) = match self.random.below(9) {
            0 => (Type::Int, Tree::leaf(Kind::Fixed, "row_number()")),
            1 => (Type::Int, Tree::leaf(Kind::Fixed, "ntile(3)")),
            2 => (of, Tree::node(Kind::Fixed, "lag({0})", vec![value])),
            3 => (of, Tree::node(Kind::Fixed, "lead({0}, 2)", vec![value])),
            4 => (
                of,
                Tree::node(
                    Kind::Fixed,
                    "lag({0}, 1, {1})",
                    vec![value, self.literal(of)],
                ),
            ),
            5 => (of, Tree::node(Kind::Fixed, "first_value({0})", vec![value])),
            6 => (of, Tree::node(Kind::Fixed, "last_value({0})", vec![value])),
            7 => (
                of,
                Tree::node(Kind::Fixed, "nth_value({0}, 2)", vec![value]),
            ),
            _ => (of, self.aggregate_of(of, scope, 1, true)),
        };
        let takes_frame = self.random.below(2) == 0;
        let frame = match takes_frame {
            true => self.pick(&[
                "",
                " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
                " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                " ROWS 3 PRECEDING",
                " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            ]),
            false => "",
        };
        let parts = vec![
            call,
            self.partition(scope),
            order,
            Tree::leaf(Kind::Clause, frame),
        ];
        let tree = Tree::node(Kind::Value(of), "{0} OVER ({1}ORDER BY {2}{3})", parts);
        Column {
            name: String::new(),
            of,
            tree,
        }
    }

    /// A call that says the same of rows that are equal in the order.
    fn window_of_peers(&mut self, of: Type, scope: &Scope) -> Column {
        let (of, call) = match self.random.below(6) {
            0 => (Type::Int, Tree::leaf(Kind::Fixed, "rank()")),
            1 => (Type::Int, Tree::leaf(Kind::Fixed, "dense_rank()")),
            2 => (Type::Float, Tree::leaf(Kind::Fixed, "percent_rank()")),
            3 => (Type::Float, Tree::leaf(Kind::Fixed, "cume_dist()")),
            _ => (of, self.aggregate_of(of, scope, 1, true)),
        };
        let by = self.any_type();
        let order = self.order_by(by, scope);
        let range = self.pick(&["", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"]);
        let parts = vec![
            call,
            self.partition(scope),
            order,
            Tree::leaf(Kind::Clause, range),
        ];
        let text = match self.one_in(4) && range.is_empty() {
            true => "{0} OVER ({1})",
            false => "{0} OVER ({1}ORDER BY {2}{3})",
        };
        let text = if parts[0]
            .render(Dialect::Ours)
            .is_some_and(|call| call.contains("rank") || call.contains("cume"))
        {
            "{0} OVER ({1}ORDER BY {2}{3})"
        } else {
            text
        };
        let tree = Tree::node(Kind::Value(of), text, parts);
        Column {
            name: String::new(),
            of,
            tree,
        }
    }

    fn order_by(&mut self, by: Type, scope: &Scope) -> Tree {
        let value = self.value(by, scope, 1);
        let value = Tree::node(Kind::Fixed, "coalesce({0}, {0})", vec![value]);
        self.order_item(value)
    }

    fn partition(&mut self, scope: &Scope) -> Tree {
        if self.one_in(3) {
            return Tree::leaf(Kind::Clause, "");
        }
        let of = self.any_type();
        Tree::node(
            Kind::Clause,
            "PARTITION BY {0} ",
            vec![self.value(of, scope, 1)],
        )
    }
}

//! FROM: tables, views, queries and common ones, joined in every way.

use super::tables::{TABLES, Table};
use super::{Column, Generator, Scope};
use crate::differential::tree::{Kind, Tree, Type};

/// Most rows that a product of two sources may have.
const PRODUCT_ROWS_MAX: usize = 20_000;

/// One item of FROM.
pub struct Source {
    pub tree: Tree,
    pub columns: Vec<Column>,
    /// Columns that no two of its rows have in common.
    pub key: Option<Vec<Column>>,
    /// How many rows it has, about.
    rows: usize,
}

fn rows_about(table: &Table) -> usize {
    match table.name {
        "spans" => 400,
        "messages" | "metadata" => 300,
        "traces" | "assessments" => 120,
        _ => 60,
    }
}

/// A column of an alias.
pub fn column(alias: &str, name: &str, of: Type) -> Column {
    let needs_quotes = matches!(name, "index" | "key" | "value" | "type" | "time" | "name");
    let text = if needs_quotes {
        format!("{alias}.\"{name}\"")
    } else {
        format!("{alias}.{name}")
    };
    Column {
        name: name.to_string(),
        of,
        tree: Tree::leaf(Kind::Value(of), text),
    }
}

impl Generator {
    /// FROM with its sources. `outer` is what a query around this one offers.
    pub fn from(&mut self, outer: &Scope) -> Source {
        let mut left = self.source();
        for _ in 0..[0, 0, 0, 1, 1, 2][self.random.below(6)] {
            left = self.join(left, outer);
        }
        // SQLite lets a later JOIN bind the comma's two sides, too, so it comes last.
        let right = self.table_source();
        if self.one_in(12) && is_small_product(&left, &right) {
            let parts = vec![left.tree.clone(), right.tree.clone()];
            return merge(Tree::node(Kind::Fixed, "{0}, {1}", parts), left, right);
        }
        left
    }

    fn source(&mut self) -> Source {
        if !self.common.is_empty() && self.one_in(2) {
            let common = self.common[self.random.below(self.common.len())].clone();
            let alias = self.alias();
            let columns = common
                .columns
                .iter()
                .map(|(name, of)| column(&alias, name, *of))
                .collect();
            let tree = Tree::leaf(Kind::Fixed, format!("{} AS {alias}", common.name));
            return Source {
                tree,
                columns,
                key: None,
                rows: 100,
            };
        }
        if self.queries_left > 0 && self.one_in(6) {
            let (query, types) = self.inner_query(None, &Scope::default());
            let alias = self.alias();
            let columns = types
                .iter()
                .enumerate()
                .map(|(at, of)| column(&alias, &format!("c{at}"), *of))
                .collect();
            let tree = Tree::node(Kind::Fixed, format!("({{0}}) AS {alias}"), vec![query]);
            return Source {
                tree,
                columns,
                key: None,
                rows: 200,
            };
        }
        match self.random.below(24) {
            0 => self.models(),
            1 if !self.is_common => self.written(),
            _ => self.table_source(),
        }
    }

    /// The models of traces, one a row.
    fn models(&mut self) -> Source {
        let alias = self.alias();
        let text = "SELECT trace_id, unnest(models) AS model FROM traces";
        let sqlite =
            "SELECT traces.trace_id, m.value AS model FROM traces, json_each(traces.models) AS m";
        let [text, sqlite] = [text, sqlite].map(|text| format!("({text}) AS {alias}"));
        let tree = Tree::each(Kind::Fixed, [&text, &text], Some(&sqlite), []);
        let columns: Vec<Column> = ["trace_id", "model"]
            .map(|name| column(&alias, name, Type::Text))
            .to_vec();
        Source {
            tree,
            key: Some(columns.clone()),
            columns,
            rows: 60,
        }
    }

    /// VALUES.
    fn written(&mut self) -> Source {
        let alias = self.alias();
        let text = format!(
            "(VALUES ('a', 1), ('gpt-4o', 2), (NULL, 2), ('', NULL)) AS {alias}(model, number)"
        );
        let columns = vec![
            column(&alias, "model", Type::Text),
            column(&alias, "number", Type::Int),
        ];
        Source {
            tree: Tree::not_sqlite(Kind::Fixed, &text, Vec::new()),
            columns,
            key: None,
            rows: 4,
        }
    }

    /// A table or view as it is.
    pub fn table_source(&mut self) -> Source {
        // Traces and spans most of the time.
        let at = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7][self.random.below(15)];
        let table = &TABLES[at];
        let alias = self.alias();
        let columns: Vec<Column> = table
            .columns()
            .filter_map(|(name, kind)| Some(column(&alias, name, kind.value()?)))
            .chain(self.special_columns(table, &alias))
            .collect();
        let key = table
            .key
            .iter()
            .map(|key| columns.iter().find(|column| column.name == *key).cloned());
        let key: Option<Vec<Column>> = key.collect();
        let tree = Tree::leaf(Kind::Fixed, format!("{} AS {alias}", table.name));
        let rows = rows_about(table);
        Source {
            tree,
            columns,
            key: key.filter(|key| !key.is_empty()),
            rows,
        }
    }

    /// Values of lists and maps.
    fn special_columns(&mut self, table: &Table, alias: &str) -> Vec<Column> {
        if table.name != "traces" {
            return Vec::new();
        }
        let text = |text: &str, sqlite: Option<&str>, of: Type| Column {
            name: String::new(),
            of,
            tree: Tree::each(Kind::Value(of), [text, text], sqlite, []),
        };
        let env = format!("{alias}.tags['env']");
        let user = format!("{alias}.metadata['mlflow.trace.user']");
        let all = vec![
            text(
                &env,
                Some(&format!("({alias}.tags ->> '$.\"env\"')")),
                Type::Text,
            ),
            text(
                &user,
                Some(&format!("({alias}.metadata ->> '$.\"mlflow.trace.user\"')")),
                Type::Text,
            ),
            text(&format!("array_length({alias}.models)"), None, Type::Int),
            text(&format!("{alias}.models[1]"), None, Type::Text),
            text(
                &format!("array_has({alias}.models, 'gpt-4o')"),
                None,
                Type::Bool,
            ),
            text(
                &format!("array_to_string({alias}.models, ',')"),
                None,
                Type::Text,
            ),
        ];
        let count = if self.is_common { 2 } else { all.len() };
        all.into_iter().take(count).collect()
    }

    /// One more source beside `left`.
    fn join(&mut self, left: Source, outer: &Scope) -> Source {
        let right = if self.one_in(3) {
            self.source()
        } else {
            self.table_source()
        };
        let close = same_ids(&left, &right);
        let is_small = is_small_product(&left, &right);
        if close.is_empty() && !is_small {
            return left;
        }
        let kind = self.random.below(14);
        if is_small && (close.is_empty() || kind == 0) {
            let parts = vec![left.tree.clone(), right.tree.clone()];
            return merge(
                Tree::node(Kind::Fixed, "{0} CROSS JOIN {1}", parts),
                left,
                right,
            );
        }
        if close.is_empty() {
            return left;
        }
        if kind == 3 && !self.is_common {
            return self.lateral(left);
        }
        let ids = close[self.random.below(close.len())].clone();
        if kind == 2 && close.len() == 1 {
            return self.using(left, right, &ids.0.name);
        }
        let on = self.join_condition(&left, &right, ids, outer);
        if kind == 1 && !self.is_common {
            return self.half_join(left, right, on);
        }
        let word = self.pick(&[
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT OUTER JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "FULL OUTER JOIN",
        ]);
        let text = format!("{{0}} {word} {{1}} ON {{2}}");
        merge(
            Tree::node(
                Kind::Fixed,
                text,
                vec![left.tree.clone(), right.tree.clone(), on],
            ),
            left,
            right,
        )
    }
}

/// Ids that both have, but for those that all rows have in common.
fn same_ids(left: &Source, right: &Source) -> Vec<(Column, Column)> {
    left.columns
        .iter()
        .flat_map(|one| right.columns.iter().map(move |other| (one, other)))
        .filter(|(one, other)| one.name == other.name && one.of == other.of)
        .filter(|(one, _)| one.name.ends_with("_id") && one.name != "experiment_id")
        .map(|(one, other)| (one.clone(), other.clone()))
        .collect()
}

fn is_small_product(left: &Source, right: &Source) -> bool {
    left.rows * right.rows <= PRODUCT_ROWS_MAX
}

impl Generator {
    /// What holds of rows that are joined: their ids are the same, and often one thing more.
    fn join_condition(
        &mut self,
        left: &Source,
        right: &Source,
        (one, other): (Column, Column),
        outer: &Scope,
    ) -> Tree {
        let equal = vec![one.tree, other.tree];
        let operator = if is_small_product(left, right) && self.one_in(6) {
            "IS NOT DISTINCT FROM"
        } else {
            "="
        };
        let mut conditions = vec![Tree::node(
            Kind::Value(Type::Bool),
            format!("{{0}} {operator} {{1}}"),
            equal,
        )];
        if self.one_in(2) {
            let columns: Vec<Column> = left.columns.iter().chain(&right.columns).cloned().collect();
            let scope = Scope::of_rows(&columns);
            let scope = with_outer(scope, outer, self.one_in(8));
            let more = self.value(Type::Bool, &scope, 2);
            conditions.push(Tree::node(Kind::Fixed, "({0})", vec![more]));
        }
        Tree::list(1, " AND ", conditions)
    }

    /// Rows of `left` that `right` has, or has not, a row for.
    fn half_join(&mut self, left: Source, right: Source, on: Tree) -> Source {
        let half = self.pick(&["SEMI", "ANTI"]);
        let (ours, duckdb) = (
            format!("{{0}} LEFT {half} JOIN {{1}} ON {{2}}"),
            format!("{{0}} {half} JOIN {{1}} ON {{2}}"),
        );
        let tree = Tree::each(
            Kind::Fixed,
            [&ours, &duckdb],
            None,
            [left.tree, right.tree, on],
        );
        Source { tree, ..left }
    }

    /// A query in FROM that names what stands before it.
    fn lateral(&mut self, left: Source) -> Source {
        let (alias, of) = (self.alias(), self.any_type());
        self.queries_left += 1;
        let query = self.scalar_query(of, &Scope::of_rows(&left.columns));
        let text = format!("{{0}}, LATERAL (SELECT {{1}} AS c0) AS {alias}");
        let tree = Tree::not_sqlite(Kind::Fixed, &text, vec![left.tree, query]);
        let mut columns = left.columns;
        columns.push(column(&alias, "c0", of));
        Source {
            tree,
            columns,
            key: left.key,
            rows: left.rows,
        }
    }

    /// USING; the column that both have is left to neither.
    fn using(&mut self, left: Source, right: Source, name: &str) -> Source {
        let word = self.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
        let text = format!("{{0}} {word} {{1}} USING ({name})");
        let tree = Tree::node(
            Kind::Fixed,
            text,
            vec![left.tree.clone(), right.tree.clone()],
        );
        let mut both = merge(tree, left, right);
        both.columns.retain(|column| column.name != name);
        Source { key: None, ..both }
    }
}

fn with_outer(mut scope: Scope, outer: &Scope, is_wanted: bool) -> Scope {
    if is_wanted {
        scope.columns.extend(outer.outer.iter().cloned());
    }
    scope
}

/// Both sources as one, spelt `tree`.
fn merge(tree: Tree, left: Source, right: Source) -> Source {
    let key = match (left.key, right.key) {
        (Some(left), Some(right)) => Some(left.into_iter().chain(right).collect()),
        _ => None,
    };
    let columns = left.columns.into_iter().chain(right.columns).collect();
    Source {
        tree,
        columns,
        key,
        rows: left.rows.max(right.rows) * 6,
    }
}

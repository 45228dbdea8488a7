//! SELECT and set operations.

use super::sources::Source;
use super::{Column, Generator, Scope};
use crate::differential::tree::{Kind, Tree, Type};

/// A select's tree, the types of its columns, and what ORDER BY may name if it may name anything.
type Selected = (Tree, Vec<Type>, Option<Scope>);

impl Generator {
    /// The outermost query.
    pub fn top_query(&mut self) -> Selected {
        self.is_top = true;
        if self.one_in(6) {
            self.set_operation()
        } else {
            self.select(None, &Scope::default())
        }
    }

    /// A query inside FROM or WITH; its columns are `c0`, `c1` and so on.
    pub fn inner_query(&mut self, wanted: Option<&[Type]>, outer: &Scope) -> (Tree, Vec<Type>) {
        self.queries_left = self.queries_left.saturating_sub(1);
        let was_top = std::mem::replace(&mut self.is_top, false);
        let (tree, types, _) = match self.one_in(5) {
            true => self.set_operation(),
            false => self.select(wanted, outer),
        };
        let tree = match self.one_in(5) {
            true => {
                let order = self.order(&types, None);
                Tree::node(Kind::Fixed, "{0}{1}", vec![tree, order])
            }
            false => tree,
        };
        self.is_top = was_top;
        (tree, types)
    }

    fn set_operation(&mut self) -> Selected {
        let (first, types, _) = self.select(None, &Scope::default());
        let (second, ..) = self.select(Some(&types), &Scope::default());
        let operator = self.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
        let text = format!("{{0}} {operator} {{1}}");
        let tree = match if self.is_common {
            9
        } else {
            self.random.below(8)
        } {
            0 => {
                let all = self.pick(&["INTERSECT ALL", "EXCEPT ALL"]);
                Tree::not_sqlite(
                    Kind::Query,
                    &format!("{{0}} {all} {{1}}"),
                    vec![first, second],
                )
            }
            1 => {
                let (third, ..) = self.select(Some(&types), &Scope::default());
                let other = self.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
                let text = format!("{{0}} {operator} {{1}} {other} {{2}}");
                Tree::not_sqlite(Kind::Query, &text, vec![first, second, third])
            }
            2 => {
                let (third, ..) = self.select(Some(&types), &Scope::default());
                let text = format!("{{0}} {operator} ({{1}} UNION ALL {{2}})");
                Tree::not_sqlite(Kind::Query, &text, vec![first, second, third])
            }
            _ => Tree::node(Kind::Query, text, vec![first, second]),
        };
        (tree, types, None)
    }

    /// One SELECT, of the columns that are `wanted` or of any.
    fn select(&mut self, wanted: Option<&[Type]>, outer: &Scope) -> Selected {
        let source = self.from(outer);
        let rows = Scope::of_rows(&source.columns);
        let filter = match self.one_in(3) {
            true => Tree::leaf(Kind::Clause, ""),
            false => Tree::node(
                Kind::Clause,
                " WHERE {0}",
                vec![self.value(Type::Bool, &rows, 3)],
            ),
        };
        match self.random.below(10) {
            0..=3 => self.grouped(source, &rows, filter, wanted),
            4 | 5 => self.windowed(source, &rows, filter, wanted),
            _ => self.plain(source, &rows, filter, wanted),
        }
    }

    fn plain(
        &mut self,
        source: Source,
        rows: &Scope,
        filter: Tree,
        wanted: Option<&[Type]>,
    ) -> Selected {
        let (items, types) = self.items(rows, wanted);
        let is_distinct = self.one_in(5);
        if let (true, Some(key)) = (
            self.one_in(25) && !self.is_common && self.is_top,
            &source.key,
        ) {
            let of = self.any_type();
            let order: Vec<Tree> = key
                .iter()
                .map(|column| column.tree.clone().fixed())
                .collect();
            let parts = vec![
                self.simple(of, rows),
                items,
                source.tree,
                filter,
                Tree::list(key.len(), ", ", order),
            ];
            let text = "SELECT DISTINCT ON (coalesce({0}, {0})) {1} FROM {2}{3} ORDER BY coalesce({0}, {0}), {4}";
            let tree = Tree::not_sqlite(Kind::Fixed, text, parts);
            let tree = Tree::node(Kind::Query, "SELECT * FROM ({0}) AS only", vec![tree]);
            return (tree, types, None);
        }
        let distinct = Tree::leaf(Kind::Clause, if is_distinct { "DISTINCT " } else { "" });
        let tree = Tree::node(
            Kind::Query,
            "SELECT {0}{1} FROM {2}{3}",
            vec![distinct, items, source.tree, filter],
        );
        (tree, types, (!is_distinct).then(|| rows.clone()))
    }

    fn windowed(
        &mut self,
        source: Source,
        rows: &Scope,
        filter: Tree,
        wanted: Option<&[Type]>,
    ) -> Selected {
        let mut scope = rows.clone();
        let windows = self.windows(rows, source.key.as_deref());
        // Often enough among the many columns.
        for _ in 0..1 + rows.columns.len() / 4 {
            scope.columns.extend(windows.iter().cloned());
        }
        let (items, types) = self.items(&scope, wanted);
        let qualify = match self.one_in(3) && !self.is_common {
            true => {
                let window = windows[0].clone();
                let other = self.literal(window.of);
                let text = self.pick(&[
                    " QUALIFY {0} = {1}",
                    " QUALIFY {0} <= {1}",
                    " QUALIFY {0} > {1}",
                ]);
                Tree::not_sqlite(Kind::Clause, text, vec![window.tree, other])
            }
            false => Tree::leaf(Kind::Clause, ""),
        };
        let tree = Tree::node(
            Kind::Query,
            "SELECT {0} FROM {1}{2}{3}",
            vec![items, source.tree, filter, qualify],
        );
        (tree, types, None)
    }

    fn grouped(
        &mut self,
        source: Source,
        rows: &Scope,
        filter: Tree,
        wanted: Option<&[Type]>,
    ) -> Selected {
        let keys: Vec<Column> = (0..self.random.below(4))
            .map(|_| self.group_key(rows))
            .collect();
        let plain = keys
            .iter()
            .filter(|key| key.tree.parts.is_empty())
            .cloned()
            .collect();
        let mut scope = Scope {
            columns: keys.clone(),
            outer: plain,
            rows: rows.columns.clone(),
        };
        let aggregates = self.aggregates(rows);
        scope.columns.extend(aggregates);
        let (items, types) = self.items(&scope, wanted);
        let having = match self.one_in(3) {
            true => Tree::node(
                Kind::Clause,
                " HAVING {0}",
                vec![self.value(Type::Bool, &scope, 2)],
            ),
            false => Tree::leaf(Kind::Clause, ""),
        };
        let group = self.group_by(&keys);
        let parts = vec![items, source.tree, filter, group, having];
        let tree = Tree::node(Kind::Query, "SELECT {0} FROM {1}{2}{3}{4}", parts);
        (tree, types, Some(scope))
    }

    /// A column, or a form over columns; never a literal, which would be a place in the list.
    fn group_key(&mut self, rows: &Scope) -> Column {
        let at = self.random.below(rows.columns.len());
        let column = rows.columns[at].clone();
        if !self.one_in(3) {
            return Column {
                tree: column.tree.clone().fixed(),
                ..column
            };
        }
        let text = match column.of {
            Type::Int => "({0} % 3)",
            Type::Float => "round({0})",
            Type::Text => "lower({0})",
            Type::Bool => "(NOT {0})",
            Type::Time => "coalesce({0}, {0})",
        };
        Column {
            name: String::new(),
            of: column.of,
            tree: Tree::node(Kind::Fixed, text, vec![column.tree]),
        }
    }

    fn group_by(&mut self, keys: &[Column]) -> Tree {
        if keys.is_empty() {
            return Tree::leaf(Kind::Fixed, "");
        }
        let trees: Vec<Tree> = keys.iter().map(|key| key.tree.clone()).collect();
        let list = Tree::list(trees.len(), ", ", trees);
        match if self.is_common {
            9
        } else {
            self.random.below(10)
        } {
            0 => Tree::not_sqlite(Kind::Fixed, " GROUP BY ROLLUP ({0})", vec![list]),
            1 => Tree::not_sqlite(Kind::Fixed, " GROUP BY CUBE ({0})", vec![list]),
            2 => Tree::not_sqlite(
                Kind::Fixed,
                " GROUP BY GROUPING SETS (({0}), ())",
                vec![list],
            ),
            _ => Tree::node(Kind::Fixed, " GROUP BY {0}", vec![list]),
        }
    }

    /// The select list: `expression AS c0` and so on.
    fn items(&mut self, scope: &Scope, wanted: Option<&[Type]>) -> (Tree, Vec<Type>) {
        let types = match wanted {
            Some(types) => types.to_vec(),
            None => (0..1 + self.random.below(4))
                .map(|_| self.any_type())
                .collect(),
        };
        let is_top = self.is_top;
        let mut items = Vec::new();
        for (at, of) in types.iter().enumerate() {
            let depth = self.random.below(4);
            let value = self.value(*of, scope, depth);
            let text = format!("{{0}} AS c{at}");
            items.push(match is_top && *of == Type::Time {
                // What DuckDB's Python package makes of a time has microseconds only.
                true => {
                    let duckdb = format!("epoch_ns({{0}}) AS c{at}");
                    Tree::each(Kind::Fixed, [&text, &duckdb], Some(&text), [value])
                }
                false => Tree::node(Kind::Fixed, text, vec![value]),
            });
        }
        (Tree::list(types.len(), ", ", items), types)
    }
}

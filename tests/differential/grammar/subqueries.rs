//! Queries inside expressions, correlated and not.

use super::{Generator, Scope};
use crate::differential::tree::{Binding, Kind, Tree, Type};

impl Generator {
    /// A query with one row of one column.
    pub fn scalar_query(&mut self, of: Type, scope: &Scope) -> Tree {
        self.queries_left -= 1;
        let was_top = std::mem::replace(&mut self.is_top, false);
        let source = self.table_source();
        let inside = Scope::of_rows(&source.columns);
        if let Some(key) = source.key.as_ref().filter(|_| self.random.below(3) == 0) {
            let value = self.value(of, &inside, 1);
            let order = key
                .iter()
                .map(|column| column.tree.clone().fixed())
                .collect();
            let filter = self.inner_filter(&inside, scope);
            self.is_top = was_top;
            let direction = self.pick(&["", " DESC"]);
            let text = format!("(SELECT {{0}} FROM {{1}}{{2}} ORDER BY {{3}}{direction} LIMIT 1)");
            let parts = vec![
                value,
                source.tree,
                filter,
                Tree::list(key.len(), ", ", order),
            ];
            return Tree::node(Kind::Value(of), text, parts);
        }
        let value = self.aggregate(of, &inside, 1);
        let filter = self.inner_filter(&inside, scope);
        self.is_top = was_top;
        Tree::node(
            Kind::Value(of),
            "(SELECT {0} FROM {1}{2})",
            vec![value, source.tree, filter],
        )
    }

    /// EXISTS, IN, ANY, ALL.
    pub fn query_test(&mut self, scope: &Scope, depth: usize) -> Tree {
        self.queries_left -= 1;
        let was_top = std::mem::replace(&mut self.is_top, false);
        let source = self.table_source();
        let inside = Scope::of_rows(&source.columns);
        let filter = self.inner_filter(&inside, scope);
        let tree = match self.random.below(8) {
            0..=2 => {
                let text = self.pick(&[
                    "EXISTS (SELECT {0} FROM {1}{2})",
                    "NOT EXISTS (SELECT {0} FROM {1}{2})",
                ]);
                let item = Tree::leaf(Kind::Fixed, "1");
                Tree::node(
                    Kind::Value(Type::Bool),
                    text,
                    vec![item, source.tree, filter],
                )
            }
            4 if !self.is_common => {
                let parts = [(scope, depth), (scope, depth), (&inside, 0), (&inside, 0)]
                    .map(|(scope, depth)| self.value(Type::Text, scope, depth));
                let [one, two, first, second] = parts;
                let text = self.pick(&[
                    "(({0}, {1}) IN (SELECT {2}, {3} FROM {4}{5}))",
                    "(({0}, {1}) NOT IN (SELECT {2}, {3} FROM {4}{5}))",
                ]);
                Tree::not_sqlite(
                    Kind::Value(Type::Bool),
                    text,
                    vec![one, two, first, second, source.tree, filter],
                )
            }
            3 if !self.is_common => {
                let of = [Type::Int, Type::Text, Type::Time][self.random.below(3)];
                let (left, item) = (self.value(of, scope, depth), self.simple(of, &inside));
                let operator = self.pick(&["=", "<>", "<", ">="]);
                let word = self.pick(&["ANY", "ALL"]);
                let text = format!("({{0}} {operator} {word} (SELECT {{1}} FROM {{2}}{{3}}))");
                Tree::not_sqlite(
                    Kind::Value(Type::Bool),
                    &text,
                    vec![left, item, source.tree, filter],
                )
            }
            _ => {
                let of = [Type::Int, Type::Text, Type::Text, Type::Time][self.random.below(4)];
                let (left, item) = (self.value(of, scope, depth), self.simple(of, &inside));
                let not = self.pick(&["", "NOT "]);
                let text = format!("{{0}} {not}IN (SELECT {{1}} FROM {{2}}{{3}})");
                let closed = format!("({text})");
                let text = if self.one_in(3) { text } else { closed };
                let binding = if text.starts_with('(') {
                    Binding::Wrapped
                } else {
                    Binding::Disputed
                };
                Tree::node(
                    Kind::Value(Type::Bool),
                    text,
                    vec![left, item, source.tree, filter],
                )
                .bare(binding)
            }
        };
        self.is_top = was_top;
        tree
    }

    /// WHERE of a query inside another: tied to it by an equality, at times by more, or not at all.
    fn inner_filter(&mut self, inside: &Scope, outside: &Scope) -> Tree {
        let mut conditions = Vec::new();
        let pairs: Vec<(&Tree, &Tree)> = inside
            .columns
            .iter()
            .flat_map(|one| outside.outer.iter().map(move |other| (one, other)))
            .filter(|(one, other)| one.name == other.name && one.name.ends_with("_id"))
            .map(|(one, other)| (&one.tree, &other.tree))
            .collect();
        if !pairs.is_empty() && !self.one_in(3) {
            let (one, other) = pairs[self.random.below(pairs.len())];
            let operator = if self.one_in(12) { "<" } else { "=" };
            let text = format!("{{0}} {operator} {{1}}");
            conditions.push(Tree::node(
                Kind::Value(Type::Bool),
                text,
                vec![one.clone(), other.clone()],
            ));
        }
        if self.one_in(2) {
            let both = Scope {
                columns: match self.one_in(4) {
                    true => inside
                        .columns
                        .iter()
                        .chain(&outside.outer)
                        .cloned()
                        .collect(),
                    false => inside.columns.clone(),
                },
                ..Scope::of_rows(&inside.columns)
            };
            conditions.push(Tree::node(
                Kind::Fixed,
                "({0})",
                vec![self.value(Type::Bool, &both, 2)],
            ));
        }
        match conditions.is_empty() {
            true => Tree::leaf(Kind::Clause, ""),
            false => Tree::node(
                Kind::Clause,
                " WHERE {0}",
                vec![Tree::list(1, " AND ", conditions)],
            ),
        }
    }
}

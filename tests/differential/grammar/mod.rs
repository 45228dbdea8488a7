//! The grammar: typed expressions and queries, put together at random so that most of them are valid.
//!
//! ```text
//! statement = [WITH ..] query [ORDER BY all columns [LIMIT]]
//! query     = SELECT items FROM sources [WHERE] [GROUP BY [HAVING]] | query UNION query | ..
//! ```
//! What is in scope is a list of typed expressions: columns, and in a grouped query its keys and aggregates, in
//! a query with windows their calls, too. An answer never depends on an order that is not asked for.

mod forms;
mod groups;
mod queries;
mod sources;
mod subqueries;
pub mod tables;
mod values;

use super::statement::Statement;
use super::tree::{Kind, Tree, Type};
use crate::order::Random;

/// Something that an expression may name.
#[derive(Debug, Clone)]
pub struct Column {
    /// The column's own name, or nothing.
    pub name: String,
    pub of: Type,
    pub tree: Tree,
}

/// What expressions may name in one place of a query.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Values of a row, or of a group.
    pub columns: Vec<Column>,
    /// Those of them that a query inside may name: plain columns.
    pub outer: Vec<Column>,
    /// In a grouped query: the rows that aggregates go over.
    pub rows: Vec<Column>,
}

impl Scope {
    /// The rows of a source.
    fn of_rows(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            outer: columns.to_vec(),
            rows: Vec::new(),
        }
    }
}

/// A table, view or query that may be named in FROM, with columns.
#[derive(Debug, Clone)]
struct Common {
    name: String,
    columns: Vec<(String, Type)>,
}

/// Makes statements; the seed decides everything.
pub struct Generator {
    random: Random,
    aliases: usize,
    common: Vec<Common>,
    /// How many more queries may be put into the statement.
    queries_left: usize,
    /// Whether what is made now is a part of the outermost query.
    is_top: bool,
    /// Whether only what SQLite has words for is used.
    is_common: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            aliases: 0,
            common: Vec::new(),
            queries_left: 0,
            is_top: true,
            is_common: false,
        }
    }

    /// The one statement of this generator.
    pub fn statement(mut self) -> Statement {
        self.is_common = !self.one_in(3);
        self.queries_left = [0, 1, 1, 2, 3][self.random.below(5)];
        let with = if self.one_in(5) {
            self.with()
        } else {
            Tree::leaf(Kind::Clause, "")
        };
        let (query, types, scope) = self.top_query();
        let order = self.order(&types, scope.as_ref());
        let query = Tree::node(Kind::Fixed, "{0}{1}", vec![with, query]);
        Statement {
            tree: Tree::node(Kind::Fixed, "{0}{1}", vec![query, order]),
            types,
        }
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.random.below(count) == 0
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.random.below(from.len())]
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// WITH: queries, rows that are written out, a recursive count.
    fn with(&mut self) -> Tree {
        let mut parts = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let name = format!("c{}", parts.len());
            let kind = self.random.below(4);
            let (tree, columns) = match kind {
                0 => self.written_rows(&name),
                1 => {
                    let text = format!(
                        "{name}(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM {name} WHERE n < {})",
                        3 + self.random.below(5)
                    );
                    (
                        Tree::leaf(Kind::Fixed, text),
                        vec![("n".to_string(), Type::Int)],
                    )
                }
                _ => {
                    let (query, types) = self.inner_query(None, &Scope::default());
                    let columns = types
                        .iter()
                        .enumerate()
                        .map(|(at, of)| (format!("c{at}"), *of))
                        .collect();
                    (
                        Tree::node(Kind::Fixed, format!("{name} AS ({{0}})"), vec![query]),
                        columns,
                    )
                }
            };
            parts.push(tree);
            self.common.push(Common { name, columns });
        }
        let recursive = "WITH RECURSIVE {0} ";
        Tree::node(Kind::Clause, recursive, vec![Tree::list(1, ", ", parts)])
    }

    fn written_rows(&mut self, name: &str) -> (Tree, Vec<(String, Type)>) {
        let types: Vec<Type> = (0..1 + self.random.below(3))
            .map(|_| self.any_type())
            .collect();
        let mut rows = Vec::new();
        for _ in 0..2 + self.random.below(4) {
            let cells: Vec<Tree> = types
                .iter()
                .map(|of| {
                    if self.one_in(4) {
                        values::null(*of)
                    } else {
                        self.literal(*of)
                    }
                })
                .collect();
            rows.push(Tree::node(
                Kind::Fixed,
                "({0})",
                vec![Tree::list(cells.len(), ", ", cells)],
            ));
        }
        let columns: Vec<(String, Type)> = types
            .iter()
            .enumerate()
            .map(|(at, of)| (format!("c{at}"), *of))
            .collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let text = format!("{name}({}) AS (VALUES {{0}})", names.join(", "));
        (
            Tree::node(Kind::Fixed, text, vec![Tree::list(1, ", ", rows)]),
            columns,
        )
    }

    /// ORDER BY that leaves no choice, at times with LIMIT and OFFSET; or nothing.
    fn order(&mut self, types: &[Type], scope: Option<&Scope>) -> Tree {
        if self.one_in(2) {
            return Tree::leaf(Kind::Clause, "");
        }
        let mut items = Vec::new();
        if let Some(scope) = scope
            && self.one_in(3)
        {
            let of = self.any_type();
            let value = self.value(of, scope, 2);
            // A number that stands alone would be a place in the list.
            let value = Tree::node(Kind::Fixed, "coalesce({0}, {0})", vec![value]);
            items.push(self.order_item(value));
        }
        let mut places: Vec<usize> = (1..=types.len()).collect();
        for last in (1..places.len()).rev() {
            places.swap(last, self.random.below(last + 1));
        }
        for place in places {
            items.push(self.order_item(Tree::leaf(Kind::Fixed, place.to_string())));
        }
        let limit = match self.random.below(4) {
            0 => format!(" LIMIT {}", self.random.below(20)),
            1 => format!(
                " LIMIT {} OFFSET {}",
                self.random.below(30),
                self.random.below(8)
            ),
            _ => String::new(),
        };
        let count = items.len();
        let parts = vec![
            Tree::list(count, ", ", items),
            Tree::leaf(Kind::Clause, limit),
        ];
        Tree::node(Kind::Clause, " ORDER BY {0}{1}", parts)
    }

    fn order_item(&mut self, value: Tree) -> Tree {
        let direction = self.pick(&["", "", " ASC", " DESC", " DESC"]);
        let nulls = self.pick(&["", "", "", " NULLS FIRST", " NULLS LAST"]);
        let text = format!("{{0}}{direction}{nulls}");
        let sqlite = if nulls.is_empty() {
            format!("{text} NULLS LAST")
        } else {
            text.clone()
        };
        Tree::each(Kind::Fixed, [&text, &text], Some(&sqlite), [value])
    }
}

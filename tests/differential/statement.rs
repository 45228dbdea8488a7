//! A generated statement and the questions made of it.

use super::tree::{Dialect, Tree, Type};

/// A statement as a tree, and the types of its columns.
///
/// The tree's second part is its ORDER BY with LIMIT, which puts rows into one order only, or nothing.
#[derive(Debug, Clone)]
pub struct Statement {
    pub tree: Tree,
    pub types: Vec<Type>,
}

/// A statement in each dialect.
#[derive(Debug, Clone)]
pub struct Question {
    pub ours: String,
    pub duckdb: String,
    pub sqlite: Option<String>,
    pub types: Vec<Type>,
    pub is_ordered: bool,
}

impl Statement {
    pub fn question(&self) -> Question {
        Question {
            ours: self.tree.render(Dialect::Ours).unwrap(),
            duckdb: self.tree.render(Dialect::DuckDb).unwrap(),
            sqlite: self.tree.render(Dialect::Sqlite),
            types: self.types.clone(),
            is_ordered: self.tree.parts[1]
                .render(Dialect::Ours)
                .is_some_and(|text| !text.is_empty()),
        }
    }

    /// Statements that are a step smaller.
    pub fn smaller(&self) -> Vec<Statement> {
        self.tree
            .smaller()
            .into_iter()
            .filter(|tree| tree.parts.len() == 2)
            .map(|tree| Statement {
                tree,
                types: self.types.clone(),
            })
            .collect()
    }
}

//! A statement as a tree that each dialect spells: written once, rendered for us, DuckDB and SQLite.
//!
//! A node is a text with holes (`{0} + {1}`) and what stands in them. Where the dialects spell it in
//! different ways the node has a text for each; without a text for SQLite the statement is no question for
//! it. Kinds say what may replace a node when a statement is made smaller.

/// The type of a value, and of a column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    Int,
    Float,
    Text,
    Bool,
    /// Nanoseconds since 1970.
    Time,
}

/// What a node is, as far as making a statement smaller goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// An expression: any expression of its type may take its place.
    Value(Type),
    /// May be left out.
    Clause,
    /// Parts in a row, of which at least so many must stay.
    List(usize),
    /// A whole query: one of its parts that is a query of the same shape may take its place.
    Query,
    /// None of these.
    Fixed,
}

/// Whose SQL is spelt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dialect {
    Ours,
    DuckDb,
    Sqlite,
}

#[derive(Debug, Clone)]
enum Text {
    Same(String),
    Each {
        ours: String,
        duckdb: String,
        sqlite: Option<String>,
    },
}

/// How an expression without parentheses around it binds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Binding {
    /// As a whole, and so do its parts.
    Closed,
    /// As a whole: an operator in parentheses.
    Wrapped,
    /// AND, OR, NOT, and arithmetic: in the same order everywhere.
    Agreed,
    /// Comparisons of all kinds and `||`: SQLite reads rows of them in its own order.
    Disputed,
}

/// A piece of a statement.
#[derive(Debug, Clone)]
pub struct Tree {
    pub kind: Kind,
    pub binding: Binding,
    text: Text,
    pub parts: Vec<Tree>,
}

impl Tree {
    /// A leaf that all spell alike.
    pub fn leaf(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            binding: Binding::Closed,
            text: Text::Same(text.into()),
            parts: Vec::new(),
        }
    }

    /// A node that all spell alike; `{0}` stands for the first part, and so on.
    pub fn node(kind: Kind, text: impl Into<String>, parts: Vec<Tree>) -> Self {
        Self {
            kind,
            binding: Binding::Closed,
            text: Text::Same(text.into()),
            parts,
        }
    }

    /// A node that each spells in its own way.
    pub fn each(
        kind: Kind,
        [ours, duckdb]: [&str; 2],
        sqlite: Option<&str>,
        parts: impl Into<Vec<Tree>>,
    ) -> Self {
        let text = Text::Each {
            ours: ours.to_string(),
            duckdb: duckdb.to_string(),
            sqlite: sqlite.map(str::to_string),
        };
        Self {
            kind,
            binding: Binding::Closed,
            text,
            parts: parts.into(),
        }
    }

    /// A node that SQLite has no word for.
    pub fn not_sqlite(kind: Kind, text: &str, parts: Vec<Tree>) -> Self {
        Self::each(kind, [text, text], None, parts)
    }

    /// Parts with `separator` between them.
    pub fn list(min: usize, separator: &str, parts: Vec<Tree>) -> Self {
        Self {
            kind: Kind::List(min),
            binding: Binding::Closed,
            text: Text::Same(separator.to_string()),
            parts,
        }
    }

    /// The same, said to bind so; the caller has put no parentheses around it.
    pub fn bare(mut self, binding: Binding) -> Self {
        self.binding = binding;
        self
    }

    /// The same, as a part that stays as it is.
    pub fn fixed(mut self) -> Self {
        self.kind = Kind::Fixed;
        self
    }

    /// Whether dialects may read it in different ways.
    fn is_disputed(&self) -> bool {
        let holds = |part: &Tree| part.binding == Binding::Disputed;
        self.binding != Binding::Closed && self.parts.iter().any(holds)
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::leaf(Kind::Fixed, "")
    }

    /// How `dialect` spells it; `None` where it cannot.
    pub fn render(&self, dialect: Dialect) -> Option<String> {
        let mut out = String::new();
        self.render_into(dialect, &mut out)?;
        Some(out)
    }

    fn text(&self, dialect: Dialect) -> Option<&str> {
        match (&self.text, dialect) {
            (Text::Same(text), _) => Some(text),
            (Text::Each { ours, .. }, Dialect::Ours) => Some(ours),
            (Text::Each { duckdb, .. }, Dialect::DuckDb) => Some(duckdb),
            (Text::Each { sqlite, .. }, Dialect::Sqlite) => sqlite.as_deref(),
        }
    }

    fn render_into(&self, dialect: Dialect, out: &mut String) -> Option<()> {
        if dialect == Dialect::Sqlite && self.is_disputed() {
            return None;
        }
        let text = self.text(dialect)?;
        if let Kind::List(_) = self.kind {
            for (at, part) in self.parts.iter().enumerate() {
                out.push_str(if at > 0 { text } else { "" });
                part.render_into(dialect, out)?;
            }
            return Some(());
        }
        if self.parts.is_empty() {
            out.push_str(text);
            return Some(());
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (number, after) = after.split_once('}').unwrap();
            out.push_str(before);
            self.parts[number.parse::<usize>().unwrap()].render_into(dialect, out)?;
            rest = after;
        }
        out.push_str(rest);
        Some(())
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        1 + self.parts.iter().map(Tree::size).sum::<usize>()
    }

    /// The nodes below it, itself first.
    pub fn nodes<'a>(&'a self, out: &mut Vec<&'a Tree>) {
        out.push(self);
        self.parts.iter().for_each(|part| part.nodes(out));
    }

    /// Trees that are a step smaller than this one.
    pub fn smaller(&self) -> Vec<Tree> {
        let mut all = self.instead();
        for (at, part) in self.parts.iter().enumerate() {
            all.extend(part.smaller().into_iter().map(|part| {
                let mut tree = self.clone();
                tree.parts[at] = part;
                tree
            }));
        }
        all
    }

    /// What may stand in the place of this very node.
    fn instead(&self) -> Vec<Tree> {
        let mut all = Vec::new();
        match self.kind {
            Kind::Clause if self.text(Dialect::Ours) != Some("") => {
                all.push(Tree::leaf(Kind::Clause, ""))
            }
            Kind::Value(of) => {
                let mut below = Vec::new();
                self.parts.iter().for_each(|part| part.nodes(&mut below));
                all.extend(
                    below
                        .into_iter()
                        .filter(|node| node.kind == self.kind)
                        .cloned(),
                );
                if !self.parts.is_empty() {
                    all.push(simplest(of));
                }
            }
            Kind::List(min) if self.parts.len() > min => {
                for at in 0..self.parts.len() {
                    let mut tree = self.clone();
                    tree.parts.remove(at);
                    all.push(tree);
                }
            }
            Kind::Query => {
                let queries = self.parts.iter().filter(|part| part.kind == Kind::Query);
                all.extend(queries.cloned());
            }
            _ => {}
        }
        all
    }
}

/// The plainest value of a type.
fn simplest(of: Type) -> Tree {
    let time = "TIMESTAMP '2025-03-01 00:00:00'";
    match of {
        Type::Int => Tree::leaf(Kind::Value(of), "1"),
        Type::Float => Tree::leaf(Kind::Value(of), "1.5e0"),
        Type::Text => Tree::leaf(Kind::Value(of), "'a'"),
        Type::Bool => Tree::leaf(Kind::Value(of), "true"),
        Type::Time => Tree::each(
            Kind::Value(of),
            [time, time],
            Some("1740787200000000000"),
            [],
        ),
    }
}

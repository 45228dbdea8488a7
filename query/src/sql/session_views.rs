//! Temporary views and tables: queries that a session has given names, and rows that it keeps in memory. Nothing of them
//! is written.
//!
//! ```text
//! CREATE [OR REPLACE] [TEMP] VIEW [IF NOT EXISTS] v AS SELECT .. | DROP VIEW [IF EXISTS] v
//! CREATE [OR REPLACE] TEMP TABLE [IF NOT EXISTS] t AS SELECT .. | DROP TABLE [IF EXISTS] t
//!   -> read from tokens; of a table the query is run; every view of the session planned with the change, then kept
//! SELECT .. FROM v -> the views it names, in the order they need each other, are planned as tables of the statement
//! ```
//! **Invariants** (1) A view's text passes all that a statement does, and a statement with its views written out is within
//! the limits of one. (2) Every view of a session can be planned: a change that one of them would not survive is refused.
//! (3) The rows of tables count as memory of queries for as long as someone holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::sql::sqlparser::ast::{Statement, TableFactor, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::guard;
use crate::error::{ECHO_CHARS_MAX, QueryError, Result, shorten};

/// Most views and tables of a session; all of them are planned when one changes.
const VIEWS_MAX: usize = 200;

/// The views of one session. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SessionViews(Arc<Mutex<Views>>);

impl SessionViews {
    /// The views as they are now.
    pub(super) fn now(&self) -> Views {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts `next` in the place of `before`; `false` when others changed them in between.
    pub(super) fn swap(&self, before: &Views, next: Views) -> bool {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unchanged = Arc::ptr_eq(&views.0, &before.0);
        if is_unchanged {
            *views = next;
        }
        is_unchanged
    }

    /// The statement and the texts of the views that running it takes: what names the tables that it needs.
    pub fn written_out(&self, statement: &str) -> String {
        let views = self.now();
        let Ok(names) = views.needed(statement) else {
            return statement.to_string();
        };
        let texts = names
            .iter()
            .filter_map(|name| Some(views.0.get(name)?.text.as_ref()));
        std::iter::once(statement)
            .chain(texts)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Views by name; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Views(Arc<BTreeMap<String, View>>);

#[derive(Debug, Clone)]
struct View {
    /// The query of a view.
    text: Arc<str>,
    /// Its words in lower case, among which are the names of the views it reads.
    words: BTreeSet<String>,
    /// The rows of a table, which has neither.
    rows: Option<Arc<HeldRows>>,
}

impl View {
    fn kind(&self) -> Kind {
        if self.rows.is_some() {
            Kind::Table
        } else {
            Kind::View
        }
    }
}

/// The rows of a temporary table.
#[derive(Debug)]
pub(super) struct HeldRows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Their part of the memory of queries.
    pub _memory: MemoryReservation,
}

/// What a session has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    View,
    Table,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::Table => "temporary table",
        })
    }
}

impl Kind {
    /// As statements call it.
    fn word(self) -> &'static str {
        match self {
            Self::View => "VIEW",
            Self::Table => "TABLE",
        }
    }
}

/// A statement that changes views or tables.
#[derive(Debug)]
pub(super) enum Change {
    Create(Creation),
    Drop {
        kind: Kind,
        name: String,
        if_exists: bool,
    },
}

/// What is made under a name.
#[derive(Debug)]
pub(super) struct Creation {
    pub kind: Kind,
    name: String,
    /// The query.
    pub text: String,
    replace: bool,
    if_not_exists: bool,
    /// Those of a table, once its query was run.
    pub rows: Option<Arc<HeldRows>>,
}

impl Change {
    /// Why it is refused, when planning the views after it fails.
    pub(super) fn refused(&self, error: QueryError) -> QueryError {
        let changed = match self {
            Self::Create(Creation {
                kind: Kind::View,
                name,
                ..
            }) => format!("CREATE VIEW {name}"),
            Self::Create(Creation {
                kind: Kind::Table,
                name,
                ..
            }) => format!("CREATE TEMP TABLE {name}"),
            Self::Drop { kind, name, .. } => format!("DROP {} {name}", kind.word()),
        };
        QueryError::new(error.kind(), format!("{changed}: {}", error.message()))
    }
}

impl Views {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The query of a view.
    pub(super) fn text(&self, name: &str) -> Option<&Arc<str>> {
        self.0.get(name).map(|view| &view.text)
    }

    /// The rows of a table.
    pub(super) fn rows(&self, name: &str) -> Option<&Arc<HeldRows>> {
        self.0.get(name)?.rows.as_ref()
    }

    /// The views that a statement takes, those first that others read.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is too long or has no tokens.
    pub(super) fn needed(&self, statement: &str) -> Result<Vec<String>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = guard::tokens_of(statement)?;
        let words = words(&tokens);
        let first = tokens
            .iter()
            .find_map(|token| word(&token.token))
            .unwrap_or_default();
        let takes_all = matches!(first.as_str(), "show" | "create" | "drop")
            || words.contains("information_schema");
        let mut order = Order {
            views: self,
            ordered: Vec::new(),
            seen: BTreeSet::new(),
        };
        match takes_all {
            true => self.names().for_each(|name| order.add(name)),
            false => words.iter().for_each(|name| order.add(name)),
        }
        Ok(order.ordered)
    }

    /// Whether a change leaves everything as it is.
    pub(super) fn has(&self, creation: &Creation) -> bool {
        creation.if_not_exists && self.0.contains_key(&creation.name)
    }

    /// Refuses a name that is taken.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn check_free(&self, creation: &Creation) -> Result<()> {
        let Creation {
            kind,
            name,
            replace,
            ..
        } = creation;
        let Some(there) = self.0.get(name) else {
            return Ok(());
        };
        other_kind(name, there.kind(), *kind)?;
        if *replace {
            return Ok(());
        }
        let (temp, word) = (if *kind == Kind::Table { "TEMP " } else { "" }, kind.word());
        Err(QueryError::invalid_input(format!(
            "there is a {kind} '{name}': CREATE OR REPLACE {temp}{word} puts another in its place"
        )))
    }

    /// The views after a change.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is taken or not there, or a text that is no query.
    pub(super) fn after(&self, change: &Change) -> Result<Self> {
        let mut views = self.0.as_ref().clone();
        match change {
            Change::Create(creation) if self.has(creation) => {}
            Change::Create(creation) => {
                self.check_free(creation)?;
                let Creation {
                    kind,
                    name,
                    text,
                    rows,
                    ..
                } = creation;
                let view = match kind {
                    Kind::View => View {
                        text: text.as_str().into(),
                        words: words(&guard::tokens_of(text)?),
                        rows: None,
                    },
                    Kind::Table if rows.is_none() => {
                        return Err(QueryError::invalid_input(format!(
                            "the {kind} '{name}' was dropped meanwhile: try again"
                        )));
                    }
                    Kind::Table => View {
                        text: "".into(),
                        words: BTreeSet::new(),
                        rows: rows.clone(),
                    },
                };
                views.insert(name.clone(), view);
                if views.len() > VIEWS_MAX {
                    return Err(QueryError::invalid_input(format!(
                        "a session has at most {VIEWS_MAX} views and tables; DROP VIEW takes one away"
                    )));
                }
            }
            Change::Drop {
                kind,
                name,
                if_exists,
            } => {
                if let Some(there) = views.get(name) {
                    other_kind(name, there.kind(), *kind)?;
                }
                if views.remove(name).is_none() && !if_exists {
                    return Err(QueryError::invalid_input(format!(
                        "there is no {kind} '{name}' of this session"
                    )));
                }
            }
        }
        Ok(Self(Arc::new(views)))
    }

    /// Checks that a statement is within limits when the views `names`, which are in order, are written out in it.
    ///
    /// # Errors
    /// As [`guard::parse`], and for a view that is no query.
    pub(super) fn check(&self, names: &[String], statement: Option<&str>) -> Result<()> {
        let mut views = WriteOut::default();
        for name in names {
            let Some(view) = self.0.get(name).filter(|view| view.rows.is_none()) else {
                continue;
            };
            let Statement::Query(query) = guard::parse(&view.text)? else {
                return Err(no_query(name));
            };
            let mut statement = Statement::Query(query);
            let size = views.write_out(&view.text, &mut statement)?;
            views.queries.insert(name.clone(), (statement, size));
        }
        match statement {
            Some(text) => views
                .write_out(text, &mut guard::parse_or_summary(text)?.0)
                .map(drop),
            None => Ok(()),
        }
    }
}

/// # Errors
/// `InvalidInput` where what is there is not of the kind that is changed.
fn other_kind(name: &str, there: Kind, wanted: Kind) -> Result<()> {
    if there == wanted {
        return Ok(());
    }
    let word = there.word();
    Err(QueryError::invalid_input(format!(
        "'{name}' is a {there} of this session: DROP {word} takes it away"
    )))
}

fn no_query(name: &str) -> QueryError {
    QueryError::invalid_input(format!(
        "the view '{name}' is no query: SELECT, WITH, VALUES or TABLE expected"
    ))
}

/// Views, those that others read first. Where they read each other, planning finds one missing.
struct Order<'a> {
    views: &'a Views,
    ordered: Vec<String>,
    seen: BTreeSet<String>,
}

impl Order<'_> {
    fn add(&mut self, name: &str) {
        let views = self.views;
        let Some(view) = views
            .0
            .get(name)
            .filter(|_| self.seen.insert(name.to_string()))
        else {
            return;
        };
        view.words.iter().for_each(|word| self.add(word));
        self.ordered.push(name.to_string());
    }
}

/// Puts queries in the place of the names of views, to see how large that is. A name that a WITH gives to another query
/// counts as well.
#[derive(Default)]
struct WriteOut {
    /// The queries of views, written out, and their sizes.
    queries: BTreeMap<String, (Statement, Size)>,
    size: Size,
}

/// What of a statement is counted in its text.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    bytes: usize,
    operators: usize,
}

impl Size {
    fn check(self) -> Result<()> {
        guard::check_bytes(self.bytes)?;
        guard::check_relational(self.operators)
    }
}

impl WriteOut {
    /// Checks `statement`, which is that of `text`, with the views in it.
    fn write_out(&mut self, text: &str, statement: &mut Statement) -> Result<Size> {
        self.size = Size {
            bytes: text.len(),
            operators: guard::relational(text)?,
        };
        let _: ControlFlow<()> = VisitMut::visit(statement, self);
        self.size.check()?;
        guard::check_statement(statement)?;
        Ok(self.size)
    }
}

impl VisitorMut for WriteOut {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table {
            name, args: None, ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let name = name
            .0
            .last()
            .and_then(|part| part.as_ident())
            .map(|ident| ident.value.to_lowercase());
        let Some((Statement::Query(query), size)) = name.and_then(|name| self.queries.get(&name))
        else {
            return ControlFlow::Continue(());
        };
        self.size.bytes = self.size.bytes.saturating_add(size.bytes);
        self.size.operators = self.size.operators.saturating_add(size.operators);
        // No further than it may become.
        if self.size.check().is_err() {
            return ControlFlow::Break(());
        }
        let subquery = query.clone();
        *factor = TableFactor::Derived {
            lateral: false,
            subquery,
            alias: None,
            sample: None,
        };
        ControlFlow::Continue(())
    }
}

/// The change that a text asks for, if it is one of views.
///
/// # Errors
/// `InvalidInput`, naming what is not as it has to be.
pub(super) fn change_of(text: &str) -> Result<Option<Change>> {
    let tokens = guard::tokens_of(text)?;
    let mut left = Words { left: &tokens };
    while left.token(&Token::SemiColon) {}
    let is_create = left.word("create");
    if !is_create && !left.word("drop") {
        return Ok(None);
    }
    let replace = is_create && left.words(&["or", "replace"]);
    let is_temporary = is_create && (left.word("temp") || left.word("temporary"));
    let kind = match () {
        () if left.word("view") => Kind::View,
        () if (is_temporary || !is_create) && left.word("table") => Kind::Table,
        () => return Err(refused(&left)),
    };
    let if_not_exists = is_create && left.words(&["if", "not", "exists"]);
    let if_exists = !is_create && left.words(&["if", "exists"]);
    let name = left.name(kind)?;
    if is_create {
        if !left.word("as") {
            let word = kind.word();
            return Err(QueryError::invalid_input(format!(
                "CREATE {word} {name}: AS and a query expected"
            )));
        }
        let begin = left
            .left
            .first()
            .map_or(text.len(), |token| place(text, token.span.start));
        let text = text.get(begin..).unwrap_or_default().to_string();
        return Ok(Some(Change::Create(Creation {
            kind,
            name,
            text,
            replace,
            if_not_exists,
            rows: None,
        })));
    }
    while left.token(&Token::SemiColon) {}
    match left.left.first() {
        None => Ok(Some(Change::Drop {
            kind,
            name,
            if_exists,
        })),
        Some(token) => {
            let found = shorten(&token.token.to_string(), ECHO_CHARS_MAX);
            Err(QueryError::invalid_input(format!(
                "DROP {} {name}: unexpected '{found}'",
                kind.word()
            )))
        }
    }
}

fn refused(left: &Words<'_>) -> QueryError {
    let what = left
        .left
        .first()
        .map(|token| shorten(&token.token.to_string(), ECHO_CHARS_MAX));
    QueryError::invalid_input(format!(
        "SQL is read-only here: a session has views, temporary tables and nothing else, not {}; \
         CREATE [OR REPLACE] [TEMP] VIEW name AS SELECT .., CREATE [OR REPLACE] TEMP TABLE name AS SELECT .., \
         DROP VIEW name and DROP TABLE name are what it takes",
        what.unwrap_or_default()
    ))
}

/// Tokens that are still to be read.
struct Words<'a> {
    left: &'a [TokenWithSpan],
}

impl Words<'_> {
    fn token(&mut self, wanted: &Token) -> bool {
        let is_next = self
            .left
            .first()
            .is_some_and(|token| token.token == *wanted);
        if is_next {
            self.left = self.left.get(1..).unwrap_or_default();
        }
        is_next
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.words(&[wanted])
    }

    /// Takes these words if they come next.
    fn words(&mut self, wanted: &[&str]) -> bool {
        let is_next = wanted.iter().enumerate().all(|(at, wanted)| {
            match self.left.get(at).map(|next| &next.token) {
                Some(Token::Word(found)) => {
                    found.quote_style.is_none() && found.value.eq_ignore_ascii_case(wanted)
                }
                _ => false,
            }
        });
        if is_next {
            self.left = self.left.get(wanted.len()..).unwrap_or_default();
        }
        is_next
    }

    fn name(&mut self, kind: Kind) -> Result<String> {
        let expected = || {
            QueryError::invalid_input(format!(
                "the name of a {kind} expected: one word, without a schema"
            ))
        };
        let name = self
            .left
            .first()
            .and_then(|token| word(&token.token))
            .ok_or_else(expected)?;
        self.left = self.left.get(1..).unwrap_or_default();
        if name.is_empty()
            || name.contains(['/', '\\', ':', '\'', '"', '.'])
            || self.token(&Token::Period)
        {
            return Err(expected());
        }
        Ok(name)
    }
}

/// A word in lower case.
fn word(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

fn words(tokens: &[TokenWithSpan]) -> BTreeSet<String> {
    tokens
        .iter()
        .filter_map(|token| word(&token.token))
        .collect()
}

/// Where in `text` a place of a line is, in bytes.
fn place(text: &str, location: Location) -> usize {
    let (mut line, mut column) = (1, 1);
    for (at, character) in text.char_indices() {
        if (line, column) == (location.line, location.column) {
            return at;
        }
        match character {
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
    }
    text.len()
}

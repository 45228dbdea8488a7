//! All pages of a search, one after the other, read when they are asked for.

use std::vec::IntoIter;

use tracehouse_query::search::Search;
use tracehouse_storage::model::TraceRow;

use crate::database::Database;
use crate::error::Result;

/// Traces of a page where the search does not say.
const PAGE_TRACES: usize = 256;

/// The pages of a search, none of them empty. After an error there are no more.
#[derive(Debug)]
pub(crate) struct Pages {
    database: Database,
    /// What is asked next; `None` after the last page.
    next: Option<Search>,
}

impl Pages {
    pub(crate) fn of(database: Database, search: &Search) -> Self {
        let mut search = search.clone();
        search.limit = Some(search.limit.unwrap_or(PAGE_TRACES).max(1));
        Self {
            database,
            next: Some(search),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl Iterator for Pages {
    type Item = Result<Vec<TraceRow>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut search = self.next.take()?;
        let page = match self.database.search_traces(&search) {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        if let Some(token) = page.next_page_token {
            search.offset = 0;
            self.next = Some(search.page_token(token));
        }
        (!page.traces.is_empty()).then_some(Ok(page.traces))
    }
}

/// The traces of a search, page by page. After an error there are no more.
#[derive(Debug)]
pub struct TraceIter {
    pages: Pages,
    page: IntoIter<TraceRow>,
}

impl Database {
    /// The traces of a search over all its pages, in order, a page in memory at a time. The search's limit is the size
    /// of a page. Each page is of the database as it is then: none is given twice, what comes meanwhile may be among
    /// them.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// for trace in db.iter_traces(&tracehouse::Search::new("state = 'ERROR'")) {
    ///     println!("{}", trace?.trace_id);
    /// }
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    pub fn iter_traces(&self, search: &Search) -> TraceIter {
        TraceIter {
            pages: Pages::of(self.clone(), search),
            page: Vec::new().into_iter(),
        }
    }
}

impl Iterator for TraceIter {
    type Item = Result<TraceRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(trace) = self.page.next() {
            return Some(Ok(trace));
        }
        match self.pages.next()? {
            Ok(page) => self.page = page.into_iter(),
            Err(error) => return Some(Err(error)),
        }
        self.page.next().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Database, ErrorKind, Search, TraceStart};

    #[test]
    fn every_page_comes_once_and_in_order() {
        let db = Database::in_memory().unwrap();
        for n in 0..7 {
            db.start_trace(&TraceStart::new(format!("t{n}"), n))
                .unwrap();
        }
        let ids = |search: &Search| {
            db.iter_traces(search)
                .map(|trace| trace.unwrap().trace_id)
                .collect::<Vec<_>>()
                .join(" ")
        };
        for limit in [0, 1, 3, 7, 20] {
            assert_eq!(
                ids(&Search::new("").limit(limit)),
                "t6 t5 t4 t3 t2 t1 t0",
                "{limit}"
            );
        }
        let mut skipping = Search::new("").limit(2);
        skipping.offset = 3;
        assert_eq!(ids(&skipping), "t3 t2 t1 t0");
        assert_eq!(ids(&Search::new("name = 'none'")), "");
        let mut wrong = db.iter_traces(&Search::new("nonsense ="));
        assert_eq!(
            wrong.next().unwrap().unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert!(wrong.next().is_none());
    }
}

//! Deep checks of rows (I7, I10): what a reader sees of each trace is once there, and its row is what its
//! spans and edits fold to.

use std::collections::HashSet;
use std::sync::Arc;

use super::{CheckReport, Opened, Part, Severity};
use crate::columns::{text, trace_at};
use crate::env::Env;
use crate::error::{Result, guarded};
use crate::fold::add_lent;
use crate::fold::{
    FOLD_COLUMNS, FoldInputs, FoldSpan, add_fold_inputs, refold, refold_without_lent,
    refold_without_open, refold_without_top,
};
use crate::fold::{HintOfTop, add_top_hints};
use crate::model::{TraceKey, TraceRow};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::snapshot::{RowRef, Snapshot};
use crate::store::{Store, StoreOptions};

/// Traces folded at a time.
const FOLD_TRACES: usize = 256;

/// What the rows of a snapshot have wrong.
#[derive(Debug, Default)]
pub(crate) struct RowCheck {
    /// Trace rows compared.
    pub folded: u64,
    /// Traces whose row is not the fold of its spans, or whose spans have no row.
    pub stale: Vec<(TraceKey, String)>,
    /// What is visible twice.
    pub repeated: Vec<String>,
}

pub(super) fn check(env: &Arc<dyn Env>, opened: &Opened<'_>, report: &mut CheckReport) {
    let hint_of_top = opened.hint_of_top;
    let options = StoreOptions {
        read_only: true,
        hint_of_top,
        ..StoreOptions::default()
    };
    let checked = guarded("rows", || match &opened.snapshot {
        Some(snapshot) => check_rows(snapshot, hint_of_top),
        None => check_rows(&Store::open(env.clone(), options)?.snapshot()?, hint_of_top),
    });
    match checked {
        Ok(rows) => {
            report.traces_folded = rows.folded;
            for (_, id) in rows.stale {
                let message = "its row is not what its spans and edits fold to";
                report.damage("I10", Part::Rows, &format!("trace {id}"), message);
            }
            for what in rows.repeated {
                report.damage("I7", Part::Rows, &what, "is visible more than once");
            }
        }
        Err(error) => report.failed("I10", Severity::Damage, Part::Rows, "rows", &error),
    }
}

/// Compares every visible trace row with its spans.
pub(crate) fn check_rows(snapshot: &Snapshot, hint_of_top: HintOfTop) -> Result<RowCheck> {
    let mut check = RowCheck::default();
    let mut seen: HashSet<TraceKey> = HashSet::new();
    let mut spans = 0;
    let columns = Table::Traces.columns();
    for source in 0..snapshot.source_count() {
        let request = ScanRequest::columns(columns.iter().copied());
        for batch in snapshot.source(source)?.scan(Table::Traces, &request)? {
            let batch = batch?;
            let rows = (0..batch.num_rows())
                .map(|row| trace_at(&batch, row))
                .collect::<Result<Vec<_>>>()?;
            for rows in rows.chunks(FOLD_TRACES) {
                spans += check_traces(snapshot, hint_of_top, rows, &mut seen, &mut check)?;
            }
        }
    }
    if spans < snapshot.visible_rows(Table::Spans) {
        find_homeless(snapshot, &seen, &mut check)?;
    }
    find_repeated_assessments(snapshot, &mut check)?;
    Ok(check)
}

/// Folds the spans of these traces; how many spans they have.
fn check_traces(
    snapshot: &Snapshot,
    hint_of_top: HintOfTop,
    rows: &[TraceRow],
    seen: &mut HashSet<TraceKey>,
    check: &mut RowCheck,
) -> Result<u64> {
    let mut refs: Vec<RowRef> = Vec::new();
    let mut unseen = Vec::with_capacity(rows.len());
    for row in rows {
        let key = TraceKey::of(&row.trace_id);
        if seen.insert(key) {
            refs.extend(snapshot.refs_of(Table::Spans, key)?);
            unseen.push((key, row));
        } else {
            check.repeated.push(format!("trace {}", row.trace_id));
        }
    }
    let mut inputs = FoldInputs::new();
    let read = |rows: &[RowRef], columns: &[&str]| snapshot.read_rows(Table::Spans, rows, columns);
    add_fold_inputs(
        &mut inputs,
        &read(&refs, FOLD_COLUMNS)?,
        refs.iter().copied(),
    )?;
    add_top_hints(&mut inputs, hint_of_top, &read)?;
    add_lent(&mut inputs, hint_of_top, read)?;
    for (key, row) in unseen {
        let spans = inputs.remove(&key);
        let mut ids = HashSet::new();
        for span in spans.iter().flat_map(|(_, spans)| spans) {
            if !ids.insert(span.span_id()) {
                check
                    .repeated
                    .push(format!("span {} of trace {}", span.span_id(), row.trace_id));
            }
        }
        check.folded += 1;
        if !is_fold_of(row, spans) {
            check.stale.push((key, row.trace_id.clone()));
        }
    }
    Ok(refs.len() as u64)
}

/// Whether a row is what these spans fold to. A row without a span that stands for the trace may be one that
/// was written before there were top spans; others before a root could be open, or spans lent anything to it. They are
/// folded anew when something of their trace changes.
fn is_fold_of(row: &TraceRow, spans: Option<(String, Vec<FoldSpan>)>) -> bool {
    let fold = if row.root_span_id.is_some() {
        refold
    } else {
        refold_without_top
    };
    let fits = |made: Option<TraceRow>| made.as_ref() == Some(row);
    fits(fold(&row.trace_id, spans.clone(), row.edit.clone()))
        || fits(refold(&row.trace_id, spans.clone(), row.edit.clone()))
        || fits(refold_without_open(
            &row.trace_id,
            spans.clone(),
            row.edit.clone(),
        ))
        || fits(refold_without_lent(&row.trace_id, spans, row.edit.clone()))
}

/// Spans whose trace has no row.
fn find_homeless(
    snapshot: &Snapshot,
    seen: &HashSet<TraceKey>,
    check: &mut RowCheck,
) -> Result<()> {
    let mut found: HashSet<TraceKey> = HashSet::new();
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, Table::Spans, &ScanRequest::columns(["trace_id"]))? {
            for id in text(&batch?, "trace_id")?.iter().flatten() {
                let key = TraceKey::of(id);
                if !seen.contains(&key) && found.insert(key) {
                    check.stale.push((key, id.to_string()));
                }
            }
        }
    }
    Ok(())
}

fn find_repeated_assessments(snapshot: &Snapshot, check: &mut RowCheck) -> Result<()> {
    // An id is of its trace.
    let mut seen: HashSet<(TraceKey, String)> = HashSet::new();
    for source in 0..snapshot.source_count() {
        let request = ScanRequest::columns(["trace_id", "assessment_id"]);
        for batch in snapshot.scan(source, Table::Assessments, &request)? {
            let batch = batch?;
            let (traces, ids) = (text(&batch, "trace_id")?, text(&batch, "assessment_id")?);
            for (trace, id) in traces.iter().flatten().zip(ids.iter().flatten()) {
                if !seen.insert((TraceKey::of(trace), id.to_string())) {
                    check
                        .repeated
                        .push(format!("assessment {id} of trace {trace}"));
                }
            }
        }
    }
    Ok(())
}

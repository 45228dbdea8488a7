//! A search made ready for one snapshot: where to look, what to check, in which order to read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::scan::{RowFilter, ScanRequest, Zone};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot};

use super::explain::Recorder;
use super::leaves::{Node, resolve};
use super::rank::{Position, TopRows, is_newest_first, order_columns};
use super::sets::Scope;
use crate::filter::OrderKey;
use crate::plan::cost::{FIRST_PIECE_ROWS_WITH_HEAVY_SPANS, lookups_max};
use crate::plan::{Access, AccessPath, Candidates, Required, Taken, rows_of_traces};
use crate::predicate::column::{ints, row_numbers};
use crate::predicate::{Condition, Field, Predicate, Test, TextTest};

/// A predicate made ready for one snapshot.
pub(super) struct Plan<'a> {
    snapshot: &'a Snapshot,
    pub path: AccessPath,
    node: Node,
    /// Up to this many traces that a set names are looked up by id.
    lookups_max: u64,
    recorder: Recorder,
    /// Rows of traces found while others were looked at, by source.
    late: OnceLock<BTreeMap<usize, RoaringBitmap>>,
}

/// What is read of every row to rank it.
fn ranked_columns(order: &[OrderKey]) -> Vec<&str> {
    let mut columns = vec!["_row", "trace_id", "request_time"];
    for column in order_columns(order) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

impl<'a> Plan<'a> {
    pub fn of(
        snapshot: &'a Snapshot,
        predicate: &Predicate,
        experiments: Option<&[String]>,
        recorder: &Recorder,
    ) -> Result<Self> {
        let predicate = scoped(predicate, experiments);
        let mut path = AccessPath::of(snapshot, Table::Traces, Required::of(&predicate))?;
        let node = resolve(
            &Scope {
                snapshot,
                experiments,
                recorder,
            },
            &predicate,
        )?;
        node.confine(snapshot, &mut path)?;
        Ok(Plan {
            snapshot,
            path,
            node,
            lookups_max: lookups_max(snapshot),
            recorder: recorder.clone(),
            late: OnceLock::new(),
        })
    }

    /// Offers the matching rows to `top`, newest source first.
    pub fn rank(
        &self,
        order: &[OrderKey],
        after: Option<&Position>,
        top: &mut TopRows<'_>,
    ) -> Result<()> {
        let columns = ranked_columns(order);
        let mut zones = Vec::new();
        if let (true, Some(after)) = (is_newest_first(order), after) {
            zones.push(time_zone(i64::MIN, after.request_time_ns));
        }
        let (mut looked_at, newest_first) = (0_u32, is_newest_first(order));
        let mut chunk_rows = self.first_chunk_rows(top.progress().1);
        for Stretch {
            source,
            is_sorted,
            first,
            last,
        } in self.newest_first(newest_first)?
        {
            let is_wanted = |oldest: Option<i64>| oldest.is_none_or(|oldest| last >= oldest);
            if !is_wanted(top.oldest_wanted_ns()) {
                continue;
            }
            let mut rest = self.candidates(source)?;
            let mut is_confined = false;
            while rest != Candidates::Nothing {
                let mut zones = zones.clone();
                let oldest = top.oldest_wanted_ns();
                if !is_wanted(oldest) {
                    break;
                }
                if let (Some(by_source), false) = (self.found_late()?, is_confined) {
                    is_confined = true;
                    rest = rest.among(by_source.get(&source));
                    continue;
                }
                // What is older than the page's last row needs no look.
                zones.extend(oldest.map(|oldest| time_zone(oldest, i64::MAX)));
                let is_in_pieces = newest_first && is_sorted && oldest.is_none();
                let chunk = if is_in_pieces {
                    self.take_newest(source, &mut rest, chunk_rows)?
                } else {
                    std::mem::replace(&mut rest, Candidates::Nothing)
                };
                let times = match oldest {
                    Some(oldest) => Some((oldest.max(first), last)),
                    None if is_sorted => None,
                    None => Some((first, last)).filter(|times| *times != ALWAYS),
                };
                let piece = Piece {
                    source,
                    rows: chunk,
                    zones: &zones,
                    times,
                };
                self.scan_piece(piece, &columns, &mut |batch| {
                    top.offer(batch, source, row_numbers(batch)?)?;
                    Ok(true)
                })?;
                if is_in_pieces {
                    looked_at = looked_at.saturating_add(chunk_rows);
                    chunk_rows = chunk_rows
                        .saturating_mul(2)
                        .min(rows_to_go(looked_at, top.progress()));
                }
            }
        }
        Ok(())
    }

    /// How the rows of `traces` are reached, in words.
    pub fn taken(&self) -> Result<String> {
        let mut taken = Taken::of(self.snapshot.visible_rows(Table::Traces));
        for source in 0..self.snapshot.source_count() {
            let Access { way, rows } = self.path.access(self.snapshot, source)?;
            taken.add(
                &self.path,
                way,
                rows.visible_rows(self.snapshot.source(source)?, Table::Traces),
            );
        }
        Ok(taken.to_string())
    }

    /// The rows of one source to look at.
    pub fn candidates(&self, source: usize) -> Result<Candidates> {
        let rows = self.path.access(self.snapshot, source)?.rows;
        if rows == Candidates::Nothing {
            return Ok(rows);
        }
        let named = self.node.named_rows(source)?;
        Ok(if named.is_some() {
            rows.among(named.as_ref())
        } else {
            rows
        })
    }

    /// The few traces that a condition has turned out to name while traces were looked at.
    fn found_late(&self) -> Result<Option<&BTreeMap<usize, RoaringBitmap>>> {
        let Some(set) = self
            .node
            .required_set()
            .filter(|set| set.len() as u64 <= self.lookups_max)
        else {
            return Ok(None);
        };
        if self.late.get().is_none() && !self.path.is_by_id() {
            let rows = rows_of_traces(self.snapshot, set.traces())?;
            return Ok(Some(self.late.get_or_init(|| rows)));
        }
        Ok(self.late.get())
    }

    /// Rows of the first piece, when so many are wanted.
    fn first_chunk_rows(&self, wanted: usize) -> u32 {
        let rows = self.node.first_piece_rows();
        u32::try_from(wanted.saturating_add(wanted / 8))
            .unwrap_or(u32::MAX)
            .max(rows)
    }

    /// The sources with traces, by falling time. Rows in memory are of any time: those newer than all segments come
    /// first and the others last, when it is known how old a row may be.
    fn newest_first(&self, in_order: bool) -> Result<Vec<Stretch>> {
        let (mut sorted, mut others) = (Vec::new(), Vec::new());
        for source in 0..self.snapshot.source_count() {
            let rows = self.snapshot.source(source)?;
            if rows.visible_rows(Table::Traces) == 0 {
                continue;
            }
            match rows.time_range() {
                Some((_, last)) => sorted.push(Stretch {
                    source,
                    is_sorted: true,
                    first: ALWAYS.0,
                    last,
                }),
                None => others.push(source),
            }
        }
        sorted.sort_by_key(|stretch| std::cmp::Reverse((stretch.last, stretch.source)));
        let newest = sorted
            .first()
            .map(|stretch| stretch.last)
            .filter(|newest| in_order && *newest < ALWAYS.1);
        let of = |times: (i64, i64)| {
            let (first, last) = times;
            others.iter().rev().map(move |source| Stretch {
                source: *source,
                is_sorted: false,
                first,
                last,
            })
        };
        Ok(match newest {
            None => of(ALWAYS).chain(sorted).collect(),
            Some(newest) => {
                let older = of((ALWAYS.0, newest));
                of((newest + 1, ALWAYS.1))
                    .chain(sorted)
                    .chain(older)
                    .collect()
            }
        })
    }

    /// Takes the last rows of a segment, which is sorted by time.
    fn take_newest(&self, source: usize, rest: &mut Candidates, count: u32) -> Result<Candidates> {
        let rows = self.snapshot.source(source)?;
        let all = match std::mem::replace(rest, Candidates::Nothing) {
            Candidates::Rows(all) => all,
            Candidates::All => full(0..rows.rows(Table::Traces)),
            Candidates::Nothing => return Ok(Candidates::Nothing),
        };
        if all.len() <= u64::from(count) {
            return Ok(Candidates::Rows(all));
        }
        let first = u32::try_from(all.len() - u64::from(count))
            .ok()
            .and_then(|rank| all.select(rank));
        let Some(first) = first else {
            return Ok(Candidates::Rows(all));
        };
        let newest = &all & full(first..rows.rows(Table::Traces));
        *rest = Candidates::Rows(all - &newest);
        Ok(Candidates::Rows(newest))
    }

    /// Scans the candidates of one source and hands on the rows that match, until `take` says no.
    pub fn scan(
        &self,
        source: usize,
        candidates: Candidates,
        columns: &[&str],
        take: &mut dyn FnMut(&RecordBatch) -> Result<bool>,
    ) -> Result<()> {
        self.scan_piece(
            Piece {
                source,
                rows: candidates,
                zones: &[],
                times: None,
            },
            columns,
            take,
        )
    }

    fn scan_piece(
        &self,
        piece: Piece<'_>,
        columns: &[&str],
        take: &mut dyn FnMut(&RecordBatch) -> Result<bool>,
    ) -> Result<()> {
        let mut request = ScanRequest::columns(columns.iter().copied());
        request.counters = self.recorder.counters();
        match piece.rows {
            Candidates::Nothing => return Ok(()),
            Candidates::All => {}
            Candidates::Rows(rows) => request.rows = Some(rows),
        }
        request
            .filters
            .extend(self.recorder.filter(piece.source, Table::Traces));
        request.filters.extend(piece.times.map(of_times));
        let (filters, total) = self.node.filters(piece.source);
        request.total_filters = request.filters.len() + total;
        request.filters.extend(filters);
        request.zones = self
            .path
            .zones()
            .iter()
            .chain(piece.zones)
            .cloned()
            .collect();
        for batch in self.snapshot.scan(piece.source, Table::Traces, &request)? {
            if !take(&batch?)? {
                break;
            }
        }
        Ok(())
    }
}

/// Any time.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// The rows of `traces` of one source that were requested in this stretch of time.
struct Stretch {
    source: usize,
    /// By time, as segments are.
    is_sorted: bool,
    first: i64,
    last: i64,
}

/// Rows of `traces` of one source to look at.
struct Piece<'a> {
    source: usize,
    rows: Candidates,
    zones: &'a [Zone],
    /// Those of other times are not wanted.
    times: Option<(i64, i64)>,
}

/// Keeps rows of these times.
fn of_times((first, last): (i64, i64)) -> RowFilter {
    let keep = move |batch: &RecordBatch| {
        let times = ints(batch, "request_time")?;
        let is_wanted = |row| {
            times
                .get(row)
                .is_some_and(|time| (first..=last).contains(&time))
        };
        Ok(BooleanArray::new(
            BooleanBuffer::collect_bool(batch.num_rows(), is_wanted),
            None,
        ))
    };
    RowFilter {
        columns: vec!["request_time".to_string()],
        keep: Arc::new(keep),
    }
}

/// How many more rows it takes to find all that are wanted, at the rate found so far and with some to
/// spare.
fn rows_to_go(looked_at: u32, (found, wanted): (usize, usize)) -> u32 {
    if found == 0 {
        return u32::MAX;
    }
    let missing = wanted.saturating_sub(found) as f64;
    let rows = f64::from(looked_at) * missing / found as f64 * 1.125;
    // A float becomes the nearest u32.
    (rows as u32).max(FIRST_PIECE_ROWS_WITH_HEAVY_SPANS / 2)
}

/// The predicate confined to the experiments.
fn scoped(predicate: &Predicate, experiments: Option<&[String]>) -> Predicate {
    let Some(experiments) = experiments else {
        return predicate.clone();
    };
    let test = Test::Text(TextTest::one_of(experiments.to_vec(), false));
    let scope = Predicate::Trace(Condition {
        field: Field::Text("experiment_id"),
        test,
    });
    match predicate {
        Predicate::And(operands) => {
            Predicate::And(operands.iter().cloned().chain([scope]).collect())
        }
        Predicate::Const(true) => scope,
        other => Predicate::And(vec![other.clone(), scope]),
    }
}

fn time_zone(min: i64, max: i64) -> Zone {
    Zone::Int {
        column: "request_time".to_string(),
        min,
        max,
    }
}

fn full(rows: Range<u32>) -> RoaringBitmap {
    let mut bitmap = RoaringBitmap::new();
    bitmap.insert_range(rows);
    bitmap
}

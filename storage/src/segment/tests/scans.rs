//! Scans: projections, selections, masks, filters, zones, row numbers.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, StringViewArray};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;

use super::data::{Lcg, trace_id};
use super::{Fixture, names};
use crate::error::{Error, ErrorKind};
use crate::scan::{RowFilter, ScanRequest, Zone};
use crate::schema::Table;

fn filter(columns: &[&str], keep: fn(&RecordBatch) -> BooleanArray) -> RowFilter {
    let columns = columns.iter().map(|name| (*name).to_string()).collect();
    RowFilter {
        columns,
        keep: Arc::new(move |batch| Ok(keep(batch))),
    }
}

fn row_count(fixture: &Fixture, table: Table) -> u32 {
    fixture.reader.rows(table)
}

fn random_rows(count: u32, one_in: u64, lcg: &mut Lcg) -> RoaringBitmap {
    (0..count).filter(|_| lcg.below(one_in) == 0).collect()
}

/// Rows for which a column of integers or times lies in `min..=max`.
fn rows_between(batch: &RecordBatch, column: &str, min: i64, max: i64) -> Vec<u32> {
    let column = batch.column_by_name(column).unwrap();
    let values: Int64Array = match column.as_primitive_opt::<TimestampNanosecondType>() {
        Some(times) => times.reinterpret_cast(),
        None => column.as_primitive::<Int64Type>().clone(),
    };
    (0..batch.num_rows() as u32)
        .filter(|row| {
            values.is_valid(*row as usize) && (min..=max).contains(&values.value(*row as usize))
        })
        .collect()
}

#[test]
fn all_columns_of_all_tables_come_back() {
    let fixture = Fixture::all(600);
    for table in Table::ALL {
        let mut columns = names(table);
        let rows: Vec<u32> = (0..row_count(&fixture, table)).collect();
        fixture.check(table, &ScanRequest::columns(columns.clone()), None, &rows);
        columns.push("_row".into());
        columns.reverse();
        fixture.check(
            table,
            &ScanRequest {
                batch_rows: 100,
                ..ScanRequest::columns(columns)
            },
            None,
            &rows,
        );
    }
}

#[test]
fn columns_come_in_the_asked_order() {
    let fixture = Fixture::all(300);
    let rows: Vec<u32> = (0..row_count(&fixture, Table::Spans)).collect();
    for columns in [
        &["outputs", "trace_id"][..],
        &["events", "_row", "name", "links"],
        &["_row"],
        &["start_time"],
    ] {
        fixture.check(
            Table::Spans,
            &ScanRequest::columns(columns.iter().copied()),
            None,
            &rows,
        );
    }
    let rows: Vec<u32> = (0..row_count(&fixture, Table::Traces)).collect();
    fixture.check(
        Table::Traces,
        &ScanRequest::columns(["metadata", "models", "tags", "state"]),
        None,
        &rows,
    );
}

#[test]
fn without_columns_batches_still_count_rows() {
    let fixture = Fixture::all(300);
    let mask: RoaringBitmap = (100..1000).collect();
    let request = ScanRequest::default();
    let count = |mask| -> usize {
        let stream = fixture.reader.scan(Table::Spans, &request, mask).unwrap();
        stream.map(|batch| batch.unwrap().num_rows()).sum()
    };
    assert_eq!(count(None), 2400);
    assert_eq!(count(Some(&mask)), 1500);
}

#[test]
fn selections_and_masks_of_every_density() {
    let fixture = Fixture::all(300);
    let mut lcg = Lcg(3);
    for table in Table::ALL {
        let count = row_count(&fixture, table);
        let mut selections: Vec<Option<RoaringBitmap>> = vec![None, Some(RoaringBitmap::new())];
        for row in [0, 1, count / 2, count - 1] {
            selections.push(Some([row].into_iter().collect()));
        }
        selections.push(Some((count / 3..count / 3 + 8).collect()));
        selections.push(Some((0..count + 500).collect()));
        for one_in in [100, 20, 2] {
            selections.push(Some(random_rows(count, one_in, &mut lcg)));
        }
        let masks = [
            None,
            Some(RoaringBitmap::new()),
            Some(random_rows(count, 50, &mut lcg)),
            Some((0..count).collect()),
        ];
        let mut columns = names(table);
        columns.insert(2, "_row".into());
        for rows in &selections {
            for mask in &masks {
                let wanted = |row: &u32| {
                    rows.as_ref().is_none_or(|rows| rows.contains(*row))
                        && !mask.as_ref().is_some_and(|mask| mask.contains(*row))
                };
                let expected: Vec<u32> = (0..count).filter(wanted).collect();
                let request = ScanRequest {
                    rows: rows.clone(),
                    ..ScanRequest::columns(columns.clone())
                };
                fixture.check(table, &request, mask.as_ref(), &expected);
            }
        }
    }
}

fn long_outputs(batch: &RecordBatch) -> BooleanArray {
    let text = batch.column_by_name("outputs").unwrap().as_string_view();
    text.iter()
        .map(|text| text.map(|text| text.len() > 400))
        .collect()
}

#[test]
fn filters_keep_rows_that_are_true_and_drop_null() {
    let fixture = Fixture::all(600);
    let written = fixture.written(Table::Spans);
    let by_user = filter(&["user_id", "input_tokens"], |batch| {
        assert_eq!(batch.schema().field(0).name(), "user_id");
        cmp::lt(batch.column(1), &Int64Array::new_scalar(40_000)).unwrap()
    });
    let by_name = filter(&["name"], |batch| {
        cmp::eq(batch.column(0), &StringViewArray::new_scalar("retrieve")).unwrap()
    });
    let by_output = filter(&["outputs"], long_outputs);
    let by_row = filter(&["_row"], |batch| {
        let rows = batch
            .column(0)
            .as_primitive::<arrow::datatypes::UInt32Type>();
        rows.iter().map(|row| row.map(|row| row % 3 != 0)).collect()
    });
    let tokens = rows_between(&written, "input_tokens", i64::MIN, 39_999);
    let name = written
        .column_by_name("name")
        .unwrap()
        .as_string_view()
        .clone();
    let output = long_outputs(&written);
    let mut lcg = Lcg(11);
    let half = random_rows(row_count(&fixture, Table::Spans), 2, &mut lcg);
    let mask = random_rows(row_count(&fixture, Table::Spans), 10, &mut lcg);
    for columns in [
        &["_row", "inputs", "name"][..],
        &["name", "events"],
        &["duration_ns", "outputs", "_row"],
    ] {
        let plain = ScanRequest::columns(columns.iter().copied());
        let one = ScanRequest {
            filters: vec![by_user.clone()],
            ..plain.clone()
        };
        fixture.check(Table::Spans, &one, None, &tokens);

        let filters = vec![
            by_user.clone(),
            by_name.clone(),
            by_output.clone(),
            by_row.clone(),
        ];
        let all = ScanRequest {
            filters,
            rows: Some(half.clone()),
            batch_rows: 50,
            ..plain
        };
        let kept = |row: &u32| {
            let index = *row as usize;
            let true_output = output.is_valid(index) && output.value(index);
            name.value(index) == "retrieve"
                && true_output
                && !row.is_multiple_of(3)
                && half.contains(*row)
                && !mask.contains(*row)
        };
        let expected: Vec<u32> = tokens.iter().copied().filter(kept).collect();
        assert!(!expected.is_empty());
        fixture.check(Table::Spans, &all, Some(&mask), &expected);
    }
}

#[test]
fn a_filter_that_drops_everything_gives_no_batch() {
    let fixture = Fixture::all(200);
    let nothing = filter(&["name"], |batch| {
        BooleanArray::from(vec![None::<bool>; batch.num_rows()])
    });
    let request = ScanRequest {
        filters: vec![nothing],
        ..ScanRequest::columns(["inputs"])
    };
    assert_eq!(
        fixture
            .reader
            .scan(Table::Spans, &request, None)
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn the_errors_of_a_filter_are_its_own() {
    let fixture = Fixture::all(200);
    let failing = RowFilter {
        columns: vec!["name".into()],
        keep: Arc::new(|_| Err(Error::invalid_input("division by zero"))),
    };
    let request = ScanRequest {
        filters: vec![failing],
        ..ScanRequest::columns(["inputs"])
    };
    let mut stream = fixture.reader.scan(Table::Spans, &request, None).unwrap();
    let error = stream.next().unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::InvalidInput, "division by zero".into())
    );
    assert!(stream.next().is_none());

    let short = filter(&["name"], |_| BooleanArray::from(vec![true]));
    let request = ScanRequest {
        filters: vec![short],
        ..ScanRequest::columns(["inputs"])
    };
    assert_eq!(
        fixture
            .scan(Table::Spans, &request, None)
            .unwrap_err()
            .kind(),
        ErrorKind::Internal
    );
}

#[test]
fn unknown_columns_are_named_wherever_they_stand() {
    let fixture = Fixture::all(10);
    let zone = Zone::Int {
        column: "nope".into(),
        min: 0,
        max: 1,
    };
    let requests = [
        ScanRequest::columns(["name", "nope"]),
        ScanRequest {
            filters: vec![filter(&["nope"], |_| unreachable!())],
            ..ScanRequest::columns(["name"])
        },
        ScanRequest {
            zones: vec![zone],
            ..ScanRequest::columns(["name"])
        },
    ];
    for request in requests {
        let error = fixture
            .reader
            .scan(Table::Spans, &request, None)
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("\"nope\""), "{error}");
    }
}

/// Zones never lose a wanted row (QU-2), whatever else the request asks.
#[test]
fn zones_never_lose_a_wanted_row() {
    let fixture = Fixture::all(800);
    for seed in 0..150 {
        let mut lcg = Lcg(seed);
        let table = Table::ALL[lcg.below(3) as usize];
        let count = row_count(&fixture, table);
        let written = fixture.written(table);
        let (zones, mut wanted) = random_zones(table, &written, &mut lcg);
        let rows = (lcg.below(2) == 0).then(|| random_rows(count, 3, &mut lcg));
        let mask = (lcg.below(2) == 0).then(|| random_rows(count, 9, &mut lcg));
        wanted.retain(|row| rows.as_ref().is_none_or(|rows| rows.contains(*row)));
        wanted.retain(|row| !mask.as_ref().is_some_and(|mask| mask.contains(*row)));
        let request = ScanRequest {
            zones,
            rows,
            ..ScanRequest::columns(["_row", "trace_id"])
        };
        let found = fixture.scan(table, &request, mask.as_ref()).unwrap();
        let rows: Vec<u32> = found
            .column(0)
            .as_primitive::<arrow::datatypes::UInt32Type>()
            .values()
            .to_vec();
        assert_eq!(
            found,
            fixture.expected(table, &request.columns, &rows),
            "seed {seed}"
        );
        let found: RoaringBitmap = rows.into_iter().collect();
        let lost: Vec<u32> = wanted
            .into_iter()
            .filter(|row| !found.contains(*row))
            .collect();
        assert!(
            lost.is_empty(),
            "seed {seed}: zones {:?} lost rows {lost:?}",
            request.zones
        );
        assert!(found.is_disjoint(mask.as_ref().unwrap_or(&RoaringBitmap::new())));
        assert!(
            request
                .rows
                .as_ref()
                .is_none_or(|rows| found.is_subset(rows))
        );
    }
}

/// One to three zones on random columns, and the rows that satisfy all of them.
fn random_zones(table: Table, written: &RecordBatch, lcg: &mut Lcg) -> (Vec<Zone>, Vec<u32>) {
    let candidates: Vec<String> = names(table)
        .into_iter()
        .filter(|name| {
            let data_type = written.column_by_name(name).unwrap().data_type().clone();
            use arrow::datatypes::DataType::{Int64, Timestamp, Utf8View};
            matches!(data_type, Int64 | Timestamp(_, _) | Utf8View)
        })
        .collect();
    let mut rows: Vec<u32> = (0..written.num_rows() as u32).collect();
    let mut zones = Vec::new();
    for _ in 0..=lcg.below(3) {
        let column = candidates[lcg.below(candidates.len() as u64) as usize].clone();
        let matching = match written
            .column_by_name(&column)
            .unwrap()
            .as_string_view_opt()
        {
            Some(text) => {
                let mut values = vec!["zzz".to_string()];
                for _ in 0..lcg.below(3) {
                    let row = lcg.below(text.len() as u64) as usize;
                    values.extend(text.is_valid(row).then(|| text.value(row).to_string()));
                }
                let is_one = |row: &u32| {
                    let row = *row as usize;
                    text.is_valid(row) && values.iter().any(|value| value == text.value(row))
                };
                let matching = (0..text.len() as u32).filter(is_one).collect();
                zones.push(Zone::Text { column, values });
                matching
            }
            None => {
                let all = rows_between(written, &column, i64::MIN, i64::MAX);
                let pick = |lcg: &mut Lcg| {
                    let row = all[lcg.below(all.len() as u64) as usize] as usize;
                    let column = written.column_by_name(&column).unwrap();
                    match column.as_primitive_opt::<TimestampNanosecondType>() {
                        Some(times) => times.value(row),
                        None => column.as_primitive::<Int64Type>().value(row),
                    }
                };
                let (a, b) = (pick(lcg), pick(lcg));
                let (min, max) = (
                    a.min(b),
                    if lcg.below(3) == 0 {
                        a.min(b)
                    } else {
                        a.max(b)
                    },
                );
                let matching: Vec<u32> = rows_between(written, &column, min, max);
                zones.push(Zone::Int { column, min, max });
                matching
            }
        };
        let matching: RoaringBitmap = matching.into_iter().collect();
        rows.retain(|row| matching.contains(*row));
    }
    (zones, rows)
}

#[test]
fn zones_leave_out_what_they_can() {
    let fixture = Fixture::all(1000);
    let rows_of = |zone: Zone| {
        let request = ScanRequest {
            zones: vec![zone],
            ..ScanRequest::columns(["_row"])
        };
        fixture
            .scan(Table::Spans, &request, None)
            .unwrap()
            .num_rows()
    };
    let trace = rows_of(Zone::Text {
        column: "trace_id".into(),
        values: vec![trace_id(500)],
    });
    assert!((8..=192).contains(&trace), "{trace}");
    assert_eq!(
        rows_of(Zone::Text {
            column: "trace_id".into(),
            values: vec!["zz".into()]
        }),
        0
    );
    assert_eq!(
        rows_of(Zone::Text {
            column: "trace_id".into(),
            values: Vec::new()
        }),
        0
    );
    let start = 1_700_000_000_000_000_000;
    let time = rows_of(Zone::Int {
        column: "start_time".into(),
        min: start,
        max: start + 10_000_000,
    });
    assert!((8 * 10..8 * 10 + 128).contains(&time), "{time}");
    assert_eq!(
        rows_of(Zone::Int {
            column: "start_time".into(),
            min: 5,
            max: 4
        }),
        0
    );
    // Not of the zone's type, or nothing is known: all rows stay.
    assert_eq!(
        rows_of(Zone::Int {
            column: "cost_usd".into(),
            min: -5,
            max: -4
        }),
        8000
    );
    assert_eq!(
        rows_of(Zone::Text {
            column: "inputs".into(),
            values: Vec::new()
        }),
        8000
    );
}

#[test]
fn bloom_filters_leave_out_row_groups() {
    let fixture = Fixture::all(1000);
    // Span ids are not sorted against this value, so only the filters can tell.
    let zone = Zone::Text {
        column: "span_id".into(),
        values: vec!["000000ff0000000a".into()],
    };
    let request = ScanRequest {
        zones: vec![zone],
        ..ScanRequest::columns(["span_id"])
    };
    assert_eq!(
        fixture
            .scan(Table::Spans, &request, None)
            .unwrap()
            .num_rows(),
        0
    );
}

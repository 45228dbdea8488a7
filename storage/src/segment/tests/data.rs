//! Seeded rows with the stored schemas: sorted ids and times, small vocabularies, long texts, NULLs,
//! lists and maps.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
    StringViewBuilder, StructBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::record_batch::RecordBatch;

use crate::schema::{Table, timestamp};

/// A linear congruential generator: the same rows for the same seed on every machine.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Where a row stands: its trace, its place in it, and the trace's start.
#[derive(Clone, Copy)]
struct Place {
    trace: usize,
    item: usize,
    start_ns: i64,
}

/// Rows of all three tables for so many traces.
pub(super) fn all_tables(traces: usize, seed: u64) -> Vec<(Table, RecordBatch)> {
    Table::ALL
        .into_iter()
        .map(|table| (table, batch(table, traces, seed)))
        .collect()
}

/// Rows of one table: 8 spans, 1 trace row and up to 2 assessments a trace.
pub(super) fn batch(table: Table, traces: usize, seed: u64) -> RecordBatch {
    let mut lcg = Lcg(seed);
    let mut places = Vec::new();
    for trace in 0..traces {
        let start_ns = 1_700_000_000_000_000_000 + trace as i64 * 1_000_000;
        let items = match table {
            Table::Spans => 8,
            Table::Traces => 1,
            Table::Assessments => lcg.below(3) as usize,
        };
        places.extend((0..items).map(|item| Place {
            trace,
            item,
            start_ns,
        }));
    }
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(table, field, &places, &mut lcg))
        .collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

pub(super) fn trace_id(trace: usize) -> String {
    format!("{:032x}", (trace as u128 + 1) * 0x9e37_79b9_7f4a_7c15_f39c)
}

fn column(table: Table, field: &Field, places: &[Place], lcg: &mut Lcg) -> ArrayRef {
    let null_in = if field.is_nullable() { 4 } else { 0 };
    let is_null = |lcg: &mut Lcg| null_in > 0 && lcg.below(null_in) == 0;
    match field.data_type() {
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::new();
            for place in places {
                let value = (!is_null(lcg)).then(|| text(table, field.name(), *place, lcg));
                builder.append_option(value);
            }
            Arc::new(builder.finish())
        }
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            for _ in places {
                builder.append_option((!is_null(lcg)).then(|| lcg.below(100_000) as i64 - 50));
            }
            Arc::new(builder.finish())
        }
        DataType::Timestamp(_, _) => {
            let mut builder = TimestampNanosecondBuilder::new().with_data_type(timestamp());
            for place in places {
                builder.append_option(
                    (!is_null(lcg)).then_some(place.start_ns + place.item as i64 * 1000),
                );
            }
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::new();
            for _ in places {
                builder.append_option((!is_null(lcg)).then(|| lcg.below(1000) as f64 / 7.0));
            }
            Arc::new(builder.finish())
        }
        DataType::UInt64 => {
            let mut builder = UInt64Builder::new();
            places
                .iter()
                .for_each(|_| builder.append_value(u64::MAX - lcg.next()));
            Arc::new(builder.finish())
        }
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            places
                .iter()
                .for_each(|_| builder.append_value(lcg.below(2) == 0));
            Arc::new(builder.finish())
        }
        DataType::Map(_, _) => map(places.len(), lcg),
        DataType::List(item) => list(item, places.len(), lcg),
        other => panic!("no test data for {other}"),
    }
}

fn text(table: Table, name: &str, place: Place, lcg: &mut Lcg) -> String {
    match name {
        "trace_id" => trace_id(place.trace),
        "span_id" => format!("{:08x}{:08x}", place.trace, place.item),
        "session_id" => format!("session-{}", place.trace / 5),
        "name" => [
            "chat",
            "retrieve",
            "rerank",
            "a tool with a long name, or other",
        ][lcg.below(4) as usize]
            .into(),
        "status" => if lcg.below(50) == 0 { "ERROR" } else { "OK" }.into(),
        "experiment_id" => "0".into(),
        _ if table.is_heavy(name) => words(5 + lcg.below(160), lcg),
        "status_message" | "value" | "rationale" | "request_preview" | "_hint" | "user_id" => {
            words(lcg.below(6), lcg)
        }
        _ => format!("{name} {}", lcg.below(12)),
    }
}

fn words(count: u64, lcg: &mut Lcg) -> String {
    (0..count)
        .map(|_| format!("w{}é ", lcg.below(3000)))
        .collect()
}

fn map(rows: usize, lcg: &mut Lcg) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for _ in 0..rows {
        let entries = lcg.below(4);
        for entry in 0..entries {
            builder.keys().append_value(format!("key {entry}"));
            builder
                .values()
                .append_option((lcg.below(5) > 0).then(|| words(2, lcg)));
        }
        builder.append(entries > 0 || lcg.below(2) == 0).unwrap();
    }
    Arc::new(builder.finish())
}

fn list(item: &Arc<Field>, rows: usize, lcg: &mut Lcg) -> ArrayRef {
    match item.data_type() {
        DataType::Struct(fields) => list_of_structs(item, fields, rows, lcg),
        _ => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
            for _ in 0..rows {
                for _ in 0..lcg.below(3) {
                    builder
                        .values()
                        .append_value(format!("model-{}", lcg.below(9)));
                }
                builder.append(lcg.below(5) > 0);
            }
            Arc::new(builder.finish())
        }
    }
}

fn list_of_structs(item: &Arc<Field>, fields: &Fields, rows: usize, lcg: &mut Lcg) -> ArrayRef {
    let items = StructBuilder::from_fields(fields.clone(), rows);
    let mut builder = ListBuilder::new(items).with_field(item.clone());
    for row in 0..rows {
        for _ in 0..lcg.below(3) {
            let values = builder.values();
            for (index, field) in fields.iter().enumerate() {
                match field.data_type() {
                    DataType::Utf8 => {
                        values
                            .field_builder::<StringBuilder>(index)
                            .unwrap()
                            .append_value(words(3, lcg));
                    }
                    _ => {
                        let times = values
                            .field_builder::<TimestampNanosecondBuilder>(index)
                            .unwrap();
                        times.append_value(row as i64);
                    }
                }
            }
            values.append(true);
        }
        builder.append(lcg.below(3) > 0);
    }
    Arc::new(builder.finish())
}

//! THE Arrow schema of the three versioned tables, and the column names as constants.
//!
//! Columns that begin with `_` are internal: stored, readable through a scan, absent from SQL. All
//! text columns are `Utf8View`; text inside lists, maps and structs is `Utf8`. Times are
//! `Timestamp(ns, "UTC")`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// The three versioned tables.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Table {
    /// One row per span.
    Spans,
    /// One row per trace.
    Traces,
    /// One row per assessment.
    Assessments,
}

impl Table {
    /// All three, in a fixed order.
    pub const ALL: [Table; 3] = [Table::Spans, Table::Traces, Table::Assessments];

    /// The table's name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Traces => "traces",
            Table::Assessments => "assessments",
        }
    }

    /// The stored schema, internal columns last.
    pub fn schema(self) -> SchemaRef {
        match self {
            Table::Spans => SPANS.clone(),
            Table::Traces => TRACES.clone(),
            Table::Assessments => ASSESSMENTS.clone(),
        }
    }

    /// The names of all stored columns, in order.
    pub fn columns(self) -> Vec<&'static str> {
        let schema: &'static SchemaRef = match self {
            Table::Spans => &SPANS,
            Table::Traces => &TRACES,
            Table::Assessments => &ASSESSMENTS,
        };
        schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect()
    }

    /// The schema that SQL sees: `schema` without internal columns. For traces it has, besides, the
    /// hydrated columns `inputs` and `outputs` of the root span, or of the top span that stands for it.
    pub fn public_schema(self) -> SchemaRef {
        match self {
            Table::Spans => SPANS_PUBLIC.clone(),
            Table::Traces => TRACES_PUBLIC.clone(),
            Table::Assessments => ASSESSMENTS_PUBLIC.clone(),
        }
    }

    /// Whether `column` is large, so that it is read only for rows that survive (QU-4).
    pub fn is_heavy(self, column: &str) -> bool {
        match self {
            Table::Spans => matches!(
                column,
                "inputs"
                    | "outputs"
                    | "attributes"
                    | "resource"
                    | "events"
                    | "links"
                    | "extra"
                    | "_hint"
            ),
            Table::Traces => matches!(
                column,
                "inputs" | "outputs" | "request_preview" | "response_preview"
            ),
            Table::Assessments => false,
        }
    }
}

/// The column of spans that says where their cost is from. Rows written before there was it have one that was
/// reported, or none.
pub const COST_SOURCE: &str = "cost_source";
/// A cost that the producer sent.
pub const REPORTED: &str = "reported";
/// A cost made of tokens and the prices that were known when the span came.
pub const COMPUTED: &str = "computed";

/// `Timestamp(ns, "UTC")`.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8View, nullable)
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

/// `Map<Utf8, Utf8>` as the builders of arrow make it.
pub fn string_map() -> DataType {
    let entries = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Utf8, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

/// Fields of one element of the `events` list.
pub fn event_fields() -> Fields {
    Fields::from(vec![
        Field::new("time", timestamp(), false),
        Field::new("name", DataType::Utf8, false),
        Field::new("attributes", DataType::Utf8, false),
    ])
}

/// Fields of one element of the `links` list.
pub fn link_fields() -> Fields {
    Fields::from(vec![
        Field::new("trace_id", DataType::Utf8, false),
        Field::new("span_id", DataType::Utf8, false),
        Field::new("attributes", DataType::Utf8, false),
    ])
}

fn list_of(name: &str, item: DataType) -> Field {
    Field::new(
        name,
        DataType::List(Arc::new(Field::new_list_field(item, true))),
        true,
    )
}

static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("trace_id", false),
        text("span_id", false),
        text("parent_span_id", true),
        text("experiment_id", false),
        text("session_id", true),
        text("user_id", true),
        text("name", false),
        text("span_type", false),
        text("kind", false),
        text("status", false),
        text("status_message", true),
        Field::new("start_time", timestamp(), false),
        Field::new("end_time", timestamp(), true),
        int("duration_ns"),
        text("service_name", true),
        text("scope_name", true),
        text("scope_version", true),
        text("operation", true),
        text("model", true),
        text("provider", true),
        text("tool_name", true),
        int("input_tokens"),
        int("output_tokens"),
        int("total_tokens"),
        int("cache_read_input_tokens"),
        int("cache_creation_input_tokens"),
        Field::new("cost_usd", DataType::Float64, true),
        text(COST_SOURCE, true),
        text("inputs", true),
        text("outputs", true),
        text("attributes", false),
        text("resource", false),
        list_of("events", DataType::Struct(event_fields())),
        list_of("links", DataType::Struct(link_fields())),
        text("extra", true),
        // JSON text of `model::TraceHint`, on root spans only.
        text("_hint", true),
        // XXH3-64 of everything received for the span: an equal resend is a no-op.
        Field::new("_content_hash", DataType::UInt64, false),
    ]))
});

static TRACES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("trace_id", false),
        text("experiment_id", false),
        text("name", true),
        text("state", false),
        Field::new("request_time", timestamp(), false),
        Field::new("end_time", timestamp(), true),
        int("duration_ns"),
        text("service_name", true),
        text("session_id", true),
        text("user_id", true),
        text("client_request_id", true),
        text("request_preview", true),
        text("response_preview", true),
        Field::new("span_count", DataType::Int64, false),
        Field::new("error_span_count", DataType::Int64, false),
        int("input_tokens"),
        int("output_tokens"),
        int("total_tokens"),
        int("cache_read_input_tokens"),
        int("cache_creation_input_tokens"),
        Field::new("cost_usd", DataType::Float64, true),
        list_of("models", DataType::Utf8),
        Field::new("tags", string_map(), true),
        Field::new("metadata", string_map(), true),
        // The root span, or the top span that stands for it: its inputs and outputs are the trace's.
        text("_root_span_id", true),
        // JSON text of `model::TraceEdit`.
        text("_edit", true),
        // In a segment: where the trace's spans begin there and how many there are. NULL in memory.
        int("_first_span_row"),
        int("_span_rows"),
    ]))
});

static ASSESSMENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("assessment_id", false),
        text("trace_id", false),
        text("span_id", true),
        text("name", false),
        text("type", false),
        text("value", false),
        Field::new("value_number", DataType::Float64, true),
        text("source_type", false),
        text("source_id", true),
        text("rationale", true),
        text("error_code", true),
        text("error_message", true),
        Field::new("metadata", string_map(), true),
        text("overrides", true),
        Field::new("valid", DataType::Boolean, false),
        Field::new("created_at", timestamp(), false),
        Field::new("updated_at", timestamp(), false),
    ]))
});

/// Whether these are the fields of spans as they were written before costs had a source: all but that column.
pub fn is_without_cost_source(fields: &Fields) -> bool {
    let others = SPANS
        .fields()
        .iter()
        .filter(|field| field.name() != COST_SOURCE);
    others.eq(fields.iter())
}

/// The column `cost_source` of rows that were written before there was one.
pub fn cost_sources_before(costs: &dyn Array) -> StringViewArray {
    let mut builder = StringViewBuilder::with_capacity(costs.len()).with_deduplicate_strings();
    builder.extend((0..costs.len()).map(|row| costs.is_valid(row).then_some(REPORTED)));
    builder.finish()
}

fn public(schema: &Schema) -> Vec<Arc<Field>> {
    schema
        .fields()
        .iter()
        .filter(|field| !field.name().starts_with('_'))
        .cloned()
        .collect()
}

static SPANS_PUBLIC: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(public(&SPANS))));

static TRACES_PUBLIC: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = public(&TRACES);
    fields.push(Arc::new(text("inputs", true)));
    fields.push(Arc::new(text("outputs", true)));
    Arc::new(Schema::new(fields))
});

static ASSESSMENTS_PUBLIC: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(public(&ASSESSMENTS))));

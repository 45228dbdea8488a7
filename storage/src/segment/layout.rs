//! How each column lies on disk: codec, encoding, page size, statistics, bloom filters.
//!
//! Light columns are read whole (scans) or a page at a time, so they are lz4 in pages of few rows; ids are
//! zstd at its lowest level.
//! Heavy columns are read for few rows, so they are zstd in pages of few bytes: one trace decodes
//! kilobytes. Payloads are most of a file: in larger pages more of what they repeat is found; those of roots
//! are read one here, one there. A dictionary is decoded before the first value of a column chunk, so only columns of
//! few distinct values have one.
//!
//! Changing anything here changes the files; readers do not depend on it, except for the column
//! names and types, which `FORMAT_VERSION` stands for.

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use roaring::RoaringBitmap;

use super::payload::{PAYLOAD, ROOT_PAYLOAD};
use crate::error::{Error, Result};
use crate::schema::Table;

/// Version of a segment's Parquet files, in their key-value metadata as
/// `tracehouse.segment.format`.
pub const FORMAT_VERSION: u32 = 4;

/// The version whose spans have no column for the source of a cost. Files of it are read, and not written.
pub(super) const WITHOUT_COST_SOURCE: u32 = 3;

/// The key of the format version in a file's metadata.
pub(super) const FORMAT_KEY: &str = "tracehouse.segment.format";

/// False positives of a bloom filter: at 1 % it costs ~10 bits per distinct value.
const BLOOM_FPP: f64 = 0.01;

/// A dictionary larger than this is given up, since every point read decodes it.
const DICTIONARY_BYTES_MAX: usize = 64 << 10;

/// Values encoded between two looks at the page limits.
const WRITE_BATCH_ROWS: usize = 1024;

/// What can be set about a segment's files.
#[derive(Debug, Clone)]
pub struct SegmentOptions {
    /// Zstd level of the heavy columns.
    pub heavy_zstd_level: i32,
    /// Rows of a row group at most.
    pub row_group_rows_max: usize,
    /// Encoded bytes after which a row group is closed.
    pub row_group_bytes_max: usize,
    /// Rows of a light column's page at most.
    pub light_page_rows_max: usize,
    /// Bytes after which a heavy column's page is closed, before compression.
    pub heavy_page_bytes_max: usize,
    /// Bytes after which a page of payloads of spans with a parent is closed, before compression.
    pub payload_page_bytes_max: usize,
    /// Bytes after which a page of payloads of root spans is closed, before compression.
    pub root_page_bytes_max: usize,
    /// Threads that encode columns, the caller's included; 1 encodes without spawning any.
    pub threads: usize,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self {
            heavy_zstd_level: 2,
            row_group_rows_max: 128 << 10,
            row_group_bytes_max: 128 << 20,
            light_page_rows_max: 4096,
            heavy_page_bytes_max: 96 << 10,
            payload_page_bytes_max: 384 << 10,
            root_page_bytes_max: 16 << 10,
            threads: 2,
        }
    }
}

/// The name of a table's file inside a segment's folder.
pub fn file_name(table: Table) -> String {
    format!("{}.parquet", table.name())
}

/// What a column holds, which decides how it lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnClass {
    /// Large: read only for rows that survive.
    Heavy,
    /// Inputs, outputs and hint of spans with a parent.
    Payload,
    /// Inputs, outputs and hint of root spans.
    RootPayload,
    /// An identifier: many distinct values, looked up by equality.
    Id,
    /// Light text that hardly repeats.
    Prose,
    /// Words of a small vocabulary.
    Word,
    /// Times, durations, counts.
    Integer,
    /// Floats, flags and hashes.
    Raw,
}

fn class_of(table: Table, column: &ColumnDescriptor) -> ColumnClass {
    let root = root_name(column);
    match root {
        PAYLOAD => return ColumnClass::Payload,
        ROOT_PAYLOAD => return ColumnClass::RootPayload,
        _ => {}
    }
    if table.is_heavy(root) {
        return ColumnClass::Heavy;
    }
    match root {
        "trace_id" | "span_id" | "parent_span_id" | "session_id" | "user_id"
        | "client_request_id" | "assessment_id" | "overrides" | "_root_span_id" => ColumnClass::Id,
        "status_message" | "request_preview" | "response_preview" | "value" | "rationale"
        | "error_message" | "_edit" => ColumnClass::Prose,
        "_content_hash" => ColumnClass::Raw,
        _ => match column.physical_type() {
            Type::BYTE_ARRAY => ColumnClass::Word,
            Type::INT64 => ColumnClass::Integer,
            _ => ColumnClass::Raw,
        },
    }
}

/// Columns whose equality is worth a bloom filter.
fn has_bloom(root: &str) -> bool {
    matches!(root, "trace_id" | "span_id" | "session_id")
}

/// The top-level column a leaf belongs to.
fn root_name(column: &ColumnDescriptor) -> &str {
    column.path().parts().first().map_or("", String::as_str)
}

/// The key of how many bytes a file has before its end (see `sums`).
pub(super) const DATA_BYTES_KEY: &str = "tracehouse.segment.data_bytes";

/// The key of the root spans' rows in a spans file's metadata.
pub(super) const ROOTS_KEY: &str = "tracehouse.segment.roots";

/// The key of which spans of a file have hints: roots alone, or any.
pub(super) const HINTS_KEY: &str = "tracehouse.segment.hints";
pub(super) const HINTS_OF_ROOTS: &str = "roots";
pub(super) const HINTS_ANYWHERE: &str = "any";

/// Rows as a file's metadata has them: a Roaring bitmap in hex digits.
pub(super) fn rows_to_text(rows: &RoaringBitmap) -> Result<String> {
    let mut bytes = Vec::with_capacity(rows.serialized_size());
    rows.serialize_into(&mut bytes)
        .map_err(|e| Error::internal(format!("rows of a segment: {e}")))?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let text: String = digits
        .filter_map(|half| char::from_digit(u32::from(half), 16))
        .collect();
    debug_assert!(
        rows_of_text(&text).as_ref() == Some(rows),
        "rows read back as they were written"
    );
    Ok(text)
}

/// What [`rows_to_text`] made; `None` when it did not make `text`.
pub(super) fn rows_of_text(text: &str) -> Option<RoaringBitmap> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|half| u8::try_from(half).ok())
    };
    let pair = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(pair).collect::<Option<_>>()?;
    RoaringBitmap::deserialize_from(bytes.as_slice()).ok()
}

/// The Parquet schema of a stored schema.
pub(super) fn parquet_schema(schema: &SchemaRef) -> Result<SchemaDescriptor> {
    ArrowSchemaConverter::new()
        .convert(schema)
        .map_err(|source| {
            Error::with_source(
                crate::error::ErrorKind::Internal,
                "schema has no parquet form",
                source,
            )
        })
}

/// The writer properties of a table's file.
///
/// # Errors
/// `InvalidInput` for a zstd level out of range.
pub(super) fn writer_properties(
    table: Table,
    schema: &SchemaDescriptor,
    options: &SegmentOptions,
) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(options.heavy_zstd_level).map_err(|_| {
        Error::invalid_input(format!(
            "heavy_zstd_level {} is not 1 to 22",
            options.heavy_zstd_level
        ))
    })?;
    let page_rows_max = options.light_page_rows_max.max(1);
    let mut builder = WriterProperties::builder()
        .set_created_by("tracehouse".to_string())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            FORMAT_KEY.to_string(),
            FORMAT_VERSION.to_string(),
        )]))
        .set_compression(Compression::LZ4_RAW)
        .set_data_page_row_count_limit(page_rows_max)
        .set_write_batch_size(page_rows_max.min(WRITE_BATCH_ROWS))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_max_row_group_row_count(Some(options.row_group_rows_max.max(1)))
        .set_sorting_columns(sorting_columns(table, schema));
    for column in schema.columns() {
        builder = set_column(builder, class_of(table, column), column, level, options);
    }
    Ok(builder.build())
}

fn set_column(
    builder: WriterPropertiesBuilder,
    class: ColumnClass,
    column: &ColumnDescriptor,
    level: ZstdLevel,
    options: &SegmentOptions,
) -> WriterPropertiesBuilder {
    let path = column.path().clone();
    let builder = builder.set_column_dictionary_enabled(path.clone(), class == ColumnClass::Word);
    match class {
        ColumnClass::Heavy
        | ColumnClass::Prose
        | ColumnClass::Payload
        | ColumnClass::RootPayload => {
            let page_bytes_max = match class {
                ColumnClass::Payload => options.payload_page_bytes_max,
                ColumnClass::RootPayload => options.root_page_bytes_max,
                _ => options.heavy_page_bytes_max,
            };
            builder
                .set_column_compression(path.clone(), Compression::ZSTD(level))
                .set_column_data_page_size_limit(path.clone(), page_bytes_max)
                .set_column_statistics_enabled(path, EnabledStatistics::None)
        }
        // Hex digits hold half of their bits: zstd finds that at its lowest level, LZ4 does not.
        ColumnClass::Id => {
            let builder = builder
                .set_column_compression(path.clone(), Compression::ZSTD(ZstdLevel::default()));
            if !has_bloom(root_name(column)) {
                return builder;
            }
            builder
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FPP)
                .set_column_bloom_filter_enabled(path, true)
        }
        ColumnClass::Integer => builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        ColumnClass::Word | ColumnClass::Raw => builder,
    }
}

/// The declared order of the rows. Spans are ordered by their trace's start, which is not a column
/// of theirs, so nothing can be declared for them.
fn sorting_columns(table: Table, schema: &SchemaDescriptor) -> Option<Vec<SortingColumn>> {
    if table != Table::Traces {
        return None;
    }
    let mut sorting = Vec::new();
    for name in ["request_time", "trace_id"] {
        let index = schema
            .columns()
            .iter()
            .position(|column| root_name(column) == name)?;
        let column_idx = i32::try_from(index).ok()?;
        sorting.push(SortingColumn {
            column_idx,
            descending: false,
            nulls_first: false,
        });
    }
    Some(sorting)
}

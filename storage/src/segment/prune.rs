//! Which row groups and pages can hold rows that the zones of a request want.
//!
//! Row groups fall by their statistics and bloom filters, pages by the page index. NULL is outside
//! every zone. Whatever the file does not say keeps its rows (QU-2): a row is left out only when a
//! bound that parquet guarantees excludes it.

use arrow::datatypes::DataType;
use parquet::bloom_filter::Sbbf;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use roaring::RoaringBitmap;

use super::footer::TableFile;
use super::projection::{ROW_COLUMN, unknown_column};
use crate::error::Result;
use crate::scan::Zone;
use crate::schema::Table;

/// Checks that the zones name columns of `table`.
///
/// # Errors
/// `InvalidInput` naming the first unknown column.
pub(super) fn check_zones(table: Table, zones: &[Zone]) -> Result<()> {
    let schema = table.schema();
    for zone in zones {
        let name = column_of(zone);
        if name != ROW_COLUMN && schema.fields().find(name).is_none() {
            return Err(unknown_column(table, name));
        }
    }
    Ok(())
}

/// The rows that may satisfy all zones; `None` when that is all of them.
///
/// # Errors
/// `Io` or `Corrupt` when a bloom filter cannot be read.
pub(super) fn prune(
    file: &TableFile,
    table: Table,
    zones: &[Zone],
) -> Result<Option<RoaringBitmap>> {
    let mut kept: Option<RoaringBitmap> = None;
    for zone in zones {
        let Some(leaf) = usable_leaf(file, table, zone) else {
            continue;
        };
        let mut rows = RoaringBitmap::new();
        for group in 0..file.group_count() {
            let (start, end) = file.group_rows(group);
            let wanted = kept
                .as_ref()
                .is_none_or(|kept| kept.range_cardinality(start..end) > 0);
            if wanted && keeps_group(file, group, leaf, zone)? {
                keep_pages(file, group, leaf, zone, &mut rows);
            }
        }
        kept = Some(match kept {
            Some(kept) => kept & rows,
            None => rows,
        });
    }
    Ok(kept)
}

fn column_of(zone: &Zone) -> &str {
    match zone {
        Zone::Int { column, .. } | Zone::Text { column, .. } => column,
    }
}

/// The leaf column of a zone, when the column's type is one the zone speaks of.
fn usable_leaf(file: &TableFile, table: Table, zone: &Zone) -> Option<usize> {
    let schema = table.schema();
    let (_, field) = schema.fields().find(column_of(zone))?;
    let usable = match zone {
        Zone::Int { .. } => matches!(
            field.data_type(),
            DataType::Int64 | DataType::Timestamp(_, _)
        ),
        Zone::Text { .. } => matches!(field.data_type(), DataType::Utf8View),
    };
    let leaves = file.metadata().file_metadata().schema_descr().columns();
    let is_leaf = |path: &[String]| matches!(path, [only] if only == field.name());
    leaves
        .iter()
        .position(|leaf| usable && is_leaf(leaf.path().parts()))
}

fn keeps_group(file: &TableFile, group: usize, leaf: usize, zone: &Zone) -> Result<bool> {
    let row_group = file.metadata().row_group(group);
    let column = row_group.column(leaf);
    if let Some(statistics) = column.statistics() {
        let nulls = statistics.null_count_opt();
        let is_all_null = nulls.is_some() && nulls == u64::try_from(row_group.num_rows()).ok();
        if is_all_null || !zone_meets(zone, statistics) {
            return Ok(false);
        }
    }
    let Zone::Text { values, .. } = zone else {
        return Ok(true);
    };
    if column.bloom_filter_offset().is_none() {
        return Ok(true);
    }
    let input = file.input()?;
    // Asking a damaged filter panics, too.
    input.decode(|| {
        let filter = Sbbf::read_from_column_chunk(column, &input)?;
        Ok(filter.is_none_or(|filter| values.iter().any(|value| filter.check(value.as_str()))))
    })
}

fn zone_meets(zone: &Zone, statistics: &Statistics) -> bool {
    match (zone, statistics) {
        (Zone::Int { min, max, .. }, Statistics::Int64(found)) => meets_int(
            *min,
            *max,
            found.min_opt().copied(),
            found.max_opt().copied(),
        ),
        (Zone::Text { values, .. }, Statistics::ByteArray(found)) => {
            meets_text(values, found.min_bytes_opt(), found.max_bytes_opt())
        }
        _ => true,
    }
}

fn meets_int(min: i64, max: i64, found_min: Option<i64>, found_max: Option<i64>) -> bool {
    found_min.is_none_or(|found| found <= max) && found_max.is_none_or(|found| found >= min)
}

/// Bounds may be truncated: the lower one is then smaller and the upper one larger than any value.
fn meets_text(values: &[String], found_min: Option<&[u8]>, found_max: Option<&[u8]>) -> bool {
    values.iter().map(String::as_bytes).any(|value| {
        found_min.is_none_or(|found| found <= value) && found_max.is_none_or(|found| found >= value)
    })
}

/// Adds the rows of a row group's pages that the zone meets.
fn keep_pages(file: &TableFile, group: usize, leaf: usize, zone: &Zone, rows: &mut RoaringBitmap) {
    let (start, end) = file.group_rows(group);
    let metadata = file.metadata();
    let index = metadata
        .column_index()
        .and_then(|index| index.get(group)?.get(leaf));
    let offsets = metadata
        .offset_index()
        .and_then(|index| index.get(group)?.get(leaf));
    let (Some(index), Some(offsets)) = (index.filter(|index| has_bounds(index)), offsets) else {
        rows.insert_range(start..end);
        return;
    };
    let pages = offsets.page_locations();
    if index.num_pages() != pages.len() as u64 {
        rows.insert_range(start..end);
        return;
    }
    let first_row = |page: usize| {
        let offset = pages
            .get(page)
            .and_then(|page| u32::try_from(page.first_row_index).ok());
        offset.map_or(end, |offset| start.saturating_add(offset).min(end))
    };
    for page in 0..pages.len() {
        if page_meets(zone, index, page) {
            rows.insert_range(first_row(page)..first_row(page + 1));
        }
    }
}

/// Asked of an index without bounds, parquet panics.
fn has_bounds(index: &ColumnIndexMetaData) -> bool {
    !matches!(index, ColumnIndexMetaData::NONE)
}

fn page_meets(zone: &Zone, index: &ColumnIndexMetaData, page: usize) -> bool {
    match (zone, index) {
        (Zone::Int { min, max, .. }, ColumnIndexMetaData::INT64(index)) => {
            !index.is_null_page(page)
                && meets_int(
                    *min,
                    *max,
                    index.min_value(page).copied(),
                    index.max_value(page).copied(),
                )
        }
        (Zone::Text { values, .. }, ColumnIndexMetaData::BYTE_ARRAY(index)) => {
            !index.is_null_page(page)
                && meets_text(values, index.min_value(page), index.max_value(page))
        }
        _ => true,
    }
}

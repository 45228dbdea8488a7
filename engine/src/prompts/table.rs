//! The tables `prompts`, `prompt_versions` and `trace_prompts`.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;
use tracehouse_eval::prompt::{Prompt, PromptVersion, TemplateKind};
use tracehouse_storage::Snapshot;
use tracehouse_storage::schema::{string_map, timestamp};

use super::links::{Link, links};
use crate::error::Result;
use crate::sql_tables::maps;

fn word(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8View, nullable)
}

static PROMPTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        word("name", false),
        Field::new("tags", string_map(), true),
        Field::new("created_at", timestamp(), false),
        Field::new("latest_version", DataType::Int64, true),
    ]))
});

/// The rows of `prompts`.
pub(crate) fn prompts_batch(prompts: &[Prompt]) -> Result<RecordBatch> {
    let latest = prompts
        .iter()
        .map(|one| one.latest_version().map(i64::from));
    let columns: Vec<ArrayRef> = vec![
        texts(prompts.iter().map(|one| Some(one.name.as_str()))),
        maps(prompts.iter().map(|one| &one.tags))?,
        times(prompts.iter().map(|one| one.created_at_ns)),
        Arc::new(Int64Array::from_iter(latest)),
    ];
    Ok(RecordBatch::try_new(PROMPTS.clone(), columns)?)
}

static VERSIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        word("name", false),
        Field::new("version", DataType::Int64, false),
        word("template", false),
        word("type", false),
        word("commit_message", true),
        Field::new("tags", string_map(), true),
        word("aliases", false),
        Field::new("created_at", timestamp(), false),
    ]))
});

/// The rows of `prompt_versions`; aliases are a JSON array.
pub(crate) fn versions_batch(versions: &[PromptVersion]) -> Result<RecordBatch> {
    let template = |one: &PromptVersion| one.content.template().to_json().to_string();
    let kind = |one: &PromptVersion| match one.content.template().kind() {
        TemplateKind::Text => "text",
        TemplateKind::Chat => "chat",
    };
    let templates: Vec<String> = versions.iter().map(template).collect();
    let aliases = versions
        .iter()
        .map(|one| Value::from(one.aliases.clone()).to_string());
    let aliases: Vec<String> = aliases.collect();
    let columns: Vec<ArrayRef> = vec![
        texts(versions.iter().map(|one| Some(one.name.as_str()))),
        Arc::new(Int64Array::from_iter_values(
            versions.iter().map(|one| i64::from(one.version)),
        )),
        texts(templates.iter().map(|one| Some(one.as_str()))),
        texts(versions.iter().map(|one| Some(kind(one)))),
        texts(versions.iter().map(|one| one.commit_message.as_deref())),
        maps(versions.iter().map(|one| &one.tags))?,
        texts(aliases.iter().map(|one| Some(one.as_str()))),
        times(versions.iter().map(|one| one.created_at_ns)),
    ];
    Ok(RecordBatch::try_new(VERSIONS.clone(), columns)?)
}

static LINKS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        word("trace_id", false),
        word("prompt_name", false),
        word("prompt_version", false),
    ]))
});

/// The rows of `trace_prompts`. Versions are texts: those of other registries need not be numbers.
pub(crate) fn links_batch(snapshot: Option<&Snapshot>) -> Result<RecordBatch> {
    let links = snapshot.map(links).transpose()?.unwrap_or_default();
    let column = |get: fn(&Link) -> &str| texts(links.iter().map(|link| Some(get(link))));
    let columns: Vec<ArrayRef> = vec![
        column(|link| &link.trace_id),
        column(|link| &link.name),
        column(|link| &link.version),
    ];
    Ok(RecordBatch::try_new(LINKS.clone(), columns)?)
}

fn texts<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(texts))
}

fn times(times_ns: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(times_ns).with_timezone("UTC"))
}

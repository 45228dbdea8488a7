//! The walk over what the OpenTelemetry SDK hands to an exporter: from its objects to one OTLP request.
//!
//! Spans and log records have one outline: resources, in them scopes, in them the items (`span`, `record`).
//!
//! **Invariant**: the request is the one that the official encoder makes of the same items, but for what `value` keeps
//! and the order of resources and scopes (`tests/test_otel_contract.py`).

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::value::{attributes, text};
use super::wire::Message;

/// Bytes that an item is expected to need, to ask for memory once.
const ITEM_BYTES: usize = 1_024;

/// Writes an item into those of its scope.
pub(super) type Write = fn(&mut Message, &Bound<'_, PyAny>) -> PyResult<()>;

/// What was made of items.
pub(super) struct Walked {
    /// An `ExportTraceServiceRequest` or `ExportLogsServiceRequest`; empty when no item can be read.
    pub(super) request: Vec<u8>,
    /// The items that cannot be read, each with the reason.
    pub(super) rejected: Vec<String>,
}

/// The items of one scope of one resource.
struct Group<'py> {
    resource: Bound<'py, PyAny>,
    scope: Bound<'py, PyAny>,
    items: Message,
}

/// Walks items of the SDK. One that cannot be read is left out and named.
pub(super) fn walk(items: &Bound<'_, PyAny>, write: Write) -> PyResult<Walked> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut rejected = Vec::new();
    for item in items.try_iter()? {
        let item = item?;
        if let Err(error) = add(&mut groups, &item, write) {
            rejected.push(format!("{}: {error}", named(&item)));
        }
    }
    groups.retain(|group| group.items.len() > 0);
    let bytes: usize = groups.iter().map(|group| group.items.len()).sum();
    let mut request = Message::with_capacity(bytes + ITEM_BYTES * groups.len());
    for group in groups {
        group_into(&mut request, group)?;
    }
    Ok(Walked {
        request: request.into_bytes(),
        rejected,
    })
}

/// How a message names an item that cannot be read.
fn named(item: &Bound<'_, PyAny>) -> String {
    let name = item.getattr(intern!(item.py(), "name"));
    match name.and_then(|name| Ok(name.str()?.to_string_lossy().into_owned())) {
        Ok(name) => format!("span '{name}'"),
        Err(_) => format!("an object of {}", item.get_type()),
    }
}

fn add<'py>(groups: &mut Vec<Group<'py>>, item: &Bound<'py, PyAny>, write: Write) -> PyResult<()> {
    let py = item.py();
    let resource = member(item, intern!(py, "_resource"), intern!(py, "resource"))
        // Log records before 1.39 of the SDK.
        .or_else(|_| item.getattr("log_record")?.getattr("resource"))?;
    let (kept, public) = (
        intern!(py, "_instrumentation_scope"),
        intern!(py, "instrumentation_scope"),
    );
    let scope = member(item, kept, public)?;
    let is_here = |group: &Group<'py>| group.scope.is(&scope) && group.resource.is(&resource);
    // Items of one scope mostly follow each other.
    let place = match groups.iter().rposition(is_here) {
        Some(place) => place,
        None => {
            let items = Message::with_capacity(ITEM_BYTES * 8);
            groups.push(Group {
                resource,
                scope,
                items,
            });
            groups.len() - 1
        }
    };
    let Some(group) = groups.get_mut(place) else {
        return Ok(());
    };
    let before = group.items.len();
    let written = write(&mut group.items, item);
    if written.is_err() {
        group.items.truncate(before);
    }
    written
}

/// A member of the SDK's, by where it is kept or by its public name.
pub(super) fn member<'py>(
    of: &Bound<'py, PyAny>,
    kept: &Bound<'py, PyString>,
    public: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    of.getattr(kept).or_else(|_| of.getattr(public))
}

/// A text, which is empty where there is none.
pub(super) fn text_into(
    message: &mut Message,
    field: u64,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if let Ok(string) = value.cast::<PyString>() {
        message.text(field, &text(string)?);
    }
    Ok(())
}

/// `ResourceSpans` or `ResourceLogs`, with one scope in it.
fn group_into(request: &mut Message, group: Group<'_>) -> PyResult<()> {
    let Group {
        resource,
        scope,
        items,
    } = group;
    let py = resource.py();
    let of_group = request.begin(1);
    let of_resource = request.begin(1);
    if !resource.is_none() {
        let (kept, public) = (intern!(py, "_attributes"), intern!(py, "attributes"));
        attributes(request, 1, &member(&resource, kept, public)?)?;
    }
    request.end(of_resource);
    let of_items = request.begin(2);
    let of_scope = request.begin(1);
    scope_into(request, &scope)?;
    request.end(of_scope);
    request.append(items);
    schema_url(request, &scope)?;
    request.end(of_items);
    schema_url(request, &resource)?;
    request.end(of_group);
    Ok(())
}

fn scope_into(request: &mut Message, scope: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = scope.py();
    if scope.is_none() {
        return Ok(());
    }
    text_into(request, 1, &scope.getattr(intern!(py, "name"))?)?;
    text_into(request, 2, &scope.getattr(intern!(py, "version"))?)?;
    // Scopes have attributes since 1.27 of the SDK.
    match scope.getattr_opt(intern!(py, "attributes"))? {
        Some(own) => attributes(request, 3, &own),
        None => Ok(()),
    }
}

fn schema_url(request: &mut Message, of: &Bound<'_, PyAny>) -> PyResult<()> {
    match of.getattr_opt(intern!(of.py(), "schema_url"))? {
        Some(url) => text_into(request, 3, &url),
        None => Ok(()),
    }
}

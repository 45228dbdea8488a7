//! Settings that a database keeps: each is one file of the catalogue, described in the manifest, so that backups,
//! checks and erases treat it like everything else.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use tracehouse_storage::Store;
use tracehouse_storage::manifest::CatalogFile;

use crate::error::{Error, Result};

/// The word that tells settings from other catalogue files.
const KIND: &str = "setting";

/// What the manifest says of a setting's file.
#[derive(Serialize, Deserialize)]
struct Described {
    kind: String,
    name: String,
    value: serde_json::Value,
}

/// A written setting that is not in force yet.
pub(crate) struct Replacement {
    file: CatalogFile,
    older: Vec<String>,
}

/// The value of a setting; `None` when it was never made.
pub(crate) fn read(files: &[CatalogFile], name: &str) -> Option<serde_json::Value> {
    files
        .iter()
        .find_map(|file| described(file, name))
        .map(|described| described.value)
}

/// Writes a setting's file. The caller keeps other changes of the catalogue waiting.
///
/// # Errors
/// `Io` or `Closed` from writing.
pub(crate) fn write<T: Serialize>(store: &Store, name: &str, setting: &T) -> Result<Replacement> {
    let internal = |e| Error::internal(format!("{name} as JSON: {e}"));
    let value = serde_json::to_value(setting).map_err(internal)?;
    let rows = rows(name, &value.to_string())?;
    let meta_json = serde_json::to_string(&Described {
        kind: KIND.into(),
        name: name.into(),
        value,
    });
    let older = store
        .catalog_files()
        .into_iter()
        .filter(|file| described(file, name).is_some());
    let older = older.map(|file| file.name).collect();
    Ok(Replacement {
        file: store.write_catalog_file(&rows, meta_json.map_err(internal)?)?,
        older,
    })
}

impl Replacement {
    /// Puts it in the place of the setting before, durably.
    ///
    /// # Errors
    /// As [`write`].
    pub(crate) fn commit(self, store: &Store) -> Result<()> {
        Ok(store.commit_catalog(vec![self.file], self.older)?)
    }
}

fn described(file: &CatalogFile, name: &str) -> Option<Described> {
    let described: Described = serde_json::from_str(&file.meta_json).ok()?;
    (described.kind == KIND && described.name == name).then_some(described)
}

/// The file's only row, for whoever reads the catalogue without this program.
fn rows(name: &str, value: &str) -> Result<RecordBatch> {
    let fields = ["name", "value"].map(|name| Field::new(name, DataType::Utf8View, false));
    let column = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values([text])) };
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields.to_vec())),
        vec![column(name), column(value)],
    )?)
}

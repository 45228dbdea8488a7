//! Files of the catalogue: dataset versions and the like, immutable and named by the manifest.
//!
//! 1. [`Store::write_catalog_file`]: the file is synced, nothing names it (ST-2).
//! 2. [`Store::commit_catalog`]: one manifest commit names it, and ends others.
//! 3. Ended files are unlinked; what a crash leaves behind is removed by the next open.

use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{Store, lock};
use crate::error::{Error, Result};
use crate::manifest::{CatalogFile, FileMeta, ManifestEdit};
use crate::segment::{read_table_file, write_table_file};

/// The catalogue's folder.
pub(crate) const CATALOG_DIR: &str = "catalog";

impl Store {
    /// Writes the rows of a catalogue file, synced and still unnamed.
    ///
    /// # Errors
    /// `Closed`, `InvalidInput` when the store only reads, `Io` when the file cannot be written.
    pub fn write_catalog_file(&self, rows: &RecordBatch, meta_json: String) -> Result<CatalogFile> {
        self.check_open()?;
        let (env, dir) = (self.env.as_ref(), Path::new(CATALOG_DIR));
        let name = format!("{}.parquet", ulid::Ulid(env.new_ulid()));
        env.create_dir_all(dir)
            .map_err(|e| Error::io(CATALOG_DIR, e))?;
        let FileMeta {
            name, len, hash, ..
        } = write_table_file(env, dir, &name, rows)?;
        env.sync_dir(dir).map_err(|e| Error::io(CATALOG_DIR, e))?;
        Ok(CatalogFile {
            name,
            len,
            hash,
            meta_json,
        })
    }

    /// The live files of the catalogue.
    pub fn catalog_files(&self) -> Vec<CatalogFile> {
        lock(&self.state).manifest.catalog.clone()
    }

    /// The rows of a catalogue file, as batches of `schema`.
    ///
    /// # Errors
    /// `Corrupt` when the file is missing or damaged, `Io` when it cannot be read.
    pub fn read_catalog_file(
        &self,
        file: &CatalogFile,
        schema: &SchemaRef,
    ) -> Result<Vec<RecordBatch>> {
        let meta = file.file();
        read_table_file(self.env.as_ref(), Path::new(CATALOG_DIR), &meta, schema)
    }

    /// Adds and removes catalogue files in one manifest commit; the files must be synced already. A
    /// name in both lists keeps its file and gets a new description.
    ///
    /// # Errors
    /// `Closed` after a failed fsync, `Io` when the manifest cannot be written.
    pub fn commit_catalog(&self, add: Vec<CatalogFile>, remove: Vec<String>) -> Result<()> {
        self.check_open()?;
        let ended: Vec<String> = remove
            .iter()
            .filter(|name| !add.iter().any(|file| file.name == **name))
            .cloned()
            .collect();
        let edit = ManifestEdit {
            add_catalog: add,
            remove_catalog: remove,
            ..ManifestEdit::default()
        };
        let version = self.commit_manifest(edit, |_| {})?.version;
        for name in ended {
            self.deletions.delete(
                self.env.as_ref(),
                &Path::new(CATALOG_DIR).join(name),
                version,
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringViewArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::env::{Env, MemEnv};
    use crate::store::StoreOptions;

    fn rows(text: &str) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new(
            "text",
            DataType::Utf8View,
            false,
        )]));
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values([text]));
        RecordBatch::try_new(schema, vec![column]).unwrap()
    }

    fn open(env: &Arc<MemEnv>) -> Arc<Store> {
        Store::open(env.clone() as Arc<dyn Env>, StoreOptions::default()).unwrap()
    }

    #[test]
    fn named_files_survive_and_others_are_removed() {
        let env = Arc::new(MemEnv::default());
        let store = open(&env);
        let kept = store
            .write_catalog_file(&rows("kept"), "{}".into())
            .unwrap();
        let ended = store
            .write_catalog_file(&rows("ended"), "{}".into())
            .unwrap();
        let unnamed = store
            .write_catalog_file(&rows("unnamed"), "{}".into())
            .unwrap();
        store
            .commit_catalog(vec![kept.clone(), ended.clone()], Vec::new())
            .unwrap();
        let described = CatalogFile {
            meta_json: "[]".into(),
            ..kept.clone()
        };
        store
            .commit_catalog(
                vec![described.clone()],
                vec![kept.name.clone(), ended.name.clone()],
            )
            .unwrap();
        let files = || env.list(Path::new(CATALOG_DIR)).unwrap();
        assert_eq!(files(), [kept.name.clone(), unnamed.name.clone()]);
        store.close().unwrap();
        assert!(
            store
                .write_catalog_file(&rows("late"), "{}".into())
                .is_err()
        );
        drop(store);

        let store = open(&env);
        assert_eq!(files(), [kept.name.as_str()]);
        assert_eq!(
            store.snapshot().unwrap().catalog(),
            std::slice::from_ref(&described)
        );
        let read = store
            .read_catalog_file(&described, &rows("").schema())
            .unwrap();
        assert_eq!(read, [rows("kept")]);
    }
}

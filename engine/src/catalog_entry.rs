//! Entries of the catalogue other than datasets and settings: evaluation runs and their scores, prompts, review
//! queues. Each is a file, and what it is stands beside its name in the manifest, so that backups, checks and erases
//! treat it like everything else.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracehouse_storage::manifest::CatalogFile;

use crate::error::{Error, ErrorKind, Result};

/// What the manifest says of an entry.
pub(crate) trait Entry: Serialize + DeserializeOwned {
    /// The word that tells it from other catalogue files.
    const KIND: &'static str;
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    kind: &'static str,
    #[serde(flatten)]
    entry: &'a T,
}

/// The entries of one kind, with their files.
///
/// # Errors
/// `Corrupt` when one cannot be read.
pub(crate) fn entries<T: Entry>(files: &[CatalogFile]) -> Result<Vec<(T, CatalogFile)>> {
    let mut found = Vec::new();
    for file in files {
        let bad = |error: serde_json::Error| {
            Error::new(
                ErrorKind::Corrupt,
                format!("description of catalogue file {}: {error}", file.name),
            )
        };
        let kind: Kind<'_> = serde_json::from_str(&file.meta_json).map_err(bad)?;
        if kind.kind == T::KIND {
            found.push((
                serde_json::from_str(&file.meta_json).map_err(bad)?,
                file.clone(),
            ));
        }
    }
    Ok(found)
}

/// An entry as the manifest keeps it.
pub(crate) fn described<T: Entry>(entry: &T) -> Result<String> {
    serde_json::to_string(&Tagged {
        kind: T::KIND,
        entry,
    })
    .map_err(|error| Error::internal(format!("{} as JSON: {error}", T::KIND)))
}

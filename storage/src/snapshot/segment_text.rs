//! The text index of a segment: there or not, read or not.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::env::Folder;
use crate::text::TextReader;

/// The text index of a segment.
#[derive(Debug)]
pub enum SegmentText {
    /// There is none.
    Absent,
    /// In this folder, and not read yet.
    Closed(Folder),
    /// In use.
    Open(Arc<TextReader>),
}

impl From<Option<TextReader>> for SegmentText {
    fn from(text: Option<TextReader>) -> Self {
        text.map_or(SegmentText::Absent, |text| {
            SegmentText::Open(Arc::new(text))
        })
    }
}

/// Where a segment keeps its text index.
#[derive(Debug)]
pub(super) struct TextSlot {
    text: RwLock<SegmentText>,
    /// Held while the text index is opened.
    opening: Mutex<()>,
}

impl TextSlot {
    pub fn new(text: SegmentText) -> Self {
        Self {
            text: RwLock::new(text),
            opening: Mutex::new(()),
        }
    }

    /// The index; `None` while there is none. The first who asks opens it: a database opens without, and
    /// one that cannot be read is none (ST-5).
    pub fn get(&self, span_rows: u32) -> Option<Arc<TextReader>> {
        if let Ok(known) = self.so_far() {
            return known;
        }
        // Opening may wait for the disk: whoever only asks what is known does not wait for that.
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.so_far().unwrap_or_else(|folder| {
            self.set(TextReader::open(&folder, span_rows).ok());
            self.so_far().ok().flatten()
        })
    }

    /// The index, if there is one; the folder that it is in while it is not open.
    fn so_far(&self) -> std::result::Result<Option<Arc<TextReader>>, Folder> {
        match &*self.text.read().unwrap_or_else(PoisonError::into_inner) {
            SegmentText::Absent => Ok(None),
            // It is built anew by whoever builds those that are missing.
            SegmentText::Open(text) if text.is_damaged() => Ok(None),
            SegmentText::Open(text) => Ok(Some(text.clone())),
            SegmentText::Closed(folder) => Err(folder.clone()),
        }
    }

    /// Whether there is an index, as far as that is known without opening it.
    pub fn is_there(&self) -> bool {
        match &*self.text.read().unwrap_or_else(PoisonError::into_inner) {
            SegmentText::Absent => false,
            SegmentText::Closed(_) => true,
            SegmentText::Open(text) => !text.is_damaged(),
        }
    }

    /// Installs an index built later.
    pub fn set(&self, text: impl Into<SegmentText>) {
        *self.text.write().unwrap_or_else(PoisonError::into_inner) = text.into();
    }
}

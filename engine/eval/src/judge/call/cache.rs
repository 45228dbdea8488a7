//! Answers that were given before. Kept by content, so a run that is made again asks only what is new.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::limits::locked;
use crate::Turn;

/// An answer as a model wrote it. Only answers that could be read are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedAnswer {
    /// The text.
    pub text: String,
    /// The model that wrote it, by the server's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens of the question, when the server told them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, when the server told them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
}

/// Keeps answers by key, from many threads. A key is the SHA-256, in hexadecimal, of the judge's version, the model
/// and the messages. A cache that cannot be read answers `None`; one that cannot be written forgets.
pub trait JudgeCache: Send + Sync {
    /// The answer kept for the key.
    fn get(&self, key: &str) -> Option<CachedAnswer>;

    /// Keeps an answer, in place of one that may be there.
    fn put(&self, key: &str, answer: CachedAnswer);
}

/// A cache for the life of the process. It grows with every new answer.
#[derive(Default)]
pub struct MemoryCache(Mutex<BTreeMap<String, CachedAnswer>>);

impl MemoryCache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many answers it keeps.
    pub fn len(&self) -> usize {
        locked(&self.0).len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryCache({} answers)", self.len())
    }
}

impl JudgeCache for MemoryCache {
    fn get(&self, key: &str) -> Option<CachedAnswer> {
        locked(&self.0).get(key).cloned()
    }

    fn put(&self, key: &str, answer: CachedAnswer) {
        locked(&self.0).insert(key.to_owned(), answer);
    }
}

/// The key of a question.
pub(crate) fn key(judge_version: &str, model: &str, messages: &[Turn]) -> String {
    let mut parts = vec![judge_version, model];
    for message in messages {
        parts.push(&message.role);
        parts.push(&message.text);
    }
    hash(&parts)
}

/// SHA-256 of texts in hexadecimal. Each with its length before it, so that no two lists read the same.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part.as_bytes());
    }
    let digest = sha.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What judges answered in earlier runs: the same question is not asked twice. Answers are kept with the scores that
//! they led to, and go with them.

use std::collections::HashMap;
use std::sync::Arc;

use tracehouse_eval::judge::{CachedAnswer, JudgeCache, MemoryCache};
use tracehouse_storage::columns::text;

use super::info::ScorerInfo;
use super::part::part_schema;
use crate::database::Database;
use crate::error::Result;

/// The answers of all runs, and those of this process.
struct KeptAnswers {
    kept: HashMap<String, CachedAnswer>,
    fresh: MemoryCache,
}

impl JudgeCache for KeptAnswers {
    fn get(&self, key: &str) -> Option<CachedAnswer> {
        self.kept.get(key).cloned().or_else(|| self.fresh.get(key))
    }

    fn put(&self, key: &str, answer: CachedAnswer) {
        self.fresh.put(key, answer);
    }
}

impl Database {
    /// What judges answered in the runs that are stored, for judges to look into before they ask.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the files of runs.
    pub fn judge_cache(&self) -> Result<Arc<dyn JudgeCache>> {
        let mut kept = HashMap::new();
        for run in self
            .eval_runs()?
            .iter()
            .filter(|run| run.scorers.iter().any(ScorerInfo::is_judge))
        {
            for (_, file) in self.parts(&run.run_id)? {
                for batch in self.store().read_catalog_file(&file, &part_schema())? {
                    let pairs = text(&batch, "question_key")?.iter();
                    for (key, answer) in pairs.zip(text(&batch, "answer")?) {
                        // One that a later version wrote otherwise is asked again.
                        let read = answer.and_then(|json| serde_json::from_str(json).ok());
                        kept.extend(key.map(str::to_string).zip(read));
                    }
                }
            }
        }
        Ok(Arc::new(KeptAnswers {
            kept,
            fresh: MemoryCache::new(),
        }))
    }
}

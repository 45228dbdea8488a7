//! `compact`: seals what is in the log and merges small segments.

use std::io::Write;

use super::write_json;
use crate::args::DbArgs;
use crate::context::Context;
use crate::failure::Result;

/// Merges, and says how many segments there were and are.
pub fn run(context: &Context, args: &DbArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let compacted = db.compact()?;
    db.index_text()?;
    let segments = db.stats()?.segments;
    db.close()?;
    if context.json {
        let mut json = serde_json::to_value(compacted)?;
        if let Some(figures) = json.as_object_mut() {
            figures.insert("segments".into(), segments.into());
        }
        return write_json(out, &json);
    }
    let (before, after) = (compacted.segments_before, compacted.segments_after);
    if before < 2 {
        return context.say(
            out,
            format_args!("nothing to merge, segments in all: {segments}"),
        );
    }
    context.say(
        out,
        format_args!("merged {before} segments into {after}, segments in all: {segments}"),
    )
}

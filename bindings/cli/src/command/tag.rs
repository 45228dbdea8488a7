//! `tag` and `untag`: the mutable labels of a trace.

use std::io::Write;

use serde_json::json;
use tracehouse::Database;

use super::write_json;
use crate::args::{TagArgs, UntagArgs};
use crate::context::Context;
use crate::failure::{Failure, Result};

/// Sets tags, all in one commit.
pub fn set(context: &Context, args: &TagArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let tags = args
        .tags
        .iter()
        .map(|tag| parse(tag))
        .collect::<Result<Vec<_>>>()?;
    let db = context.open_to_change(&args.db)?;
    db.set_tags(&args.trace_id, tags.iter().copied())?;
    shown(context, &db, &args.trace_id, out)
}

/// Removes tags, all in one commit; nothing is removed when one of them is not there.
pub fn remove(context: &Context, args: &UntagArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    db.delete_tags(&args.trace_id, args.keys.iter().map(String::as_str))?;
    shown(context, &db, &args.trace_id, out)
}

/// Key and value of `KEY=VALUE`.
pub fn parse(tag: &str) -> Result<(&str, &str)> {
    match tag.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(Failure::bad_input(format!("tag {tag:?} is not KEY=VALUE"))),
    }
}

fn shown(context: &Context, db: &Database, trace_id: &str, out: &mut dyn Write) -> Result<()> {
    if context.json {
        let info = db.get_trace_info(trace_id)?;
        return write_json(
            out,
            &json!({ "trace_id": info.trace_id, "tags": info.tags }),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_split_at_its_first_equals_sign() {
        assert_eq!(parse("a=b=c").unwrap(), ("a", "b=c"));
        assert_eq!(parse("a=").unwrap(), ("a", ""));
        assert_eq!(parse("a").unwrap_err().code, 2);
        assert_eq!(parse("=a").unwrap_err().code, 2);
    }
}

//! `sql`: one statement, its result in any form.

use std::io::{Read, Write};

use crate::args::{SqlArgs, SqlFormat};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::{Style, format, to_file};

/// Runs the statement. A file is only made once there is a result.
pub fn run(context: &Context, args: &SqlArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let statement = match args.statement.as_str() {
        "-" => read_stdin()?,
        statement => statement.to_string(),
    };
    let form = form_of(context, args)?;
    let db = context.open_to_read(&args.db)?;
    let (schema, batches) = db.query(statement.as_str().into(), None)?;
    match &args.output {
        None => format::write(out, form, args.raw, &schema, &batches, context.style),
        Some(path) => {
            to_file(path, |file| format::write(file, form, args.raw, &schema, &batches, Style::PLAIN))
        }
    }
}

/// The form that is asked for, else that of the file's ending.
fn form_of(context: &Context, args: &SqlArgs) -> Result<SqlFormat> {
    let default = if context.json { SqlFormat::Json } else { SqlFormat::Table };
    let ending = args.output.as_deref().and_then(|path| path.extension());
    match (args.format, ending) {
        (Some(form), _) => Ok(form),
        (None, None) => Ok(default),
        (None, Some(ending)) => SqlFormat::of_ending(&ending.to_string_lossy()).ok_or_else(|| {
            Failure::bad_input(format!(
                "--output: the ending .{} names no format: .csv, .json, .jsonl, .parquet, .arrow or .txt expected, or \
                 --format",
                ending.to_string_lossy()
            ))
        }),
    }
}

fn read_stdin() -> Result<String> {
    let mut statement = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut statement);
    read.map_err(|error| Failure::bad_input(format!("standard input: {error}")))?;
    Ok(statement)
}

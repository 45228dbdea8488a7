//! `sql`: one statement, its result in any form.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use tracehouse::{Database, SqlQuery, SqlTable, SqlValue, read_table};

use super::notices::say_of_sql;
use super::shell::statement;
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
    let parameters = args
        .parameters
        .iter()
        .map(|written| parameter(written))
        .collect::<Result<_>>()?;
    let tables = args
        .files
        .iter()
        .map(|written| table(written))
        .collect::<Result<Vec<_>>>()?;
    let (db, statement) = with_views(context.open_to_read(&args.db)?, statement, &tables)?;
    let (schema, batches) = db.query(
        SqlQuery {
            statement: statement.clone(),
            parameters,
            tables,
        },
        None,
    )?;
    match &args.output {
        None => format::write(out, form, args.raw, &schema, &batches, context.style),
        Some(path) => to_file(path, |file| {
            format::write(file, form, args.raw, &schema, &batches, Style::PLAIN)
        }),
    }?;
    say_of_sql(context, &db, &statement);
    Ok(())
}

/// Makes the views that come before the query, and gives the query and a handle that has them.
fn with_views(
    db: Database,
    text: String,
    tables: &[(String, SqlTable)],
) -> Result<(Database, String)> {
    let mut statements = statement::split(&text);
    let is_of_view = |statement: &String| {
        let first = statement.split_whitespace().next().unwrap_or_default();
        ["create", "drop"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word))
    };
    match statements.pop() {
        Some(query) if !statements.is_empty() && statements.iter().all(is_of_view) => {
            let db = db.with_views();
            for statement in statements {
                db.query(
                    SqlQuery {
                        statement,
                        tables: tables.to_vec(),
                        ..SqlQuery::default()
                    },
                    None,
                )?;
            }
            Ok((db, query))
        }
        _ => Ok((db, text)),
    }
}

/// The form that is asked for, else that of the file's ending.
fn form_of(context: &Context, args: &SqlArgs) -> Result<SqlFormat> {
    let default = if context.json {
        SqlFormat::Json
    } else {
        SqlFormat::Table
    };
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

/// A parameter with the type that its value looks like.
fn parameter(written: &str) -> Result<(String, SqlValue)> {
    let (name, value) = pair("--param", written, "NAME=VALUE")?;
    if let Some(name) = name.strip_suffix(":text") {
        return Ok((name.to_string(), SqlValue::Text(value.to_string())));
    }
    let number = |value: &str| {
        value
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
    };
    let looks_like_a_number = value.ends_with(|last: char| last.is_ascii_digit());
    let typed = match value.to_ascii_lowercase().as_str() {
        "null" => SqlValue::Null,
        "true" => SqlValue::Boolean(true),
        "false" => SqlValue::Boolean(false),
        text => match (text.parse(), number(text).filter(|_| looks_like_a_number)) {
            (Ok(whole), _) => SqlValue::Int(whole),
            (_, Some(number)) => SqlValue::Float(number),
            _ => SqlValue::Text(value.to_string()),
        },
    };
    Ok((name.to_string(), typed))
}

/// A file as a table of this statement.
fn table(written: &str) -> Result<(String, SqlTable)> {
    let (name, path) = pair("--file", written, "NAME=PATH")?;
    // The file is the user's, not the database's.
    #[allow(clippy::disallowed_methods)]
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let table = read_table(Path::new(path), file).map_err(Failure::from);
    let named = |failure: Failure| Failure {
        message: format!("{path}: {}", failure.message),
        ..failure
    };
    Ok((name.to_string(), table.map_err(named)?))
}

fn pair<'a>(option: &str, written: &'a str, form: &str) -> Result<(&'a str, &'a str)> {
    match written.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Failure::bad_input(format!(
            "{option} {written:?}: {form} expected"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_the_type_that_it_looks_like() {
        let typed = |value: &str| parameter(&format!("p={value}")).unwrap().1;
        assert_eq!(typed("5"), SqlValue::Int(5));
        assert_eq!(typed("-1.5e3"), SqlValue::Float(-1500.0));
        assert_eq!(typed("TRUE"), SqlValue::Boolean(true));
        assert_eq!(typed("null"), SqlValue::Null);
        for text in ["gpt-4o", "", "inf", "nan", "5s", "a=b", "0x10"] {
            assert_eq!(typed(text), SqlValue::Text(text.to_string()), "{text}");
        }
        assert_eq!(
            parameter("p:text=5").unwrap(),
            ("p".to_string(), SqlValue::Text("5".to_string()))
        );
        assert_eq!(parameter("5").unwrap_err().code, 2);
        assert_eq!(table("labels").unwrap_err().code, 2);
    }
}

//! `shell`: statements and dot commands, typed or piped.
//!
//! SQL runs when its `;` is seen; a dot command is one line. An error ends the statement, not the
//! shell. With piped input there is no prompt, and the exit code is that of the first failure.

mod complete;
mod history;
mod statement;

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use tracehouse::{Database, Search};

use crate::args::{DbArgs, SqlFormat};
use crate::command::{search, text};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::format;
use complete::Completion;
use statement::Statements;

const PROMPT: &str = "tracehouse> ";
const CONTINUED: &str = "        ...> ";
/// Traces and spans that `.search` and `.text` show.
const SEARCH_LIMIT: usize = 20;
const TEXT_LIMIT: usize = 10;

const HELP: &str = "\
SELECT ...;          run SQL, ended by a semicolon
.search FILTER       find traces, as `tracehouse search` does
.text QUERY          find spans by their words
.tables              list tables and views
.schema [TABLE]      list columns
.mode FORMAT         table, json, jsonl or csv
.timer on|off        show how long each answer took
.help                this text
.quit                leave";

/// Reads until the end of input or `.quit`.
pub fn run(context: &Context, args: &DbArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let mode = if context.json { SqlFormat::Json } else { SqlFormat::Table };
    let mut shell =
        Shell { context, db, mode, timer: false, statements: Statements::default(), failure: None };
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        shell.interactive(&args.db, out)
    } else {
        shell.piped(out)
    }
}

/// Whether to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Quit,
}

struct Shell<'a> {
    context: &'a Context,
    db: Database,
    mode: SqlFormat,
    timer: bool,
    statements: Statements,
    failure: Option<Failure>,
}

impl Shell<'_> {
    fn interactive(&mut self, path: &Path, out: &mut (dyn Write + Send)) -> Result<()> {
        let config = Config::builder().completion_type(CompletionType::List).build();
        let unusable =
            |error: ReadlineError| Failure::failed(format!("the terminal cannot be used: {error}"));
        let mut editor = Editor::with_history(config, MemHistory::new()).map_err(unusable)?;
        editor.set_helper(Some(Completion));
        editor.set_max_history_size(history::LINES_MAX).map_err(unusable)?;
        let mut lines = history::load();
        for line in &lines {
            // A line that the editor does not want is only missing from its history.
            let _ = editor.add_history_entry(line.as_str());
        }
        self.context.say(out, format_args!("{} (.help for help, .quit to leave)", path.display()))?;
        loop {
            out.flush()?;
            let prompt = if self.statements.is_empty() { PROMPT } else { CONTINUED };
            match editor.readline(prompt) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        let _ = editor.add_history_entry(line.as_str());
                        lines.push(line.clone());
                    }
                    if self.line(&line, out)? == Next::Quit {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => self.statements = Statements::default(),
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(unusable(error)),
            }
        }
        history::save(&lines);
        Ok(())
    }

    fn piped(&mut self, out: &mut (dyn Write + Send)) -> Result<()> {
        let mut ended = false;
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|error| Failure::bad_input(format!("standard input: {error}")))?;
            if self.line(&line, out)? == Next::Quit {
                ended = true;
                break;
            }
        }
        // The last statement needs no semicolon.
        if let Some(rest) = self.statements.rest().filter(|_| !ended) {
            self.answer(out, |shell, out| shell.sql(&rest, out))?;
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    fn line(&mut self, line: &str, out: &mut (dyn Write + Send)) -> Result<Next> {
        if self.statements.is_empty() && line.trim_start().starts_with('.') {
            let line = line.trim();
            if matches!(line, ".quit" | ".exit") {
                return Ok(Next::Quit);
            }
            self.answer(out, |shell, out| shell.dot_command(line, out))?;
            return Ok(Next::Read);
        }
        for statement in self.statements.push_line(line) {
            self.answer(out, |shell, out| shell.sql(&statement, out))?;
        }
        Ok(Next::Read)
    }

    /// Runs one thing; its failure is shown, and only a failure to write ends the shell.
    fn answer(
        &mut self,
        out: &mut (dyn Write + Send),
        run: impl FnOnce(&mut Self, &mut (dyn Write + Send)) -> Result<()>,
    ) -> Result<()> {
        let started = Instant::now();
        let result = run(self, out);
        if self.timer {
            writeln!(out, "{:.3} s", started.elapsed().as_secs_f64())?;
        }
        // Answers come before what follows them on standard error, and errors of writing end here.
        out.flush()?;
        if let Err(failure) = result {
            failure.report();
            self.failure.get_or_insert(failure.reported());
        }
        Ok(())
    }

    fn sql(&mut self, statement: &str, out: &mut (dyn Write + Send)) -> Result<()> {
        let (schema, batches) = self.db.query(statement.into(), None::<Duration>)?;
        format::write(out, self.mode, false, &schema, &batches, self.context.style)
    }

    fn dot_command(&mut self, line: &str, out: &mut (dyn Write + Send)) -> Result<()> {
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        match name {
            ".help" => Ok(writeln!(out, "{HELP}")?),
            ".tables" => self.sql(complete::TABLES_SQL, out),
            ".schema" => self.sql(&complete::schema_sql(argument), out),
            ".mode" => self.set_mode(argument),
            ".timer" => self.set_timer(argument),
            ".search" => {
                let search = Search::new(argument).limit(SEARCH_LIMIT);
                search::show_table(self.context, &self.db, &search, out)
            }
            ".text" => text::show(self.context, &text::search(&self.db, argument, None, TEXT_LIMIT)?, out),
            _ => Err(Failure::bad_input(format!("no command {name:?}: .help lists them"))),
        }
    }

    fn set_mode(&mut self, argument: &str) -> Result<()> {
        self.mode = match argument {
            "table" => SqlFormat::Table,
            "json" => SqlFormat::Json,
            "jsonl" => SqlFormat::JsonLines,
            "csv" => SqlFormat::Csv,
            _ => {
                return Err(Failure::bad_input(format!(
                    ".mode {argument:?}: table, json, jsonl or csv expected"
                )));
            }
        };
        Ok(())
    }

    fn set_timer(&mut self, argument: &str) -> Result<()> {
        self.timer = match argument {
            "on" => true,
            "off" => false,
            _ => return Err(Failure::bad_input(format!(".timer {argument:?}: on or off expected"))),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::GlobalArgs;

    #[test]
    fn statements_and_dot_commands_in_turn() {
        let context = Context::of(&GlobalArgs::default());
        let db = Database::in_memory().unwrap();
        let mode = SqlFormat::Table;
        let mut shell = Shell {
            context: &context,
            db,
            mode,
            timer: false,
            statements: Statements::default(),
            failure: None,
        };
        let mut out = Vec::new();
        for line in [".mode csv", "SELECT 1 AS a,", "  '.mode;' AS b; SELECT 2", " AS c;", ".search", ".bad"]
        {
            assert_eq!(shell.line(line, &mut out).unwrap(), Next::Read);
        }
        assert_eq!(shell.line(".quit", &mut out).unwrap(), Next::Quit);
        assert_eq!(String::from_utf8(out).unwrap(), "a,b\n1,.mode;\nc\n2\nno traces\n");
        assert_eq!(shell.failure.unwrap().code, 2);
    }
}

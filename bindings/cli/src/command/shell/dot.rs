//! The shell's dot commands.

// The files of `.read` are the user's, not the database's.
#![allow(clippy::disallowed_methods)]

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::rc::Rc;

use tracehouse::Search;

use super::result_file::ResultFile;
use super::view::Mode;
use super::{Next, Shell, complete};
use crate::args::ShowFormat;
use crate::command::{search, show, stats, text};
use crate::failure::{Failure, Result};

/// Traces and spans that `.search` and `.text` show.
const SEARCH_LIMIT: usize = 20;
const TEXT_LIMIT: usize = 10;
/// Files that read each other.
const READING_MAX: usize = 8;

const HELP: &str = "\
SELECT ...;          run SQL, ended by a semicolon; Ctrl-C ends it
.search FILTER       find traces, as `tracehouse search` does
.text QUERY          find spans by their words
.show TRACE_ID       show a trace as a tree; the beginning of its id is enough
.stats               counts, sizes and indexes
.tables              list tables and views
.schema [TABLE]      list columns
.mode FORMAT         table, line, csv, json, jsonl or markdown
.width N...          cut the first columns to so many characters; 0 for their own width
.output [FILE]       write results to a file from now on; without FILE show them again
.read FILE           run the statements and dot commands of a file
.timer on|off        show how long each answer took
.help                this text
.quit                leave; also exit, quit and Ctrl-D";

impl Shell {
    /// Runs a dot command that is one answer.
    pub(super) fn dot_command(&mut self, line: &str, out: &mut (dyn Write + Send)) -> Result<()> {
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let context = &self.context.with_style(self.style());
        let db = self.db.with_cancel(context.cancel.clone());
        match name {
            ".help" | "help" => Ok(writeln!(out, "{HELP}")?),
            ".tables" => self.sql(complete::TABLES_SQL, out),
            ".schema" => self.sql(&complete::schema_sql(argument), out),
            ".mode" => Mode::of_name(argument).map(|mode| self.view.mode = mode),
            ".width" => self.view.set_widths(argument),
            ".timer" => self.set_timer(argument),
            ".output" => self.set_output(argument),
            ".read" => Err(Failure::bad_input(".read: the name of a file expected")),
            ".stats" => stats::show(context, &db, out),
            ".show" if argument.is_empty() => {
                Err(Failure::bad_input(".show: the id of a trace expected"))
            }
            ".show" => show::show_trace(context, &db, argument, (ShowFormat::Tree, false), out),
            ".search" => search::show_table(
                context,
                &db,
                &Search::new(argument).limit(SEARCH_LIMIT),
                out,
            ),
            ".text" => text::show(
                context,
                &text::search(&db, argument, None, TEXT_LIMIT)?,
                out,
            ),
            _ => Err(Failure::bad_input(format!(
                "no command {name:?}: .help lists them"
            ))),
        }
    }

    /// Runs the lines of a file as if they were typed.
    pub(super) fn read(&mut self, path: &str, out: &mut (dyn Write + Send)) -> Result<Next> {
        let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error));
        let text = match text {
            Ok(_) if self.reading >= READING_MAX => Err(Failure::bad_input(format!(
                "{path}: files read each other more than {READING_MAX} deep"
            ))),
            text => text,
        };
        let text = match text {
            Ok(text) => text,
            Err(failure) => {
                self.answer(out, |_, _| Err(failure))?;
                return Ok(Next::Read);
            }
        };
        self.reading += 1;
        let mut next = Next::Read;
        for line in text.lines() {
            next = self.line(line, out)?;
            // What Ctrl-C ends is the whole of `.read`.
            if next == Next::Quit || self.context.cancel.is_cancelled() {
                break;
            }
        }
        self.reading -= 1;
        if !self.context.cancel.is_cancelled() {
            self.finish(out)?;
        }
        Ok(next)
    }

    fn set_output(&mut self, argument: &str) -> Result<()> {
        self.output = None;
        if !argument.is_empty() {
            self.output = Some(Rc::new(RefCell::new(ResultFile::create(argument)?)));
        }
        Ok(())
    }

    fn set_timer(&mut self, argument: &str) -> Result<()> {
        self.timer = match argument {
            "on" => true,
            "off" => false,
            _ => {
                return Err(Failure::bad_input(format!(
                    ".timer {argument:?}: on or off expected"
                )));
            }
        };
        Ok(())
    }
}

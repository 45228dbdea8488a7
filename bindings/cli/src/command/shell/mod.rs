//! `shell`: statements and dot commands, typed or piped.
//!
//! SQL runs when its `;` is seen; a dot command is one line. An error or Ctrl-C ends the statement, not the
//! shell. With piped input or `-c` there is no prompt, and the exit code is that of the first failure.

mod complete;
mod dot;
mod history;
mod result_file;
pub(super) mod statement;
mod view;

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor};
use tracehouse::Database;

use super::notices::say_of_sql;
use crate::args::{ShellArgs, SqlFormat};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::interrupt::{self, Doing, UntilCancelled};
use crate::output::Style;
use complete::{Completion, SharedNames};
use history::History;
use result_file::ResultFile;
use statement::Statements;
use view::{Mode, View};

const PROMPT: &str = "tracehouse> ";
const CONTINUED: &str = "        ...> ";
/// Reads until the end of input, `exit` or `quit`, or runs what `-c` gives.
pub fn run(context: &Context, args: &ShellArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let mut shell = Shell::new(context.clone(), context.open_to_read(&args.db)?);
    if !args.commands.is_empty() {
        shell.commands(&args.commands, out)
    } else if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
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

struct Shell {
    context: Context,
    db: Database,
    view: View,
    timer: bool,
    /// Where results go instead of standard output.
    output: Option<Rc<RefCell<ResultFile>>>,
    /// Files within files that `.read` is in.
    reading: usize,
    is_interactive: bool,
    /// What the line editor completes; forgotten when a view is made or taken away.
    names: SharedNames,
    statements: Statements,
    failure: Option<Failure>,
}

impl Shell {
    fn new(context: Context, db: Database) -> Self {
        let mode = if context.json {
            Mode::Machine(SqlFormat::Json)
        } else {
            Mode::Table
        };
        Self {
            context,
            db: db.with_views(),
            view: View {
                mode,
                widths: Vec::new(),
            },
            timer: false,
            output: None,
            reading: 0,
            is_interactive: false,
            names: SharedNames::default(),
            statements: Statements::default(),
            failure: None,
        }
    }

    fn interactive(&mut self, path: &Path, out: &mut (dyn Write + Send)) -> Result<()> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .build();
        let unusable =
            |error: ReadlineError| Failure::failed(format!("the terminal cannot be used: {error}"));
        let mut editor = Editor::with_history(config, MemHistory::new()).map_err(unusable)?;
        let earlier = Rc::new(RefCell::new(String::new()));
        editor.set_helper(Some(Completion::new(
            self.db.clone(),
            self.names.clone(),
            earlier.clone(),
        )));
        editor
            .set_max_history_size(history::ENTRIES_MAX)
            .map_err(unusable)?;
        let history = History::of_user();
        for entry in history.load() {
            // One that the editor does not want is only missing from its history.
            let _ = editor.add_history_entry(entry);
        }
        self.is_interactive = true;
        interrupt::begin(Doing::Statement);
        self.context.say(
            out,
            format_args!("{} (.help for help, .quit to leave)", path.display()),
        )?;
        loop {
            out.flush()?;
            let prompt = if self.statements.is_empty() {
                PROMPT
            } else {
                CONTINUED
            };
            match editor.readline(prompt) {
                Ok(line) => {
                    let mut typed = earlier.borrow_mut();
                    typed.push_str(&line);
                    if (self.statements.would_end(&line) || self.is_command(&line))
                        && !typed.trim().is_empty()
                    {
                        // Before it runs: whatever becomes of that, it was typed.
                        history.add(&typed);
                        let _ = editor.add_history_entry(typed.as_str());
                        typed.clear();
                    } else if !typed.is_empty() {
                        typed.push('\n');
                    }
                    drop(typed);
                    if self.line(&line, out)? == Next::Quit {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => {
                    self.statements = Statements::default();
                    earlier.borrow_mut().clear();
                }
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(unusable(error)),
            }
        }
        Ok(())
    }

    fn piped(&mut self, out: &mut (dyn Write + Send)) -> Result<()> {
        let mut next = Next::Read;
        for line in std::io::stdin().lock().lines() {
            let line =
                line.map_err(|error| Failure::bad_input(format!("standard input: {error}")))?;
            next = self.line(&line, out)?;
            if next == Next::Quit || interrupt::code().is_some() {
                break;
            }
        }
        if next == Next::Read {
            self.finish(out)?;
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    fn commands(&mut self, commands: &[String], out: &mut (dyn Write + Send)) -> Result<()> {
        for command in commands {
            let mut next = Next::Read;
            for line in command.lines() {
                next = self.line(line, out)?;
                if next == Next::Quit {
                    break;
                }
            }
            self.finish(out)?;
            if next == Next::Quit || self.failure.is_some() {
                break;
            }
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Runs what was begun: the last statement needs no semicolon.
    fn finish(&mut self, out: &mut (dyn Write + Send)) -> Result<()> {
        match self.statements.rest() {
            Some(rest) => self.answer(out, |shell, out| shell.sql(&rest, out)),
            None => Ok(()),
        }
    }

    /// Whether a line is no SQL, but for the shell.
    fn is_command(&self, line: &str) -> bool {
        let word = line.trim().trim_end_matches(';').trim_end();
        self.statements.is_empty()
            && (word.starts_with('.') || matches!(word, "quit" | "exit" | "help"))
    }

    fn line(&mut self, line: &str, out: &mut (dyn Write + Send)) -> Result<Next> {
        if self.is_command(line) {
            let command = line.trim().trim_end_matches(';').trim_end();
            if matches!(command, ".quit" | ".exit" | "quit" | "exit") {
                return Ok(Next::Quit);
            }
            if let Some(path) = command
                .strip_prefix(".read")
                .filter(|rest| rest.starts_with(' '))
            {
                return self.read(path.trim(), out);
            }
            self.answer(out, |shell, out| shell.dot_command(command, out))?;
            return Ok(Next::Read);
        }
        for statement in self.statements.push_line(line) {
            if interrupt::code().is_some() {
                break;
            }
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
        let token = interrupt::begin(if self.is_interactive {
            Doing::Statement
        } else {
            Doing::Question
        });
        self.context.cancel = token;
        let result = match self.output.clone() {
            Some(file) => file.borrow_mut().add(|file| run(self, file)),
            None => run(self, &mut UntilCancelled::new(&mut *out)),
        };
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
        let db = self.db.with_cancel(self.context.cancel.clone());
        let (schema, batches) = db.query(statement.into(), None::<Duration>)?;
        if schema.fields().is_empty() {
            self.names.take();
        }
        self.view.write(out, &schema, &batches, self.style())?;
        say_of_sql(&self.context, &db, statement);
        Ok(())
    }

    /// How results look where they go.
    fn style(&self) -> Style {
        if self.output.is_some() {
            Style::PLAIN
        } else {
            self.context.style
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::GlobalArgs;

    fn shown(lines: &[&str]) -> (String, Option<Failure>) {
        let mut shell = Shell::new(
            Context::of(&GlobalArgs::default()),
            Database::in_memory().unwrap(),
        );
        let mut out = Vec::new();
        for line in lines {
            shell.line(line, &mut out).unwrap();
        }
        (String::from_utf8(out).unwrap(), shell.failure)
    }

    #[test]
    fn a_terminal_shows_what_there_is_room_for_and_says_what_not() {
        let mut context = Context::of(&GlobalArgs::default());
        context.style = Style {
            width: Some(56),
            color: false,
        };
        let mut shell = Shell::new(context, Database::in_memory().unwrap());
        let mut out = Vec::new();
        let wide = "SELECT 1 AS a, repeat('b', 30) AS b, repeat('c', 30) AS c, repeat('d', 30) AS d, \
                    repeat('e', 30) AS e, 1 AS f FROM information_schema.columns x, information_schema.columns y LIMIT 1234;";
        shell.line(wide, &mut out).unwrap();
        let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 44, "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 56),
            "{text}"
        );
        assert_eq!(
            lines[42],
            "40 of 1,234 rows (add LIMIT, or .output FILE for all)"
        );
        assert_eq!(lines[43], "2 columns not shown (.mode line for all): e, f");
        shell.line(".mode line", &mut out).unwrap();
        shell.line("SELECT 1 AS a, 'x' AS bb;", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " a = 1\nbb = x\n");
    }

    #[test]
    fn modes_widths_and_words_that_leave() {
        let (text, failure) = shown(&[
            ".mode markdown;",
            "SELECT 'a|b' AS c;",
            ".mode table",
            ".width 3",
            "SELECT 'long' AS c;",
        ]);
        assert_eq!(
            (text.as_str(), failure),
            ("| c |\n| --- |\n| a\\|b |\nc\n───\nlo…\n", None)
        );
        for word in ["exit", "quit;", ".exit", ".quit ;", " exit ; "] {
            let mut shell = Shell::new(
                Context::of(&GlobalArgs::default()),
                Database::in_memory().unwrap(),
            );
            assert_eq!(
                shell.line(word, &mut Vec::new()).unwrap(),
                Next::Quit,
                "{word}"
            );
        }
        for wrong in [
            ".mode x",
            ".width x",
            ".timer",
            ".read",
            ".show",
            ".nope",
            ".output /nowhere/at/all",
        ] {
            assert_eq!(shown(&[wrong]).1.unwrap().code, 2, "{wrong}");
        }
        assert!(shown(&[".stats"]).0.contains("traces"));
    }

    #[test]
    fn files_are_read_and_written() {
        let folder = std::env::temp_dir().join(format!("tracehouse-shell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (script, results) = (folder.join("a.sql"), folder.join("out"));
        std::fs::write(&script, ".mode csv\nSELECT 1 AS a\n, 2 AS b;\n").unwrap();
        let read = format!(".read {}", script.display());
        let output = format!(".output {}", results.display());
        let (text, failure) = shown(&[&output, &read, ".output", "SELECT 3 AS c;"]);
        assert_eq!((text.as_str(), failure), ("c\n3\n", None));
        assert_eq!(std::fs::read_to_string(&results).unwrap(), "a,b\n1,2\n");
        std::fs::write(&script, &read).unwrap();
        let failure = shown(&[&read]).1.unwrap();
        assert_eq!(failure.code, 2, "a file that reads itself");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn statements_and_dot_commands_in_turn() {
        let context = Context::of(&GlobalArgs::default());
        let mut shell = Shell::new(context, Database::in_memory().unwrap());
        let mut out = Vec::new();
        for line in [
            ".mode csv",
            "SELECT 1 AS a,",
            "  '.mode;' AS b; SELECT 2",
            " AS c;",
            ".search",
            ".bad",
        ] {
            assert_eq!(shell.line(line, &mut out).unwrap(), Next::Read);
        }
        assert_eq!(shell.line(".quit", &mut out).unwrap(), Next::Quit);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a,b\n1,.mode;\nc\n2\nno traces\n"
        );
        assert_eq!(shell.failure.unwrap().code, 2);
    }
}

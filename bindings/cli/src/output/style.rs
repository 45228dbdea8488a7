//! How text looks where it is shown: width and emphasis on a terminal, neither in a pipe.

use std::io::IsTerminal;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; `None` when the output is no terminal and lines may be of any length.
    pub width: Option<usize>,
    /// Whether bold and colours are shown.
    pub color: bool,
}

impl Style {
    /// Plain text of any width.
    pub const PLAIN: Style = Style {
        width: None,
        color: false,
    };

    /// The style of the process's standard output.
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::PLAIN;
        }
        let width = console::Term::stdout()
            .size_checked()
            .map(|(_, columns)| usize::from(columns));
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: Some(width.unwrap_or(80).max(40)),
            color: !set("NO_COLOR") && !dumb,
        }
    }

    /// Whether the output is a terminal.
    pub fn is_terminal(self) -> bool {
        self.width.is_some()
    }

    /// `text` in bold, where that shows.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    /// `text` in grey.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// `text` as an error.
    pub fn red(self, text: &str) -> String {
        self.paint(text, "31")
    }

    /// `text` as a bar.
    pub fn blue(self, text: &str) -> String {
        self.paint(text, "34")
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

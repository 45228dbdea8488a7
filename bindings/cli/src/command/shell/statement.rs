//! Splits typed lines into SQL statements at the semicolons that end them.

/// What has been typed of a statement that has not ended.
#[derive(Debug, Default)]
pub struct Statements {
    text: String,
}

impl Statements {
    /// Whether nothing has begun.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Adds a line; gives the statements it ends, without their semicolons.
    pub fn push_line(&mut self, line: &str) -> Vec<String> {
        self.text.push_str(line);
        self.text.push('\n');
        let ends = ends(&self.text);
        let mut statements = Vec::new();
        let mut begin = 0;
        for end in ends {
            statements.extend(self.text.get(begin..end).and_then(statement));
            begin = end + 1;
        }
        self.text.drain(..begin);
        statements
    }

    /// Whether nothing would be left open after this line.
    pub fn would_end(&self, line: &str) -> bool {
        let text = format!("{}{line}\n", self.text);
        let rest = ends(&text).last().and_then(|end| text.get(end + 1..));
        rest.is_some_and(|rest| rest.trim().is_empty())
    }

    /// The statement that was begun, if it is one.
    pub fn rest(&mut self) -> Option<String> {
        statement(&std::mem::take(&mut self.text))
    }
}

/// The statements of a text.
pub fn split(text: &str) -> Vec<String> {
    let mut statements = Statements::default();
    let mut all = statements.push_line(text);
    all.extend(statements.rest());
    all
}

fn statement(text: &str) -> Option<String> {
    let text = text.trim();
    let only_comment = text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with("--"));
    (!only_comment).then(|| text.to_string())
}

/// Where semicolons are that stand in no string, name or comment.
fn ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match (character, next) {
            (';', _) => ends.push(at),
            // A doubled quote closes and opens again, which comes to the same.
            ('\'' | '"' | '`', _) => {
                characters.by_ref().find(|(_, other)| *other == character);
            }
            ('-', Some('-')) => {
                characters.by_ref().find(|(_, other)| *other == '\n');
            }
            ('/', Some('*')) => {
                characters.next();
                let mut previous = ' ';
                characters.by_ref().find(|(_, other)| {
                    let closes = previous == '*' && *other == '/';
                    previous = *other;
                    closes
                });
            }
            _ => {}
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(lines: &[&str]) -> (Vec<String>, Option<String>) {
        let mut statements = Statements::default();
        let ended = lines
            .iter()
            .flat_map(|line| statements.push_line(line))
            .collect();
        (ended, statements.rest())
    }

    #[test]
    fn statements_end_at_their_own_semicolons() {
        let (ended, rest) = split(&[
            "SELECT ';', \";\" -- ;",
            "/* ; */ , 'it''s;'; SELECT 2;",
            "SELECT 3",
        ]);
        assert_eq!(
            ended,
            ["SELECT ';', \";\" -- ;\n/* ; */ , 'it''s;'", "SELECT 2"]
        );
        assert_eq!(rest.as_deref(), Some("SELECT 3"));
    }

    #[test]
    fn a_line_says_whether_it_ends_all() {
        let mut statements = Statements::default();
        assert!(!statements.would_end("SELECT ';'"));
        statements.push_line("SELECT ';'");
        assert!(!statements.would_end("; SELECT"));
        assert!(statements.would_end("; "));
    }

    #[test]
    fn empty_statements_and_comments_are_none() {
        assert_eq!(split(&[";;", " ; ", "-- nothing"]), (vec![], None));
    }

    #[test]
    fn strings_run_over_lines() {
        assert_eq!(split(&["SELECT 'a;", "b';"]).0, ["SELECT 'a;\nb'"]);
    }
}

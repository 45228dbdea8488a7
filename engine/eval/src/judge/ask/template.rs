//! Text with variables. Read once when a judge is made, filled for every item in one pass: what is filled in is
//! never looked at for variables again.

use super::super::settings::SettingsError;
use super::variable::{NAMED, Variable};
use crate::{Item, Needs, ScoreError};

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// A prompt's text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

impl Template {
    /// Blocks of content with a text before them, for the built-in kinds.
    pub fn of_blocks(text: &str, blocks: &[Variable]) -> Self {
        let mut pieces = vec![Piece::Text(text.to_owned())];
        for block in blocks {
            pieces.push(Piece::Text("\n\n".to_owned()));
            pieces.push(Piece::Variable(*block));
        }
        Self(pieces)
    }

    /// Reads `text`, where `{{name}}` is a variable.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                let start: String = after.chars().take(20).collect();
                return Err(SettingsError::new(format!(
                    "the judge's template has {{{{ without }}}} before {start:?}"
                )));
            };
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Variable(variable(name)?));
            rest = behind;
        }
        if pieces.is_empty() {
            return Err(SettingsError::new(format!(
                "the judge's template has no variable, so the judge sees nothing; use one of {}",
                names()
            )));
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// What it takes of items.
    pub fn needs(&self) -> Needs {
        let all = self.0.iter().map(|piece| match piece {
            Piece::Text(_) => Needs::default(),
            Piece::Variable(variable) => variable.needs(),
        });
        all.fold(Needs::default(), Needs::and)
    }

    /// All of it, for a judge's version.
    pub fn fingerprint(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(variable) => format!("\0{variable:?}\0"),
        });
        pieces.collect()
    }

    /// Fills in the item's content.
    pub fn fill(&self, item: &Item) -> Result<String, ScoreError> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Variable(variable) => text.push_str(&variable.block(item)?),
            }
        }
        Ok(text)
    }
}

fn variable(name: &str) -> Result<Variable, SettingsError> {
    let found = NAMED.iter().find(|(known, _)| *known == name.trim());
    found.map(|(_, variable)| *variable).ok_or_else(|| {
        SettingsError::new(format!(
            "the judge's template has the variable {:?}; use one of {}",
            name.trim(),
            names()
        ))
    })
}

fn names() -> String {
    let names: Vec<String> = NAMED
        .iter()
        .map(|(name, _)| format!("{{{{{name}}}}}"))
        .collect();
    names.join(", ")
}

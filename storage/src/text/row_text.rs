//! What there is to read in one span row, each of its texts scanned once.
//!
//! Rules (the text language of the public surface):
//! 1. Searchable: name, status message, inputs, outputs, every string among the attributes (nested
//!    too), event names and the strings among event attributes.
//! 2. An attribute string equal to the inputs or the outputs is that text and is not taken twice.

use super::leaves::{SpanText, StringList, scanned_json};
use super::scanned::Scanned;

/// The texts of a row, as the columns have them.
#[derive(Debug, Default)]
pub(super) struct RowText<'a> {
    pub(super) inputs: Option<&'a str>,
    pub(super) outputs: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) status_message: Option<&'a str>,
    pub(super) span_type: Option<&'a str>,
    pub(super) attributes: Option<Scanned<'a>>,
    /// Names and attributes.
    pub(super) events: Vec<(&'a str, Scanned<'a>)>,
}

/// The field of words that a string belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StringField {
    Inputs,
    Outputs,
    Other,
}

/// One searchable string of a row, raw.
#[derive(Debug)]
pub(super) struct RowString<'a> {
    pub(super) field: StringField,
    pub(super) text: &'a str,
    /// Its pieces, if the whole of it is JSON.
    pub(super) json: Option<Scanned<'a>>,
}

impl RowText<'_> {
    /// Visits the searchable strings.
    pub(super) fn each_raw<'s>(&'s self, visit: &mut dyn FnMut(StringField, &'s str)) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        inputs
            .into_iter()
            .for_each(|text| visit(StringField::Inputs, text));
        outputs
            .into_iter()
            .for_each(|text| visit(StringField::Outputs, text));
        self.name
            .into_iter()
            .chain(self.status_message)
            .for_each(|text| visit(StringField::Other, text));
        if let Some(attributes) = &self.attributes {
            attributes.each_string(&mut |text| {
                if Some(text) != inputs && Some(text) != outputs {
                    visit(StringField::Other, text);
                }
            });
        }
        for (name, attributes) in &self.events {
            visit(StringField::Other, name);
            attributes.each_string(&mut |text| visit(StringField::Other, text));
        }
    }

    /// The searchable strings, scanned.
    pub(super) fn strings(&self) -> Vec<RowString<'_>> {
        let mut strings = Vec::new();
        self.each_raw(&mut |field, text| {
            let json = scanned_json(text);
            strings.push(RowString { field, text, json });
        });
        strings
    }

    /// Visits the names of the attributes and of the events' attributes.
    pub(super) fn each_attribute_name<'s>(&'s self, visit: &mut dyn FnMut(&'s str)) {
        for attributes in self
            .attributes
            .iter()
            .chain(self.events.iter().map(|(_, attributes)| attributes))
        {
            attributes.each_key(visit);
        }
    }
}

impl SpanText {
    /// Replaces the text by the leaf strings of a row.
    pub(super) fn fill(&mut self, strings: &[RowString<'_>]) {
        self.clear();
        for string in strings {
            let list = match string.field {
                StringField::Inputs => &mut self.inputs,
                StringField::Outputs => &mut self.outputs,
                StringField::Other => &mut self.other,
            };
            push_string(list, string);
        }
    }
}

fn push_string(list: &mut StringList, string: &RowString<'_>) {
    match &string.json {
        Some(json) => list.push_leaves_of(json),
        None => list.push_clean(string.text),
    }
}

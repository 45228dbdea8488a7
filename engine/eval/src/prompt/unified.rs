//! What changed between two contents, as the text that people read: the unified form of `diff -u`.
//!
//! Each text or message that changed has hunks `@@ -first,count +first,count @@ where`; fields of the response format
//! and of the model configuration follow, one line for each side.

use std::ops::Range;

use super::canonical::canonical_json;
use super::diff::{Change, DiffLine, FieldChange, Part, Place, PromptDiff, TemplateChange};

impl PromptDiff {
    /// The changes as unified text, with so many lines of context around each; empty when nothing changed.
    pub fn unified(&self, before_label: &str, after_label: &str, context_lines: usize) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut out = format!("--- {before_label}\n+++ {after_label}\n");
        for part in &self.parts {
            write_part(part, context_lines, &mut out);
        }
        write_fields("response_format", &self.response_format, &mut out);
        write_fields("model_config", &self.model_config, &mut out);
        out
    }
}

fn write_part(part: &Part, context_lines: usize, out: &mut String) {
    if part.change == TemplateChange::Equal {
        return;
    }
    let title = title(part);
    let hunks = hunks(&part.lines, context_lines);
    if hunks.is_empty() {
        // Only the role changed.
        out.push_str(&format!("@@ {title} @@\n"));
    }
    for hunk in hunks {
        let before = range_text(&part.lines, &hunk, Change::Added);
        let after = range_text(&part.lines, &hunk, Change::Removed);
        out.push_str(&format!("@@ -{before} +{after} @@ {title}\n"));
        for line in part.lines.get(hunk).unwrap_or_default() {
            out.push(match line.change {
                Change::Equal => ' ',
                Change::Removed => '-',
                Change::Added => '+',
            });
            out.push_str(&line.text);
            out.push('\n');
        }
    }
}

fn title(part: &Part) -> String {
    match (part.before, part.after) {
        (Some(Place::Message { role: before, .. }), Some(Place::Message { index, role }))
            if before != role =>
        {
            format!("message {index} ({before} -> {role})")
        }
        (_, Some(place)) | (Some(place), None) => match place {
            Place::Text => "text".to_owned(),
            Place::Message { index, role } => format!("message {index} ({role})"),
        },
        (None, None) => String::new(),
    }
}

/// Stretches of lines around changes; those that touch are one.
fn hunks(lines: &[DiffLine], context_lines: usize) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.change == Change::Equal {
            continue;
        }
        let start = index.saturating_sub(context_lines);
        let end = index
            .saturating_add(context_lines)
            .saturating_add(1)
            .min(lines.len());
        match hunks.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => hunks.push(start..end),
        }
    }
    hunks
}

/// `first,count` of one side; lines that are `absent` there do not count. An empty stretch has the line before it.
fn range_text(lines: &[DiffLine], hunk: &Range<usize>, absent: Change) -> String {
    let count = |range: Range<usize>| {
        let lines = lines.get(range).unwrap_or_default();
        lines.iter().filter(|line| line.change != absent).count()
    };
    let (earlier, count) = (count(0..hunk.start), count(hunk.clone()));
    let first = if count == 0 { earlier } else { earlier + 1 };
    format!("{first},{count}")
}

fn write_fields(title: &str, changes: &[FieldChange], out: &mut String) {
    if changes.is_empty() {
        return;
    }
    out.push_str(&format!("@@ {title} @@\n"));
    for change in changes {
        let sides = [('-', &change.before), ('+', &change.after)];
        for (sign, value) in sides {
            if let Some(value) = value {
                out.push_str(&format!(
                    "{sign}{}: {}\n",
                    change.path,
                    canonical_json(value)
                ));
            }
        }
    }
}

//! The text of `show`: what is known of the trace, its assessments, and its spans line by line.

use std::io::Write;

use tracehouse::messages::{Side, decode_unicode_escapes, decoded, readable, telling};
use tracehouse::model::{Assessment, Span};
use tracehouse::{Trace, TraceRow};

use super::tree::{self, Head, Line};
use super::waterfall::TimeLine;
use crate::failure::Result;
use crate::output::Style;
use crate::output::escape::{columns, fit, line, lines, preview};
use crate::output::units::{count, duration, rfc3339, usd};

/// Width where there is no terminal to measure.
const PIPE_WIDTH: usize = 120;
/// The name column is at most this wide: deep trees are cut.
const NAME_WIDTH_MAX: usize = 44;
const TYPE_WIDTH: usize = 11;
const DURATION_WIDTH: usize = 9;
/// Room right of the bar for tokens, cost and errors.
const FIGURES_WIDTH: usize = 24;
const BAR_WIDTH_MIN: usize = 8;
const BAR_WIDTH_MAX: usize = 40;

/// Writes the whole report.
pub fn write(trace: &Trace, full: bool, style: Style, out: &mut dyn Write) -> Result<()> {
    let width = style.width.unwrap_or(PIPE_WIDTH);
    write_header(trace, full, width, style, out)?;
    write_assessments(&trace.assessments, width, style, out)?;
    writeln!(out)?;
    let tree = tree::lines(&trace.spans);
    let layout = Layout::of(trace, &tree, width, style);
    let mut head = Some(Head::Root);
    for line in &tree {
        let Some(span) = trace.spans.get(line.span) else {
            continue;
        };
        if line.head.is_some() && line.head != head {
            head = line.head;
            writeln!(out, "{}", style.bold(heading(head)))?;
        }
        layout.write_span(line, span, full, out)?;
    }
    Ok(())
}

fn heading(head: Option<Head>) -> &'static str {
    match head {
        Some(Head::Orphan) => "spans whose parent has not arrived",
        Some(Head::Cycle) => "spans whose parents lead in a circle",
        Some(Head::Root) | None => "spans",
    }
}

fn write_header(
    trace: &Trace,
    full: bool,
    width: usize,
    style: Style,
    out: &mut dyn Write,
) -> Result<()> {
    let info = &trace.info;
    let state = if info.state == "ERROR" {
        style.red(&info.state)
    } else {
        line(&info.state)
    };
    let name = line(info.name.as_deref().unwrap_or("(no name)"));
    writeln!(out, "{}  {}", style.bold(&name), state)?;
    for (name, value) in facts(info, full, width) {
        writeln!(out, "{}  {}", style.dim(&format!("{name:>10}")), value)?;
    }
    Ok(())
}

/// What is known of a trace as a whole; with `full` the previews are left to the spans.
fn facts(info: &TraceRow, full: bool, width: usize) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("trace", line(&info.trace_id)),
        ("experiment", line(&info.experiment_id)),
    ];
    let time = rfc3339(info.request_time_ns).unwrap_or_default();
    facts.push((
        "time",
        format!(
            "{time}  {}",
            info.duration_ns.map_or("open".to_string(), duration)
        ),
    ));
    facts.push((
        "spans",
        format!(
            "{} ({} with errors)",
            count(info.span_count),
            count(info.error_span_count)
        ),
    ));
    let usage = &info.usage;
    if usage.total_tokens.is_some() || usage.input_tokens.is_some() {
        let figure = |value: Option<i64>| value.map_or("?".to_string(), count);
        let (total, input, output) = (usage.total_tokens, usage.input_tokens, usage.output_tokens);
        facts.push((
            "tokens",
            format!(
                "{} ({} in, {} out)",
                figure(total),
                figure(input),
                figure(output)
            ),
        ));
    }
    facts.extend(usage.cost_usd.map(|cost| ("cost", usd(cost))));
    for (name, value) in [
        ("service", &info.service_name),
        ("session", &info.session_id),
        ("user", &info.user_id),
    ] {
        facts.extend(value.as_deref().map(|value| (name, line(value))));
    }
    if !info.models.is_empty() {
        facts.push(("models", line(&info.models.join(", "))));
    }
    facts.extend(
        info.tags
            .iter()
            .map(|(key, value)| ("tag", format!("{} = {}", line(key), line(value)))),
    );
    if !full {
        for (name, value) in [
            ("request", &info.request_preview),
            ("response", &info.response_preview),
        ] {
            facts.extend(
                value
                    .as_deref()
                    .map(|value| (name, preview(value, width.saturating_sub(12)))),
            );
        }
    }
    facts
}

fn write_assessments(
    assessments: &[Assessment],
    width: usize,
    style: Style,
    out: &mut dyn Write,
) -> Result<()> {
    for assessment in assessments.iter().filter(|assessment| assessment.valid) {
        let mut text = format!("{} = {}", line(&assessment.name), line(&assessment.value));
        if let Some(rationale) = &assessment.rationale {
            text.push_str(&format!("  ({})", preview(rationale, width)));
        }
        let kind = style.dim(&format!("{:>10}", assessment.kind.as_str()));
        let by = match &assessment.source_id {
            Some(id) => format!("{}:{}", assessment.source_type, line(id)),
            None => assessment.source_type.clone(),
        };
        let room = width.saturating_sub(14 + columns(&by));
        writeln!(out, "{kind}  {}  {}", fit(&text, room), style.dim(&by))?;
    }
    Ok(())
}

/// The columns of the span lines.
struct Layout {
    time_line: TimeLine,
    name_width: usize,
    bar_width: usize,
    width: usize,
    style: Style,
}

impl Layout {
    fn of(trace: &Trace, tree: &[Line], width: usize, style: Style) -> Self {
        let start = trace
            .spans
            .iter()
            .map(|span| span.start_time_ns)
            .min()
            .unwrap_or(0);
        let ends = trace
            .spans
            .iter()
            .map(|span| span.end_time_ns.unwrap_or(span.start_time_ns));
        let end = ends.max().unwrap_or(start);
        let name = |line: &Line| {
            let name = trace
                .spans
                .get(line.span)
                .map_or(0, |span| columns(&preview(&span.name, NAME_WIDTH_MAX)));
            columns(&line.branches) + name
        };
        let name_width = tree
            .iter()
            .map(name)
            .max()
            .unwrap_or(0)
            .min(NAME_WIDTH_MAX.min(width / 3));
        let rest =
            width.saturating_sub(name_width + TYPE_WIDTH + DURATION_WIDTH + FIGURES_WIDTH + 6);
        let bar_width = rest.clamp(BAR_WIDTH_MIN, BAR_WIDTH_MAX);
        Self {
            time_line: TimeLine::new(start, end),
            name_width,
            bar_width,
            width,
            style,
        }
    }

    fn write_span(
        &self,
        line_of: &Line,
        span: &Span,
        full: bool,
        out: &mut dyn Write,
    ) -> Result<()> {
        let name = fit(
            &format!(
                "{}{}",
                line_of.branches,
                preview(&span.name, NAME_WIDTH_MAX)
            ),
            self.name_width,
        );
        let padding = " ".repeat(self.name_width.saturating_sub(columns(&name)));
        let failed = span.status == "ERROR";
        let bar = self
            .time_line
            .bar(span.start_time_ns, span.end_time_ns, self.bar_width);
        let bar = if failed {
            self.style.red(&bar)
        } else {
            self.style.blue(&bar)
        };
        let took = span.duration_ns().map_or("open".to_string(), duration);
        let kind = fit(&line(&span.span_type), TYPE_WIDTH);
        let figures = figures(span);
        let error = if failed {
            self.style.red("ERROR ")
        } else {
            String::new()
        };
        let text = format!(
            "{name}{padding}  {kind:TYPE_WIDTH$} |{bar}| {took:>DURATION_WIDTH$}  {error}{figures}"
        );
        writeln!(out, "{}", text.trim_end())?;
        if full {
            self.write_full(line_of, span, out)
        } else {
            self.write_preview(line_of, span, out)
        }
    }

    /// One line: what failed, else what went in and came out.
    fn write_preview(&self, line_of: &Line, span: &Span, out: &mut dyn Write) -> Result<()> {
        let below = fit(&line_of.below, self.name_width);
        let room = self.width.saturating_sub(columns(&below) + 1);
        if let Some(message) = &span.status_message {
            let text = preview(message, room.saturating_sub(2));
            writeln!(
                out,
                "{below}{} {}",
                self.style.red("!"),
                self.style.red(&text)
            )?;
        }
        let half = room.saturating_sub(4) / 2;
        let said = |payload: Option<&str>, side, room| {
            payload.map(|payload| {
                let text = telling(payload, &span.attributes, side);
                preview(&readable(&text, side), room)
            })
        };
        let input = said(span.inputs.as_deref(), Side::Input, half).unwrap_or_default();
        let left = room.saturating_sub(columns(&input) + 4);
        let side = Side::of_outputs(&span.span_type);
        let output = said(span.outputs.as_deref(), side, left).unwrap_or_default();
        let text = match (input.is_empty(), output.is_empty()) {
            (true, true) => return Ok(()),
            (false, true) => input,
            (true, false) => format!("=> {output}"),
            (false, false) => format!("{input} => {output}"),
        };
        writeln!(out, "{below}{}", self.style.dim(&text))?;
        Ok(())
    }

    fn write_full(&self, line_of: &Line, span: &Span, out: &mut dyn Write) -> Result<()> {
        let below = &line_of.below;
        writeln!(
            out,
            "{below}{}",
            self.style.dim(&format!("span {}", line(&span.span_id)))
        )?;
        let parts = [
            ("error", &span.status_message),
            ("inputs", &span.inputs),
            ("outputs", &span.outputs),
        ];
        for (name, text) in parts {
            let Some(text) = text else { continue };
            writeln!(out, "{below}{}", self.style.bold(&format!("{name}:")))?;
            for text in lines(&decoded(text)).lines() {
                writeln!(out, "{below}  {text}")?;
            }
        }
        for event in &span.events {
            let attributes = decode_unicode_escapes(&event.attributes);
            let text = format!("event {} {}", line(&event.name), line(&attributes));
            writeln!(out, "{below}{}", self.style.dim(&text))?;
        }
        Ok(())
    }
}

/// Tokens and cost of a span, as far as they are known.
fn figures(span: &Span) -> String {
    let mut parts = Vec::new();
    match (span.input_tokens, span.output_tokens, span.total_tokens) {
        (None, None, None) => {}
        (None, None, Some(total)) => parts.push(format!("{} tok", count(total))),
        (input, output, _) => {
            let figure = |value: Option<i64>| value.map_or("?".to_string(), count);
            parts.push(format!("{}+{} tok", figure(input), figure(output)));
        }
    }
    parts.extend(span.cost_usd.map(usd));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use tracehouse::model::TraceRow;

    use super::*;

    #[test]
    fn a_report_has_a_line_per_span_and_no_control_characters() {
        let root = Span {
            span_id: "r".into(),
            name: "answer\u{1b}".into(),
            span_type: "AGENT".into(),
            start_time_ns: 0,
            end_time_ns: Some(1_000_000_000),
            inputs: Some("line one\nline two".into()),
            ..Span::default()
        };
        let tool = Span {
            span_id: "t".into(),
            parent_span_id: Some("r".into()),
            name: "pay".into(),
            span_type: "TOOL".into(),
            status: "ERROR".into(),
            status_message: Some("card declined".into()),
            start_time_ns: 500_000_000,
            end_time_ns: Some(1_000_000_000),
            input_tokens: Some(1200),
            output_tokens: Some(3),
            ..Span::default()
        };
        let info = TraceRow {
            trace_id: "x".into(),
            state: "ERROR".into(),
            ..TraceRow::default()
        };
        let trace = Trace {
            info,
            spans: vec![root, tool],
            assessments: vec![],
        };
        let mut out = Vec::new();
        write(&trace, false, Style::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("└─ pay"), "{text}");
        assert!(text.contains("! card declined"), "{text}");
        assert!(text.contains("1,200+3 tok"), "{text}");
        assert!(text.contains("line one line two"), "{text}");
    }
}

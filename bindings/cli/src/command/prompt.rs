//! `prompt`: versioned templates, their aliases, and what traces say of them.

use std::io::{Read, Write};

use serde_json::{Value, json};
use tracehouse::eval::prompt::{NewVersion, PromptContent, PromptVersion, Template, diff};
use tracehouse::{Database, PromptStats};

use super::confirm::confirm;
use super::{tag, write_json};
use crate::args::{
    DbArgs, PromptAliasArgs, PromptCommand, PromptDeleteArgs, PromptDiffArgs, PromptNameArgs,
    PromptRegisterArgs, PromptUriArgs,
};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::{line, lines, preview};
use crate::output::table::TextTable;
use crate::output::units::time;

/// Columns of a text in a table.
const TEXT_WIDTH: usize = 60;
/// Lines shown around what changed.
const CONTEXT_LINES: usize = 3;

/// Runs one of the commands of prompts.
pub fn run(context: &Context, command: &PromptCommand, out: &mut (dyn Write + Send)) -> Result<()> {
    match command {
        PromptCommand::Register(args) => register(context, args, out),
        PromptCommand::Show(args) => show(context, args, out),
        PromptCommand::Alias(args) => alias(context, args, out),
        PromptCommand::List(args) => list(context, args, out),
        PromptCommand::Diff(args) => changes(context, args, out),
        PromptCommand::Stats(args) => stats(context, args, out),
        PromptCommand::Delete(args) => delete(context, args, out),
    }
}

fn register(context: &Context, args: &PromptRegisterArgs, out: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    let name = args.template.display().to_string();
    let read = match name.as_str() {
        "-" => std::io::stdin().lock().read_to_string(&mut text).map(drop),
        _ => std::fs::read_to_string(&args.template).map(|read| text = read),
    };
    read.map_err(|error| Failure::file(&name, &error))?;
    let content = PromptContent::parse(&text);
    let mut new = NewVersion::new(content.map_err(|error| Failure::bad_input(error.to_string()))?);
    new.commit_message.clone_from(&args.message);
    for pair in &args.tag {
        let (key, value) = tag::parse(pair)?;
        new.tags.insert(key.to_string(), value.to_string());
    }
    let db = context.open_to_create(&args.db)?;
    let version = db.register_prompt(&args.name, new)?;
    for alias in &args.alias {
        db.set_prompt_alias(&args.name, alias, version.version)?;
    }
    let version = db.load_prompt(&format!("prompts:/{}/{}", args.name, version.version))?;
    if context.json {
        return write_json(out, &version_json(&version));
    }
    context.say(
        out,
        format_args!(
            "registered {} version {}",
            line(&version.name),
            version.version
        ),
    )
}

fn show(context: &Context, args: &PromptUriArgs, out: &mut dyn Write) -> Result<()> {
    let version = context.open_to_read(&args.db)?.load_prompt(&args.uri)?;
    if context.json {
        return write_json(out, &version_json(&version));
    }
    let title = format!("{} version {}", version.name, version.version);
    writeln!(out, "{}", context.style.bold(&line(&title)))?;
    let facts = [
        ("created", time(version.created_at_ns)),
        (
            "message",
            version.commit_message.clone().unwrap_or_default(),
        ),
        ("aliases", version.aliases.join(", ")),
        (
            "variables",
            version.content.template().variables().join(", "),
        ),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(
            out,
            "{}  {}",
            context.style.dim(&format!("{name:>9}")),
            line(value)
        )?;
    }
    writeln!(out)?;
    match version.content.template() {
        Template::Text(text) => writeln!(out, "{}", lines(text))?,
        Template::Chat(messages) => {
            for message in messages {
                let role = format!("{:?}", message.role).to_lowercase();
                writeln!(
                    out,
                    "{}\n{}",
                    context.style.dim(&role),
                    lines(&message.content)
                )?;
            }
        }
    }
    Ok(())
}

fn version_json(version: &PromptVersion) -> Value {
    json!(version)
}

fn alias(context: &Context, args: &PromptAliasArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let (name, alias) = (line(&args.name), line(&args.alias));
    match args.version {
        Some(version) => {
            db.set_prompt_alias(&args.name, &args.alias, version)?;
            context.say(out, format_args!("{name}@{alias} is version {version}"))
        }
        None => {
            db.delete_prompt_alias(&args.name, &args.alias)?;
            context.say(out, format_args!("{name} has no alias {alias}"))
        }
    }
}

fn list(context: &Context, args: &DbArgs, out: &mut dyn Write) -> Result<()> {
    let prompts = context.open_to_read(&args.db)?.prompts()?;
    if context.json {
        return write_json(out, &json!(prompts));
    }
    if prompts.is_empty() {
        return context.say(out, "no prompts");
    }
    let mut table = TextTable::new(["name", ">versions", ">latest", "aliases", "created"]);
    for prompt in &prompts {
        let aliases = prompt.aliases.iter();
        let aliases: Vec<String> = aliases
            .map(|(alias, number)| format!("{alias}={number}"))
            .collect();
        table.add_row(vec![
            line(&prompt.name),
            prompt.versions.len().to_string(),
            prompt
                .latest_version()
                .map_or_else(|| "-".into(), |number| number.to_string()),
            preview(&aliases.join(" "), TEXT_WIDTH),
            time(prompt.created_at_ns),
        ]);
    }
    table.write(out, context.style)
}

fn changes(context: &Context, args: &PromptDiffArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let versions = db.prompt_versions(&args.name)?;
    let (from, to) = two_versions(args, &versions)?;
    let changes = diff(&from.content, &to.content);
    if context.json {
        return write_json(
            out,
            &json!({"from": from.version, "to": to.version, "diff": changes}),
        );
    }
    if changes.is_empty() {
        return context.say(out, "no difference");
    }
    let label = |version: &PromptVersion| format!("{}/{}", version.name, version.version);
    let text = changes.unified(&label(from), &label(to), CONTEXT_LINES);
    write!(out, "{}", lines(&text))?;
    Ok(())
}

/// The two versions that are named, or the last two.
fn two_versions<'v>(
    args: &PromptDiffArgs,
    versions: &'v [PromptVersion],
) -> Result<(&'v PromptVersion, &'v PromptVersion)> {
    let find = |number: u32| {
        let found = versions.iter().find(|version| version.version == number);
        found.ok_or_else(|| {
            Failure::bad_input(format!("prompt {:?} has no version {number}", args.name))
        })
    };
    let to = match args.to {
        Some(number) => find(number)?,
        None => versions
            .last()
            .ok_or_else(|| Failure::bad_input(format!("prompt {:?} has no version", args.name)))?,
    };
    let from = match args.from {
        Some(number) => find(number)?,
        None => versions
            .iter()
            .rev()
            .find(|version| version.version < to.version)
            .ok_or_else(|| Failure::bad_input("there is one version only: nothing to compare"))?,
    };
    Ok((from, to))
}

fn stats(context: &Context, args: &PromptNameArgs, out: &mut dyn Write) -> Result<()> {
    let db: Database = context.open_to_read(&args.db)?;
    let stats = db.prompt_stats(&args.name)?;
    if context.json {
        return write_json(out, &json!(stats));
    }
    if stats.is_empty() {
        return context.say(
            out,
            format_args!("no trace is linked to {}", line(&args.name)),
        );
    }
    let mut table = TextTable::new([
        ">version", ">traces", ">errors", ">cost", ">tokens", ">p50 ms", ">p95 ms", "feedback",
    ]);
    for one in &stats {
        table.add_row(stats_row(one));
    }
    table.write(out, context.style)
}

fn stats_row(one: &PromptStats) -> Vec<String> {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_string(), |value| format!("{value:.digits$}"))
    };
    let ms = |ns: Option<f64>| number(ns.map(|ns| ns / 1e6), 1);
    let feedback = one.feedback.iter();
    let feedback: Vec<String> = feedback
        .map(|(name, mean)| format!("{name}={mean:.3}"))
        .collect();
    vec![
        line(&one.version),
        one.trace_count.to_string(),
        one.error_count.to_string(),
        number(one.cost_usd, 4),
        number(one.tokens_mean, 0),
        ms(one.duration_p50_ns),
        ms(one.duration_p95_ns),
        preview(&feedback.join(" "), TEXT_WIDTH),
    ]
}

fn delete(context: &Context, args: &PromptDeleteArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_change(&args.db)?;
    let count = db.prompt_versions(&args.name)?.len();
    if !args.yes {
        confirm(&format!(
            "delete prompt {:?} with {count} versions",
            args.name
        ))?;
    }
    db.delete_prompt(&args.name)?;
    context.say(out, format_args!("deleted prompt {}", line(&args.name)))
}

//! `redaction`: shows or sets what is taken out of everything before it is written.

use std::io::Write;

use tracehouse::Redaction;

use super::write_json;
use crate::args::RedactionArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;

/// Sets what the options ask for, if they do, and shows what is in force.
pub fn run(context: &Context, args: &RedactionArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let setting = if is_change(args) {
        let db = context.open_to_create(&args.db)?;
        db.set_redaction(changed(db.redaction(), args))?;
        let setting = db.redaction();
        db.close()?;
        setting
    } else {
        context.open_to_read(&args.db)?.redaction()
    };
    if context.json {
        let value = serde_json::to_value(&setting).map_err(|e| Failure::failed(e.to_string()))?;
        return write_json(out, &value);
    }
    writeln!(out, "{}", line(&setting.to_string()))?;
    Ok(())
}

fn is_change(args: &RedactionArgs) -> bool {
    let switches = [args.names, args.secrets, args.emails, args.cards];
    let lists = args.deny.len() + args.allow.len() + args.rule.len();
    args.clear || lists > 0 || switches.iter().any(Option::is_some)
}

fn changed(before: Redaction, args: &RedactionArgs) -> Redaction {
    let mut setting = if args.clear {
        Redaction::none()
    } else {
        before
    };
    setting.names = args.names.unwrap_or(setting.names);
    setting.secrets = args.secrets.unwrap_or(setting.secrets);
    setting.emails = args.emails.unwrap_or(setting.emails);
    setting.cards = args.cards.unwrap_or(setting.cards);
    setting.deny.extend(args.deny.iter().cloned());
    setting.allow.extend(args.allow.iter().cloned());
    for (name, pattern) in &args.rule {
        setting.rules.retain(|rule| rule.name != *name);
        setting = setting.rule(name, pattern);
    }
    setting
}

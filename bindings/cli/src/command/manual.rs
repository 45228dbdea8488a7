//! `completions` and `man`: what shells and `man` are told of the command line, made of the arguments themselves.

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Result;

/// Writes the script that completes words in a shell.
pub fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tracehouse", &mut script);
    Ok(out.write_all(&script)?)
}

/// Writes one manual page with all commands.
pub fn man(out: &mut dyn Write) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        section(sub, "tracehouse", &mut page)?;
    }
    Ok(out.write_all(&page)?)
}

/// A command, and those below it, as a section of its own.
fn section(command: &clap::Command, before: &str, page: &mut Vec<u8>) -> Result<()> {
    let name = format!("{before} {}", command.get_name());
    writeln!(page, ".SH \"{}\"", name.to_uppercase().replace('-', "\\-"))?;
    let man = clap_mangen::Man::new(
        command
            .clone()
            .bin_name(name.clone())
            .display_name(name.clone()),
    );
    let mut rest = Vec::new();
    man.render_description_section(&mut rest)?;
    man.render_synopsis_section(&mut rest)?;
    man.render_options_section(&mut rest)?;
    // Its sections are parts of this one.
    page.extend(
        String::from_utf8_lossy(&rest)
            .replace(".SH ", ".SS ")
            .into_bytes(),
    );
    let below = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help");
    below
        .into_iter()
        .try_for_each(|sub| section(sub, &name, page))
}

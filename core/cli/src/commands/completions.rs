//! `lograil completions`: what shells complete, from the same definitions as the help.

use clap::CommandFactory;

use crate::args::{Arguments, CompletionsArguments};
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "lograil", &mut script);
    output::answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}

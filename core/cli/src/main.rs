//! The `lograil` program: its commands, and nothing else.
//!
//! **Invariant:** the only crate that sees both the runtime and the components; no other crate knows it.

mod admin_client;
mod args;
mod catalogue;
mod commands;
mod dead_letters;
mod exit;
mod loaded_plugins;
mod logging;
mod output;
mod refusals;
mod reload;
mod run_file;
mod signals;
mod stores;
mod topology;
mod watch;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    logging::start(&arguments.log);
    let result = match arguments.command {
        Command::Run(run) => commands::run::run(&run),
        Command::Check(check) => commands::check::run(&check),
        Command::Components(components) => commands::components::run(&components),
        Command::Pipe(pipe) => commands::pipe::run(&pipe),
        Command::Query(query) => commands::query::run(&query),
        Command::Tap(tap) => commands::tap::run(&tap),
        Command::Top(top) => commands::top::run(&top),
        Command::DeadLetters(letters) => commands::dead_letters::run(&letters),
        Command::Plugin(plugin) => commands::plugin::run(&plugin),
        Command::Test(test) => commands::test::run(&test),
        Command::Graph(graph) => commands::graph::run(&graph),
        Command::Mock(mock) => commands::mock::run(&mock),
        Command::Completions(completions) => commands::completions::run(&completions),
    };
    let exit = result.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        Exit::Failed
    });
    exit.into()
}

//! The gateway: a declarative file in, a running gateway out.

mod cli;
mod demo;
mod inherited;
mod reloading;
mod run;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command() {
        Command::Demo => run::demo(),
        Command::Run { config } => run::file(&config),
        Command::Check { file } => run::check(&file),
        Command::Schema => run::schema(),
    }
}

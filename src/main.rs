//! Reads the command line; everything else is in the library.

use clap::Parser;
use reprise::server::command::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    Command::parse().run()
}

//! `labs`, a tool beside the labs: it looks at what their runs left, and knows no lab itself.
//!
//! Each verb is a module. Those that look at other machines run this same program there ([`machines`],
//! [`here`]); those that need the algorithm of a trace run the program of its lab ([`lab_program`]).

#![forbid(unsafe_code)]

mod calls;
mod export;
mod here;
mod hosts;
mod lab_program;
mod logs;
mod machines;
mod ps;
mod replay;
mod states;
mod stop;
mod table;
mod verify;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use labs::cli::{COULD_NOT_RUN, one_line, usage};
use labs::said::say;

/// Look at what runs of the labs left
#[derive(Debug, Parser)]
#[command(name = "labs", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Judge a trace again, from the file alone
    Verify(verify::Arguments),
    /// Draw a trace as a space-time diagram, a page for the browser
    View(view::Arguments),
    /// Write a trace in the format of another tool, to standard output or a file
    Export(export::Arguments),
    /// Show which runs are alive, and on which machines
    #[command(after_help = ps::ABOUT)]
    Ps(ps::Arguments),
    /// End a run, on all its machines
    #[command(after_help = stop::ABOUT)]
    Stop(stop::Arguments),
    /// Show the logs of a run from all its machines, merged in causal order
    #[command(after_help = logs::ABOUT)]
    Logs(logs::Arguments),
    /// Try whether the machines are ready, before a class starts
    #[command(after_help = hosts::ABOUT)]
    Hosts(hosts::Arguments),
    /// Say what there is on this machine, to `labs` on another
    #[command(hide = true)]
    Here {
        #[command(subcommand)]
        what: here::Here,
    },
    /// Go through a trace again, and say whether the same happens
    #[command(after_help = replay::ABOUT)]
    Replay(replay::Arguments),
}

fn main() -> ExitCode {
    netkit::signals::let_long_writes_fail();
    let done = match CommandLine::try_parse().unwrap_or_else(|error| usage::exit(&error)).verb {
        Verb::Verify(arguments) => verify::verify(&arguments),
        Verb::View(arguments) => view::view(&arguments),
        Verb::Export(arguments) => export::export(&arguments),
        Verb::Ps(arguments) => ps::ps(&arguments),
        Verb::Stop(arguments) => stop::stop(&arguments),
        Verb::Logs(arguments) => logs::logs(&arguments),
        Verb::Hosts(arguments) => hosts::hosts(&arguments),
        Verb::Here { what } => what.run(),
        Verb::Replay(arguments) => replay::replay(&arguments),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format!("labs: {}", one_line(&error)));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

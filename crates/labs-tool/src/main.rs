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
mod view;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use labs::cli::verify::{VerifyArguments, judged};
use labs::cli::{COULD_NOT_RUN, finish, one_line, trace_file, usage};
use labs::said::say;
use labs::verdict::Property;

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
    Verify(VerifyArguments),
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
        Verb::Verify(arguments) => verify(&arguments),
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

/// Judges a trace: here, if all its properties are general; else the program of its lab does.
fn verify(arguments: &VerifyArguments) -> anyhow::Result<u8> {
    let path = &arguments.trace;
    let foreign = |property: &Property| property.is_foreign();
    let asks = trace_file::read(path)?.header().properties.iter().any(foreign);
    let program = asks.then(|| lab_program::of(path));
    if let Some(Ok(program)) = &program {
        let mut command = std::process::Command::new(program);
        command.arg("verify").args(arguments.json.then_some("--json")).arg("--").arg(path);
        let error = std::os::unix::process::CommandExt::exec(&mut command);
        return Err(error).with_context(|| format!("cannot run {}", program.display()));
    }
    let mut report = judged(path, |header| Ok(header.properties.clone()))?;
    if let Some(Err(why)) = program {
        report.problems.push(format!("some properties were not judged: {why}"));
    }
    finish(&report, arguments.json)
}

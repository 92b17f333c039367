//! `labs replay`: a trace is gone through again by the program of its lab.
//!
//! This program knows no lab: that of the trace's lab is run in its place ([`lab_program`]).

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;
use labs::cli::ReplayArguments;

use crate::lab_program;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    replay: ReplayArguments,
    /// The lab's program [default: the one of that name beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) const ABOUT: &str = "\
    A trace is a schedule: the same events happen again to the same processes, and what they \
    do is compared with what the trace says. A trace of `simulate` is run again from its \
    seed too, and must come out the same, byte for byte. A counterexample of `check` is \
    followed step by step. In a trace of `run` each process of the run, wherever it was, \
    gets what it got then: the same deliveries lead to the same states, or the answer says \
    at which event they part.\n\
    \n\
    The lab's own program does it, which lies beside this one (`cargo build` builds all).\n\
    \n\
    \x20 token-ring run --trace t.jsonl\n\
    \x20 labs replay t.jsonl\n\
    \x20 labs replay t.jsonl --states s.jsonl\n\
    \x20 labs view t.jsonl\n\
    \n\
    With --states the state of the process stands with each event, for other programs; `labs \
    view` shows the same on a page.\n\
    \n\
    Exit status: 0 the same; 1 not the same; 2 it could not be followed to the end.";

/// Runs the lab's program in place of this one: does not return if that succeeds.
pub(crate) fn replay(arguments: &Arguments) -> anyhow::Result<u8> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => lab_program::of(&arguments.replay.trace)?,
    };
    let mut command = Command::new(&program);
    command.arg("replay");
    if let Some(states) = &arguments.replay.states {
        command.arg("--states").arg(states);
    }
    if arguments.replay.json {
        command.arg("--json");
    }
    // A file may be called like an option.
    command.arg("--").arg(&arguments.replay.trace);
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

//! `labs replay`: a trace is gone through again by the program of its lab.
//!
//! This program knows no lab, and a trace names the one that it is of. Labs are built side by side, so their
//! programs are looked for in the folder of this one.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cli::trace_file;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    replay: super::super::replay::ReplayArguments,
    /// The lab's program [default: the one of that name beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(super) const ABOUT: &str = "\
A trace is a schedule: the same events happen again to the same processes, and what they do is compared
with what the trace says. A trace of `simulate` is run again from its seed too, and must come out the
same, byte for byte. A counterexample of `check` is followed step by step. In a trace of `run` each process
of the run, wherever it was, gets what it got then: the same deliveries lead to the same states, or the
answer says at which event they part.

The lab's own program does it, which lies beside this one (`cargo build` builds all).

  token-ring run --trace t.jsonl
  labs replay t.jsonl --states s.jsonl
  labs view s.jsonl                       the state of each process after each event

Exit status: 0 the same; 1 not the same; 2 it could not be followed to the end.";

/// Runs the lab's program in place of this one: does not return if that succeeds.
pub(super) fn replay(arguments: &Arguments) -> anyhow::Result<u8> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => beside(&lab_of(&arguments.replay.trace)?)?,
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

/// The lab that a trace is of. The name becomes that of a file, so not every one is taken.
fn lab_of(trace: &Path) -> anyhow::Result<String> {
    let lab = trace_file::read(trace)?.header().lab.clone();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        !lab.is_empty() && !lab.starts_with('-') && lab.bytes().all(plain),
        "{} names {lab:?} as its lab, which is not the name of a program",
        trace.display()
    );
    Ok(lab)
}

/// The program of a lab, in the folder of this one.
fn beside(lab: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program itself")?;
    let program = this.with_file_name(lab);
    ensure!(
        program.is_file(),
        "the trace is of the lab {lab}, and its program is not at {}: build it (`cargo build`), or name it \
         with --program",
        program.display()
    );
    Ok(program)
}

//! `labs verify`: a trace is judged again.
//!
//! The general properties are judged here. What only the lab knows its own program judges, which is run in the
//! place of this one ([`lab_program`]).

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use clap::Args;
use labs::cli::verify::{VerifyArguments, judged};
use labs::cli::{finish, trace_file};
use labs::verdict::Property;

use crate::lab_program;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    verify: VerifyArguments,
    /// The lab's program, for properties that are the lab's own [default: the one of that name beside this
    /// program, if the trace has such properties]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) fn verify(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { verify, program } = arguments;
    let path = &verify.trace;
    if let Some(program) = program {
        return ask(program, verify);
    }
    let has_own = trace_file::read(path)?.header().properties.iter().any(Property::is_foreign);
    let program = has_own.then(|| lab_program::of(path));
    if let Some(Ok(program)) = &program {
        return ask(program, verify);
    }
    let mut report = judged(path, |header| Ok(header.properties.clone()))?;
    if let Some(Err(why)) = program {
        report.problems.push(format!("some properties were not judged: {why}"));
    }
    finish(&report, verify.json)
}

/// Runs the lab's program in place of this one: does not return if that succeeds.
fn ask(program: &Path, verify: &VerifyArguments) -> anyhow::Result<u8> {
    let mut command = Command::new(program);
    command.arg("verify").args(verify.json.then_some("--json")).arg("--").arg(&verify.trace);
    Err(command.exec()).with_context(|| format!("cannot run {}", program.display()))
}

//! The program of the lab that a trace is of.
//!
//! This program knows no lab, and a trace names the one that it is of. Labs are built side by side, so their
//! programs are looked for in the folder of this one. But a trace may come from anybody, and other programs
//! may lie there too: only one that says of itself that it is a lab is run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use labs::cli::live::until::Until;
use labs::cli::progress::now;
use labs::cli::{MARK, trace_file};
use labs::trace::Header;
use labs::verdict::{Property, Verdict};
use memchr::memmem;
use serde::Deserialize;

/// The largest program that is searched for the mark, in bytes. A debug build has some hundred megabytes.
const PROGRAM_MAX: u64 = 1 << 30;

/// How much of a program is searched at once, in bytes.
const PART: usize = 1 << 20;

/// How long the program of a lab may take for what the page shows. A run that is gone through again takes less
/// than it did, but a trace may lie.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest report on a trace that is read, in bytes. One has some kilobytes.
const REPORT_MAX: u64 = 16 << 20;

/// The program of the lab that this trace is of.
///
/// # Errors
///
/// If the trace cannot be read, names no program, or there is none of that name that is a lab.
pub(crate) fn of(trace: &Path) -> anyhow::Result<PathBuf> {
    beside(&lab_of(trace)?)
}

/// Runs the program of a lab on a trace, and lets `read` have what it prints. Returns what that made of it, and
/// the program's exit status. Nothing is left behind, whatever happens.
///
/// # Errors
///
/// If the program cannot be run, or takes too long.
pub(crate) fn ask<T, E>(
    program: &Path,
    arguments: &[&str],
    trace: &Path,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T, E>,
) -> anyhow::Result<(Result<T, E>, Option<i32>)> {
    // A socket rather than a pipe, for it can be read with a deadline.
    let (ours, theirs) = UnixStream::pair().context("cannot make a pipe")?;
    let mut asked = Command::new(program)
        .args(arguments)
        .arg("--") // A file may be called like an option.
        .arg(trace)
        .stdin(Stdio::null())
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let deadline = now() + PATIENCE;
    let set_timeout = UnixStream::set_read_timeout;
    let read = read(&mut BufReader::new(Until { stream: &ours, set_timeout, deadline }));
    let is_late = now() >= deadline;
    if read.is_err() {
        // It has ended already, or nobody waits for what it does.
        let _ = asked.kill();
    }
    let status = asked.wait().context("cannot wait for it")?;
    ensure!(!is_late, "the lab's program took longer than {} s", PATIENCE.as_secs());
    Ok((read, status.code()))
}

/// What became of the properties of a run, if some are the lab's own, so that only its program can say.
///
/// # Errors
///
/// If the program is not there, or cannot judge the trace.
pub(crate) fn verdicts(
    trace: &Path,
    header: &Header,
    program: Option<&Path>,
) -> anyhow::Result<Option<Vec<Verdict>>> {
    /// As much as is needed of a report.
    #[derive(Deserialize)]
    struct Judged {
        properties: Vec<Verdict>,
    }
    if !header.properties.iter().any(Property::is_foreign) {
        return Ok(None);
    }
    let program = program.map_or_else(|| of(trace), |program| Ok(program.to_owned()))?;
    let read = |from: &mut dyn BufRead| serde_json::from_reader(from.take(REPORT_MAX));
    let (judged, _) = ask(&program, &["verify", "--json"], trace, read)?;
    let Judged { properties } = judged.context("no judgement came (`labs verify` says why)")?;
    Ok(Some(properties))
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
    let place = program.display();
    ensure!(
        program.is_file(),
        "the trace is of the lab {lab}, and its program is not at {place}: build it (`cargo build`), or name \
         it with --program"
    );
    let file = File::open(&program).with_context(|| format!("cannot open {place}"))?;
    // This program looks for the mark, and so has it too.
    let is_lab =
        program != this && has_mark(file).with_context(|| format!("cannot read {place}"))?;
    ensure!(is_lab, "the trace is of the lab {lab}, and {place} is no program of a lab");
    Ok(program)
}

/// Whether it has the mark that the program of every lab has.
fn has_mark(program: impl Read) -> io::Result<bool> {
    let finder = memmem::Finder::new(MARK);
    let mut program = program.take(PROGRAM_MAX);
    let mut bytes = Vec::with_capacity(PART + MARK.len());
    while program.by_ref().take(PART as u64).read_to_end(&mut bytes)? > 0 {
        if finder.find(&bytes).is_some() {
            return Ok(true);
        }
        // It may begin in one part and end in the next.
        let kept = bytes.len().saturating_sub(MARK.len() - 1);
        bytes.drain(..kept);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_is() {
        for at in [0, 1, PART - MARK.len(), PART - 5, PART, 2 * PART - 1] {
            let mut program = vec![b'x'; 3 * PART];
            assert!(!has_mark(&*program).unwrap());
            program[at..at + MARK.len()].copy_from_slice(MARK.as_bytes());
            assert!(has_mark(&*program).unwrap(), "at {at}");
        }
        assert!(!has_mark(&MARK.as_bytes()[1..]).unwrap());
        assert!(!has_mark(io::empty()).unwrap());
    }
}

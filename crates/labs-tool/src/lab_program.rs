//! The program of the lab that a trace is of.
//!
//! This program knows no lab, and a trace names the one that it is of. Labs are built side by side, so their
//! programs are looked for in the folder of this one. But a trace may come from anybody, and other programs
//! may lie there too: only one that says of itself that it is a lab is run.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use memchr::memmem;

use labs::cli::{MARK, trace_file};

/// The largest program that is searched for the mark, in bytes. A debug build has some hundred megabytes.
const PROGRAM_MAX: u64 = 1 << 30;

/// How much of a program is searched at once, in bytes.
const PART: usize = 1 << 20;

/// The program of the lab that this trace is of.
///
/// # Errors
///
/// If the trace cannot be read, names no program, or there is none of that name that is a lab.
pub(crate) fn of(trace: &Path) -> anyhow::Result<PathBuf> {
    beside(&lab_of(trace)?)
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

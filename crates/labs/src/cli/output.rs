//! What goes to standard output.
//!
//! Writing there can fail in two ways. The reader may have read enough (`| head`): that is no error, and nothing
//! is said. Or the disk is full: then the output is missing, and the user must be told. `println!` panics in both
//! cases.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context as _;

use crate::text::Paint;

/// Writes to standard output. A reader that is gone is no error.
///
/// # Errors
///
/// If it cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    offer(text).map(drop)
}

/// Writes to standard output, and returns whether somebody still reads.
///
/// # Errors
///
/// If it cannot be written.
pub fn offer(text: &str) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        done => done.map(|()| true).context("cannot write to standard output"),
    }
}

/// Colours on a terminal, unless its user wants none (`NO_COLOR`).
pub fn paint() -> Paint {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match io::stdout().is_terminal() && !is_unwanted {
        true => Paint::Coloured,
        false => Paint::Plain,
    }
}

/// Writes as long as somebody reads; what comes later is let go.
pub(super) struct WhileRead<W>(pub(super) W);

impl<W: Write> Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

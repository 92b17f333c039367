//! A run as a picture: its space-time diagram, as a page for the browser.
//!
//! A page is one file without any other: style, program and trace are in it, and it asks the network
//! for nothing. What only Rust knows is computed before the page is written: the verdicts
//! ([`crate::verdict`]) and what the lab's indications mean ([`crate::trace::meaning`]). The events follow in columns
//! ([`columns`]), a few bytes each; vector clocks are left out, for the page follows the messages.
//!
//! A run in progress is drawn the same way: [`crate::cli::live`] serves its events, in the same columns, to
//! any number of browsers on this machine as they happen.
//!
//! The program of the page is in `page/`, in plain JavaScript as the browser reads it: nothing is
//! compiled, fetched or minified.

pub mod clocks;
pub mod columns;
pub mod meaning;
pub mod page;
pub mod read;

use std::io::BufRead;

pub use self::columns::{Chunk, Encoder};
pub use self::page::{Page, Status};
pub use self::read::{Entry, Trace};
use crate::trace::format::ReadError;
use crate::verdict::{CycleError, CycleJudge, StreamError, StreamJudge};

/// The most events that a page shows: about a gigabyte of the browser's memory.
pub const EVENTS_MAX: usize = 2_000_000;

/// The most processes that a page shows: each has a line, and nobody scrolls past so many.
pub const PROCESSES_MAX: u32 = 65_536;

/// How much of the logs a page holds, in bytes: more than anybody reads, and less than its events may take.
pub const LOGS_MAX: usize = 32 << 20;

/// How much of a line of a log is shown, in letters.
const LOG_LINE_SHOWN: usize = 2_000;

/// How many events are encoded together.
const CHUNK: usize = 1 << 16;

/// Why a trace cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not the trace of any run.
    #[error("line {line}: {error}")]
    Stream {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        error: StreamError,
    },
    /// The cycle that its header names is none.
    #[error("line {line}: {error}")]
    Cycle {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        error: CycleError,
    },
    /// It has too many events.
    #[error(
        "the trace has more than {EVENTS_MAX} events, too many for a browser: draw a shorter run"
    )]
    TooManyEvents,
    /// It has too many processes.
    #[error("the trace has {0} processes, and a page draws at most {PROCESSES_MAX}")]
    TooManyProcesses(u32),
}

/// The page of a whole trace.
///
/// A last line without its end is passed over: its run was killed while it wrote.
///
/// # Errors
///
/// If it cannot be read or drawn.
pub fn draw(from: impl BufRead) -> Result<Page, ViewError> {
    let mut trace = Trace::new(from)?;
    let header = trace.header().clone();
    if header.processes > PROCESSES_MAX {
        return Err(ViewError::TooManyProcesses(header.processes));
    }
    let mut judge = StreamJudge::new(&header.properties, header.processes);
    let mut cycle = header.cycle_from.clone().map(CycleJudge::new);
    let mut encoder = Encoder::new();
    let mut chunks = Vec::new();
    while let Some(Entry { event, state }) = trace.next_entry()? {
        let line = trace.line();
        if let Some(cycle) = &mut cycle {
            let looked_at = cycle.observe(line, &event, judge.judge());
            looked_at.map_err(|error| ViewError::Cycle { line, error })?;
        }
        judge.observe(&event).map_err(|error| ViewError::Stream { line, error })?;
        encoder.push(&event, state.as_deref());
        if encoder.total() > EVENTS_MAX {
            return Err(ViewError::TooManyEvents);
        }
        if encoder.waiting() == CHUNK {
            chunks.extend(encoder.take());
        }
    }
    chunks.extend(encoder.take());
    let mut status = Status::of(&judge, &encoder, false);
    if let Some(cycle) = cycle {
        let concluded = cycle.conclude(judge.judge(), &mut status.verdicts);
        concluded.map_err(|error| ViewError::Cycle { line: 1, error })?;
    }
    Ok(Page { meaning: meaning::of(&header), header, status, chunks, live: false })
}

//! Reads a trace that may still grow, and the states of processes where it has them.
//!
//! A line counts once its end is there: what a running program has half written is read when it is
//! complete. Beside the event, a line may have a field `state`, a text that says what the process was
//! after the event; other readers of traces pass over it.

use std::io::{BufRead, Read};

use serde::Deserialize;

use crate::trace::format::{LINE_MAX, ReadError, Reader, parse};
use crate::trace::{Header, TraceEvent};

/// One line of a trace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What happened.
    pub event: TraceEvent,
    /// What the process was afterwards, for people; where somebody wrote it down.
    pub state: Option<String>,
}

/// A trace that is read as far as it goes.
#[derive(Debug)]
pub struct Trace<R> {
    from: R,
    header: Header,
    line: u64,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    state: Option<String>,
}

impl<R: BufRead> Trace<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If there is none, or it is of another format.
    pub fn new(mut from: R) -> Result<Self, ReadError> {
        let header = Reader::new(&mut from)?.header().clone();
        Ok(Self { from, header, line: 1, buffer: Vec::new() })
    }

    /// The header, which was read first.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line that is complete, if there is one by now.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or the line is no event.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let line = self.line + 1;
        let room = LINE_MAX.saturating_sub(self.buffer.len() as u64);
        self.from
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| ReadError::Io { line, error })?;
        if self.buffer.last() != Some(&b'\n') {
            let too_long = self.buffer.len() as u64 == LINE_MAX;
            let what = format!("longer than {LINE_MAX} bytes");
            return if too_long { Err(ReadError::Malformed { line, what }) } else { Ok(None) };
        }
        self.line = line;
        let entry = entry(&self.buffer).map_err(|what| ReadError::Malformed { line, what });
        self.buffer.clear();
        entry.map(Some)
    }
}

fn entry(line: &[u8]) -> Result<Entry, String> {
    const FIELD: &[u8] = b"\"state\":";
    let event = parse(line)?;
    // Most traces have no states, and need not be parsed twice.
    let state = match line.windows(FIELD.len()).any(|part| part == FIELD) {
        true => serde_json::from_slice::<State>(line).map_err(|error| error.to_string())?.state,
        false => None,
    };
    Ok(Entry { event, state })
}

#[cfg(test)]
mod tests;

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
mod tests {
    use std::fs::File;
    use std::io::{BufReader, Write};

    use super::*;

    const HEADER: &str =
        r#"{"trace":2,"lab":"any","verb":"run","run":"r","processes":2,"seed":1,"arguments":[]}"#;
    const INIT: &str = r#"{"process":0,"n":1,"lamport":1,"at_us":0,"event":"init"}"#;

    #[test]
    fn a_line_counts_once_it_is_complete() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{HEADER}").unwrap();
        let reader = BufReader::new(File::open(file.path()).unwrap());
        let mut trace = Trace::new(reader).unwrap();
        assert_eq!(trace.next_entry().unwrap(), None);
        let (begin, end) = INIT.split_at(20);
        file.write_all(begin.as_bytes()).unwrap();
        assert_eq!(trace.next_entry().unwrap(), None);
        writeln!(file, "{end}").unwrap();
        let entry = trace.next_entry().unwrap().unwrap();
        assert_eq!((entry.event.n, entry.state, trace.line()), (1, None, 2));
        assert_eq!(trace.next_entry().unwrap(), None);
    }

    #[test]
    fn a_state_is_read_where_there_is_one() {
        let line = INIT.replace('}', r#","state":"Idle \"x\""}"#);
        assert_eq!(entry(line.as_bytes()).unwrap().state.as_deref(), Some("Idle \"x\""));
        let within = r#"{"process":0,"n":1,"lamport":1,"at_us":0,"event":"request","value":{"kind":"A","text":"\"state\":7"}}"#;
        assert_eq!(entry(within.as_bytes()).unwrap().state, None);
        let wrong = INIT.replace('}', r#","state":7}"#);
        assert!(entry(wrong.as_bytes()).is_err());
    }

    #[test]
    fn a_line_without_end_fills_no_memory() {
        let text = format!("{HEADER}\n{}", " ".repeat(2 * LINE_MAX as usize));
        let mut trace = Trace::new(text.as_bytes()).unwrap();
        let error = trace.next_entry().unwrap_err();
        assert!(error.to_string().contains("line 2: longer than"), "{error}");
    }
}

//! A run for the tools of others: what a trace says, in their formats.
//!
//! | format | for | what it keeps |
//! |---|---|---|
//! | [`shiviz`] | ShiViz, which draws vector clocks in the browser | every event, with its vector clock |
//! | [`mermaid`] | documents: a sequence diagram in Markdown | messages, and what processes tell |
//! | [`pcap`] | Wireshark, with `tools/wireshark/labs.lua` | messages, as netkit would have sent them |

use std::io::{self, BufRead, Write};

use crate::trace::format::{ReadError, Reader};
use crate::trace::{Gap, Header, TraceEvent};
use crate::verdict::{StreamError, StreamJudge};

pub mod mermaid;
pub mod pcap;
pub mod shiviz;
#[cfg(test)]
mod tests;

/// A format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// The log of ShiViz.
    Shiviz,
    /// A sequence diagram of Mermaid.
    Mermaid,
    /// A capture of packets.
    Pcap,
}

/// Why a trace cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The trace cannot be read.
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
    /// More processes than the format can tell apart, or a person.
    #[error(
        "the run has {processes} processes, and {format} takes at most {max}: export a smaller one"
    )]
    TooManyProcesses {
        /// How a person calls the format.
        format: &'static str,
        /// How many there are.
        processes: u32,
        /// How many the format takes.
        max: u32,
    },
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

/// What writes one format, event by event.
trait Exporter {
    fn event(&mut self, event: &TraceEvent, to: &mut dyn Write) -> io::Result<()>;

    /// After the last event.
    fn end(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let _ = to;
        Ok(())
    }
}

/// Reads a trace and writes it in another format. Returns what is missing in the trace, and so in the result.
///
/// # Errors
///
/// If it cannot be read, is not the trace of a run, or cannot be written.
pub fn export(
    from: impl BufRead,
    format: Format,
    to: &mut dyn Write,
) -> Result<Vec<Gap>, ExportError> {
    let mut reader = Reader::new(from)?;
    let header = reader.header().clone();
    let mut exporter = exporter(&header, format, to)?;
    // It has nothing to judge, but refuses what no run can do and an exporter would stumble on.
    let mut judge = StreamJudge::new(&[], header.processes);
    while let Some(event) = reader.next() {
        let event = event?;
        let line = reader.line();
        judge.observe(&event).map_err(|error| ExportError::Stream { line, error })?;
        exporter.event(&event, to)?;
    }
    exporter.end(to)?;
    to.flush()?;
    Ok(judge.gaps())
}

fn exporter(
    header: &Header,
    format: Format,
    to: &mut dyn Write,
) -> Result<Box<dyn Exporter>, ExportError> {
    let processes = header.processes;
    let limit = |format, max| match processes > max {
        true => Err(ExportError::TooManyProcesses { format, processes, max }),
        false => Ok(()),
    };
    Ok(match format {
        Format::Shiviz => {
            limit("ShiViz", shiviz::PROCESSES_MAX)?;
            Box::new(shiviz::Shiviz::new(processes, to)?)
        }
        Format::Mermaid => {
            limit("a sequence diagram", mermaid::PROCESSES_MAX)?;
            Box::new(mermaid::Mermaid::new(header, to)?)
        }
        Format::Pcap => {
            limit("a capture", pcap::PROCESSES_MAX)?;
            Box::new(pcap::Pcap::new(to)?)
        }
    })
}

/// A text on one line, without what a terminal or a parser would act on.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

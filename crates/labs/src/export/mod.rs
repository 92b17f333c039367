//! A run for the tools of others: what a trace says, in their formats.
//!
//! | format | for | what it keeps |
//! |---|---|---|
//! | [`shiviz`] | ShiViz, which draws vector clocks in the browser | every event, with its vector clock |
//! | [`mermaid`] | documents: a sequence diagram in Markdown | messages, and what processes tell |
//! | [`pcap`] | Wireshark, with `tools/wireshark/labs.lua` | messages, as netkit would have sent them |

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use crate::trace::format::{ReadError, Reader};
use crate::trace::{Header, MessageId, TraceEvent, What};

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
    /// A process that the header does not know.
    #[error("line {line}: p{process} is not one of the {processes} processes of the run")]
    NoSuchProcess {
        /// The line, counted from 1.
        line: u64,
        /// The process.
        process: u32,
        /// How many there are.
        processes: u32,
    },
    /// A message arrives that nobody sent.
    #[error("line {line}: message {id} was not sent before this line")]
    NotSent {
        /// The line, counted from 1.
        line: u64,
        /// The message.
        id: MessageId,
    },
    /// More processes than the format can tell apart, or a person.
    #[error(
        "the run has {processes} processes, and {format} takes at most {max}: export a smaller one"
    )]
    TooManyProcesses {
        /// The format.
        format: &'static str,
        /// How many there are.
        processes: u32,
        /// The limit.
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

/// Reads a trace and writes it in another format.
///
/// # Errors
///
/// If it cannot be read, is not the trace of a run, or cannot be written.
pub fn export(from: impl BufRead, format: Format, to: &mut dyn Write) -> Result<(), ExportError> {
    let mut reader = Reader::new(from)?;
    let header = reader.header().clone();
    let mut exporter = exporter(&header, format, to)?;
    let mut sent = BTreeMap::new();
    while let Some(event) = reader.next() {
        let event = event?;
        check(&event, &header, &mut sent, reader.line())?;
        exporter.event(&event, to)?;
    }
    exporter.end(to)?;
    to.flush()?;
    Ok(())
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

/// Refuses what no run can do and an exporter would stumble on.
fn check(
    event: &TraceEvent,
    header: &Header,
    sent: &mut BTreeMap<MessageId, ()>,
    line: u64,
) -> Result<(), ExportError> {
    let known = |process: u32| match process < header.processes {
        true => Ok(()),
        false => Err(ExportError::NoSuchProcess { line, process, processes: header.processes }),
    };
    known(event.process.0)?;
    match &event.what {
        What::Send { peer, message } => {
            known(peer.0)?;
            sent.insert(message.id, ());
        }
        What::Receive { peer, message } | What::Drop { peer, message } => {
            known(peer.0)?;
            if !sent.contains_key(&message.id) {
                return Err(ExportError::NotSent { line, id: message.id });
            }
        }
        _ => {}
    }
    Ok(())
}

/// A text on one line, without what a terminal or a parser would act on.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

//! One client of the TCP server.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use mio::net::TcpStream;
use netkit::sockets;
use netkit::text::escape_bytes;

use super::{Acknowledge, Message, Messages, Served, show};
use crate::count;
use crate::tcp_client::ACKNOWLEDGEMENT;

/// A client and what is known of it.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// It stands on the list of those to take a step with.
    pub(super) is_listed: bool,
    /// When it has paused for long in the middle of a line, if it is there.
    pub(super) pause_ends: Option<Instant>,
    messages: Messages,
    acknowledge: Acknowledge,
    /// It was said that the line that has begun is not complete.
    is_told: bool,
    received: u64,
    /// The part of our answers that it has not yet taken. Nothing is read while something is here,
    /// so this is never more than the answers to one read.
    owed: Vec<u8>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// It may send.
    Open,
    /// It has closed its side. Ours follows when it has taken what is owed to it.
    Ended,
    /// It has sent bytes that cannot be understood, and is told so; everything else that it sends
    /// is dropped until it closes. If we closed first, its unread bytes would make the system send
    /// a reset, and the reset may overtake our answer.
    Refused,
}

/// What comes next for a client.
pub(super) enum Next {
    /// Another step, in the next turn.
    Step,
    /// Nothing, until the system says that it is ready.
    Event,
    /// Nothing: the connection has ended.
    End(End),
}

/// How a message ended, and so how its answer ends.
#[derive(Clone, Copy)]
enum Ending {
    /// With its line, or with the stream.
    Line,
    /// Nobody has marked its end.
    None,
}

/// How a connection has ended.
pub(super) enum End {
    Closed { received: u64 },
    Refused,
    Broken(io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed { received } => {
                let messages = count(*received, "message");
                write!(f, "closed its side after {messages}; ours is closed too")
            }
            End::Refused => f.write_str("closed its side after it was refused; ours is closed too"),
            End::Broken(error) => write!(f, "is gone: {}", sockets::reason(error)),
        }
    }
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        max_message: usize,
        acknowledge: Acknowledge,
    ) -> Connection {
        Connection {
            stream,
            peer,
            is_listed: false,
            pause_ends: None,
            messages: Messages::new(max_message),
            acknowledge,
            is_told: false,
            received: 0,
            owed: Vec::new(),
            phase: Phase::Open,
        }
    }

    /// Writes what is owed, then reads once.
    pub(super) fn step(
        &mut self,
        buffer: &mut [u8],
        served: &mut Served,
        out: &mut Vec<u8>,
    ) -> Next {
        if let Some(next) = self.pay() {
            return next;
        }
        match self.stream.read(buffer) {
            Ok(0) => self.on_end(served, out),
            Ok(n) => self.on_bytes(&buffer[..n], served, out),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Next::Event,
                ErrorKind::Interrupted => Next::Step,
                _ => Next::End(End::Broken(error)),
            },
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], served: &mut Served, out: &mut Vec<u8>) -> Next {
        served.bytes += bytes.len() as u64;
        if self.phase == Phase::Refused {
            return Next::Step;
        }
        if self.acknowledge == Acknowledge::Read {
            let message = Message { bytes: bytes.to_vec(), reads: 1 };
            // As it was asked, so it is answered.
            let ending = if bytes.ends_with(b"\n") { Ending::Line } else { Ending::None };
            self.on_message(&message, ending, served, out);
            return Next::Step;
        }
        let mut messages = Vec::new();
        let result = self.messages.push(bytes, &mut messages);
        for message in messages {
            self.on_message(&message, Ending::Line, served, out);
        }
        if result.is_err() {
            show(out, format_args!("{} sent a message over --max-message: refused", self.peer));
            self.owed.extend_from_slice(b"ERROR the message is too long\n");
            self.phase = Phase::Refused;
        }
        Next::Step
    }

    fn on_message(
        &mut self,
        message: &Message,
        ending: Ending,
        served: &mut Served,
        out: &mut Vec<u8>,
    ) {
        self.is_told = false;
        self.received += 1;
        served.messages += 1;
        self.owed.extend_from_slice(ACKNOWLEDGEMENT);
        let Message { bytes, reads } = message;
        let (length, reads) = (count(bytes.len() as u64, "byte"), count(*reads, "read"));
        let (peer, text) = (self.peer, escape_bytes(bytes));
        let without = match ending {
            Ending::Line => {
                self.owed.push(b'\n');
                ""
            }
            Ending::None => ", no end of line",
        };
        show(out, format_args!("{peer} message of {length} in {reads}{without}: {text}"));
    }

    /// Whether a line has begun, and is not complete.
    pub(super) fn is_in_a_line(&self) -> bool {
        self.phase == Phase::Open && self.messages.begun() > 0
    }

    /// It has paused for long in the middle of a line. Returns what comes next, if that changes
    /// anything.
    pub(super) fn on_pause(&mut self, served: &mut Served, out: &mut Vec<u8>) -> Option<Next> {
        if !self.is_in_a_line() {
            return None;
        }
        if self.acknowledge == Acknowledge::Pause {
            let message = self.messages.finish()?;
            self.on_message(&message, Ending::None, served, out);
            return Some(self.pay().unwrap_or(Next::Event));
        }
        if !std::mem::replace(&mut self.is_told, true) {
            let (peer, length) = (self.peer, count(self.messages.begun() as u64, "byte"));
            show(out, format_args!("{peer} {length}, no end of line yet"));
        }
        None
    }

    /// A read of length 0.
    fn on_end(&mut self, served: &mut Served, out: &mut Vec<u8>) -> Next {
        if self.phase == Phase::Refused {
            return Next::End(End::Refused);
        }
        self.phase = Phase::Ended;
        if let Some(message) = self.messages.finish() {
            self.on_message(&message, Ending::Line, served, out);
        }
        self.pay().unwrap_or(Next::Step)
    }

    /// Writes what is owed. `None` if nothing is owed any more, and the client may go on sending.
    fn pay(&mut self) -> Option<Next> {
        while !self.owed.is_empty() {
            match self.stream.write(&self.owed) {
                Ok(n) => drop(self.owed.drain(..n)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Some(Next::Event),
                    ErrorKind::Interrupted => {}
                    _ => return Some(Next::End(End::Broken(error))),
                },
            }
        }
        match self.phase {
            Phase::Open => None,
            Phase::Ended => Some(Next::End(End::Closed { received: self.received })),
            Phase::Refused => {
                // So it knows that nothing will follow. If it is gone, the next read says so.
                let _ = self.stream.shutdown(Shutdown::Write);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;

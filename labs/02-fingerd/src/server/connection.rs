//! One client: its query, its answer, and how far the answer is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use mio::net::TcpStream;
use mio::unix::pipe::Receiver;
use netkit::sockets;
use netkit::text::{escape_bytes, one_line};

use crate::answer::Answer;
use crate::finger::Finger;

/// How much of a query stands in the log, in characters.
const MAX_LOGGED: usize = 100;

/// How much is read at once.
const READ_AT_ONCE: usize = 16 << 10;

/// How many reads at once a refused client is granted: 1 MiB.
const MAX_DRAINS: usize = 64;

/// What a client is waiting for, or what we wait for.
#[derive(Debug)]
pub(super) enum State {
    /// Its query is not complete.
    Asking,
    /// Its answer is not complete; what there is, is being sent.
    Answering,
    /// Its answer is complete and not all sent.
    Sending {
        /// There may be bytes of the client that nobody has read.
        then_drain: bool,
    },
    /// It has been sent everything, and has not closed.
    Draining,
}

/// What has come of a query.
pub(super) enum Asked {
    NotYet,
    Line(Vec<u8>),
    TooLong,
    Unfinished,
    /// The client has closed without a word, or the connection has broken.
    Gone(&'static str),
}

/// What has come of an answer.
pub(super) enum Printed {
    More,
    All,
    TooMuch,
}

/// A client.
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    accepted: Instant,
    pub(super) state: State,
    pub(super) deadline: Instant,
    /// What has come of the query, and perhaps a little more.
    line: Vec<u8>,
    max_query: usize,
    pub(super) child: Option<(Finger, Receiver)>,
    /// How much the child has printed, in bytes.
    printed: usize,
    pub(super) answer: Answer,
    /// What the log says of the answer.
    pub(super) outcome: String,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        max_query: usize,
        deadline: Instant,
    ) -> Connection {
        Connection {
            stream,
            peer,
            accepted: Instant::now(),
            state: State::Asking,
            deadline,
            line: Vec::new(),
            max_query,
            child: None,
            printed: 0,
            answer: Answer::default(),
            outcome: String::new(),
        }
    }

    /// Reads until the query is complete or there is nothing more; never more than one byte over
    /// the limit, by which one knows that it is over.
    pub(super) fn read_query(&mut self) -> Asked {
        loop {
            let begun = self.line.len();
            let room = (self.max_query + 1 - begun) as u64;
            let read = (&mut self.stream).take(room).read_to_end(&mut self.line);
            if let Some(end) = self.line[begun..].iter().position(|&byte| byte == b'\n') {
                let end = begun + end;
                if end >= self.max_query {
                    return Asked::TooLong;
                }
                return Asked::Line(self.line[..end].to_vec());
            }
            if self.line.len() > self.max_query {
                return Asked::TooLong;
            }
            match read {
                Ok(_) if self.line.is_empty() => return Asked::Gone("closed without a query"),
                Ok(_) => return Asked::Unfinished,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Asked::NotYet,
                    ErrorKind::Interrupted => {}
                    _ => return Asked::Gone("gone before its query"),
                },
            }
        }
    }

    /// Reads what the child has printed, up to `most` bytes in all.
    pub(super) fn read_child(&mut self, most: usize) -> Printed {
        let Some((_, pipe)) = &mut self.child else { return Printed::More };
        let mut buffer = [0; READ_AT_ONCE];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return Printed::All,
                Ok(n) => {
                    let room = most - self.printed;
                    self.answer.push(&buffer[..n.min(room)]);
                    self.printed += n.min(room);
                    if n > room {
                        return Printed::TooMuch;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Printed::More,
                    ErrorKind::Interrupted => {}
                    // What cannot be read any more has ended.
                    _ => return Printed::All,
                },
            }
        }
    }

    /// Writes as much of the answer as the client takes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while !self.answer.unsent().is_empty() {
            match self.stream.write(self.answer.unsent()) {
                Ok(n) => self.answer.note_sent(n),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Whether the client has sent something that was not read.
    pub(super) fn has_unread(&self) -> bool {
        self.stream.peek(&mut [0; 1]).is_ok_and(|n| n > 0)
    }

    /// Says that nothing follows.
    pub(super) fn close_own_side(&mut self) {
        // A client that has gone need not be told.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Drops what the client still sends. Returns whether that is over: the client has closed, or
    /// sends so much that it is surely not reading.
    pub(super) fn is_drained(&mut self) -> bool {
        let mut buffer = [0; READ_AT_ONCE];
        for _ in 0..MAX_DRAINS {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return false,
                    ErrorKind::Interrupted => {}
                    _ => return true,
                },
            }
        }
        true
    }

    /// The line of the log about this request.
    pub(super) fn log_line(&self, how: &str) -> String {
        let Connection { peer, outcome, .. } = self;
        let asked = match self.line.split(|&byte| byte == b'\n').next() {
            Some(line) if !self.line.is_empty() => {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                format!("\"{}\"", one_line(&escape_bytes(line), MAX_LOGGED))
            }
            _ => "nothing".to_owned(),
        };
        let sent = self.answer.len() - self.answer.unsent().len();
        let milliseconds = self.accepted.elapsed().as_secs_f64() * 1e3;
        let words = [outcome.as_str(), how].into_iter().filter(|words| !words.is_empty());
        let words = words.collect::<Vec<_>>().join("; ");
        format!("{peer} {asked} {words}, {sent} bytes, {milliseconds:.1} ms")
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", sockets::plain(self.peer), self.state)
    }
}

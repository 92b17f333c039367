//! One TCP connection: where it stands, and what waits to be sent.

use std::io::{self, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::Peer;
use super::deadlines::DeadlineKey;
use super::queue::Queue;
use crate::frame::Splitter;
use crate::membership::{Handshake, Proven};
use crate::seal::envelope::{Opener, Sealer};

/// When this much waits in the middle of a turn, it is written at once: it fills a system call
/// well, and is still in the processor's cache.
const WRITE_AT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: Peer,
    pub(super) state: State,
    pub(super) splitter: Splitter,
    /// The handshake, connect or close deadline that runs.
    pub(super) deadline: Option<DeadlineKey>,
    /// It is in the list of those to be written at the end of the turn.
    pub(super) is_dirty: bool,
    /// The system said that the peer will send no more: read until the end of the stream.
    pub(super) ended: bool,
    /// Writing failed. Bytes that have already come in are still read; then the connection ends
    /// with this error.
    pub(super) failed: Option<io::Error>,
    /// The system took no more bytes; an event will say when it does.
    blocked: bool,
    pub(super) queue: Queue,
    /// Opens what comes in, once the other end has proved to be a member.
    pub(super) opener: Option<Opener>,
}

#[derive(Debug)]
pub(super) enum State {
    /// The system is making the connection. Then a handshake may follow, with this hello.
    Connecting(Option<Box<Handshake>>, Vec<u8>),
    /// The handshake is under way.
    Greeting {
        handshake: Box<Handshake>,
        /// The first frame may also be anything else, and needs no handshake then.
        is_anybody_welcome: bool,
    },
    Open,
    /// Our program has closed it: the queue is written, what comes in is thrown away.
    Closing {
        /// All has been written, and the peer has been told that nothing follows.
        is_shut: bool,
    },
    /// It ends in this turn, and the service will be told.
    Doomed,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        address: SocketAddr,
        local: SocketAddr,
        state: State,
        max_frame: usize,
    ) -> Self {
        Connection {
            stream,
            peer: Peer { rank: None, address, local, incoming: false },
            state,
            splitter: Splitter::new(max_frame),
            deadline: None,
            is_dirty: false,
            ended: false,
            failed: None,
            blocked: false,
            queue: Queue::default(),
            opener: None,
        }
    }

    /// The other end is a member: what follows is sealed, both ways.
    pub(super) fn seal(&mut self, member: Proven) {
        self.peer.rank = Some(member.rank);
        self.queue.seal(Sealer::new(member.ours));
        self.opener = Some(Opener::new(member.theirs));
    }

    /// Whether the system has made the connection, asked after an event. Completes what is known of
    /// it.
    pub(super) fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        }
        self.stream.set_nodelay(true)?;
        self.peer.local = self.stream.local_addr()?;
        if self.peer.local == self.peer.address {
            // The system had given us the very port that nobody listens at, and TCP connects that
            // to itself.
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(true)
    }

    /// Writes in the middle of a turn if that is worth a system call.
    #[inline]
    pub(super) fn write_if_much(&mut self, max_queue: usize) {
        if self.queue.len() > WRITE_AT.min(max_queue) {
            self.write();
        }
    }

    /// The system takes bytes again: writes what waited for that. True if something did, and all of
    /// it is written now. What was sent in this turn may have to wait for its end.
    pub(super) fn unblock(&mut self, holds_back: bool) -> bool {
        let was_blocked = std::mem::replace(&mut self.blocked, false);
        if !holds_back {
            self.queue.unwritten();
        }
        self.write_left();
        was_blocked && self.queue.left().is_empty() && self.failed.is_none()
    }

    /// Writes until the queue is empty or the system takes no more. A failure is kept in `failed`.
    pub(super) fn write(&mut self) {
        if !self.blocked {
            self.queue.unwritten();
            self.write_left();
        }
    }

    fn write_left(&mut self) {
        loop {
            let bytes = self.queue.left();
            if bytes.is_empty() {
                return;
            }
            match self.stream.write(bytes) {
                Ok(0) => return self.fail(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.queue.wrote(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return self.queue.compact();
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert(error);
        self.queue.clear();
    }
}

//! One TCP connection: where it stands, and what waits to be sent.

use std::io::{self, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::Peer;
use super::deadlines::DeadlineKey;
use crate::frame::{self, Splitter};
use crate::membership::Handshake;

/// What the send queue keeps reserved when it is empty. More is given back, so that one large
/// answer does not stay in memory for as long as the connection does.
const KEPT: usize = 128 * 1024;

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
    queue: Vec<u8>,
    /// How much of the queue has been written.
    written: usize,
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
            queue: Vec::new(),
            written: 0,
        }
    }

    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queue.len() - self.written
    }

    /// Where to append what is to be sent.
    #[inline]
    pub(super) fn queue(&mut self) -> &mut Vec<u8> {
        &mut self.queue
    }

    /// Queues a frame.
    pub(super) fn push(&mut self, body: &[u8]) {
        self.queue.extend_from_slice(&frame::header(body.len()));
        self.queue.extend_from_slice(body);
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
        if self.queued() > WRITE_AT.min(max_queue) {
            self.write();
        }
    }

    /// The system takes bytes again. True if some were waiting and all are written now.
    pub(super) fn unblock(&mut self) -> bool {
        let was_blocked = std::mem::replace(&mut self.blocked, false);
        self.write();
        was_blocked && self.queued() == 0 && self.failed.is_none()
    }

    /// Writes until the queue is empty or the system takes no more. A failure is kept in `failed`.
    pub(super) fn write(&mut self) {
        if self.blocked {
            return;
        }
        while self.written < self.queue.len() {
            match self.stream.write(&self.queue[self.written..]) {
                Ok(0) => {
                    self.fail(io::ErrorKind::WriteZero.into());
                    return;
                }
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.compact();
                    return;
                }
                Err(error) => {
                    self.fail(error);
                    return;
                }
            }
        }
        self.forget_queue();
    }

    /// Everything has been written, or nobody will take it.
    fn forget_queue(&mut self) {
        self.queue.clear();
        self.written = 0;
        if self.queue.capacity() > KEPT {
            self.queue.shrink_to(KEPT);
        }
    }

    /// Moves what waits to the front once that is less than what was written: each byte moves once
    /// at most, on average.
    fn compact(&mut self) {
        if self.written > self.queue.len() / 2 {
            self.queue.drain(..self.written);
            self.written = 0;
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert(error);
        self.forget_queue();
    }
}

//! Takes connections from listeners, and keeps strangers within bounds.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::Interest;
use mio::net::TcpStream;
use nix::errno::Errno;

use super::connection::{Connection, State};
use super::deadlines::Due;
use super::slots::Key;
use super::strangers::WINDOW;
use super::turn::Turn;
use super::{Admission, CloseReason, ConnectionId, Net, Peer, Service, Slot, Source};
use crate::frame::FrameError;
use crate::membership::{Handshake, MAX_HANDSHAKE_FRAME};

/// How many connections are taken from one listener in one turn. A program that connects in a loop
/// delays the others by this much and no more.
const ACCEPTS_AT_ONCE: usize = 64;

/// How long a listener waits when the process or the machine has no file descriptors left. It must
/// come back by itself, for the system speaks of waiting connections only once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The answer to somebody that sends text.
const HINT: &[u8] =
    b"This port speaks netkit frames (u32 length in network order, then the body), not text.\n";

impl<S: Service + ?Sized> Turn<'_, S> {
    pub(super) fn accept(&mut self, key: Key) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(Slot { source: Source::Listener(listener), .. }) = self.net.slots.find(key)
            else {
                return;
            };
            match listener.socket.accept() {
                Ok((stream, address)) => {
                    listener.is_paused = false;
                    let admission = listener.admission.clone();
                    if let Err(error) = self.admit(stream, address, admission) {
                        log::debug!(
                            "a connection from {address} was gone before it was taken: {error}"
                        );
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_exhaustion(&error) => return self.net.pause(key, &error),
                // The connection was reset while it waited, or a packet filter refused it: the next
                // one may be fine.
                Err(error) => log::debug!("could not accept a connection: {error}"),
            }
        }
        self.net.again(key);
    }

    fn admit(
        &mut self,
        stream: TcpStream,
        address: SocketAddr,
        admission: Admission,
    ) -> io::Result<()> {
        let local = stream.local_addr()?;
        if self.net.connections >= self.net.limits.max_connections {
            let peer = Peer { rank: None, address, local, incoming: true };
            self.net.log_stranger(&peer, "there are too many connections");
            return Ok(());
        }
        stream.set_nodelay(true)?;
        let (state, max_frame, is_stranger) = match admission {
            Admission::Anyone => (State::Open, self.net.limits.max_frame, false),
            Admission::Members(membership) => {
                let handshake = Box::new(Handshake::accept(membership)?);
                let state = State::Greeting { handshake, is_anybody_welcome: false };
                (state, MAX_HANDSHAKE_FRAME, true)
            }
            Admission::Either(membership) => {
                let handshake = Box::new(Handshake::accept(membership)?);
                let state = State::Greeting { handshake, is_anybody_welcome: true };
                (state, self.net.limits.max_frame, true)
            }
        };
        let mut connection = Connection::new(stream, address, local, state, max_frame);
        connection.peer.incoming = true;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let key = self.net.insert(Source::Connection(Box::new(connection)), interest)?;
        self.net.connections += 1;
        if is_stranger {
            self.net.strangers.add(key);
            self.net.set_deadline(key, self.net.limits.handshake_deadline);
            if self.net.strangers.count() > self.net.limits.max_strangers {
                self.net.evict_oldest_stranger("it made room for newer connections");
            }
        } else {
            self.open(key);
        }
        Ok(())
    }

    /// Ends a connection that nobody here has asked to end: tells the service, or, of a stranger,
    /// the log.
    pub(super) fn lose(&mut self, key: Key, reason: CloseReason) {
        let is_stranger = self.net.strangers.contains(key);
        let Some(connection) = self.net.connection(key) else { return };
        let peer = connection.peer;
        let reason = match (&connection.state, reason) {
            (State::Closing { .. }, _) => {
                self.net.remove(key);
                return;
            }
            (
                State::Greeting { .. },
                CloseReason::Ended | CloseReason::EndedInFrame { .. } | CloseReason::Broken(_),
            ) if !peer.incoming => CloseReason::Refused,
            (_, reason) => reason,
        };
        let may_be_a_person = peer.incoming && peer.rank.is_none();
        if may_be_a_person && matches!(reason, CloseReason::Frame(FrameError::Text { .. })) {
            connection.queue.begin().extend_from_slice(HINT);
            self.net.start_closing(key);
        } else {
            self.net.remove(key);
        }
        if is_stranger {
            self.net.log_stranger(&peer, &reason.to_string());
        } else {
            self.service.on_close(self.net, ConnectionId(key), reason);
        }
    }
}

impl Net {
    /// No file descriptors: takes one back from a stranger, and tries again later.
    fn pause(&mut self, key: Key, error: &io::Error) {
        self.evict_oldest_stranger("there are no file descriptors left");
        if let Some(Slot { source: Source::Listener(listener), .. }) = self.slots.find(key)
            && !std::mem::replace(&mut listener.is_paused, true)
        {
            log::warn!("cannot accept connections for now: {error}; raise `ulimit -n`?");
        }
        self.deadlines.start(ACCEPT_PAUSE, Due::Listener(key));
    }

    fn evict_oldest_stranger(&mut self, why: &str) {
        if let Some(oldest) = self.strangers.oldest() {
            self.cut_off(oldest, why);
        }
    }

    /// Closes the connection of a stranger at once.
    fn cut_off(&mut self, key: Key, why: &str) {
        if let Some(connection) = self.remove(key)
            && !matches!(connection.state, State::Closing { .. })
        {
            self.log_stranger(&connection.peer, why);
        }
    }

    fn log_stranger(&mut self, peer: &Peer, why: &str) {
        if self.strangers.cut_off(peer, why) {
            self.deadlines.start(WINDOW, Due::StrangerLog);
        }
    }
}

/// The process or the machine has run out of something that others will give back.
fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

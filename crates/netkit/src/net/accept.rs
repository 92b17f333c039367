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
use super::{Admission, CloseReason, ConnectionId, Net, Peer, Service, Slot, Source};
use crate::frame::FrameError;
use crate::membership::{Handshake, MAX_HANDSHAKE_FRAME};

/// How many connections are taken from one listener in one turn: whoever connects in a loop delays
/// the others by this.
const ACCEPTS_AT_ONCE: usize = 64;

/// How long a listener waits when the process or the machine has no file descriptors left. It must
/// come back by itself, for the system speaks of waiting connections only once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What somebody reads who sends text.
const HINT: &[u8] =
    b"This port speaks netkit frames (u32 length in network order, then the body), not text.\n";

impl Net {
    pub(super) fn accept<S: Service + ?Sized>(&mut self, service: &mut S, key: Key) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(Slot { source: Source::Listener(listener), .. }) = self.slots.find(key) else {
                return;
            };
            match listener.socket.accept() {
                Ok((stream, address)) => {
                    listener.is_paused = false;
                    let admission = listener.admission.clone();
                    if let Err(error) = self.admit(service, stream, address, admission) {
                        log::debug!(
                            "a connection from {address} was gone before it was taken: {error}"
                        );
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_exhaustion(&error) => return self.pause(key, &error),
                // The connection was reset while it waited, or a packet filter refused it: the next
                // one may be fine.
                Err(error) => log::debug!("could not accept a connection: {error}"),
            }
        }
        self.again(key);
    }

    fn admit<S: Service + ?Sized>(
        &mut self,
        service: &mut S,
        stream: TcpStream,
        address: SocketAddr,
        admission: Admission,
    ) -> io::Result<()> {
        let local = stream.local_addr()?;
        if self.connections >= self.limits.max_connections {
            let peer = Peer { rank: None, address, local, incoming: true };
            self.log_stranger(&peer, "there are too many connections");
            return Ok(());
        }
        stream.set_nodelay(true)?;
        let (state, max_frame, is_stranger) = match admission {
            Admission::Anyone => (State::Open, self.limits.max_frame, false),
            Admission::Members(membership) => {
                let handshake = Box::new(Handshake::accept(membership)?);
                (State::Greeting(handshake), MAX_HANDSHAKE_FRAME, true)
            }
        };
        let mut connection = Connection::new(stream, address, local, state, max_frame);
        connection.peer.incoming = true;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let key = self.insert(Source::Connection(Box::new(connection)), interest)?;
        self.connections += 1;
        if is_stranger {
            self.strangers.add(key);
            self.set_deadline(key, self.limits.handshake_deadline);
            if self.strangers.count() > self.limits.max_strangers {
                self.evict_oldest_stranger("it made room for newer connections");
            }
        } else {
            self.open(service, key);
        }
        Ok(())
    }

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

    /// Ends a connection that nobody here has asked to end: tells the service, or, of a stranger,
    /// the log.
    pub(super) fn lose<S: Service + ?Sized>(
        &mut self,
        service: &mut S,
        key: Key,
        reason: CloseReason,
    ) {
        let is_stranger = self.strangers.contains(key);
        let Some(connection) = self.connection(key) else { return };
        let peer = connection.peer;
        let reason = match (&connection.state, reason) {
            (State::Closing { .. }, _) => {
                self.remove(key);
                return;
            }
            (
                State::Greeting(_),
                CloseReason::Ended | CloseReason::EndedInFrame { .. } | CloseReason::Broken(_),
            ) if !peer.incoming => CloseReason::Refused,
            (_, reason) => reason,
        };
        if peer.incoming && matches!(reason, CloseReason::Frame(FrameError::Text { .. })) {
            connection.queue().extend_from_slice(HINT);
            self.start_closing(key);
        } else {
            self.remove(key);
        }
        if is_stranger {
            self.log_stranger(&peer, &reason.to_string());
        } else {
            service.on_close(self, ConnectionId(key), reason);
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

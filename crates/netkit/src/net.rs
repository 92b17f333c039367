//! The event loop: connections, datagrams, timers and signals on one thread.
//!
//! A program is a [`Service`]: methods that are called when something has happened. They run one at
//! a time and to completion, and are given the [`Net`], of which they ask what is to be done: send,
//! connect, close, start a timer. Nothing they call blocks, and nothing calls them back from
//! within: what they ask for happens after they return.
//!
//! One turn of the loop is: wait; read from each connection that has something, and hand over its
//! frames; hand over what timers and signals are due; write. All that was sent to a peer in a turn
//! leaves in one system call.
//!
//! # How it stays fair
//!
//! Readiness is edge-triggered: the system speaks once when bytes arrive, and is silent until more
//! do. A loop that stops reading early must therefore remember to come back. This one reads from
//! each connection once a turn, at most 64 KiB, and comes back in the next turn if the buffer was
//! filled: a peer that floods us gets its share and no more. A read that brought less than was
//! asked for has emptied the socket, and no second read is made to confirm that. There is one
//! exception: when the system has announced the end of the stream, the loop reads until it sees
//! that end.
//!
//! # How memory stays bounded
//!
//! All connections share one read buffer, and frames are borrowed from it; a connection keeps no
//! more than the frame that was cut at the end of a read. What waits for a peer is bounded by
//! [`Limits::max_queue`], strangers by [`Limits::max_strangers`], connections by
//! [`Limits::max_connections`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;
use signal_hook_mio::v1_0::Signals;

use crate::codec;
use crate::frame::{self, HEADER};
use crate::membership::{Handshake, Membership};
use crate::signals::not_ignored;
#[cfg(doc)]
use crate::udp;

pub use self::error::{CloseReason, SendError};
pub use self::limits::Limits;

use self::connection::{Connection, State};
use self::deadlines::{DeadlineKey, Deadlines, Due};
use self::letterbox::Letterbox;
use self::slots::{Key, Slots};
use self::strangers::Strangers;

mod accept;
mod connection;
mod deadlines;
mod error;
mod letterbox;
mod limits;
mod queue;
mod slots;
mod strangers;
#[cfg(test)]
mod tests;
mod turn;

const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);

/// How much is read from one connection in one turn. Larger buffers read no faster, for the data no
/// longer fits in the processor's cache; and a datagram always fits.
const READ_AT_ONCE: usize = 64 * 1024;

/// How many events are taken from the system in one turn; the rest come in the next.
const EVENTS_AT_ONCE: usize = 1024;

/// A program on the network. Each method is called when something has happened, runs to completion,
/// and must not block: while it runs, nobody else is served.
pub trait Service {
    /// A connection can be used: it was made, and the other end has proved to be a member if that
    /// was asked for.
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer);

    /// A frame has arrived. `body` is borrowed from the read buffer; copy what is to stay.
    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]);

    /// A connection has ended, or could not be made (then it was never opened). All frames that
    /// arrived before the end have been delivered. Not called for connections that this program
    /// closed itself.
    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason);

    /// Bytes had to wait for the peer, and it has now taken all of them. A program that sends much
    /// may go on sending.
    fn on_drained(&mut self, net: &mut Net, connection: ConnectionId) {
        let _ = (net, connection);
    }

    /// A datagram has arrived: from a member of the run if the sender has a rank; else anybody can
    /// have sent it. Its address can be any.
    fn on_datagram(&mut self, net: &mut Net, socket: SocketId, from: Sender, body: &[u8]) {
        let _ = (net, socket, from, body);
    }

    /// A timer has run out. It is gone.
    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        let _ = (net, timer);
    }

    /// A signal that is watched has come, once or several times.
    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        let _ = (net, signal);
    }

    /// A [`Waker`] was used, once or several times.
    fn on_wake(&mut self, net: &mut Net) {
        let _ = net;
    }

    /// Everything that had happened has been handed over, and nothing of it has been written yet, if
    /// the loop [holds back](Net::hold_back). This is the last moment to send something that leaves in
    /// the same system call, and to bring to the disk what must be there before anybody hears of it.
    /// Called again in the same turn if writing has ended a connection.
    ///
    /// # Errors
    ///
    /// If nothing of this turn may be written: the loop ends with the error.
    fn on_turn_end(&mut self, net: &mut Net) -> io::Result<()> {
        let _ = net;
        Ok(())
    }
}

/// Names a connection of a [`Net`], for ever: it is not given to another one. Newer ones compare
/// greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(Key);

/// Names a TCP listener of a [`Net`], for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(Key);

/// Names a UDP socket of a [`Net`], for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId(Key);

/// Names a started timer of a [`Net`], for ever. Those that are due earlier compare less.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TimerId(DeadlineKey);

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its proven rank in the run, or `None` on connections that anybody may make.
    pub rank: Option<u32>,
    /// The address that it connects from, or that we connected to.
    pub address: SocketAddr,
    /// Our address on this connection: one under which the peer's machine reaches us.
    pub local: SocketAddr,
    /// Whether it connected to us.
    pub incoming: bool,
}

/// One end of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// Its proven rank in the run, or `None` where anybody may send.
    pub rank: Option<u32>,
    /// The address that it sends from. A datagram can be sent under the address of another machine.
    pub address: SocketAddr,
}

/// Which connections a listener takes, and which datagrams a UDP socket.
#[derive(Clone, Debug)]
pub enum Admission {
    /// Anybody. There is no handshake.
    Anyone,
    /// Members of a run that are looking for this rank. The service never hears of others. What
    /// members send is sealed.
    Members(Membership),
    /// Members of a run, and anybody. The first frame decides: if it begins with
    /// [`MAGIC`](crate::membership::MAGIC), the handshake must succeed, as with `Members`. Any
    /// other frame opens the connection, without a rank, and is handed over at once. A connection
    /// that says nothing never reaches the service.
    Either(Membership),
}

/// The other end that we want to connect to.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Any program that listens there. There is no handshake.
    Anyone,
    /// A member of our run, of this rank. If another one answers, the connection is not opened.
    Member {
        /// Our own place in the run.
        membership: Membership,
        /// The rank that must be at the other end.
        to: u32,
    },
}

/// Wakes the loop from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Has [`Service::on_wake`] called soon. Several calls may lead to one.
    ///
    /// # Errors
    ///
    /// If the system refuses, which it has no reason to.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// The network of one program: an event loop, and all that it serves.
///
/// Create it after the last fork of a process: the system's readiness queue is shared by a child,
/// and each would take the other's events.
pub struct Net {
    system: System,
    limits: Limits,
    slots: Slots<Slot>,
    deadlines: Deadlines,
    strangers: Strangers,
    agenda: Agenda,
    buffers: Buffers,
    /// How many connections there are, those that are closing among them.
    connections: usize,
    closing: usize,
    is_stopped: bool,
    is_in_turn: bool,
    /// Nothing is written in the middle of a turn.
    holds_back: bool,
}

/// The ways by which the system and other threads tell the loop that something has happened.
struct System {
    poll: Poll,
    events: Events,
    signals: Option<Signals>,
    waker: Waker,
}

/// What is to be done at the end of this turn, and in the next.
#[derive(Default)]
struct Agenda {
    /// To be served in the next turn without a new event.
    ready: Vec<Key>,
    /// An empty list, whose memory is used again.
    ready_spare: Vec<Key>,
    /// Something was sent to them in this turn.
    dirty: Vec<Key>,
    /// They have to end, and the service has not been told.
    doomed: Vec<(Key, CloseReason)>,
}

/// Memory that all sources share.
struct Buffers {
    read: Vec<u8>,
    datagram: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    source: Source,
    /// It is in `ready`.
    is_ready: bool,
}

#[derive(Debug)]
enum Source {
    Listener(Listener),
    // Boxed, for they are much larger than a listener.
    Connection(Box<Connection>),
    Udp(Box<Letterbox>),
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    admission: Admission,
    /// It could not accept, and has said so in the log.
    is_paused: bool,
}

impl Net {
    /// A loop that serves nothing yet.
    ///
    /// # Errors
    ///
    /// If the system has no file descriptors left.
    pub fn new(limits: Limits) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker(Arc::new(mio::Waker::new(poll.registry(), WAKER)?));
        let events = Events::with_capacity(EVENTS_AT_ONCE);
        Ok(Net {
            system: System { poll, events, signals: None, waker },
            limits,
            slots: Slots::new(),
            deadlines: Deadlines::default(),
            strangers: Strangers::default(),
            agenda: Agenda::default(),
            buffers: Buffers { read: vec![0; READ_AT_ONCE], datagram: Vec::new() },
            connections: 0,
            closing: 0,
            is_stopped: false,
            is_in_turn: false,
            holds_back: false,
        })
    }

    /// Listens for connections, and says at which address; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// If the address is not ours or is in use.
    pub fn listen(
        &mut self,
        address: SocketAddr,
        admission: Admission,
    ) -> io::Result<(ListenerId, SocketAddr)> {
        let socket = TcpListener::bind(address)?;
        let address = socket.local_addr()?;
        let listener = Listener { socket, admission, is_paused: false };
        let key = self.insert(Source::Listener(listener), Interest::READABLE)?;
        Ok((ListenerId(key), address))
    }

    /// Listens no longer. Connections that were made stay.
    pub fn close_listener(&mut self, listener: ListenerId) {
        self.slots.remove(listener.0);
    }

    /// Begins to connect. [`Service::on_open`] or [`Service::on_close`] will follow, never from
    /// within this call.
    ///
    /// # Errors
    ///
    /// If the system refuses at once: no file descriptors, no route. A peer that refuses is
    /// reported to `on_close`.
    pub fn connect(&mut self, address: SocketAddr, to: Outgoing) -> io::Result<ConnectionId> {
        let (handshake, hello, max_frame) = match to {
            Outgoing::Anyone => (None, Vec::new(), self.limits.max_frame),
            Outgoing::Member { membership, to } => {
                let (handshake, hello) = Handshake::initiate(membership, to)?;
                (Some(Box::new(handshake)), hello, crate::membership::MAX_HANDSHAKE_FRAME)
            }
        };
        let stream = TcpStream::connect(address)?;
        let local = stream.local_addr().unwrap_or(address);
        let state = State::Connecting(handshake, hello);
        let connection = Connection::new(stream, address, local, state, max_frame);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let key = self.insert(Source::Connection(Box::new(connection)), interest)?;
        self.connections += 1;
        self.set_deadline(key, self.limits.connect_deadline);
        Ok(ConnectionId(key))
    }

    /// Sends a frame. It leaves at the end of the turn.
    ///
    /// # Errors
    ///
    /// If the connection is not open, the body is over [`Limits::max_frame`], or the peer takes
    /// nothing.
    #[inline]
    pub fn send(&mut self, connection: ConnectionId, body: &[u8]) -> Result<(), SendError> {
        let max = self.limits.max_frame;
        if body.len() > max {
            return Err(SendError::TooLong { length: body.len(), max });
        }
        self.open_connection(connection)?.queue.push(body);
        self.sent(connection.0)
    }

    /// Sends a value as a frame, encoded straight into what waits to be written.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and if the value cannot be encoded.
    #[inline]
    pub fn send_value<T: Serialize + ?Sized>(
        &mut self,
        connection: ConnectionId,
        value: &T,
    ) -> Result<(), SendError> {
        let max = self.limits.max_frame;
        let queue = &mut self.open_connection(connection)?.queue;
        let bytes = queue.begin();
        let start = bytes.len();
        let appended = append_value(value, bytes, max);
        if appended.is_err() {
            bytes.truncate(start);
        }
        queue.end();
        appended?;
        self.sent(connection.0)
    }

    /// How many bytes wait for the peer to take them. 0 for connections that are gone.
    #[must_use]
    pub fn queued(&self, connection: ConnectionId) -> usize {
        match self.slots.peek(connection.0) {
            Some(Slot { source: Source::Connection(connection), .. }) => connection.queue.len(),
            _ => 0,
        }
    }

    /// Writes what was sent on a connection now, as far as the system takes it, and not at the end
    /// of the turn: for programs that may not live so long.
    pub fn flush(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.connection(connection.0) {
            connection.write();
        }
    }

    /// The other end of a connection, or `None` if the connection is gone.
    #[must_use]
    pub fn peer(&self, connection: ConnectionId) -> Option<Peer> {
        match self.slots.peek(connection.0) {
            Some(Slot { source: Source::Connection(connection), .. }) => Some(connection.peer),
            _ => None,
        }
    }

    /// Closes a connection at once. Bytes that have not been written are lost;
    /// [`Service::on_close`] is not called.
    pub fn close(&mut self, connection: ConnectionId) {
        self.remove(connection.0);
    }

    /// Closes a connection when all that was sent on it has been taken by the peer, or
    /// [`Limits::close_deadline`] has passed. For the program it is closed now: nothing more can be
    /// sent, what still comes is thrown away, and [`Service::on_close`] is not called.
    pub fn close_when_sent(&mut self, connection: ConnectionId) {
        match self.connection(connection.0) {
            Some(Connection { state: State::Open, .. }) => self.start_closing(connection.0),
            Some(Connection { state: State::Closing { .. }, .. }) | None => {}
            // Nothing can have been sent yet, or nothing will be taken any more.
            Some(_) => self.close(connection),
        }
    }

    /// Opens a UDP socket, and says at which address; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// If the address is not ours or is in use, or the name of the run is too long.
    pub fn bind_udp(
        &mut self,
        address: SocketAddr,
        admission: Admission,
    ) -> io::Result<(SocketId, SocketAddr)> {
        let letterbox = Letterbox::new(UdpSocket::bind(address)?, admission)?;
        let address = letterbox.socket.local_addr()?;
        let key = self.insert(Source::Udp(Box::new(letterbox)), Interest::READABLE)?;
        Ok((SocketId(key), address))
    }

    /// Sends a frame in a datagram to anybody, at once. It may get lost here as well as on the way.
    ///
    /// # Errors
    ///
    /// If the body is over [`Limits::max_frame`] or [`MAX_DATAGRAM`](udp::MAX_DATAGRAM), the socket
    /// is closed, or the system refuses.
    pub fn send_datagram(
        &mut self,
        socket: SocketId,
        to: SocketAddr,
        body: &[u8],
    ) -> Result<(), SendError> {
        self.send_from(socket, Sender { rank: None, address: to }, body)
    }

    /// Sends a frame in a sealed datagram to the member of this rank, at once. It may get lost here
    /// as well as on the way.
    ///
    /// # Errors
    ///
    /// As [`send_datagram`](Self::send_datagram), with [`MAX_SEALED`](udp::MAX_SEALED); and if the
    /// socket was opened for anyone.
    pub fn send_datagram_to_member(
        &mut self,
        socket: SocketId,
        rank: u32,
        address: SocketAddr,
        body: &[u8],
    ) -> Result<(), SendError> {
        self.send_from(socket, Sender { rank: Some(rank), address }, body)
    }

    fn send_from(&mut self, socket: SocketId, to: Sender, body: &[u8]) -> Result<(), SendError> {
        let Some(Slot { source: Source::Udp(letterbox), .. }) = self.slots.find(socket.0) else {
            return Err(SendError::Closed);
        };
        letterbox.send(to, body, self.limits.max_frame, &mut self.buffers.datagram)
    }

    /// Closes a UDP socket.
    pub fn close_udp(&mut self, socket: SocketId) {
        self.slots.remove(socket.0);
    }

    /// Starts a timer; [`Service::on_timer`] is called once, not before the time has passed and in
    /// a later turn.
    pub fn start_timer(&mut self, after: Duration) -> TimerId {
        TimerId(self.deadlines.start(after, Due::Timer))
    }

    /// Stops a timer. Does nothing if it has run out.
    pub fn stop_timer(&mut self, timer: TimerId) {
        self.deadlines.stop(timer.0);
    }

    /// Reports these signals to [`Service::on_signal`] from now on. Their usual effect, such as
    /// ending the process, does not happen. Those that the program was started with ignored stay
    /// ignored (see [`signals`](crate::signals)).
    ///
    /// # Errors
    ///
    /// If a signal cannot be caught (`SIGKILL`, `SIGSTOP`, and those that tell of a broken
    /// program), or is none of the named ones.
    pub fn watch_signals(&mut self, signals: &[i32]) -> io::Result<()> {
        if let Some(signal) = signals.iter().find(|&&signal| !can_be_watched(signal)) {
            let message = format!("signal {signal} cannot be watched");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if self.system.signals.is_none() {
            let mut watched = Signals::new::<_, i32>([])?;
            self.system.poll.registry().register(&mut watched, SIGNALS, Interest::READABLE)?;
            self.system.signals = Some(watched);
        }
        let watched = self.system.signals.as_ref().expect("created above");
        let mut wanted = not_ignored(signals).into_iter();
        wanted.try_for_each(|signal| watched.add_signal(signal))
    }

    /// Gives the watched signals their usual effect again, so that a program that has more to do
    /// after the loop can be interrupted. Signals that came since the last turn are forgotten.
    ///
    /// # Errors
    ///
    /// If the system refuses, which it has no reason to.
    pub fn unwatch_signals(&mut self, signals: &[i32]) -> io::Result<()> {
        self.system.signals = None;
        for signal in not_ignored(signals) {
            let signal = nix::sys::signal::Signal::try_from(signal)?;
            // SAFETY: the default action is installed, and no handler of ours.
            unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }?;
        }
        Ok(())
    }

    /// A handle by which other threads wake this loop.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.system.waker.clone()
    }

    /// From now on nothing that is sent leaves before [`Service::on_turn_end`] has returned: what a
    /// program acknowledges in a turn it can bring to the disk there, with one wait for all of it.
    /// Otherwise much is written in the middle of a turn already, where that is quicker. More than
    /// [`Limits::max_queue`] in one turn ends a connection then, however quickly its peer reads.
    pub fn hold_back(&mut self) {
        self.holds_back = true;
    }

    /// Ends [`run`](Self::run) after this turn.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }
}

/// Appends a value as a frame.
#[inline]
fn append_value<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    max: usize,
) -> Result<(), SendError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEADER]);
    codec::encode(value, bytes)?;
    let length = bytes.len() - start - HEADER;
    if length > max {
        return Err(SendError::TooLong { length, max });
    }
    bytes[start..start + HEADER].copy_from_slice(&frame::header(length));
    Ok(())
}

/// signal-hook panics for the others.
fn can_be_watched(signal: i32) -> bool {
    use nix::sys::signal::Signal;
    let forbidden =
        [Signal::SIGFPE, Signal::SIGILL, Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGSTOP];
    Signal::try_from(signal).is_ok_and(|signal| !forbidden.contains(&signal))
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("connections", &self.connections)
            .field("strangers", &self.strangers.count())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What the public methods share.
impl Net {
    fn insert(&mut self, source: Source, interest: Interest) -> io::Result<Key> {
        let key = self.slots.insert(Slot { source, is_ready: false });
        let slot = self.slots.find(key).expect("just inserted");
        let registry = self.system.poll.registry();
        let registered = match &mut slot.source {
            Source::Listener(listener) => {
                registry.register(&mut listener.socket, key.token(), interest)
            }
            Source::Connection(connection) => {
                registry.register(&mut connection.stream, key.token(), interest)
            }
            Source::Udp(letterbox) => {
                registry.register(&mut letterbox.socket, key.token(), interest)
            }
        };
        if let Err(error) = registered {
            self.slots.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    #[inline]
    fn connection(&mut self, key: Key) -> Option<&mut Connection> {
        match self.slots.find(key) {
            Some(Slot { source: Source::Connection(connection), .. }) => Some(connection),
            _ => None,
        }
    }

    #[inline]
    fn open_connection(&mut self, id: ConnectionId) -> Result<&mut Connection, SendError> {
        let connection = self.connection(id.0).ok_or(SendError::Closed)?;
        match connection.state {
            State::Open => Ok(connection),
            State::Connecting(..) | State::Greeting { .. } => Err(SendError::NotOpen),
            State::Closing { .. } | State::Doomed => Err(SendError::Closed),
        }
    }

    /// Something was appended to the queue of an open connection.
    #[inline]
    fn sent(&mut self, key: Key) -> Result<(), SendError> {
        let (max, holds_back) = (self.limits.max_queue, self.holds_back);
        let Some(connection) = self.connection(key) else { return Err(SendError::Closed) };
        if !holds_back {
            connection.write_if_much(max);
        }
        let waiting = connection.queue.len();
        if waiting > max {
            connection.state = State::Doomed;
            self.agenda.doomed.push((key, CloseReason::QueueFull { waiting, max }));
            return Err(SendError::QueueFull);
        }
        self.mark_dirty(key);
        Ok(())
    }

    #[inline]
    fn mark_dirty(&mut self, key: Key) {
        if let Some(connection) = self.connection(key)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.agenda.dirty.push(key);
        }
    }

    /// Serves this source in the next turn, whether or not the system speaks of it.
    fn again(&mut self, key: Key) {
        if let Some(slot) = self.slots.find(key)
            && !std::mem::replace(&mut slot.is_ready, true)
        {
            self.agenda.ready.push(key);
        }
    }

    fn set_deadline(&mut self, key: Key, after: Duration) {
        let deadline = self.deadlines.start(after, Due::Connection(key));
        let Some(connection) = self.connection(key) else {
            return self.deadlines.stop(deadline);
        };
        if let Some(earlier) = connection.deadline.replace(deadline) {
            self.deadlines.stop(earlier);
        }
    }

    fn start_closing(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        connection.state = State::Closing { is_shut: false };
        self.closing += 1;
        self.set_deadline(key, self.limits.close_deadline);
        self.mark_dirty(key);
    }

    /// Forgets a connection. Dropping its socket also takes it off the system's readiness queue.
    fn remove(&mut self, key: Key) -> Option<Box<Connection>> {
        self.connection(key)?;
        let Source::Connection(connection) = self.slots.remove(key)?.source else { return None };
        if let Some(deadline) = connection.deadline {
            self.deadlines.stop(deadline);
        }
        self.strangers.remove(key);
        self.connections -= 1;
        self.closing -= usize::from(matches!(connection.state, State::Closing { .. }));
        Some(connection)
    }
}

//! One turn of the loop: wait, read and hand over, write.

use std::io::{self, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest};

use super::connection::{Connection, State};
use super::deadlines::Due;
use super::slots::Key;
use super::{
    CloseReason, ConnectionId, Net, Peer, SIGNALS, Service, Slot, SocketId, Source, TimerId, WAKER,
};
use crate::membership::{MAGIC, MAX_HANDSHAKE_FRAME};
use crate::seal::envelope::{self, Opener, SealError};

/// How many datagrams are taken from one socket in one turn.
const DATAGRAMS_AT_ONCE: usize = 64;

/// What is known about a source that is served.
#[derive(Clone, Copy, Default)]
struct Readiness {
    is_writable: bool,
    /// Something can be read, or reading says what is wrong.
    is_readable: bool,
    /// The peer sends no more.
    has_ended: bool,
}

impl Readiness {
    fn of(event: &Event) -> Self {
        let has_ended = event.is_read_closed() || event.is_error();
        Readiness {
            is_writable: event.is_writable() || event.is_write_closed(),
            is_readable: event.is_readable() || has_ended,
            has_ended,
        }
    }
}

/// A turn of the loop: what is served, and the program that is told of it.
pub(super) struct Turn<'a, S: Service + ?Sized> {
    pub(super) net: &'a mut Net,
    pub(super) service: &'a mut S,
}

impl Net {
    /// Serves until [`stop`](Self::stop) is called. Then connections that were closed with
    /// [`close_when_sent`](Self::close_when_sent) are given until
    /// [`Limits::close_deadline`](crate::Limits), or until a watched signal comes, and the others
    /// are left as they are.
    ///
    /// # Errors
    ///
    /// If the system's readiness queue fails; and if called from within a handler. What goes wrong
    /// on a connection is the service's matter and ends nothing else.
    pub fn run<S: Service + ?Sized>(&mut self, service: &mut S) -> io::Result<()> {
        while !self.is_stopped {
            self.turn(service, None)?;
        }
        self.is_stopped = false;
        self.finish_closing()
    }

    /// Waits until something has happened, at most as long as `timeout` says, and serves it. For
    /// tests, and for programs with a loop of their own.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn<S: Service + ?Sized>(
        &mut self,
        service: &mut S,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        if self.is_in_turn {
            let message = "a handler must not run the loop that called it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.is_in_turn = true;
        let result = Turn { net: self, service }.run(timeout);
        self.is_in_turn = false;
        result
    }
}

impl<S: Service + ?Sized> Turn<'_, S> {
    fn run(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // What was sent, connected and closed between two turns.
        if self.net.is_unsettled() {
            self.settle()?;
        }

        let wait = match (timeout, self.net.deadlines.wait()) {
            _ if !self.net.agenda.ready.is_empty() => Some(Duration::ZERO),
            (Some(timeout), Some(wait)) => Some(timeout.min(wait)),
            (timeout, wait) => timeout.or(wait),
        };
        let events = self.net.poll(wait)?;
        // What becomes ready in this turn is served in the next.
        let mut ready = std::mem::replace(
            &mut self.net.agenda.ready,
            std::mem::take(&mut self.net.agenda.ready_spare),
        );
        for event in &events {
            self.on_event(event);
        }
        self.net.system.events = events;
        for key in ready.drain(..) {
            self.serve_again(key);
        }
        self.net.agenda.ready_spare = ready;
        self.serve_deadlines();
        self.settle()?;
        self.net.slots.end_turn();
        Ok(())
    }

    fn on_event(&mut self, event: &Event) {
        match event.token() {
            WAKER => self.service.on_wake(self.net),
            SIGNALS => self.serve_signals(),
            token => {
                // What was closed in this turn has no key any more.
                if let Some(key) = self.net.slots.key_of(token) {
                    self.serve(key, Readiness::of(event));
                }
            }
        }
    }

    fn serve_again(&mut self, key: Key) {
        if let Some(slot) = self.net.slots.find(key)
            && std::mem::replace(&mut slot.is_ready, false)
        {
            self.serve(key, Readiness { is_readable: true, ..Readiness::default() });
        }
    }

    fn serve(&mut self, key: Key, readiness: Readiness) {
        match self.net.slots.find(key) {
            Some(Slot { source: Source::Connection(connection), .. }) => {
                connection.ended |= readiness.has_ended;
                self.serve_connection(key, readiness);
            }
            Some(Slot { source: Source::Listener(_), .. }) => self.accept(key),
            Some(Slot { source: Source::Udp(_), .. }) => self.receive(key),
            None => {}
        }
    }

    fn serve_connection(&mut self, key: Key, readiness: Readiness) {
        let Some(connection) = self.net.connection(key) else { return };
        if matches!(connection.state, State::Connecting(..)) && !self.connected(key) {
            return;
        }
        if readiness.is_writable {
            self.unblock(key);
        }
        if readiness.is_readable {
            self.read(key);
        }
    }

    fn unblock(&mut self, key: Key) {
        let holds_back = self.net.holds_back;
        let Some(connection) = self.net.connection(key) else { return };
        let is_drained = connection.unblock(holds_back);
        let is_open = matches!(connection.state, State::Open);
        self.net.after_write(key);
        if is_drained && is_open {
            self.service.on_drained(self.net, ConnectionId(key));
        }
    }

    /// The system has made a connection, or has given up, or has spoken too early. True if it is
    /// made.
    fn connected(&mut self, key: Key) -> bool {
        let Some(connection) = self.net.connection(key) else { return false };
        match connection.is_connected() {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                self.lose(key, CloseReason::ConnectFailed(error));
                return false;
            }
        }
        let State::Connecting(handshake, hello) =
            std::mem::replace(&mut connection.state, State::Open)
        else {
            return false;
        };
        let Some(handshake) = handshake else {
            self.open(key);
            return true;
        };
        connection.state = State::Greeting { handshake, is_anybody_welcome: false };
        connection.queue.push(&hello);
        self.net.set_deadline(key, self.net.limits.handshake_deadline);
        self.net.mark_dirty(key);
        true
    }

    /// From now on the connection is the service's.
    pub(super) fn open(&mut self, key: Key) {
        self.net.strangers.remove(key);
        let Some(connection) = self.net.connection(key) else { return };
        connection.state = State::Open;
        let peer = connection.peer;
        if let Some(deadline) = connection.deadline.take() {
            self.net.deadlines.stop(deadline);
        }
        self.service.on_open(self.net, ConnectionId(key), &peer);
    }

    /// Reads once, and hands over what came.
    fn read(&mut self, key: Key) {
        let mut buffer = std::mem::take(&mut self.net.buffers.read);
        if let Some(connection) = self.net.connection(key) {
            match read(connection, &mut buffer) {
                Ok(0) => self.on_end(key),
                Ok(n) => {
                    self.take_in(key, &buffer[..n]);
                    self.net.read_again_unless_drained(key, n == buffer.len());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(error) = connection.failed.take() {
                        self.lose(key, CloseReason::Broken(error));
                    }
                }
                Err(error) => self.lose(key, CloseReason::Broken(error)),
            }
        }
        self.net.buffers.read = buffer;
    }

    /// The end of the stream has been read. Half-closed counts as closed.
    fn on_end(&mut self, key: Key) {
        let Some(connection) = self.net.connection(key) else { return };
        if matches!(connection.state, State::Closing { is_shut: false }) {
            // It may still read what we have for it; the deadline runs.
            return;
        }
        let reason = match connection.splitter.pending() {
            0 => CloseReason::Ended,
            pending => CloseReason::EndedInFrame { pending },
        };
        self.lose(key, reason);
    }

    /// Hands over the frames in what was read. Handlers may close this connection and any other.
    fn take_in(&mut self, key: Key, mut input: &[u8]) {
        let Some(connection) = self.net.connection(key) else { return };
        let mut splitter = std::mem::take(&mut connection.splitter);
        let mut opener = connection.opener.take();
        let (bytes, mut brought) = (input.len(), Brought::default());
        while let Some(connection) = self.net.connection(key) {
            let is_open = match connection.state {
                State::Open => true,
                State::Greeting { .. } => false,
                State::Connecting(..) | State::Closing { .. } | State::Doomed => return,
            };
            match (splitter.next(&mut input), &mut opener) {
                (Ok(Some(body)), _) if !is_open => {
                    let max = self.greet(key, body);
                    splitter.limit(max);
                    opener = self.net.connection(key).and_then(|opened| opened.opener.take());
                }
                (Ok(Some(body)), None) => {
                    brought.frames += 1;
                    self.service.on_frame(self.net, ConnectionId(key), body);
                }
                (Ok(Some(body)), Some(opener)) => {
                    brought.envelopes += 1;
                    match self.open_envelope(key, opener, body) {
                        Ok(frames) => brought.frames += frames,
                        Err(error) => return self.lose(key, CloseReason::Seal(error)),
                    }
                }
                (Ok(None), _) => {
                    brought.tell(&connection.peer, bytes);
                    connection.splitter = splitter;
                    connection.opener = opener;
                    return;
                }
                (Err(error), _) => return self.lose(key, CloseReason::Frame(error)),
            }
        }
    }

    /// Hands over the frames in an envelope, unless a handler closes the connection. Returns how many.
    fn open_envelope(
        &mut self,
        key: Key,
        opener: &mut Opener,
        envelope: &[u8],
    ) -> Result<usize, SealError> {
        let mut frames = opener.open(envelope, self.net.limits.max_frame)?;
        let mut count = 0;
        while let Some(body) = frames.next()? {
            let Some(Connection { state: State::Open, .. }) = self.net.connection(key) else {
                break;
            };
            count += 1;
            self.service.on_frame(self.net, ConnectionId(key), body);
        }
        Ok(count)
    }

    /// Hands a frame to the handshake; if anybody is welcome and the frame does not begin like a
    /// handshake, to the service. Returns the limit of the frames that follow.
    fn greet(&mut self, key: Key, body: &[u8]) -> usize {
        let max_frame = self.net.limits.max_frame;
        let Some(connection) = self.net.connection(key) else { return max_frame };
        let State::Greeting { handshake, is_anybody_welcome } = &mut connection.state else {
            return max_frame;
        };
        if std::mem::take(is_anybody_welcome) && !body.starts_with(&MAGIC) {
            self.open(key);
            if let Some(Connection { state: State::Open, .. }) = self.net.connection(key) {
                self.service.on_frame(self.net, ConnectionId(key), body);
            }
            return max_frame;
        }
        let progress = match handshake.on_frame(body) {
            Ok(progress) => progress,
            Err(error) => {
                self.lose(key, CloseReason::Handshake(error));
                return max_frame;
            }
        };
        if let Some(reply) = progress.reply {
            connection.queue.push(&reply);
        }
        let Some(member) = progress.done else {
            self.net.mark_dirty(key);
            return MAX_HANDSHAKE_FRAME;
        };
        connection.seal(member);
        self.net.mark_dirty(key);
        self.open(key);
        envelope::longest(max_frame)
    }

    fn receive(&mut self, key: Key) {
        let mut buffer = std::mem::take(&mut self.net.buffers.read);
        self.receive_into(key, &mut buffer);
        self.net.buffers.read = buffer;
    }

    fn receive_into(&mut self, key: Key, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_AT_ONCE {
            let Some(Slot { source: Source::Udp(letterbox), .. }) = self.net.slots.find(key) else {
                return;
            };
            let max_frame = self.net.limits.max_frame;
            match letterbox.socket.recv_from(buffer) {
                Ok((size, from)) => match letterbox.open(from, &buffer[..size], max_frame) {
                    Ok((from, body)) => {
                        self.service.on_datagram(self.net, SocketId(key), from, body)
                    }
                    Err(error) => log::debug!("dropped what came from {from}: {error}"),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An earlier datagram of ours found nobody: that is what UDP is like.
                Err(error) => log::debug!("nothing received: {error}"),
            }
        }
        self.net.again(key);
    }

    fn serve_signals(&mut self) {
        let Some(signals) = &mut self.net.system.signals else { return };
        let pending: Vec<i32> = signals.pending().collect();
        for signal in pending {
            self.service.on_signal(self.net, signal);
        }
    }

    fn serve_deadlines(&mut self) {
        let Some(now) = self.net.deadlines.now() else { return };
        while let Some((key, due)) = self.net.deadlines.pop(now) {
            match due {
                Due::Timer => self.service.on_timer(self.net, TimerId(key)),
                Due::Connection(key) => self.on_deadline(key),
                Due::Listener(key) => self.accept(key),
                Due::StrangerLog => drop(self.net.strangers.end_window()),
            }
        }
    }

    fn on_deadline(&mut self, key: Key) {
        let Some(connection) = self.net.connection(key) else { return };
        let reason = match connection.state {
            State::Connecting(..) => CloseReason::ConnectTimedOut,
            // For one that is closing no reason is told.
            _ => CloseReason::HandshakeTimedOut,
        };
        self.lose(key, reason);
    }

    /// Carries out what the handlers have asked for, when they agree that it may leave. Telling them
    /// of an end may make them ask for more.
    fn settle(&mut self) -> io::Result<()> {
        loop {
            self.service.on_turn_end(self.net)?;
            self.net.write_dirty();
            for (key, reason) in std::mem::take(&mut self.net.agenda.doomed) {
                self.lose(key, reason);
            }
            if !self.net.is_unsettled() {
                return Ok(());
            }
        }
    }
}

impl Net {
    /// Waits for events. They are put back after the turn, so that their memory is used again.
    fn poll(&mut self, wait: Option<Duration>) -> io::Result<Events> {
        let mut events = std::mem::replace(&mut self.system.events, Events::with_capacity(0));
        match self.system.poll.poll(&mut events, wait) {
            Ok(()) => {}
            // A signal came. If it is watched, its event comes in the next turn.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            Err(error) => {
                self.system.events = events;
                return Err(error);
            }
        }
        Ok(events)
    }

    /// Whether something waits to be written, or to end.
    fn is_unsettled(&self) -> bool {
        !self.agenda.dirty.is_empty() || !self.agenda.doomed.is_empty()
    }

    fn read_again_unless_drained(&mut self, key: Key, was_full: bool) {
        if let Some(connection) = self.connection(key)
            && (was_full || connection.ended || connection.failed.is_some())
        {
            self.again(key);
        }
    }

    fn write_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.agenda.dirty);
        for key in dirty.drain(..) {
            if let Some(connection) = self.connection(key) {
                connection.is_dirty = false;
                connection.write();
                self.after_write(key);
            }
        }
        self.agenda.dirty = dirty;
    }

    /// Writing has failed, or has finished what had to be sent before closing.
    fn after_write(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        if connection.failed.is_some() {
            // What the peer sent before it broke is still there to be read.
            return self.again(key);
        }
        if matches!(connection.state, State::Closing { is_shut: false })
            && connection.queue.len() == 0
        {
            connection.state = State::Closing { is_shut: true };
            // Closing a socket with unread bytes resets the connection, and the reset can overtake
            // what we have just written. So we say that nothing follows, and read until the peer
            // says so too.
            match connection.stream.shutdown(Shutdown::Write) {
                Ok(()) => self.again(key),
                Err(_) => drop(self.remove(key)),
            }
        }
    }

    /// Lets connections that are closing finish, without serving anything else. A watched signal
    /// ends the wait: somebody is impatient.
    fn finish_closing(&mut self) -> io::Result<()> {
        let until = Instant::now() + self.limits.close_deadline;
        let mut missed = Missed::default();
        while self.closing > 0 && !missed.is_signalled {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            let wait = if self.agenda.ready.is_empty() { left } else { Duration::ZERO };
            let events = self.poll(Some(wait))?;
            for event in &events {
                match event.token() {
                    WAKER => missed.is_woken = true,
                    SIGNALS => missed.is_signalled = true,
                    token => {
                        let Some(key) = self.slots.key_of(token) else { continue };
                        self.finish_one(key, Readiness::of(event), &mut missed.sources);
                    }
                }
            }
            self.system.events = events;
            for key in std::mem::take(&mut self.agenda.ready) {
                if let Some(slot) = self.slots.find(key) {
                    slot.is_ready = false;
                    let again = Readiness { is_readable: true, ..Readiness::default() };
                    self.finish_one(key, again, &mut missed.sources);
                }
            }
        }
        self.remember(missed)
    }

    /// What the system has spoken of once is served when the loop runs again.
    fn remember(&mut self, missed: Missed) -> io::Result<()> {
        for key in missed.sources {
            self.again(key);
        }
        self.slots.end_turn();
        if missed.is_woken {
            self.system.waker.wake()?;
        }
        if missed.is_signalled
            && let Some(signals) = &mut self.system.signals
        {
            self.system.poll.registry().reregister(signals, SIGNALS, Interest::READABLE)?;
        }
        Ok(())
    }

    fn finish_one(&mut self, key: Key, readiness: Readiness, others: &mut Vec<Key>) {
        let Some(connection) = self.connection(key) else { return others.push(key) };
        connection.ended |= readiness.has_ended;
        if !matches!(connection.state, State::Closing { .. }) {
            if readiness.is_writable {
                connection.unblock(false);
            }
            return others.push(key);
        }
        Turn { net: self, service: &mut Nobody }.serve_connection(key, readiness);
    }
}

fn read(connection: &mut Connection, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match connection.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What one read of a connection brought.
#[derive(Default)]
struct Brought {
    /// How many frames were handed over.
    frames: usize,
    /// In how many envelopes they came.
    envelopes: usize,
}

impl Brought {
    /// Logs a read of several frames. Nothing else shows that TCP keeps no borders between them.
    fn tell(&self, from: &Peer, bytes: usize) {
        let Self { frames, envelopes } = *self;
        if frames < 2 || !log::log_enabled!(log::Level::Debug) {
            return;
        }
        let within = match envelopes {
            0 => String::new(),
            1 => ", in 1 envelope".to_owned(),
            n => format!(", in {n} envelopes"),
        };
        let from = from.rank.map_or_else(|| from.address.to_string(), |rank| format!("p{rank}"));
        log::debug!("{frames} frames in one read of {bytes} bytes from {from}{within}");
    }
}

/// What happened while connections were closing, and nobody was told of.
#[derive(Default)]
struct Missed {
    sources: Vec<Key>,
    is_woken: bool,
    is_signalled: bool,
}

/// Serves connections of which no service is told anything any more.
struct Nobody;

impl Service for Nobody {
    fn on_open(&mut self, _: &mut Net, _: ConnectionId, _: &Peer) {}
    fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {}
    fn on_close(&mut self, _: &mut Net, _: ConnectionId, _: CloseReason) {}
}

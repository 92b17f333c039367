//! A service that writes down what happens, so that a test can run two ends and read what they saw.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use netkit::{
    Admission, CloseReason, ConnectionId, Limits, Membership, Net, Peer, Secret, Sender, Service,
    SocketId, TimerId,
};

/// What a test waits for at most. It fails then, so that a machine under load may be slow and no
/// test hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The same words as the methods of `Service`.
#[derive(Debug)]
pub(crate) enum Seen {
    Open(ConnectionId, Peer),
    Frame(ConnectionId, Vec<u8>),
    Close(ConnectionId, CloseReason),
    Drained(ConnectionId),
    Datagram(SocketId, Sender, Vec<u8>),
    Timer(TimerId),
    Signal(i32),
    Wake,
}

/// Writes down what it sees, and does what `react` says.
pub(crate) struct Recorder<F = fn(&mut Net, &Seen)> {
    pub(crate) seen: Vec<Seen>,
    pub(crate) turn_ends: usize,
    react: F,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Recorder { seen: Vec::new(), turn_ends: 0, react: |_, _| {} }
    }
}

impl<F: FnMut(&mut Net, &Seen)> Recorder<F> {
    pub(crate) fn reacting(react: F) -> Self {
        Recorder { seen: Vec::new(), turn_ends: 0, react }
    }

    fn note(&mut self, net: &mut Net, seen: Seen) {
        (self.react)(net, &seen);
        self.seen.push(seen);
    }

    pub(crate) fn opened(&self) -> Vec<ConnectionId> {
        self.pick(|seen| if let Seen::Open(id, _) = seen { Some(*id) } else { None })
    }

    pub(crate) fn frames(&self) -> Vec<&[u8]> {
        self.pick(|seen| if let Seen::Frame(_, body) = seen { Some(&**body) } else { None })
    }

    pub(crate) fn closed(&self) -> Vec<&CloseReason> {
        self.pick(|seen| if let Seen::Close(_, reason) = seen { Some(reason) } else { None })
    }

    pub(crate) fn datagrams(&self) -> Vec<&[u8]> {
        self.pick(|seen| if let Seen::Datagram(_, _, body) = seen { Some(&**body) } else { None })
    }

    pub(crate) fn timers(&self) -> Vec<TimerId> {
        self.pick(|seen| if let Seen::Timer(id) = seen { Some(*id) } else { None })
    }

    fn pick<'a, T>(&'a self, pick: impl Fn(&'a Seen) -> Option<T>) -> Vec<T> {
        self.seen.iter().filter_map(pick).collect()
    }
}

impl<F: FnMut(&mut Net, &Seen)> Service for Recorder<F> {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        self.note(net, Seen::Open(connection, *peer));
    }
    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        self.note(net, Seen::Frame(connection, body.to_vec()));
    }
    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        self.note(net, Seen::Close(connection, reason));
    }
    fn on_drained(&mut self, net: &mut Net, connection: ConnectionId) {
        self.note(net, Seen::Drained(connection));
    }
    fn on_datagram(&mut self, net: &mut Net, socket: SocketId, from: Sender, body: &[u8]) {
        self.note(net, Seen::Datagram(socket, from, body.to_vec()));
    }
    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        self.note(net, Seen::Timer(timer));
    }
    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        self.note(net, Seen::Signal(signal));
    }
    fn on_wake(&mut self, net: &mut Net) {
        self.note(net, Seen::Wake);
    }
    fn on_turn_end(&mut self, _: &mut Net) -> std::io::Result<()> {
        self.turn_ends += 1;
        Ok(())
    }
}

/// A loop and its recorder.
pub(crate) struct Side<F = fn(&mut Net, &Seen)> {
    pub(crate) net: Net,
    pub(crate) recorder: Recorder<F>,
}

impl Side {
    pub(crate) fn new(limits: Limits) -> Self {
        Side { net: Net::new(limits).expect("a loop"), recorder: Recorder::new() }
    }
}

impl<F: FnMut(&mut Net, &Seen)> Side<F> {
    pub(crate) fn reacting(limits: Limits, react: F) -> Self {
        Side { net: Net::new(limits).expect("a loop"), recorder: Recorder::reacting(react) }
    }

    pub(crate) fn listen(&mut self, admission: Admission) -> SocketAddr {
        self.net.listen(loopback(), admission).expect("a free port").1
    }

    pub(crate) fn turn(&mut self) {
        self.net.turn(&mut self.recorder, Some(Duration::from_millis(1))).expect("a turn");
    }

    /// Runs until `done`, and fails if that takes too long.
    #[track_caller]
    pub(crate) fn until(&mut self, mut done: impl FnMut(&Recorder<F>) -> bool) {
        let start = Instant::now();
        while !done(&self.recorder) {
            assert!(start.elapsed() < PATIENCE, "waited in vain; saw {:?}", self.recorder.seen);
            self.turn();
        }
    }
}

/// Runs both ends until `done`, and fails if that takes too long.
#[track_caller]
pub(crate) fn both<F, G>(
    a: &mut Side<F>,
    b: &mut Side<G>,
    mut done: impl FnMut(&Recorder<F>, &Recorder<G>) -> bool,
) where
    F: FnMut(&mut Net, &Seen),
    G: FnMut(&mut Net, &Seen),
{
    let start = Instant::now();
    while !done(&a.recorder, &b.recorder) {
        let seen = (&a.recorder.seen, &b.recorder.seen);
        assert!(start.elapsed() < PATIENCE, "waited in vain; saw {seen:?}");
        a.net.turn(&mut a.recorder, Some(Duration::ZERO)).expect("a turn");
        b.net.turn(&mut b.recorder, Some(Duration::from_millis(1))).expect("a turn");
    }
}

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

pub(crate) fn member(secret: &Secret, me: u32) -> Membership {
    Membership { run: "20261122-071500-3f9a".into(), secret: secret.clone(), me }
}

pub(crate) fn secret() -> Secret {
    Secret::random().expect("randomness")
}

/// A frame as it stands on the wire.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    netkit::frame::write_header(body.len(), &mut frame);
    frame.extend_from_slice(body);
    frame
}

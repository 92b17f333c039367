//! What a program must store before anybody hears of it does not leave before the end of the turn.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Peer, Service};

mod common;
use common::{PATIENCE, frame};

/// How much waits at least before it would be written in the middle of a turn.
const MUCH: usize = 200_000;

/// What an answer is made of: no byte of the header of a frame.
fn mark(answer: usize) -> u8 {
    answer as u8 | 0x80
}

/// Answers each frame with much, and looks at the end of the turn for what the peer has heard of it.
struct Storing {
    /// The other peer, and whether it got anything.
    watched: TcpStream,
    has_heard: bool,
    connections: Vec<ConnectionId>,
    answered: usize,
    /// How many turns ended in which something was answered.
    commits: usize,
    /// How many bytes the peer had got, beyond those of earlier turns.
    too_early: usize,
    fails: bool,
}

impl Service for Storing {
    fn on_open(&mut self, _: &mut Net, connection: ConnectionId, _: &Peer) {
        self.connections.push(connection);
    }

    fn on_frame(&mut self, net: &mut Net, _: ConnectionId, _: &[u8]) {
        self.answered += 1;
        for connection in &self.connections {
            net.send(*connection, &vec![mark(self.answered); MUCH]).expect("open");
        }
    }

    fn on_close(&mut self, _: &mut Net, _: ConnectionId, _: CloseReason) {}

    fn on_turn_end(&mut self, _: &mut Net) -> io::Result<()> {
        if self.answered > self.commits {
            self.commits = self.answered;
            self.too_early += self.heard(mark(self.answered));
            if self.fails {
                return Err(io::Error::other("the disk is full"));
            }
        }
        Ok(())
    }
}

impl Storing {
    fn new(address: SocketAddr, fails: bool) -> Self {
        let watched = TcpStream::connect(address).expect("connected");
        watched.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
        Self {
            has_heard: false,
            watched,
            connections: Vec::new(),
            answered: 0,
            commits: 0,
            too_early: 0,
            fails,
        }
    }

    /// Reads what is here for the peer, and counts the bytes of this answer.
    fn heard(&mut self, answer: u8) -> usize {
        let (mut bytes, mut count) = (vec![0; MUCH], 0);
        while let Ok(read @ 1..) = self.watched.read(&mut bytes) {
            count += bytes[..read].iter().filter(|&&byte| byte == answer).count();
            self.has_heard = true;
        }
        count
    }
}

/// A loop that holds back, a service on it, and a peer that asks.
fn side(fails: bool) -> (Net, Storing, TcpStream) {
    let mut net = Net::new(Limits::default()).expect("a loop");
    net.hold_back();
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let (_, address) = net.listen(here, Admission::Anyone).expect("a listener");
    let mut service = Storing::new(address, fails);
    let asking = TcpStream::connect(address).expect("connected");
    while service.connections.len() < 2 {
        net.turn(&mut service, Some(PATIENCE)).expect("a turn");
    }
    (net, service, asking)
}

#[test]
fn nothing_leaves_before_the_turn_has_ended() {
    let (mut net, mut service, mut asking) = side(false);
    for question in 1..=5 {
        ask(&mut net, &mut service, &mut asking, question);
    }
    assert!(service.has_heard, "nothing was heard at all");
    assert_eq!(service.too_early, 0, "bytes left before they were stored");
}

/// The system takes bytes of an earlier turn again in the turn in which somebody asks.
#[test]
fn what_is_sent_behind_a_blocked_answer_waits_too() {
    let (mut net, mut service, mut asking) = side(false);
    let watched = *service.connections.first().expect("the first connection");
    while net.queued(watched) == 0 {
        net.send(watched, &vec![0; MUCH]).expect("open");
        net.turn(&mut service, Some(Duration::ZERO)).expect("a turn");
    }
    let mut bytes = vec![0; MUCH / 10];
    while net.queued(watched) > MUCH / 2 {
        service.watched.read_exact(&mut bytes).expect("there is more");
        net.turn(&mut service, Some(Duration::ZERO)).expect("a turn");
    }
    assert!(net.queued(watched) > 0, "nothing waits any more");
    asking.write_all(&frame(b"?")).expect("sent");
    // Now there is room for all that waits, and more.
    service.watched.read_exact(&mut vec![0; 5 * MUCH]).expect("there is more");
    while service.commits < 1 {
        net.turn(&mut service, Some(PATIENCE)).expect("a turn");
    }
    assert!(service.has_heard, "nothing was heard at all");
    assert_eq!(service.too_early, 0, "bytes left before they were stored");
}

/// The peer asks, and takes the whole answer.
fn ask(net: &mut Net, service: &mut Storing, asking: &mut TcpStream, question: usize) {
    asking.write_all(&frame(b"?")).expect("sent");
    while service.commits < question {
        net.turn(service, Some(PATIENCE)).expect("a turn");
    }
    let (mut bytes, mut got) = (vec![0; MUCH + 4], 0);
    asking.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
    while got < MUCH + 4 {
        got += asking.read(&mut bytes).unwrap_or(0);
        net.turn(service, Some(Duration::ZERO)).expect("a turn");
    }
}

#[test]
fn nothing_of_a_turn_leaves_that_could_not_be_stored() {
    let (mut net, mut service, mut asking) = side(true);
    asking.write_all(&frame(b"?")).expect("sent");
    let failed = loop {
        match net.turn(&mut service, Some(PATIENCE)) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(failed.to_string(), "the disk is full");
    drop(net);
    asking.set_read_timeout(Some(PATIENCE)).expect("a live socket");
    let mut heard = Vec::new();
    asking.read_to_end(&mut heard).expect("the end");
    assert_eq!(heard.len(), 0);
}

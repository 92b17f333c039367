//! The connections to other processes, and the frames that wait for them.
//!
//! Two processes may have connected to each other. Messages from here to one process always go the
//! same way, or they could overtake each other; what the other one sends may come on either.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::warn;
use netkit::membership::Membership;
use netkit::{ConnectionId, Net, Outgoing, Peer};

use super::now;
use crate::process::ProcessId;
use crate::run::links::Link;

/// The ways to all other processes.
pub(in crate::run) struct Ways {
    membership: Membership,
    ways: BTreeMap<ProcessId, Way>,
    /// Which process is at the other end of each connection, open or not.
    ends: BTreeMap<ConnectionId, ProcessId>,
    since: Instant,
}

#[derive(Default)]
struct Way {
    /// The connection that messages go on.
    connection: Option<ConnectionId>,
    is_open: bool,
    /// Frames that wait until it is open.
    waiting: Vec<Vec<u8>>,
    /// Frames that the plan of faults keeps back.
    link: Link,
}

impl Ways {
    pub(in crate::run) fn new(membership: Membership) -> Self {
        Self { membership, ways: BTreeMap::new(), ends: BTreeMap::new(), since: now() }
    }

    pub(in crate::run) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The time by which frames are kept back.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    pub(super) fn link(&mut self, to: ProcessId) -> &mut Link {
        &mut self.ways.entry(to).or_default().link
    }

    /// The process at the other end.
    pub(in crate::run) fn end(&self, connection: ConnectionId) -> Option<ProcessId> {
        self.ends.get(&connection).copied()
    }

    /// Begins to connect to a process, unless there is a connection.
    pub(in crate::run) fn connect(
        &mut self,
        net: &mut Net,
        to: ProcessId,
        address: SocketAddr,
    ) -> io::Result<()> {
        let way = self.ways.entry(to).or_default();
        if way.connection.is_none() {
            let outgoing = Outgoing::Member { membership: self.membership.clone(), to: to.0 };
            let connection = net.connect(address, outgoing)?;
            way.connection = Some(connection);
            self.ends.insert(connection, to);
        }
        Ok(())
    }

    /// Closes the way to a process, and forgets what waits for it.
    pub(in crate::run) fn disconnect(&mut self, net: &mut Net, process: ProcessId) {
        let Some(way) = self.ways.get_mut(&process) else { return };
        way.is_open = false;
        way.waiting.clear();
        if let Some(connection) = way.connection.take() {
            self.ends.remove(&connection);
            net.close(connection);
        }
    }

    /// Closes the ways to all processes. What was sent in this turn does not leave.
    pub(super) fn disconnect_all(&mut self, net: &mut Net) {
        std::mem::take(&mut self.ends).into_keys().for_each(|connection| net.close(connection));
        self.ways.clear();
    }

    /// A connection with a process is open. Returns whether messages to it go this way: then those
    /// that waited are sent.
    pub(in crate::run) fn open(
        &mut self,
        net: &mut Net,
        connection: ConnectionId,
        peer: &Peer,
    ) -> bool {
        let process = ProcessId(peer.rank.unwrap_or_default());
        self.ends.insert(connection, process);
        let way = self.ways.entry(process).or_default();
        if *way.connection.get_or_insert(connection) != connection {
            return false;
        }
        way.is_open = true;
        for frame in std::mem::take(&mut way.waiting) {
            if let Err(error) = net.send(connection, &frame) {
                warn!("a message to {process} was not sent: {error}");
            }
        }
        true
    }

    /// A connection has ended, or is to. Returns the process to which there is no way any more.
    pub(in crate::run) fn close(
        &mut self,
        net: &mut Net,
        connection: ConnectionId,
    ) -> Option<ProcessId> {
        net.close(connection);
        let process = self.ends.remove(&connection)?;
        let way = self.ways.get_mut(&process)?;
        if way.connection != Some(connection) {
            return None;
        }
        way.connection = None;
        way.is_open = false;
        Some(process)
    }

    /// Sends a frame, if there is an open way. Returns it otherwise.
    pub(in crate::run) fn send(
        &mut self,
        net: &mut Net,
        to: ProcessId,
        frame: Vec<u8>,
    ) -> Option<Vec<u8>> {
        let open = self.ways.get(&to).filter(|way| way.is_open);
        let Some(connection) = open.and_then(|way| way.connection) else { return Some(frame) };
        if let Err(error) = net.send(connection, &frame) {
            warn!("a message to {to} was not sent: {error}");
        }
        None
    }

    /// Lets a frame wait until there is a way. Returns how many wait.
    pub(super) fn keep(&mut self, to: ProcessId, frame: Vec<u8>) -> usize {
        let waiting = &mut self.ways.entry(to).or_default().waiting;
        waiting.push(frame);
        waiting.len()
    }
}

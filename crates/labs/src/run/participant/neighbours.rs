//! The connections to the other participants: opening them, and noticing that one is gone.

use log::{debug, warn};
use netkit::{ConnectionId, Net, Outgoing, Peer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    CONNECT_PAUSE, CONNECT_TRIES, Driver, IndicationOf, Neighbour, Phase, RequestOf, TimerUse, now,
};
use crate::lab::Lab;
use crate::overlay::Contact;
use crate::process::{Process, ProcessId};
use crate::run::wire::ToLauncher;

impl<L, P> Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    pub(super) fn release(&mut self, net: &mut Net, opens: Vec<Contact>, accepts: u32) {
        self.phase = Phase::Connecting;
        // Some may have connected already: the release does not reach everyone at once.
        let early = self.connections.keys().filter(|&&c| net.peer(c).is_some_and(|p| p.incoming));
        self.accepts_left =
            accepts.saturating_sub(u32::try_from(early.count()).unwrap_or(u32::MAX));
        for contact in opens {
            self.meet(net, &contact);
        }
        self.check_ready(net);
    }

    /// Connects to a process whose address is now known.
    pub(super) fn meet(&mut self, net: &mut Net, contact: &Contact) {
        let Ok(address) = contact.address.parse() else {
            let why =
                format!("{} has the address {:?}, which is none", contact.process, contact.address);
            return self.fail(net, why);
        };
        self.addresses.insert(contact.process, address);
        let neighbour = self.neighbours.entry(contact.process).or_insert_with(Neighbour::new);
        if neighbour.connection.is_none() {
            self.open(net, contact.process);
        }
    }

    /// Connects to a process that started again, somewhere else. What was sent to it meanwhile is lost.
    pub(super) fn meet_again(&mut self, net: &mut Net, contact: &Contact) {
        if let Some(neighbour) = self.neighbours.get_mut(&contact.process) {
            let old = neighbour.connection.take();
            *neighbour = Neighbour::new();
            if let Some(old) = old {
                self.connections.remove(&old);
                net.close(old);
            }
        }
        self.meet(net, contact);
    }

    /// Tries to connect once more, unless it is connected by now.
    pub(super) fn try_again(&mut self, net: &mut Net, to: ProcessId) {
        let is_connected = |neighbour: &Neighbour| neighbour.connection.is_some();
        if !self.neighbours.get(&to).is_some_and(is_connected) {
            self.open(net, to);
        }
    }

    pub(super) fn open(&mut self, net: &mut Net, to: ProcessId) {
        let Some(&address) = self.addresses.get(&to) else { return };
        let outgoing = Outgoing::Member { membership: self.membership.clone(), to: to.0 };
        let neighbour = self.neighbours.entry(to).or_insert_with(Neighbour::new);
        neighbour.tries += 1;
        match net.connect(address, outgoing) {
            Ok(connection) => {
                neighbour.connection = Some(connection);
                self.connections.insert(connection, to);
            }
            Err(error) => self.fail(net, format!("cannot connect to {to} at {address}: {error}")),
        }
    }

    pub(super) fn on_neighbour_open(
        &mut self,
        net: &mut Net,
        connection: ConnectionId,
        peer: &Peer,
    ) {
        let Some(rank) = peer.rank.filter(|&rank| rank < self.config.processes) else {
            warn!("{} proved to be {:?}, which is no participant: closed", peer.address, peer.rank);
            return net.close(connection);
        };
        let process = ProcessId(rank);
        debug!("connected with {process} at {}", peer.address);
        self.connections.insert(connection, process);
        let neighbour = self.neighbours.entry(process).or_insert_with(Neighbour::new);
        let mine = *neighbour.connection.get_or_insert(connection);
        neighbour.last_word = now();
        neighbour.is_lost = false;
        if mine == connection {
            neighbour.is_open = true;
            for frame in std::mem::take(&mut neighbour.waiting) {
                if let Err(error) = net.send(connection, &frame) {
                    warn!("a message to {process} was not sent: {error}");
                }
            }
        }
        if peer.incoming && self.phase == Phase::Connecting {
            self.accepts_left = self.accepts_left.saturating_sub(1);
        }
        self.check_ready(net);
    }

    pub(super) fn check_ready(&mut self, net: &mut Net) {
        let all_open = self.neighbours.values().all(|neighbour| neighbour.is_open);
        if self.phase == Phase::Connecting && self.accepts_left == 0 && all_open {
            self.phase = Phase::Ready;
            self.tell(net, &ToLauncher::Ready);
        }
    }

    pub(super) fn on_neighbour_gone(&mut self, net: &mut Net, connection: ConnectionId, why: &str) {
        net.close(connection);
        let Some(process) = self.connections.remove(&connection) else { return };
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        if neighbour.connection != Some(connection) {
            return;
        }
        let was_open = neighbour.is_open;
        neighbour.connection = None;
        neighbour.is_open = false;
        if !was_open && neighbour.tries < CONNECT_TRIES {
            let timer = net.start_timer(CONNECT_PAUSE * neighbour.tries);
            self.timers.insert(timer, TimerUse::Retry(process));
        } else {
            self.lose(net, process, why.to_owned());
        }
    }

    pub(super) fn lose(&mut self, net: &mut Net, process: ProcessId, why: String) {
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        if std::mem::replace(&mut neighbour.is_lost, true) || self.phase >= Phase::HandingOver {
            return;
        }
        warn!("lost {process}: {why}");
        self.tell(net, &ToLauncher::PeerLost { peer: process, why });
        if self.phase == Phase::Running
            && let Some(request) = (self.options.deployment().lost)(process)
        {
            self.asked.push_back(request);
            self.settle(net);
        }
    }
}

//! The algorithm: each event is one step, and what it asks for is written down first and carried out then.

use std::time::Duration;

use log::{debug, info, warn};
use netkit::{ConnectionId, Net};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Driver, EARLY_MAX, IndicationOf, Neighbour, Phase, RequestOf, TimerUse, WAITING_MAX, now,
};
use crate::lab::Lab;
use crate::process::{Effect, Event, EventOf, Kind, Process, ProcessId, step_into};
use crate::run::journal::Entry;
use crate::run::wire::{MessageHeader, PeerFrame, PeerFrameRef, ToLauncher, kind_field};
use crate::trace::Stamper;

impl<L, P> Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    pub(super) fn start(&mut self, net: &mut Net) {
        self.phase = Phase::Running;
        self.started_at = now();
        if self.record(net, &Entry::Init) {
            info!("the algorithm starts");
            self.step(net, Event::Init);
        }
        self.asked.extend(self.options.requests(self.env.me));
        while let Some((header, message, bytes)) = self.early.pop_front() {
            self.receive(net, header, message, bytes);
        }
        self.settle(net);
    }

    /// Goes on where the one of this rank that died left off, so long after the others started.
    pub(super) fn resume(&mut self, net: &mut Net, at_us: u64, follow: Option<u64>) {
        let last = match self.journal.resume() {
            Ok(Some(last)) => last,
            Ok(None) => return self.fail(net, "nothing is left of the journal".to_owned()),
            Err(error) => return self.fail(net, format!("cannot read the journal: {error}")),
        };
        self.stamper = Stamper::resumed(self.env.me, last.n, last.lamport, last.clock);
        self.phase = Phase::Running;
        self.started_at = now().checked_sub(Duration::from_micros(at_us)).unwrap_or_else(now);
        let after = last.n;
        if self.record(net, &Entry::Crash) && self.record(net, &Entry::Recover) {
            info!("starts again, after its event {after}");
            self.step(net, Event::Init);
        }
        while let Some((header, message, bytes)) = self.early.pop_front() {
            self.receive(net, header, message, bytes);
        }
        self.settle(net);
        if follow.is_some() {
            self.followed = follow;
            self.follow(net);
        }
    }

    pub(super) fn receive(
        &mut self,
        net: &mut Net,
        header: MessageHeader,
        message: P::Message,
        bytes: u32,
    ) {
        let MessageHeader { from, n, lamport, .. } = header;
        if !self.triggers.is_empty() {
            self.be_struck(net, message.kind());
        }
        self.stamper.receive(lamport, header.clock.as_ref());
        let entry = Entry::Receive { from, n, message: &message, bytes };
        self.show_lamport();
        let at_us = self.look_at_the_clock();
        if let Err(error) = self.journal.append(&self.stamper, at_us, &entry) {
            return self.fail(net, format!("cannot write the journal: {error}"));
        }
        self.step(net, Event::Message { from, message });
    }

    /// An event that is not a receipt.
    pub(super) fn happen(&mut self, net: &mut Net, event: EventOf<P>, entry: &Entry<'_>) {
        if self.record(net, entry) {
            self.step(net, event);
        }
    }

    /// Stamps and writes an event. Returns whether the run can go on.
    pub(super) fn record(&mut self, net: &mut Net, entry: &Entry<'_>) -> bool {
        self.stamper.tick();
        self.show_lamport();
        let at_us = self.look_at_the_clock();
        match self.journal.append(&self.stamper, at_us, entry) {
            Ok(()) => true,
            Err(error) => {
                self.fail(net, format!("cannot write the journal: {error}"));
                false
            }
        }
    }

    /// What is logged from now on belongs to this event.
    fn show_lamport(&self) {
        netkit::logs::set_lamport(if self.config.trace { self.stamper.lamport() } else { 0 });
    }

    /// What a handler reads as the time is what stands in the journal, so that a replay can tell it the
    /// same.
    fn look_at_the_clock(&mut self) -> u64 {
        let at_us = self.at_us();
        self.env.now = Some(Duration::from_micros(at_us));
        at_us
    }

    pub(super) fn step(&mut self, net: &mut Net, event: EventOf<P>) {
        let Some(process) = &mut self.process else { return };
        let effects = std::mem::take(&mut self.effects);
        let mut effects = step_into(process, self.env, &mut self.choices, event, effects);
        for effect in effects.drain(..) {
            if self.phase >= Phase::HandingOver {
                break; // Something failed: what was not written down must not leave.
            }
            match effect {
                Effect::Send { to, message } => self.send(net, to, message),
                Effect::StartTimer { timer, after } => {
                    self.stop_timer(net, &timer);
                    let id = net.start_timer(after);
                    self.running.insert(timer.clone(), id);
                    self.timers.insert(id, TimerUse::Process(timer));
                }
                Effect::StopTimer { timer } => self.stop_timer(net, &timer),
                Effect::Indicate(indication) => self.indicate(net, &indication),
            }
        }
        self.effects = effects;
    }

    pub(super) fn send(&mut self, net: &mut Net, to: ProcessId, message: P::Message) {
        self.stamper.tick();
        let header = MessageHeader {
            from: self.env.me,
            to,
            n: self.stamper.n(),
            lamport: self.stamper.lamport(),
            kind: kind_field(Kind::kind(&message)),
            clock: self.stamper.clock().cloned(),
        };
        self.scratch.clear();
        let frame = PeerFrameRef::Message(&header, &message);
        if let Err(error) = netkit::codec::encode(&frame, &mut self.scratch) {
            return self.fail(net, format!("cannot encode {message:?}: {error}"));
        }
        let bytes = (self.scratch.len() - header.length()) as u32;
        let entry = Entry::Send { to, message: &message, bytes };
        if let Err(error) = self.journal.append(&self.stamper, self.at_us(), &entry) {
            return self.fail(net, format!("cannot write the journal: {error}"));
        }
        if to == self.env.me {
            return self.to_self.push_back((header, message, bytes));
        }
        match self.injector {
            None => self.transmit(net, to),
            Some(_) => self.transmit_by_plan(net, to, header.n, &message, bytes),
        }
    }

    /// Sends what is in `scratch`, now or as soon as there is a connection.
    pub(super) fn transmit(&mut self, net: &mut Net, to: ProcessId) {
        let neighbour = self.neighbours.entry(to).or_insert_with(Neighbour::new);
        match neighbour.connection {
            Some(connection) if neighbour.is_open => {
                if let Err(error) = net.send(connection, &self.scratch) {
                    warn!("a message to {to} was not sent: {error}");
                }
            }
            _ if neighbour.is_lost => debug!("a message to {to}, which is gone, is lost"),
            _ if neighbour.waiting.len() >= WAITING_MAX => {
                let why = format!("{WAITING_MAX} messages wait for a connection to {to}");
                self.fail(net, why);
            }
            _ => neighbour.waiting.push(self.scratch.clone()),
        }
    }

    pub(super) fn indicate(&mut self, net: &mut Net, indication: &P::Indication) {
        if !self.record(net, &Entry::Indication(indication)) {
            return;
        }
        debug!("{} ! {indication:?}", self.env.me);
        if let Some(application) = &mut self.application {
            match application.on_indication(indication) {
                Ok(requests) => self.asked.extend(requests),
                Err(error) => return self.fail(net, format!("at {indication:?}: {error}")),
            }
        }
        if let Some(contact) = (self.options.deployment().contact)(indication) {
            let contact = contact.clone();
            self.meet(net, &contact);
        }
        if (self.options.deployment().is_finished)(indication) {
            info!("finished");
            self.tell(net, &ToLauncher::Finished);
        }
    }

    pub(super) fn stop_timer(&mut self, net: &mut Net, timer: &P::Timer) {
        if let Some(id) = self.running.remove(timer) {
            self.timers.remove(&id);
            net.stop_timer(id);
        }
    }

    /// What the last step left to this process itself: messages to itself, requests of its application.
    pub(super) fn settle(&mut self, net: &mut Net) {
        loop {
            if let Some((header, message, bytes)) = self.to_self.pop_front() {
                self.receive(net, header, message, bytes);
            } else if let Some(request) = self.asked.pop_front() {
                let entry = request.clone();
                self.happen(net, Event::Request(request), &Entry::Request(&entry));
            } else {
                return;
            }
        }
    }

    pub(super) fn on_peer_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(&from) = self.connections.get(&connection) else { return };
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.last_word = now();
        }
        let frame = match netkit::codec::decode::<PeerFrame<P::Message>>(body) {
            Ok(frame) => frame,
            Err(error) => {
                warn!("{from} sent a frame that is no message ({error}): connection closed");
                return self.on_neighbour_gone(net, connection, "it sent a malformed frame");
            }
        };
        match frame {
            PeerFrame::Ping => self.send_frame(net, connection, &PeerFrameRef::<()>::Pong),
            PeerFrame::Pong => {}
            PeerFrame::Message(header, _) if (header.from, header.to) != (from, self.env.me) => {
                warn!("{from} sent a message from {} to {}: dropped", header.from, header.to);
            }
            PeerFrame::Message(header, message) => match self.phase {
                Phase::Running => {
                    let bytes = body.len().saturating_sub(header.length()) as u32;
                    self.receive(net, header, message, bytes);
                    self.settle(net);
                }
                Phase::HandingOver | Phase::Orphaned => {}
                _ if self.early.len() < EARLY_MAX => {
                    let bytes = body.len().saturating_sub(header.length()) as u32;
                    self.early.push_back((header, message, bytes));
                }
                _ => self.fail(net, format!("{EARLY_MAX} messages arrived before the start")),
            },
        }
    }
}

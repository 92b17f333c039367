//! Failure detection by heartbeats, in two levels.
//!
//! After Chandra and Toueg, *Unreliable failure detectors for reliable distributed systems*,
//! Journal of the ACM 43(2), 1996; the counting of heartbeats after Aguilera, Chen and Toueg,
//! *Heartbeat: a timeout-free failure detector for quiescent reliable communication*, 1997; how
//! good such a detector is, after Chen, Toueg and Aguilera, *On the quality of service of failure
//! detectors*, IEEE Transactions on Computers 51(5), 2002.
//!
//! **The system.** p0 and p1 are the *detectors*, and watch each other. All others are *watched*: those of even
//! rank by p0, those of odd rank by p1. A watched process knows its detector and nobody else.
//!
//! **The algorithm.** In each round, one every `interval`, a detector sends HEARTBEAT(n) to all it watches,
//! with n = 1, 2, 3 and so on. Who receives it answers ALIVE(n). A process whose last answer is
//! more than `threshold` heartbeats behind the last one sent is *suspected*: it is struck from the
//! list of the living and put on that of the dead. An answer that closes the gap *restores* it.
//! What a detector finds out it tells the other (SUSPECT, RESTORE), which puts it on its own lists,
//! and notes it (NOTED); what is not noted is told again in every round ([`crate::changes`]).
//!
//! **Who watches the watchers.** A detector that suspects the other one no longer hears of the other's
//! processes: it *doubts* them, and puts them on a third list, of those of whom it cannot tell.
//! When it restores the other detector, it puts them where it last heard that they belong, and is
//! told what it missed.
//!
//! **Why it is correct.** *Completeness*: a process that died answers nothing, and the gap grows by one with
//! each round; after threshold+1 rounds it is beyond the threshold, and remains so. *Accuracy*: as
//! soon as answers come back within `threshold` rounds, and none of so many in a row are lost, no
//! gap is beyond it.
//! *Agreement*: while neither suspects the other, a change is told until it is noted, and of
//! two changes of one process the one with the greater number counts.
//!
//! **Assumptions.** Crash-stop: who died does not come back. Channels may lose, double and reorder, but a message
//! that is sent for ever arrives in the end. Completeness needs no more; accuracy needs that
//! *some day* delays are bounded (partial synchrony), and a threshold beyond this bound: without it no detector
//! is both complete and accurate, for a slow process and a dead one look the same.
//!
//! **Cost.** With W processes for each detector, 2(W+1) heartbeats and as many answers in a round, instead of
//! N(N−1) where everyone watches everyone. Each change: one message and one note. A crash is
//! detected at most (threshold+1) intervals later: the process has answered one heartbeat just
//! before it died, and the next threshold+1 get no answer. The other detector knows one message
//! later.
//!
//! **Left out.** Detectors that die are not replaced: their processes remain unknown (an election would find
//! them a new one, lab 06). Timeouts that adapt to the delays that were measured (Chen et al.,
//! section 6; Hayashibara et al., *The φ accrual failure detector*, 2004).

mod mistake;

use std::collections::BTreeMap;
use std::time::Duration;

use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::Mistake;
use crate::changes::{Change, Heard, Told};
use crate::heartbeats::Heartbeats;
use crate::lists::{List, Lists};

/// The two detectors, in this order.
pub const DETECTORS: [ProcessId; 2] = [ProcessId(0), ProcessId(1)];

/// The detector that watches a process: a detector is watched by the other one.
pub fn watcher(process: ProcessId) -> ProcessId {
    let own = DETECTORS[process.index() % 2];
    if own == process { DETECTORS[1 - process.index() % 2] } else { own }
}

/// One process of either level.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TwoLevels {
    /// p0 or p1.
    Detector(Detector),
    /// One that only answers.
    Watched,
}

/// How a detector is set.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Settings {
    /// From one heartbeat to the next.
    pub interval: Duration,
    /// By how many heartbeats a process may be behind.
    pub threshold: u32,
    /// After so many heartbeats the detector is finished. It still answers, and takes answers.
    pub rounds: u32,
}

/// A detector.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Detector {
    me: ProcessId,
    settings: Settings,
    heartbeats: Heartbeats,
    lists: Lists,
    /// What the other one must hear of.
    told: Told,
    /// What was heard of the other one's processes.
    heard: Heard,
}

/// What processes send to each other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// Do you live? The heartbeat of this number.
    Heartbeat(u32),
    /// Yes. The answer to the heartbeat of this number.
    Alive(u32),
    /// A detector suspects a process that it watches.
    Suspect(Change),
    /// A detector suspects it no longer.
    Restore(Change),
    /// The other detector knows.
    Noted(Change),
}

/// What a process tells its application. Each change of the lists says where the process stands
/// after it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// A process is now held for dead.
    Suspect(Listed),
    /// A process is now held for living.
    Restore(Listed),
    /// Whether a process lives is now unknown.
    Doubt(Listed),
    /// A detector has sent a heartbeat.
    Round {
        /// Its number.
        round: u32,
        /// How many are on the list of the living,
        alive: u32,
        /// on that of the dead,
        dead: u32,
        /// and on that of those of whom it cannot tell.
        unknown: u32,
        /// Of each process that it watches, the last heartbeat that it answered.
        answered: BTreeMap<ProcessId, u32>,
    },
    /// The process has done all it has to do.
    Finished,
}

impl Indication {
    /// If it is a change: the list on which a process now is, and what is said of it.
    pub fn change(&self) -> Option<(List, &Listed)> {
        match self {
            Self::Suspect(listed) => Some((List::Dead, listed)),
            Self::Restore(listed) => Some((List::Alive, listed)),
            Self::Doubt(listed) => Some((List::Unknown, listed)),
            Self::Round { .. } | Self::Finished => None,
        }
    }
}

/// Where a process stands.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct Listed {
    /// The process.
    pub process: ProcessId,
    /// The detector that found it out: not the one that says it, if it was told.
    pub by: ProcessId,
    /// The lists that the process is on now.
    pub on: Vec<List>,
}

/// The timers.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// When to send the next heartbeat.
    Interval,
}

impl TwoLevels {
    /// The process of this rank.
    pub fn new(me: ProcessId, processes: u32, settings: Settings) -> Self {
        if DETECTORS.contains(&me) {
            Self::Detector(Detector::new(me, processes, settings))
        } else {
            Self::Watched
        }
    }

    /// The detector, if it is one.
    pub fn detector(&self) -> Option<&Detector> {
        match self {
            Self::Detector(detector) => Some(detector),
            Self::Watched => None,
        }
    }
}

impl Detector {
    /// A detector of all whose [`watcher`] it is.
    pub fn new(me: ProcessId, processes: u32, settings: Settings) -> Self {
        let everyone = || (0..processes).map(ProcessId);
        let watched = everyone().filter(|&process| watcher(process) == me);
        Self {
            me,
            settings,
            heartbeats: Heartbeats::new(watched, settings.threshold),
            lists: Lists::all_alive(everyone()),
            told: Told::default(),
            heard: Heard::default(),
        }
    }

    /// Its lists.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The other one.
    fn other(&self) -> ProcessId {
        DETECTORS[usize::from(self.me == DETECTORS[0])]
    }

    fn suspects_other(&self) -> bool {
        self.lists.has(List::Dead, self.other())
    }

    fn on_interval(&mut self, ctx: &mut Context<TwoLevels>) {
        let number = self.heartbeats.beat();
        for &process in self.heartbeats.answered().keys() {
            ctx.send(process, Message::Heartbeat(number));
        }
        self.tell_again(ctx);
        let silent: Vec<_> = self.heartbeats.silent().collect();
        for process in silent {
            if !self.lists.has(List::Dead, process) {
                self.suspect(ctx, process);
            }
        }
        ctx.indicate(self.round());
        if number < self.settings.rounds {
            ctx.start_timer(Timer::Interval, self.settings.interval);
        } else {
            ctx.indicate(Indication::Finished);
        }
    }

    fn round(&self) -> Indication {
        let count = |list| self.lists.on(list).len() as u32;
        Indication::Round {
            round: self.heartbeats.sent(),
            alive: count(List::Alive),
            dead: count(List::Dead),
            unknown: count(List::Unknown),
            answered: self.heartbeats.answered().clone(),
        }
    }

    fn suspect(&mut self, ctx: &mut Context<TwoLevels>, process: ProcessId) {
        self.put(ctx, process, self.me, List::Dead);
        if process == self.other() {
            for process in self.watched_by_other(ctx) {
                self.put(ctx, process, self.me, List::Unknown);
            }
        } else {
            let change = self.told.change(process);
            self.tell(ctx, change);
        }
    }

    fn on_alive(&mut self, ctx: &mut Context<TwoLevels>, from: ProcessId, number: u32) {
        self.heartbeats.answer(from, number);
        if self.lists.has(List::Dead, from)
            && watcher(from) == self.me
            && !self.heartbeats.is_silent(from)
        {
            self.restore(ctx, from);
        }
    }

    fn restore(&mut self, ctx: &mut Context<TwoLevels>, process: ProcessId) {
        self.put(ctx, process, self.me, List::Alive);
        if process == self.other() {
            for process in self.watched_by_other(ctx) {
                self.put_as_heard(ctx, process);
            }
            self.tell_again(ctx);
        } else {
            let change = self.told.change(process);
            self.tell(ctx, change);
        }
    }

    /// The other detector says what became of one of its processes.
    fn on_told(
        &mut self,
        ctx: &mut Context<TwoLevels>,
        from: ProcessId,
        change: Change,
        suspected: bool,
    ) {
        // Nobody else can know, and the other one knows of its own processes only.
        let is_its_own = watcher(change.process) == from
            && !DETECTORS.contains(&change.process)
            && change.process.0 < ctx.processes();
        if from != self.other() || !is_its_own {
            return;
        }
        ctx.send(from, Message::Noted(change));
        if self.heard.hear(change, suspected) && !self.suspects_other() {
            self.put_as_heard(ctx, change.process);
        }
    }

    /// Puts one of the other detector's processes where this is known to have it.
    fn put_as_heard(&mut self, ctx: &mut Context<TwoLevels>, process: ProcessId) {
        let list = if self.heard.is_suspected(process) { List::Dead } else { List::Alive };
        self.put(ctx, process, self.other(), list);
    }

    /// Tells what the other detector has not noted. Whom it suspects it tells nothing: it would be
    /// a message in every round, to one who is dead.
    fn tell_again(&self, ctx: &mut Context<TwoLevels>) {
        self.told.open().for_each(|change| self.tell(ctx, change));
    }

    fn tell(&self, ctx: &mut Context<TwoLevels>, change: Change) {
        if self.suspects_other() {
            return;
        }
        let message = match self.lists.has(List::Dead, change.process) {
            true => Message::Suspect(change),
            false => Message::Restore(change),
        };
        ctx.send(self.other(), message);
    }

    /// Puts a process on a list, and says so if it was not there.
    fn put(&mut self, ctx: &mut Context<TwoLevels>, process: ProcessId, by: ProcessId, list: List) {
        if self.lists.has(list, process) {
            return;
        }
        self.lists.put(process, list);
        let listed = Listed { process, by, on: self.lists.of(process) };
        ctx.indicate(match list {
            List::Alive => Indication::Restore(listed),
            List::Dead => Indication::Suspect(listed),
            List::Unknown => Indication::Doubt(listed),
        });
    }

    fn watched_by_other(&self, ctx: &Context<TwoLevels>) -> Vec<ProcessId> {
        let other = self.other();
        ctx.everyone().filter(|&p| watcher(p) == other && p != self.me).collect()
    }
}

impl Process for TwoLevels {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        match self {
            Self::Detector(detector) => {
                ctx.start_timer(Timer::Interval, detector.settings.interval);
            }
            // It has nothing to do but to answer, as long as it is asked.
            Self::Watched => ctx.indicate(Indication::Finished),
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match (self, message) {
            (_, Message::Heartbeat(number)) => ctx.send(from, Message::Alive(number)),
            (Self::Detector(detector), Message::Alive(number)) => {
                detector.on_alive(ctx, from, number);
            }
            (Self::Detector(detector), Message::Suspect(change)) => {
                detector.on_told(ctx, from, change, true);
            }
            (Self::Detector(detector), Message::Restore(change)) => {
                detector.on_told(ctx, from, change, false);
            }
            (Self::Detector(detector), Message::Noted(change)) => detector.told.note(change),
            // What only a detector can be told makes no sense here, whoever sent it.
            (Self::Watched, _) => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Interval: Timer) {
        if let Self::Detector(detector) = self {
            detector.on_interval(ctx);
        }
    }
}

#[cfg(test)]
mod tests;

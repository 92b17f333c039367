//! What two failure detectors did and said: the book that their monitors keep.
//!
//! The monitors do not believe the algorithm's own counters. A heartbeat carries the number of its
//! round as its tag; whoever receives it lets its answer carry the same. So it is known of each
//! process which heartbeat it answered, and that the answer arrived: from happened-before alone.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};

use super::watcher;
use crate::lists::List;
use crate::two_levels::{DETECTORS, Indication};

/// The message that a detector sends to all it watches.
pub(super) const HEARTBEAT: &str = "HEARTBEAT";

/// The message that answers it.
pub(super) const ANSWER: &str = "ALIVE";

/// What both detectors did and said.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Book {
    /// Who died.
    crashed: Vec<bool>,
    views: [View; 2],
    /// Of each process, the heartbeat that it received last from each detector.
    received: Vec<[u64; 2]>,
    /// Ages beyond this make no difference.
    age_max: u32,
    /// In how many places of the lists a process is not among the living.
    not_alive: u64,
}

/// What one detector did and said. By rank of the process it is about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct View {
    /// How many rounds have ended.
    rounds: u64,
    /// The greatest heartbeat whose answer has arrived.
    answered: Vec<u64>,
    /// The last heartbeat that was sent to it.
    asked: Vec<u64>,
    /// On which lists the process stands.
    on: Vec<On>,
    /// Since how many rounds.
    age: Vec<u32>,
}

/// The lists that a process stands on, a bit each.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct On(u8);

impl On {
    pub(super) const ALIVE: Self = Self(1 << List::Alive as u8);
    pub(super) const UNKNOWN: Self = Self(1 << List::Unknown as u8);

    /// Whether it is one list.
    pub(super) fn is_one(self) -> bool {
        self.0.count_ones() == 1
    }

    /// Whether this list is one of them.
    pub(super) fn has(self, list: List) -> bool {
        self.0 & (1 << list as u8) != 0
    }

    /// Whether the dead are among them.
    pub(super) fn are_dead(self) -> bool {
        self.has(List::Dead)
    }

    /// `living`, `dead`, `unknown`; several joined by `and`.
    pub(super) fn name(self) -> String {
        let names = List::ALL.into_iter().zip(["living", "dead", "unknown"]);
        let on: Vec<_> = names.filter(|&(list, _)| self.has(list)).map(|(_, name)| name).collect();
        if on.is_empty() { "nothing".to_owned() } else { on.join(" and ") }
    }
}

impl From<&[List]> for On {
    fn from(lists: &[List]) -> Self {
        Self(lists.iter().fold(0, |bits, &list| bits | 1 << list as u8))
    }
}

impl Book {
    /// Before a run of so many processes. `age_max`: after how many rounds a change is an old one.
    pub(super) fn new(processes: u32, age_max: u32) -> Self {
        let n = processes as usize;
        let view = || View {
            rounds: 0,
            answered: vec![0; n],
            asked: vec![0; n],
            on: vec![On::ALIVE; n],
            age: vec![age_max; n],
        };
        let views = [view(), view()];
        Self { crashed: vec![false; n], views, received: vec![[0; 2]; n], age_max, not_alive: 0 }
    }

    fn processes(&self) -> impl Iterator<Item = ProcessId> + use<> {
        (0..self.crashed.len() as u32).map(ProcessId)
    }

    /// The detectors that did not die.
    pub(super) fn living_detectors(&self) -> impl Iterator<Item = ProcessId> + '_ {
        DETECTORS.into_iter().filter(|detector| self.crashed.get(detector.index()) == Some(&false))
    }

    /// All that died.
    pub(super) fn dead(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.processes().filter(|process| self.crashed[process.index()])
    }

    /// All that a detector watches.
    pub(super) fn watched_by(
        &self,
        detector: ProcessId,
    ) -> impl Iterator<Item = ProcessId> + use<> {
        self.processes().filter(move |&process| watcher(process) == detector)
    }

    /// All but the detectors.
    pub(super) fn all_watched(&self) -> impl Iterator<Item = ProcessId> + use<> {
        self.processes().skip(DETECTORS.len())
    }

    fn view(&self, detector: ProcessId) -> &View {
        &self.views[detector.index()]
    }

    /// Where a process stands, according to a detector.
    pub(super) fn on(&self, detector: ProcessId, process: ProcessId) -> On {
        self.view(detector).on[process.index()]
    }

    /// Whether a detector has a process where it is for so many rounds that the other one must
    /// know.
    pub(super) fn is_settled(&self, detector: ProcessId, process: ProcessId) -> bool {
        self.view(detector).age[process.index()] >= self.age_max
    }

    /// How many heartbeats a process is behind.
    pub(super) fn behind(&self, detector: ProcessId, process: ProcessId) -> u64 {
        let view = self.view(detector);
        view.rounds.saturating_sub(view.answered[process.index()])
    }

    /// The last heartbeat whose answer has arrived.
    pub(super) fn answered(&self, detector: ProcessId, process: ProcessId) -> u64 {
        self.view(detector).answered[process.index()]
    }

    /// How many heartbeats the last answer of a process is behind the last one that was sent to it.
    pub(super) fn gap(&self, detector: ProcessId, process: ProcessId) -> u64 {
        let view = self.view(detector);
        view.asked[process.index()].saturating_sub(view.answered[process.index()])
    }

    /// Whether the last round sent this process a heartbeat.
    pub(super) fn is_asked(&self, detector: ProcessId, process: ProcessId) -> bool {
        let view = self.view(detector);
        view.asked[process.index()] >= view.rounds
    }

    /// Whether some detector has a process elsewhere than among the living.
    pub(super) fn someone_is_not_alive(&self) -> bool {
        self.not_alive > 0
    }

    /// The tag of a message.
    pub(super) fn on_send(&mut self, from: ProcessId, to: ProcessId, message: &dyn Noted) -> u64 {
        let kind = message.kind();
        match (self.views.get_mut(from.index()), to.index()) {
            // The round ends after its heartbeats are sent.
            (Some(view), process) if kind == HEARTBEAT => {
                if let Some(asked) = view.asked.get_mut(process) {
                    *asked = view.rounds + 1;
                }
                view.rounds + 1
            }
            (_, detector @ ..2) if kind == ANSWER => self.received[from.index()][detector],
            _ => 0,
        }
    }

    pub(super) fn on_receive(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        tag: u64,
    ) {
        let kind = message.kind();
        match (from.index(), self.views.get_mut(to.index())) {
            (detector @ ..2, _) if kind == HEARTBEAT => self.received[to.index()][detector] = tag,
            (process, Some(view)) if kind == ANSWER => {
                view.answered[process] = tag.max(view.answered[process]);
            }
            _ => {}
        }
    }

    /// Only what detectors say counts, and of no process that does not exist.
    pub(super) fn on_indication(&mut self, process: ProcessId, indication: &Indication) {
        let Some(view) = self.views.get_mut(process.index()) else { return };
        if let Indication::Round { .. } = indication {
            view.rounds += 1;
            view.age.iter_mut().for_each(|age| *age += u32::from(*age < self.age_max));
        }
        if let Some((_, listed)) = indication.change()
            && let Some(on) = view.on.get_mut(listed.process.index())
        {
            let before = std::mem::replace(on, listed.on[..].into());
            self.not_alive -= u64::from(before != On::ALIVE);
            self.not_alive += u64::from(*on != On::ALIVE);
            view.age[listed.process.index()] = 0;
        }
    }

    pub(super) fn on_other(&mut self, process: ProcessId, happening: &Happening<'_>) {
        match happening {
            Happening::Crash => self.crashed[process.index()] = true,
            Happening::Recover => self.crashed[process.index()] = false,
            _ => {}
        }
    }

    /// What was received matters only until it is answered, in the same step.
    pub(super) fn forget_history(&mut self) {
        self.received.fill([0; 2]);
    }
}

/// The first of some processes, and how many more.
pub(super) fn first_of(processes: &[ProcessId]) -> String {
    match processes {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    }
}

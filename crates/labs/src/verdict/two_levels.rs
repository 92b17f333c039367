//! What two failure detectors did and said: the book that their monitors keep.
//!
//! p0 and p1 are the detectors, and watch each other; of the others, p0 watches those of even rank and p1 those
//! of odd. A detector sends numbered heartbeats, tells the end of each round, and says of every change of
//! its lists where the process stands now.
//!
//! The monitors do not believe the algorithm's own counters. A heartbeat carries the number of its round as
//! its tag; whoever receives it lets its answer carry the same. So it is known of each process which heartbeat
//! it answered, and that the answer arrived: from happened-before alone.

use super::TagsUnderWay;
use super::name::Name;
use crate::process::ProcessId;
use crate::trace::{Happening, Noted};

/// The detectors.
const DETECTORS: [ProcessId; 2] = [ProcessId(0), ProcessId(1)];

/// What both detectors did and said.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct TwoLevels {
    heartbeat: Name,
    answer: Name,
    round: Name,
    /// Who died.
    crashed: Vec<bool>,
    views: [View; 2],
    /// Of each process, the heartbeat that it received last from each detector.
    received: Vec<[u64; 2]>,
    /// Ages beyond this make no difference.
    age_max: u64,
}

/// What one detector did and said. By rank of the process it is about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct View {
    /// How many rounds have ended.
    rounds: u64,
    /// The greatest heartbeat whose answer has arrived.
    answered: Vec<u64>,
    /// On which lists the process stands.
    on: Vec<Lists>,
    /// Since how many rounds.
    age: Vec<u64>,
}

/// The lists that a process stands on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Lists(u8);

/// The names of the lists, as an indication says them.
const NAMES: [&str; 3] = ["Alive", "Dead", "Unknown"];

impl Lists {
    pub(super) const ALIVE: Self = Self(1);
    pub(super) const DEAD: Self = Self(2);
    pub(super) const UNKNOWN: Self = Self(4);

    /// Reads `Alive, Dead`.
    fn read(text: &str) -> Self {
        let has = |name: &&str| text.split(", ").any(|word| word == *name);
        let bits = (0..).zip(&NAMES).filter(|(_, name)| has(name)).map(|(bit, _)| 1 << bit);
        Self(bits.sum())
    }

    /// Whether the dead are among them.
    pub(super) fn are_dead(self) -> bool {
        self.0 & Self::DEAD.0 != 0
    }

    /// Whether it is one list.
    pub(super) fn is_one(self) -> bool {
        self.0.count_ones() == 1
    }

    /// Whether the list of this index among [`NAMES`] is one of them.
    pub(super) fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// `living`, `dead`, `unknown`; several joined by `and`.
    pub(super) fn name(self) -> String {
        let names = ["living", "dead", "unknown"];
        let on: Vec<_> = (0..3).filter(|&index| self.has(index)).map(|i| names[i]).collect();
        if on.is_empty() { "nothing".to_owned() } else { on.join(" and ") }
    }
}

/// The kinds of messages and indications by which detectors are watched.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) heartbeat: String,
    pub(super) answer: String,
    pub(super) round: String,
}

impl TwoLevels {
    /// Before a run of so many processes. `age_max`: after how many rounds a change is an old one.
    pub(super) fn new(words: Words, age_max: u64, processes: u32) -> Self {
        let n = processes as usize;
        let view = || View {
            rounds: 0,
            answered: vec![0; n],
            on: vec![Lists::ALIVE; n],
            age: vec![age_max; n],
        };
        Self {
            heartbeat: words.heartbeat.into(),
            answer: words.answer.into(),
            round: words.round.into(),
            crashed: vec![false; n],
            views: [view(), view()],
            received: vec![[0; 2]; n],
            age_max,
        }
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
    pub(super) fn on(&self, detector: ProcessId, process: ProcessId) -> Lists {
        self.view(detector).on[process.index()]
    }

    /// Whether a detector has a process where it is for so many rounds that the other one must know.
    pub(super) fn is_settled(&self, detector: ProcessId, process: ProcessId) -> bool {
        self.view(detector).age[process.index()] >= self.age_max
    }

    /// How many heartbeats a process is behind.
    pub(super) fn behind(&self, detector: ProcessId, process: ProcessId) -> u64 {
        let view = self.view(detector);
        view.rounds.saturating_sub(view.answered[process.index()])
    }

    /// Whether some detector has a process elsewhere than among the living.
    pub(super) fn someone_is_not_alive(&self) -> bool {
        self.views.iter().flat_map(|view| &view.on).any(|&on| on != Lists::ALIVE)
    }

    /// How many rounds a detector has ended.
    fn rounds(&self, detector: ProcessId) -> u64 {
        self.view(detector).rounds
    }

    pub(super) fn on_send(&self, from: ProcessId, to: ProcessId, kind: &str) -> u64 {
        if *kind == *self.heartbeat && is_detector(from) {
            // The round ends after its heartbeats are sent.
            self.rounds(from) + 1
        } else if *kind == *self.answer && is_detector(to) {
            self.received[from.index()][to.index()]
        } else {
            0
        }
    }

    pub(super) fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, tag: u64) {
        if *kind == *self.heartbeat && is_detector(from) {
            self.received[to.index()][from.index()] = tag;
        } else if *kind == *self.answer && is_detector(to) {
            let answered = &mut self.views[to.index()].answered[from.index()];
            *answered = tag.max(*answered);
        }
    }

    /// Takes note of an event. Returns what it means here.
    pub(super) fn on_event(
        &mut self,
        process: ProcessId,
        happening: Happening<'_>,
    ) -> Option<Said> {
        match happening {
            Happening::Crash => self.crashed[process.index()] = true,
            Happening::Recover => self.crashed[process.index()] = false,
            Happening::Indication(value) if is_detector(process) => {
                let said = said(value, &self.round)?;
                let view = &mut self.views[process.index()];
                match said {
                    Said::Round => {
                        view.rounds += 1;
                        for age in &mut view.age {
                            *age = age.saturating_add(1).min(self.age_max);
                        }
                    }
                    Said::Listed(other, on) => {
                        *view.on.get_mut(other.index())? = on;
                        view.age[other.index()] = 0;
                    }
                }
                return Some(said);
            }
            _ => {}
        }
        None
    }

    /// What was received matters only until it is answered, in the same step.
    pub(super) fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.received.fill([0; 2]);
    }
}

/// What a detector said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// A round has ended.
    Round,
    /// A process stands on these lists now.
    Listed(ProcessId, Lists),
}

/// Reads what a detector says: the end of a round, or `Suspect(Listed { process: p3, by: p0, on: [Dead] })`.
pub(super) fn said(value: &dyn Noted, round: &str) -> Option<Said> {
    if value.kind() == round {
        return Some(Said::Round);
    }
    let text = value.text();
    let process = text.split_once("process: p")?.1.split(',').next()?.parse().ok()?;
    let on = text.split_once("on: [")?.1.split(']').next()?;
    Some(Said::Listed(ProcessId(process), Lists::read(on)))
}

pub(super) fn is_detector(process: ProcessId) -> bool {
    DETECTORS.contains(&process)
}

/// The other detector.
pub(super) fn other(detector: ProcessId) -> ProcessId {
    DETECTORS[1 - detector.index().min(1)]
}

/// Who watches a process.
pub(super) fn watcher(process: ProcessId) -> ProcessId {
    let own = DETECTORS[process.index() % 2];
    if own == process { other(own) } else { own }
}

/// The first of some processes, and how many more.
pub(super) fn first_of(processes: &[ProcessId]) -> String {
    match processes {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [first, others @ ..] => {
            format!("{first} and {} more", others.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Note;

    /// `settle` stands in the header of a trace, where anybody may write anything.
    #[test]
    fn an_age_that_cannot_be_reached_is_only_large() {
        let words =
            Words { heartbeat: "HB".into(), answer: "OK".into(), round: "Round".to_owned() };
        let mut seen = TwoLevels::new(words, u64::MAX, 4);
        let round = Note { kind: "Round".to_owned(), text: String::new() };
        for _ in 0..2 {
            let said = seen.on_event(ProcessId(0), Happening::Indication(&round));
            assert_eq!(said, Some(Said::Round));
        }
        assert!(seen.is_settled(ProcessId(0), ProcessId(2)));
    }
}

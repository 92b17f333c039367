//! Markers: one on each channel for each wave, N(N−1) a wave, none before its sender is cut.
//!
//! How many a process sends to each other is counted as they leave. Which wave each is of says the process
//! that it reaches, with an indication of kind [`MARKED`]: it must be one that has cut the sender, and no
//! other marker of this wave may have come on the channel. So as many markers as waves, none of a wave that is
//! none, and none of a wave twice: one of each.

use std::collections::{BTreeMap, BTreeSet};

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, not_yet, told};
use crate::peers::Peers;
use crate::process::ProcessId;
use crate::snapshot::{MARKED, Wave};
use crate::trace::Happening;

/// The monitor of [`Spec::Markers`](super::Spec::Markers).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Markers {
    cut: Name,
    message: Name,
    waves: u64,
    /// Of each process, how many waves have cut it.
    cuts: Vec<u64>,
    /// Of each process, how many markers it has sent to each other.
    sent: Vec<Peers>,
    /// The waves whose markers have not all arrived.
    open: BTreeMap<Wave, Progress>,
    /// The others that there were.
    complete: BTreeSet<Wave>,
    /// Of each process, from whom the last marker came that it has not told of yet.
    received: BTreeMap<ProcessId, ProcessId>,
    violation: Option<Violation>,
}

/// One wave so far.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Progress {
    cut: BTreeSet<ProcessId>,
    /// The channels on which its marker has arrived, each as sender and receiver.
    marked: BTreeSet<(ProcessId, ProcessId)>,
}

impl Markers {
    /// Watches that each process sends each other one `message` for each time that it says `cut`, in all
    /// `waves` times.
    pub fn new(cut: String, message: String, waves: u64, processes: u32) -> Self {
        Self {
            cut: cut.into(),
            message: message.into(),
            waves,
            cuts: vec![0; processes as usize],
            sent: vec![Peers::default(); processes as usize],
            open: BTreeMap::new(),
            complete: BTreeSet::new(),
            received: BTreeMap::new(),
            violation: None,
        }
    }

    /// A wave cuts a process.
    fn cut(&mut self, wave: Wave, process: ProcessId) {
        self.cuts[process.index()] += 1;
        if !self.complete.contains(&wave) {
            self.open.entry(wave).or_default().cut.insert(process);
        }
    }

    /// A process says of which wave the marker is that has just reached it.
    fn mark(&mut self, wave: Wave, at: Witness) {
        let to = at.process;
        let Some(from) = self.received.remove(&to) else {
            let what = format!("{to} tells of a marker of wave {wave}, and none has reached it");
            return self.violate(what, at);
        };
        if self.complete.contains(&wave) {
            return self.violate(format!("{from} sends {to} two markers of wave {wave}"), at);
        }
        let progress = self.open.entry(wave).or_default();
        if !progress.cut.contains(&from) {
            let what = format!("{from} sends {to} a marker of wave {wave}, which has not cut it");
            return self.violate(what, at);
        }
        if !progress.marked.insert((from, to)) {
            return self.violate(format!("{from} sends {to} two markers of wave {wave}"), at);
        }
        let processes = self.sent.len();
        if progress.marked.len() == processes * (processes - 1) {
            self.open.remove(&wave);
            self.complete.insert(wave);
        }
    }

    fn violate(&mut self, what: String, at: Witness) {
        self.violation.get_or_insert(Violation { what, witnesses: vec![at] });
    }
}

impl Watch for Markers {
    fn name(&self) -> (String, PropertyKind) {
        ("one marker a channel and wave".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind != *self.message || self.violation.is_some() {
            return 0;
        }
        let sent = self.sent[from.index()].number_mut(to);
        *sent += 1;
        let cuts = self.cuts[from.index()];
        if *sent > cuts {
            self.violation = Some(Violation {
                what: format!(
                    "{from} sends {to} its marker number {sent}, and was cut by {}",
                    counted(cuts, "wave")
                ),
                witnesses: vec![Witness { process: from, n }],
            });
        }
        0
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64, _: u64) {
        if *kind == *self.message {
            self.received.insert(to, from);
        }
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if let Some(Ok(wave)) = told(happening, &self.cut) {
            self.cut(wave, process);
        }
        if let Some(Ok(wave)) = told(happening, MARKED) {
            self.mark(wave, Witness { process, n });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.cuts.iter().any(|&cuts| cuts > 0)
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let processes = self.sent.len();
        let all = (0..).map(ProcessId).take(processes);
        let mut channels = all
            .clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(a, b)| a != b);
        let wrong = channels.find(|(from, to)| self.sent[from.index()].number(*to) != self.waves);
        let Some((from, to)) = wrong else {
            let channels = counted((processes * (processes - 1)) as u64, "channel");
            return (Some(true), format!("{} on each of {channels}", self.waves));
        };
        let sent = self.sent[from.index()].number(to);
        not_yet(end, format!("{from} sent {to} {sent} of {}", counted(self.waves, "marker")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Note;

    const P: [ProcessId; 2] = [ProcessId(0), ProcessId(1)];

    fn says(watched: &mut Markers, process: ProcessId, kind: &str, wave: u32) {
        let note = Note { kind: kind.to_owned(), text: format!("{kind}({wave}@p0)") };
        watched.on_event(process, Happening::Indication(&note), 7);
    }

    /// What becomes of the property if two waves pass, and p0 sends p1 markers of these.
    fn sent(waves: [u32; 2]) -> Option<String> {
        let mut watched = Markers::new("Cut".to_owned(), "MARKER".to_owned(), 2, 2);
        for process in P {
            says(&mut watched, process, "Cut", 1);
            says(&mut watched, process, "Cut", 2);
        }
        let mut send = |from, to, wave| {
            watched.on_send(from, to, "MARKER", 1);
            watched.on_receive(from, to, "MARKER", 1, 0);
            says(&mut watched, to, MARKED, wave);
        };
        send(P[1], P[0], 1);
        send(P[1], P[0], 2);
        send(P[0], P[1], waves[0]);
        send(P[0], P[1], waves[1]);
        let verdict = watched.verdict(&End::Complete);
        (verdict.holds == Some(false)).then_some(verdict.detail)
    }

    #[test]
    fn as_many_markers_as_waves_are_not_enough() {
        assert_eq!(sent([1, 2]), None);
        assert_eq!(sent([2, 1]), None);
        assert_eq!(sent([2, 2]).unwrap(), "p0 sends p1 two markers of wave 2@p0");
        assert_eq!(sent([1, 1]).unwrap(), "p0 sends p1 two markers of wave 1@p0");
        let third = sent([1, 3]).unwrap();
        assert_eq!(third, "p0 sends p1 a marker of wave 3@p0, which has not cut it");
    }
}

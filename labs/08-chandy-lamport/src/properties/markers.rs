//! Markers: one on each channel for each wave, N(N−1) a wave, none before its sender is cut.
//!
//! How many a process sends to each other is counted as they leave. Which wave each is of says the process
//! that it reaches ([`Indication::Marked`]): it must be one that has cut the sender, and no other marker of
//! this wave may have come on the channel. So as many markers as waves, none of a wave that is none, and
//! none of a wave twice: one of each.
//!
//! In which order a process does what belongs to one step does not matter: what it did too early is looked at when
//! its next step begins. When the last marker of a wave has reached a process, its part of the wave is complete, in that
//! step: not sooner and not later.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use crate::snapshot::{Indication, MARKER, Worth};
use crate::wave::Wave;

/// Watches that each process sends each other one marker for each wave that cuts it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Markers {
    waves: u64,
    /// Of each process, how many waves have cut it.
    cuts: Vec<u64>,
    /// Of each process, how many markers it has sent to each other.
    sent: Vec<BTreeMap<ProcessId, u64>>,
    /// The waves whose markers have not all arrived.
    open: BTreeMap<Wave, Progress>,
    /// The others that there were.
    complete: BTreeSet<Wave>,
    /// Of each process, from whom the last marker came that it has not told of yet.
    received: BTreeMap<ProcessId, ProcessId>,
    /// Of each process, what is wrong with the step that it is in unless more happens in it.
    wrong: BTreeMap<ProcessId, Violation>,
}

/// One wave so far.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Progress {
    cut: BTreeSet<ProcessId>,
    /// The channels on which its marker has arrived, each as sender and receiver.
    marked: BTreeSet<(ProcessId, ProcessId)>,
    /// The processes that have recorded it.
    recorded: BTreeSet<ProcessId>,
}

impl Markers {
    /// Watches so many waves of so many processes.
    pub fn new(waves: u64, processes: u32) -> Self {
        Self {
            waves,
            cuts: vec![0; processes as usize],
            sent: vec![BTreeMap::new(); processes as usize],
            open: BTreeMap::new(),
            complete: BTreeSet::new(),
            received: BTreeMap::new(),
            wrong: BTreeMap::new(),
        }
    }

    /// A wave cuts a process.
    fn cut(&mut self, wave: Wave, process: ProcessId) {
        self.cuts[process.index()] += 1;
        let cuts = self.cuts[process.index()];
        if self.sent[process.index()].values().all(|&sent| sent <= cuts) {
            self.wrong.remove(&process);
        }
        if !self.complete.contains(&wave) {
            self.open.entry(wave).or_default().cut.insert(process);
        }
    }

    /// A process says of which wave the marker is that has just reached it.
    fn mark(&mut self, wave: Wave, at: Witness) -> Check {
        let to = at.process;
        let Some(from) = self.received.remove(&to) else {
            let what = format!("{to} tells of a marker of wave {wave}, and none has reached it");
            return Violation::check(what, [at]);
        };
        let second = format!("{from} sends {to} two markers of wave {wave}");
        if self.complete.contains(&wave) {
            return Violation::check(second, [at]);
        }
        let progress = self.open.entry(wave).or_default();
        if !progress.cut.contains(&from) {
            let what = format!("{from} sends {to} a marker of wave {wave}, which has not cut it");
            return Violation::check(what, [at]);
        }
        if !progress.marked.insert((from, to)) {
            return Violation::check(second, [at]);
        }
        self.look(wave, at);
        Ok(())
    }

    /// A process says that its part of a wave is complete.
    fn record(&mut self, wave: Wave, at: Witness) {
        if !self.complete.contains(&wave) {
            self.open.entry(wave).or_default().recorded.insert(at.process);
            self.look(wave, at);
        }
    }

    /// Compares the markers of a wave that have reached a process with what it says of its part.
    fn look(&mut self, wave: Wave, at: Witness) {
        let (process, others) = (at.process, self.sent.len() - 1);
        let Some(progress) = self.open.get(&wave) else { return };
        let arrived = progress.marked.iter().filter(|(_, to)| *to == process).count();
        let what = match (progress.recorded.contains(&process), arrived == others) {
            (true, false) => {
                format!("{process} completes wave {wave} after {arrived} of {others} markers")
            }
            (false, true) => {
                format!("{process} has all markers of wave {wave}, and does not complete it")
            }
            _ => String::new(),
        };
        if what.is_empty() {
            self.wrong.remove(&process);
        } else {
            self.wrong.insert(process, Violation::new(what, [at]));
        }
        if progress.marked.len() == self.sent.len() * others
            && progress.recorded.len() == self.sent.len()
        {
            self.open.remove(&wave);
            self.complete.insert(wave);
        }
    }

    /// A new step of a process begins: what is wrong with the one before is wrong.
    fn end_step(&mut self, process: ProcessId) -> Check {
        self.wrong.remove(&process).map_or(Ok(()), Err)
    }

    fn sent(&self, (from, to): (ProcessId, ProcessId)) -> u64 {
        self.sent[from.index()].get(&to).copied().unwrap_or(0)
    }
}

impl<A: Worth> Watch<Indication<A>> for Markers {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if message.kind() != MARKER {
            return Ok(0);
        }
        let process = from.process;
        let sent = self.sent[process.index()].entry(to).or_default();
        *sent += 1;
        let cuts = self.cuts[process.index()];
        if *sent > cuts {
            let waves = counted(cuts, "wave");
            let what =
                format!("{process} sends {to} its marker number {sent}, and was cut by {waves}");
            self.wrong.entry(process).or_insert_with(|| Violation::new(what, [from]));
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)?;
        if message.kind() == MARKER {
            self.received.insert(to.process, from);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        match indication {
            Indication::Cut(wave) => self.cut(*wave, at.process),
            Indication::Marked(wave) => self.mark(*wave, at)?,
            Indication::Recorded(part) => self.record(part.recorded.wave, at),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => drop(self.wrong.remove(&at.process)),
            _ => self.end_step(at.process)?,
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        ["Cut", "Marked", "Recorded"].contains(&kind)
    }

    fn at_end(&self, end: &End) -> Judgement {
        if let Some(wrong) = self.wrong.values().next() {
            return Judgement::Violated(wrong.clone());
        }
        let processes = self.sent.len();
        let all = || (0..).map(ProcessId).take(processes);
        let mut channels =
            all().flat_map(|from| all().map(move |to| (from, to))).filter(|(a, b)| a != b);
        let Some(wrong) = channels.find(|&channel| self.sent(channel) != self.waves) else {
            let channels = counted((processes * (processes - 1)) as u64, "channel");
            return Judgement::Holds(format!("{} on each of {channels}", self.waves));
        };
        let ((from, to), sent) = (wrong, self.sent(wrong));
        let markers = counted(self.waves, "marker");
        Judgement::not_yet(end, format!("{from} sent {to} {sent} of {markers}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.open.is_empty() || !self.complete.is_empty()
    }
}

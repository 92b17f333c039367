//! Consistent cut: what is in the recorded past of one process is in that of all others.
//!
//! A wave cuts each process's events in two, where it records its state. The cut is consistent if no
//! message was received before it and sent after it (Chandy and Lamport 1985; Mattern 1989): such a message
//! would have come from nowhere. By vector clocks: nobody's cut knows more events of a process than that
//! process's own cut does. Only the messages of the application count; that markers cross the cut is
//! their task.
//!
//! The clocks need not be kept. A cut that knows too much learned it from a chain of messages, and of this
//! chain one message was the first to cross the cut from behind. So it is enough to look at each message:
//! which cuts had its sender passed, and has the receiver passed them too? Each process numbers the cuts
//! that it passes, and a message carries the number of the last.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::is_of_application;
use crate::snapshot::{Indication, Worth};
use crate::wave::Wave;

/// Watches that no message of the application crosses a cut from behind.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ConsistentCut {
    /// Of each process, how many cuts it has passed, and the number and the event of each that others have
    /// yet to pass.
    processes: Vec<Cuts>,
    /// How many have passed each cut that is not passed by all.
    passed: BTreeMap<Wave, usize>,
    /// How many waves were passed by all.
    complete: u64,
    /// Whether a message of the application arrived while some cut was not passed by all.
    crossed: bool,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Cuts {
    last: u64,
    open: BTreeMap<Wave, (u64, Witness)>,
}

impl ConsistentCut {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        let processes = vec![Cuts::default(); processes as usize];
        Self { processes, passed: BTreeMap::new(), complete: 0, crossed: false }
    }

    fn pass(&mut self, wave: Wave, at: Witness) {
        let cuts = &mut self.processes[at.process.index()];
        if cuts.open.contains_key(&wave) {
            return;
        }
        cuts.last += 1;
        cuts.open.insert(wave, (cuts.last, at));
        let passed = self.passed.entry(wave).or_default();
        *passed += 1;
        if *passed == self.processes.len() {
            self.passed.remove(&wave);
            self.complete += 1;
            self.processes.iter_mut().for_each(|cuts| _ = cuts.open.remove(&wave));
        }
    }
}

impl<A: Worth> Watch<Indication<A>> for ConsistentCut {
    fn on_send(
        &mut self,
        from: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let last = self.processes[from.process.index()].last;
        Ok(if is_of_application(message) { last } else { 0 })
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        if !is_of_application(message) {
            return Ok(());
        }
        self.crossed |= !self.passed.is_empty();
        let inside = &self.processes[to.process.index()].open;
        let mut passed = self.processes[from.index()].open.iter();
        let crossed = passed.find(|(wave, (cut, _))| *cut <= tag && !inside.contains_key(wave));
        let Some((wave, (_, cut))) = crossed else { return Ok(()) };
        let (kind, process) = (message.kind(), to.process);
        let what = format!(
            "{kind} from {from} to {process} is sent after the cut of wave {wave} and received before it"
        );
        Violation::check(what, [*cut, to])
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        if let Indication::Cut(wave) = indication {
            self.pass(*wave, at);
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        kind == "Cut"
    }

    fn at_end(&self, _: &End) -> Judgement {
        let incomplete = match self.passed.len() {
            0 => String::new(),
            some => format!(", and {some} not passed by all"),
        };
        let cuts = counted(self.complete, "cut");
        Judgement::Holds(format!("{cuts}, each consistent{incomplete}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.crossed
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Of the numbers only the order matters, and only those of cuts that are not passed by all.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let rank = |cuts: &Cuts, number: u64| {
            cuts.open.values().filter(|(cut, _)| *cut <= number).count() as u64
        };
        tags(&mut |from, _, tag| *tag = rank(&self.processes[from.index()], *tag));
        for cuts in &mut self.processes {
            let before = cuts.clone();
            for (cut, _) in cuts.open.values_mut() {
                *cut = rank(&before, *cut);
            }
            cuts.last = cuts.open.len() as u64;
        }
        self.complete = 0;
        self.crossed = false;
    }
}

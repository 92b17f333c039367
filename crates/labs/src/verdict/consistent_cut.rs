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

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, told};
use crate::process::ProcessId;
use crate::snapshot::Wave;
use crate::trace::Happening;

/// The monitor of [`Spec::ConsistentCut`](super::Spec::ConsistentCut).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConsistentCut {
    cut: Name,
    message: Name,
    /// Of each process, how many cuts it has passed, and the number and the event of each that others have
    /// yet to pass.
    processes: Vec<Cuts>,
    /// How many have passed each cut that is not passed by all.
    passed: BTreeMap<Wave, usize>,
    /// How many waves were passed by all.
    complete: u64,
    violation: Option<Violation>,
}

#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Cuts {
    last: u64,
    open: BTreeMap<Wave, (u64, Witness)>,
}

impl ConsistentCut {
    /// Watches processes that say with indications of kind `cut` where a wave cuts them, and send each
    /// other messages of kind `message`.
    pub fn new(cut: String, message: String, processes: u32) -> Self {
        Self {
            cut: cut.into(),
            message: message.into(),
            processes: vec![Cuts::default(); processes as usize],
            passed: BTreeMap::new(),
            complete: 0,
            violation: None,
        }
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

impl Watch for ConsistentCut {
    fn name(&self) -> (String, PropertyKind) {
        ("consistent cut".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, _: ProcessId, kind: &str, _: u64) -> u64 {
        if *kind == *self.message { self.processes[from.index()].last } else { 0 }
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        if *kind != *self.message || self.violation.is_some() {
            return;
        }
        let inside = &self.processes[to.index()].open;
        let mut passed = self.processes[from.index()].open.iter();
        let crossed = passed.find(|(wave, (cut, _))| *cut <= tag && !inside.contains_key(wave));
        if let Some((wave, (_, cut))) = crossed {
            self.violation = Some(Violation {
                what: format!(
                    "{kind} from {from} to {to} is sent after the cut of wave {wave} and received before it"
                ),
                witnesses: vec![*cut, Witness { process: to, n }],
            });
        }
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if let Some(Ok(wave)) = told(happening, &self.cut) {
            self.pass(wave, Witness { process, n });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.passed.is_empty()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let incomplete = match self.passed.len() {
            0 => String::new(),
            some => format!(", and {some} not passed by all"),
        };
        let detail = format!("{}, each consistent{incomplete}", counted(self.complete, "cut"));
        (Some(true), detail)
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
    }
}

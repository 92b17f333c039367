//! Every wave comes to its end: all processes record their part of it, each once.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use crate::snapshot::{Indication, Worth};
use crate::wave::Wave;

/// Watches that all processes record each wave.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EveryWave {
    waves: u64,
    processes: u32,
    /// The waves that not all have recorded, each with the processes that have.
    open: BTreeMap<Wave, BTreeSet<ProcessId>>,
    complete: u64,
}

impl EveryWave {
    /// Watches so many waves of so many processes.
    pub fn new(waves: u64, processes: u32) -> Self {
        Self { waves, processes, open: BTreeMap::new(), complete: 0 }
    }
}

impl<A: Worth> Watch<Indication<A>> for EveryWave {
    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        let Indication::Recorded(part) = indication else { return Ok(()) };
        let (process, wave) = (at.process, part.recorded.wave);
        let by = self.open.entry(wave).or_default();
        if !by.insert(process) {
            return Violation::check(format!("{process} records wave {wave} a second time"), [at]);
        }
        if by.len() == self.processes as usize {
            self.open.remove(&wave);
            self.complete += 1;
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        if let Some((wave, by)) = self.open.first_key_value() {
            let missing = (0..self.processes).map(ProcessId).find(|process| !by.contains(process));
            let missing = missing.unwrap_or_default();
            return Judgement::not_yet(end, format!("{missing} has not recorded wave {wave}"));
        }
        let waves = counted(self.waves, "wave");
        match self.complete == self.waves {
            true => Judgement::Holds(format!("{waves} by {}", self.processes)),
            false => Judgement::not_yet(end, format!("{} of {waves}", self.complete)),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.complete > 0 || !self.open.is_empty()
    }
}

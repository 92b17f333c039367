//! Every wave comes to its end: all processes record their part of it, each once.

use std::collections::{BTreeMap, BTreeSet};

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, not_yet, told};
use crate::process::ProcessId;
use crate::snapshot::{Recorded, Wave};
use crate::trace::Happening;

/// The monitor of [`Spec::EveryWave`](super::Spec::EveryWave).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EveryWave {
    recorded: Name,
    waves: u64,
    processes: u32,
    /// Who recorded the waves that not all have.
    open: BTreeMap<Wave, BTreeSet<ProcessId>>,
    complete: u64,
    unreadable: u64,
    violation: Option<Violation>,
}

impl EveryWave {
    /// Watches that all processes say of each of so many waves that they `recorded` it.
    pub fn new(recorded: String, waves: u64, processes: u32) -> Self {
        Self {
            recorded: recorded.into(),
            waves,
            processes,
            open: BTreeMap::new(),
            complete: 0,
            unreadable: 0,
            violation: None,
        }
    }

    fn record(&mut self, wave: Wave, at: Witness) {
        let by = self.open.entry(wave).or_default();
        if !by.insert(at.process) {
            self.violation.get_or_insert_with(|| Violation {
                what: format!("{} records wave {wave} a second time", at.process),
                witnesses: vec![at],
            });
        }
        if by.len() == self.processes as usize {
            self.open.remove(&wave);
            self.complete += 1;
        }
    }
}

impl Watch for EveryWave {
    fn name(&self) -> (String, PropertyKind) {
        ("every wave is recorded by all".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        match told::<Recorded>(happening, &self.recorded) {
            Some(Ok(recorded)) => self.record(recorded.wave, Witness { process, n }),
            Some(Err(_)) => self.unreadable += 1,
            None => {}
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.complete > 0 || !self.open.is_empty()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        if self.unreadable > 0 {
            return (None, super::unreadable(self.unreadable));
        }
        if let Some((wave, by)) = self.open.first_key_value() {
            let missing = (0..self.processes).map(ProcessId).find(|p| !by.contains(p));
            let missing = missing.unwrap_or_default();
            return not_yet(end, format!("{missing} has not recorded wave {wave}"));
        }
        if self.complete == self.waves {
            return (Some(true), format!("{} by {}", counted(self.waves, "wave"), self.processes));
        }
        not_yet(end, format!("{} of {}", self.complete, counted(self.waves, "wave")))
    }
}

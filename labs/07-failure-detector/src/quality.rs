//! How good the detectors of a run were: T_D, T_MR, T_M and P_A, measured from the times of its
//! events.
//!
//! What counts is what a detector finds out of the processes that it watches itself. A suspicion of
//! a process that lives is a *mistake*, until an answer ends it. (A process that is stopped and
//! continued was suspected by mistake, too: it did not die.) The suspicion that lasts is the
//! *detection* of a crash, if there was one. It may be both: the process dies while it is
//! suspected. Until then the suspicion was wrong, and is a mistake that *ended by death*; from then
//! on it is right, and detected the crash at once. Times are those of the machine, in `simulate`
//! virtual. The verdicts do not use them.

use std::collections::BTreeMap;

use labs::process::ProcessId;

/// What is known of one run so far.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    /// By detector and process.
    pairs: BTreeMap<(ProcessId, ProcessId), Pair>,
    /// When who died, in microseconds.
    died_us: BTreeMap<ProcessId, u64>,
    /// The time of the last event.
    end_us: u64,
}

/// One detector and a process that it watches.
#[derive(Clone, Debug, Default)]
struct Pair {
    /// The suspicions that ended: from when to when.
    mistakes: Vec<(u64, u64)>,
    /// Since when it is suspected.
    since_us: Option<u64>,
}

/// The measures. Several runs can be added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// T_D of each crash that was detected, in seconds.
    pub detections_s: Vec<f64>,
    /// T_M of each mistake, in seconds, up to the death of the process if that ended it.
    pub mistakes_s: Vec<f64>,
    /// How many of these mistakes ended by death, and not by an answer.
    pub ended_by_death: u64,
    /// How long processes that lived were watched, summed up over the pairs, in seconds.
    pub watched_s: f64,
    /// Suspicions that did not end, of processes that are not known to have died.
    pub unresolved: u64,
    /// How long those had lasted at the end, in seconds.
    pub unresolved_s: f64,
}

impl Quality {
    /// A detector begins to suspect a process that it watches itself.
    pub fn on_suspect(&mut self, detector: ProcessId, process: ProcessId, at_us: u64) {
        self.on_time(at_us);
        self.pairs.entry((detector, process)).or_default().since_us.get_or_insert(at_us);
    }

    /// It suspects it no longer.
    pub fn on_restore(&mut self, detector: ProcessId, process: ProcessId, at_us: u64) {
        self.on_time(at_us);
        let pair = self.pairs.entry((detector, process)).or_default();
        if let Some(since_us) = pair.since_us.take() {
            pair.mistakes.push((since_us, at_us));
        }
    }

    /// A detector watches these processes, whether it ever suspects them or not.
    pub fn on_round(
        &mut self,
        detector: ProcessId,
        watched: impl IntoIterator<Item = ProcessId>,
        at_us: u64,
    ) {
        self.on_time(at_us);
        for process in watched {
            self.pairs.entry((detector, process)).or_default();
        }
    }

    /// A process dies.
    pub fn on_crash(&mut self, process: ProcessId, at_us: u64) {
        self.on_time(at_us);
        self.died_us.entry(process).or_insert(at_us);
    }

    /// When a process died, in microseconds, as far as is known.
    pub fn died_us(&self, process: ProcessId) -> Option<u64> {
        self.died_us.get(&process).copied()
    }

    fn on_time(&mut self, at_us: u64) {
        self.end_us = at_us.max(self.end_us);
    }

    /// The measures of the run up to its last event.
    pub fn measure(&self) -> Measures {
        let mut measures = Measures::default();
        for (&(detector, process), pair) in &self.pairs {
            // A detector that died detects nothing any more.
            let end_us = self.died_us(detector).unwrap_or(self.end_us);
            pair.add_to(&mut measures, self.died_us(process), end_us);
        }
        measures
    }
}

impl Pair {
    fn add_to(&self, measures: &mut Measures, died_us: Option<u64>, end_us: u64) {
        let lived_us = died_us.unwrap_or(end_us).min(end_us);
        measures.watched_s += seconds(lived_us);
        for &(from_us, to_us) in &self.mistakes {
            measures.add_mistake(from_us, to_us, lived_us);
        }
        let Some(since_us) = self.since_us else { return };
        // Of a death after its own the detector knows nothing.
        match died_us.filter(|&died_us| died_us <= end_us) {
            Some(died_us) => {
                // Suspected before it died: that was wrong until then, and right at once.
                measures.detections_s.push(seconds(since_us.saturating_sub(died_us)));
                measures.add_mistake(since_us, u64::MAX, lived_us);
            }
            None => {
                measures.unresolved += 1;
                measures.unresolved_s += seconds(end_us.saturating_sub(since_us));
            }
        }
    }
}

impl Measures {
    /// Adds a suspicion of a process that lived for so long. It was wrong as far as it lived: the
    /// answer that ends it may be one from before the death, and arrive after it.
    fn add_mistake(&mut self, from_us: u64, to_us: u64, lived_us: u64) {
        if from_us < lived_us {
            self.mistakes_s.push(seconds(to_us.min(lived_us) - from_us));
            self.ended_by_death += u64::from(to_us > lived_us);
        }
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: Self) {
        self.detections_s.extend(other.detections_s);
        self.mistakes_s.extend(other.mistakes_s);
        self.ended_by_death += other.ended_by_death;
        self.watched_s += other.watched_s;
        self.unresolved += other.unresolved;
        self.unresolved_s += other.unresolved_s;
    }

    /// The mean of T_D, in seconds.
    pub fn detection_s(&self) -> Option<f64> {
        mean(&self.detections_s)
    }

    /// The longest T_D, in seconds.
    pub fn longest_detection_s(&self) -> Option<f64> {
        self.detections_s.iter().copied().reduce(f64::max)
    }

    /// The mean of T_MR, in seconds: nothing if there was no mistake.
    pub fn recurrence_s(&self) -> Option<f64> {
        let mistakes = self.mistakes_s.len() as f64;
        (mistakes > 0.0).then(|| self.watched_s / mistakes)
    }

    /// The mean of T_M, in seconds.
    pub fn duration_s(&self) -> Option<f64> {
        mean(&self.mistakes_s)
    }

    /// P_A, from 0 to 1: which part of the time processes that lived were held for living.
    pub fn accuracy(&self) -> Option<f64> {
        let wrong = self.mistakes_s.iter().sum::<f64>() + self.unresolved_s;
        (self.watched_s > 0.0).then(|| 1.0 - wrong / self.watched_s)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The time of an event, which is in microseconds, in seconds.
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests;

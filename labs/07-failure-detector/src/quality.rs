//! How good the detectors of a run were: T_D, T_MR, T_M and P_A, measured from the times of its events.
//!
//! What counts is what a detector finds out of the processes that it watches itself. A suspicion that ends is a
//! *mistake*; one that does not end is the *detection* of a crash, if there was one. (A process that is
//! stopped and continued was suspected by mistake, too: it did not die.) Times are those of the machine, in
//! `simulate` virtual. The verdicts do not use them.

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
    /// T_M of each mistake, in seconds.
    pub mistakes_s: Vec<f64>,
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
        // What was suspected while it lived, and restored by an answer from before its death.
        let while_alive = self.mistakes.iter().filter(|(from, _)| *from < lived_us);
        measures.mistakes_s.extend(while_alive.map(|&(from, to)| seconds(to - from)));
        match (self.since_us, died_us) {
            // Suspected before it died: it was right at once.
            (Some(since_us), Some(died_us)) => {
                measures.detections_s.push(seconds(since_us.saturating_sub(died_us)));
            }
            (Some(since_us), None) => {
                measures.unresolved += 1;
                measures.unresolved_s += seconds(end_us.saturating_sub(since_us));
            }
            (None, _) => {}
        }
    }
}

impl Measures {
    /// Adds those of another run.
    pub fn add(&mut self, other: Self) {
        self.detections_s.extend(other.detections_s);
        self.mistakes_s.extend(other.mistakes_s);
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

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: ProcessId = ProcessId(0);
    const P: ProcessId = ProcessId(2);
    const Q: ProcessId = ProcessId(4);

    #[test]
    fn mistakes_end_and_detections_do_not() {
        let mut quality = Quality::default();
        quality.on_round(D, [P, Q], 1_000_000);
        quality.on_suspect(D, P, 2_000_000);
        quality.on_restore(D, P, 2_500_000);
        quality.on_suspect(D, P, 6_000_000);
        quality.on_restore(D, P, 7_500_000);
        quality.on_crash(Q, 5_000_000);
        quality.on_suspect(D, Q, 5_400_000);
        quality.on_round(D, [P, Q], 10_000_000);
        let measures = quality.measure();
        assert_eq!(measures.detections_s, [0.4]);
        assert_eq!(measures.duration_s(), Some(1.0));
        // Ten seconds of P, five of Q.
        assert_eq!(measures.recurrence_s(), Some(7.5));
        assert!((measures.accuracy().unwrap() - 13.0 / 15.0).abs() < 1e-12);
        assert_eq!(measures.unresolved, 0);
    }

    #[test]
    fn nothing_is_made_up_where_nothing_happened() {
        let mut quality = Quality::default();
        assert_eq!(quality.measure().accuracy(), None);
        quality.on_round(D, [P], 1_000_000);
        let measures = quality.measure();
        assert_eq!(measures.accuracy(), Some(1.0));
        assert_eq!((measures.detection_s(), measures.recurrence_s()), (None, None));
    }

    #[test]
    fn a_suspicion_of_who_is_not_known_to_be_dead_is_no_detection() {
        let mut quality = Quality::default();
        quality.on_suspect(D, P, 1_000_000);
        quality.on_suspect(D, P, 2_000_000);
        let measures = quality.measure();
        assert_eq!((measures.unresolved, measures.detections_s.len()), (1, 0));
        // Of two seconds, one.
        assert_eq!(measures.accuracy(), Some(0.5));
    }
}

//! The result of a run: who died and how soon that was known, and how good the detectors were,
//! beside what interval and threshold imply.

use std::collections::BTreeMap;

use labs::lab::{Findings, Summary};
use labs::process::ProcessId;
use serde_json::{Value, json};

use crate::lists::List;
use crate::quality::{Measures, Quality, seconds};
use crate::theory;
use crate::two_levels::{DETECTORS, Indication, Listed, Settings, watcher};

/// How many deaths are told one by one.
const DEATHS_MAX: usize = 10;

/// What the result is made from.
#[derive(Debug)]
pub struct DetectorFindings {
    settings: Settings,
    quality: Quality,
    /// By detector: where each process stands.
    views: [Vec<Place>; 2],
    /// By detector: its last heartbeat, and of each process that it watches the last that it
    /// answered.
    rounds: [(u32, BTreeMap<ProcessId, u32>); 2],
}

/// Where a process stands, according to one detector.
#[derive(Clone, Copy, Debug)]
struct Place {
    list: List,
    /// Since when it is on this list, in microseconds.
    since_us: u64,
    /// Since when it is on the list of the dead, in microseconds. While it cannot be told, that is
    /// not taken back.
    dead_since_us: Option<u64>,
}

impl Place {
    fn put(&mut self, list: List, at_us: u64) {
        (self.list, self.since_us) = (list, at_us);
        match list {
            List::Alive => self.dead_since_us = None,
            List::Dead => _ = self.dead_since_us.get_or_insert(at_us),
            List::Unknown => {}
        }
    }
}

impl DetectorFindings {
    /// Before a run of so many processes.
    pub fn new(settings: Settings, processes: u32) -> Self {
        let place = Place { list: List::Alive, since_us: 0, dead_since_us: None };
        let view = vec![place; processes as usize];
        Self {
            settings,
            quality: Quality::default(),
            views: [view.clone(), view],
            rounds: Default::default(),
        }
    }

    /// The measures of the run.
    pub fn measures(&self) -> Measures {
        self.quality.measure()
    }

    fn listed(&mut self, detector: ProcessId, list: List, listed: &Listed, at_us: u64) {
        let Listed { process, by, .. } = *listed;
        let Some(view) = self.views.get_mut(detector.index()) else { return };
        if let Some(place) = view.get_mut(process.index()) {
            place.put(list, at_us);
        }
        match list {
            List::Dead if by == detector => self.quality.on_suspect(detector, process, at_us),
            List::Alive if by == detector => self.quality.on_restore(detector, process, at_us),
            _ => {}
        }
    }

    /// Who died, when, and how long after that each detector had it on the list of the dead, if it
    /// has.
    fn deaths(&self) -> Vec<Death> {
        let processes = (0..self.views[0].len() as u32).map(ProcessId);
        let death = |process: ProcessId| {
            let died_us = self.quality.died_us(process)?;
            let known_after_s = DETECTORS.map(|detector| {
                let place = self.views[detector.index()][process.index()];
                let since_us = place.dead_since_us?;
                let lives = self.quality.died_us(detector).is_none();
                lives.then(|| seconds(since_us.saturating_sub(died_us)))
            });
            Some(Death { process, died_s: seconds(died_us), known_after_s })
        };
        processes.filter_map(death).collect()
    }
}

struct Death {
    process: ProcessId,
    died_s: f64,
    /// By detector.
    known_after_s: [Option<f64>; 2],
}

impl Death {
    fn line(&self) -> String {
        let known: Vec<_> = DETECTORS
            .iter()
            .zip(self.known_after_s)
            .filter_map(|(detector, after)| Some(format!("{detector} after {:.3} s", after?)))
            .collect();
        let known = match known.is_empty() {
            true => "no detector that lives suspects it".to_owned(),
            false => format!("suspected by {}", known.join(", by ")),
        };
        format!("{} died at {:.3} s: {known}", self.process, self.died_s)
    }

    fn to_json(&self) -> Value {
        let [p0, p1] = self.known_after_s;
        json!({ "process": self.process, "died_s": self.died_s, "p0_after_s": p0, "p1_after_s": p1 })
    }
}

impl Findings<Indication> for DetectorFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &Indication, at_us: u64) {
        if let Some((list, listed)) = indication.change() {
            self.listed(process, list, listed, at_us);
        }
        if let Indication::Round { round, answered, .. } = indication {
            self.quality.on_round(process, answered.keys().copied(), at_us);
            if let Some(rounds) = self.rounds.get_mut(process.index()) {
                *rounds = (*round, answered.clone());
            }
        }
    }

    fn on_crash(&mut self, process: ProcessId, at_us: u64) {
        self.quality.on_crash(process, at_us);
    }

    fn lines(&self, _: &Summary) -> Vec<String> {
        let Settings { interval, threshold, rounds } = self.settings;
        let deaths = self.deaths();
        let mut lines =
            vec![format!("{rounds} heartbeats, one every {interval:?}; threshold {threshold}")];
        lines.extend(deaths.iter().take(DEATHS_MAX).map(Death::line));
        if deaths.len() > DEATHS_MAX {
            lines.push(format!("... and {} more died", deaths.len() - DEATHS_MAX));
        }
        lines.extend(quality_lines(self.settings, &self.measures()));
        lines
    }

    fn json(&self, _: &Summary) -> Value {
        let measures = self.measures();
        json!({
            "interval_s": self.settings.interval.as_secs_f64(),
            "threshold": self.settings.threshold,
            "rounds": self.settings.rounds,
            "deaths": self.deaths().iter().map(Death::to_json).collect::<Vec<_>>(),
            "quality": measures_to_json(self.settings, &measures),
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, Value)> {
        let to = |detector: ProcessId| -> Value {
            let Place { list, .. } = self.views[detector.index()][process.index()];
            match self.quality.died_us(detector) {
                _ if detector == process => Value::Null,
                Some(_) => Value::Null,
                None => list.name().into(),
            }
        };
        let own = watcher(process).index();
        let (sent, answered) = &self.rounds[own];
        let since_ms = self.views[own][process.index()].since_us / 1_000;
        vec![
            ("sent", (*sent).into()),
            ("answered", answered.get(&process).copied().into()),
            ("to p0", to(DETECTORS[0])),
            ("to p1", to(DETECTORS[1])),
            ("since_s", (since_ms as f64 / 1e3).into()),
        ]
    }
}

/// The four measures, and the bound on the first, for people.
fn quality_lines(settings: Settings, measures: &Measures) -> Vec<String> {
    let seconds = |value: Option<f64>| value.map_or("-".to_owned(), |s| format!("{s:.3} s"));
    let bound = theory::detection_bound(settings, std::time::Duration::ZERO).as_secs_f64();
    let mistakes = match (measures.mistakes_s.len(), measures.ended_by_death) {
        (all, 0) => all.to_string(),
        (all, by_death) => format!("{all} ({by_death} ended by death)"),
    };
    let accuracy = measures.accuracy().map_or("-".to_owned(), |accuracy| format!("{accuracy:.6}"));
    let mut lines = vec![
        format!(
            "detection time T_D: mean {}, longest {}, of {}",
            seconds(measures.detection_s()),
            seconds(measures.longest_detection_s()),
            measures.detections_s.len()
        ),
        format!("  bound: (threshold+1)·interval = {bound:.3} s, and a round trip"),
        format!("mistakes: {mistakes}"),
        format!(
            "  recurrence T_MR {}, duration T_M {}",
            seconds(measures.recurrence_s()),
            seconds(measures.duration_s())
        ),
        format!("  query accuracy P_A {accuracy}"),
    ];
    if measures.unresolved > 0 {
        lines.push(format!(
            "suspected in the end, and not known to have died: {}",
            measures.unresolved
        ));
    }
    lines
}

/// The same for programs.
fn measures_to_json(settings: Settings, measures: &Measures) -> Value {
    let bound = theory::detection_bound(settings, std::time::Duration::ZERO).as_secs_f64();
    json!({
        "T_D": {
            "count": measures.detections_s.len(),
            "mean_s": measures.detection_s(),
            "max_s": measures.longest_detection_s(),
            "bound_s": bound,
        },
        "mistakes": measures.mistakes_s.len(),
        "ended_by_death": measures.ended_by_death,
        "T_MR_s": measures.recurrence_s(),
        "T_M_s": measures.duration_s(),
        "P_A": measures.accuracy(),
        "unresolved": measures.unresolved,
    })
}

#[cfg(test)]
mod tests;

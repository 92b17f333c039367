//! What is known of a run while it goes on, from what the detectors say.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{TraceEvent, What};
use serde::Serialize;

use crate::lists::List;
use crate::quality::seconds;
use crate::two_levels::{Indication, Settings, watcher};

/// What is known of a run from what its detectors said.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) settings: Settings,
    /// What each detector says of each process, by rank.
    pub(crate) views: [View; 2],
    /// Who died.
    pub(crate) died: Vec<bool>,
    /// Where each process is: `host/pid`, to send signals to. Empty before the start.
    pub(crate) places: Vec<String>,
    /// The time of the last event, in microseconds.
    pub(crate) now_us: u64,
}

/// What one detector says.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) round: u32,
    pub(crate) on: Vec<List>,
    /// Since when, in microseconds.
    pub(crate) since_us: Vec<u64>,
    pub(crate) answered: BTreeMap<ProcessId, u32>,
}

/// What an event of a run says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// A process died.
    Died(ProcessId),
    /// A process said something: mostly a detector.
    Said(ProcessId, Indication),
}

/// A process, as one detector has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Which process.
    pub process: ProcessId,
    /// The last heartbeat that was sent to it by the detector that watches it, as of that one's
    /// last round.
    pub sent: u32,
    /// The last one that it answered, as of then; nothing before the first round.
    pub answered: Option<u32>,
    /// The list that it is on.
    pub state: List,
    /// Since when, in seconds.
    pub since_s: f64,
}

impl Table {
    /// Before a run of so many processes: all live.
    pub fn new(settings: Settings, processes: u32) -> Self {
        let n = processes as usize;
        let view = || View {
            round: 0,
            on: vec![List::Alive; n],
            since_us: vec![0; n],
            answered: BTreeMap::new(),
        };
        Self {
            settings,
            views: [view(), view()],
            died: vec![false; n],
            places: Vec::new(),
            now_us: 0,
        }
    }

    /// Takes note of an event, and says what it was; nothing if it says nothing of this run.
    pub(crate) fn heed(&mut self, event: &TraceEvent) -> Option<News> {
        self.now_us = event.at_us.max(self.now_us);
        match &event.what {
            What::Crash(_) => {
                *self.died.get_mut(event.process.index())? = true;
                Some(News::Died(event.process))
            }
            What::Indication(note) => {
                let said = note.data.get().ok()?;
                self.note(event.process, &said, event.at_us);
                Some(News::Said(event.process, said))
            }
            _ => None,
        }
    }

    fn note(&mut self, detector: ProcessId, said: &Indication, at_us: u64) {
        let Some(view) = self.views.get_mut(detector.index()) else { return };
        if let Indication::Round { round, answered, .. } = said {
            (view.round, view.answered) = (*round, answered.clone());
        }
        if let Some((list, listed)) = said.change()
            && let Some(on) = view.on.get_mut(listed.process.index())
        {
            *on = list;
            view.since_us[listed.process.index()] = at_us;
        }
    }

    /// Where a process stands according to a detector; nothing if that is none, or there is no such
    /// process.
    pub fn standing(&self, detector: ProcessId, process: ProcessId) -> Option<Standing> {
        let view = self.views.get(detector.index())?;
        let own = &self.views[watcher(process).index()];
        Some(Standing {
            process,
            sent: own.round,
            answered: own.answered.get(&process).copied(),
            state: *view.on.get(process.index())?,
            since_s: seconds(*view.since_us.get(process.index())?),
        })
    }
}

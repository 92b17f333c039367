//! What is reported of a handler that does not return. Nobody can end the handler, so the program ends itself.

use std::time::Instant;

use anyhow::Context as _;

use super::progress::now;
use super::{COULD_NOT_RUN, Common, finish};
use crate::misstep::Misstep;
use crate::misstep::watchdog::{STEP_MAX, Watchdog, Whereabouts};
use crate::planned::Planned;
use crate::process::ProcessId;
use crate::report::Report;
use crate::trace::Identity;
use crate::verdict::{Judge, Property, Witness};

/// What the report says besides.
pub(super) struct Unreturned {
    properties: Vec<Property>,
    processes: u32,
    identity: Identity,
    json: bool,
    trace: Option<String>,
    begun: Instant,
}

impl Unreturned {
    pub(super) fn new(
        common: &Common,
        lab: &dyn Planned,
        identity: Identity,
        trace: Option<String>,
    ) -> Self {
        let (properties, processes) = (lab.properties(), lab.processes());
        Self { properties, processes, identity, json: common.json, trace, begun: now() }
    }

    /// Looks after the handlers that say there what they do, until what is returned is dropped.
    pub(super) fn watch(self, whereabouts: &Whereabouts) -> anyhow::Result<Watchdog> {
        let tell = move |process, misstep: Misstep| self.tell(process, &misstep);
        let watchdog = Watchdog::start(whereabouts.clone(), STEP_MAX, tell);
        watchdog.context("no thread looks after the handlers")
    }

    fn tell(self, process: ProcessId, misstep: &Misstep) {
        let mut judge = Judge::new(&self.properties, self.processes);
        judge.note_misstep(Witness { process, n: 0 }, misstep);
        let why = format!("\"{}\" is violated", misstep.wrong.property());
        let report = Report {
            elapsed_s: self.begun.elapsed().as_secs_f64(),
            properties: judge.verdicts_on_part(&why),
            problems: vec![format!("{}; the program ended itself", misstep.sentence(process))],
            trace: self.trace,
            ..Report::of(self.identity)
        };
        let status = finish(&report, self.json).unwrap_or(COULD_NOT_RUN);
        std::process::exit(status.into());
    }
}

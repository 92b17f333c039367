//! A handler that does not return, in a run that is gone through again.
//!
//! Nobody can end it, so another thread tells the answer and ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;

use super::{Broken, DIFFERS, Outcome, tell};
use crate::cli::COULD_NOT_RUN;
use crate::misstep::watchdog::{STEP_MAX, Watchdog, Whereabouts};
use crate::misstep::{Misstep, Wrong};
use crate::process::ProcessId;

/// What is answered then.
pub(super) struct Hung {
    /// What is known before the first event.
    pub(super) outcome: Outcome,
    /// How many events were followed.
    pub(super) followed: Arc<AtomicU64>,
    /// What a handler did in the trace that none may do.
    pub(super) told: Option<(ProcessId, Misstep)>,
    /// Whether the trace has the end of the run. A simulation that hangs leaves a trace without.
    pub(super) is_over: bool,
    pub(super) json: bool,
}

impl Hung {
    /// Looks after the handlers that say there what they do, until what is returned is dropped.
    pub(super) fn watch(self) -> anyhow::Result<(Whereabouts, Watchdog)> {
        let whereabouts = Whereabouts::default();
        let end = move |process, misstep: Misstep| {
            let status = self.tell(process, &misstep).unwrap_or(COULD_NOT_RUN);
            std::process::exit(status.into());
        };
        let watchdog = Watchdog::start(whereabouts.clone(), STEP_MAX, end);
        Ok((whereabouts, watchdog.context("no thread looks after the handlers")?))
    }

    /// Up to here each step was alike, else the replay had ended before.
    fn tell(self, process: ProcessId, misstep: &Misstep) -> anyhow::Result<u8> {
        let is_told = self.told.as_ref().is_some_and(|(who, told)| {
            (*who, told.wrong, &told.when) == (process, Wrong::Hangs, &misstep.when)
        });
        let mut outcome = self.outcome;
        let is_same = is_told || !self.is_over;
        outcome.same = Some(is_same);
        outcome.followed = self.followed.load(Ordering::Relaxed);
        match is_same {
            true => outcome.misstep = Some(Broken::of(process, misstep)),
            false => outcome
                .differences
                .push(format!("here {}, and in the trace it did", misstep.sentence(process))),
        }
        tell(&outcome, self.json)?;
        Ok(if is_same { 0 } else { DIFFERS })
    }
}

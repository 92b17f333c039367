//! What a process has recorded of a wave is stored before the process goes on: it says so right behind what it
//! recorded, once, in the same step, before it sends anything or is finished.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::snapshot::{Indication, Worth};
use crate::wave::Wave;

/// Watches that nothing happens at a process before its part of a wave is stored.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Storing {
    /// What is recorded and not stored.
    recorded: BTreeMap<ProcessId, (Wave, Witness)>,
    stored: u64,
}

impl Storing {
    /// A process goes on: it has stored what it recorded.
    fn go_on(&self, process: ProcessId) -> Check {
        let Some(&(wave, at)) = self.recorded.get(&process) else { return Ok(()) };
        let what = format!("{process} goes on, and has not stored its part of wave {wave}");
        Violation::check(what, [at])
    }

    fn store(&mut self, wave: Wave, at: Witness) -> Check {
        let process = at.process;
        match self.recorded.remove(&process) {
            Some((recorded, _)) if recorded == wave => {
                self.stored += 1;
                Ok(())
            }
            _ => {
                let what = format!("{process} stores wave {wave}, and has not just recorded it");
                Violation::check(what, [at])
            }
        }
    }
}

impl<A: Worth> Watch<Indication<A>> for Storing {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        self.go_on(from.process).map(|()| 0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, _: u64) -> Check {
        self.go_on(to.process)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        if let Indication::Stored(wave) = indication {
            return self.store(*wave, at);
        }
        self.go_on(at.process)?;
        if let Indication::Recorded(part) = indication {
            self.recorded.insert(at.process, (part.recorded.wave, at));
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            // A process may die while it stores.
            Happening::Crash => drop(self.recorded.remove(&at.process)),
            _ => self.go_on(at.process)?,
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.recorded.first_key_value() {
            Some((process, (wave, _))) => {
                Judgement::not_yet(end, format!("{process} has not stored its part of wave {wave}"))
            }
            None => Judgement::Holds(format!("{} stored", counted(self.stored, "part"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.stored > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.stored = self.stored.min(1);
    }
}

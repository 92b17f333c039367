//! What a process was when it died, from what it had written down until then.
//!
//! **The idea.** A real process writes each event into its journal before the effects of that event leave it.
//! So the journal is already the stable storage of the fail-recovery model (Cachin, Guerraoui, Rodrigues,
//! section 2.2.4). A process that starts again is made as the first time and given the events of its journal
//! once more. What it asks for meanwhile is only compared with the journal. In the end it is what it was, and
//! [`Process::recovered`] says what is left of that, as in the simulator. No author stores anything, and no
//! step waits for a disk. The idea is that of every write-ahead log, and of event sourcing.
//!
//! **What it costs.** One step for each event of the dead process, when it starts again: some microseconds each.
//!
//! **If it died within a step**, the journal has the event and not all of its effects. The process then kept
//! what it had after the whole step, as one that stores first and sends afterwards.

use std::time::Duration;

use super::follower::Follower;
use super::{Luck, Parting};
use crate::process::{Env, Event, EventOf, Process, ProcessId};
use crate::trace::note::Unreadable;
use crate::trace::{TraceEvent, What};

/// The past of a process: what it must be given again.
pub(crate) struct Past<'a> {
    /// Whose past it is.
    pub(crate) me: ProcessId,
    /// How many processes there are.
    pub(crate) processes: u32,
    /// What its choices are drawn from.
    pub(crate) seed: u64,
    /// Its events, from the first on.
    pub(crate) events: &'a mut dyn Iterator<Item = Result<TraceEvent, String>>,
}

/// Why a process cannot be made what it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecallError {
    /// The journal is damaged.
    #[error("its journal cannot be read: {0}")]
    Damaged(String),
    /// The journal does not hold a value.
    #[error("event {n} of its journal cannot be read: {why}")]
    Unreadable {
        /// Which event.
        n: u64,
        /// Why not.
        why: Unreadable,
    },
    /// It does something else than the first time.
    #[error(
        "{0}: a handler depends on something beside its state, so what the process was cannot be found \
         again; the lab can keep it by `restore` of its deployment"
    )]
    Parted(Parting),
    /// `recovered` says that nothing is left.
    #[error("it keeps nothing when it dies")]
    KeepsNothing,
}

impl Past<'_> {
    /// What is left of `process`, which is as it was before its first event, after all its events.
    pub(crate) fn recall<P: Process>(self, process: P) -> Result<P, RecallError> {
        let luck = Luck::of_run(self.seed, self.processes);
        let env = Env { me: self.me, processes: self.processes, now: None };
        let mut recalled = Recalled { follower: Follower::new(process), luck, env };
        for event in self.events {
            recalled.follow(&event.map_err(RecallError::Damaged)?)?;
        }
        recalled.follower.process.recovered().ok_or(RecallError::KeepsNothing)
    }
}

/// A process on its way through its past.
struct Recalled<P: Process> {
    follower: Follower<P>,
    luck: Luck,
    env: Env,
}

impl<P: Process> Recalled<P> {
    fn follow(&mut self, event: &TraceEvent) -> Result<(), RecallError> {
        let unreadable = |why| RecallError::Unreadable { n: event.n, why };
        let parted = match &event.what {
            What::Init => return self.step(event, Event::Init),
            What::Request(note) => {
                let request = note.data.get().map_err(unreadable)?;
                return self.step(event, Event::Request(request));
            }
            What::Receive { peer, message } => {
                let (from, message) = (*peer, message.data.get().map_err(unreadable)?);
                return self.step(event, Event::Message { from, message });
            }
            What::Timeout(note) => match self.follower.take_timer(note) {
                Some(timer) => return self.step(event, Event::Timeout(timer)),
                None => Some(Parting::NoTimer { process: self.env.me, told: event.to_string() }),
            },
            What::Recover => return self.recover(event),
            What::Send { peer, message } => self.follower.expect_send(event, *peer, message).err(),
            What::Indication(note) => self.follower.expect_indication(event, note),
            What::Crash(_) => {
                self.follower.die();
                None
            }
            // A message that was lost was sent, and a process that was stopped does no more.
            What::Drop { .. } | What::Stop(_) => None,
        };
        parted.map_or(Ok(()), |parting| Err(RecallError::Parted(parting)))
    }

    /// It had died before, and started again.
    fn recover(&mut self, event: &TraceEvent) -> Result<(), RecallError> {
        let recovered = self.follower.process.recovered();
        self.follower.process = recovered.ok_or(RecallError::KeepsNothing)?;
        self.luck.begin_again(self.env.me);
        self.step(event, Event::Init)
    }

    fn step(&mut self, event: &TraceEvent, given: EventOf<P>) -> Result<(), RecallError> {
        if let Some(parting) = self.follower.expect_rest(event) {
            return Err(RecallError::Parted(parting));
        }
        let env = Env { now: Some(Duration::from_micros(event.at_us)), ..self.env };
        // It fails only where choices are not known, and those of a run are.
        let stepped = self.follower.step(env, &mut self.luck, given, &[]);
        stepped.map_err(RecallError::Damaged)
    }
}

//! What the processes of a run are made from.

use super::Common;
use crate::lab::{Lab, Verb};

/// What it takes to make the processes of a run, now or when it is replayed.
pub(super) struct Made<L: Lab> {
    pub(super) processes: u32,
    /// The mistake to make.
    pub(super) broken: Option<L::Broken>,
    /// As they are when processes are made: prepared and drawn.
    pub(super) options: L::Options,
}

impl<L: Lab> Made<L> {
    /// What a command line means.
    ///
    /// # Errors
    ///
    /// If its options contradict each other, or ask for what the verb cannot do.
    pub(super) fn new(
        verb: Verb,
        common: &Common,
        seed: u64,
        broken: Option<L::Broken>,
        mut options: L::Options,
    ) -> anyhow::Result<Self> {
        let processes = common.processes::<L>(&options, verb)?;
        L::prepare(&mut options, verb, processes).map_err(anyhow::Error::msg)?;
        L::draw(&mut options, seed);
        Ok(Self { processes, broken, options })
    }
}

//! Conservation: what all processes and channels hold together is the same in every recorded global state.
//!
//! Money that is only passed on, say. A wave that misses a message in transit, or records one that is part
//! of a state as well, shows another total. The reverse does not hold: a wrong wave may have the right
//! total by chance, so this is a corollary, not a proof. [`ConsistentCut`](super::ConsistentCut) and
//! [`ChannelStates`](super::ChannelStates) say what a right one is.

use std::collections::BTreeMap;

use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::snapshot::{Indication, Worth};
use crate::wave::Wave;

/// Watches that what is recorded of each wave is worth the total.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Conservation {
    total: u64,
    processes: u32,
    /// Of each wave that not all have recorded yet, what is recorded.
    waves: BTreeMap<Wave, Sum>,
    complete: u64,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Sum {
    processes: u32,
    worth: u64,
}

impl Conservation {
    /// Watches so many processes, which have this total together.
    pub fn new(total: u64, processes: u32) -> Self {
        Self { total, processes, waves: BTreeMap::new(), complete: 0 }
    }
}

impl<A: Worth> Watch<Indication<A>> for Conservation {
    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        let Indication::Recorded(part) = indication else { return Ok(()) };
        let wave = part.recorded.wave;
        let sum = self.waves.entry(wave).or_default();
        sum.processes += 1;
        sum.worth = sum.worth.saturating_add(part.recorded.worth);
        if sum.processes < self.processes {
            return Ok(());
        }
        let (worth, total) = (sum.worth, self.total);
        self.waves.remove(&wave);
        self.complete += 1;
        if worth != total {
            let what = format!("wave {wave} recorded {worth} in all, and there are {total}");
            return Violation::check(what, [at]);
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        match self.complete {
            0 => Judgement::Unknown("not judged: no wave was recorded by all".to_owned()),
            n => Judgement::Holds(format!("{} in each of {}", self.total, counted(n, "wave"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.complete > 0
    }

    /// Whether there was a wave makes a difference, how many there were does not.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.complete = self.complete.min(1);
    }
}

//! Each process says something so many times.

use super::{Name, Times};
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Each`](super::Pattern::Each).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Each {
    says: Name,
    times: Times,
    /// How many times each process said it; not counted beyond what is demanded.
    said: Vec<u64>,
}

impl Each {
    pub(super) fn new(says: Name, times: Times, processes: u32) -> Self {
        Self { says, times, said: vec![0; processes as usize] }
    }

    fn demanded(&self) -> u64 {
        self.times.min()
    }
}

impl Watch<dyn Noted + '_> for Each {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if !self.says.is(indication) {
            return Ok(());
        }
        let most = self.times.max();
        let counted_up_to = most.unwrap_or_else(|| self.demanded());
        let said = &mut self.said[at.process.index()];
        if *said < counted_up_to {
            *said += 1;
        } else if let Some(times) = most {
            let (process, says) = (at.process, self.says.to_lowercase());
            let times = counted(times, "time");
            return Violation::check(format!("{process} {says} more than {times}"), [at]);
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let demanded = counted(self.demanded(), "time");
        let mut short = (0..).zip(&self.said).filter(|&(_, &said)| said < self.demanded());
        let Some((rank, said)) = short.next() else {
            return Judgement::Holds(match self.times {
                Times::Exactly(_) => format!("each {demanded}"),
                Times::AtLeast(_) => format!("each {demanded} or more"),
                Times::Within(..) => format!("each {} times", self.times),
            });
        };
        let others = match short.count() {
            0 => String::new(),
            others => format!(", and {} fell short", counted_more(others)),
        };
        let (process, says) = (ProcessId(rank), self.says.to_lowercase());
        Judgement::not_yet(end, format!("{process} {says} {said} of {demanded}{others}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.said.iter().any(|&said| said > 0)
    }
}

/// "1 process more", "2 processes more".
pub(super) fn counted_more(others: usize) -> String {
    match others {
        1 => "1 process more".to_owned(),
        n => format!("{n} processes more"),
    }
}

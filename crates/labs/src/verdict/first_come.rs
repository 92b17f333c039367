//! First come, first served: a waiting line is served from its front.
//!
//! It is the line of one process, and *first* is first in the line: when whoever keeps the line heard of
//! it. That is all that can be demanded without a clock that all share: of two who ask at different places
//! the one who asked first may be heard second.
//!
//! A keeper that dies takes the line along, and one that starts again says anew who stands in it.

use std::collections::VecDeque;

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::FirstComeFirstServed`](super::Spec::FirstComeFirstServed).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FirstComeFirstServed {
    queued: Name,
    granted: Name,
    dropped: Name,
    /// Who keeps the line.
    keeper: Option<ProcessId>,
    /// Who waits, by rank, and since which event. The first stands in front.
    line: VecDeque<(u64, Witness)>,
    served: u64,
    violation: Option<Violation>,
}

impl FirstComeFirstServed {
    /// Watches a line that processes join, are served from and leave by indications of these kinds, each
    /// with the rank of a process.
    pub fn new(queued: String, granted: String, dropped: String) -> Self {
        Self {
            queued: queued.into(),
            granted: granted.into(),
            dropped: dropped.into(),
            keeper: None,
            line: VecDeque::new(),
            served: 0,
            violation: None,
        }
    }

    fn serve(&mut self, rank: u64, event: Witness) {
        self.served += 1;
        match self.line.front() {
            Some((first, _)) if *first == rank => drop(self.line.pop_front()),
            Some(&(first, since)) => {
                let what = format!("p{rank} is served before p{first}, who came first");
                let witnesses = vec![since, event];
                self.violation.get_or_insert(Violation { what, witnesses });
                self.leave(rank);
            }
            None => {
                let what = format!("p{rank} is served, who did not wait");
                self.violation.get_or_insert(Violation { what, witnesses: vec![event] });
            }
        }
    }

    fn leave(&mut self, rank: u64) {
        self.line.retain(|(waiting, _)| *waiting != rank);
    }
}

impl Watch for FirstComeFirstServed {
    fn name(&self) -> (String, PropertyKind) {
        ("first come, first served".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let event = Witness { process, n };
        if let Some(rank) = number_told(happening, &self.queued) {
            self.keeper = Some(process);
            self.leave(rank);
            self.line.push_back((rank, event));
        } else if let Some(rank) = number_told(happening, &self.granted) {
            self.serve(rank, event);
        } else if let Some(rank) = number_told(happening, &self.dropped) {
            self.leave(rank);
        } else if matches!(happening, Happening::Crash) && self.keeper == Some(process) {
            self.line.clear();
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.line.len() > 1
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        (Some(true), format!("{}, each from the front of the line", counted(self.served, "grant")))
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.served = 0;
    }
}

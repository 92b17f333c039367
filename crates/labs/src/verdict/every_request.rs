//! Every request is served: who asks gets in, in the end.
//!
//! A process that died asks for nothing any more. One that asks again while it waits, asks once.

use std::collections::BTreeSet;

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, counted, is_indication, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::EveryRequestServed`](super::Spec::EveryRequestServed).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EveryRequestServed {
    asked: Name,
    served: Name,
    /// Who waits.
    waiting: BTreeSet<ProcessId>,
    /// How many were served.
    count: u64,
}

impl EveryRequestServed {
    /// Watches that what indications of the first kind ask for, those of the second bring.
    pub fn new(asked: String, served: String) -> Self {
        Self { asked: asked.into(), served: served.into(), waiting: BTreeSet::new(), count: 0 }
    }
}

impl Watch for EveryRequestServed {
    fn name(&self) -> (String, PropertyKind) {
        ("every request is served".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        if is_indication(happening, &self.asked) {
            self.waiting.insert(process);
        } else if is_indication(happening, &self.served) {
            self.count += u64::from(self.waiting.remove(&process));
        } else if matches!(happening, Happening::Crash) {
            self.waiting.remove(&process);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn violation(&self) -> Option<&Violation> {
        None
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let Some(first) = self.waiting.first() else {
            return (Some(true), format!("{}, each served", counted(self.count, "request")));
        };
        let others = match self.waiting.len() - 1 {
            0 => String::new(),
            1 => ", and 1 process more".to_owned(),
            n => format!(", and {n} processes more"),
        };
        not_yet(end, format!("{first} waits{others}"))
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.count = 0;
    }
}

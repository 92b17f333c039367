//! The count is N: whoever says how many processes there are is right.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, not_yet, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::TrueCount`](super::Spec::TrueCount).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrueCount {
    counted: Name,
    processes: u32,
    /// Who counted.
    by: Option<ProcessId>,
    violation: Option<Violation>,
}

impl TrueCount {
    /// Watches how many processes some process says there are (`counted`).
    pub fn new(counted: String, processes: u32) -> Self {
        Self { counted: counted.into(), processes, by: None, violation: None }
    }
}

impl Watch for TrueCount {
    fn name(&self) -> (String, PropertyKind) {
        ("the count is N".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let Some(count) = number_told(happening, &self.counted) else { return };
        self.by = Some(process);
        if count != u64::from(self.processes) {
            self.violation.get_or_insert(Violation {
                what: format!("{process} counts {count} processes of {}", self.processes),
                witnesses: vec![Witness { process, n }],
            });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.by.is_some()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        match self.by {
            Some(process) => (Some(true), format!("{process} counted {}", self.processes)),
            None => not_yet(end, "nobody counted".to_owned()),
        }
    }
}

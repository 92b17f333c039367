//! The right one leads: the process that the algorithm must elect, and no other.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, not_yet, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::RightLeader`](super::Spec::RightLeader).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RightLeader {
    won: Name,
    which: Name,
    process: ProcessId,
    identity: u64,
    leads: bool,
    violation: Option<Violation>,
}

impl RightLeader {
    /// Watches that who says that it leads (`won`) is this process, with this identity: the `which`
    /// (`greatest`) among the initiators.
    pub fn new(won: String, which: String, process: ProcessId, identity: u64) -> Self {
        let (won, which) = (won.into(), which.into());
        Self { won, which, process, identity, leads: false, violation: None }
    }
}

impl Watch for RightLeader {
    fn name(&self) -> (String, PropertyKind) {
        let which = &*self.which;
        (format!("the {which} identity among the initiators leads"), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let Some(identity) = number_told(happening, &self.won) else { return };
        if (process, identity) == (self.process, self.identity) {
            self.leads = true;
            return;
        }
        self.violation.get_or_insert_with(|| Violation {
            what: format!(
                "{process} leads with identity {identity}, and {} has {}, the {} of all initiators",
                self.process, self.identity, &*self.which
            ),
            witnesses: vec![Witness { process, n }],
        });
    }

    fn is_put_to_the_test(&self) -> bool {
        self.leads || self.violation.is_some()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let (process, identity) = (self.process, self.identity);
        match self.leads {
            true => (Some(true), format!("{identity}, of {process}")),
            false => not_yet(end, format!("{process} with identity {identity} does not lead")),
        }
    }
}

//! Every process enters its critical section as often as it wanted: no starvation.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, is_indication, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::Entries`](super::Spec::Entries).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Entries {
    enter: Name,
    times: u64,
    /// How many times each process entered.
    entries: Vec<u64>,
    violation: Option<Violation>,
}

impl Entries {
    /// Watches that each process enters so many times.
    pub fn new(enter: String, times: u64, processes: u32) -> Self {
        Self { enter: enter.into(), times, entries: vec![0; processes as usize], violation: None }
    }
}

impl Watch for Entries {
    fn name(&self) -> (String, PropertyKind) {
        ("every process enters K times".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if !is_indication(happening, &self.enter) {
            return;
        }
        let entries = &mut self.entries[process.index()];
        *entries += 1;
        if *entries > self.times {
            self.violation.get_or_insert(Violation {
                what: format!("{process} enters more than {}", counted(self.times, "time")),
                witnesses: vec![Witness { process, n }],
            });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.entries.iter().any(|&entries| entries > 0)
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let mut short = (0_u32..).zip(&self.entries).filter(|&(_, &entries)| entries < self.times);
        let Some((rank, entries)) = short.next() else {
            return (Some(true), format!("each {}", counted(self.times, "time")));
        };
        let others = short.count();
        let among = match others {
            0 => String::new(),
            1 => ", and 1 process more fell short".to_owned(),
            _ => format!(", and {others} processes more fell short"),
        };
        not_yet(
            end,
            format!(
                "{} entered {entries} of {}{among}",
                ProcessId(rank),
                counted(self.times, "time")
            ),
        )
    }
}

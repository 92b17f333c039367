//! Blocked: a process that records a wave sends no message of the application before it has recorded it
//! completely.

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, is_indication};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::Blocked`](super::Spec::Blocked).
///
/// It does not ask the process whether it is blocked: who says `cut` has to be until it says `recorded`,
/// for each wave.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Blocked {
    cut: Name,
    recorded: Name,
    message: Name,
    /// Of each process, how many waves it is recording.
    recording: Vec<u64>,
    /// How many times a process was blocked.
    times: u64,
    violation: Option<Violation>,
}

impl Blocked {
    /// Watches that nobody sends a `message` between saying `cut` and `recorded`.
    pub fn new(cut: String, recorded: String, message: String, processes: u32) -> Self {
        Self {
            cut: cut.into(),
            recorded: recorded.into(),
            message: message.into(),
            recording: vec![0; processes as usize],
            times: 0,
            violation: None,
        }
    }
}

impl Watch for Blocked {
    fn name(&self) -> (String, PropertyKind) {
        ("no application message while blocked".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind == *self.message && self.recording[from.index()] > 0 {
            self.violation.get_or_insert_with(|| Violation {
                what: format!("{from} sends {to} {kind} before it has recorded its wave"),
                witnesses: vec![Witness { process: from, n }],
            });
        }
        0
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        let recording = &mut self.recording[process.index()];
        if is_indication(happening, &self.cut) {
            *recording += 1;
            self.times += 1;
        } else if is_indication(happening, &self.recorded) {
            *recording = recording.saturating_sub(1);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.recording.iter().any(|&recording| recording > 0)
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        (Some(true), format!("blocked {}, and none sent", counted(self.times, "time")))
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = 0;
    }
}

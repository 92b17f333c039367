//! As many messages of a kind as theory predicts for this run: neither more nor fewer.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, not_yet};
use crate::process::ProcessId;

/// The monitor of [`Spec::AsPredicted`](super::Spec::AsPredicted).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AsPredicted {
    message: Name,
    times: u64,
    sent: u64,
    violation: Option<Violation>,
}

impl AsPredicted {
    /// Watches that this kind of message is sent so many times.
    pub fn new(message: String, times: u64) -> Self {
        Self { message: message.into(), times, sent: 0, violation: None }
    }
}

impl Watch for AsPredicted {
    fn name(&self) -> (String, PropertyKind) {
        (format!("{} messages as predicted", &*self.message), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind != *self.message || self.violation.is_some() {
            return 0;
        }
        self.sent += 1;
        if self.sent > self.times {
            self.violation = Some(Violation {
                what: format!(
                    "{from} sends {to} one {kind} more than the {} predicted",
                    counted(self.times, "message")
                ),
                witnesses: vec![Witness { process: from, n }],
            });
        }
        0
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent > 0
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        if self.sent == self.times {
            return (Some(true), format!("exactly {}", self.sent));
        }
        not_yet(end, format!("{} of {} predicted", self.sent, self.times))
    }
}

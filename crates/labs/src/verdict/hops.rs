//! One message a hop: nothing is sent but the token itself.
//!
//! A hop is the token's arrival at its next holder. At any time at most one message more was sent
//! than hops were made (the one under way), and in the end none.

use std::sync::Arc;

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, not_yet};
use crate::process::ProcessId;

/// The monitor of [`Spec::OneMessageAHop`](super::Spec::OneMessageAHop).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OneMessageAHop {
    message: Name,
    besides: Arc<[Name]>,
    /// Messages sent.
    sent: u64,
    /// Arrivals of the token.
    hops: u64,
    violation: Option<Violation>,
}

impl OneMessageAHop {
    /// Watches the token that is a message of this kind; messages of the kinds `besides` belong to
    /// another phase.
    pub fn new(message: String, besides: Vec<String>) -> Self {
        let besides = besides.into_iter().map(Name::from).collect();
        Self { message: message.into(), besides, sent: 0, hops: 0, violation: None }
    }
}

impl Watch for OneMessageAHop {
    fn name(&self) -> (String, PropertyKind) {
        ("one message a hop".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if !self.besides.iter().any(|other| **other == *kind) {
            self.sent += 1;
            if self.sent > self.hops + 1 {
                self.violation.get_or_insert(Violation {
                    what: format!(
                        "{from} sends {to} a second {kind} before the first has made its hop"
                    ),
                    witnesses: vec![Witness { process: from, n }],
                });
            }
        }
        0
    }

    fn on_receive(&mut self, _: ProcessId, _: ProcessId, kind: &str, _: u64, _: u64) {
        self.hops += u64::from(*kind == *self.message);
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let counts = format!("{} for {}", counted(self.sent, "message"), counted(self.hops, "hop"));
        if self.sent == self.hops { (Some(true), counts) } else { not_yet(end, counts) }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent > 0
    }

    /// Only the difference matters.
    fn forget_history(&mut self, _: &mut super::TagsUnderWay<'_>) {
        let common = self.sent.min(self.hops);
        self.sent -= common;
        self.hops -= common;
    }
}

//! So many messages an entry: one of each of some kinds for every critical section, and no more.
//!
//! Between asking and leaving, one message of each kind passes between the process and whom it asks. An
//! entry during which something went wrong (a message was lost, somebody died or was given up) costs more,
//! and is not counted.

use std::collections::BTreeMap;

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, is_indication};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::MessagesEach`](super::Spec::MessagesEach).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessagesEach {
    asked: Name,
    left: Name,
    messages: Vec<Name>,
    disturbed: Vec<Name>,
    /// Of each process that asked, the entry that it is about.
    entries: BTreeMap<ProcessId, Entry>,
    undisturbed: u64,
    others: u64,
    violation: Option<Violation>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Entry {
    /// How many messages of each kind.
    sent: Vec<u64>,
    is_disturbed: bool,
    is_over: bool,
}

impl MessagesEach {
    /// Watches entries that begin and end with indications of the kinds `asked` and `left`, and cost one of
    /// each of these messages. An indication of a kind in `disturbed` says that something went wrong.
    pub fn new(asked: String, left: String, messages: Vec<String>, disturbed: Vec<String>) -> Self {
        Self {
            asked: asked.into(),
            left: left.into(),
            messages: messages.into_iter().map(Name::from).collect(),
            disturbed: disturbed.into_iter().map(Name::from).collect(),
            entries: BTreeMap::new(),
            undisturbed: 0,
            others: 0,
            violation: None,
        }
    }

    fn disturb(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.is_disturbed = true);
    }

    /// The entry of a process is over for good: the next begins, or the run ends.
    fn close(&mut self, process: ProcessId, event: Witness) {
        let Some(entry) = self.entries.remove(&process).filter(|entry| entry.is_over) else {
            return;
        };
        if entry.is_disturbed {
            self.others += 1;
            return;
        }
        self.undisturbed += 1;
        if entry.sent.iter().any(|&sent| sent != 1) {
            let kinds = self.messages.iter().zip(&entry.sent);
            let counts: Vec<_> = kinds.map(|(kind, sent)| format!("{sent} {}", &**kind)).collect();
            let what = format!("an entry of {process} took {}", counts.join(", "));
            self.violation.get_or_insert(Violation { what, witnesses: vec![event] });
        }
    }
}

impl Watch for MessagesEach {
    fn name(&self) -> (String, PropertyKind) {
        (format!("{} messages an entry", self.messages.len()), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        let Some(place) = self.messages.iter().position(|message| **message == *kind) else {
            return 0;
        };
        for process in [from, to] {
            let Some(entry) = self.entries.get_mut(&process) else { continue };
            entry.sent[place] += 1;
            let is_last = place + 1 == self.messages.len();
            if entry.is_over && is_last {
                self.close(process, Witness { process: from, n });
            }
        }
        0
    }

    fn on_drop(&mut self, _: ProcessId, _: ProcessId, _: &str, _: u64, _: u64) {
        self.disturb();
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if is_indication(happening, &self.asked) {
            self.close(process, Witness { process, n });
            let sent = vec![0; self.messages.len()];
            self.entries.insert(process, Entry { sent, is_disturbed: false, is_over: false });
        } else if is_indication(happening, &self.left) {
            if let Some(entry) = self.entries.get_mut(&process) {
                entry.is_over = true;
            }
        } else if matches!(happening, Happening::Crash | Happening::Recover)
            || self.disturbed.iter().any(|kind| is_indication(happening, kind))
        {
            self.disturb();
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.entries.is_empty()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let entries = match self.undisturbed {
            1 => "1 entry".to_owned(),
            n => format!("{n} entries"),
        };
        let others = match self.others {
            0 => String::new(),
            n => format!("; {n} in trouble, and not counted"),
        };
        (Some(true), format!("{entries}{others}"))
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.undisturbed = 0;
        self.others = 0;
    }
}

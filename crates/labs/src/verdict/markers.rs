//! Markers: one on each channel for each wave, N(N−1) a wave, none before its sender is cut.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, counted, not_yet, told};
use crate::peers::Peers;
use crate::process::ProcessId;
use crate::snapshot::Wave;
use crate::trace::Happening;

/// The monitor of [`Spec::Markers`](super::Spec::Markers).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Markers {
    cut: Name,
    message: Name,
    waves: u64,
    /// Of each process, how many waves have cut it.
    cuts: Vec<u64>,
    /// Of each process, how many markers it has sent to each other.
    sent: Vec<Peers>,
    violation: Option<Violation>,
}

impl Markers {
    /// Watches that each process sends each other one `message` for each time that it says `cut`, in all
    /// `waves` times.
    pub fn new(cut: String, message: String, waves: u64, processes: u32) -> Self {
        Self {
            cut: cut.into(),
            message: message.into(),
            waves,
            cuts: vec![0; processes as usize],
            sent: vec![Peers::default(); processes as usize],
            violation: None,
        }
    }
}

impl Watch for Markers {
    fn name(&self) -> (String, PropertyKind) {
        ("one marker a channel and wave".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind != *self.message || self.violation.is_some() {
            return 0;
        }
        let sent = self.sent[from.index()].number_mut(to);
        *sent += 1;
        let cuts = self.cuts[from.index()];
        if *sent > cuts {
            self.violation = Some(Violation {
                what: format!(
                    "{from} sends {to} its marker number {sent}, and was cut by {}",
                    counted(cuts, "wave")
                ),
                witnesses: vec![Witness { process: from, n }],
            });
        }
        0
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        if let Some(Ok(_)) = told::<Wave>(happening, &self.cut) {
            self.cuts[process.index()] += 1;
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.cuts.iter().any(|&cuts| cuts > 0)
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let processes = self.sent.len();
        let all = (0..).map(ProcessId).take(processes);
        let mut channels = all
            .clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(a, b)| a != b);
        let wrong = channels.find(|(from, to)| self.sent[from.index()].number(*to) != self.waves);
        let Some((from, to)) = wrong else {
            let channels = counted((processes * (processes - 1)) as u64, "channel");
            return (Some(true), format!("{} on each of {channels}", self.waves));
        };
        let sent = self.sent[from.index()].number(to);
        not_yet(end, format!("{from} sent {to} {sent} of {}", counted(self.waves, "marker")))
    }
}

//! What a run measured: how long a wave takes, and how long an application stands still for it.
//!
//! The application of a process stands still while its part of a wave is written to the disk, in either
//! protocol, for a process is one thread. In the blocking one it stands still (as to its messages) from the
//! cut on, until all markers have arrived and the part is stored.

use std::collections::BTreeMap;

use labs::lab::{Findings, Lab as _, Summary};
use labs::process::ProcessId;
use serde_json::json;

use crate::lab::ChandyLamportLab;
use crate::snapshot::{Indication, Protocol};
use crate::wave::Wave;
use crate::work::Work;

/// What the result is made from.
#[derive(Debug)]
pub struct SnapshotFindings {
    lab: ChandyLamportLab,
    processes: Vec<OfProcess>,
}

/// What one process did. Times in microseconds.
#[derive(Clone, Debug, Default)]
struct OfProcess {
    /// When the waves that it records cut it.
    cuts: BTreeMap<Wave, u64>,
    /// Since when it is blocked.
    blocked_since: Option<u64>,
    /// Since when it writes.
    writing_since: Option<u64>,
    recording: Times,
    writing: Times,
    blocked: Times,
    /// How many messages it recorded as in transit; nothing before it has recorded any wave.
    in_transit: Option<u64>,
    /// How many recorded messages it received when it went on.
    received_again: Option<u64>,
}

/// Some spans of time, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    spans: u64,
    sum: u64,
    longest: u64,
}

impl Times {
    fn add(&mut self, span: u64) {
        self.spans += 1;
        self.sum = self.sum.saturating_add(span);
        self.longest = self.longest.max(span);
    }

    fn and(self, other: Self) -> Self {
        Self {
            spans: self.spans + other.spans,
            sum: self.sum.saturating_add(other.sum),
            longest: self.longest.max(other.longest),
        }
    }

    /// The mean and the longest, in milliseconds, if there is any.
    fn ms(self) -> Option<(f64, f64)> {
        let mean = self.sum as f64 / self.spans as f64 / 1_000.0;
        (self.spans > 0).then_some((mean, self.longest as f64 / 1_000.0))
    }

    fn words(self) -> (String, String) {
        match self.ms() {
            Some((mean, longest)) => (format!("{mean:.3} ms"), format!("{longest:.3}")),
            None => (NOT_MEASURED.to_owned(), NOT_MEASURED.to_owned()),
        }
    }

    fn json(self) -> serde_json::Value {
        let (mean, longest) = self.ms().unzip();
        json!({ "mean": mean, "max": longest })
    }
}

/// Stands in lines for people for a figure of which nothing is known.
const NOT_MEASURED: &str = "-";

/// A number, as it stands in lines for people.
fn or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| NOT_MEASURED.to_owned(), |number| number.to_string())
}

impl OfProcess {
    /// How long the application stood still for waves.
    fn still(&self, protocol: Protocol) -> Times {
        match protocol {
            Protocol::ChandyLamport => self.writing,
            Protocol::Blocking => self.blocked,
        }
    }
}

impl SnapshotFindings {
    /// Before a run of this lab.
    pub fn new(lab: ChandyLamportLab) -> Self {
        let processes = vec![OfProcess::default(); lab.processes() as usize];
        Self { lab, processes }
    }

    fn over_all(&self, of: impl Fn(&OfProcess) -> Times) -> Times {
        self.processes.iter().map(of).fold(Times::default(), Times::and)
    }

    /// How long the application of one process stood still for one wave.
    fn still(&self) -> Times {
        self.over_all(|process| process.still(self.lab.protocol))
    }

    /// The sum over all processes of which something is known; nothing if there are none.
    fn sum(&self, of: impl Fn(&OfProcess) -> Option<u64>) -> Option<u64> {
        self.processes.iter().filter_map(of).reduce(u64::saturating_add)
    }

    fn in_transit(&self) -> Option<u64> {
        self.sum(|process| process.in_transit)
    }

    fn received_again(&self) -> Option<u64> {
        self.sum(|process| process.received_again)
    }
}

impl Findings<Indication<Work>> for SnapshotFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &Indication<Work>, at_us: u64) {
        let blocks = self.lab.protocol == Protocol::Blocking;
        let process = &mut self.processes[process.index()];
        match indication {
            Indication::Restored(messages) => process.received_again = Some(*messages),
            Indication::Cut(wave) => {
                process.cuts.insert(*wave, at_us);
                if blocks {
                    process.blocked_since.get_or_insert(at_us);
                }
            }
            Indication::Recorded(part) => {
                *process.in_transit.get_or_insert(0) += part.recorded.in_transit();
                if let Some(cut) = process.cuts.remove(&part.recorded.wave) {
                    process.recording.add(at_us.saturating_sub(cut));
                }
                process.writing_since = Some(at_us);
            }
            Indication::Stored(_) => {
                if let Some(since) = process.writing_since.take() {
                    process.writing.add(at_us.saturating_sub(since));
                }
            }
            Indication::Resumed => {
                if let Some(since) = process.blocked_since.take() {
                    process.blocked.add(at_us.saturating_sub(since));
                }
            }
            Indication::Marked(_) | Indication::Finished => {}
            Indication::Application(never) => match *never {},
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let lab = &self.lab;
        let protocol = match lab.protocol {
            Protocol::ChandyLamport => "recorded while the application goes on",
            Protocol::Blocking => "blocking",
        };
        let time = if summary.is_virtual { " of virtual time" } else { "" };
        let mut lines = Vec::new();
        if let Some(restored) = &lab.restored {
            lines.extend(restored.discarded.iter().cloned());
            lines.push(format!(
                "gone on from wave {} in {}; messages in transit received again: {}",
                restored.wave,
                restored.from.display(),
                or_dash(self.received_again())
            ));
        }
        let in_transit = or_dash(self.in_transit());
        let waves = lab.waves_in_all();
        lines.push(format!("waves: {waves}, {protocol}; messages in transit: {in_transit}"));
        let (mean, longest) = self.over_all(|process| process.recording).words();
        lines.push(format!(
            "a process takes {mean} from its cut to its last marker, {longest} at most{time}"
        ));
        let (mean, longest) = self.still().words();
        lines.push(format!("its application stands still for {mean} a wave, {longest} at most"));
        lines.extend(lab.store.iter().map(|store| format!("checkpoints: {}", store.dir.display())));
        lines
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        let lab = &self.lab;
        json!({
            "protocol": lab.protocol,
            "waves": lab.waves_in_all(),
            "in_transit": self.in_transit(),
            "recording_ms": self.over_all(|process| process.recording).json(),
            "writing_ms": self.over_all(|process| process.writing).json(),
            "still_ms": self.still().json(),
            "dir": lab.store.as_ref().map(|store| &store.dir),
            "restored": lab.restored.as_ref().map(|restored| json!({
                "from": restored.from,
                "wave": restored.wave,
                "received_again": self.received_again(),
                "discarded": restored.discarded,
            })),
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        let process = &self.processes[process.index()];
        let still = process.still(self.lab.protocol);
        let still_ms = (still.spans > 0).then_some(still.sum as f64 / 1_000.0);
        vec![
            ("recorded", process.recording.spans.into()),
            ("in transit", process.in_transit.into()),
            ("still ms", still_ms.into()),
        ]
    }
}

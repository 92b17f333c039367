//! What a run measured: how long a wave takes, and how long an application stands still for it.
//!
//! The application of a process stands still while its part of a wave is written to the disk, in either
//! protocol, for a process is one thread. In the blocking one it stands still (as to its messages) from the
//! cut on, until all markers have arrived and the part is stored.

use std::collections::BTreeMap;

use labs::lab::{Findings, Summary};
use labs::process::ProcessId;
use labs::snapshot::{Recorded, Wave};
use labs::trace::Noted;
use serde_json::json;

use crate::lab::Options;
use crate::snapshot::Protocol;

/// What the result is made from.
#[derive(Debug)]
pub struct SnapshotFindings {
    options: Options,
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
    /// How many messages it recorded as in transit.
    in_transit: u64,
    /// How many recorded messages it received when it went on.
    received_again: u64,
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

    fn mean_ms(self) -> f64 {
        if self.spans == 0 { 0.0 } else { self.sum as f64 / self.spans as f64 / 1_000.0 }
    }

    fn longest_ms(self) -> f64 {
        self.longest as f64 / 1_000.0
    }

    fn json(self) -> serde_json::Value {
        json!({ "mean": self.mean_ms(), "max": self.longest_ms() })
    }
}

impl SnapshotFindings {
    /// Before a run with these options.
    pub fn new(options: Options, processes: u32) -> Self {
        Self { options, processes: vec![OfProcess::default(); processes as usize] }
    }

    fn over_all(&self, of: impl Fn(&OfProcess) -> Times) -> Times {
        self.processes.iter().map(of).fold(Times::default(), Times::and)
    }

    /// How long the application of one process stood still for one wave.
    fn still(&self) -> Times {
        match self.options.protocol {
            Protocol::ChandyLamport => self.over_all(|process| process.writing),
            Protocol::Blocking => self.over_all(|process| process.blocked),
        }
    }

    fn in_transit(&self) -> u64 {
        self.processes.iter().map(|process| process.in_transit).sum()
    }
}

impl Findings for SnapshotFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, at_us: u64) {
        let blocks = self.options.protocol == Protocol::Blocking;
        let process = &mut self.processes[process.index()];
        match &*indication.kind() {
            "Restored" => process.received_again = indication.number().unwrap_or(0),
            "Cut" => {
                if let Some(wave) = inside(&indication.text(), "Cut") {
                    process.cuts.insert(wave, at_us);
                }
                if blocks {
                    process.blocked_since.get_or_insert(at_us);
                }
            }
            "Recorded" => {
                let recorded = inside::<Recorded>(&indication.text(), "Recorded");
                if let Some(Recorded { wave, channels, .. }) = recorded {
                    process.in_transit += channels.values().map(|c| c.len() as u64).sum::<u64>();
                    if let Some(cut) = process.cuts.remove(&wave) {
                        process.recording.add(at_us.saturating_sub(cut));
                    }
                }
                process.writing_since = Some(at_us);
            }
            "Stored" => {
                if let Some(since) = process.writing_since.take() {
                    process.writing.add(at_us.saturating_sub(since));
                }
            }
            "Resumed" => {
                if let Some(since) = process.blocked_since.take() {
                    process.blocked.add(at_us.saturating_sub(since));
                }
            }
            _ => {}
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let recording = self.over_all(|process| process.recording);
        let still = self.still();
        let protocol = match self.options.protocol {
            Protocol::ChandyLamport => "recorded while the application goes on",
            Protocol::Blocking => "blocking",
        };
        let time = if summary.is_virtual { " of virtual time" } else { "" };
        let mut lines = Vec::new();
        if let Some(restored) = &self.options.restored {
            let again: u64 = self.processes.iter().map(|process| process.received_again).sum();
            lines.extend(restored.discarded.iter().cloned());
            lines.push(format!(
                "gone on from wave {} in {}; messages in transit received again: {again}",
                restored.wave,
                restored.from.display()
            ));
        }
        lines.push(format!(
            "waves: {}, {protocol}; messages in transit: {}",
            self.options.waves_in_all(),
            self.in_transit()
        ));
        lines.push(format!(
            "a process takes {:.3} ms from its cut to its last marker, {:.3} at most{time}",
            recording.mean_ms(),
            recording.longest_ms()
        ));
        lines.push(format!(
            "its application stands still for {:.3} ms a wave, {:.3} at most",
            still.mean_ms(),
            still.longest_ms()
        ));
        lines.extend(self.options.dir.iter().map(|dir| format!("checkpoints: {}", dir.display())));
        lines
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        let restored = self.options.restored.as_ref();
        json!({
            "protocol": self.options.protocol,
            "waves": self.options.waves_in_all(),
            "in_transit": self.in_transit(),
            "recording_ms": self.over_all(|process| process.recording).json(),
            "writing_ms": self.over_all(|process| process.writing).json(),
            "still_ms": self.still().json(),
            "dir": self.options.dir,
            "restored": restored.map(|restored| json!({
                "from": restored.from,
                "wave": restored.wave,
                "received_again":
                    self.processes.iter().map(|process| process.received_again).sum::<u64>(),
                "discarded": restored.discarded,
            })),
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        let process = &self.processes[process.index()];
        let still = match self.options.protocol {
            Protocol::ChandyLamport => process.writing,
            Protocol::Blocking => process.blocked,
        };
        vec![
            ("recorded", process.recording.spans.into()),
            ("in transit", process.in_transit.into()),
            ("still ms", json!((still.sum as f64) / 1_000.0)),
        ]
    }
}

/// What stands between the parentheses of a text.
fn inside<T: std::str::FromStr>(text: &str, kind: &str) -> Option<T> {
    text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')')?.parse().ok()
}

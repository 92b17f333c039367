//! What lab 05 demands of its algorithm, what theory says it costs, and its options.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use labs::cli::NoTools;
use labs::lab::{BoxedApplication, Findings, Lab, Place, Prediction, Summary, Verb};
use labs::overlay::ring::Closing;
use labs::overlay::{Contact, Overlay};
use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Spec, Verdict};
use serde::{Deserialize, Serialize};

use crate::broken::{Broken, BrokenTokenRing};
use crate::shared_file::{self, SharedFile};
use crate::token_ring::{Indication, Task, TokenRing};

/// Lab 05.
#[derive(Debug)]
pub struct TokenRingLab;

/// The lab's own options.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
pub struct Options {
    /// How many laps the token makes [default: as many as entries, else 5, in `check` 2]
    #[arg(long, value_name = "L")]
    laps: Option<u64>,
    /// How many times each process enters its critical section, once a lap [default: once a lap]
    #[arg(long, value_name = "K")]
    entries: Option<u64>,
    /// How the chain of processes closes into a ring
    #[arg(long, value_enum, default_value_t)]
    closing: Closing,
    /// How long a process works in its critical section, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,
    /// The file that all write to in their critical sections, on a disk that all machines share; it
    /// must not exist or be empty. In `run` only [default: none]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// So many laps that counting hops cannot overflow, and more than anybody waits for.
const LAPS_MAX: u64 = 1 << 32;

impl Options {
    /// So many laps, with so many entries of each process, without work and without a file.
    pub fn new(laps: u64, entries: u64, closing: Closing) -> Self {
        Self { laps: Some(laps), entries: Some(entries), closing, work: 0, file: None }
    }

    fn laps(&self) -> u64 {
        self.laps.unwrap_or(1)
    }

    fn entries(&self) -> u64 {
        self.entries.unwrap_or(0)
    }
}

impl Lab for TokenRingLab {
    const NAME: &'static str = "token-ring";
    const ABOUT: &'static str = "Mutual exclusion by a token that circulates on a ring";

    type Process = TokenRing;
    type BrokenProcess = BrokenTokenRing;
    type Broken = Broken;
    type Options = Options;
    type Findings = TokenRingFindings;
    type Tools = NoTools;

    fn prepare(options: &mut Options, verb: Verb, _: u32) -> Result<(), String> {
        let default = if verb == Verb::Check { 2 } else { 5 };
        let laps = options.laps.or(options.entries).unwrap_or(default).max(1);
        let entries = options.entries.unwrap_or(laps);
        if options.laps == Some(0) {
            return Err("--laps 0: the token makes at least one lap".to_owned());
        }
        if laps > LAPS_MAX {
            return Err(format!("--laps {laps}: at most {LAPS_MAX}"));
        }
        if entries > laps {
            return Err(format!(
                "--entries {entries} with --laps {laps}: each process enters once a lap, so give it at \
                 least --laps {entries}"
            ));
        }
        options.laps = Some(laps);
        options.entries = Some(entries);
        match (&mut options.file, verb) {
            (None, _) => Ok(()),
            (Some(_), Verb::Simulate | Verb::Check) => {
                Err("--file: nobody writes to a file in a model; use it with `run`".to_owned())
            }
            (Some(file), Verb::Run) => {
                let path = labs::shared_file::prepare(file).map_err(|error| {
                    format!("cannot use the shared file {}: {error}", file.display())
                })?;
                *file = path;
                Ok(())
            }
        }
    }

    fn process(options: &Options, place: &Place) -> TokenRing {
        let task = Task {
            entries: options.entries(),
            work: Duration::from_millis(options.work),
            laps: options.laps(),
        };
        TokenRing::new(place.contact(), place.processes, options.closing, place.name(), task)
    }

    fn broken(process: TokenRing, how: &Broken) -> BrokenTokenRing {
        BrokenTokenRing::new(process, *how)
    }

    fn properties(options: &Options, _: u32) -> Vec<Spec> {
        let text = str::to_owned;
        vec![
            Spec::MutualExclusion { enter: text("Entered"), exit: text("Left") },
            Spec::OneToken { created: text("Created"), message: text("TOKEN") },
            Spec::Entries { enter: text("Entered"), times: options.entries() },
            Spec::OneMessageAHop {
                message: text("TOKEN"),
                besides: vec![text("ADDRESS"), text("ROLL")],
            },
            Spec::SingleRing { message: text("ROLL") },
            Spec::Fifo,
            Spec::ExactlyOnce,
        ]
    }

    fn predicted(options: &Options, processes: u32) -> BTreeMap<String, Prediction> {
        let n = u64::from(processes);
        let address = match options.closing {
            Closing::Forward => n - 1,
            Closing::First => 0,
        };
        [("ADDRESS", address), ("ROLL", n), ("TOKEN", n * options.laps())]
            .map(|(kind, count)| (kind.to_owned(), Prediction::Exactly(count)))
            .into()
    }

    fn timeouts(options: &Options) -> u32 {
        options.entries().try_into().unwrap_or(u32::MAX)
    }

    fn overlay(options: &Options) -> Overlay {
        Overlay::Ring(options.closing)
    }

    fn application(options: &Options, place: &Place) -> io::Result<BoxedApplication<Self>> {
        Ok(Box::new(SharedFile::open(options.file.as_deref(), place)?))
    }

    fn contact(indication: &Indication) -> Option<&Contact> {
        match indication {
            Indication::Closed(contact) => Some(contact),
            _ => None,
        }
    }

    fn is_finished(indication: &Indication) -> bool {
        matches!(indication, Indication::Finished)
    }

    fn findings(_: &Options, _: u32) -> TokenRingFindings {
        TokenRingFindings::default()
    }

    fn files(options: &Options) -> Vec<PathBuf> {
        options.file.iter().cloned().collect()
    }

    fn judge_remains(
        options: &Options,
        processes: u32,
        complete: bool,
        one_machine: bool,
    ) -> Vec<Verdict> {
        let expected = u64::from(processes) * options.entries();
        let judge = |path: &PathBuf| shared_file::judge(path, expected, complete, one_machine);
        options.file.iter().map(judge).collect()
    }
}

/// What the result is made from.
#[derive(Debug, Default)]
pub struct TokenRingFindings {
    /// The names in the order of the ring; in large rings a trace keeps only the first.
    roll_call: Option<Vec<String>>,
}

impl Findings for TokenRingFindings {
    fn on_indication(&mut self, _: ProcessId, indication: &dyn Noted, _: u64) {
        if indication.kind() == "RollCall" {
            let text = indication.text();
            // Names stand in quotes: every second part is one. A name that was cut off has no end.
            let parts: Vec<_> = text.split('"').collect();
            let whole = parts[..parts.len() - 1].chunks(2).filter_map(|pair| pair.get(1));
            self.roll_call = Some(whole.map(|&name| name.to_owned()).collect());
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let roll_call = match &self.roll_call {
            None => "it did not come back".to_owned(),
            Some(names) if names.len() <= NAMES_SHOWN => names.join(", "),
            Some(names) => format!("{}, ...", names[..NAMES_SHOWN].join(", ")),
        };
        let (hops, a_second) = hops(summary);
        let seconds = summary.elapsed.as_secs_f64();
        vec![
            format!("roll call: {roll_call}"),
            match summary.is_virtual {
                true => format!("the token made {hops} hops in {seconds:.3} s of virtual time"),
                false => {
                    format!("the token made {hops} hops in {seconds:.3} s: {a_second:.0} a second")
                }
            },
        ]
    }

    fn json(&self, summary: &Summary) -> serde_json::Value {
        let (hops, a_second) = hops(summary);
        serde_json::json!({ "roll_call": self.roll_call, "hops": hops, "hops_per_s": a_second })
    }
}

/// How many names of the roll call stand in the report for people.
const NAMES_SHOWN: usize = 16;

/// How many hops the token made, and how many a second.
fn hops(summary: &Summary) -> (u64, f64) {
    let hops = summary.messages.get("TOKEN").copied().unwrap_or(0);
    let seconds = summary.elapsed.as_secs_f64();
    (hops, if seconds > 0.0 { hops as f64 / seconds } else { 0.0 })
}

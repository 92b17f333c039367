//! What lab 05 demands of its algorithm, what theory says it costs, and its options.

use std::path::PathBuf;
use std::time::Duration;

use labs::hunt::{Dial, Grounds};
use labs::lab::{
    Deployment, Findings, Lab, Place, Predictions, Remains, Summary, Verb, World, exactly,
};
use labs::overlay::Overlay;
use labs::overlay::ring::Closing;
use labs::process::ProcessId;
use labs::text::counted;
use labs::trace::Meaning;
use labs::verdict::{Property, Times, Verdict};
use serde::{Deserialize, Serialize};

use crate::properties::{OneMessageAHop, OneToken, RollCall, Visits};
use crate::shared_file::{self, SharedFile};
use crate::token_ring::{Indication, Mistake, Task, TokenRing};

/// Lab 05: what its options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TokenRingLab {
    processes: u32,
    /// How many laps the token makes.
    laps: u64,
    /// How many times each process enters its critical section.
    entries: u64,
    closing: Closing,
    /// How long a process works in its critical section, in milliseconds.
    work: u64,
    /// The file that all write to in their critical sections.
    #[serde(default, with = "labs::files::exact::option")]
    file: Option<PathBuf>,
}

/// The lab's own options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many laps the token makes [default: as many as entries, else 5, in `check` 2]
    #[arg(long, value_name = "L")]
    laps: Option<u64>,
    /// How many times each process enters its critical section, once a lap [default: once a lap, in `check` a lap
    /// less]
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

/// How many laps the token makes, and how many times each process enters, unless told otherwise.
struct Usual {
    laps: u64,
    entries: u64,
}

const RUN: Usual = Usual { laps: 5, entries: 5 };

/// In one of the laps nobody enters any more, so that both ways of a process with the token are tried.
const CHECKED: Usual = Usual { laps: 2, entries: 1 };

/// So many laps that counting hops cannot overflow, and more than anybody waits for.
const LAPS_MAX: u64 = 1 << 32;

impl Lab for TokenRingLab {
    const NAME: &'static str = "token-ring";
    const ABOUT: &'static str = "Mutual exclusion by a token that circulates on a ring";

    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::numbers("--laps", 1, 5),
            Dial::numbers("--entries", 1, 3),
            Dial::words("--closing", &["first", "forward"]),
            Dial::words("--work", &["0", "1", "20"]),
        ],
        ..Grounds::USUAL
    };

    type Options = Options;
    type Process = TokenRing;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        let Options { closing, work, file, .. } = options;
        let usual = if world.verb == Verb::Check { CHECKED } else { RUN };
        let laps = options.laps.or(options.entries).unwrap_or(usual.laps).max(1);
        let entries = options.entries.or(options.laps).unwrap_or(usual.entries);
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
        if file.is_some() && world.verb != Verb::Run {
            return Err("--file: nobody writes to a file in a model; use it with `run`".to_owned());
        }
        let processes = world.processes::<Self>(None)?;
        let file = file.map(|file| {
            labs::shared_file::prepare(&file)
                .map_err(|error| format!("cannot use the shared file {}: {error}", file.display()))
        });
        Ok(Self { processes, laps, entries, closing, work, file: file.transpose()? })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, place: &Place) -> TokenRing {
        let work = Duration::from_millis(self.work);
        let task = Task { entries: self.entries, work, laps: self.laps };
        TokenRing::new(place.contact(), place.processes, self.closing, place.name(), task)
    }

    fn properties(&self) -> Vec<Property> {
        let entries = Times::Exactly(self.entries);
        vec![
            Property::pairwise_ordered("mutual exclusion", "Entered", "Left"),
            Property::safety("exactly one token at any time", OneToken::new(self.processes)),
            Property::each("every process enters K times", "Entered", entries),
            Property::safety("one message a hop", OneMessageAHop::new(self.processes)),
            Property::safety(
                "once in the section a visit of the token",
                Visits::new(self.processes),
            ),
            Property::liveness("the roll call names all", RollCall::new(self.processes)),
            Property::between("the token is made after the roll", "Created", "RollCall", "Created"),
            Property::each("every process finishes once", "Finished", Times::Exactly(1)),
            Property::one_ring(&["ROLL", "TOKEN"]),
            Property::fifo(),
            Property::exactly_once(),
        ]
    }

    fn predicted(&self) -> Predictions {
        let n = u64::from(self.processes);
        let address = match self.closing {
            Closing::Forward => n - 1,
            Closing::First => 0,
        };
        exactly([("ADDRESS", address), ("ROLL", n), ("TOKEN", n * self.laps)])
    }

    fn timeouts(&self) -> u32 {
        self.entries.try_into().unwrap_or(u32::MAX)
    }

    fn findings(&self) -> Box<dyn Findings<Indication>> {
        Box::new(TokenRingFindings::default())
    }

    fn meaning(&self) -> Meaning {
        Meaning::default().token("Created", "TOKEN")
    }

    fn deployment(&self) -> Deployment<Self> {
        Deployment {
            application: |lab, place| Ok(Box::new(SharedFile::open(lab.file.as_deref(), place)?)),
            contact: |indication| match indication {
                Indication::Closed(contact) => Some(contact),
                _ => None,
            },
            files: self.file.iter().cloned().collect(),
            remains: Self::judge_file,
            ..Deployment::over(Overlay::Ring(self.closing))
        }
    }
}

impl TokenRingLab {
    fn judge_file(&self, remains: Remains) -> Vec<Verdict> {
        let expected = u64::from(self.processes) * self.entries;
        let judge = |path: &PathBuf| shared_file::judge(path, expected, remains);
        self.file.iter().map(judge).collect()
    }
}

/// What the result is made from.
#[derive(Debug, Default)]
pub struct TokenRingFindings {
    /// The names in the order of the ring.
    roll_call: Option<Vec<String>>,
}

impl Findings<Indication> for TokenRingFindings {
    fn on_indication(&mut self, _: ProcessId, indication: &Indication, _: u64) {
        if let Indication::RollCall(names) = indication {
            self.roll_call = Some(names.clone());
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let roll_call = match &self.roll_call {
            None => "it did not come back".to_owned(),
            Some(names) if names.len() <= NAMES_SHOWN => names.join(", "),
            Some(names) => format!("{}, ...", names[..NAMES_SHOWN].join(", ")),
        };
        let (hops, a_second) = hops(summary);
        let (made, seconds) = (counted(hops, "hop"), summary.elapsed.as_secs_f64());
        vec![
            format!("roll call: {roll_call}"),
            match summary.is_virtual {
                true => format!("the token made {made} in {seconds:.3} s of virtual time"),
                false => {
                    format!("the token made {made} in {seconds:.3} s: {a_second:.0} a second")
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

//! What lab 06 demands of its algorithms, what theory says they cost, and their options.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use labs::cli::NoTools;
use labs::files::read_text;
use labs::lab::{BoxedApplication, Findings, Lab, Place, Prediction, Runs, Silent, Summary, Verb};
use labs::overlay::ring::{Closing, Ring};
use labs::overlay::{Contact, Overlay};
use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::Spec;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::broken::{Broken, BrokenNumbering};
use crate::election::{Candidate, Elect, Election};
use crate::identities::{self, Identities, Initiators, Order};
use crate::numbering::{Indication, Numbering};
use crate::{sweep, theory};

/// Lab 06.
#[derive(Debug)]
pub struct ChangRobertsLab;

/// The lab's own options.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
pub struct Options {
    /// How identities lie on the ring, in the direction of the messages: random, sorted, reverse, or a
    /// file with one whole number for each process, that of p0 first
    #[arg(long, value_name = "ORDER|FILE", default_value_t)]
    ids: Order,
    /// How many processes start an election, chosen at random: a number, or `all`
    #[arg(long, value_name = "K", default_value_t)]
    initiators: Initiators,
    /// Which identity wins
    #[arg(long, value_enum, default_value_t)]
    elect: Elect,
    /// How the chain of processes closes into a ring
    #[arg(long, value_enum, default_value_t)]
    closing: Closing,
    /// Many runs instead of one, for each of these numbers of processes: measures the mean number of
    /// messages, and plots it. In `simulate` only
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    sweep: Vec<u32>,
    /// How many runs --sweep makes for each number of processes [default: 50]
    #[arg(long, value_name = "R", requires = "sweep")]
    runs: Option<u32>,
    /// Where --sweep writes its plot, as SVG [default: chang-roberts.svg]
    #[arg(long, value_name = "FILE", requires = "sweep")]
    plot: Option<PathBuf>,
    /// What came of `--ids` and `--initiators`.
    #[arg(skip)]
    identities: Identities,
}

/// The largest file of identities that is read, in bytes: a million numbers of 64 bits fit in.
const FILE_MAX: u64 = 32 << 20;

/// The largest ring in a sweep, and the most runs of each size: minutes of work.
const SWEEP_MAX: u32 = 100_000;

/// As [`SWEEP_MAX`].
const RUNS_MAX: u32 = 10_000;

/// How many runs of each size a sweep has unless told otherwise.
const RUNS: u32 = 50;

/// Where the plot goes unless told otherwise.
const PLOT: &str = "chang-roberts.svg";

impl Options {
    /// These identities, this election, this ring.
    pub fn new(identities: Identities, elect: Elect, closing: Closing) -> Self {
        Self {
            ids: identities.order.clone(),
            initiators: identities.initiators,
            elect,
            closing,
            sweep: Vec::new(),
            runs: None,
            plot: None,
            identities,
        }
    }

    /// Identity and initiative of all, in the direction of the messages.
    fn round_the_ring(&self, processes: u32) -> Vec<(u64, bool)> {
        self.identities.round_the_ring(processes).collect()
    }

    fn identity(&self, process: ProcessId, processes: u32) -> u64 {
        self.identities.identity(process, processes)
    }

    /// How many initiate.
    fn initiators(&self, processes: u32) -> u32 {
        match self.identities.initiators {
            Initiators::All => processes,
            Initiators::Some(count) => count,
        }
    }

    /// The one who must lead: its identity is the best among the initiators.
    fn right_leader(&self, processes: u32) -> (ProcessId, u64) {
        let all = (0..processes).map(ProcessId);
        let initiators = all.filter(|&p| self.identities.initiates(p, processes));
        let named = initiators.map(|process| (process, self.identity(process, processes)));
        let best = |one: (ProcessId, u64), other: (ProcessId, u64)| {
            if self.elect.prefers(other.1, one.1) { other } else { one }
        };
        named.reduce(best).expect("at least one process initiates")
    }

    fn check_sweep(&self, verb: Verb) -> Result<(), String> {
        if self.sweep.is_empty() {
            return Ok(());
        }
        if verb != Verb::Simulate {
            return Err("--sweep: only in `simulate`".to_owned());
        }
        if let Some(n) = self.sweep.iter().find(|n| !(2..=SWEEP_MAX).contains(n)) {
            return Err(format!("--sweep {n}: a ring has from 2 to {SWEEP_MAX} processes"));
        }
        if self.runs.is_some_and(|runs| !(1..=RUNS_MAX).contains(&runs)) {
            return Err(format!("--runs: from 1 to {RUNS_MAX}"));
        }
        if (&self.ids, self.initiators) != (&Order::Random, Initiators::All) {
            return Err("--sweep: its orders are random, and all initiate; leave out --ids and \
                        --initiators"
                .to_owned());
        }
        Ok(())
    }
}

impl Lab for ChangRobertsLab {
    const NAME: &'static str = "chang-roberts";
    const ABOUT: &'static str = "Leader election on a ring, and numbering";
    const PROCESSES: u32 = 8;

    type Process = Numbering;
    type BrokenProcess = BrokenNumbering;
    type Broken = Broken;
    type Options = Options;
    type Findings = ElectionFindings;
    type Tools = NoTools;

    fn prepare(options: &mut Options, verb: Verb, processes: u32) -> Result<(), String> {
        options.check_sweep(verb)?;
        if let Initiators::Some(count) = options.initiators
            && count > processes
        {
            return Err(format!("--initiators {count}: there are {processes} processes"));
        }
        options.identities.order = options.ids.clone();
        options.identities.initiators = options.initiators;
        if let Order::File(path) = &options.ids {
            options.identities.given = read_identities(path, processes)
                .map_err(|what| format!("--ids {}: {what}", path.display()))?;
        }
        Ok(())
    }

    fn draw(options: &mut Options, seed: u64) {
        options.identities.seed = seed;
    }

    fn study(options: &Options) -> Option<Runs> {
        if options.sweep.is_empty() {
            return None;
        }
        let sizes = options.sweep.clone();
        let runs = options.runs.unwrap_or(RUNS);
        let plot = options.plot.clone().unwrap_or_else(|| PLOT.into());
        let (elect, closing) = (options.elect, options.closing);
        let options = move |identities| Options::new(identities, elect, closing);
        Some(Box::new(move |seed, network| {
            sweep::sweep(&sizes, runs, seed, network, &options, &plot)
        }))
    }

    fn process(options: &Options, place: &Place) -> Numbering {
        let candidate = Candidate {
            identity: options.identity(place.me, place.processes),
            initiates: options.identities.initiates(place.me, place.processes),
            elect: options.elect,
        };
        let ring = Ring::new(place.contact(), place.processes, options.closing);
        Numbering::new(Election::new(ring, candidate))
    }

    fn broken(process: Numbering, how: &Broken) -> BrokenNumbering {
        BrokenNumbering::new(process, *how)
    }

    fn properties(options: &Options, processes: u32) -> Vec<Spec> {
        let text = str::to_owned;
        let (process, identity) = options.right_leader(processes);
        vec![
            Spec::OneLeader { won: text("Won"), learned: text("Elected") },
            Spec::RightLeader {
                won: text("Won"),
                which: text(options.elect.which()),
                process,
                identity,
            },
            Spec::EveryoneLearns { learned: text("Elected") },
            Spec::Ranks { numbered: text("Numbered"), message: text("NUMBER") },
            Spec::TrueCount { counted: text("Counted") },
            Spec::AsPredicted {
                message: text("ELECTION"),
                times: theory::elections(&options.round_the_ring(processes), options.elect),
            },
            Spec::SingleRing { message: text("ELECTED") },
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
        let elections = theory::elections(&options.round_the_ring(processes), options.elect);
        [("ADDRESS", address), ("ELECTION", elections), ("ELECTED", n), ("NUMBER", n)]
            .map(|(kind, count)| (kind.to_owned(), Prediction::Exactly(count)))
            .into()
    }

    /// There are no timers.
    fn timeouts(_: &Options) -> u32 {
        0
    }

    fn overlay(options: &Options) -> Overlay {
        Overlay::Ring(options.closing)
    }

    fn application(_: &Options, _: &Place) -> io::Result<BoxedApplication<Self>> {
        Ok(Box::new(Silent))
    }

    fn contact(indication: &Indication) -> Option<&Contact> {
        match indication {
            Indication::Closed(contact) => Some(contact),
            _ => None,
        }
    }

    fn files(options: &Options) -> Vec<PathBuf> {
        let ids = match &options.ids {
            Order::File(path) => Some(path),
            _ => None,
        };
        ids.into_iter().chain(&options.plot).cloned().collect()
    }

    fn is_finished(indication: &Indication) -> bool {
        matches!(indication, Indication::Finished)
    }

    fn findings(options: &Options, processes: u32) -> ElectionFindings {
        ElectionFindings {
            options: options.clone(),
            processes,
            leader: None,
            count: None,
            leader_of: vec![None; processes as usize],
            rank_of: vec![None; processes as usize],
        }
    }
}

fn read_identities(path: &Path, processes: u32) -> Result<Vec<u64>, String> {
    let text = read_text(path, FILE_MAX).map_err(|error| error.to_string())?;
    identities::read(&text, processes)
}

/// What the result is made from.
#[derive(Debug)]
pub struct ElectionFindings {
    options: Options,
    processes: u32,
    /// Who says that it leads.
    leader: Option<ProcessId>,
    /// How many the leader counted.
    count: Option<u64>,
    /// By rank of launch: who leads according to each process, and which rank it was given.
    leader_of: Vec<Option<u64>>,
    rank_of: Vec<Option<u64>>,
}

impl ElectionFindings {
    /// What theory says of this ring, and of all others of its size.
    fn theory(&self) -> (u64, u64, f64, u64) {
        let (n, k) = (self.processes, self.options.initiators(self.processes));
        let ring = self.options.round_the_ring(n);
        let exactly = theory::elections(&ring, self.options.elect);
        (exactly, theory::best(n, k), theory::mean(n, k), theory::worst(n, k))
    }
}

impl Findings for ElectionFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, _: u64) {
        match &*indication.kind() {
            "Won" => self.leader = Some(process),
            "Elected" => self.leader_of[process.index()] = indication.number(),
            "Numbered" => self.rank_of[process.index()] = indication.number(),
            "Counted" => self.count = indication.number(),
            _ => {}
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let leader = self.leader.map_or("leader: none".to_owned(), |leader| {
            let identity = self.options.identity(leader, self.processes);
            format!("leader: {leader} with identity {identity}")
        });
        let count = self.count.map_or("N was not counted".to_owned(), |n| format!("N = {n}"));
        let elections = summary.messages.get("ELECTION").copied().unwrap_or(0);
        let (exactly, best, mean, worst) = self.theory();
        let initiators = match self.options.initiators(self.processes) {
            all if all == self.processes => "all initiate".to_owned(),
            1 => "1 initiates".to_owned(),
            some => format!("{some} initiate"),
        };
        vec![
            format!("{leader}; {count}, as counted by the leader"),
            format!(
                "{elections} ELECTION messages, predicted {exactly} for this order; over all orders from \
                 {best} to {worst}, {mean:.1} on average ({initiators})"
            ),
        ]
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        let (exactly, best, mean, worst) = self.theory();
        json!({
            "leader": self.leader,
            "identity": self.leader.map(|leader| self.options.identity(leader, self.processes)),
            "count": self.count,
            "initiators": self.options.initiators(self.processes),
            "elections": { "predicted": exactly, "best": best, "mean": mean, "worst": worst },
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        vec![
            ("identity", self.options.identity(process, self.processes).into()),
            ("rank", self.rank_of[process.index()].into()),
            ("leader", self.leader_of[process.index()].into()),
        ]
    }
}

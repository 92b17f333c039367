//! What lab 06 demands of its algorithms, what theory says they cost, and their options.

use std::path::{Path, PathBuf};

use labs::faults::Assumption;
use labs::files::read_text;
use labs::hunt::{Dial, Grounds};
use labs::lab::{
    Deployment, Findings, Lab, Place, Predictions, Runs, Summary, Verb, World, exactly,
};
use labs::overlay::Overlay;
use labs::overlay::ring::{Closing, Ring};
use labs::process::ProcessId;
use labs::verdict::{Property, Times};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::election::{Candidate, Elect, Election, Mistake};
use crate::identities::{self, Identities, Initiators, Order};
use crate::numbering::{Indication, Numbering};
use crate::properties::{self, KnownFirst, OneLeader, Ranks, RightLeader, TrueCount};
use crate::sweep::Sweep;
use crate::theory;

/// Lab 06: what its options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ChangRobertsLab {
    /// The processes of the ring, by name.
    pub identities: Identities,
    /// Which identity wins.
    pub elect: Elect,
    /// How the chain of processes closes into a ring.
    pub closing: Closing,
    /// Many runs instead of one.
    pub sweep: Option<Sweep>,
}

/// The lab's own options.
#[derive(Debug, clap::Args)]
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
    /// The sweep, if one is asked for.
    fn sweep(&self, verb: Verb) -> Result<Option<Sweep>, String> {
        if self.sweep.is_empty() {
            return Ok(None);
        }
        if verb != Verb::Simulate {
            return Err("--sweep: only in `simulate`".to_owned());
        }
        if let Some(n) = self.sweep.iter().find(|n| !(2..=SWEEP_MAX).contains(n)) {
            return Err(format!("--sweep {n}: a ring has from 2 to {SWEEP_MAX} processes"));
        }
        let runs = self.runs.unwrap_or(RUNS);
        if !(1..=RUNS_MAX).contains(&runs) {
            return Err(format!("--runs: from 1 to {RUNS_MAX}"));
        }
        if (&self.ids, self.initiators) != (&Order::Random, Initiators::All) {
            return Err("--sweep: its orders are random, and all initiate; leave out --ids and \
                        --initiators"
                .to_owned());
        }
        let plot = self.plot.clone().unwrap_or_else(|| PLOT.into());
        Ok(Some(Sweep { sizes: self.sweep.clone(), runs, plot }))
    }
}

impl ChangRobertsLab {
    /// Identity and initiative of all, in the direction of the messages; where the smallest identity is
    /// elected, mirrored, so that it is the greatest.
    fn round_the_ring(&self) -> Vec<(u64, bool)> {
        let mirrored = |(identity, initiates): (u64, bool)| match self.elect {
            Elect::Max => (identity, initiates),
            Elect::Min => (u64::MAX - identity, initiates),
        };
        self.identities.round_the_ring().map(mirrored).collect()
    }

    /// The processes that initiate, each with its identity.
    fn initiators(&self) -> impl Iterator<Item = (u64, ProcessId)> + '_ {
        let all = (0..self.processes()).map(ProcessId);
        let initiators = all.filter(|&process| self.identities.initiates(process));
        initiators.map(|process| (self.identities.identity(process), process))
    }
}

impl Lab for ChangRobertsLab {
    const NAME: &'static str = "chang-roberts";
    const ABOUT: &'static str = "Leader election on a ring, and numbering";
    const PROCESSES: u32 = 8;
    // Messages may overtake each other: `tests/check.rs` shows it.
    const ASSUMES: &'static [Assumption] =
        &[Assumption::Reliable, Assumption::NoDuplicates, Assumption::NoCrash];

    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::words("--ids", &["sorted", "reverse", "random"]),
            Dial::words("--initiators", &["1", "2", "3", "all"]),
            Dial::words("--elect", &["max", "min"]),
            Dial::words("--closing", &["first", "forward"]),
        ],
        ..Grounds::USUAL
    };

    type Options = Options;
    type Process = Numbering;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        let sweep = options.sweep(world.verb)?;
        let processes = world.processes::<Self>(None)?;
        let Options { ids: order, elect, closing, .. } = options;
        let initiators = match options.initiators {
            Initiators::All => processes,
            Initiators::Some(count) if count <= processes => count,
            Initiators::Some(count) => {
                return Err(format!("--initiators {count}: there are {processes} processes"));
            }
        };
        let given = match &order {
            Order::File(path) => read_identities(path, processes)
                .map_err(|what| format!("--ids {}: {what}", path.display()))?,
            _ => Vec::new(),
        };
        let identities = Identities { processes, order, given, initiators, seed: world.seed };
        Ok(Self { identities, elect, closing, sweep })
    }

    fn processes(&self) -> u32 {
        self.identities.processes
    }

    fn process(&self, place: &Place) -> Numbering {
        let candidate = Candidate {
            identity: self.identities.identity(place.me),
            initiates: self.identities.initiates(place.me),
            elect: self.elect,
        };
        let ring = Ring::new(place.contact(), place.processes, self.closing);
        Numbering::new(Election::new(ring, candidate))
    }

    fn properties(&self) -> Vec<Property> {
        let n = self.processes();
        let the_right_one =
            format!("the {} identity among the initiators leads", properties::which(self.elect));
        vec![
            Property::safety("exactly one leader, agreed by all", OneLeader::default()),
            Property::safety(the_right_one, RightLeader::new(self.elect, self.initiators())),
            Property::each("every process learns the leader", "Elected", Times::Exactly(1)),
            Property::safety("all know the leader before ranks are given", KnownFirst::new(n)),
            Property::safety("ranks 0 to N-1 in ring order", Ranks::new(n)),
            Property::safety("the count is N", TrueCount::new(n)),
            Property::between("who finishes has a rank", "Finished", "Numbered", "Finished"),
            Property::each("every process finishes once", "Finished", Times::Exactly(1)),
            Property::one_ring(&["ELECTION", "ELECTED", "NUMBER"]),
            Property::exactly_once(),
        ]
    }

    fn predicted(&self) -> Predictions {
        let n = u64::from(self.processes());
        let address = match self.closing {
            Closing::Forward => n - 1,
            Closing::First => 0,
        };
        let elections = theory::elections(&self.round_the_ring());
        exactly([("ADDRESS", address), ("ELECTION", elections), ("ELECTED", n), ("NUMBER", n)])
    }

    fn findings(&self) -> Box<dyn Findings<Indication>> {
        let nothing = vec![None; self.processes() as usize];
        Box::new(ElectionFindings {
            lab: self.clone(),
            leader: None,
            count: None,
            leader_of: nothing.clone(),
            rank_of: nothing,
        })
    }

    fn study(&self) -> Option<Runs> {
        let (sweep, elect, closing) = (self.sweep.clone()?, self.elect, self.closing);
        let lab = move |identities| Self { identities, elect, closing, sweep: None };
        Some(Box::new(move |series| sweep.run(lab, series)))
    }

    fn deployment(&self) -> Deployment<Self> {
        let ids = match &self.identities.order {
            Order::File(path) => Some(path),
            _ => None,
        };
        Deployment {
            contact: |indication| match indication {
                Indication::Closed(contact) => Some(contact),
                _ => None,
            },
            files: ids.into_iter().chain(self.sweep.as_ref().map(|s| &s.plot)).cloned().collect(),
            ..Deployment::over(Overlay::Ring(self.closing))
        }
    }
}

fn read_identities(path: &Path, processes: u32) -> Result<Vec<u64>, String> {
    let text = read_text(path, FILE_MAX).map_err(|error| error.to_string())?;
    identities::read(&text, processes)
}

/// What the result is made from.
#[derive(Debug)]
struct ElectionFindings {
    lab: ChangRobertsLab,
    /// The process that says that it leads.
    leader: Option<ProcessId>,
    /// How many the leader counted.
    count: Option<u64>,
    /// By rank of launch: which identity leads according to each process, and which rank it was given.
    leader_of: Vec<Option<u64>>,
    rank_of: Vec<Option<u64>>,
}

impl ElectionFindings {
    /// What theory says of this ring, and of all others of its size.
    fn theory(&self) -> (u64, u64, f64, u64) {
        let Identities { processes: n, initiators: k, .. } = self.lab.identities;
        let exactly = theory::elections(&self.lab.round_the_ring());
        (exactly, theory::best(n, k), theory::mean(n, k), theory::worst(n, k))
    }
}

impl Findings<Indication> for ElectionFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &Indication, _: u64) {
        match *indication {
            Indication::Won(_) => self.leader = Some(process),
            Indication::Elected(leader) => self.leader_of[process.index()] = Some(leader),
            Indication::Numbered(rank) => self.rank_of[process.index()] = Some(rank),
            Indication::Counted(count) => self.count = Some(count),
            Indication::Closed(_) | Indication::Finished => {}
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let Identities { processes, initiators, .. } = self.lab.identities;
        let leader = self.leader.map_or("leader: none".to_owned(), |leader| {
            format!("leader: {leader} with identity {}", self.lab.identities.identity(leader))
        });
        let count = self.count.map_or("N was not counted".to_owned(), |n| format!("N = {n}"));
        let elections = summary.messages.get("ELECTION").copied().unwrap_or(0);
        let (exactly, best, mean, worst) = self.theory();
        let initiators = match initiators {
            all if all == processes => "all initiate".to_owned(),
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
        let identities = &self.lab.identities;
        let (exactly, best, mean, worst) = self.theory();
        json!({
            "leader": self.leader,
            "identity": self.leader.map(|leader| identities.identity(leader)),
            "count": self.count,
            "initiators": identities.initiators,
            "elections": { "predicted": exactly, "best": best, "mean": mean, "worst": worst },
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        vec![
            ("identity", self.lab.identities.identity(process).into()),
            ("rank", self.rank_of[process.index()].into()),
            ("leader", self.leader_of[process.index()].into()),
        ]
    }
}

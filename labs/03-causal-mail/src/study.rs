//! Many simulated runs with servers that crash and come back.
//!
//! A crash takes all that a server has not in stable storage, and what is sent to it until it is
//! back. It comes at a random moment; another follows, of any server, until there were as many as
//! asked for.
//!
//! A run over a network that loses too much does not come to rest: it is cut short after
//! [`EVENTS_MAX`] events. What it did until then is judged; whether all mails would have been read,
//! nobody can say.

use std::time::Duration;

use labs::faults;
use labs::lab::{Lab, Place, Series, Study};
use labs::mutant::Mutant;
use labs::process::{Process, ProcessId, split_mix};
use labs::record::Recorder;
use labs::simulate::{Limits, Network, Simulation};
use labs::text::counted;
use labs::verdict::{Judge, Judgement, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::causal_mail::Mailer;
use crate::correspondence::Traffic;

/// How many runs there are, and how often a server crashes in each.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ManyRuns {
    /// How many runs.
    pub runs: u32,
    /// How many crashes in each.
    pub crashes: u32,
    /// How the plan of each is drawn.
    pub traffic: Traffic,
}

/// The longest time between two crashes, and the longest time that a server is down: some ten times
/// what a mail is under way, so that crashes strike in all phases.
const PAUSE_MAX_US: u64 = 40_000;

/// After so many events a run is taken for one without end: some ten times what a large one has.
pub const EVENTS_MAX: u64 = 1_000_000;

/// Where a run takes place.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// How messages travel.
    pub network: Network,
    /// What else goes wrong.
    pub faults: faults::Plan,
    /// How many times one of the servers crashes, and comes back.
    pub crashes: u32,
}

/// One run of all processes of a lab, with a mistake or without, of which servers crash. A run that
/// has not come to rest after [`EVENTS_MAX`] events ends there, and is judged as one that was cut
/// short.
///
/// # Panics
///
/// If the world is impossible.
pub fn run_in<L: Lab<Process = Mailer>>(
    world: &World,
    seed: u64,
    lab: &L,
    mistake: Option<L::Mistake>,
) -> (Vec<Verdict>, Judge) {
    let n = lab.processes();
    let recorder = Recorder::new(n, Judge::new(&lab.demanded(), n));
    let all: Vec<_> = (0..n).map(|rank| lab.process(&Place::simulated(rank, n))).collect();
    let servers = all.iter().filter(|mailer| matches!(mailer, Mailer::Server(_))).count() as u64;
    let all = all.into_iter().map(|mailer| Mutant::new(mailer, mistake.clone())).collect();
    let simulation = Simulation::new(seed, world.network.clone(), all, recorder)
        .and_then(|simulation| simulation.with_faults(&world.faults, seed));
    let mut simulation = simulation.expect("the world is possible");
    let mut random = seed ^ 0x00c4_a54e_5eed;
    let mut pause = || Duration::from_micros(1 + split_mix(&mut random) % PAUSE_MAX_US);
    let mut which = seed ^ 0x5e12_7e12_0000;
    let mut moment = Duration::ZERO;
    for _ in 0..world.crashes {
        let server = ProcessId((split_mix(&mut which) % servers) as u32);
        moment += pause();
        run_until(&mut simulation, moment);
        simulation.crash(server);
        // As it is at the crash: nothing reaches the disk of a machine that is off.
        let kept = simulation.process(server).process().stable();
        moment += pause();
        simulation.recover_at(moment, server, Mutant::new(kept, mistake.clone()));
        run_until(&mut simulation, moment);
    }
    let ended = simulation.run(Limits { events: EVENTS_MAX, ..Limits::default() });
    let judge = simulation.into_observer().finish().expect("nothing is written that could fail");
    (judge.verdicts(&ended.end()), judge)
}

fn run_until<P: Process>(simulation: &mut Simulation<P, Recorder>, time: Duration) {
    simulation.run(Limits { time, ..Limits::default() });
}

/// Runs with the seeds from that of the series on, and what they showed together. After the greatest
/// seed comes 0. `lab` is the lab with a plan that is drawn from such traffic and such a seed.
pub fn study<L: Lab<Process = Mailer>>(
    runs: ManyRuns,
    series: &mut Series<'_>,
    lab: impl Fn(Traffic, u64) -> L,
) -> Study {
    let ManyRuns { runs: wanted, crashes, traffic } = runs;
    let seed = series.seed;
    let world = World { network: series.network.clone(), faults: faults::Plan::default(), crashes };
    let mut tallies: Vec<Tally> = Vec::new();
    let (mut runs, mut messages) = (0, 0);
    while runs < wanted && series.goes_on() {
        let seed = seed.wrapping_add(u64::from(runs));
        runs += 1;
        let lab = lab(traffic, seed);
        let (verdicts, judge) = run_in(&world, seed, &lab, None);
        messages += judge.messages().values().sum::<u64>();
        if tallies.is_empty() {
            tallies = verdicts.iter().map(Tally::new).collect();
        }
        for (tally, verdict) in tallies.iter_mut().zip(verdicts) {
            tally.add(seed, &verdict);
        }
    }
    Study {
        processes: lab(traffic, seed).processes(),
        lines: vec![format!(
            "{}, {} of servers in each, {} in all",
            counted(runs.into(), "run"),
            counted(crashes.into(), "crash"),
            counted(messages, "message")
        )],
        result: json!({ "runs": runs, "crashes": crashes, "messages": messages }),
        verdicts: tallies.into_iter().map(|tally| tally.verdict(runs)).collect(),
    }
}

/// What many runs showed of one property.
struct Tally {
    /// Its name and kind.
    property: Verdict,
    violated: Count,
    not_judged: Count,
}

/// In how many runs something was so, and how it was in the first.
#[derive(Default)]
struct Count {
    runs: u32,
    first: String,
}

impl Count {
    fn add(&mut self, seed: u64, detail: &str) {
        if self.runs == 0 {
            self.first = format!("seed {seed}: {detail}");
        }
        self.runs += 1;
    }
}

impl Tally {
    fn new(property: &Verdict) -> Self {
        Self {
            property: property.clone(),
            violated: Count::default(),
            not_judged: Count::default(),
        }
    }

    fn add(&mut self, seed: u64, verdict: &Verdict) {
        self.property.tested |= verdict.tested;
        match verdict.holds() {
            Some(true) => {}
            Some(false) => self.violated.add(seed, verdict.detail()),
            None => self.not_judged.add(seed, verdict.detail()),
        }
    }

    /// One violation is enough; short of that, all runs must have been judged.
    fn verdict(self, runs: u32) -> Verdict {
        let Self { property, violated, not_judged } = self;
        let all = counted(runs.into(), "run");
        let judgement = match (violated.runs, not_judged.runs) {
            (0, 0) => Judgement::Holds(format!("in each of {all}")),
            (0, some) => {
                Judgement::Unknown(format!("not judged in {some} of {all}; {}", not_judged.first))
            }
            (some, _) => Judgement::violated(format!("in {some} of {all}; {}", violated.first)),
        };
        Verdict { judgement, ..property }
    }
}

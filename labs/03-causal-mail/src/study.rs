//! Many simulated runs with servers that crash and come back.
//!
//! A crash takes all that a server has not in stable storage, and what is sent to it until it is back. It
//! comes at a random moment; another follows, of any server, until there were as many as asked for.
//!
//! A run over a network that loses too much does not come to rest: it is cut short after [`EVENTS_MAX`]
//! events. What it did until then is judged; whether all mails would have been read, nobody can say.

use std::io;
use std::time::Duration;

use labs::faults;
use labs::lab::Study;
use labs::process::{Process, ProcessId, split_mix};
use labs::simulate::{Limits, Network, Simulation};
use labs::trace::Recorder;
use labs::verdict::{Judge, Spec, Verdict};
use serde_json::json;

/// How many servers crash in each run, and how many runs there are.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many runs.
    pub runs: u32,
    /// How many crashes in each.
    pub crashes: u32,
}

/// The longest time between two crashes, and the longest time that a server is down: some ten times what a
/// mail is under way, so that crashes strike in all phases.
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

/// One run of all these processes, the first `servers` of which crash. `stable` is what a crash leaves. A run
/// that has not come to rest after [`EVENTS_MAX`] events ends there, and is judged as one that was cut short.
///
/// # Panics
///
/// If the world is impossible, or there are no servers.
pub fn run_in<P: Process>(
    world: &World,
    seed: u64,
    all: Vec<P>,
    servers: u32,
    specs: &[Spec],
    stable: impl Fn(&P) -> P,
) -> (Vec<Verdict>, Judge) {
    let processes = all.len() as u32;
    let recorder = Recorder::new(processes, Judge::new(specs, processes));
    let simulation = Simulation::new(seed, world.network.clone(), all, recorder)
        .and_then(|simulation| simulation.with_faults(&world.faults, seed));
    let mut simulation = simulation.expect("the world is possible");
    let mut random = seed ^ 0x00c4_a54e_5eed;
    let mut pause = || Duration::from_micros(1 + split_mix(&mut random) % PAUSE_MAX_US);
    let mut which = seed ^ 0x5e12_7e12_0000;
    let mut moment = Duration::ZERO;
    for _ in 0..world.crashes {
        let server = ProcessId((split_mix(&mut which) % u64::from(servers)) as u32);
        moment += pause();
        run_until(&mut simulation, moment);
        simulation.crash(server);
        // As it is at the crash: nothing reaches the disk of a machine that is off.
        let kept = stable(simulation.process(server));
        moment += pause();
        simulation.recover_at(moment, server, kept);
        run_until(&mut simulation, moment);
    }
    let ended = simulation.run(Limits { events: EVENTS_MAX, ..Limits::default() });
    let judge = simulation.into_observer().finish().expect("nothing is written that could fail");
    (judge.verdicts(&ended.end()), judge)
}

fn run_until<P: Process>(simulation: &mut Simulation<P, Recorder>, time: Duration) {
    simulation.run(Limits { time, ..Limits::default() });
}

/// Runs with the seeds from `seed` on, and what they showed together. After the greatest seed comes 0.
///
/// # Errors
///
/// None; so that it fits where studies are made.
pub fn study<P: Process>(
    plan: Plan,
    seed: u64,
    network: &Network,
    build: impl Fn(u64) -> (Vec<P>, u32, Vec<Spec>),
    stable: impl Fn(&P) -> P + Copy,
) -> io::Result<Study> {
    let world =
        World { network: network.clone(), faults: faults::Plan::default(), crashes: plan.crashes };
    let mut processes = 0;
    let mut tallies: Vec<Tally> = Vec::new();
    let mut messages = 0;
    for seed in (0..u64::from(plan.runs)).map(|run| seed.wrapping_add(run)) {
        let (all, servers, specs) = build(seed);
        processes = all.len() as u32;
        let (verdicts, judge) = run_in(&world, seed, all, servers, &specs, stable);
        messages += judge.messages().values().sum::<u64>();
        if tallies.is_empty() {
            tallies = verdicts.iter().map(Tally::new).collect();
        }
        for (tally, verdict) in tallies.iter_mut().zip(verdicts) {
            tally.add(seed, verdict);
        }
    }
    let runs = plan.runs;
    Ok(Study {
        processes,
        lines: vec![format!(
            "{runs} runs, {} crashes of servers in each, {messages} messages in all",
            plan.crashes
        )],
        result: json!({ "runs": runs, "crashes": plan.crashes, "messages": messages }),
        verdicts: tallies.into_iter().map(|tally| tally.verdict(runs)).collect(),
    })
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

    fn add(&mut self, seed: u64, verdict: Verdict) {
        match verdict.holds {
            Some(true) => {}
            Some(false) => self.violated.add(seed, &verdict.detail),
            None => self.not_judged.add(seed, &verdict.detail),
        }
    }

    /// One violation is enough; short of that, all runs must have been judged.
    fn verdict(self, runs: u32) -> Verdict {
        let Self { property, violated, not_judged } = self;
        let (holds, detail) = match (violated.runs, not_judged.runs) {
            (0, 0) => (Some(true), format!("in each of {runs} runs")),
            (0, some) => {
                (None, format!("not judged in {some} of {runs} runs; {}", not_judged.first))
            }
            (some, _) => (Some(false), format!("in {some} of {runs} runs; {}", violated.first)),
        };
        Verdict { holds, detail, witnesses: Vec::new(), ..property }
    }
}

//! One run of a simulation, from its beginning to its end.

use std::time::Duration;

use super::Arguments;
use crate::faults::{Assumption, Plan, Toll, with_delay};
use crate::lab::Findings;
use crate::misstep::watchdog::Whereabouts;
use crate::planned::{Planned, Simulated};
use crate::process::ProcessId;
use crate::record::Recorder;
use crate::simulate::{Ended, Limits, Mishaps};
use crate::text::counted;
use crate::trace::Noted;
use crate::verdict::{End, Judge};

/// How many events pass between two looks at the clock, and at whether a property is broken for good. The looks
/// are part of the run: the same run is looked at, and ended, at the same events.
pub(crate) const ROUND: u64 = 1 << 12;

/// How many events a run goes on at least after a property is broken for good. Most runs come to their end in
/// fewer, and then their other properties are judged too.
const AFTERMATH: u64 = 10_000;

/// How many messages may be under way. Each takes some hundred bytes, and a million processes have a few
/// million.
const UNDER_WAY_MAX: usize = 10_000_000;

/// How a run was cut short, and the problem that the report tells of, if it is one.
pub(crate) type Cut = (End, Option<String>);

/// What is asked after each round: whether the run is cut short.
pub(crate) type Look<'a> = dyn FnMut(&dyn Simulated) -> Option<Cut> + 'a;

/// A run that is about to begin.
pub(crate) struct Trial<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) lab: &'a dyn Planned,
    pub(crate) faults: &'a Plan,
    pub(crate) seed: u64,
    /// How many events pass between two looks: [`ROUND`], as a rule.
    pub(crate) round: u64,
    /// Where it says what it does, to one who looks after handlers that do not return.
    pub(crate) whereabouts: Option<&'a Whereabouts>,
}

/// A run that has ended.
pub(crate) struct Tried {
    pub(crate) judge: Judge,
    pub(crate) end: End,
    pub(crate) problem: Option<String>,
    pub(crate) virtual_time: Duration,
    pub(crate) events: u64,
    pub(crate) toll: Toll,
    pub(crate) mishaps: Mishaps,
    /// What the algorithm assumes and the run did not grant, each with what took it away.
    pub(crate) assumptions_broken: Vec<String>,
}

impl Trial<'_> {
    /// Runs it to its end, or until `look` cuts it short.
    pub(crate) fn run(
        &self,
        recorder: Recorder,
        measure: bool,
        findings: &mut dyn Findings<dyn Noted>,
        look: &mut Look<'_>,
    ) -> anyhow::Result<Tried> {
        let Self { arguments, lab, faults, seed, round, whereabouts } = *self;
        let network = &arguments.network;
        let within = network.requests_within.unwrap_or_default();
        let mut simulation = lab.simulate(seed, network.to_network(), within, recorder)?.suffer(
            faults,
            &network.crash,
            seed,
        )?;
        if measure {
            simulation = simulation.measure();
        }
        if let Some(whereabouts) = whereabouts {
            simulation = simulation.watched(whereabouts.clone());
        }
        let (end, problem) = to_the_end(&mut *simulation, round, findings, look);
        let crashes = simulation.crashes().to_vec();
        for &(process, at_us) in &crashes {
            findings.on_crash(process, at_us);
        }
        let (toll, mishaps) = (simulation.toll(), simulation.mishaps());
        Ok(Tried {
            end,
            problem,
            virtual_time: simulation.now(),
            events: simulation.events(),
            assumptions_broken: with_delay(
                self.broken(&toll, mishaps, &crashes),
                lab.about().assumes,
                lab.delay_max(),
                simulation.slowest(),
            ),
            toll,
            mishaps,
            judge: simulation.finish()?,
        })
    }

    fn broken(&self, toll: &Toll, mishaps: Mishaps, crashes: &[(ProcessId, u64)]) -> Vec<String> {
        let (processes, assumed) = (self.lab.processes(), self.lab.about().assumes);
        let network = &self.arguments.network;
        let by_network = network.broken(assumed, mishaps, crashes, processes);
        let stays_dead = |process: &ProcessId| !self.lab.survives(*process);
        // What nobody may assume away is said once.
        let missing = match assumed.contains(&Assumption::NoCrash) {
            true => Vec::new(),
            false => self.faults.dead_for_good(toll).into_iter().filter(stays_dead).collect(),
        };
        let missing = missing.iter().map(|process| format!("{process} starts again when it dies"));
        [by_network, self.faults.broken(assumed, toll, processes), missing.collect()].concat()
    }
}

/// Lets a simulation go on until it comes to its end, until `look` cuts it short, or until some time after a
/// property was broken for good.
fn to_the_end(
    simulation: &mut dyn Simulated,
    each: u64,
    findings: &mut dyn Findings<dyn Noted>,
    look: &mut Look<'_>,
) -> Cut {
    let mut last = u64::MAX;
    loop {
        let round = simulation.events().saturating_add(each);
        let limits = Limits { events: round.min(last), ..Limits::default() };
        let ended = simulation.run(limits, findings);
        if !matches!(ended, Ended::EventLimit(_)) {
            return (ended.end(), None);
        }
        let events = simulation.events();
        if events >= last {
            return (End::CutShort(format!("it was ended {AFTER}")), None);
        }
        if last == u64::MAX && simulation.is_violated() {
            last = events.saturating_add(events.max(AFTERMATH));
        }
        let under_way = simulation.scheduled();
        if under_way > UNDER_WAY_MAX {
            let why = "too many messages under way".to_owned();
            let problem = format!(
                "{} are under way: with --duplication they grow",
                counted(under_way as u64, "message")
            );
            return (End::CutShort(why), Some(problem));
        }
        if let Some(cut) = look(simulation) {
            return cut;
        }
    }
}

/// Why a run ends that went wrong.
const AFTER: &str = "some time after a property was violated for good";

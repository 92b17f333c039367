//! From a case that shows a violation to the smallest that shows it.
//!
//! A smaller case has fewer things that go wrong; then fewer processes; then a shorter run; then a shorter
//! command line. Each change that makes it smaller is tried, with a few seeds, for another seed may be lucky where
//! this one is not; what still shows the violation is the next to begin with. It ends when no change
//! helps, or after [`TRIES_MAX`] runs.

use std::time::Duration;

use super::{Case, Grounds, Weather};
use crate::faults::{Fault, Plan, Rule, When};
use crate::process::ProcessId;

/// The most runs that shrinking takes: a second or two.
pub const TRIES_MAX: u32 = 600;

/// With how many other seeds a smaller case is tried.
const SEEDS: u64 = 4;

/// A case that shows the violation, in so many events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hunted {
    /// The case.
    pub case: Case,
    /// How many processes it has.
    pub processes: u32,
    /// How many events it takes.
    pub events: u64,
}

impl Hunted {
    fn size(&self) -> (usize, u32, u64, usize) {
        (self.case.parts(), self.processes, self.events, self.case.length())
    }
}

/// Shrinks a case. `run` runs one, and returns it if it shows the same violation. `least` is the number of
/// processes that there must be; `fixed` tells the options that may not change.
pub fn shrink(
    found: Hunted,
    grounds: &Grounds,
    least: Option<u32>,
    fixed: &[String],
    run: &mut dyn FnMut(&Case) -> Option<Hunted>,
) -> Hunted {
    let mut best = found;
    let mut tries = 0;
    'smaller: loop {
        for candidate in candidates(&best, grounds, least, fixed) {
            if candidate.parts() > best.case.parts() {
                continue;
            }
            for seed in seeds(best.case.seed) {
                let case = Case { seed, ..candidate.clone() };
                if case == best.case {
                    continue;
                }
                if tries == TRIES_MAX {
                    return best;
                }
                tries += 1;
                if let Some(smaller) = run(&case).filter(|case| case.size() < best.size()) {
                    best = smaller;
                    continue 'smaller;
                }
            }
        }
        return best;
    }
}

/// The seed of the case first, then the shortest ones.
fn seeds(own: u64) -> impl Iterator<Item = u64> {
    [own].into_iter().chain((1..=SEEDS).filter(move |&seed| seed != own))
}

/// What is tried, the greatest steps first.
fn candidates(best: &Hunted, grounds: &Grounds, least: Option<u32>, fixed: &[String]) -> Vec<Case> {
    let case = &best.case;
    let mut all = vec![
        Case { faults: Plan::default(), weather: Weather::default(), ..case.clone() },
        Case { faults: Plan::default(), ..case.clone() },
        Case { weather: Weather::default(), ..case.clone() },
    ];
    for number in 0..case.faults.rules().len() {
        all.push(Case { faults: without(&case.faults, number), ..case.clone() });
    }
    all.extend(milder(&case.weather).map(|weather| Case { weather, ..case.clone() }));
    if let Some(least) = least {
        let mut fewer =
            vec![least, least + 1, best.processes / 2, best.processes.saturating_sub(1)];
        fewer.retain(|&n| n >= least && n < best.processes);
        fewer.sort_unstable();
        fewer.dedup();
        all.extend(fewer.into_iter().map(|processes| among(case, processes)));
    }
    for dial in grounds.dials.iter().filter(|dial| !fixed.iter().any(|f| f == dial.option)) {
        let now = case.own.iter().position(|(option, _)| *option == dial.option);
        let value = now.map(|at| case.own[at].1.as_str());
        for smaller in dial.smaller(value) {
            let mut own = case.own.clone();
            match now {
                Some(at) => own[at].1 = smaller,
                None => own.push((dial.option, smaller)),
            }
            all.push(Case { own, ..case.clone() });
        }
        if let Some(at) = now {
            let mut own = case.own.clone();
            own.remove(at);
            all.push(Case { own, ..case.clone() });
        }
    }
    all.extend(simpler(&case.faults).map(|faults| Case { faults, ..case.clone() }));
    if case.processes.is_some() {
        all.push(Case { processes: None, ..case.clone() });
    }
    all.push(case.clone());
    all
}

/// A plan without one of its rules.
fn without(plan: &Plan, number: usize) -> Plan {
    let rules = plan.rules().iter().enumerate().filter(|(other, _)| *other != number);
    plan_of(rules.map(|(_, rule)| rule.clone()))
}

fn plan_of(rules: impl Iterator<Item = Rule>) -> Plan {
    let mut plan = Plan::default();
    rules.for_each(|rule| plan.push(rule));
    plan
}

/// The same among fewer processes: what concerns others is left out.
fn among(case: &Case, processes: u32) -> Case {
    let mut smaller = Case { processes: Some(processes), ..case.clone() };
    let alone = |rule: &Rule| plan_of([rule.clone()].into_iter()).validate(processes).is_ok();
    let is_part_of_life =
        |rule: &Rule| matches!(rule.fault, Fault::Process(_, p) if p.0 < processes);
    let rules = case.faults.rules().iter().filter_map(|rule| fewer_sides(rule, processes));
    smaller.faults = plan_of(rules.filter(|rule| is_part_of_life(rule) || alone(rule)));
    smaller.weather.slow.retain(|slow| {
        let ends = [&slow.channels.from, &slow.channels.to];
        ends.into_iter().flatten().flatten().all(|process| process.0 < processes)
    });
    smaller
}

/// A partition of those that are left.
fn fewer_sides(rule: &Rule, processes: u32) -> Option<Rule> {
    let Fault::Partition(sides) = &rule.fault else { return Some(rule.clone()) };
    let left = |side: &std::collections::BTreeSet<ProcessId>| {
        side.iter().copied().filter(|process| process.0 < processes).collect()
    };
    let mut sides: Vec<std::collections::BTreeSet<ProcessId>> = sides.iter().map(left).collect();
    sides.retain(|side| !side.is_empty());
    (sides.len() > 1).then(|| Rule { fault: Fault::Partition(sides), when: rule.when.clone() })
}

/// The weather without one of its troubles.
fn milder(weather: &Weather) -> impl Iterator<Item = Weather> {
    let usual = Weather::default();
    let mut all = vec![
        Weather { latency: None, ..weather.clone() },
        Weather { loss: usual.loss, ..weather.clone() },
        Weather { duplication: usual.duplication, ..weather.clone() },
        Weather { reordering: usual.reordering, ..weather.clone() },
        Weather { unordered: false, ..weather.clone() },
        Weather { requests_within: Duration::ZERO, ..weather.clone() },
        Weather { slow: Vec::new(), ..weather.clone() },
    ];
    all.retain(|milder| milder != weather);
    all.into_iter()
}

/// Plans with a rule that is said in fewer letters: at round times, or sooner.
fn simpler(plan: &Plan) -> impl Iterator<Item = Plan> + '_ {
    let replaced = |number: usize, when: When| {
        let rules = plan.rules().iter().cloned().enumerate();
        plan_of(rules.map(|(other, rule)| match other == number {
            true => Rule { when: when.clone(), ..rule },
            false => rule,
        }))
    };
    let rules = plan.rules().iter().enumerate();
    let simpler = rules.flat_map(move |(number, rule)| {
        let whens = match &rule.when {
            When::Always => Vec::new(),
            When::From(at) => vec![When::From(round(*at))],
            When::Between(from, to) => vec![
                When::Between(round(*from), round(*to)),
                When::Between(Duration::from_millis(1), round(*to)),
            ],
            When::After(count, kind) => {
                (1..*count).take(3).map(|count| When::After(count, kind.clone())).collect()
            }
        };
        whens.into_iter().filter(|when| *when != rule.when).map(move |when| replaced(number, when))
    });
    simpler.filter(|plan| plan.validate(u32::MAX).is_ok()).collect::<Vec<_>>().into_iter()
}

/// A time of one digit.
fn round(time: Duration) -> Duration {
    let ms = time.as_millis() as u64;
    let ten = 10u64.pow(ms.max(1).ilog10());
    Duration::from_millis((ms + ten / 2) / ten * ten)
}

//! What a search came to, in words.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::counterexample::{Counterexample, Endless};
use super::liveness::{Lasso, Put, lasso};
use super::model::Model;
use super::owed::{KEPT_SLOTS, TO_NOBODY, kept_at};
use super::parts::Map;
use super::search::Searched;
use super::shortest::{Run, run_to, shortest, step_to, told};
use super::space::Wrong;
use super::visited::StateNumber;
use super::{Search, Task, is_granted};
use crate::process::Process;
use crate::verdict::{
    End, Judgement, NOBODY_IN_PARTICULAR, Pattern, Property, PropertyKind, Verdict, Witness,
    counted,
};

/// What a search found.
#[derive(Clone, Debug)]
pub struct Outcome<P: Process> {
    /// How many different states there are, or were found before the search ended.
    pub states: usize,
    /// Whether every order was tried; otherwise those were left out that lead to the same.
    pub is_whole: bool,
    /// The length of the longest of the shortest paths to each state, in steps.
    pub max_depth: usize,
    /// The verdicts, in the order of the properties. A handler that panicked adds one: "no panic".
    pub verdicts: Vec<Verdict>,
    /// A shortest run that breaks a property.
    pub counterexample: Option<Counterexample<P>>,
    /// Runs that break liveness properties which that one does not break.
    pub also: Vec<Counterexample<P>>,
    /// The properties whose verdicts depend on the order of independent steps: they are at fault themselves.
    pub sees_order: BTreeSet<String>,
}

impl<P: Process> Outcome<P> {
    /// Whether all properties hold; nothing where some could not be judged.
    pub fn holds(&self) -> Option<bool> {
        let verdicts = || self.verdicts.iter().map(Verdict::holds);
        if verdicts().any(|holds| holds == Some(false)) {
            return Some(false);
        }
        verdicts().all(|holds| holds == Some(true)).then_some(true)
    }
}

/// What a search came to. `model` has the monitors of all properties, also of those that were not watched.
pub(super) fn of<P: Process>(
    task: &Task<P>,
    search: Search<P>,
    model: Model<P>,
    properties: &[Property],
) -> Outcome<P> {
    let Search { mut searched, is_whole, cycles } = search;
    let states = searched.shared.visited.count();
    let max_depth = searched.depth();
    let outcome = |verdicts, counterexample| Outcome {
        states,
        is_whole,
        max_depth,
        verdicts,
        counterexample,
        also: Vec::new(),
        sees_order: BTreeSet::new(),
    };
    let Some(finding) = searched.finding.take() else {
        let mut verdicts = unbroken(task, &searched, properties, cycles.is_some());
        let lasso = cycles.and_then(|is_labelled| {
            endless(task, &mut searched, properties, is_labelled, &mut verdicts)
        });
        let lasso =
            lasso.map(|(found, lasso)| Counterexample::endless(Arc::new(model), found, lasso));
        return outcome(verdicts, lasso);
    };
    let space = &mut searched.workers[0].space;
    let starts = task.states();
    let found = run_to(space, &starts, &searched.shared.visited, finding);
    let Run { start, steps, wrong, looked_at } = shortest(space, &starts, found, &task.deadline);
    // How far several threads came until one of them found something is of no interest.
    let (states, is_whole) = looked_at.map_or((states, is_whole), |looked_at| (looked_at, true));
    let max_depth = steps.len();
    let starts = task.starts[start].0.clone();
    let counterexample = Counterexample::new(Arc::new(model), starts, steps, wrong.as_ref());
    let verdicts = at_counterexample(counterexample.verdicts(), wrong.as_ref());
    Outcome {
        states,
        is_whole,
        max_depth,
        verdicts,
        counterexample: Some(counterexample),
        also: Vec::new(),
        sees_order: BTreeSet::new(),
    }
}

/// Judges runs without end: changes the verdicts on liveness properties that such a run breaks, and returns one
/// that does.
fn endless<P: Process>(
    task: &Task<P>,
    searched: &mut Searched<P>,
    properties: &[Property],
    is_labelled: bool,
    verdicts: &mut [Verdict],
) -> Option<(Violated, Endless<P>)> {
    let is_judged = |property: &&Property| !is_granted(property, &task.model.options);
    let slots: Vec<_> =
        properties.iter().filter(is_judged).map(|property| property.name.clone()).collect();
    let mut shown = None;
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.kind == PropertyKind::Liveness) {
        let slot = slots.iter().position(|name| *name == verdict.name);
        let Some(slot) = slot.filter(|_| verdict.holds() == Some(true)) else { continue };
        if !is_labelled || slot >= KEPT_SLOTS {
            let why =
                "a run can go on for ever, and there are too many states to look at such runs";
            verdict.judgement = Judgement::Unknown(why.to_owned());
            continue;
        }
        match lasso_of(searched, slot) {
            Found::PutOff(lasso) => {
                let endless = tell(task, searched, slot, &lasso);
                verdict.judgement = Judgement::violated(endless.what.clone());
                shown.get_or_insert((verdict.name.clone(), endless));
            }
            Found::Perhaps => {
                let why = "not decided: a run can go on for ever in which something is owed at each moment";
                verdict.judgement = Judgement::Unknown(why.to_owned());
            }
            Found::Nothing => {}
        }
    }
    shown
}

/// The name of the property that is violated.
type Violated = String;

/// Whether what a property waits for can be put off for ever.
enum Found {
    PutOff(Lasso),
    /// There is such a run if it is the same that is owed at each moment.
    Perhaps,
    Nothing,
}

fn lasso_of<P: Process>(searched: &Searched<P>, slot: usize) -> Found {
    let graph = searched.graph();
    let dense = |states: &[StateNumber]| -> Vec<usize> {
        states.iter().map(|&state| graph.dense.of(state)).collect()
    };
    let worker = &searched.workers[0];
    let (roots, ends) = (dense(&searched.roots), dense(&worker.end_states));
    let mut owed = vec![(0, 0); graph.len()];
    let mut debts: Map<u32, u64> = Map::default();
    for (state, monitors) in &worker.monitors {
        let number = monitors[slot];
        let debt = debts.entry(number);
        let debt = *debt.or_insert_with(|| worker.space.monitor_of(slot, number).owe());
        owed[graph.dense.of(*state)] = (number, debt);
    }
    let all = owed.iter().fold(0, |all, (_, debt)| all | debt);
    let find = |bit: u64, key: &dyn Fn(usize) -> Option<u32>| {
        lasso(&Put { graph: &graph, owed: kept_at(slot, bit), key }, &roots, &ends)
    };
    let to = |bit: u64| {
        let owed = &owed;
        move |state: usize| (owed[state].1 & bit != 0).then_some(0)
    };
    let of_process = |rank: u32| find(1 << rank, &to(1 << rank));
    if let Some(lasso) = (0..TO_NOBODY).filter(|rank| all >> rank & 1 == 1).find_map(of_process) {
        return Found::PutOff(lasso);
    }
    let nobody = NOBODY_IN_PARTICULAR;
    let same = |state: usize| (owed[state].1 == nobody).then_some(owed[state].0);
    match find(nobody, &same) {
        Some(lasso) => Found::PutOff(lasso),
        None if find(nobody, &to(nobody)).is_some() => Found::Perhaps,
        None => Found::Nothing,
    }
}

/// A lasso as the steps of a run.
fn tell<P: Process>(
    task: &Task<P>,
    searched: &mut Searched<P>,
    slot: usize,
    lasso: &Lasso,
) -> Endless<P> {
    let dense = searched.shared.visited.dense();
    let fingerprint = |state: usize| searched.shared.visited.fingerprint(dense.state(state));
    let way: Vec<_> = lasso.way_in.iter().map(|&state| fingerprint(state)).collect();
    let space = &mut searched.workers[0].space;
    let (start, mut steps, mut state) = told(space, &task.states(), &way);
    let owed = space.monitor_of(slot, space.monitors_of(&state)[slot]);
    let owed = owed.verdicts(&End::Complete).remove(0).detail().to_owned();
    let cycle_from = steps.len();
    for &(next, class) in &lasso.round {
        let (step, words) = step_to(space, &state, fingerprint(next), Some(class));
        steps.push(step);
        state = words;
    }
    let round = counted((steps.len() - cycle_from) as u64, "step");
    let after = counted(cycle_from as u64, "step");
    let how = match lasso.is_trap {
        true => "no order leads to an end from there",
        false => {
            "other orders end, but every process and every channel gets its turn in this one, too"
        }
    };
    let what = format!("{owed}, for ever: after {after} the last {round} repeat, and {how}");
    Endless { what, starts: task.starts[start].0.clone(), steps, cycle_from }
}

/// What became of each property where one is broken.
fn at_counterexample(mut verdicts: Vec<Verdict>, wrong: Option<&Wrong>) -> Vec<Verdict> {
    for verdict in verdicts.iter_mut().filter(|verdict| !verdict.is_violated()) {
        let why = "not judged: the search ended at the counterexample";
        verdict.judgement = Judgement::Unknown(why.to_owned());
    }
    verdicts.extend(
        wrong.map(|(process, misstep)| misstep.verdict(Witness { process: *process, n: 0 })),
    );
    verdicts
}

/// The verdicts on properties that nothing broke.
fn unbroken<P: Process>(
    task: &Task<P>,
    searched: &Searched<P>,
    properties: &[Property],
    has_cycles: bool,
) -> Vec<Verdict> {
    let mut watched = 0;
    let judged = |property: &Property| {
        let (tested, judgement) = if is_granted(property, &task.model.options) {
            granted(searched, property)
        } else {
            watched += 1;
            let mut workers = searched.workers.iter();
            let tested = workers.any(|worker| worker.space.tested().nth(watched - 1) == Some(true));
            (tested, of_unbroken(searched, watched - 1, property.kind, has_cycles))
        };
        Verdict { name: property.name.clone(), kind: property.kind, tested, judgement }
    };
    properties.iter().map(judged).collect()
}

/// The verdict on a property that the channels of the model grant.
fn granted<P: Process>(searched: &Searched<P>, property: &Property) -> (bool, Judgement) {
    let states = counted(searched.shared.visited.count() as u64, "state");
    let tested = match property.pattern {
        Some(Pattern::Fifo) => searched.workers.iter().any(|worker| worker.queues),
        _ => searched.workers.iter().any(|worker| worker.arrivals),
    };
    let ends = counted(searched.workers.iter().map(|worker| worker.ends).sum(), "end");
    let judgement = match (&searched.cut, property.kind) {
        (Some(cut), _) => Judgement::Unknown(cut_short(&states, cut)),
        (None, PropertyKind::Safety) => Judgement::Holds(format!("in each of {states}")),
        (None, PropertyKind::Liveness) => {
            Judgement::Holds(format!("at each of {ends}, in {states}"))
        }
    };
    (tested, judgement)
}

fn cut_short(states: &str, cut: &str) -> String {
    format!("not broken in {states}, and there are more ({cut})")
}

fn of_unbroken<P: Process>(
    searched: &Searched<P>,
    index: usize,
    kind: PropertyKind,
    has_cycles: bool,
) -> Judgement {
    let states = counted(searched.shared.visited.count() as u64, "state");
    let sum = |of: fn(&super::search::Worker<P>, usize) -> u64| -> u64 {
        searched.workers.iter().map(|worker| of(worker, index)).sum()
    };
    let (count, undecided) = (sum(|worker, _| worker.ends), sum(|worker, at| worker.undecided[at]));
    let ends = counted(count, "end");
    let liveness = kind == PropertyKind::Liveness;
    if let Some(cut) = &searched.cut {
        Judgement::Unknown(cut_short(&states, cut))
    } else if undecided > 0 {
        let by_bound = "where only their bound stops timers";
        Judgement::Unknown(format!("not decided at {undecided} of {ends}, {by_bound}"))
    } else if liveness && has_cycles {
        Judgement::Holds(format!(
            "at each of {ends}, and where a run goes on for ever, in {states}"
        ))
    } else if liveness {
        Judgement::Holds(format!("at each of {ends}, in {states}"))
    } else {
        Judgement::Holds(format!("in each of {states}"))
    }
}

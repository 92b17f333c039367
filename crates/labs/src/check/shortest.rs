//! A shortest run that breaks a property.
//!
//! A search that goes depth first finds a long one, and one that leaves out orders may find one with steps
//! that have nothing to do with it. So another looks for a shorter one, breadth first, among all orders,
//! no deeper than need be.

use super::graph::Class;
use super::search::{Deadline, Finding};
use super::space::{Space, Successors, Wrong};
use super::state::State;
use super::steps::Step;
use super::visited::{NO_STATE, StateNumber, Visited};
use crate::process::Process;
use crate::verdict::Verdict;

/// How many states are looked at for a shorter run: seconds, and some hundred megabytes.
const STATES_MAX: usize = 3_000_000;

/// A run to something wrong: from which of the starts, and by which steps.
pub(super) struct Run<P: Process> {
    pub(super) start: usize,
    pub(super) steps: Vec<Step<P>>,
    pub(super) wrong: Option<Wrong>,
    /// How many states were looked at until it was known that there is no shorter one.
    pub(super) looked_at: Option<usize>,
}

/// The steps that lead through the states with these fingerprints, from one of the starts.
pub(super) fn told<P: Process>(
    space: &mut Space<P>,
    starts: &[State<P>],
    way: &[u64],
) -> (usize, Vec<Step<P>>, Vec<u32>) {
    let starts: Vec<_> = starts.iter().map(|start| space.import(start)).collect();
    let start = starts.iter().position(|start| space.fingerprint(start) == way[0]);
    let start = start.expect("a way begins where the processes have started");
    let mut state = starts[start].clone();
    let mut steps = Vec::new();
    for &next in &way[1..] {
        let (step, words) = step_to(space, &state, next, None);
        steps.push(step);
        state = words;
    }
    (start, steps, state)
}

/// The step from a state to the one with this fingerprint: of this class, if one is named.
pub(super) fn step_to<P: Process>(
    space: &mut Space<P>,
    state: &[u32],
    fingerprint: u64,
    class: Option<Class>,
) -> (Step<P>, Vec<u32>) {
    let mut successors = Successors::new();
    space.successors(state, None, &mut successors);
    let mut found = successors.found.iter();
    let is_it = |words: &[u32]| space.fingerprint(words) == fingerprint;
    let of_class = |how| class.is_none_or(|class| space.class(state, how) == class);
    let found =
        found.find(|next| !next.wrong && of_class(next.how) && is_it(successors.words(next)));
    let found = found.expect("the search went this way");
    (space.step(state, found.how), successors.words(found).to_vec())
}

/// The run to a finding.
pub(super) fn run_to<P: Process>(
    space: &mut Space<P>,
    starts: &[State<P>],
    visited: &Visited,
    finding: Finding<P>,
) -> Run<P> {
    let (start, mut steps, _) = told(space, starts, &visited.way_to(finding.at));
    steps.extend(finding.step);
    Run { start, steps, wrong: finding.wrong, looked_at: None }
}

/// A shortest run, if this one is not.
pub(super) fn shortest<P: Process>(
    space: &mut Space<P>,
    starts: &[State<P>],
    found: Run<P>,
    deadline: &Deadline,
) -> Run<P> {
    let mut search = Breadth { visited: Visited::new(), space, deadline };
    match search.no_longer_than(starts, found.steps.len()) {
        Ok(Some(finding)) => {
            let Breadth { visited, space, .. } = search;
            let looked_at = Some(visited.count());
            Run { looked_at, ..run_to(space, starts, &visited, finding) }
        }
        Ok(None) | Err(GaveUp) => found,
    }
}

/// Too many states, or too long.
struct GaveUp;

struct Breadth<'a, P: Process> {
    visited: Visited,
    space: &'a mut Space<P>,
    deadline: &'a Deadline,
}

impl<P: Process> Breadth<'_, P> {
    /// Something wrong that no more steps lead to: the first of the shortest, whoever found what before.
    fn no_longer_than(
        &mut self,
        starts: &[State<P>],
        steps: usize,
    ) -> Result<Option<Finding<P>>, GaveUp> {
        let mut front: Vec<(StateNumber, Box<[u32]>)> = Vec::new();
        for start in starts {
            let words = self.space.import(start);
            if let Some(finding) = self.visit(&words, NO_STATE, &mut front) {
                return Ok(Some(finding));
            }
        }
        let mut successors = Successors::new();
        for _ in 0..steps {
            for (number, state) in std::mem::take(&mut front) {
                successors.clear();
                self.space.successors(&state, None, &mut successors);
                if let Some(finding) = self.follow(number, &state, &successors, &mut front) {
                    return Ok(Some(finding));
                }
                self.check_patience()?;
            }
        }
        Ok(None)
    }

    fn check_patience(&self) -> Result<(), GaveUp> {
        let options = &self.space.model.options;
        let is_enough = self.visited.count() > STATES_MAX.min(options.states);
        match is_enough || self.deadline.begun.elapsed() > options.time {
            true => Err(GaveUp),
            false => Ok(()),
        }
    }

    fn follow(
        &mut self,
        number: StateNumber,
        state: &[u32],
        successors: &Successors,
        front: &mut Vec<(StateNumber, Box<[u32]>)>,
    ) -> Option<Finding<P>> {
        for successor in &successors.found {
            if successor.wrong {
                let step = Some(self.space.step(state, successor.how));
                let wrong = self.space.wrong(successor.how).cloned();
                return Some(Finding { at: number, step, wrong });
            }
            let finding = self.visit(successors.words(successor), number, front);
            if finding.is_some() {
                return finding;
            }
        }
        None
    }

    fn visit(
        &mut self,
        words: &[u32],
        parent: StateNumber,
        front: &mut Vec<(StateNumber, Box<[u32]>)>,
    ) -> Option<Finding<P>> {
        let (number, is_new) = self.visited.insert(self.space.fingerprint(words), parent);
        if !is_new {
            return None;
        }
        if self.space.is_end(words) {
            let verdicts = self.space.monitors(words).verdicts(&self.space.end(words));
            if verdicts.iter().any(Verdict::is_violated) {
                return Some(Finding { at: number, step: None, wrong: None });
            }
        }
        front.push((number, words.into()));
        None
    }
}

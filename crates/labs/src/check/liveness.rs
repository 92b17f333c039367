//! Runs without end: whether something that must happen is put off for ever.
//!
//! Where the search can come back to a state, a run can go round for ever. It breaks a liveness property if what
//! the property waits for does not happen on the way round, and nobody was treated unfairly: **weak fairness**
//! says that a step that is possible all the time is taken some time, and is demanded of each channel, of the
//! timers of each process and of its requests (Lamport, *Proving the correctness of multiprocess programs*,
//! 1977; the cycles are those of Lichtenstein and Pnueli, POPL 1985). A scheduler that never lets a process act
//! breaks no promise of an algorithm.
//!
//! So the steps are looked at throughout which the property is owed something, the same all the time, and in the graph of
//! these the strongly connected components (Tarjan, *Depth-first search and linear graph algorithms*, 1972). One is
//! fair if each class of steps that is possible in all its states is taken within it; then there is a way round
//! that is fair, too, and if it is not, no part of it is. What is shown is a *lasso*: a shortest way to such a
//! component, and a way round in it.
//!
//! Two cases are told apart. From a *trap* no end can be reached, whoever acts in what order. Elsewhere some order ends,
//! and another goes round for ever though everybody gets their turn.

use std::collections::{BTreeSet, VecDeque};

use super::graph::{Class, Graph};
use super::owed::Kept;

/// A way round that is fair, and the way to it.
#[derive(Debug)]
pub(super) struct Lasso {
    /// States from a root to the first state of the way round.
    pub(super) way_in: Vec<usize>,
    /// The states after that, with the class of the step to each; the last is where the way round begins.
    pub(super) round: Vec<(usize, Class)>,
    /// Whether no end can be reached from there.
    pub(super) is_trap: bool,
}

/// A graph, and in it the steps throughout which one thing is owed.
pub(super) struct Put<'a> {
    pub(super) graph: &'a Graph<'a>,
    /// What of it is owed throughout such a step: one of these bits.
    pub(super) owed: Kept,
    /// Of each state, what is the same all the time; nothing if the state is not among them.
    pub(super) key: &'a dyn Fn(usize) -> Option<u32>,
}

impl Put<'_> {
    /// The steps of this kind from a state.
    fn off(&self, state: usize) -> impl Iterator<Item = (usize, Class)> + '_ {
        let here = (self.key)(state);
        let is_off = move |next: usize, kept: Kept| {
            here.is_some() && kept & self.owed != 0 && (self.key)(next) == here
        };
        let steps = self.graph.steps(state);
        steps
            .filter(move |&(next, (_, kept))| is_off(next, kept))
            .map(|(next, (class, _))| (next, class))
    }
}

/// Whether a run can go round for ever by such steps. Returns the lasso that is reached first.
pub(super) fn lasso(put: &Put<'_>, roots: &[usize], ends: &[usize]) -> Option<Lasso> {
    let graph = put.graph;
    let distances = Distances::from(graph, roots);
    let fair = components(put).into_iter().filter(|states| is_fair(put, states));
    let first = |states: &BTreeSet<usize>| {
        let nearest = states.iter().copied().min_by_key(|&state| distances.steps[state]);
        nearest.expect("a component has states")
    };
    let found = fair.min_by_key(|states| distances.steps[first(states)])?;
    let entry = first(&found);
    let can_end = reaching(graph, ends);
    Some(Lasso {
        way_in: distances.way_to(entry),
        round: round(put, &found, entry),
        is_trap: !can_end[entry],
    })
}

/// How far states are from the roots, and from where each is reached.
struct Distances {
    steps: Vec<u32>,
    from: Vec<u32>,
}

const FAR: u32 = u32::MAX;

impl Distances {
    fn from(graph: &Graph<'_>, roots: &[usize]) -> Self {
        let mut distances = Self { steps: vec![FAR; graph.len()], from: vec![FAR; graph.len()] };
        let mut queue: VecDeque<usize> = roots.iter().copied().collect();
        roots.iter().for_each(|&root| distances.steps[root] = 0);
        while let Some(state) = queue.pop_front() {
            for next in graph.next(state) {
                if distances.steps[next] == FAR {
                    distances.steps[next] = distances.steps[state] + 1;
                    distances.from[next] = state as u32;
                    queue.push_back(next);
                }
            }
        }
        distances
    }

    fn way_to(&self, mut state: usize) -> Vec<usize> {
        let mut way = vec![state];
        while self.from[state] != FAR {
            state = self.from[state] as usize;
            way.push(state);
        }
        way.reverse();
        way
    }
}

/// The states from which one of these can be reached.
fn reaching(graph: &Graph<'_>, ends: &[usize]) -> Vec<bool> {
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); graph.len()];
    for state in 0..graph.len() {
        graph.next(state).for_each(|next| before[next].push(state as u32));
    }
    let mut reaches = vec![false; graph.len()];
    let mut stack = ends.to_vec();
    while let Some(state) = stack.pop() {
        if !std::mem::replace(&mut reaches[state], true) {
            stack.extend(before[state].iter().map(|&state| state as usize));
        }
    }
    reaches
}

/// The strongly connected components of the states with equal keys in which one can go round.
fn components(put: &Put<'_>) -> Vec<BTreeSet<usize>> {
    let graph = put.graph;
    let inner = |state: usize| put.off(state).map(|(next, _)| next).collect::<Vec<_>>();
    let mut tarjan = Tarjan {
        index: vec![FAR; graph.len()],
        low: vec![0; graph.len()],
        is_open: vec![false; graph.len()],
        open: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for state in 0..graph.len() {
        if (put.key)(state).is_some() && tarjan.index[state] == FAR {
            tarjan.visit(state, &inner);
        }
    }
    let goes_round = |states: &BTreeSet<usize>| {
        states.iter().any(|&state| inner(state).iter().any(|next| states.contains(next)))
    };
    tarjan.found.into_iter().filter(goes_round).collect()
}

/// Tarjan's algorithm, with a stack of its own instead of recursion.
struct Tarjan {
    index: Vec<u32>,
    low: Vec<u32>,
    is_open: Vec<bool>,
    open: Vec<usize>,
    next: u32,
    found: Vec<BTreeSet<usize>>,
}

impl Tarjan {
    fn visit(&mut self, root: usize, inner: &dyn Fn(usize) -> Vec<usize>) {
        let mut stack = vec![(root, self.enter(root, inner))];
        while let Some((state, follow)) = stack.last_mut() {
            let state = *state;
            match follow.pop() {
                Some(next) if self.index[next] == FAR => {
                    let follow = self.enter(next, inner);
                    stack.push((next, follow));
                }
                Some(next) => {
                    if self.is_open[next] {
                        self.low[state] = self.low[state].min(self.index[next]);
                    }
                }
                None => {
                    stack.pop();
                    self.leave(state);
                    if let Some((before, _)) = stack.last() {
                        self.low[*before] = self.low[*before].min(self.low[state]);
                    }
                }
            }
        }
    }

    fn enter(&mut self, state: usize, inner: &dyn Fn(usize) -> Vec<usize>) -> Vec<usize> {
        (self.index[state], self.low[state]) = (self.next, self.next);
        self.next += 1;
        self.open.push(state);
        self.is_open[state] = true;
        inner(state)
    }

    fn leave(&mut self, state: usize) {
        if self.low[state] != self.index[state] {
            return;
        }
        let begins = self.open.iter().rposition(|&open| open == state);
        let component = self.open.split_off(begins.expect("it was opened"));
        component.iter().for_each(|&state| self.is_open[state] = false);
        self.found.push(component.into_iter().collect());
    }
}

/// The classes of the steps that are possible in a state: faults need not happen.
fn possible(graph: &Graph<'_>, state: usize) -> BTreeSet<Class> {
    graph.steps(state).map(|(_, (class, _))| class).filter(|&class| class > 0).collect()
}

/// The classes that are possible in all these states.
fn always_possible(graph: &Graph<'_>, states: &BTreeSet<usize>) -> BTreeSet<Class> {
    let mut states = states.iter();
    let first = states.next().map(|&state| possible(graph, state)).unwrap_or_default();
    states.fold(first, |always, &state| &always & &possible(graph, state))
}

fn is_fair(put: &Put<'_>, states: &BTreeSet<usize>) -> bool {
    let graph = put.graph;
    let inner = |&state: &usize| put.off(state).filter(|(next, _)| states.contains(next));
    let taken: BTreeSet<Class> = states.iter().flat_map(inner).map(|(_, class)| class).collect();
    always_possible(graph, states).is_subset(&taken)
}

/// A way round in a component, from a state back to it, that treats everybody fairly.
fn round(put: &Put<'_>, states: &BTreeSet<usize>, entry: usize) -> Vec<(usize, Class)> {
    let graph = put.graph;
    let all = states.iter().flat_map(|&state| possible(graph, state)).collect::<BTreeSet<_>>();
    let always = always_possible(graph, states);
    let mut round: Vec<(usize, Class)> = Vec::new();
    for class in all {
        let is_taken = round.iter().any(|&(_, taken)| taken == class);
        let mut visited = round.iter().map(|&(state, _)| state).chain([entry]);
        let is_idle = visited.any(|state| !possible(graph, state).contains(&class));
        if is_taken || is_idle {
            continue;
        }
        let at = round.last().map_or(entry, |&(state, _)| state);
        let is_always = always.contains(&class);
        let way = way(put, states, at, &|next, taken| {
            taken == class || !is_always && !possible(graph, next).contains(&class)
        });
        round.extend(way);
    }
    let at = round.last().map_or(entry, |&(state, _)| state);
    if at != entry || round.is_empty() {
        round.extend(way(put, states, at, &|next, _| next == entry));
    }
    round
}

/// A shortest way in a component, of at least one step, whose last step is the first that is looked for.
fn way(
    put: &Put<'_>,
    states: &BTreeSet<usize>,
    from: usize,
    is_it: &dyn Fn(usize, Class) -> bool,
) -> Vec<(usize, Class)> {
    let mut ways: VecDeque<Vec<(usize, Class)>> = VecDeque::from([Vec::new()]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let at = way.last().map_or(from, |&(state, _)| state);
        for (next, class) in put.off(at).filter(|(next, _)| states.contains(next)) {
            let mut longer = way.clone();
            longer.push((next, class));
            if is_it(next, class) {
                return longer;
            }
            if seen.insert(next) {
                ways.push_back(longer);
            }
        }
    }
    Vec::new()
}

//! The states as a graph: which follows from which. What is asked of all of them together is answered here.

use super::owed::Kept;
use super::visited::{Dense, StateNumber};

/// The edges that one thread has seen, state after state: its number, how many follow, and their numbers.
pub(super) struct Edges {
    words: Vec<u32>,
    /// Of each word, what is said of the step, if edges are labelled.
    labels: Option<Vec<Label>>,
    /// Where the count of the last state stands.
    count_at: usize,
}

/// To whom a step belongs, as far as fairness goes: a channel, the timers of a process, its requests. 0 is a
/// fault, which need not happen.
pub(super) type Class = u16;

/// What is said of a step: its class, and what is owed throughout.
pub(super) type Label = (Class, Kept);

impl Edges {
    pub(super) fn new(labels: bool) -> Self {
        Self { words: Vec::new(), labels: labels.then(Vec::new), count_at: 0 }
    }

    pub(super) fn from(&mut self, state: StateNumber) {
        self.words.extend_from_slice(&[state, 0]);
        self.count_at = self.words.len() - 1;
        if let Some(labels) = &mut self.labels {
            labels.extend_from_slice(&[(0, 0); 2]);
        }
    }

    pub(super) fn to(&mut self, state: StateNumber, label: impl FnOnce() -> Label) {
        self.words.push(state);
        self.words[self.count_at] += 1;
        if let Some(labels) = &mut self.labels {
            labels.push(label());
        }
    }
}

/// A graph of states, numbered without gaps.
pub(super) struct Graph<'a> {
    pub(super) dense: Dense,
    edges: Vec<&'a Edges>,
    /// Where the edges of each state stand: by whom, and where.
    places: Vec<(u16, usize)>,
}

/// Nobody has looked at this state.
const NOBODY: u16 = u16::MAX;

impl<'a> Graph<'a> {
    pub(super) fn new(dense: Dense, edges: Vec<&'a Edges>) -> Self {
        let mut places = vec![(NOBODY, 0); dense.count];
        for (whose, edges) in edges.iter().enumerate() {
            let mut at = 0;
            while at < edges.words.len() {
                places[dense.of(edges.words[at])] = (whose as u16, at);
                at += 2 + edges.words[at + 1] as usize;
            }
        }
        Self { dense, edges, places }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// What follows from a state.
    pub(super) fn next(&self, state: usize) -> impl Iterator<Item = usize> + '_ {
        let (whose, at) = self.places[state];
        let words = match whose {
            NOBODY => &[][..],
            whose => {
                let words = &self.edges[whose as usize].words;
                &words[at + 2..at + 2 + words[at + 1] as usize]
            }
        };
        words.iter().map(|&state| self.dense.of(state))
    }

    /// The same, with what is said of each step.
    pub(super) fn steps(&self, state: usize) -> impl Iterator<Item = (usize, Label)> + '_ {
        let (whose, at) = self.places[state];
        let labels = match whose {
            NOBODY => &[][..],
            whose => {
                let edges = self.edges[whose as usize];
                let count = edges.words[at + 1] as usize;
                edges.labels.as_ref().map_or(&[][..], |labels| &labels[at + 2..at + 2 + count])
            }
        };
        self.next(state).zip(labels.iter().copied())
    }

    /// The shortest distance of the state that is farthest from the roots, in steps.
    pub(super) fn depth(&self, roots: &[usize]) -> usize {
        let mut is_near = vec![false; self.len()];
        let mut front: Vec<u32> = roots.iter().map(|&root| root as u32).collect();
        roots.iter().for_each(|&root| is_near[root] = true);
        let mut depth = 0;
        loop {
            let mut next = Vec::new();
            for &state in &front {
                for to in self.next(state as usize) {
                    if !is_near[to] {
                        is_near[to] = true;
                        next.push(to as u32);
                    }
                }
            }
            if next.is_empty() {
                return depth;
            }
            depth += 1;
            front = next;
        }
    }

    /// Whether a run can come back to a state: whether no order of all states has each before those that
    /// follow (Kahn, *Topological sorting of large networks*, 1962).
    pub(super) fn has_cycle(&self) -> bool {
        let mut before = vec![0_u32; self.len()];
        (0..self.len()).for_each(|state| self.next(state).for_each(|to| before[to] += 1));
        let mut free: Vec<u32> =
            (0..self.len() as u32).filter(|&state| before[state as usize] == 0).collect();
        let mut done = 0;
        while let Some(state) = free.pop() {
            done += 1;
            for to in self.next(state as usize) {
                before[to] -= 1;
                if before[to] == 0 {
                    free.push(to as u32);
                }
            }
        }
        done < self.len()
    }
}

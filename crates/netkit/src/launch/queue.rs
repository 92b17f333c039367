//! The tasks of a launch, and how many of them may be under way at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{CONNECTIONS_PER_SERVER, LOCAL_STARTS};
use crate::hosts::Hosts;
use crate::ssh::Target;

/// Work for one thread.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) host: usize,
    pub(super) ranks: Vec<u32>,
    pub(super) place: Place,
}

/// Where a task takes place, as far as it is known.
#[derive(Debug)]
pub(super) enum Place {
    Here,
    /// The name is not resolved yet.
    Somewhere,
    At(Box<Target>),
}

/// A resource that only a limited number of tasks may use at once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Gate {
    Here,
    Server(SocketAddr),
}

impl Gate {
    fn limit(self) -> usize {
        match self {
            Gate::Here => LOCAL_STARTS,
            Gate::Server(_) => CONNECTIONS_PER_SERVER,
        }
    }
}

impl Task {
    /// The gate it must pass. Resolving a name passes none.
    pub(super) fn gate(&self) -> Option<Gate> {
        match &self.place {
            Place::Here => Some(Gate::Here),
            Place::Somewhere => None,
            Place::At(target) => Some(Gate::Server(target.first_address())),
        }
    }
}

/// One task for each rank on this machine, and for each other one that has any.
pub(super) fn tasks(hosts: &Hosts, placement: &[usize]) -> VecDeque<Task> {
    let mut remote: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut tasks = VecDeque::new();
    for (rank, &host) in (0..).zip(placement) {
        if hosts[host].is_local() {
            tasks.push_back(Task { host, ranks: vec![rank], place: Place::Here });
        } else {
            remote.entry(host).or_default().push(rank);
        }
    }
    let far = remote.into_iter();
    // Other machines first: they take longer.
    far.rev().for_each(|(host, ranks)| {
        tasks.push_front(Task { host, ranks, place: Place::Somewhere });
    });
    tasks
}

/// The tasks that wait, and how many pass each gate now.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// A task was put back or a gate has room again.
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState {
    waiting: VecDeque<Task>,
    /// How many tasks were taken and may be put back.
    resolving: usize,
    inside: HashMap<Gate, usize>,
}

impl Queue {
    pub(super) fn new(waiting: VecDeque<Task>) -> Queue {
        let state = QueueState { waiting, resolving: 0, inside: HashMap::new() };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The first task that passes its gate, waiting for one if need be; none when all is done.
    pub(super) fn next(&self) -> Option<(Task, Permit<'_>)> {
        let mut state = self.lock();
        loop {
            if let Some(at) = state.waiting.iter().position(|task| state.has_room(task.gate())) {
                let task = state.waiting.remove(at)?;
                let gate = task.gate();
                state.enter(gate);
                return Some((task, Permit { queue: self, gate }));
            }
            if state.waiting.is_empty() && state.resolving == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a task back whose address is now known.
    pub(super) fn put_back(&self, task: Task) {
        self.lock().waiting.push_front(task);
        self.changed.notify_all();
    }

    /// The state is consistent after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn has_room(&self, gate: Option<Gate>) -> bool {
        gate.is_none_or(|gate| self.inside.get(&gate).is_none_or(|&inside| inside < gate.limit()))
    }

    fn enter(&mut self, gate: Option<Gate>) {
        match gate {
            Some(gate) => *self.inside.entry(gate).or_default() += 1,
            None => self.resolving += 1,
        }
    }

    fn leave(&mut self, gate: Option<Gate>) {
        match gate {
            Some(gate) => *self.inside.entry(gate).or_default() -= 1,
            None => self.resolving -= 1,
        }
    }
}

/// A task is inside its gate for as long as this lives.
pub(super) struct Permit<'a> {
    queue: &'a Queue,
    gate: Option<Gate>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.queue.lock().leave(self.gate);
        self.queue.changed.notify_all();
    }
}

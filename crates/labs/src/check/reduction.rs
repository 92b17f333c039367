//! Partial-order reduction: of steps that do not depend on each other, not every order is tried.
//!
//! **Which steps.** In a state, the search may follow the steps of some processes T alone, and leave those of the
//! others for later, if these steps are a *persistent set* (Godefroid, *Partial-order methods for the
//! verification of concurrent systems*, 1996, chapter 4): whatever the others do before T acts, no step becomes
//! possible in T that is not possible now. Steps of different processes commute: each changes one process,
//! takes from channels that end at it, and adds behind others to channels that begin at it. So the one thing
//! to exclude is a message that a process q outside sends into T in the meantime, unless one of q waits in that
//! channel already, for channels are FIFO. Where q can, it belongs to T too: so T grows from one process until it
//! is closed. Of all that begin with a process that can act, the one with the fewest steps is taken.
//!
//! **Who can send to whom** is learned. From the local steps that were seen, a graph of the sites of each
//! process is made; q *may send to p* from a site if a path of local steps leads from there to one that sends
//! to p, and on it nothing is received from T, but from those of T of whom something is under way to q. A site that
//! was not seen is taken for one that sends to nobody. So a search may assume too much. It keeps what it assumed;
//! when it is done, all local steps are known that it took, and if one contradicts an assumption, the search is done
//! again and knows better.
//!
//! **Why a search whose assumptions all hold leaves out nothing.** Suppose an execution w from a visited state s is not
//! covered: no path that the search took from s contains w, up to the order of steps that commute; and let w
//! be a shortest one. If w has no step of T, any step of T commutes with all of w; the search took
//! it, and the same is asked of the state after it. As the search found no cycle, that comes to an end. If w has
//! steps of T, take the first. If that is possible in s, it commutes to the front, the search took it, and the rest
//! of w is shorter. If not, it receives a message that some q outside sent in w before, as the last step of a part of w
//! that is shorter than w, and so covered: the search has seen all of q's local steps in it. Among them is none that
//! receives from T but what was in the channels. That path of q contradicts the assumption.
//!
//! **What is kept.** All ends, for a state is an end if and only if nothing is possible in it. All events,
//! with all that happened before each. Monitors judge by happened-before, and so their verdicts do not see in which of
//! the equivalent orders they were told; tests compare the verdicts with and without reduction, of every lab
//! and every mistake. Not kept are cycles; where the search finds one, everything is searched
//! without reduction.
//!
//! **Left out.** Nothing is reduced where channels are not FIFO, and where something may still be lost, doubled or
//! crash: all that shares one budget. Sleep sets and source sets (Abdulla and others, POPL 2014), which
//! need the whole path.

use std::sync::{Arc, Mutex, PoisonError};

use super::options::Channels;
use super::parts::{Map, Set, mix};
use super::space::{Ranks, Space};
use crate::process::Process;

/// How many tables are made; beyond that, it is left out that a process waits for others.
const TABLES_MAX: usize = 512;

/// What is known of who can send to whom.
#[derive(Default)]
pub(super) struct Knowledge {
    /// The sites of all processes, by rank and site, each with its place in the tables.
    places: Map<u64, u32>,
    /// Local steps between places: from where to where, from whom a message is received, to whom some are sent.
    steps: Vec<(u32, u32, Ranks, Ranks)>,
    /// By a set of processes: to whom one may send from each place, before it receives anything from these.
    tables: Mutex<Map<Ranks, Arc<[Ranks]>>>,
}

/// A local step, as far as it matters here: from which site to which, from whom a message is received, and to
/// whom some are sent.
type LocalStep = (u64, u64, Ranks, Ranks);

/// What one thread knows and assumes.
pub(super) struct Assumed {
    /// By rank: what is known and assumed of a site, by its number, and of those from whom nothing is received.
    known: Vec<Map<(u32, Ranks), Known>>,
    /// Those to whom it was assumed not to send, of sites that have no numbers any more.
    kept: Map<(u64, Ranks), Ranks>,
    /// The local steps that were seen.
    steps: Set<LocalStep>,
}

#[derive(Clone, Copy)]
struct Known {
    may_send: Ranks,
    /// Those to whom it was assumed not to send.
    never: Ranks,
}

impl Knowledge {
    /// Learns from all local steps that these threads have seen.
    pub(super) fn learned(threads: &[&Assumed]) -> Self {
        let mut places: Map<u64, u32> = Map::default();
        let mut place = |site| {
            let next = places.len() as u32;
            *places.entry(site).or_insert(next)
        };
        let steps = threads.iter().flat_map(|assumed| &assumed.steps);
        let mut steps: Vec<_> = steps
            .map(|&(before, after, answers, targets)| {
                (place(before), place(after), answers, targets)
            })
            .collect();
        steps.sort_unstable();
        steps.dedup();
        Self { places, steps, tables: Mutex::default() }
    }

    /// To whom a process may send from a site before it receives anything from these.
    fn may_send(&self, site: u64, before: Ranks) -> Ranks {
        self.places.get(&site).map_or(0, |&place| self.table(before)[place as usize])
    }

    fn table(&self, before: Ranks) -> Arc<[Ranks]> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if tables.len() < TABLES_MAX { before } else { 0 };
        Arc::clone(tables.entry(before).or_insert_with(|| self.new_table(before).into()))
    }

    fn new_table(&self, before: Ranks) -> Vec<Ranks> {
        let mut may_send = vec![0; self.places.len()];
        let mut is_stable = false;
        while !is_stable {
            is_stable = true;
            let steps = self.steps.iter().filter(|(_, _, from, _)| from & before == 0);
            for &(site, after, _, targets) in steps.rev() {
                let grown = may_send[site as usize] | targets | may_send[after as usize];
                is_stable &= grown == may_send[site as usize];
                may_send[site as usize] = grown;
            }
        }
        may_send
    }

    /// Whether nothing contradicts what a thread assumed.
    pub(super) fn allows(&self, assumed: &Assumed) -> bool {
        let mut kept = assumed.kept.iter();
        kept.all(|(&(site, before), never)| self.may_send(site, before) & never == 0)
    }
}

fn key(rank: usize, site: u64) -> u64 {
    mix(site, rank as u64)
}

/// What a state says of who can act, and who can send to whom.
struct Situation {
    /// Of each process, how many steps it can take.
    steps: Vec<u32>,
    /// Of each process, from whom something is under way to it.
    under_way: Vec<Ranks>,
    /// The processes that can act, and those that are alive.
    able: Ranks,
    alive: Ranks,
}

impl Situation {
    fn of<P: Process>(space: &Space<P>, state: &[u32]) -> Self {
        let n = space.processes();
        let mut under_way: Vec<Ranks> = vec![0; n];
        for pair in state[space.messages_at()..].chunks_exact(2) {
            let (from, to) = space.channel(pair[0]);
            under_way[to] |= 1 << from;
        }
        let (mut steps, mut able, mut alive) = (Vec::with_capacity(n), 0, 0);
        for (rank, senders) in under_way.iter().enumerate() {
            let about = space.about(state, rank);
            let can = senders.count_ones() + about.timers + u32::from(about.has_request);
            let can = if about.crashed { 0 } else { can };
            steps.push(can);
            able |= Ranks::from(can > 0) << rank;
            alive |= Ranks::from(!about.crashed) << rank;
        }
        Self { steps, under_way, able, alive }
    }

    /// Those of a set to whom nothing is under way from a process.
    fn waits_for(&self, set: Ranks, from: usize) -> Ranks {
        bits(set).filter(|&to| self.under_way[to] >> from & 1 == 0).map(|to| 1 << to).sum()
    }

    fn steps_of(&self, set: Ranks) -> u32 {
        bits(set).map(|rank| self.steps[rank]).sum()
    }
}

/// The ranks of a set.
fn bits(set: Ranks) -> impl Iterator<Item = usize> {
    (0..Ranks::BITS as usize).filter(move |rank| set >> rank & 1 == 1)
}

impl Assumed {
    pub(super) fn nothing(processes: usize) -> Self {
        Self { known: vec![Map::default(); processes], kept: Map::default(), steps: Set::default() }
    }

    /// Keeps what it saw and assumed of a space, whose numbers then mean nothing to it any more.
    pub(super) fn keep<P: Process>(&mut self, space: &Space<P>) {
        for local in &space.locals {
            let rank = local.rank as usize;
            let key = |site| key(rank, space.seats[rank].sites.hash(site));
            let from = local.from.map_or(0, |from| 1 << from.0);
            self.steps.insert((key(local.before), key(local.after), from, local.targets));
        }
        for (rank, known) in self.known.iter_mut().enumerate() {
            for ((site, before), Known { never, .. }) in known.drain() {
                let site = key(rank, space.seats[rank].sites.hash(site));
                *self.kept.entry((site, before)).or_default() |= never;
            }
        }
    }

    /// Some processes whose steps are enough in this state, if there are such that leave out others who can do
    /// something; those with the fewest steps.
    pub(super) fn enough<P: Process>(
        &mut self,
        space: &Space<P>,
        state: &[u32],
        knowledge: &Knowledge,
    ) -> Option<Ranks> {
        if !is_reducible(space, state) {
            return None;
        }
        let situation = Situation::of(space, state);
        let mut seeds: Vec<usize> = bits(situation.able).collect();
        seeds.sort_by_key(|&rank| situation.steps[rank]);
        let mut best: Option<(u32, Ranks)> = None;
        for seed in seeds {
            let set = self.closed(space, state, &situation, seed, knowledge);
            if situation.able & !set == 0 {
                continue;
            }
            let steps = situation.steps_of(set);
            if best.is_none_or(|(fewest, _)| steps < fewest) {
                best = Some((steps, set));
            }
            if set.is_power_of_two() {
                break;
            }
        }
        let (_, set) = best?;
        self.assume(space, state, &situation, set);
        Some(set)
    }

    /// The smallest set with this process into which nobody else can send before one of the set acts, but behind
    /// what is under way.
    fn closed<P: Process>(
        &mut self,
        space: &Space<P>,
        state: &[u32],
        situation: &Situation,
        seed: usize,
        knowledge: &Knowledge,
    ) -> Ranks {
        let mut set = 1 << seed;
        loop {
            let before = set;
            for q in bits(situation.alive & !set) {
                let receives_not = set & !situation.under_way[q];
                let site = space.site(state, q);
                let known = self.known[q].entry((site, receives_not)).or_insert_with(|| {
                    let site = key(q, space.seats[q].sites.hash(site));
                    Known { may_send: knowledge.may_send(site, receives_not), never: 0 }
                });
                let reaches = known.may_send & situation.waits_for(set, q);
                set |= Ranks::from(reaches != 0) << q;
            }
            if set == before || situation.able & !set == 0 {
                return set;
            }
        }
    }

    /// Remembers what it assumes who takes this set alone.
    fn assume<P: Process>(
        &mut self,
        space: &Space<P>,
        state: &[u32],
        situation: &Situation,
        set: Ranks,
    ) {
        for q in bits(situation.alive & !set) {
            let place = (space.site(state, q), set & !situation.under_way[q]);
            let known = self.known[q].get_mut(&place).expect("it was asked for the closed set");
            known.never |= situation.waits_for(set, q);
        }
    }
}

/// Whether nothing is possible any more that concerns all processes at once.
fn is_reducible<P: Process>(space: &Space<P>, state: &[u32]) -> bool {
    let options = &space.model.options;
    let (lost, doubled) = Space::<P>::faults(state);
    let dead = || (0..space.processes()).filter(|&rank| space.about(state, rank).crashed).count();
    options.channels == Channels::Fifo
        && lost == options.losses
        && doubled == options.duplicates
        && (options.crashes == 0 || dead() == options.crashes as usize)
}

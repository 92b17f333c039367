//! Partial-order reduction: of steps that do not depend on each other, not every order is tried.
//!
//! **Which steps.** In a state, the search may follow the steps of one process p alone, and leave those of the
//! others for later, if these steps are a *persistent set* (Godefroid, *Partial-order methods for the
//! verification of concurrent systems*, 1996, chapter 4): whatever the others do before p acts, no step becomes
//! possible at p that is not possible now. Steps of different processes commute: each changes one process,
//! takes from channels that end at it, and adds behind others to channels that begin at it. So the one thing
//! to exclude is a message that another process q sends to p in the meantime, unless one of q waits in the
//! channel already, for channels are FIFO.
//!
//! **Who can send to whom** is learned. From the local steps that were seen, a graph of the sites of each
//! process is made; q *may send to p* from a site if a path of local steps leads from there to one that sends
//! to p, and on it nothing is received from p, unless it is in the channel already. A site that was not seen is
//! taken for one that sends to nobody. So a search may assume too much. It keeps what it assumed; when it is
//! done, all local steps are known that it took, and if one contradicts an assumption, the search is done
//! again and knows better.
//!
//! **Why a search whose assumptions all hold leaves out nothing.** Suppose an execution w from a visited state s is not
//! covered: no path that the search took from s contains w, up to the order of steps that commute; and let w
//! be a shortest one. If w has no step of the chosen process p, any step of p commutes with all of w; the search took
//! it, and the same is asked of the state after it. As the search found no cycle, that comes to an end. If w has a
//! step of p, take its first. If that is possible in s, it commutes to the front, the search took it, and the rest
//! of w is shorter. If not, it receives a message that some q sent in w before, as the last step of a part of w
//! that is shorter than w, and so covered: the search has seen all of q's local steps in it. Among them is none that receives
//! from p but what was in the channel. That path of q contradicts the assumption.
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

use super::options::Channels;
use super::parts::{Map, Set, mix};
use super::space::Space;
use crate::process::Process;

/// The processes that a process may send to from a site, one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct MaySend {
    /// Those to which it may send before it receives anything from them.
    unasked: u32,
    /// Those to which it may send at all.
    ever: u32,
}

/// What is known of who can send to whom: by rank and site.
#[derive(Default)]
pub(super) struct Knowledge(Map<u64, MaySend>);

/// A local step, as far as it matters here: from which site to which, from whom a message is received, and to
/// whom some are sent, one bit each.
type LocalStep = (u64, u64, u32, u32);

/// What one thread knows and assumes.
pub(super) struct Assumed {
    /// By rank and by the number of the site.
    known: Vec<Vec<Option<MaySend>>>,
    /// The processes to which it was assumed not to send, the same.
    never: Vec<Vec<MaySend>>,
    /// What was assumed of sites that have no numbers any more.
    kept: Map<u64, MaySend>,
    /// The local steps that were seen.
    steps: Set<LocalStep>,
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
        let mut may_send = vec![MaySend::default(); places.len()];
        let mut is_stable = false;
        while !is_stable {
            is_stable = true;
            for &(before, after, answers, targets) in steps.iter().rev() {
                let (now, later) = (may_send[before as usize], may_send[after as usize]);
                let grown = MaySend {
                    unasked: now.unasked | (targets | later.unasked) & !answers,
                    ever: now.ever | targets | later.ever,
                };
                is_stable &= grown == now;
                may_send[before as usize] = grown;
            }
        }
        Self(places.into_iter().map(|(site, place)| (site, may_send[place as usize])).collect())
    }

    fn of(&self, key: u64) -> MaySend {
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// Whether nothing contradicts what a thread assumed.
    pub(super) fn allows(&self, assumed: &Assumed) -> bool {
        assumed.kept.iter().all(|(&site, never)| {
            let known = self.of(site);
            known.unasked & never.unasked == 0 && known.ever & never.ever == 0
        })
    }
}

fn key(rank: usize, site: u64) -> u64 {
    mix(site, rank as u64)
}

impl Assumed {
    pub(super) fn nothing(processes: usize) -> Self {
        Self {
            known: vec![Vec::new(); processes],
            never: vec![Vec::new(); processes],
            kept: Map::default(),
            steps: Set::default(),
        }
    }

    /// Keeps what it saw and assumed of a space, whose numbers then mean nothing to it any more.
    pub(super) fn keep<P: Process>(&mut self, space: &Space<P>) {
        for local in &space.locals {
            let rank = local.rank as usize;
            let key = |site| key(rank, space.seats[rank].sites.hash(site));
            let answers = local.from.map_or(0, |from| 1 << from.0);
            self.steps.insert((key(local.before), key(local.after), answers, local.targets));
        }
        for (rank, sites) in self.never.iter_mut().enumerate() {
            for (site, never) in sites.drain(..).enumerate() {
                let site = key(rank, space.seats[rank].sites.hash(site as u32));
                let kept = self.kept.entry(site).or_default();
                kept.unasked |= never.unasked;
                kept.ever |= never.ever;
            }
        }
        self.known.iter_mut().for_each(Vec::clear);
    }

    /// A process whose steps are enough in this state, if there is one and it is not the only one that can
    /// do something.
    pub(super) fn enough<P: Process>(
        &mut self,
        space: &Space<P>,
        state: &[u32],
        knowledge: &Knowledge,
    ) -> Option<usize> {
        if !is_reducible(space, state) {
            return None;
        }
        let n = space.processes();
        // Of each process, from whom something is under way to it.
        let mut under_way = [0_u32; u32::BITS as usize];
        for pair in state[space.messages_at()..].chunks_exact(2) {
            let (from, to) = space.channel(pair[0]);
            under_way[to] |= 1 << from;
        }
        let steps = |rank: usize| {
            let about = space.about(state, rank);
            let steps = under_way[rank].count_ones() + about.timers + u32::from(about.has_request);
            if about.crashed { 0 } else { steps }
        };
        let mut able: Vec<(u32, usize)> =
            (0..n).map(|rank| (steps(rank), rank)).filter(|(steps, _)| *steps > 0).collect();
        if able.len() < 2 {
            return None;
        }
        able.sort_unstable();
        let ranks = able.into_iter().map(|(_, rank)| rank);
        ranks
            .into_iter()
            .find(|&rank| self.is_persistent(space, state, rank, &under_way, knowledge))
    }

    /// Whether nobody can send to `p` before it acts, but behind what is under way; and remembers what that
    /// assumes.
    fn is_persistent<P: Process>(
        &mut self,
        space: &Space<P>,
        state: &[u32],
        p: usize,
        under_way: &[u32],
        knowledge: &Knowledge,
    ) -> bool {
        let others = || {
            (0..space.processes())
                .filter(|&q| q != p && under_way[p] >> q & 1 == 0 && !space.about(state, q).crashed)
        };
        let is_asked = |q: usize| under_way[q] >> p & 1 == 1;
        for q in others() {
            let may_send = self.may_send(space, q, space.site(state, q), knowledge);
            let to = if is_asked(q) { may_send.ever } else { may_send.unasked };
            if to >> p & 1 == 1 {
                return false;
            }
        }
        for q in others() {
            let never = &mut self.never[q];
            let site = space.site(state, q) as usize;
            if never.len() <= site {
                never.resize(site + 1, MaySend::default());
            }
            match is_asked(q) {
                true => never[site].ever |= 1 << p,
                false => never[site].unasked |= 1 << p,
            }
        }
        true
    }

    fn may_send<P: Process>(
        &mut self,
        space: &Space<P>,
        rank: usize,
        site: u32,
        knowledge: &Knowledge,
    ) -> MaySend {
        let known = &mut self.known[rank];
        let place = site as usize;
        if known.len() <= place {
            known.resize(place + 1, None);
        }
        *known[place]
            .get_or_insert_with(|| knowledge.of(key(rank, space.seats[rank].sites.hash(site))))
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

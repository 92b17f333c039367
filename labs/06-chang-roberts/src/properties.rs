//! What is demanded of an election and a numbering, and of no other algorithm.

mod known_first;

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

pub use self::known_first::KnownFirst;
use crate::election::Elect;
use crate::numbering::Indication;

/// The kind of the message that carries ranks.
const NUMBER: &str = "NUMBER";

/// Exactly one leader, agreed by all: one process says that it leads, once; all that say who leads name the
/// same identity.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct OneLeader {
    /// The process that leads, and its identity.
    leader: Option<(Witness, u64)>,
    /// The process that named a leader first, and which one.
    named: Option<(Witness, u64)>,
}

impl OneLeader {
    fn on_won(&mut self, at: Witness, identity: u64) -> Check {
        let Some((first, other)) = self.leader else {
            self.leader = Some((at, identity));
            return Ok(());
        };
        let what = match first.process == at.process {
            true => format!("{} says twice that it leads", at.process),
            false => format!(
                "{} leads with identity {identity}, and {} leads with identity {other}",
                at.process, first.process
            ),
        };
        Violation::check(what, [first, at])
    }

    fn on_elected(&mut self, at: Witness, identity: u64) -> Check {
        let (first, other) = *self.named.get_or_insert((at, identity));
        if other == identity {
            return Ok(());
        }
        let what = format!(
            "to {} the leader is {identity}, and to {} it is {other}",
            at.process, first.process
        );
        Violation::check(what, [first, at])
    }
}

impl Watch<Indication> for OneLeader {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            Indication::Won(identity) => self.on_won(at, identity),
            Indication::Elected(identity) => self.on_elected(at, identity),
            _ => Ok(()),
        }
    }

    fn at_end(&self, end: &End) -> Judgement {
        let Some((leader, identity)) = self.leader else {
            return Judgement::not_yet(end, "nobody leads".to_owned());
        };
        match self.named {
            Some((first, other)) if other != identity => Judgement::violated(format!(
                "{} leads with identity {identity}, and to {} the leader is {other}",
                leader.process, first.process
            )),
            _ => Judgement::Holds(format!("{} with identity {identity}", leader.process)),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.leader.is_some()
    }
}

/// The right one leads: the process with the greatest identity of all initiators, or the smallest, and no
/// other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RightLeader {
    elect: Elect,
    process: ProcessId,
    identity: u64,
    leads: bool,
}

impl RightLeader {
    /// Watches that of these initiators the right one leads. Each is given with its identity.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn new(elect: Elect, initiators: impl Iterator<Item = (u64, ProcessId)>) -> Self {
        let right = match elect {
            Elect::Max => initiators.max(),
            Elect::Min => initiators.min(),
        };
        let (identity, process) = right.expect("at least one process initiates");
        Self { elect, process, identity, leads: false }
    }
}

/// The word for it. The oracle has words of its own: what the algorithm takes for the greatest is what is judged.
pub fn which(elect: Elect) -> &'static str {
    match elect {
        Elect::Max => "greatest",
        Elect::Min => "smallest",
    }
}

impl Watch<Indication> for RightLeader {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let Indication::Won(identity) = *indication else { return Ok(()) };
        if (at.process, identity) == (self.process, self.identity) {
            self.leads = true;
            return Ok(());
        }
        let what = format!(
            "{} leads with identity {identity}, and {} has {}, the {} of all initiators",
            at.process,
            self.process,
            self.identity,
            which(self.elect)
        );
        Violation::check(what, [at])
    }

    fn at_end(&self, end: &End) -> Judgement {
        let (process, identity) = (self.process, self.identity);
        match self.leads {
            true => Judgement::Holds(format!("{identity}, of {process}")),
            false => {
                Judgement::not_yet(end, format!("{process} with identity {identity} does not lead"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.leads
    }
}

/// Ranks 0 to N−1 in ring order, without gap or repeat.
///
/// Ring order is the order in which NUMBER goes round: a process that receives it takes the rank behind
/// that of its sender, and one process, which had received none, takes 0.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Ranks {
    /// The process that sent the message to each process.
    predecessor: Vec<Option<ProcessId>>,
    rank: Vec<Option<u64>>,
    /// The process with rank 0.
    first: Option<ProcessId>,
}

impl Ranks {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        let n = processes as usize;
        Self { predecessor: vec![None; n], rank: vec![None; n], first: None }
    }

    /// What is wrong with this rank of this process, if anything is.
    fn mistake(&self, process: ProcessId, rank: u64) -> Option<String> {
        if let Some(before) = self.rank[process.index()] {
            return Some(format!("{process} takes rank {rank}, and has {before} already"));
        }
        match (self.predecessor[process.index()], self.first) {
            (Some(sender), _) => {
                let before = self.rank[sender.index()];
                let follows = before.and_then(|before| before.checked_add(1)) == Some(rank);
                let before = before.map_or("no rank".to_owned(), |before| format!("rank {before}"));
                (!follows).then(|| {
                    format!("{process} takes rank {rank}, and {sender} in front of it has {before}")
                })
            }
            (None, Some(first)) => {
                Some(format!("{process} begins with rank {rank}, and {first} began"))
            }
            (None, None) => {
                (rank != 0).then(|| format!("{process} begins with rank {rank}, not 0"))
            }
        }
    }
}

impl Watch<Indication> for Ranks {
    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        if message.kind() == NUMBER {
            self.predecessor[to.process.index()].get_or_insert(from);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let Indication::Numbered(rank) = *indication else { return Ok(()) };
        if let Some(what) = self.mistake(at.process, rank) {
            return Violation::check(what, [at]);
        }
        self.rank[at.process.index()] = Some(rank);
        if rank == 0 {
            self.first = Some(at.process);
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let unranked = (0..).zip(&self.rank).find(|(_, rank)| rank.is_none());
        if let Some((rank, _)) = unranked {
            return Judgement::not_yet(end, format!("{} has no rank", ProcessId(rank)));
        }
        let first = self.first.map_or(String::new(), |first| format!("0 is {first}, "));
        Judgement::Holds(format!("{first}and {} is the last", self.rank.len() - 1))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.first.is_some()
    }
}

/// The count is N: one process says how many processes there are, once, and is right.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TrueCount {
    processes: u32,
    /// The process that counted.
    by: Option<ProcessId>,
}

impl TrueCount {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { processes, by: None }
    }
}

impl Watch<Indication> for TrueCount {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let Indication::Counted(count) = *indication else { return Ok(()) };
        let (process, n) = (at.process, self.processes);
        let what = match self.by.replace(process) {
            Some(before) => format!("{process} counts, and {before} counted before"),
            None if count == u64::from(n) => return Ok(()),
            None => format!("{process} counts {count} processes of {n}"),
        };
        Violation::check(what, [at])
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.by {
            Some(process) => Judgement::Holds(format!("{process} counted {}", self.processes)),
            None => Judgement::not_yet(end, "nobody counted".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.by.is_some()
    }
}

#[cfg(test)]
mod tests;

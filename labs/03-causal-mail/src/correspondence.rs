//! Who writes to whom, and on reading what: the plan of one run.
//!
//! A plan is made before the run, so that everyone knows when it is done, and so that the number of
//! messages can be predicted. Servers have the first ranks, users the others: user *u* of *s*
//! servers lives with server *u* mod *s*.

use std::collections::BTreeSet;

use labs::process::{ProcessId, split_mix};
use serde::{Deserialize, Serialize};

/// One mail of the plan. Its number is its place in the plan.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Planned {
    /// Who writes it.
    pub from: ProcessId,
    /// Whom it is for.
    pub to: BTreeSet<ProcessId>,
    /// Its writer writes it on reading this mail; without one, right at the start.
    pub after: Option<u32>,
}

/// A plan.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Correspondence {
    /// How many processes are servers: the first.
    pub servers: u32,
    /// How many are users: those after them.
    pub users: u32,
    /// The mails, by their numbers.
    pub mails: Vec<Planned>,
}

/// How a plan is drawn.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Traffic {
    /// See [`Correspondence::triangle`].
    Triangle,
    /// See [`Correspondence::random`].
    Random {
        /// How many mails each user writes of its own accord.
        mails: u32,
        /// How many answers follow each of these.
        answers: u32,
    },
}

impl Traffic {
    /// A plan for so many servers and users.
    pub fn plan(self, servers: u32, users: u32, seed: u64) -> Correspondence {
        match self {
            Self::Triangle => Correspondence::triangle(servers, users),
            Self::Random { mails, answers } => {
                Correspondence::random(servers, users, mails, answers, seed)
            }
        }
    }
}

/// How many recipients a random mail has at the most.
const RECIPIENTS_MAX: u64 = 3;

impl Correspondence {
    /// The three correspondents: the first user writes to the third and then to the second, who
    /// answers to the third.
    pub fn triangle(servers: u32, users: u32) -> Self {
        let user = |u| ProcessId(servers + u);
        let planned = |from, to, after| Planned { from, to: [to].into(), after };
        let mails = vec![
            planned(user(0), user(2), None),
            planned(user(0), user(1), None),
            planned(user(1), user(2), Some(1)),
        ];
        Self { servers, users, mails }
    }

    /// Each user writes so many mails to some others, chosen at random; one of those who read a
    /// mail writes the next of its chain, which has so many mails after the first.
    pub fn random(servers: u32, users: u32, mails: u32, answers: u32, seed: u64) -> Self {
        let mut random = seed;
        let mut below = |n: u64| split_mix(&mut random) % n;
        let mut plan = Self { servers, users, mails: Vec::new() };
        for first in 0..users {
            for _ in 0..mails {
                let mut from = ProcessId(servers + first);
                let mut after = None;
                for _ in 0..=answers {
                    let mut to = BTreeSet::new();
                    for _ in 0..=below(RECIPIENTS_MAX) {
                        let other = ProcessId(servers + below(u64::from(users)) as u32);
                        to.extend((other != from).then_some(other));
                    }
                    if to.is_empty() {
                        let next = (from.0 - servers + 1) % users;
                        to.insert(ProcessId(servers + next));
                    }
                    let reader = to.iter().nth(below(to.len() as u64) as usize).copied();
                    plan.mails.push(Planned { from, to, after });
                    after = Some(plan.mails.len() as u32 - 1);
                    from = reader.unwrap_or(from);
                }
            }
        }
        plan
    }

    /// Whether the process is a server.
    pub fn is_server(&self, process: ProcessId) -> bool {
        process.0 < self.servers
    }

    /// The server of a user.
    pub fn home(&self, user: ProcessId) -> ProcessId {
        home(self.servers, user)
    }

    /// The servers that a mail must be forwarded to.
    pub fn forwards(&self, mail: &Planned) -> BTreeSet<ProcessId> {
        let own = self.home(mail.from);
        mail.to.iter().map(|&user| self.home(user)).filter(|&server| server != own).collect()
    }
}

/// The server of a user, among so many.
pub fn home(servers: u32, user: ProcessId) -> ProcessId {
    ProcessId((user.0 - servers) % servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_plan_has_chains_of_mails_to_others() {
        let plan = Correspondence::random(3, 6, 2, 2, 7);
        assert_eq!(plan.mails.len(), 6 * 2 * 3);
        assert_eq!(plan, Correspondence::random(3, 6, 2, 2, 7));
        assert_ne!(plan, Correspondence::random(3, 6, 2, 2, 8));
        for (number, mail) in (0..).zip(&plan.mails) {
            assert!(!mail.to.is_empty() && !mail.to.contains(&mail.from), "{mail:?}");
            assert!(mail.to.iter().all(|user| !plan.is_server(*user) && user.0 < 9), "{mail:?}");
            if let Some(after) = mail.after {
                assert!(after < number && plan.mails[after as usize].to.contains(&mail.from));
            }
        }
    }

    #[test]
    fn two_users_write_to_each_other() {
        let plan = Correspondence::random(1, 2, 1, 3, 1);
        assert!(plan.mails.iter().all(|mail| mail.to.len() == 1 && !mail.to.contains(&mail.from)));
    }
}

//! Everyone knows the leader before the first takes a rank.
//!
//! In every order that respects causality all have said who leads before somebody says its rank: if one order
//! shows it otherwise, the numbering did not wait.

use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

use crate::numbering::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KnownFirst {
    /// Of each process whether it knows who leads.
    knows: Vec<bool>,
    /// How many do not know it: nobody counts a million processes at each event.
    ignorant: u32,
}

impl KnownFirst {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { knows: vec![false; processes as usize], ignorant: processes }
    }
}

impl Watch<Indication> for KnownFirst {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match indication {
            Indication::Elected(_) => {
                let knows = &mut self.knows[at.process.index()];
                self.ignorant -= u32::from(!*knows);
                *knows = true;
            }
            Indication::Numbered(rank) if self.ignorant > 0 => {
                if let Some(ignorant) = self.knows.iter().position(|knows| !knows) {
                    let process = at.process;
                    let what = format!(
                        "{process} takes rank {rank}, and p{ignorant} does not know the leader"
                    );
                    return Violation::check(what, [at]);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        matches!(kind, "Elected" | "Numbered")
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.ignorant {
            0 => Judgement::Holds(format!("{} knew it", self.knows.len())),
            _ => Judgement::not_yet(end, "not all know the leader".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        (self.ignorant as usize) < self.knows.len()
    }
}

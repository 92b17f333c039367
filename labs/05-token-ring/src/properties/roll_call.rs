//! The roll call names all: once, by one process, as many names as there are processes, no two the same.
//!
//! What the names are is not judged: in a real run they are machines and process ids.

use std::collections::BTreeSet;

use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

use crate::token_ring::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RollCall {
    processes: u32,
    is_called: bool,
}

impl RollCall {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { processes, is_called: false }
    }
}

impl Watch<Indication> for RollCall {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let Indication::RollCall(names) = indication else { return Ok(()) };
        let different: BTreeSet<_> = names.iter().collect();
        let (process, n) = (at.process, self.processes);
        let what = if self.is_called {
            format!("{process} calls the roll, and it was called before")
        } else if names.len() != n as usize {
            format!("{process} calls {} names, and there are {n} processes", names.len())
        } else if different.len() != names.len() {
            format!("{process} calls a name twice: {}", names.join(", "))
        } else {
            self.is_called = true;
            return Ok(());
        };
        Violation::check(what, [at])
    }

    fn reads(&self, kind: &str) -> bool {
        kind == "RollCall"
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.is_called {
            true => Judgement::Holds(format!("{} names, each once", self.processes)),
            false => Judgement::not_yet(end, "the roll was not called".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.is_called
    }
}

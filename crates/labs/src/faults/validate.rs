//! Whether a plan can be carried out at all, so that an impossible one is refused before anything starts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Channels, Fault, Plan, PlanError, Rule, Timed, When};
use crate::process::ProcessId;

impl Plan {
    /// Refuses what cannot be, among so many processes.
    ///
    /// # Errors
    ///
    /// Names the rule, and says what is wrong with it.
    pub fn validate(&self, processes: u32) -> Result<(), PlanError> {
        for rule in &self.rules {
            let error = |why| PlanError { rule: rule.to_string(), why };
            rule.validate(processes).map_err(error)?;
        }
        let mut lives: BTreeMap<ProcessId, Vec<Timed>> = BTreeMap::new();
        for timed in self.timed() {
            lives.entry(timed.process).or_default().push(timed);
        }
        lives.iter().try_for_each(|(process, life)| self.validate_life(*process, life))
    }

    /// Refuses a rule that waits for a message that there is not, where these are the kinds of all.
    ///
    /// # Errors
    ///
    /// Names the rule, and the kinds that there are.
    pub(crate) fn validate_kinds(&self, kinds: &BTreeSet<&'static str>) -> Result<(), PlanError> {
        let awaited = |rule: &Rule| match &rule.when {
            When::After(_, kind) if !kinds.contains(kind.as_str()) => Some(kind.clone()),
            _ => None,
        };
        let unknown = self.rules.iter().find_map(|rule| Some((rule, awaited(rule)?)));
        let Some((rule, kind)) = unknown else { return Ok(()) };
        let known: Vec<_> = kinds.iter().copied().collect();
        let why = format!("no message is of kind {kind}: there are {}", known.join(", "));
        Err(PlanError { rule: rule.to_string(), why })
    }

    /// The life of one process: it is stopped when it runs, continued when it is stopped, killed when it lives,
    /// and started again when it is dead.
    fn validate_life(&self, process: ProcessId, life: &[Timed]) -> Result<(), PlanError> {
        // What happens after a number of messages may happen at any time.
        let triggers = self.triggers(process, &[]);
        let (may_stop, may_die) = (triggers.may(Action::Stop), triggers.may(Action::Kill));
        let mut is_stopped = false;
        let mut is_dead = false;
        for timed in life {
            let why = match timed.action {
                Action::Restart if is_dead || may_die => "",
                Action::Restart => "it is not dead then: kill it first",
                _ if is_dead => "it is dead by then",
                Action::Stop if is_stopped => "it is stopped already: continue it first",
                Action::Continue if !is_stopped && !may_stop => "it is not stopped then",
                _ => "",
            };
            if !why.is_empty() {
                let rule = self.rules[timed.rule].to_string();
                return Err(PlanError { rule, why: why.to_owned() });
            }
            is_stopped = timed.action == Action::Stop;
            is_dead = timed.action == Action::Kill;
        }
        Ok(())
    }
}

impl Rule {
    fn validate(&self, processes: u32) -> Result<(), String> {
        check_named(&self.fault.named(), processes)?;
        match (&self.fault, &self.when) {
            (Fault::Partition(sides), _) => validate_sides(sides),
            (Fault::Process(Action::Continue, _), When::After(..)) => {
                Err("a stopped process counts nothing: say at which time".to_owned())
            }
            (Fault::Process(Action::Restart, _), When::After(..)) => {
                Err("a dead process counts nothing: say at which time".to_owned())
            }
            (Fault::Process(Action::Restart, _), When::Always) => {
                Err("say at which time: `at 5s`".to_owned())
            }
            (
                Fault::Process(Action::Kill | Action::Continue | Action::Restart, _),
                When::Between(..),
            ) => Err("that happens at one time: write `at`".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Fault {
    /// The processes that stand in the rule.
    fn named(&self) -> Vec<ProcessId> {
        match self {
            Self::Delay(channels, _)
            | Self::Drop(channels, _)
            | Self::Duplicate(channels, _)
            | Self::Reorder(channels, _) => channels.named(),
            Self::Partition(sides) => sides.iter().flatten().copied().collect(),
            Self::Process(_, process) => vec![*process],
        }
    }
}

impl Channels {
    /// Refuses processes that there are not, among so many.
    pub(crate) fn validate(&self, processes: u32) -> Result<(), String> {
        check_named(&self.named(), processes)
    }

    fn named(&self) -> Vec<ProcessId> {
        [&self.from, &self.to].into_iter().flatten().flatten().copied().collect()
    }
}

/// Refuses a process that there is not, among so many.
fn check_named(named: &[ProcessId], processes: u32) -> Result<(), String> {
    let last = processes.saturating_sub(1);
    match named.iter().find(|process| process.0 >= processes) {
        Some(process) => Err(format!("there is no {process}: processes are numbered 0 to {last}")),
        None => Ok(()),
    }
}

fn validate_sides(sides: &[BTreeSet<ProcessId>]) -> Result<(), String> {
    if sides.len() < 2 {
        return Err("a partition has two sides or more: 0,1|2,3".to_owned());
    }
    let mut seen = BTreeSet::new();
    match sides.iter().flatten().find(|&&process| !seen.insert(process)) {
        Some(process) => Err(format!("{process} is on two sides")),
        None => Ok(()),
    }
}

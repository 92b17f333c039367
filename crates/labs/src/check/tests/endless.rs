//! Runs without end.

use serde::{Deserialize, Serialize};

use crate::check::{Options, Outcome, check};
use crate::process::{Context, Kind, Process, ProcessId};
use crate::verdict::{Property, Verdict};

/// p0 serves the others, who ask once and ask again when they are told to wait.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Office {
    fault: Fault,
    /// Who was the first to ask.
    first: Option<ProcessId>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Fault {
    None,
    /// Whoever is first and is p2 waits for ever.
    PutsOff,
    /// p2 waits until p1 was there.
    PutsOffAtFirst,
    /// Whoever was served asks again.
    Insatiable,
    /// The same, and p2 is never served.
    InsatiableAndPutsOff,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Word {
    Ask,
    Wait,
    Serve,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Told {
    Asked,
    Served,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Never {}

impl Office {
    fn puts_off(&self, who: ProcessId) -> bool {
        let is_first = self.first == Some(who);
        match self.fault {
            Fault::None | Fault::Insatiable => false,
            Fault::PutsOff | Fault::PutsOffAtFirst => who.0 == 2 && is_first,
            Fault::InsatiableAndPutsOff => who.0 == 2,
        }
    }

    fn ask(ctx: &mut Context<Self>) {
        ctx.indicate(Told::Asked);
        ctx.send(ProcessId(0), Word::Ask);
    }
}

impl Process for Office {
    type Request = Never;
    type Indication = Told;
    type Message = Word;
    type Timer = ();

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if ctx.me().0 > 0 {
            Self::ask(ctx);
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, word: Word) {
        match word {
            Word::Ask => {
                self.first.get_or_insert(from);
                if self.puts_off(from) {
                    ctx.send(from, Word::Wait);
                } else {
                    if self.fault == Fault::PutsOffAtFirst {
                        self.first = Some(from);
                    }
                    ctx.send(from, Word::Serve);
                }
            }
            Word::Wait => ctx.send(ProcessId(0), Word::Ask),
            Word::Serve => {
                ctx.indicate(Told::Served);
                if matches!(self.fault, Fault::Insatiable | Fault::InsatiableAndPutsOff) {
                    Self::ask(ctx);
                }
            }
        }
    }
}

fn checked(fault: Fault, reduction: bool) -> Outcome<Office> {
    let offices = vec![Office { fault, first: None }; 3];
    let served = Property::responds("everyone is served", "Asked", "Served");
    let options = Options { reduction, ..Options::default() };
    check(offices, Vec::new(), &[served], &options, |_| ())
}

fn only(outcome: &Outcome<Office>) -> &Verdict {
    &outcome.verdicts[0]
}

/// The way in and the way round.
fn lasso(outcome: &Outcome<Office>) -> (Vec<&str>, Vec<&str>) {
    let found = outcome.counterexample.as_ref().unwrap();
    let steps: Vec<_> = found.steps.iter().map(String::as_str).collect();
    let (way, round) = steps.split_at(found.cycle_from.unwrap());
    (way.to_vec(), round.to_vec())
}

#[test]
fn a_livelock_is_found_although_other_orders_end() {
    for reduction in [false, true] {
        let outcome = checked(Fault::PutsOff, reduction);
        assert_eq!(outcome.holds(), Some(false), "{:?}", outcome.verdicts);
        let (way, round) = lasso(&outcome);
        // p1's turn comes before: otherwise it would be kept waiting by an unfair scheduler.
        assert_eq!(way, ["p2 → p0 Ask", "p1 → p0 Ask", "p0 → p1 Serve"]);
        assert!(round.contains(&"p0 → p2 Wait") && round.contains(&"p2 → p0 Ask"), "{round:?}");
        let detail = only(&outcome).detail();
        assert!(detail.starts_with("p1 waits") || detail.starts_with("p2 waits"), "{detail}");
        assert!(detail.contains("no order leads to an end from there"), "{detail}");
    }
}

/// p1's message is put off for ever only by an unfair scheduler.
#[test]
fn a_run_without_end_that_is_unfair_breaks_nothing() {
    let outcome = checked(Fault::PutsOffAtFirst, false);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    let detail = only(&outcome).detail();
    assert!(detail.contains("where a run goes on for ever"), "{detail}");
}

#[test]
fn everyone_may_ask_for_ever_if_everyone_is_served() {
    let outcome = checked(Fault::Insatiable, true);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
}

#[test]
fn one_who_is_never_served_among_others_who_are_is_found() {
    let outcome = checked(Fault::InsatiableAndPutsOff, true);
    assert_eq!(outcome.holds(), Some(false), "{:?}", outcome.verdicts);
    let (_, round) = lasso(&outcome);
    // p1 gets its turn on the way round.
    assert!(round.contains(&"p0 → p1 Serve") && round.contains(&"p0 → p2 Wait"), "{round:?}");
}

#[test]
fn where_runs_end_all_is_as_ever() {
    let outcome = checked(Fault::None, false);
    assert_eq!(only(&outcome).detail(), format!("at each of 2 ends, in {} states", outcome.states));
}

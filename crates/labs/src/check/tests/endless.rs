//! Runs without end.

use serde::{Deserialize, Serialize};

use crate::check::{Options, Outcome, check};
use crate::process::{Context, Kind, Process, ProcessId};
use crate::replay::{Luck, Replay, Replayed as _, Round, Step};
use crate::testing::FileInMemory;
use crate::trace::format::Reader;
use crate::trace::{CycleFrom, Header, Identity, Meaning, TraceEvent, What};
use crate::verdict::{CycleError, CycleJudge, Property, StreamJudge, Verdict};

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
    /// p0 panics when it is asked.
    Panics,
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
            Fault::Panics => panic!("{who} is too many"),
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

fn offices(fault: Fault) -> Vec<Office> {
    vec![Office { fault, first: None }; 3]
}

fn served() -> Property {
    Property::responds("everyone is served", "Asked", "Served")
}

fn checked(fault: Fault, reduction: bool) -> Outcome<Office> {
    let (offices, served) = (offices(fault), served());
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

// Beside another violation.

/// A property that the first run breaks in which somebody is served.
fn with_violation(fault: Fault, states: usize, reduction: bool) -> Outcome<Office> {
    let properties = [Property::never("nobody is served", "Served"), served()];
    let options = Options { reduction, states, ..Options::default() };
    check(offices(fault), Vec::new(), &properties, &options, |_| ())
}

#[test]
fn a_livelock_is_found_beside_a_violated_safety_property() {
    for reduction in [false, true] {
        let outcome = with_violation(Fault::PutsOff, usize::MAX, reduction);
        let found = outcome.counterexample.as_ref().unwrap();
        assert_eq!((&*found.property, found.cycle_from), ("nobody is served", None));
        let [also] = &outcome.also[..] else { panic!("{:?}", outcome.also) };
        assert_eq!(also.property, "everyone is served");
        assert_eq!(also.steps.len() - also.cycle_from.unwrap(), 2);
        let verdict = &outcome.verdicts[1];
        assert!(verdict.is_violated() && verdict.detail().contains("for ever"), "{verdict:?}");
    }
}

#[test]
fn what_holds_beside_a_violated_property_is_said_to_hold() {
    for (fault, holds) in [(Fault::None, "at each of"), (Fault::Insatiable, "for ever")] {
        let outcome = with_violation(fault, usize::MAX, true);
        let verdict = &outcome.verdicts[1];
        assert_eq!(verdict.holds(), Some(true), "{verdict:?}");
        assert!(verdict.detail().contains(holds) && outcome.also.is_empty(), "{verdict:?}");
    }
}

#[test]
fn a_search_beside_a_violation_has_the_limits_of_the_first() {
    let outcome = with_violation(Fault::PutsOff, 6, false);
    assert!(outcome.verdicts[0].is_violated());
    assert_eq!(outcome.verdicts[1].holds(), None);
    let detail = outcome.verdicts[1].detail();
    assert!(detail.ends_with("and there are more (the search ended after 6 states)"), "{detail}");
}

/// After a handler that went wrong nothing is judged.
#[test]
fn nothing_is_searched_after_a_handler_that_went_wrong() {
    let options = Options::default();
    let outcome = check(offices(Fault::Panics), Vec::new(), &[served()], &options, |_| ());
    assert_eq!(outcome.counterexample.unwrap().property, "no panic");
    assert_eq!((outcome.verdicts[0].holds(), outcome.also.len()), (None, 0));
}

// Traces of runs without end.

/// The counterexample as it stands in a file.
fn file(fault: Fault) -> Vec<u8> {
    let identity = Identity {
        lab: "office".to_owned(),
        verb: "check".to_owned(),
        run: "checked-3".to_owned(),
        processes: 3,
        seed: 0,
    };
    let header = Header::new(identity, Vec::new(), vec![served()], Meaning::default());
    let file = FileInMemory::default();
    let found = checked(fault, true).counterexample.unwrap();
    found.save(&header, Box::new(file.clone())).unwrap();
    file.take()
}

/// The header and the events of the counterexample.
fn written(fault: Fault) -> (Header, Vec<TraceEvent>) {
    let file = file(fault);
    let mut reader = Reader::new(&file[..]).unwrap();
    let header = reader.header().clone();
    (header, reader.by_ref().collect::<Result<_, _>>().unwrap())
}

/// What the file alone says of the property.
fn judged(cycle: CycleFrom, events: &[TraceEvent]) -> Result<Verdict, CycleError> {
    let mut judge = StreamJudge::new(&[served()], 3);
    let mut cycle = CycleJudge::new(cycle);
    for (line, event) in (2..).zip(events) {
        cycle.observe(line, event, judge.judge())?;
        judge.observe(event).unwrap();
    }
    let mut verdicts = judge.verdicts();
    cycle.conclude(judge.judge(), &mut verdicts)?;
    Ok(verdicts.remove(0))
}

#[test]
fn a_trace_says_from_where_it_repeats_and_is_judged_again() {
    for fault in [Fault::PutsOff, Fault::InsatiableAndPutsOff] {
        let (header, events) = written(fault);
        let cycle = header.cycle_from.unwrap();
        assert_eq!(cycle.property, "everyone is served");
        let told = only(&checked(fault, true)).detail().to_owned();
        let verdict = judged(cycle, &events).unwrap();
        assert!(verdict.is_violated() && verdict.tested, "{verdict:?}");
        assert!(told.starts_with(verdict.detail()), "{told} is not {}", verdict.detail());
    }
}

#[test]
fn a_cycle_that_does_not_close_is_refused() {
    let (header, events) = written(Fault::PutsOff);
    let cycle = header.cycle_from.unwrap();
    let from = |line| CycleFrom { line, ..cycle.clone() };
    let later = judged(from(cycle.line + 1), &events);
    assert_eq!(later.unwrap_err(), CycleError::Open);
    let last = events.len() as u64 + 1;
    assert_eq!(judged(from(last), &events).unwrap_err(), CycleError::NoSuchLine(last));
    assert!(matches!(judged(from(2), &events).unwrap_err(), CycleError::Once(_)));
    let other = CycleFrom { property: "another".to_owned(), ..cycle };
    assert!(matches!(judged(other, &events).unwrap_err(), CycleError::NoSuchProperty(_)));
}

#[test]
fn a_cycle_in_which_what_is_owed_is_done_is_refused() {
    let (header, mut events) = written(Fault::InsatiableAndPutsOff);
    let cycle = header.cycle_from.unwrap();
    let is_served = |event: &&TraceEvent| matches!(&event.what, What::Indication(said) if said.kind == "Served");
    let what = events.iter().find(is_served).unwrap().what.clone();
    // p2 alone is put off.
    let is_end = |event: &TraceEvent| event.process.0 == 2 && matches!(event.what, What::Stop(_));
    let end = events.iter().position(is_end).unwrap();
    let served = TraceEvent { what, ..events[end].clone() };
    events[end].n += 1;
    let first_end = events.iter().position(|event| matches!(event.what, What::Stop(_))).unwrap();
    events.insert(first_end, served);
    assert!(matches!(judged(cycle, &events).unwrap_err(), CycleError::Served(_)));
}

#[test]
fn a_replay_comes_back_to_the_states_at_the_beginning_of_the_cycle() {
    let (header, events) = written(Fault::PutsOff);
    let cycle = header.cycle_from.unwrap();
    let mut replay = Replay::new(offices(Fault::PutsOff), Luck::Unknown, false);
    let mut round = Round::new(cycle.line);
    for (at, event) in events.iter().enumerate() {
        round.look(at as u64 + 2, event, 3, &replay);
        assert_eq!(replay.follow(event, &events[at + 1..]).unwrap(), Step::Same);
    }
    assert_eq!(round.difference(), None);
    // Before the first request was taken the states were others.
    let mut replay = Replay::new(offices(Fault::PutsOff), Luck::Unknown, false);
    let mut round = Round::new(5);
    for (at, event) in events.iter().enumerate() {
        round.look(at as u64 + 2, event, 3, &replay);
        replay.follow(event, &events[at + 1..]).unwrap();
    }
    assert!(round.difference().unwrap().contains("p0 is `"));
}

#[test]
fn a_file_with_a_cycle_is_judged_and_one_that_is_wrong_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lasso.jsonl");
    let report = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        crate::cli::verify::judged(&path, |header| Ok(header.properties.clone()))
    };
    let text = file(Fault::PutsOff);
    let judged = report(&text).unwrap();
    assert!(judged.properties[0].is_violated(), "{:?}", judged.properties);
    assert_eq!(judged.problems, Vec::<String>::new());
    let text = String::from_utf8(text).unwrap();
    let line = written(Fault::PutsOff).0.cycle_from.unwrap().line;
    let [right, wrong] = [line, line + 1].map(|line| format!("\"cycle_from\":{{\"line\":{line}"));
    assert!(text.contains(&right), "{text}");
    let why = report(text.replace(&right, &wrong).as_bytes()).unwrap_err();
    assert!(format!("{why:#}").contains("line 1: the cycle does not close"), "{why:#}");
}

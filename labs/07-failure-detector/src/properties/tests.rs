//! Two detectors, p0 and p1, that watch each other; p0 watches p2, and p1 watches p3.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::testing::Story;
use labs::verdict::{End, Property};

use super::watcher;
use super::*;
use crate::changes::Change;
use crate::lists::List::{self, Alive, Dead, Unknown};
use crate::two_levels::{Indication, Listed, Message};

/// A run in the making of so many processes.
#[derive(Clone)]
struct Run {
    story: Story,
    /// How many events each process has had.
    n: [u64; 4],
}

/// Threshold 1; a change is settled after the next round.
fn completeness(processes: u32) -> Property {
    Property::liveness("completeness", StrongCompleteness::new(processes, 1, 1))
}

fn accuracy(processes: u32) -> Property {
    Property::liveness("accuracy", EventualAccuracy::new(processes, 1))
}

fn agreement(processes: u32) -> Property {
    Property::liveness("agreement", ListsAgree::new(processes, 1))
}

fn one_list(processes: u32) -> Property {
    Property::safety("one list", OneList::new(processes))
}

fn run(property: fn(u32) -> Property) -> Run {
    Run { story: Story::of(4, property(4)), n: [0; 4] }
}

fn round(alive: u32, dead: u32) -> Indication {
    Indication::Round { round: 1, alive, dead, unknown: 0, answered: BTreeMap::new() }
}

fn listed(process: u32, on: &[List]) -> Indication {
    let process = ProcessId(process);
    Indication::Suspect(Listed { process, by: watcher(process), on: on.to_vec() })
}

impl Run {
    fn tells(mut self, process: u32, indication: &Indication) -> Self {
        self.n[process as usize] += 1;
        Self { story: self.story.tells(process, indication), ..self }
    }

    fn passes(mut self, from: u32, to: u32, kind: &str) -> Self {
        self.n[from as usize] += 1;
        self.n[to as usize] += 1;
        Self { story: self.story.passes(from, to, kind), ..self }
    }

    fn round(self, detector: u32) -> Self {
        self.tells(detector, &round(4, 0))
    }

    /// A round in which a process is asked, and does not answer.
    fn round_without_answer(mut self, detector: u32, to: u32) -> Self {
        self.n[detector as usize] += 1;
        self.story = self.story.sends(detector, to, "HEARTBEAT");
        self.round(detector)
    }

    /// A round in which a process answers at once.
    fn round_with_answer(mut self, detector: u32, to: u32) -> Self {
        self.n[detector as usize] += 1;
        let first = self.n[detector as usize];
        self.story = self.story.sends(detector, to, "HEARTBEAT");
        let mut this = self.round(detector);
        this.n[to as usize] += 1;
        this.story = this.story.receives(to, detector, first, "HEARTBEAT");
        this.passes(to, detector, "ALIVE")
    }

    fn lists(self, detector: u32, process: u32, on: &[List]) -> Self {
        let process = ProcessId(process);
        let by = if on == [Unknown] { ProcessId(detector) } else { watcher(process) };
        self.tells(detector, &Indication::Suspect(Listed { process, by, on: on.to_vec() }))
    }

    fn dies(mut self, process: u32) -> Self {
        self.n[process as usize] += 1;
        Self { story: self.story.dies(process), ..self }
    }

    fn holds(&self) -> Option<bool> {
        self.story.holds()
    }

    fn holds_if_cut_short(&self) -> Option<bool> {
        self.story.verdict(&End::CutShort("time-out".to_owned())).holds()
    }
}

#[test]
fn whoever_is_silent_must_be_suspected_at_once() {
    // p2 answers, p1 does not: after two rounds it is one behind too many.
    let late = run(completeness).round_with_answer(0, 2).round(0).round_with_answer(0, 2);
    assert_eq!(late.holds(), Some(false));
    let detail = late.story.detail();
    assert!(detail.starts_with("p0 does not suspect p1, which is 2 heartbeats behind"), "{detail}");

    let suspected = run(completeness).round(0).lists(0, 1, &[Dead]).lists(0, 2, &[Dead]);
    assert_eq!(suspected.round(0).round(0).holds(), Some(true));
}

#[test]
fn both_detectors_must_know_who_died() {
    let known_to_p0 = || {
        let story = run(completeness).dies(2).round_with_answer(0, 1);
        story.lists(0, 2, &[Dead]).round_with_answer(0, 1)
    };
    assert_eq!(known_to_p0().lists(1, 2, &[Dead]).holds(), Some(true));
    assert_eq!(known_to_p0().holds(), Some(false));
    assert_eq!(known_to_p0().holds_if_cut_short(), None);
    // p1 suspects p0, and cannot tell of p2.
    let cut_off = || known_to_p0().lists(1, 0, &[Dead]);
    assert_eq!(cut_off().lists(1, 2, &[Unknown]).holds(), Some(true));
    assert_eq!(cut_off().holds(), Some(false));
    // There was no round since.
    assert_eq!(run(completeness).dies(2).lists(0, 2, &[Dead]).holds(), Some(true));
    // Nobody is left to know.
    let alone = run(completeness).dies(0).dies(1).dies(2);
    assert_eq!(alone.story.detail(), "no detector lives");
}

#[test]
fn who_answers_must_not_be_suspected_in_the_end() {
    let asked = || run(accuracy).round_without_answer(0, 2).round_without_answer(0, 2);
    let wrong = || asked().lists(0, 2, &[Dead]);
    assert_eq!(wrong().holds(), Some(true), "it answers nothing");
    let answers = || wrong().round_with_answer(0, 2);
    assert_eq!(answers().holds(), Some(false));
    assert_eq!(
        answers().story.detail(),
        "p0 still suspects p2, whose last answer is 0 heartbeats behind"
    );
    assert_eq!(answers().holds_if_cut_short(), None);
    assert_eq!(answers().lists(0, 2, &[Alive]).holds(), Some(true));
    assert_eq!(answers().dies(0).holds(), Some(true), "a dead detector says nothing");
    // The answer is too old by now.
    let old = answers().round_without_answer(0, 2).round_without_answer(0, 2);
    assert_eq!(old.holds(), Some(true));
    // A process that is not asked cannot answer.
    let unasked = wrong().round(0);
    assert_eq!(unasked.story.detail(), "p0 still suspects p2, and asks it no more");
}

#[test]
fn lists_agree_once_they_had_time_to() {
    let told = || run(agreement).lists(0, 2, &[Dead]);
    assert_eq!(told().holds(), Some(true), "it is new");
    let old = || told().round(0);
    assert_eq!(old().holds(), Some(false));
    assert_eq!(old().story.detail(), "p2 is dead to p0 and living to p1");
    assert_eq!(told().lists(1, 2, &[Dead]).round(0).holds(), Some(true));
    assert_eq!(old().lists(1, 0, &[Dead]).holds(), Some(true), "p1 suspects p0");
    assert_eq!(old().dies(1).holds(), Some(true));
    // p0 does not watch p2 any more than p1 does: p0's word counts, however late p1 changed.
    assert_eq!(old().lists(1, 2, &[Unknown]).holds(), Some(false));
}

#[test]
fn every_process_is_on_one_list() {
    assert_eq!(run(one_list).round(0).round(1).holds(), Some(true));
    for on in [&[Alive, Dead][..], &[]] {
        assert_eq!(run(one_list).lists(0, 3, on).holds(), Some(false), "{on:?}");
    }
    assert_eq!(run(one_list).lists(0, 4, &[Dead]).holds(), Some(false));
    // A list that changed in silence, or that the round does not tell.
    let changed = || run(one_list).lists(0, 3, &[Dead]);
    assert_eq!(changed().round(0).holds(), Some(false));
    assert_eq!(changed().round(1).holds(), Some(true), "p1 has lists of its own");
    assert_eq!(changed().tells(0, &round(3, 1)).holds(), Some(true));
    let detail = changed().round(0).story.detail();
    assert!(detail.starts_with("p0 does not have 3 alive: it says Round { round: 1, alive: 4"));
}

#[test]
fn unknown_are_those_of_a_suspected_detector() {
    let suspected = || run(one_list).lists(0, 1, &[Dead]);
    assert_eq!(suspected().holds(), Some(false));
    assert_eq!(suspected().story.detail(), "p3 is living to p0, which suspects p1");
    assert_eq!(suspected().holds_if_cut_short(), None);
    assert_eq!(suspected().lists(0, 3, &[Unknown]).holds(), Some(true));
    let restored = suspected().lists(0, 3, &[Unknown]).lists(0, 1, &[Alive]);
    assert_eq!(restored.story.detail(), "p3 is unknown to p0, which does not suspect p1");
    assert_eq!(run(one_list).lists(0, 2, &[Unknown]).holds(), Some(false), "its own");
}

fn suspicions(processes: u32) -> Property {
    Property::safety("suspicions", Suspicions::new(processes, 1))
}

/// A round that says which heartbeat p1 and p2 answered last.
fn said(number: u32, one: u32, two: u32) -> Indication {
    let answered = BTreeMap::from([(ProcessId(1), one), (ProcessId(2), two)]);
    Indication::Round { round: number, alive: 4, dead: 0, unknown: 0, answered }
}

/// p0 asks p2 so many times in vain.
fn silent(rounds: u32) -> Run {
    (1..=rounds).fold(run(suspicions), |mut run, number| {
        run.n[0] += 1;
        run.story = run.story.sends(0, 2, "HEARTBEAT");
        run.tells(0, &said(number, 0, 0))
    })
}

fn restored(process: u32) -> Indication {
    let process = ProcessId(process);
    Indication::Restore(Listed { process, by: watcher(process), on: vec![Alive] })
}

#[test]
fn a_process_is_suspected_beyond_the_threshold_alone() {
    assert_eq!(silent(2).lists(0, 2, &[Dead]).holds(), Some(true));
    let early = silent(1).lists(0, 2, &[Dead]);
    assert_eq!(
        early.story.detail(),
        "p0 suspects p2, which is 1 heartbeat behind; the threshold is 1"
    );
    let restored_early = silent(2).lists(0, 2, &[Dead]).tells(0, &restored(2));
    assert!(restored_early.story.detail().starts_with("p0 restores p2, which is 2 heartbeats"));
}

/// The answer to the second heartbeat closes the gap.
#[test]
fn a_process_is_restored_with_its_answer() {
    let answered = || {
        let mut run = silent(2).lists(0, 2, &[Dead]);
        run.story = run.story.receives(2, 0, 3, "HEARTBEAT");
        run.passes(2, 0, "ALIVE")
    };
    assert_eq!(answered().tells(0, &restored(2)).holds(), Some(true));
    assert_eq!(answered().story.detail(), "p0 does not restore p2, whose answer has arrived");
    assert_eq!(answered().dies(0).holds(), Some(true), "it died in the middle of its step");
}

#[test]
fn a_round_says_which_answers_have_arrived() {
    let wrong = run(suspicions).tells(0, &said(1, 0, 1));
    assert_eq!(wrong.story.detail(), "p0 says that p2 answered 1, and the last answer is 0");
}

fn asking(processes: u32) -> Property {
    Property::safety("asking", Asking::new(processes, 1))
}

/// The only round of both detectors: p0 asks p1 and p2 so many times, p1 asks p0 and p3.
fn questions(times: [usize; 2]) -> Story {
    let ask = |story: Story, from, to| story.sends(from, to, "HEARTBEAT");
    let mut story = Story::of(4, asking(4));
    for (to, times) in [1, 2].into_iter().zip(times) {
        story = (0..times).fold(story, |story, _| ask(story, 0, to));
    }
    let story = story.tells(0, &said(1, 0, 0)).tells(0, &Indication::Finished);
    let story = ask(ask(story, 1, 0), 1, 3);
    story.tells(1, &said(1, 0, 0)).tells(1, &Indication::Finished)
}

#[test]
fn everyone_is_asked_once_in_each_round() {
    assert_eq!(questions([1, 1]).holds(), Some(true), "{}", questions([1, 1]).detail());
    assert_eq!(questions([1, 0]).detail(), "p0 sends p2 0 heartbeats in its round 1");
    assert_eq!(questions([1, 2]).detail(), "p0 sends p2 2 heartbeats in its round 1");
    let stranger = questions([1, 1]).sends(0, 3, "HEARTBEAT");
    assert_eq!(stranger.detail(), "p0 sends a heartbeat to p3, which it does not watch");
    let more = questions([1, 1]).tells(0, &said(2, 0, 0));
    assert_eq!(more.detail(), "p0 begins one round more than 1");
    let twice = questions([1, 1]).tells(0, &Indication::Finished);
    assert_eq!(twice.detail(), "p0 finishes a second time");
    let early = Story::of(4, asking(4)).tells(0, &Indication::Finished);
    assert_eq!(early.detail(), "p0 finishes after 0 of 1 rounds");
    assert_eq!(Story::of(4, asking(4)).holds(), Some(true), "it may stand still for good");
}

#[test]
fn every_question_is_answered_once() {
    let asked = || questions([1, 1]).receives(2, 0, 2, "HEARTBEAT");
    assert_eq!(asked().detail(), "p2 is asked by p0, and does not answer with ALIVE");
    let answered = || asked().sends(2, 0, "ALIVE");
    assert_eq!(answered().holds(), Some(true));
    assert_eq!(answered().sends(2, 0, "ALIVE").detail(), "p2 sends p0 ALIVE, and was not asked");
    assert_eq!(asked().sends(2, 1, "ALIVE").holds(), Some(false), "to another");
    assert_eq!(asked().dies(2).holds(), Some(true));
    let told = || questions([1, 1]).passes(0, 1, "SUSPECT");
    assert_eq!(told().detail(), "p1 is asked by p0, and does not answer with NOTED");
    assert_eq!(told().sends(1, 0, "NOTED").holds(), Some(true));
}

/// What a trace says need not be true.
#[test]
fn a_file_that_names_nobody_breaks_nothing() {
    for property in [one_list, suspicions, asking] {
        for processes in [1, 2, 4] {
            let story = Story::of(processes, property(processes)).tells(0, &listed(9, &[Dead]));
            let verdict = story.tells(0, &round(4, 0)).verdict(&End::CutShort(String::new()));
            assert!(verdict.witnesses().len() <= 1, "{verdict:?}");
        }
    }
    for property in [completeness, accuracy, agreement] {
        for processes in [1, 2, 4] {
            let story = Story::of(processes, property(processes)).tells(0, &listed(9, &[Dead]));
            let verdict = story.tells(0, &round(4, 0)).verdict(&End::CutShort(String::new()));
            assert_eq!(verdict.witnesses().len(), 0);
        }
    }
}

fn telling(_: u32) -> Property {
    Property::safety("told", Telling::default())
}

const CHANGE: Change = Change { process: ProcessId(2), number: 1 };
const SUSPECT: Message = Message::Suspect(CHANGE);

/// In its second round p0 suspects p2, and tells p1.
fn told(arrives: bool) -> Story {
    let story = Story::of(4, telling(4)).times_out(0, "Interval").tells(0, &round(4, 0));
    let story = story.times_out(0, "Interval").tells(0, &listed(2, &[Dead]));
    let story = match arrives {
        true => story.passes_this(0, 1, &SUSPECT),
        false => story.sends_this(0, 1, &SUSPECT),
    };
    story.tells(0, &round(3, 1))
}

fn next_round(story: Story) -> Story {
    story.times_out(0, "Interval").tells(0, &round(3, 1))
}

#[test]
fn a_change_is_told_at_once() {
    assert_eq!(told(true).holds(), Some(true), "{}", told(true).detail());
    let kept = Story::of(4, telling(4)).times_out(0, "Interval").tells(0, &listed(2, &[Dead]));
    assert_eq!(kept.detail(), "p0 does not tell p1 of p2, and p1 has not noted it");
    assert_eq!(kept.dies(0).holds(), Some(true), "it died in the middle of its step");
    let opposite = Story::of(4, telling(4)).times_out(0, "Interval").tells(0, &listed(2, &[Dead]));
    let opposite = opposite.passes_this(0, 1, &Message::Restore(CHANGE));
    assert_eq!(opposite.detail(), "p0 tells p1 the opposite of what it found out of p2");
    assert!(told(true).passes_this(0, 1, &SUSPECT).detail().contains("2 times, and 1 are due"));
}

#[test]
fn it_is_told_in_each_round_until_it_is_noted() {
    let silent = next_round(told(false));
    assert_eq!(silent.detail(), "p0 does not tell p1 of p2, and p1 has not noted it");
    let again = told(false).times_out(0, "Interval").passes_this(0, 1, &SUSPECT);
    assert_eq!(again.tells(0, &round(3, 1)).holds(), Some(true));
    let noted = || told(true).passes_this(1, 0, &Message::Noted(CHANGE));
    assert_eq!(next_round(noted()).holds(), Some(true));
    let more = noted().times_out(0, "Interval").passes_this(0, 1, &SUSPECT);
    assert!(more.tells(0, &round(3, 1)).detail().ends_with("1 time, and 0 are due"));
    let older = Message::Noted(Change { number: 0, ..CHANGE });
    assert_eq!(next_round(told(true).passes_this(1, 0, &older)).holds(), Some(false));
}

/// A detector that is suspected is told nothing, and all when it is restored.
#[test]
fn a_suspected_detector_is_told_nothing() {
    let suspected = || told(false).times_out(0, "Interval").tells(0, &listed(1, &[Dead]));
    let rounds = || next_round(next_round(suspected()));
    assert_eq!(rounds().holds(), Some(true), "{}", rounds().detail());
    let wasted = rounds().times_out(0, "Interval").passes_this(0, 1, &SUSPECT);
    assert_eq!(wasted.detail(), "p0 tells p1 of p2, and suspects p1");
    let restored = rounds().times_out(0, "Interval").tells(0, &restored(1));
    assert_eq!(restored.detail(), "p0 does not tell p1 of p2, and p1 has not noted it");
    assert_eq!(restored.passes_this(0, 1, &SUSPECT).holds(), Some(true));
}

#[test]
fn a_change_changes_something_and_names_its_finder() {
    let again = run(one_list).lists(0, 2, &[Dead]).lists(0, 2, &[Dead]);
    assert_eq!(again.story.detail(), "p0 says that p2 is dead, and it was before");
    let listed = Listed { process: ProcessId(3), by: ProcessId(0), on: vec![Dead] };
    let wrong = run(one_list).tells(0, &Indication::Suspect(listed));
    assert_eq!(wrong.story.detail(), "p0 says that p0 found out of p3, and it was p1");
}

#[test]
fn a_process_says_that_it_is_finished_when_it_is() {
    let begun = |process| Story::of(4, asking(4)).begins(process);
    assert_eq!(begun(2).detail(), "p2 begins, and does not say Finished");
    assert_eq!(begun(2).tells(2, &Indication::Finished).holds(), Some(true));
    assert_eq!(begun(0).holds(), Some(true), "a detector has something to do");
    let silent = Story::of(2, Property::safety("asking", Asking::new(2, 1)));
    let silent = silent.sends(0, 1, "HEARTBEAT").tells(0, &said(1, 0, 0));
    assert_eq!(silent.detail(), "p0 has had its 1 rounds, and does not say Finished");
}

//! Every order in which a launcher and two participants can join, run, die, and hand over.
//!
//! The states are those of [`crate::check`]; what is demanded of them concerns all processes at
//! once, and so is looked at here and not by monitors, each of which sees one process at a time.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::world::{Ask, Mistake, Node, Terms, nodes, rules, wrong_at_any_time, wrong_at_the_end};
use crate::check::Options;
use crate::check::model::Model;
use crate::check::state::State;
use crate::run::conductor::Rules;

/// No deadline passes but that of the pause in which the others say what they noticed.
const NO_DEADLINES: Duration = Duration::from_millis(400);

const TERMS: Terms = Terms {
    participants: 2,
    mistake: None,
    longest: NO_DEADLINES,
    watches: false,
    has_clock: false,
};

/// What a search found: the number of states, and a shortest way to what is wrong.
struct Found {
    states: usize,
    wrong: Option<(String, Vec<String>)>,
}

fn wrong(state: &State<Node>, is_end: bool) -> Option<String> {
    if let Some(panic) = &state.panic {
        return Some(format!("a handler panicked: {panic}"));
    }
    let nodes: Vec<_> = state.sites.iter().map(|site| site.process.clone()).collect();
    let at_the_end = || wrong_at_the_end(&nodes, |rank| state.sites[rank].crashed);
    wrong_at_any_time(&nodes).or_else(|| is_end.then(at_the_end).flatten())
}

fn hash(state: &State<Node>) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Visits every state, breadth first.
fn search(terms: Terms, rules: Rules, asks: [&[Ask]; 3]) -> Found {
    let options = Options { timeouts: 12, ..Options::default() };
    let asks = asks.map(<[Ask]>::to_vec).to_vec();
    let model = Model::new(nodes(terms, rules), asks, &[], options.into());
    let mut states: Vec<_> = model.starts().into_iter().map(|(_, state)| state).collect();
    // By which step from where each was found.
    let mut ways: Vec<Option<(usize, String)>> = states.iter().map(|_| None).collect();
    let mut known: BTreeSet<u64> = states.iter().map(hash).collect();
    let mut next = 0;
    while next < states.len() {
        let mut successors = Vec::new();
        model.successors(&states[next], &mut |step, state| successors.push((step, state)));
        if let Some(what) = wrong(&states[next], successors.is_empty()) {
            let steps =
                std::iter::successors(ways[next].as_ref(), |(from, _)| ways[*from].as_ref());
            let mut steps: Vec<_> = steps.map(|(_, step)| step.clone()).collect();
            steps.reverse();
            return Found { states: states.len(), wrong: Some((what, steps)) };
        }
        for (step, state) in successors {
            if known.insert(hash(&state)) {
                states.push(state);
                ways.push(Some((next, step.to_string())));
            }
        }
        next += 1;
    }
    Found { states: states.len(), wrong: None }
}

const STARTED: [Ask; 2] = [Ask::Started(0), Ask::Started(1)];

fn assert_right(found: &Found) {
    if let Some((what, steps)) = &found.wrong {
        panic!("{what}, after\n{}", steps.join("\n"));
    }
}

const DIE: [Ask; 1] = [Ask::Die];

/// The same run, in which somebody dies at any moment, or none does.
fn deaths() -> [(&'static str, [&'static [Ask]; 3]); 4] {
    [
        ("nobody", [&[], &[], &STARTED]),
        ("p0", [&DIE, &[], &STARTED]),
        ("p1", [&[], &DIE, &STARTED]),
        ("the launcher", [&[], &[], &[Ask::Started(0), Ask::Started(1), Ask::Die]]),
    ]
}

#[test]
fn with_one_crash_at_any_point_a_run_ends_and_leaves_nothing() {
    let states = deaths().map(|(whose, asks)| {
        let found = search(TERMS, rules(""), asks);
        assert_right(&found);
        (whose, found.states)
    });
    let expected = [("nobody", 267), ("p0", 4_227), ("p1", 3_687), ("the launcher", 1_739)];
    assert_eq!(states, expected);
}

/// A deadline that passes too early costs journals, and that is said; it leaves nobody behind.
#[test]
fn deadlines_may_pass_at_any_point() {
    let terms = Terms { longest: Duration::from_secs(600), ..TERMS };
    assert_right(&search(terms, rules(""), [&[], &[], &[]]));
}

#[test]
fn a_person_may_end_a_run_at_any_point() {
    let asks: [&[Ask]; 3] = [&[], &[], &[Ask::Started(0), Ask::Interrupt, Ask::Interrupt]];
    assert_right(&search(TERMS, rules(""), asks));
}

#[test]
fn a_run_that_stays_is_ended_by_a_person() {
    let rules = Rules { stays: true, ..rules("") };
    let asks: [&[Ask]; 3] = [&[], &[], &[Ask::Started(0), Ask::Interrupt, Ask::Interrupt]];
    assert_right(&search(TERMS, rules, asks));
}

#[test]
fn a_participant_that_cannot_be_started_ends_the_run() {
    let asks: [&[Ask]; 3] = [&DIE, &[], &[Ask::Started(0), Ask::NotStarted(1)]];
    assert_right(&search(TERMS, rules(""), asks));
}

#[test]
fn a_participant_that_is_killed_and_restarted_is_waited_for() {
    let found = search(TERMS, rules("kill 0 at 1s; restart 0 at 2s"), [&[], &[], &STARTED]);
    assert_right(&found);
}

#[test]
fn where_they_may_the_others_go_on() {
    assert_right(&search(TERMS, rules("kill 0 at 1s"), [&[], &DIE, &STARTED]));
    assert_right(&search(TERMS, rules("kill 0 at 1s; restart 0 at 2s"), [&[], &DIE, &STARTED]));
}

/// The one that starts again connects to the other, or the other to it; and both may be on their way.
const RESTARTS: [&str; 3] = [
    "kill 0 at 1s; restart 0 at 2s; kill 1 at 1s",
    "kill 1 at 1s; restart 1 at 2s; kill 0 at 1s",
    "kill 0 at 1s; kill 1 at 1s; restart 0 at 2s; restart 1 at 2s",
];

#[test]
fn a_participant_that_starts_again_takes_part_whoever_is_dead() {
    for plan in RESTARTS {
        assert_right(&search(TERMS, rules(plan), [&[], &[], &[]]));
    }
}

/// No deadline passes here, so the launcher waits for it for ever.
#[test]
fn one_that_waits_for_the_dead_is_caught() {
    let terms = Terms { mistake: Some(Mistake::Waiting), ..TERMS };
    for plan in RESTARTS {
        let wrong = search(terms, rules(plan), [&[], &[], &[]]).wrong;
        let (what, _) = wrong.unwrap_or_else(|| panic!("{plan} is not caught"));
        assert!(what.contains("is left behind"), "{what}");
    }
}

#[test]
fn each_mistake_is_caught() {
    for (mistake, what) in [
        (Mistake::Impatient, "one runs before everyone is ready"),
        (Mistake::Unnoticing, "the launcher waits for ever"),
        (Mistake::Greedy, "a journal that is here is asked for"),
        (Mistake::Faithful, "is left behind"),
        (Mistake::Forgetful, "nothing says why"),
    ] {
        let terms = Terms { mistake: Some(mistake), ..TERMS };
        let found = deaths().into_iter().find_map(|(_, asks)| search(terms, rules(""), asks).wrong);
        let (found, steps) = found.unwrap_or_else(|| panic!("{mistake:?} is not caught"));
        assert!(found.contains(what), "{mistake:?}: {found}, after\n{}", steps.join("\n"));
    }
}

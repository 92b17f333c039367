//! The search against one that is written as plainly as can be, and with reduction against without.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Letter, Order, Servant};
use crate::check::model::Model;
use crate::check::parts::Set;
use crate::check::state::State;
use crate::check::{Channels, Options, check};
use crate::verdict::{Property, Times};

/// How many states and ends there are.
fn plainly(processes: usize, orders: &[Vec<Order>], options: &Options) -> (usize, usize) {
    let options = Arc::new(options.clone());
    let model = Model::new(vec![Servant::default(); processes], orders.to_vec(), &[], options);
    let mut known: Set<State<Servant>> = Set::default();
    let mut waiting: VecDeque<_> = model.starts().into_iter().map(|(_, state)| state).collect();
    let mut ends = 0;
    while let Some(state) = waiting.pop_front() {
        if !known.insert(state.clone()) {
            continue;
        }
        let mut is_end = true;
        model.successors(&state, &mut |step, next| {
            let is_fault = matches!(step, crate::check::steps::Step::Crash { .. });
            is_end &= is_fault;
            waiting.push_back(next);
        });
        ends += usize::from(is_end);
    }
    (known.len(), ends)
}

fn systems() -> Vec<(usize, Vec<Vec<Order>>)> {
    let send = Order::Send;
    vec![
        (2, vec![vec![send(3)], vec![send(2)]]),
        (3, vec![vec![send(2), Order::Choose(2)], vec![send(1)], vec![Order::RingOnce, send(1)]]),
        (3, vec![vec![Order::Ring, send(2)], vec![Order::RingOnce, Order::Silence], vec![send(2)]]),
        (4, vec![vec![send(1)], vec![send(1)], vec![send(1)], vec![Order::ChooseTwice(2)]]),
    ]
}

fn variants() -> Vec<Options> {
    let none = Options::default();
    let unordered = Options { channels: Channels::Unordered, ..none.clone() };
    vec![
        none.clone(),
        Options { losses: 1, ..none.clone() },
        Options { duplicates: 1, crashes: 1, ..none.clone() },
        Options { losses: 1, duplicates: 1, ..unordered.clone() },
        Options { threads: 3, ..unordered },
        Options { threads: 2, crashes: 1, ..none },
    ]
}

#[test]
fn the_search_finds_the_states_that_a_plain_one_finds() {
    for (processes, orders) in systems() {
        for options in variants() {
            let (states, _) = plainly(processes, &orders, &options);
            let all = vec![Servant::default(); processes];
            let outcome = check(all, orders.clone(), &[], &options, |_| ());
            assert_eq!(outcome.states, states, "{orders:?} {options:?}");
        }
    }
}

/// As what the verdicts say is said of states, their number is left out.
fn verdicts(
    processes: usize,
    orders: &[Vec<Order>],
    properties: &[Property],
    options: &Options,
) -> (Vec<Option<bool>>, Option<usize>, usize) {
    let all = vec![Servant::default(); processes];
    let outcome = check(all, orders.to_vec(), properties, options, |_| ());
    let verdicts = outcome.verdicts.iter().map(crate::verdict::Verdict::holds).collect();
    let length = outcome.counterexample.map(|found| found.steps.len());
    (verdicts, length, outcome.states)
}

#[test]
fn with_reduction_the_verdicts_are_the_same() {
    let mut fewer = 0;
    let mut seen = BTreeSet::new();
    for (processes, orders) in systems() {
        for options in variants() {
            let reduced = Options { reduction: true, ..options.clone() };
            let demanded = [
                Property::each("rings", "Rang", Times::AtLeast(1)),
                Property::never("no number", "Number"),
                Property::one("one number", "Number"),
                Property::fifo(),
                Property::exactly_once(),
            ];
            for property in demanded {
                let property = [property];
                let (one, length, states) = verdicts(processes, &orders, &property, &options);
                let (other, same_length, left) = verdicts(processes, &orders, &property, &reduced);
                assert_eq!((&one, length), (&other, same_length), "{orders:?} {options:?}");
                assert!(length.is_some() || left <= states);
                fewer += usize::from(left < states);
                seen.insert(one);
            }
        }
    }
    assert!(fewer > 10 && seen.len() > 1, "{fewer} {seen:?}");
}

/// No end is left out: a search that assumed too much, and did not notice, would miss some.
#[test]
fn with_reduction_the_ends_are_the_same() {
    let ends = |processes, orders: &[Vec<Order>], reduction| {
        let options = Options { reduction, ..Options::default() };
        let all = vec![Servant::default(); processes];
        let outcome = check(all, orders.to_vec(), &[Property::exactly_once()], &options, |_| ());
        let detail = outcome.verdicts[0].detail().to_owned();
        detail.split(", in ").next().map(str::to_owned)
    };
    for (processes, orders) in systems() {
        let all = ends(processes, &orders, false);
        assert!(all.as_ref().is_some_and(|ends| ends.starts_with("at each of ")), "{all:?}");
        assert_eq!(ends(processes, &orders, true), all, "{orders:?}");
    }
}

#[test]
fn letters_that_nobody_waits_for_are_taken_one_by_one() {
    let orders = vec![vec![Order::Send(3)], vec![Order::Send(3)], vec![Order::Send(3)]];
    let (_, _, all) = verdicts(3, &orders, &[], &Options::default());
    let reduced = Options { reduction: true, ..Options::default() };
    let (_, _, left) = verdicts(3, &orders, &[], &reduced);
    assert!(left * 2 < all, "{left} of {all}");
    assert_eq!(Letter(1), Letter(1));
}

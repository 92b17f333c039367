//! All orders, for few processes.

mod common;

use chang_roberts::identities::Initiators;
use chang_roberts::lab::Options;
use common::{CLOSINGS, ELECTS, all_of, given, ring, specs};
use labs::check::{Channels, Options as Search, Outcome, check};
use labs::verdict::Spec;

fn searched(options: &Options, processes: u32, search: &Search, demanded: &[Spec]) -> Outcome<P> {
    let requests = vec![Vec::new(); processes as usize];
    check(ring(processes, options), requests, demanded, search, |_| ())
}

type P = chang_roberts::numbering::Numbering;

fn states(options: &Options, processes: u32) -> usize {
    let search = Search { timeouts: 0, ..Search::default() };
    let outcome = searched(options, processes, &search, &specs(processes, options));
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    outcome.states
}

/// The counts are pinned: the algorithm has no other behaviour than it had.
#[test]
fn every_order_holds() {
    // Best, worst, and one between.
    let rings: [&[u64]; 5] = [&[2, 1], &[3, 2, 1], &[1, 2, 3], &[2, 9, 4, 7], &[4, 8, 1, 9, 3]];
    let counts = CLOSINGS.map(|closing| {
        rings.map(|ring| {
            let options = given(ring.to_vec(), Initiators::All, ELECTS[0], closing);
            states(&options, ring.len() as u32)
        })
    });
    assert_eq!(counts, STATES);
}

const STATES: [[usize; 5]; 2] = [[10, 18, 22, 38, 77], [9, 17, 20, 37, 94]];

#[test]
fn few_initiators_and_the_smallest_hold_too() {
    for initiators in 1..=4 {
        for elect in ELECTS {
            let initiators = Initiators::Some(initiators);
            states(&given(vec![2, 9, 4, 7], initiators, elect, CLOSINGS[0]), 4);
        }
    }
}

/// No property but FIFO itself needs it: every order of deliveries gives the same leader, ranks and counts.
#[test]
fn fifo_is_not_needed() {
    let options = all_of(&[4, 8, 1, 9]);
    let demanded: Vec<_> =
        specs(4, &options).into_iter().filter(|spec| *spec != Spec::Fifo).collect();
    let search = Search { channels: Channels::Unordered, timeouts: 0, ..Search::default() };
    let outcome = searched(&options, 4, &search, &demanded);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    let fifo = searched(&options, 4, &search, &specs(4, &options));
    assert_eq!(fifo.counterexample.unwrap().property, "FIFO");
}

#[test]
fn one_lost_message_is_enough() {
    let options = all_of(&[1, 2, 3]);
    let search = Search { losses: 1, timeouts: 0, ..Search::default() };
    let demanded = [Spec::EveryoneLearns { learned: "Elected".to_owned() }];
    let outcome = searched(&options, 3, &search, &demanded);
    let counterexample = outcome.counterexample.unwrap();
    assert_eq!(counterexample.steps.len(), 4, "{counterexample}");
}

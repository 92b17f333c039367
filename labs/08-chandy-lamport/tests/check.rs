//! All orders, for few processes.

mod common;

use std::time::Duration;

use chandy_lamport::lab::ChandyLamportLab;
use common::{CHANNELS, CUT, checked};
use labs::check::{Channels, Options as Search, Outcome};
use labs::faults::Assumption;
use labs::lab::Lab;
use labs::testing::ProcessOf;

fn searched(
    words: &str,
    processes: u32,
    channels: Channels,
) -> Outcome<ProcessOf<ChandyLamportLab>> {
    let mut system = checked(processes, words);
    // A busy machine may take longer than anybody would wait at a terminal.
    let time = Duration::from_secs(600);
    let timeouts = system.lab.timeouts();
    let search = Search { channels, timeouts, time, ..Search::default() };
    // That channels are not FIFO is no news where they are not.
    let is_news = |name: &str| channels == Channels::Fifo || name != "FIFO";
    system.properties.retain(|property| is_news(&property.name));
    system.check(&search)
}

/// The counts are pinned: the protocols have no other behaviour than they had.
#[test]
fn every_order_holds() {
    let searches = [
        ("", 2),
        ("--protocol blocking", 2),
        ("--application counter", 2),
        ("--waves 2 --messages 2", 2),
        ("--initiators 0,1", 2),
        ("--initiators 0,1 --waves 2", 2),
        ("--initiators 0,1 --protocol blocking --messages 2", 2),
        ("--messages 0", 3),
        ("--messages 0 --initiators 0,1", 3),
    ];
    let counts = searches.map(|(words, processes)| {
        let outcome = searched(words, processes, Channels::Fifo);
        assert_eq!(outcome.holds(), Some(true), "{words}: {:?}", outcome.verdicts);
        outcome.states
    });
    assert_eq!(counts, STATES);
}

const STATES: [usize; 9] = [116, 109, 87, 4_012, 587, 8_703, 4_874, 163, 1_636];

/// Three processes, each of which sends one message at any time, and one wave.
#[test]
fn every_order_of_three_holds() {
    let counts = ["", "--protocol blocking"].map(|words| {
        let outcome = searched(words, 3, Channels::Fifo);
        assert_eq!(outcome.holds(), Some(true), "{words}: {:?}", outcome.verdicts);
        outcome.states
    });
    assert_eq!(counts, [88_203, 61_653]);
}

/// Where a message may overtake a marker, or a marker a message, three to five steps are enough.
#[test]
fn without_fifo_the_violation_is_near() {
    for (words, processes, property, steps) in [
        ("", 2, CHANNELS, 3),
        ("", 3, CUT, 3),
        ("--protocol blocking", 2, CHANNELS, 3),
        ("--protocol blocking", 3, CHANNELS, 5),
    ] {
        let outcome = searched(words, processes, Channels::Unordered);
        let counterexample = outcome.counterexample.unwrap();
        let found = (counterexample.property.as_str(), counterexample.steps.len());
        assert_eq!(found, (property, steps), "{words}: {counterexample}");
        // Though the run ends before the overtaken message arrives.
        assert!(counterexample.broken().contains(&Assumption::Fifo), "{words}: {counterexample}");
        assert!(outcome.states < 5_000, "{}", outcome.states);
    }
}

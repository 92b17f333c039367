//! All orders, for few processes.

mod common;

use common::unclocked;
use labs::check::{Channels, Options as Search};
use labs::testing::{Program, Ran, System};
use mutex_central::lab::MutexCentralLab;

/// How many states there are, all of which are right.
fn states(system: &System<MutexCentralLab>, search: &Search) -> usize {
    let outcome = system.check(search);
    assert_eq!(outcome.holds(), Some(true), "{:?} {:?}", outcome.verdicts, outcome.counterexample);
    outcome.states
}

/// Without leases and without asking again: three messages an entry.
fn plain(processes: u32, entries: u64, channels: Channels) -> usize {
    let search = Search { channels, timeouts: 9, ..Search::default() };
    states(&unclocked(processes, entries, [0; 3]), &search)
}

/// The counts are pinned: the algorithm has no other behaviour than it had.
#[test]
fn every_order_holds() {
    let counts = [(2, 1), (2, 3), (3, 1), (3, 2), (4, 1), (4, 2)];
    let fifo = counts.map(|(processes, entries)| plain(processes, entries, Channels::Fifo));
    assert_eq!(fifo, [7, 15, 45, 157, 331, 3_655]);
    let unordered =
        counts.map(|(processes, entries)| plain(processes, entries, Channels::Unordered));
    assert_eq!(unordered, [7, 51, 45, 605, 331, 26_191]);
}

/// Leases may be over at any moment and clients ask again at any moment: nothing is assumed about time.
fn timed(processes: u32, entries: u64, search: Search) -> usize {
    let system = unclocked(processes, entries, [0, 1_000, 1_000]);
    // A lease that may be over at any moment keeps no sections apart, and nobody gets done.
    let demanded: Vec<_> =
        system.properties.iter().map(|demanded| demanded.name.as_str()).collect();
    let left = [
        "one grant at a time",
        "fencing tokens grow",
        "first come, first served",
        "3 messages an entry",
        "each step does its part",
        "every answer fits its question",
        "every grant is taken or declined",
        "messages as predicted",
    ];
    assert_eq!(demanded, left);
    states(&system, &search)
}

#[test]
fn what_leases_do_at_whatever_time_is_safe() {
    let search = Search { timeouts: 2, ..Search::default() };
    assert_eq!([timed(2, 2, search.clone()), timed(3, 1, search)], [452, 157_439]);
}

#[test]
fn one_crash_one_loss_or_one_copy_is_safe() {
    let search = Search { timeouts: 1, ..Search::default() };
    let crash = timed(3, 1, Search { crashes: 1, ..search.clone() });
    let loss = timed(3, 1, Search { losses: 1, ..search.clone() });
    let copy = timed(3, 1, Search { duplicates: 1, ..search });
    assert_eq!([crash, loss, copy], [4_752, 3_390, 11_806]);
}

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_mutex-central"));

/// Leases assume that messages are quicker than they are long; `check` knows no time.
#[test]
fn with_leases_bounded_delay_is_an_assumption_that_is_taken_away() {
    let broken = |words: &[&str]| {
        let words = [&["check", "--json", "-n", "3"], words].concat();
        Ran::of(&PROGRAM.output(&words)).report["assumptions_broken"].to_string()
    };
    let lease = ["--lease", "1000", "--timeouts"];
    assert_eq!(
        broken(&[&lease[..], &["1"]].concat()),
        r#"["bounded delay (timers run out at any time)"]"#
    );
    for none in [&[][..], &[&lease[..], &["0"]].concat()] {
        assert_eq!(broken(none), "null", "{none:?}");
    }
}

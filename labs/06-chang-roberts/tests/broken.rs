//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use chang_roberts::broken::Broken;
use common::{all_of, broken_ring, random, ring, simulate, specs};
use labs::check::{Channels, Counterexample, Options as Search, check};
use labs::process::Process;
use labs::simulate::Network;
use labs::testing::{judged_again, violated};
use labs::trace::Header;
use labs::verdict::{End, Judge, Spec};

const ONE_LEADER: &str = "exactly one leader, agreed by all";
const GREATEST: &str = "the greatest identity among the initiators leads";
const LEARNS: &str = "every process learns the leader";
const RANKS: &str = "ranks 0 to N-1 in ring order";
const COUNT: &str = "the count is N";
const ELECTIONS: &str = "ELECTION messages as predicted";
const RING: &str = "one ring, two neighbours each";

/// Each mistake, a property that names it in every simulated run, and the length of the shortest run of
/// three processes that breaks this property.
const MISTAKES: [(Broken, &str, usize); 12] = [
    (Broken::SwallowsGreater, ONE_LEADER, 5),
    (Broken::SwallowsGreater, LEARNS, 5),
    (Broken::SwallowsGreater, RING, 5),
    (Broken::ForwardsSmaller, ONE_LEADER, 10),
    (Broken::ForwardsSmaller, GREATEST, 8),
    (Broken::ForwardsSmaller, ELECTIONS, 5),
    (Broken::ElectsOnAny, ONE_LEADER, 3),
    (Broken::ElectsOnAny, GREATEST, 1),
    (Broken::NumberingSkips, RANKS, 11),
    (Broken::NumberingSkips, COUNT, 13),
    (Broken::EqualIdentities, ONE_LEADER, 3),
    (Broken::EqualIdentities, GREATEST, 1),
];

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        for seed in 0..100 {
            let options = random(seed);
            let demanded = specs(5, &options);
            let all = broken_ring(5, &options, how);
            let (verdicts, _) = simulate(seed, Network::default(), all, &demanded);
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
        }
    }
}

/// The one property of this name.
fn only(property: &str, demanded: Vec<Spec>) -> Vec<Spec> {
    let name = |spec: &Spec| {
        let judge = Judge::new(std::slice::from_ref(spec), 3);
        judge.verdicts(&End::Complete).remove(0).name
    };
    let one: Vec<_> = demanded.into_iter().filter(|spec| name(spec) == property).collect();
    assert_eq!(one.len(), 1, "{property}");
    one
}

#[test]
fn checked() {
    let options = all_of(&[1, 3, 2]);
    let lengths = MISTAKES.map(|(how, property, _)| {
        let demanded = only(property, specs(3, &options));
        let all = broken_ring(3, &options, how);
        let counterexample = counterexample(all, &demanded, &Search::default());
        assert_eq!(counterexample.property, property, "{how:?}");
        assert_saved_trace_shows_it(&counterexample, &demanded);
        (how, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}

/// What the algorithm cannot break, the network can.
#[test]
fn channels_are_watched_too() {
    let options = all_of(&[1, 3, 2]);
    let unordered = Search { channels: Channels::Unordered, ..Search::default() };
    let fifo = counterexample(ring(3, &options), &[Spec::Fifo], &unordered);
    assert_eq!(fifo.steps.len(), 2, "{fifo}");
    let losing = Search { losses: 1, ..Search::default() };
    let lost = counterexample(ring(3, &options), &[Spec::ExactlyOnce], &losing);
    assert_eq!(lost.steps.len(), 1, "{lost}");
}

fn counterexample<P>(all: Vec<P>, demanded: &[Spec], search: &Search) -> Counterexample<P>
where
    P: Process<Request: Send + Sync, Message: Send + Sync, Timer: Send + Sync> + Send + Sync,
{
    let requests = vec![Vec::new(); all.len()];
    let outcome = check(all, requests, demanded, search, |_| ());
    assert_eq!(outcome.holds(), Some(false), "{demanded:?}");
    outcome.counterexample.unwrap()
}

/// The counterexample's trace, judged from the file alone, breaks the same property.
fn assert_saved_trace_shows_it<P: Process>(counterexample: &Counterexample<P>, demanded: &[Spec]) {
    let header = Header {
        trace: 1,
        lab: "chang-roberts".to_owned(),
        verb: "check".to_owned(),
        run: "checked".to_owned(),
        processes: 3,
        seed: 0,
        arguments: Vec::new(),
        clocks: true,
        properties: demanded.to_vec(),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    counterexample.save(&header, Box::new(file.reopen().unwrap())).unwrap();
    let verdicts = judged_again(file.path());
    let broken = violated(&verdicts);
    assert_eq!(broken, [counterexample.property.as_str()], "{counterexample}: {verdicts:?}");
}

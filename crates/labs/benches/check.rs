//! States a second of the checker against Stateright's own model of actors, of the same algorithms.
//!
//! Both search with one thread, ours depth first and theirs breadth first. Their model always looks at one property of
//! the state. Where ours has no property, both find the same states; the monitor of mutual exclusion tells some of them
//! apart. To reach: twice as many states a second as theirs, also with four properties. Run with
//! `cargo bench -p labs --bench check`.

#[path = "../tests/algorithms/mod.rs"]
#[expect(dead_code, reason = "tests use more of them")]
mod algorithms;
mod measure;

use labs::check::{Channels, Options, check};
use labs::process::Process;
use labs::verdict::{Property, Times};
use stateright::actor::{Actor, ActorModel, Network};
use stateright::{Checker, Model};

use self::algorithms::{chang_roberts, ricart_agrawala};
use self::measure::{medians, millions_a_second, pin_to_one_core, wanted};

fn ours<P>(processes: &[P], properties: &[Property], channels: Channels) -> usize
where
    P: Process + Send + Sync + 'static,
    P::Request: Send + Sync,
    P::Message: Send + Sync,
    P::Timer: Send + Sync,
{
    let options = Options { channels, ..Options::default() };
    let outcome = check(processes.to_vec(), Vec::new(), properties, &options, |_| ());
    assert!(outcome.holds() == Some(true), "{:?}", outcome.verdicts);
    outcome.states
}

fn theirs<A>(model: ActorModel<A>) -> usize
where
    A: Actor + Send + Sync + 'static,
    A::Msg: Ord + Send + Sync + 'static,
    A::Timer: Ord + Send + Sync + 'static,
    A::Random: Send + Sync + 'static,
    A::State: Send + Sync + 'static,
    A::Storage: Send + Sync + 'static,
{
    let checker = model.checker().spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

fn compare(
    name: &str,
    mut ours: impl FnMut() -> usize,
    mut theirs: impl FnMut() -> usize,
    same: bool,
) {
    if !wanted(name) {
        return;
    }
    let (our_states, their_states) = (ours(), theirs());
    assert!(!same || our_states == their_states, "{our_states} states and {their_states}");
    let run = |search: &mut dyn FnMut() -> usize, states| assert_eq!(search(), states);
    let (our_time, their_time) =
        medians(|| run(&mut ours, our_states), || run(&mut theirs, their_states));
    let ours = millions_a_second(our_states as u64, our_time);
    let theirs = millions_a_second(their_states as u64, their_time);
    println!(
        "{name:<44} check {ours:>5.3} M states/s of {our_states}, Stateright {theirs:>5.3} M/s of {their_states}: {:>5.2} x (to reach: 2)",
        ours / theirs
    );
}

fn main() {
    pin_to_one_core();
    compare(
        "Chang-Roberts, 15, FIFO",
        || ours(&chang_roberts::ring(15), &[], Channels::Fifo),
        || theirs(chang_roberts::model(15)),
        true,
    );
    let group = ricart_agrawala::group(3, 2);
    let ordered = || theirs(ricart_agrawala::model(&group, Network::new_ordered([])));
    let unordered =
        || theirs(ricart_agrawala::model(&group, Network::new_unordered_nonduplicating([])));
    compare("Ricart-Agrawala, 3 twice, FIFO", || ours(&group, &[], Channels::Fifo), ordered, true);
    compare(
        "Ricart-Agrawala, 3 twice, unordered",
        || ours(&group, &[], Channels::Unordered),
        unordered,
        true,
    );
    let mutex = Property::pairwise_ordered("mutual exclusion", "Entered", "Left");
    compare(
        "the same, FIFO, with mutual exclusion",
        || ours(&group, std::slice::from_ref(&mutex), Channels::Fifo),
        ordered,
        false,
    );
    let enters = Property::each("everyone enters", "Entered", Times::Exactly(2));
    let all = [mutex.clone(), enters, Property::fifo(), Property::exactly_once()];
    compare(
        "the same, FIFO, with four properties",
        || ours(&group, &all, Channels::Fifo),
        ordered,
        false,
    );
}

//! The checker against Stateright's own model of actors: the same algorithms have the same number
//! of states.

mod algorithms;

use algorithms::{chang_roberts, ricart_agrawala};
use labs::check::{Channels, Options, check};
use labs::verdict::{Property, Times};
use stateright::actor::{Actor, ActorModel, Network};
use stateright::{Checker, Model};

fn mutual_exclusion() -> Property {
    Property::pairwise_ordered("mutual exclusion", "Entered", "Left")
}

fn stateright_states<A>(model: ActorModel<A>) -> usize
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

#[test]
fn chang_roberts_has_as_many_states() {
    for (processes, states) in [(2, 7), (3, 14), (4, 27), (5, 52), (6, 101)] {
        let ours =
            check(chang_roberts::ring(processes), Vec::new(), &[], &Options::default(), |_| ());
        let theirs = stateright_states(chang_roberts::model(processes as usize));
        assert_eq!((ours.states, theirs), (states, states), "{processes} processes");
    }
}

#[test]
fn ricart_agrawala_has_as_many_states() {
    let networks = [
        (Channels::Fifo, Network::new_ordered([]), 150),
        (Channels::Unordered, Network::new_unordered_nonduplicating([]), 280),
    ];
    for (channels, network, states) in networks {
        let options = Options { channels, ..Options::default() };
        let group = ricart_agrawala::group(3, 1);
        let ours = check(group.clone(), Vec::new(), &[], &options, |_| ());
        let theirs = stateright_states(ricart_agrawala::model(&group, network));
        assert_eq!((ours.states, theirs), (states, states), "{channels:?}");
    }
}

#[test]
fn ricart_agrawala_excludes() {
    let enters = Property::each("everyone enters", "Entered", Times::Exactly(2));
    let properties = [mutual_exclusion(), enters];
    let group = ricart_agrawala::group(2, 2);
    let outcome = check(group, Vec::new(), &properties, &Options::default(), |_| ());
    assert_eq!(outcome.holds(), Some(true), "{:#?}", outcome.verdicts);
}

/// What the monitors of channels remember is forgotten as soon as it does not matter.
#[test]
fn watching_the_channels_costs_no_states() {
    for channels in [Channels::Fifo, Channels::Unordered] {
        let options = Options { channels, ..Options::default() };
        let states = |properties: &[Property]| {
            let group = ricart_agrawala::group(3, 1);
            check(group, Vec::new(), properties, &options, |_| ()).states
        };
        assert_eq!(states(&[Property::exactly_once()]), states(&[]), "{channels:?}");
        if channels == Channels::Fifo {
            assert_eq!(states(&[Property::fifo()]), states(&[]));
        }
    }
}

#[test]
fn politeness_does_not_exclude() {
    let group = ricart_agrawala::broken_group(2, 1);
    let outcome = check(group, Vec::new(), &[mutual_exclusion()], &Options::default(), |_| ());
    assert_eq!(outcome.holds(), Some(false));
    let counterexample = outcome.counterexample.unwrap();
    let story = concat!(
        "mutual exclusion is violated: p0 enters while p1 is inside\n",
        "  p0 → p1 Ask { at: 1 }\n",
        "  p1 → p0 Ask { at: 1 }\n",
        "  p0 → p1 Agree\n",
        "  p1 → p0 Agree\n",
    );
    assert_eq!(counterexample.to_string(), story);
}

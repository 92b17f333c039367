//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{
    EVENTUAL_ACCURACY, LISTS_AGREE, ONE_LIST, STRONG_COMPLETENESS, broken_system, checked, set,
    simulate, specs,
};
use failure_detector::broken::Broken;
use labs::check::{Counterexample, Options as Search, check};
use labs::process::Process;
use labs::simulate::Network;
use labs::testing::{judged_again, violated};
use labs::trace::Header;
use labs::verdict::{End, Judge, Spec};

/// Each mistake, a property that names it in every simulated run, and the length of the shortest run of four
/// processes that breaks this property alone.
const MISTAKES: [(Broken, &str, usize); 5] = [
    (Broken::NeverSuspects, STRONG_COMPLETENESS, 2),
    (Broken::SuspectsForEver, EVENTUAL_ACCURACY, 7),
    (Broken::ForgetsToTell, STRONG_COMPLETENESS, 17),
    (Broken::ForgetsToTell, LISTS_AGREE, 17),
    (Broken::ListsTwice, ONE_LIST, 2),
];

/// One process is stopped for a second and one dies, early enough for everyone to know.
const FAULTS: &str = "stop 3 from 1s to 2s; kill 4 at 2s";

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        for seed in 0..100 {
            let options = set(3, 60);
            let all = broken_system(6, &options, how);
            let demanded = specs(6, &options);
            let (verdicts, ..) = simulate(seed, Network::default(), FAULTS, all, &demanded);
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
        }
    }
}

/// The one property of this name.
fn only(property: &str, demanded: Vec<Spec>) -> Vec<Spec> {
    let name = |spec: &Spec| {
        let judge = Judge::new(std::slice::from_ref(spec), 4);
        judge.verdicts(&End::Complete).remove(0).name
    };
    let one: Vec<_> = demanded.into_iter().filter(|spec| name(spec) == property).collect();
    assert_eq!(one.len(), 1, "{property}");
    one
}

#[test]
fn checked_in_all_orders() {
    let options = checked(1, 2);
    let lengths = MISTAKES.map(|(how, property, _)| {
        let demanded = only(property, specs(4, &options));
        let all = broken_system(4, &options, how);
        // What one detector keeps to itself shows only where the lists come to differ for good.
        let search = Search { crashes: 1, timeouts: 2, ..Search::default() };
        let counterexample = counterexample(all, &demanded, &search);
        assert_eq!(counterexample.property, property, "{how:?}");
        assert_saved_trace_shows_it(&counterexample, &demanded);
        (how, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
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
        lab: "failure-detector".to_owned(),
        verb: "check".to_owned(),
        run: "checked".to_owned(),
        processes: 4,
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

//! Cases are drawn, typed and shrunk.

use std::time::Duration;

use super::*;
use crate::chance::Chance;
use crate::faults::{Action, Assumption, Fault, Plan, Toll};

const ALL: &[Assumption] = &[
    Assumption::Fifo,
    Assumption::Reliable,
    Assumption::NoDuplicates,
    Assumption::NoCrash,
    Assumption::BoundedDelay,
];

fn scene(assumes: &'static [Assumption]) -> Scene {
    Scene {
        grounds: Grounds::USUAL,
        assumes,
        recovers: vec![true, false, false, false, false],
        survives: vec![false, true, true, true, true],
        kinds: vec!["ASK", "TELL"],
        has_requests: true,
        lasts: None,
    }
}

fn drawn(assumes: &'static [Assumption], number: u64) -> Case {
    let mut dice = Dice::new(7, number);
    let mut case = draw_options(&mut dice, &Grounds::USUAL, 2, &Fixed::default());
    draw_trouble(&mut dice, &scene(assumes), &mut case);
    case
}

/// As if each rule had struck.
fn struck(plan: &Plan) -> Toll {
    let mut toll = Toll::default();
    (0..plan.rules().len()).for_each(|rule| toll.add(rule, 1));
    toll
}

#[test]
fn a_case_depends_on_its_seed_and_number_alone() {
    for number in 0..100 {
        assert_eq!(drawn(&[], number), drawn(&[], number));
    }
    assert!((1..100).any(|number| drawn(&[], number) != drawn(&[], 0)));
}

#[test]
fn no_case_takes_away_what_is_assumed() {
    let each = [&ALL[..0], &ALL[..1], &ALL[1..2], &ALL[2..3], &ALL[3..4], &ALL[4..], ALL];
    for assumes in each {
        for number in 0..500 {
            let Case { weather, faults, .. } = drawn(assumes, number);
            let has = |assumption| assumes.contains(&assumption);
            let broken = faults.broken(assumes, &struck(&faults), 5);
            assert!(broken.is_empty(), "{faults}: {broken:?}");
            assert!(!has(Assumption::Reliable) || weather.loss == Chance::NEVER);
            assert!(!has(Assumption::NoDuplicates) || weather.duplication == Chance::NEVER);
            let is_unordered = weather.unordered || weather.reordering != Chance::NEVER;
            assert!(!has(Assumption::Fifo) || !is_unordered);
        }
    }
}

#[test]
fn a_process_that_must_come_back_does() {
    for number in 0..500 {
        let faults = drawn(&[], number).faults;
        let dead = faults.dead_for_good(&struck(&faults));
        assert!(dead.iter().all(|process| process.0 != 0), "{faults}");
    }
}

#[test]
fn a_minority_dies_at_the_most() {
    for number in 0..500 {
        let faults = drawn(&[Assumption::MajorityLives], number).faults;
        let killed = faults.rules().iter();
        let killed = killed.filter(|rule| matches!(rule.fault, Fault::Process(Action::Kill, _)));
        assert!(killed.count() <= 2, "{faults}");
    }
}

#[test]
fn a_plan_that_is_drawn_can_be_typed() {
    for number in 0..500 {
        let faults = drawn(&[], number).faults;
        assert!(faults.validate(5).is_ok(), "{faults}");
        assert_eq!(faults.to_string().parse(), Ok(faults));
    }
}

#[test]
fn every_kind_of_trouble_is_drawn_and_left_out() {
    let cases: Vec<_> = (0..500).map(|number| drawn(&[], number)).collect();
    let some = |is_so: &dyn Fn(&Case) -> bool| {
        let count = cases.iter().filter(|case| is_so(case)).count();
        assert!((20..480).contains(&count), "{count}");
    };
    some(&|case| case.weather.latency.is_some());
    some(&|case| !case.weather.slow.is_empty());
    some(&|case| case.weather.loss != Chance::NEVER);
    some(&|case| case.weather.duplication != Chance::NEVER);
    some(&|case| case.weather.reordering != Chance::NEVER);
    some(&|case| case.weather.unordered);
    some(&|case| case.weather.requests_within > Duration::ZERO);
    for kind in ["delay", "drop", "partition", "stop", "kill", "restart"] {
        some(&|case| case.faults.to_string().contains(kind));
    }
}

#[test]
fn words_say_the_whole_case() {
    let case = Case {
        seed: 9,
        processes: Some(3),
        own: vec![("--laps", "2".to_owned())],
        weather: Weather {
            latency: Some(Duration::from_micros(1_500)..=Duration::from_millis(20)),
            loss: Chance::percent(10),
            unordered: true,
            ..Weather::default()
        },
        faults: "kill 1 at 5ms".parse().unwrap(),
    };
    let words = "-n 3 --laps 2 --latency 1.5..20 --loss 10% --faults | kill 1 at 5ms | --seed 9 --unordered";
    let words: Vec<_> = words
        .split(" | ")
        .flat_map(|part| match part.starts_with('k') {
            true => vec![part],
            false => part.split(' ').collect(),
        })
        .collect();
    assert_eq!(case.words(), words);
    assert_eq!(Case { seed: 1, ..Case::default() }.words(), [""; 0]);
}

/// It shows where p1 dies, messages are lost, and there are three processes or more.
fn shows(case: &Case) -> Option<Hunted> {
    let processes = case.processes.unwrap_or(5);
    let kills = case.faults.rules().iter().any(|rule| rule.to_string().starts_with("kill 1"));
    let laps = case.own.iter().find(|(option, _)| *option == "--laps");
    let laps = laps.map_or(5, |(_, laps)| laps.parse().unwrap());
    (kills && case.weather.loss != Chance::NEVER && processes >= 3).then(|| Hunted {
        case: case.clone(),
        processes,
        events: 10 * laps,
    })
}

#[test]
fn only_what_is_needed_is_left() {
    const LAPS: &[Dial] = &[Dial::numbers("--laps", 1, 9)];
    let grounds = Grounds { dials: LAPS, ..Grounds::USUAL };
    let case = Case {
        seed: 345,
        processes: Some(7),
        own: vec![("--laps", "6".to_owned())],
        weather: Weather {
            latency: Some(Duration::from_millis(3)..=Duration::from_millis(77)),
            slow: Vec::new(),
            loss: Chance::percent(17),
            duplication: Chance::percent(5),
            ..Weather::default()
        },
        faults: "stop 6 from 3ms to 9ms; kill 1 at 345ms; partition 0,1|5,6 from 1ms to 2ms"
            .parse()
            .unwrap(),
    };
    let found = shows(&case).unwrap();
    let mut runs = 0;
    let mut run = |case: &Case| {
        runs += 1;
        shows(case)
    };
    let smallest = shrink(found, &grounds, Some(2), &[], &mut run);
    let words = smallest.case.words().join(" ");
    assert_eq!(words, "-n 3 --laps 1 --loss 17% --faults kill 1 at 300ms");
    assert!(runs <= TRIES_MAX, "{runs}");
    // What is given stays.
    let found = shows(&case).unwrap();
    let fixed = ["--laps".to_owned()];
    let smallest = shrink(found, &grounds, None, &fixed, &mut |case| shows(case));
    let words = smallest.case.words().join(" ");
    assert_eq!(words, "--laps 6 --loss 17% --faults kill 1 at 300ms");
}

#[test]
fn shrinking_ends_where_everything_shows() {
    let case = drawn(&[], 3);
    let run = |case: &Case| {
        let processes = case.processes.unwrap_or(5);
        Some(Hunted { case: case.clone(), processes, events: 1 })
    };
    let smallest = shrink(run(&case).unwrap(), &Grounds::USUAL, Some(2), &[], &mut { run });
    assert_eq!(smallest.case.words(), ["-n", "2"]);
}

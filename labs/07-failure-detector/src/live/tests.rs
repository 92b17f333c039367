use std::time::Duration;

use labs::lab::Screen;
use labs::process::ProcessId;
use labs::trace::{Note, TraceEvent, What};

use super::*;
use crate::lists::List;
use crate::two_levels::{Listed, Settings};

fn event(process: u32, at_us: u64, what: What) -> TraceEvent {
    TraceEvent { process: ProcessId(process), n: 1, clock: None, lamport: 1, at_us, what }
}

/// What is said of six processes to a program.
struct Ear(Table);

impl Ear {
    fn new() -> Self {
        let interval = Duration::from_millis(250);
        Self(Table::new(Settings { interval, threshold: 3, rounds: 80 }, 6))
    }

    fn hears(&mut self, detector: u32, at_us: u64, indication: &Indication) -> Option<Value> {
        let what = What::Indication(Note::of(indication));
        self.0.on_event_json(&event(detector, at_us, what))
    }
}

fn round(number: u32, answered: [u32; 3]) -> Indication {
    let watched = [1, 2, 4].map(ProcessId);
    let answered = watched.into_iter().zip(answered).collect();
    Indication::Round { round: number, alive: 6, dead: 0, unknown: 0, answered }
}

fn listed(process: u32, by: u32, on: List) -> Listed {
    Listed { process: ProcessId(process), by: ProcessId(by), on: vec![on] }
}

#[test]
fn a_change_says_where_the_process_stands() {
    let mut ear = Ear::new();
    ear.hears(0, 1_500_000, &round(6, [5, 5, 2]));
    let suspect = Indication::Suspect(listed(4, 0, List::Dead));
    let expected = json!({
        "event": "suspect", "at_s": 1.75, "detector": 0, "by": 0,
        "process": 4, "sent": 6, "answered": 2, "state": "dead", "since_s": 1.75,
    });
    assert_eq!(ear.hears(0, 1_750_000, &suspect), Some(expected));
    // p1 heard of it, and has it on its own list since then.
    let told = ear.hears(1, 1_752_000, &suspect).unwrap();
    assert_eq!((&told["detector"], &told["by"]), (&json!(1), &json!(0)));
    assert_eq!((&told["answered"], &told["since_s"]), (&json!(2), &json!(1.752)));
    let restore = Indication::Restore(listed(4, 0, List::Alive));
    let restored = ear.hears(0, 2_000_000, &restore).unwrap();
    assert_eq!((&restored["event"], &restored["state"]), (&json!("restore"), &json!("alive")));
    let doubt = ear.hears(0, 3_000_000, &Indication::Doubt(listed(3, 0, List::Unknown))).unwrap();
    // Its own detector has told nothing yet.
    assert_eq!((&doubt["event"], &doubt["state"]), (&json!("doubt"), &json!("unknown")));
    assert_eq!((&doubt["sent"], &doubt["answered"]), (&json!(0), &Value::Null));
}

#[test]
fn a_round_lists_all_that_the_detector_watches() {
    let mut ear = Ear::new();
    ear.hears(0, 1_750_000, &Indication::Suspect(listed(4, 0, List::Dead)));
    let standing = |process, answered, state, since_s: f64| json!({ "process": process, "sent": 7, "answered": answered, "state": state, "since_s": since_s });
    let expected = json!({
        "event": "round", "at_s": 1.76, "detector": 0, "sent": 7,
        "processes": [
            standing(1, 6, "alive", 0.0),
            standing(2, 7, "alive", 0.0),
            standing(4, 2, "dead", 1.75),
        ],
    });
    assert_eq!(ear.hears(0, 1_760_000, &round(7, [6, 7, 2])), Some(expected));
}

#[test]
fn deaths_and_the_detectors_ends_are_told() {
    let mut ear = Ear::new();
    let died = ear.0.on_event_json(&event(4, 5_000_000, What::Crash(None)));
    assert_eq!(died, Some(json!({ "event": "died", "at_s": 5.0, "process": 4 })));
    let finished = json!({ "event": "finished", "at_s": 9.0, "detector": 1 });
    assert_eq!(ear.hears(1, 9_000_000, &Indication::Finished), Some(finished));
    assert_eq!(ear.hears(2, 1_000, &Indication::Finished), None);
}

#[test]
fn what_no_detector_says_of_none_of_them_is_nothing() {
    let mut ear = Ear::new();
    let stranger = Indication::Suspect(listed(77, 0, List::Dead));
    assert_eq!(ear.hears(0, 9, &stranger), None);
    assert_eq!(ear.hears(3, 9, &Indication::Suspect(listed(2, 3, List::Dead))), None);
    assert_eq!(ear.hears(3, 9, &round(1, [0, 0, 0])), None);
    assert_eq!(ear.0.on_event_json(&event(9, 9, What::Crash(None))), None);
}

use labs::process::{Choices, Effect, EffectOf, Env, Event, EventOf, step};

use super::*;

fn detector() -> TwoLevels {
    let settings = Settings { interval: Duration::from_millis(100), threshold: 1, rounds: 9 };
    TwoLevels::new(DETECTORS[0], 6, settings)
}

fn take(process: &mut TwoLevels, event: EventOf<TwoLevels>) -> Vec<EffectOf<TwoLevels>> {
    let env = Env { me: DETECTORS[0], processes: 6, now: None };
    step(process, env, &mut Choices::default(), event)
}

fn receive(process: &mut TwoLevels, from: u32, message: Message) -> Vec<EffectOf<TwoLevels>> {
    take(process, Event::Message { from: ProcessId(from), message })
}

#[test]
fn everyone_is_watched_by_one_detector_and_no_one_by_itself() {
    let watchers = (0..6).map(ProcessId).map(watcher).map(|process| process.0);
    assert_eq!(watchers.collect::<Vec<_>>(), [1, 0, 0, 1, 0, 1]);
}

/// Only p1 can know of p3 and p5, and of nobody else.
#[test]
fn what_the_other_detector_cannot_know_changes_nothing() {
    let change = |process| Change { process: ProcessId(process), number: 1 };
    for (from, process) in [(3, 3), (0, 3), (1, 0), (1, 1), (1, 2), (1, 7), (1, u32::MAX)] {
        let mut one = detector();
        let effects = receive(&mut one, from, Message::Suspect(change(process)));
        assert_eq!((effects, &one), (Vec::new(), &detector()), "p{process} by p{from}");
    }
    let mut one = detector();
    assert_eq!(receive(&mut one, 1, Message::Suspect(change(3))).len(), 2, "noted and said");
    assert_eq!(one.detector().unwrap().lists().of(ProcessId(3)), [List::Dead]);
}

#[test]
fn answers_that_were_not_asked_for_change_nothing() {
    let mut one = detector();
    for (from, number) in [(2, 1), (2, u32::MAX), (3, 0), (5, 1)] {
        assert_eq!(receive(&mut one, from, Message::Alive(number)), Vec::new());
    }
    let noted = Change { process: ProcessId(2), number: 1 };
    assert_eq!(receive(&mut one, 1, Message::Noted(noted)), Vec::new());
    assert_eq!(one, detector());
}

#[test]
fn a_watched_process_answers_and_keeps_quiet_otherwise() {
    let change = Change { process: ProcessId(3), number: 1 };
    let mut one = TwoLevels::Watched;
    let answer = Effect::Send { to: DETECTORS[1], message: Message::Alive(7) };
    assert_eq!(receive(&mut one, 1, Message::Heartbeat(7)), [answer]);
    for message in [Message::Alive(1), Message::Suspect(change), Message::Noted(change)] {
        assert_eq!(receive(&mut one, 1, message), Vec::new());
    }
}

#[test]
fn after_its_last_round_a_detector_starts_no_timer() {
    let mut one = detector();
    for round in 1..=9 {
        let effects = take(&mut one, Event::Timeout(Timer::Interval));
        let starts = effects.iter().any(|e| matches!(e, Effect::StartTimer { .. }));
        let finishes = effects.contains(&Effect::Indicate(Indication::Finished));
        assert_eq!((starts, finishes), (round < 9, round == 9), "round {round}");
    }
}

use super::*;

const ONE: ProcessId = ProcessId(2);

fn behind(by: u32) -> Heartbeats {
    let mut heartbeats = Heartbeats::new([ONE], 2);
    for _ in 0..by {
        heartbeats.beat();
    }
    heartbeats
}

#[test]
fn only_a_gap_beyond_the_threshold_is_silence() {
    assert!(!behind(2).is_silent(ONE));
    assert_eq!(behind(3).silent().collect::<Vec<_>>(), [ONE]);
}

#[test]
fn any_answer_within_the_threshold_ends_it() {
    let mut heartbeats = behind(9);
    heartbeats.answer(ONE, 6);
    assert!(heartbeats.is_silent(ONE));
    heartbeats.answer(ONE, 7);
    assert!(!heartbeats.is_silent(ONE));
    heartbeats.answer(ONE, 1);
    assert!(!heartbeats.is_silent(ONE), "an old answer takes nothing back");
}

#[test]
fn what_no_process_can_say_changes_nothing() {
    let mut heartbeats = behind(3);
    let before = heartbeats.clone();
    heartbeats.answer(ONE, 4);
    heartbeats.answer(ProcessId(9), 1);
    assert_eq!(heartbeats, before);
    assert!(!heartbeats.is_silent(ProcessId(9)));
}

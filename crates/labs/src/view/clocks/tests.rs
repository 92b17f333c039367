use super::*;
use crate::trace::MessageNote;

/// Messages, each from a process at a time of its clock to another at a time of that one's clock.
fn shifts(messages: &[(u32, u64, u32, u64)]) -> Vec<i64> {
    let mut clocks = Clocks::default();
    for (n, &(from, sent, to, arrived)) in (1..).zip(messages) {
        let (from, to) = (ProcessId(from), ProcessId(to));
        let id = MessageId { process: from, n };
        let (kind, text) = (String::new(), String::new());
        let message = MessageNote { id, kind, text, bytes: 0, data: Default::default() };
        let event =
            |process, at_us, what| TraceEvent { process, n, clock: None, lamport: n, at_us, what };
        clocks.observe(&event(from, sent, What::Send { peer: to, message: message.clone() }));
        clocks.observe(&event(to, arrived, What::Receive { peer: from, message }));
    }
    clocks.shifts()
}

#[test]
fn clocks_that_no_message_contradicts_are_left_alone() {
    assert_eq!(shifts(&[]), [0; 0]);
    assert_eq!(shifts(&[(0, 5, 1, 5), (1, 7, 0, 90)]), [0; 0]);
}

#[test]
fn a_clock_that_is_behind_is_shifted_by_the_least_that_is_needed() {
    // p1 is 5 s behind p0, and messages take 1 and 2 ms.
    let there = (0, 6_000_000, 1, 1_001_000);
    let back = (1, 1_500_000, 0, 6_502_000);
    assert_eq!(shifts(&[there, back]), [0, 4_999_000]);
}

#[test]
fn a_shift_goes_on_along_a_chain_and_round_a_ring() {
    // Each clock is 1 s behind the one before, and each message takes 10 ms.
    let chain = [(0, 9_000_000, 1, 8_010_000), (1, 8_020_000, 2, 7_030_000)];
    assert_eq!(shifts(&chain), [0, 990_000, 1_980_000]);
    let back = (2, 7_040_000, 0, 9_050_000);
    assert_eq!(shifts(&[chain[1], chain[0], back]), [0, 990_000, 1_980_000]);
}

#[test]
fn clocks_that_contradict_themselves_come_to_an_end() {
    // Both arrive before they were sent: one of the clocks was set in between.
    let set = [(0, 1_000, 1, 0), (1, 1_000, 0, 0)];
    assert_eq!(shifts(&set).iter().min(), Some(&0));
    let odd = [(0, u64::MAX, 1, 0), (1, u64::MAX, 0, 0), (1, 3, 2, 0)];
    assert_eq!(shifts(&odd).len(), 3);
}

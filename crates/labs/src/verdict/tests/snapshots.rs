//! The monitors of snapshots.

use super::Story;
use crate::trace::{Note, What};
use crate::verdict::{End, Spec};

/// Processes that say `Cut(wave)` and `Recorded(...)`, and send each other `M`.
impl Story {
    fn notes(self, process: u32, kind: &str, text: &str) -> Self {
        let note = Note { kind: kind.to_owned(), text: format!("{kind}({text})") };
        self.event(process, |_| What::Indication(note))
    }

    fn cut(self, process: u32, wave: &str) -> Self {
        self.notes(process, "Cut", wave)
    }

    fn recorded(self, process: u32, what: &str) -> Self {
        self.notes(process, "Recorded", what)
    }
}

fn cut() -> Spec {
    Spec::ConsistentCut { cut: "Cut".to_owned(), message: "M".to_owned() }
}

fn channels() -> Spec {
    let [cut, recorded, message] = ["Cut", "Recorded", "M"].map(str::to_owned);
    Spec::ChannelStates { cut, recorded, message }
}

fn total(total: u64) -> Spec {
    Spec::Conservation { recorded: "Recorded".to_owned(), total }
}

fn markers(waves: u64) -> Spec {
    Spec::Markers { cut: "Cut".to_owned(), message: "MARKER".to_owned(), waves }
}

fn every_wave(waves: u64) -> Spec {
    Spec::EveryWave { recorded: "Recorded".to_owned(), waves }
}

fn blocked() -> Spec {
    let [cut, recorded, message] = ["Cut", "Recorded", "M"].map(str::to_owned);
    Spec::Blocked { cut, recorded, message }
}

#[test]
fn a_message_may_cross_a_cut_forwards_and_not_backwards() {
    let forwards = Story::of(2, cut()).sends(0, 1, "M").cut(0, "1@p0").cut(1, "1@p0");
    assert_eq!(forwards.receives(1, 0, 1, "M").holds(), Some(true));
    let backwards = Story::of(2, cut()).cut(0, "1@p0").sends(0, 1, "M");
    let backwards = backwards.receives(1, 0, 2, "M").cut(1, "1@p0").verdict(&End::Complete);
    assert_eq!(backwards.holds, Some(false));
    let witnesses: Vec<_> = backwards.witnesses.iter().map(ToString::to_string).collect();
    assert_eq!(witnesses, ["p0#1", "p1#1"]);
}

/// The cut of p2 knows an event of p0 after p0's cut, by way of p1, whose cut is where the chain crosses.
#[test]
fn a_chain_of_messages_may_not_cross_a_cut_backwards_either() {
    let chain = Story::of(3, cut()).cut(0, "1@p0").sends(0, 1, "M").receives(1, 0, 2, "M");
    let chain = chain.sends(1, 2, "M").receives(2, 1, 2, "M").cut(2, "1@p0").cut(1, "1@p0");
    assert_eq!(chain.holds(), Some(false));
}

#[test]
fn a_marker_and_another_wave_are_no_matter_of_a_cut() {
    let marker = Story::of(2, cut()).cut(0, "1@p0").sends(0, 1, "MARKER");
    assert_eq!(marker.receives(1, 0, 2, "MARKER").cut(1, "1@p0").holds(), Some(true));
    // p1 has passed wave 1, and not wave 2, which p0 passes after sending.
    let waves = Story::of(2, cut()).cut(0, "1@p0").cut(1, "1@p0").sends(0, 1, "M");
    assert_eq!(waves.cut(0, "2@p0").receives(1, 0, 2, "M").cut(1, "2@p0").holds(), Some(true));
    // Both pass wave 1, and the message crosses wave 1 of the other initiator from behind.
    let other = Story::of(2, cut()).cut(0, "1@p0").cut(1, "1@p0").cut(0, "1@p1");
    assert_eq!(other.sends(0, 1, "M").receives(1, 0, 3, "M").holds(), Some(false));
}

/// p0 sends three messages: one arrives before p1's cut, one after it, and one is sent after p0's own cut.
fn three_messages() -> Story {
    let story = Story::of(2, channels()).sends(0, 1, "M").sends(0, 1, "M").cut(0, "1@p0");
    let story = story.sends(0, 1, "M").receives(1, 0, 1, "M").cut(1, "1@p0");
    story.receives(1, 0, 2, "M").recorded(0, "1@p0, worth 0")
}

#[test]
fn what_is_in_transit_must_be_recorded_and_nothing_else() {
    let right = three_messages().recorded(1, "1@p0, worth 0, p0: 1").verdict(&End::Complete);
    assert_eq!((right.holds, &*right.detail), (Some(true), "1 message in transit on 2 channels"));
    let forgotten = three_messages().recorded(1, "1@p0, worth 0").verdict(&End::Complete);
    assert!(forgotten.detail.contains("did not record 1 of them"), "{forgotten:?}");
    let late = three_messages().receives(1, 0, 4, "M").recorded(1, "1@p0, worth 0, p0: 1-2");
    assert!(late.verdict(&End::Complete).detail.contains("recorded 1 more"));
    let twice = three_messages().recorded(1, "1@p0, worth 0, p0: 1 1").verdict(&End::Complete);
    assert!(twice.detail.contains("in another order or twice"), "{twice:?}");
    let invented = three_messages().recorded(1, "1@p0, worth 0, p0: 1-2").verdict(&End::Complete);
    assert!(invented.detail.contains("than arrived since its cut"), "{invented:?}");
    let uncut = Story::of(2, channels()).recorded(1, "1@p0, worth 0").verdict(&End::Complete);
    assert!(uncut.detail.contains("was not cut by it"), "{uncut:?}");
}

/// The receiver is cut first: what it gets until the sender's cut is in transit, in the order of sending.
#[test]
fn what_is_in_transit_is_known_whoever_is_cut_first() {
    let story = || {
        let story = Story::of(2, channels()).sends(0, 1, "M").cut(1, "1@p0").sends(0, 1, "M");
        story.sends(0, 1, "M")
    };
    let fifo = story().receives(1, 0, 1, "M").receives(1, 0, 2, "M").cut(0, "1@p0");
    let right = fifo.receives(1, 0, 3, "M").recorded(1, "1@p0, worth 0, p0: 1-3");
    assert_eq!(right.holds(), Some(true));
    let unordered = story().receives(1, 0, 2, "M").receives(1, 0, 1, "M").receives(1, 0, 3, "M");
    let wrong = unordered.recorded(1, "1@p0, worth 0, p0: 1-3").cut(0, "1@p0");
    assert!(wrong.verdict(&End::Complete).detail.contains("in another order"));
    // Recorded before the last of them has arrived.
    let early = story().receives(1, 0, 1, "M").receives(1, 0, 2, "M").cut(0, "1@p0");
    assert_eq!(early.recorded(1, "1@p0, worth 0, p0: 1-2").holds(), Some(false));
}

#[test]
fn a_message_that_is_lost_is_not_in_transit() {
    let lost = Story::of(2, channels()).sends(0, 1, "M").loses(0, 1, 1, "M").cut(0, "1@p0");
    assert_eq!(lost.cut(1, "1@p0").recorded(1, "1@p0, worth 0").holds(), Some(true));
}

#[test]
fn the_total_is_that_of_all_processes_of_one_wave() {
    let right = Story::of(2, total(10)).recorded(0, "1@p0, worth 4").recorded(0, "1@p1, worth 5");
    let right = right.recorded(1, "1@p1, worth 5").recorded(1, "1@p0, worth 6");
    assert_eq!(right.holds(), Some(true));
    assert_eq!(right.verdict(&End::Complete).detail, "10 in each of 2 waves");
    let wrong = Story::of(2, total(10)).recorded(0, "1@p0, worth 4");
    assert_eq!(wrong.recorded(1, "1@p0, worth 5").holds(), Some(false));
    let incomplete = Story::of(2, total(10)).recorded(0, "1@p0, worth 4");
    assert_eq!(incomplete.holds(), None);
}

#[test]
fn one_marker_on_each_channel_for_each_wave() {
    let cut = || Story::of(2, markers(1)).cut(0, "1@p0").sends(0, 1, "MARKER").cut(1, "1@p0");
    assert_eq!(cut().sends(1, 0, "MARKER").holds(), Some(true));
    assert_eq!(cut().holds(), Some(false), "p1 sent none");
    let why = End::CutShort("time-out".to_owned());
    assert_eq!(cut().verdict(&why).holds, None);
    assert_eq!(cut().sends(0, 1, "MARKER").holds(), Some(false), "a second one");
    assert_eq!(Story::of(2, markers(1)).sends(1, 0, "MARKER").holds(), Some(false), "too early");
}

#[test]
fn every_wave_is_recorded_once_by_each() {
    let one = || Story::of(2, every_wave(1)).recorded(0, "1@p0, worth 0");
    assert_eq!(one().recorded(1, "1@p0, worth 0").holds(), Some(true));
    assert_eq!(one().holds(), Some(false));
    assert_eq!(one().verdict(&End::CutShort("time-out".to_owned())).holds, None);
    assert_eq!(one().recorded(0, "1@p0, worth 0").holds(), Some(false), "twice");
    assert_eq!(one().recorded(1, "2@p0, worth 0").holds(), Some(false), "another wave");
    assert_eq!(Story::of(2, every_wave(1)).holds(), Some(false), "none");
}

#[test]
fn nothing_of_the_application_leaves_a_blocked_process() {
    let blocking = || Story::of(2, blocked()).sends(0, 1, "M").cut(0, "1@p0").sends(1, 0, "M");
    let right = blocking().sends(0, 1, "MARKER").recorded(0, "1@p0, worth 0").sends(0, 1, "M");
    assert_eq!(right.holds(), Some(true));
    assert_eq!(blocking().sends(0, 1, "M").holds(), Some(false));
    // One of two waves is over.
    let two = blocking().cut(0, "1@p1").recorded(0, "1@p0, worth 0").sends(0, 1, "M");
    assert_eq!(two.holds(), Some(false));
}

/// A text that was too long for the trace is no reason to say that anything holds.
#[test]
fn what_cannot_be_read_is_not_judged() {
    for spec in [channels(), total(1), every_wave(1)] {
        let cut_off = Story::of(2, spec).cut(0, "1@p0").event(0, |_| {
            let text = "Recorded(1@p0, worth 1, p1: 1-…".to_owned();
            What::Indication(Note { kind: "Recorded".to_owned(), text })
        });
        let verdict = cut_off.verdict(&End::Complete);
        assert_eq!(verdict.holds, None, "{verdict:?}");
        assert!(verdict.detail.contains("cannot be read"), "{verdict:?}");
    }
}

//! Each property on runs that keep it, and on each way to break it.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::testing::Story;
use labs::verdict::{End, Property};

use super::ticks::TICK;
use super::*;
use crate::bank::Transfer;
use crate::counter::Count;
use crate::snapshot::{Message, Part, Recorded};
use crate::wave::Wave;
use crate::work::{self, Work};

/// Processes that are cut, record and hear of markers, and send each other `M`.
trait Telling: Sized {
    fn told(self, process: u32, indication: &Indication<Work>) -> Self;

    fn cut(self, process: u32, wave: &str) -> Self {
        self.told(process, &Indication::Cut(named(wave)))
    }

    fn marked(self, process: u32, wave: &str) -> Self {
        self.told(process, &Indication::Marked(named(wave)))
    }

    /// It recorded a state of this worth, and nothing in transit.
    fn recorded(self, process: u32, wave: &str, worth: u64) -> Self {
        let (wave, state, channels) = (named(wave), Vec::new(), BTreeMap::new());
        self.completed(process, Recorded { wave, worth, state, channels })
    }

    /// It recorded that messages were in transit to it, at these places of one channel.
    fn recorded_from(self, process: u32, wave: &str, from: u32, places: &[u64]) -> Self {
        let runs = places.iter().map(|&place| (place, place)).collect();
        let channels = BTreeMap::from([(ProcessId(from), runs)]);
        let (wave, state) = (named(wave), Vec::new());
        self.completed(process, Recorded { wave, worth: 0, state, channels })
    }

    fn completed(self, process: u32, recorded: Recorded) -> Self {
        self.told(process, &Indication::Recorded(Part { recorded, recording: None }))
    }
}

impl Telling for Story {
    fn told(self, process: u32, indication: &Indication<Work>) -> Self {
        self.tells(process, indication)
    }
}

fn named(wave: &str) -> Wave {
    wave.parse().unwrap()
}

/// A run that is judged by the property of this name, of two waves with the total 10.
fn judged_by(processes: u32, property: &str, waves: u64) -> Story {
    let mut all = demanded::<Work>(processes, waves, 1, Some(10), Protocol::Blocking);
    all.retain(|demanded: &Property| demanded.name == property);
    Story::of(processes, all.remove(0))
}

fn cuts(processes: u32) -> Story {
    judged_by(processes, "consistent cut", 1)
}

fn channels(processes: u32) -> Story {
    judged_by(processes, "channel states are the messages in transit", 1)
}

fn total() -> Story {
    judged_by(2, "the total is conserved", 1)
}

fn markers(waves: u64) -> Story {
    judged_by(2, "one marker a channel and wave", waves)
}

fn every_wave() -> Story {
    judged_by(2, "every wave is recorded by all", 1)
}

fn cut_short() -> End {
    End::CutShort("time-out".to_owned())
}

#[test]
fn a_message_may_cross_a_cut_forwards_and_not_backwards() {
    let forwards = cuts(2).sends(0, 1, "M").cut(0, "1@p0").cut(1, "1@p0");
    assert_eq!(forwards.receives(1, 0, 1, "M").holds(), Some(true));
    let backwards = cuts(2).cut(0, "1@p0").sends(0, 1, "M").receives(1, 0, 2, "M");
    let backwards = backwards.cut(1, "1@p0").verdict(&End::Complete);
    assert_eq!(backwards.holds(), Some(false));
    let witnesses: Vec<_> = backwards.witnesses().iter().map(ToString::to_string).collect();
    assert_eq!(witnesses, ["p0#1", "p1#1"]);
}

/// The cut of p2 knows an event of p0 after p0's cut, by way of p1, whose cut is where the chain crosses.
#[test]
fn a_chain_of_messages_may_not_cross_a_cut_backwards_either() {
    let chain = cuts(3).cut(0, "1@p0").sends(0, 1, "M").receives(1, 0, 2, "M");
    let chain = chain.sends(1, 2, "M").receives(2, 1, 2, "M").cut(2, "1@p0").cut(1, "1@p0");
    assert_eq!(chain.holds(), Some(false));
}

#[test]
fn a_marker_and_another_wave_are_no_matter_of_a_cut() {
    let marker = cuts(2).cut(0, "1@p0").sends(0, 1, MARKER);
    assert_eq!(marker.receives(1, 0, 2, MARKER).cut(1, "1@p0").holds(), Some(true));
    // p1 has passed wave 1, and not wave 2, which p0 passes after sending.
    let waves = cuts(2).cut(0, "1@p0").cut(1, "1@p0").sends(0, 1, "M");
    assert_eq!(waves.cut(0, "2@p0").receives(1, 0, 2, "M").cut(1, "2@p0").holds(), Some(true));
    // Both pass wave 1, and the message crosses wave 1 of the other initiator from behind.
    let other = cuts(2).cut(0, "1@p0").cut(1, "1@p0").cut(0, "1@p1");
    assert_eq!(other.sends(0, 1, "M").receives(1, 0, 3, "M").holds(), Some(false));
}

/// p0 sends three messages: one arrives before p1's cut, one after it, and one is sent after p0's own cut.
fn three_messages() -> Story {
    let story = channels(2).sends(0, 1, "M").sends(0, 1, "M").cut(0, "1@p0");
    let story = story.sends(0, 1, "M").receives(1, 0, 1, "M").cut(1, "1@p0");
    story.receives(1, 0, 2, "M").recorded(0, "1@p0", 0)
}

#[test]
fn what_is_in_transit_must_be_recorded_and_nothing_else() {
    let right = three_messages().recorded_from(1, "1@p0", 0, &[1]);
    assert_eq!(right.holds(), Some(true));
    assert_eq!(right.detail(), "1 message in transit on 2 channels");
    let forgotten = three_messages().recorded(1, "1@p0", 0).detail();
    assert!(forgotten.contains("did not record 1 of them"), "{forgotten}");
    let late = three_messages().receives(1, 0, 4, "M").recorded_from(1, "1@p0", 0, &[1, 2]);
    assert!(late.detail().contains("recorded 1 more"), "{}", late.detail());
    let twice = three_messages().recorded_from(1, "1@p0", 0, &[1, 1]).detail();
    assert!(twice.contains("in another order or twice"), "{twice}");
    let invented = three_messages().recorded_from(1, "1@p0", 0, &[1, 2]).detail();
    assert!(invented.contains("than arrived since its cut"), "{invented}");
    let uncut = channels(2).recorded(1, "1@p0", 0).detail();
    assert!(uncut.contains("was not cut by it"), "{uncut}");
}

/// The receiver is cut first: what it gets until the sender's cut is in transit, in the order of sending.
#[test]
fn what_is_in_transit_is_known_whoever_is_cut_first() {
    let story = || {
        let story = channels(2).sends(0, 1, "M").cut(1, "1@p0").sends(0, 1, "M");
        story.sends(0, 1, "M")
    };
    let fifo = story().receives(1, 0, 1, "M").receives(1, 0, 2, "M").cut(0, "1@p0");
    let right = fifo.receives(1, 0, 3, "M").recorded_from(1, "1@p0", 0, &[1, 2, 3]);
    assert_eq!(right.holds(), Some(true));
    let unordered = story().receives(1, 0, 2, "M").receives(1, 0, 1, "M").receives(1, 0, 3, "M");
    let wrong = unordered.recorded_from(1, "1@p0", 0, &[1, 2, 3]).cut(0, "1@p0");
    assert!(wrong.detail().contains("in another order"));
    // Recorded before the last of them has arrived.
    let early = story().receives(1, 0, 1, "M").receives(1, 0, 2, "M").cut(0, "1@p0");
    assert_eq!(early.recorded_from(1, "1@p0", 0, &[1, 2]).holds(), Some(false));
}

#[test]
fn a_message_that_is_lost_is_not_in_transit() {
    let lost = channels(2).sends(0, 1, "M").loses(0, 1, 1, "M").cut(0, "1@p0");
    assert_eq!(lost.cut(1, "1@p0").recorded(1, "1@p0", 0).holds(), Some(true));
    let late = channels(2).sends(0, 1, "M").sends(0, 1, "M").cut(0, "1@p0").loses(0, 1, 1, "M");
    let late = late.cut(1, "1@p0").receives(1, 0, 2, "M").recorded_from(1, "1@p0", 0, &[1]);
    let late = late.recorded(0, "1@p0", 0);
    assert_eq!(late.holds(), Some(true));
    assert_eq!(late.detail(), "1 message in transit on 2 channels");
}

#[test]
fn what_never_arrived_cannot_be_recorded() {
    for from in [0, 1, 9] {
        let story = channels(2).cut(0, "1@p0").recorded_from(0, "1@p0", from, &[1]);
        assert_eq!(story.holds(), Some(false), "p{from}");
    }
}

#[test]
fn the_total_is_that_of_all_processes_of_one_wave() {
    let right = total().recorded(0, "1@p0", 4).recorded(0, "1@p1", 5);
    let right = right.recorded(1, "1@p1", 5).recorded(1, "1@p0", 6);
    assert_eq!(right.holds(), Some(true));
    assert_eq!(right.detail(), "10 in each of 2 waves");
    let wrong = total().recorded(0, "1@p0", 4);
    assert_eq!(wrong.recorded(1, "1@p0", 5).holds(), Some(false));
}

#[test]
fn of_no_wave_nothing_is_said() {
    let incomplete = total().recorded(0, "1@p0", 4);
    assert_eq!(incomplete.holds(), None);
    let complete = incomplete.recorded(1, "1@p0", 6);
    assert_eq!(complete.holds(), Some(true));
    assert_eq!(complete.recorded(0, "2@p0", 1).holds(), Some(true));
}

#[test]
fn one_marker_on_each_channel_for_each_wave() {
    let cut = || markers(1).cut(0, "1@p0").sends(0, 1, MARKER).cut(1, "1@p0");
    assert_eq!(cut().sends(1, 0, MARKER).holds(), Some(true));
    assert_eq!(cut().holds(), Some(false), "p1 sent none");
    assert_eq!(cut().verdict(&cut_short()).holds(), None);
    assert_eq!(cut().sends(0, 1, MARKER).holds(), Some(false), "a second one");
    assert_eq!(markers(1).sends(1, 0, MARKER).holds(), Some(false), "too early");
}

/// What becomes of the property if two waves pass, and p0 sends p1 markers of these.
fn two_markers(waves: [&str; 2]) -> Result<(), String> {
    let both = |story: Story, process| story.cut(process, "1@p0").cut(process, "2@p0");
    let marked = |story: Story, from: u32, wave: &str| {
        let story = story.passes(from, 1 - from, MARKER).marked(1 - from, wave);
        story.recorded(1 - from, wave, 0)
    };
    let story = both(both(markers(2), 0), 1);
    let story = marked(marked(story, 1, "1@p0"), 1, "2@p0");
    let story = marked(marked(story, 0, waves[0]), 0, waves[1]);
    if story.holds() == Some(true) { Ok(()) } else { Err(story.detail()) }
}

#[test]
fn as_many_markers_as_waves_are_not_enough() {
    assert_eq!(two_markers(["1@p0", "2@p0"]), Ok(()));
    assert_eq!(two_markers(["2@p0", "1@p0"]), Ok(()));
    let twice = |wave| format!("p0 sends p1 two markers of wave {wave}");
    assert_eq!(two_markers(["2@p0", "2@p0"]), Err(twice("2@p0")));
    assert_eq!(two_markers(["1@p0", "1@p0"]), Err(twice("1@p0")));
    let third = "p0 sends p1 a marker of wave 3@p0, which has not cut it".to_owned();
    assert_eq!(two_markers(["1@p0", "3@p0"]), Err(third));
}

#[test]
fn every_wave_is_recorded_once_by_each() {
    let one = || every_wave().recorded(0, "1@p0", 0);
    assert_eq!(one().recorded(1, "1@p0", 0).holds(), Some(true));
    assert_eq!(one().holds(), Some(false));
    assert_eq!(one().verdict(&cut_short()).holds(), None);
    assert_eq!(one().recorded(0, "1@p0", 0).holds(), Some(false), "twice");
    assert_eq!(one().recorded(1, "2@p0", 0).holds(), Some(false), "another wave");
    assert_eq!(every_wave().holds(), Some(false), "none");
}

#[test]
fn nothing_of_the_application_leaves_a_blocked_process() {
    let blocked = judged_by(2, "no application message while blocked", 1);
    let blocking = || blocked.clone().sends(0, 1, "M").cut(0, "1@p0").sends(1, 0, "M");
    let recorded = || blocking().sends(0, 1, MARKER).recorded(0, "1@p0", 0);
    let right = recorded().told(0, &Indication::Resumed).sends(0, 1, "M");
    assert_eq!(right.holds(), Some(true), "{}", right.detail());
    assert_eq!(recorded().detail(), "p0 has recorded its waves, and stays blocked");
    let twice = right.told(0, &Indication::Resumed);
    assert_eq!(twice.detail(), "p0 goes on, and was not blocked");
    let early = blocking().told(0, &Indication::Resumed);
    assert_eq!(early.detail(), "p0 goes on, and has not recorded its waves");
    assert_eq!(blocking().sends(0, 1, "M").holds(), Some(false));
    // One of two waves is over.
    let two = blocking().cut(0, "1@p1").recorded(0, "1@p0", 0).sends(0, 1, "M");
    assert_eq!(two.holds(), Some(false));
}

/// The order in which a process says what it does in one step does not matter.
#[test]
fn the_order_within_a_step_is_free() {
    let late = || markers(1).sends(0, 1, MARKER).cut(0, "1@p0").cut(1, "1@p0");
    assert_eq!(late().sends(1, 0, MARKER).holds(), Some(true));
    let next = markers(1).sends(0, 1, MARKER).passes(1, 0, "M");
    assert_eq!(next.detail(), "p0 sends p1 its marker number 1, and was cut by 0 waves");
    let recorded = || channels(2).cut(0, "1@p0").recorded(1, "1@p0", 0);
    assert_eq!(recorded().cut(1, "1@p0").recorded(0, "1@p0", 0).holds(), Some(true));
    let uncut = "p1 says what it recorded in wave 1@p0, and was not cut by it";
    assert_eq!(recorded().passes(0, 1, "M").detail(), uncut);
    assert_eq!(recorded().detail(), uncut);
}

#[test]
fn a_part_is_complete_with_the_last_marker() {
    let cut = || markers(1).cut(0, "1@p0").sends(0, 1, MARKER).cut(1, "1@p0").sends(1, 0, MARKER);
    let early = cut().recorded(1, "1@p0", 0);
    assert_eq!(early.detail(), "p1 completes wave 1@p0 after 0 of 1 markers");
    let all = || cut().receives(1, 0, 2, MARKER).marked(1, "1@p0");
    assert_eq!(all().detail(), "p1 has all markers of wave 1@p0, and does not complete it");
    assert_eq!(all().recorded(1, "1@p0", 0).holds(), Some(true));
    assert_eq!(all().passes(0, 1, "M").recorded(1, "1@p0", 0).holds(), Some(false), "too late");
}

fn closing() -> Story {
    judged_by(2, "CLOSE is the last message on each channel", 1)
}

#[test]
fn a_channel_is_closed_once_and_at_its_end() {
    let one = |story: Story, process: u32| {
        story.recorded(process, "1@p0", 0).sends(process, 1 - process, CLOSE)
    };
    let closed = || one(one(closing(), 0), 1);
    let heard = || closed().receives(0, 1, 2, CLOSE).receives(1, 0, 2, CLOSE);
    let finished = |story: Story, process| story.told(process, &Indication::Finished);
    assert_eq!(finished(finished(heard(), 0), 1).holds(), Some(true));
    let twice = finished(finished(heard(), 0), 0);
    assert_eq!(twice.detail(), "p0 finishes a second time");
    assert_eq!(finished(closed(), 0).detail(), "p0 finishes, and not all channels are closed");
    assert_eq!(closed().sends(0, 1, "M").detail(), "p0 sends p1 M behind its CLOSE");
    assert_eq!(closed().sends(0, 1, CLOSE).detail(), "p0 sends p1 CLOSE behind its CLOSE");
    let early = closing().sends(0, 1, CLOSE);
    assert_eq!(early.detail(), "p0 sends p1 CLOSE, and has recorded 0 of 1 wave");
    let in_one_step = closing().sends(0, 1, CLOSE).recorded(0, "1@p0", 0);
    assert_eq!(in_one_step.detail(), "p0 has not finished");
    assert_eq!(finished(heard(), 0).detail(), "p1 has not finished");
    assert_eq!(heard().verdict(&cut_short()).holds(), None);
}

fn initiators() -> Story {
    judged_by(2, "waves begin with their initiators", 1)
}

#[test]
fn a_wave_goes_from_its_initiator_by_markers() {
    let begun = || initiators().cut(0, "1@p0").sends(0, 1, MARKER);
    let came = || begun().receives(1, 0, 2, MARKER).marked(1, "1@p0");
    assert_eq!(came().cut(1, "1@p0").holds(), Some(true));
    assert_eq!(came().detail(), "a marker of wave 1@p0 reaches p1, and does not cut it");
    let alone = begun().cut(1, "1@p0");
    assert_eq!(alone.detail(), "wave 1@p0 cuts p1, and no marker of it has come");
    let twice = came().cut(1, "1@p0").cut(0, "2@p0");
    assert_eq!(twice.holds(), Some(true));
    assert_eq!(begun().cut(0, "1@p0").holds(), Some(false), "the same number");
    assert_eq!(begun().cut(0, "3@p0").detail(), "the next wave of p0 is 3@p0, and not 2");
    let strange = initiators().marked(1, "1@p0").cut(1, "1@p0");
    assert_eq!(strange.detail(), "wave 1@p0 cuts p1 before its initiator");
}

/// An indication that was too large for a file is no reason to say that anything holds.
#[test]
fn what_cannot_be_read_is_not_judged() {
    for story in [channels(2), total(), every_wave()] {
        let cut_off = story.cut(0, "1@p0").says(0, "Recorded").verdict(&End::Complete);
        assert_eq!(cut_off.holds(), None, "{cut_off:?}");
        assert!(cut_off.detail().contains("cannot be read"), "{cut_off:?}");
    }
    let cuts_alone = cuts(2).cut(0, "1@p0").says(0, "Recorded").cut(1, "1@p0");
    assert_eq!(cuts_alone.holds(), Some(true), "it needs no recordings");
}

/// Two waves of three processes that send fifty messages each at most.
fn ticks(protocol: Protocol) -> Story {
    let sending = Sending {
        protocol,
        waves: 2,
        messages: vec![50; 3],
        ticks_between_waves: true,
        from_the_start: true,
    };
    Story::of(3, Property::safety::<Indication<Work>>("ticks", Ticks::new(sending)))
}

fn tick(story: Story, process: u32) -> Story {
    story.times_out(process, TICK)
}

fn pays(story: Story, to: u32, count: u64, amount: u64) -> Story {
    let transfer = work::Message::Transfer(Transfer { count, amount });
    story.passes_this(0, to, &Message::Application(transfer))
}

fn sends(story: Story, to: u32, number: u64) -> Story {
    pays(story, to, number, 1)
}

#[test]
fn each_tick_sends_the_next_message() {
    let running = || ticks(Protocol::ChandyLamport);
    let first = || sends(tick(running(), 0), 1, 1);
    assert_eq!(first().holds(), Some(true), "{}", first().detail());
    assert_eq!(tick(running(), 0).detail(), "p0 has 1 message to send, and does not");
    assert_eq!(tick(running(), 0).dies(0).holds(), Some(true), "it died in the middle of its step");
    assert_eq!(sends(first(), 2, 2).detail(), "p0 sends p2 a message without a tick");
    for (number, detail) in [(1, "message 1 of p0 leaves, and 2 is the next"), (3, "message 3")] {
        assert!(sends(tick(first(), 0), 2, number).detail().starts_with(detail));
    }
    assert_eq!(sends(tick(first(), 0), 0, 2).detail(), "p0 sends itself a message");
    let late = tick(first().cut(0, "1@p0").recorded(0, "1@p0", 5), 0);
    assert_eq!(late.holds(), Some(false), "there is another wave");
    let over = first().cut(0, "1@p0").recorded(0, "1@p0", 5);
    let over = tick(over.cut(0, "2@p0").recorded(0, "2@p0", 5), 0);
    assert_eq!(over.holds(), Some(true), "{}", over.detail());
}

#[test]
fn what_is_held_back_leaves_in_order_when_it_may() {
    let held = || tick(tick(ticks(Protocol::Blocking).cut(0, "1@p0"), 0), 0);
    assert_eq!(held().holds(), Some(true), "{}", held().detail());
    let ready = || held().recorded(0, "1@p0", 5);
    assert_eq!(ready().detail(), "p0 has 2 messages to send, and does not");
    assert_eq!(sends(ready(), 1, 1).detail(), "p0 has 1 message to send, and does not");
    assert_eq!(sends(sends(ready(), 1, 1), 2, 2).holds(), Some(true));
    assert_eq!(sends(ready(), 1, 2).detail(), "message 2 of p0 leaves, and 1 is the next");
}

#[test]
fn nobody_ticks_more_often_than_it_may() {
    let sending = Sending {
        protocol: Protocol::ChandyLamport,
        waves: 2,
        messages: vec![1, 0, 0],
        ticks_between_waves: false,
        from_the_start: true,
    };
    let limited =
        || Story::of(3, Property::safety::<Indication<Work>>("ticks", Ticks::new(sending.clone())));
    assert_eq!(sends(tick(limited(), 0), 1, 1).holds(), Some(true));
    let more = tick(sends(tick(limited(), 0), 1, 1), 0);
    assert_eq!(more.detail(), "p0 ticks once more than 1 time");
    assert_eq!(tick(limited(), 1).detail(), "p1 ticks once more than 0 times");
}

#[test]
fn a_process_goes_on_to_tick() {
    let wave = |story: Story| story.times_out(0, "Wave");
    let silent = wave(wave(ticks(Protocol::ChandyLamport)));
    assert_eq!(silent.detail(), "p0 does not tick between two of its waves");
    let ticked = wave(sends(tick(wave(ticks(Protocol::ChandyLamport)), 0), 1, 1));
    assert_eq!(ticked.holds(), Some(true), "{}", ticked.detail());
}

#[test]
fn receivers_are_random() {
    let all = |to: fn(u64) -> u32, times: u64| {
        (1..=times).fold(ticks(Protocol::ChandyLamport), |story, number| {
            sends(tick(story, 0), to(number), number)
        })
    };
    assert_eq!(all(|_| 1, 40).holds(), Some(true), "that may be chance");
    assert_eq!(all(|_| 1, 41).detail(), "p0 sends all its 41 messages to p1");
    assert_eq!(all(|number| 1 + (number % 2) as u32, 50).holds(), Some(true));
}

/// Each process has 5 at first, or counts.
fn states(money: Option<u64>) -> Story {
    Story::of(2, Property::safety::<Indication<Work>>("states", States::new(2, 2, money)))
}

fn records(story: Story, state: [u64; 2]) -> Story {
    let (wave, channels) = (named("1@p0"), BTreeMap::new());
    story.completed(0, Recorded { wave, worth: 0, state: state.to_vec(), channels })
}

#[test]
fn the_recorded_state_is_that_of_the_cut() {
    let paid = || pays(tick(states(Some(5)), 0), 1, 1, 2).cut(0, "1@p0");
    assert_eq!(records(paid(), [1, 3]).holds(), Some(true), "{}", records(paid(), [1, 3]).detail());
    assert_eq!(
        records(paid(), [1, 5]).detail(),
        "p0 records in wave 1@p0 that it has sent 1 and money 5; at its cut it had sent 1, and money 3"
    );
    let later = || pays(tick(paid(), 0), 1, 2, 1);
    assert_eq!(records(later(), [1, 3]).holds(), Some(true), "what follows the cut is no part");
    assert_eq!(records(later(), [2, 2]).holds(), Some(false));
    let held = || tick(states(Some(5)).cut(1, "1@p0"), 0).cut(0, "1@p0");
    assert_eq!(records(held(), [1, 4]).holds(), Some(true), "nobody knows what is held back");
    assert_eq!(records(held(), [0, 5]).holds(), Some(false));
    let counts = |number| {
        let count = Message::Application(work::Message::Count(Count(number)));
        states(None).passes_this(1, 0, &count).cut(0, "1@p0")
    };
    assert_eq!(records(counts(7), [0, 7]).holds(), Some(true));
    assert_eq!(records(counts(7), [0, 0]).holds(), Some(false));
}

#[test]
fn nobody_pays_what_it_has_not() {
    let pay = |amount| pays(tick(states(Some(5)), 0), 1, 1, amount);
    assert_eq!(pay(5).holds(), Some(true));
    assert_eq!(pay(6).detail(), "p0 pays 6, and has 5");
    assert_eq!(pay(0).detail(), "p0 pays 0, and has 5");
    let poor = pays(tick(states(Some(0)), 0), 1, 1, 0);
    assert_eq!(poor.holds(), Some(true));
}

#[test]
fn a_part_is_stored_before_the_process_goes_on() {
    let recorded =
        || judged_by(2, "stored before it goes on", 1).cut(0, "1@p0").recorded(0, "1@p0", 5);
    let stored = |wave| recorded().tells(0, &Indication::<Work>::Stored(named(wave)));
    assert_eq!(stored("1@p0").holds(), Some(true));
    assert_eq!(recorded().holds(), Some(false));
    assert_eq!(stored("2@p0").detail(), "p0 stores wave 2@p0, and has not just recorded it");
    let detail = "p0 goes on, and has not stored its part of wave 1@p0";
    assert_eq!(recorded().tells(0, &Indication::<Work>::Resumed).detail(), detail);
    assert_eq!(recorded().sends(0, 1, "M").detail(), detail);
    assert_eq!(recorded().dies(0).holds(), Some(true));
}

#[test]
fn amounts_are_random() {
    let all = |amount: fn(u64) -> u64, times: u64| {
        (1..=times).fold(states(Some(5_000)), |story, number| {
            pays(tick(story, 0), 1, number, amount(number))
        })
    };
    assert_eq!(all(|_| 1, 40).holds(), Some(true), "that may be chance");
    assert_eq!(all(|_| 1, 41).detail(), "all 41 payments are of the least that may be");
    assert_eq!(all(|_| 10, 41).detail(), "all 41 payments are of the most that may be");
    assert_eq!(all(|number| 1 + number % 2, 60).holds(), Some(true));
}

#[test]
fn the_timer_for_waves_starts_one() {
    let due = || judged_by(2, "waves begin with their initiators", 1).times_out(0, "Wave");
    assert_eq!(due().detail(), "it is time for p0 to start a wave, and it starts none");
    assert_eq!(due().cut(0, "1@p0").holds(), Some(true));
    assert_eq!(due().dies(0).holds(), Some(true), "it died in the middle of its step");
}

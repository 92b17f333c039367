//! p1 is lost: the file has its first event alone. p0 and p2 are there to the end.

use super::*;
use crate::verdict::{Property, StreamJudge};

struct File {
    judge: StreamJudge,
    n: [u64; 3],
}

impl File {
    /// p1 has started.
    fn of(property: Property) -> Self {
        let judge = StreamJudge::new(&[property], 3).surviving_crashes();
        Self { judge, n: [0; 3] }.event(1, What::Init)
    }

    fn event(mut self, process: u32, what: What) -> Self {
        let n = &mut self.n[process as usize];
        *n += 1;
        let process = ProcessId(process);
        let event = TraceEvent { process, n: *n, clock: None, lamport: 0, at_us: 0, what };
        self.judge.observe(&event).unwrap();
        self
    }

    fn says(self, process: u32, kind: &str) -> Self {
        self.event(
            process,
            What::Indication(Note { kind: kind.to_owned().into(), ..Note::default() }),
        )
    }

    /// p0 sends p1 what nobody knows to have arrived.
    fn sends_to_lost(self, kind: &str) -> Self {
        let message = note(0, self.n[0] + 1, kind);
        self.event(0, What::Send { peer: ProcessId(1), message })
    }

    /// p2 receives what p1 sent as its `n`-th event.
    fn receives_from_lost(self, n: u64) -> Self {
        self.event(2, What::Receive { peer: ProcessId(1), message: note(1, n, "M") })
    }

    fn verdict(self) -> (Option<bool>, String) {
        let ended = self.event(0, What::Stop(None)).event(2, What::Stop(None));
        let verdict = ended.judge.verdicts_ending(&End::Complete).remove(0);
        (verdict.holds(), verdict.detail().to_owned())
    }
}

fn note(from: u32, n: u64, kind: &str) -> MessageNote {
    let id = MessageId { process: ProcessId(from), n };
    MessageNote::new(id, &Note { kind: kind.to_owned().into(), ..Note::default() }, 0)
}

fn found_before_told() -> File {
    File::of(Property::precedes("news", "Found", "Told"))
}

#[test]
fn what_a_lost_process_received_is_known_from_what_it_sent() {
    let found = || found_before_told().says(0, "Found").sends_to_lost("NEWS");
    // The event between is the receipt of NEWS.
    let told = found().receives_from_lost(3).says(2, "Told").verdict();
    assert_eq!(told, (Some(true), "Told 1 time, each after Found".to_owned()));
    // It was sent before anything could be received.
    let (holds, detail) = found().receives_from_lost(2).says(2, "Told").verdict();
    assert_eq!((holds, &*detail), (Some(false), "p2 says Told, and no Found happened before"));
}

#[test]
fn a_violation_that_hangs_on_what_is_lost_is_unknown() {
    let (holds, detail) = found_before_told().receives_from_lost(3).says(2, "Told").verdict();
    assert_eq!(holds, None);
    let what =
        "p2 says Told, and no Found happened before; but what p1 did from its event 2 on is lost";
    assert_eq!(detail, what);
}

#[test]
fn a_violation_that_needs_nothing_of_what_is_lost_counts() {
    let (holds, _) = found_before_told().says(2, "Told").receives_from_lost(9).verdict();
    assert_eq!(holds, Some(false));
}

#[test]
fn a_lost_process_is_dead_in_the_end() {
    let asked = File::of(Property::responds("served", "Asked", "Served")).says(1, "Asked");
    let (holds, detail) = asked.receives_from_lost(4).verdict();
    assert_eq!(holds, Some(true), "{detail}");
}

/// However far a file says that a process went on, that takes no time.
#[test]
fn a_message_from_far_ahead_takes_no_time() {
    let far = found_before_told().receives_from_lost(u64::MAX - 1).receives_from_lost(u64::MAX);
    assert_eq!(far.verdict().0, Some(true));
}

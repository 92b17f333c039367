use super::*;
use crate::trace::MessageNote;

fn observe(attendance: &mut Attendance, process: u32, what: What) {
    let (n, lamport) = (attendance.events(ProcessId(process)) + 1, 1);
    let process = ProcessId(process);
    attendance.observe(&TraceEvent { process, n, clock: None, lamport, at_us: 0, what });
}

fn receive(from: u32, n: u64) -> What {
    let id = MessageId { process: ProcessId(from), n };
    let (kind, text) = (String::new(), String::new());
    let message = MessageNote { id, kind, text, bytes: 0, data: Default::default() };
    What::Receive { peer: ProcessId(from), message }
}

fn told(attendance: &Attendance) -> String {
    sentence(&attendance.gaps()).unwrap_or_default()
}

#[test]
fn a_whole_run_lacks_nothing() {
    let mut attendance = Attendance::new(2);
    assert_eq!(told(&attendance), "");
    for what in [What::Init, What::Stop(None)] {
        observe(&mut attendance, 0, what);
    }
    observe(&mut attendance, 1, What::Crash(None));
    assert_eq!(told(&attendance), "");
}

#[test]
fn a_run_that_may_go_on_lacks_nothing() {
    let mut attendance = Attendance::new(3);
    observe(&mut attendance, 0, What::Init);
    observe(&mut attendance, 1, What::Crash(None));
    assert_eq!(told(&attendance), "");
    observe(&mut attendance, 0, What::Crash(None));
    assert_eq!(told(&attendance), "the trace lacks the events of p2", "nobody else is left");
}

#[test]
fn a_process_that_others_heard_of_is_missing_from_its_last_event_on() {
    let mut attendance = Attendance::new(2);
    observe(&mut attendance, 0, What::Init);
    observe(&mut attendance, 1, What::Init);
    observe(&mut attendance, 1, receive(0, 9));
    assert_eq!(told(&attendance), "the trace lacks the events of p0 from its event 2 on");
    assert!(attendance.is_heard_of(ProcessId(0)));
}

#[test]
fn a_process_that_did_not_end_with_the_others_is_missing() {
    let mut attendance = Attendance::new(9);
    observe(&mut attendance, 0, What::Init);
    observe(&mut attendance, 0, What::Stop(None));
    let all = "the trace lacks the events of p1, of p2, of p3 and of 5 more processes";
    assert_eq!(told(&attendance), all);
    for process in 2..9 {
        observe(&mut attendance, process, What::Stop(None));
    }
    observe(&mut attendance, 1, What::Init);
    assert_eq!(told(&attendance), "the trace lacks the events of p1 from its event 2 on");
}

#[test]
fn a_process_that_ended_has_sent_nothing_more() {
    let mut attendance = Attendance::new(2);
    observe(&mut attendance, 0, What::Stop(None));
    let id = |n| MessageId { process: ProcessId(0), n };
    assert!(!attendance.may_lack(id(7)));
    assert!(!attendance.may_lack(MessageId { process: ProcessId(5), n: 1 }));
    let mut attendance = Attendance::new(2);
    observe(&mut attendance, 0, What::Init);
    assert!(!attendance.may_lack(id(1)) && attendance.may_lack(id(2)));
}

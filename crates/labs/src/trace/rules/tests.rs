//! Each rule against a file that keeps it and one that breaks it.

use std::io::Write as _;

use super::*;
use crate::trace::format::{Reader, parse};
use crate::verdict::StreamJudge;

/// Two processes: p0 is asked, sends p1 a message, and p1 tells of it. In virtual time.
const HEADER: &str = r#"{"trace":2,"lab":"greet","verb":"simulate","run":"simulated-7","processes":2,"seed":7,"arguments":[],"clocks":true,"properties":[{"name":"FIFO","kind":"safety","pattern":"fifo"}],"meaning":{"roles":[[0,"greeter"]]}}"#;
const EVENTS: [&str; 12] = [
    r#"{"process":0,"n":1,"clock":[1,0],"lamport":1,"at_us":0,"event":"init"}"#,
    r#"{"process":1,"n":1,"clock":[0,1],"lamport":1,"at_us":0,"event":"init"}"#,
    r#"{"process":0,"n":2,"clock":[2,0],"lamport":2,"at_us":5,"event":"request","value":{"kind":"Greet","text":"Greet","data":"Greet"}}"#,
    r#"{"process":0,"n":3,"clock":[3,0],"lamport":3,"at_us":5,"event":"send","peer":1,"message":{"id":"0-3","kind":"HELLO","text":"Hello","bytes":1,"data":"Hello"}}"#,
    r#"{"process":0,"n":4,"clock":[4,0],"lamport":4,"at_us":5,"event":"send","peer":1,"message":{"id":"0-4","kind":"HELLO","text":"Hello","bytes":1,"data":"Hello"}}"#,
    r#"{"process":0,"n":5,"clock":[5,0],"lamport":5,"at_us":5,"event":"drop","peer":1,"message":{"id":"0-4","kind":"HELLO","text":"Hello","bytes":1,"data":"Hello"}}"#,
    r#"{"process":1,"n":2,"clock":[3,2],"lamport":4,"at_us":8,"event":"receive","peer":0,"message":{"id":"0-3","kind":"HELLO","text":"Hello","bytes":1,"data":"Hello"}}"#,
    r#"{"process":1,"n":3,"clock":[3,3],"lamport":5,"at_us":8,"event":"indication","value":{"kind":"Heard","text":"Heard","data":"Heard"}}"#,
    r#"{"process":1,"n":4,"clock":[3,4],"lamport":6,"at_us":9,"event":"timeout","value":{"kind":"Wait","text":"Wait","data":null}}"#,
    r#"{"process":1,"n":5,"clock":[3,5],"lamport":7,"at_us":9,"event":"crash"}"#,
    r#"{"process":1,"n":6,"clock":[3,6],"lamport":8,"at_us":9,"event":"recover"}"#,
    r#"{"process":1,"n":7,"clock":[3,7],"lamport":9,"at_us":9,"event":"stop","value":{"kind":"complete","text":""}}"#,
];
const STOP: &str = r#"{"process":0,"n":6,"clock":[6,0],"lamport":6,"at_us":9,"event":"stop","value":{"kind":"complete","text":""}}"#;

/// What is wrong with a file, if anything is; as `labs verify` finds it.
fn wrong(header: &str, events: &[String]) -> Option<String> {
    let mut file = Vec::new();
    writeln!(file, "{header}").unwrap();
    events.iter().for_each(|event| writeln!(file, "{event}").unwrap());
    let mut reader = match Reader::new(&*file) {
        Ok(reader) => reader,
        Err(error) => return Some(error.to_string()),
    };
    let mut rules = match reader.rules() {
        Ok(rules) => rules,
        Err(broken) => return Some(broken.to_string()),
    };
    let mut judge = StreamJudge::new(&reader.header().properties, reader.header().processes);
    for event in reader.by_ref() {
        let event = match event {
            Ok(event) => event,
            Err(error) => return Some(error.to_string()),
        };
        if let Err(error) = judge.observe(&event) {
            return Some(error.to_string());
        }
        if let Err(broken) = rules.observe(&event) {
            return Some(broken.to_string());
        }
    }
    crate::trace::gaps::sentence(&judge.gaps())
}

fn events() -> Vec<String> {
    EVENTS.iter().chain([&STOP]).map(|&line| line.to_owned()).collect()
}

#[track_caller]
fn refused(header: &str, events: &[String], because: &str) {
    let wrong = wrong(header, events).unwrap_or_default();
    assert!(wrong.contains(because), "{wrong:?} says nothing of {because:?}");
}

/// The file with a part of one line replaced is refused.
#[track_caller]
fn changed(line: usize, from: &str, to: &str, because: &str) {
    let mut events = events();
    assert!(events[line].contains(from), "{}", events[line]);
    events[line] = events[line].replacen(from, to, 1);
    refused(HEADER, &events, because);
}

#[track_caller]
fn header_changed(from: &str, to: &str, because: &str) {
    assert!(HEADER.contains(from));
    refused(&HEADER.replacen(from, to, 1), &events(), because);
}

#[test]
fn a_trace_keeps_the_rules() {
    assert_eq!(wrong(HEADER, &events()), None);
}

#[test]
fn each_line_stands_once_and_none_is_missing() {
    for line in 0..events().len() {
        let mut without = events();
        without.remove(line);
        assert!(wrong(HEADER, &without).is_some(), "without line {line}");
        let mut twice = events();
        twice.insert(line, twice[line].clone());
        assert!(wrong(HEADER, &twice).is_some(), "line {line} twice");
    }
}

#[test]
fn lamport_times_follow_from_what_is_before() {
    changed(2, r#""lamport":2"#, r#""lamport":3"#, "and 2 follows from what is before it");
    changed(6, r#""lamport":4"#, r#""lamport":2"#, "is 2, and 4 follows");
    changed(0, r#""lamport":1"#, r#""lamport":0"#, "is 1, and 0 follows");
}

#[test]
fn vector_clocks_follow_from_what_is_before() {
    changed(
        6,
        "[3,2]",
        "[0,2]",
        "the entry of p0 in the vector clock of event 2 of p1 is 0, and 3",
    );
    changed(6, "[3,2]", "[4,2]", "is 4, and 3");
    changed(7, "[3,3]", "[3,2]", "the entry of p1 in the vector clock of event 3 of p1 is 2");
    changed(7, "[3,3]", "[3]", "has 1 entries for 2 processes");
    changed(7, r#""clock":[3,3],"#, "", "without a vector clock");
    header_changed(r#""clocks":true"#, r#""clocks":false"#, "with a vector clock");
}

#[test]
fn times_of_a_process_do_not_go_back() {
    changed(4, r#""at_us":5"#, r#""at_us":4"#, "belongs to a step at 5 µs");
    changed(6, r#""at_us":8"#, r#""at_us":4"#, "message 0-3 is here at 4 µs, and was sent at 5 µs");
    changed(8, r#""at_us":9"#, r#""at_us":7"#, "at 7 µs, and the one before it at 8 µs");
}

#[test]
fn a_message_is_what_it_was() {
    changed(6, r#""bytes":1"#, r#""bytes":2"#, "says something else than where it was sent");
    changed(6, r#""text":"Hello""#, r#""text":"Hallo""#, "says something else");
    changed(5, r#""data":"Hello""#, r#""data":"Hallo""#, "says something else");
    changed(6, "HELLO", "GOODBYE", "as GOODBYE, and it was sent as HELLO");
    changed(3, "0-3", "0-2", "p0 sends message 0-2, not 0-3");
    changed(6, r#""peer":0"#, r#""peer":1"#, "which was not sent to it");
}

#[test]
fn a_life_begins_once_and_ends_once() {
    changed(1, "init", "recover", "p1 does not begin with `init`");
    changed(10, "recover", "init", "p1 starts a second time");
    changed(9, "crash", "recover", "p1 starts again, and did not die");
    changed(10, "recover", "crash", "p1 is dead");
    changed(9, "crash", "stop", "p1 has stopped");
    let timeout = |n: u32| {
        let stamps = format!(r#""n":{n},"clock":[3,{n}],"lamport":{},"at_us":9"#, n + 2);
        let value = r#""value":{"kind":"Wait","text":"Wait","data":null}"#;
        format!(r#"{{"process":1,{stamps},"event":"timeout",{value}}}"#)
    };
    let mut after_death = events();
    after_death.splice(10..12, [timeout(6)]);
    refused(HEADER, &after_death, "p1 is dead");
    let mut after_stop = events();
    after_stop.insert(12, timeout(8));
    refused(HEADER, &after_stop, "p1 has stopped");
}

#[test]
fn the_network_loses_what_the_dead_sent() {
    let mut events = events();
    events.truncate(4);
    let crash = r#"{"process":0,"n":4,"clock":[4,0],"lamport":4,"at_us":6,"event":"crash"}"#;
    let lost = EVENTS[5].replace("0-4", "0-3").replace(r#""at_us":5"#, r#""at_us":7"#);
    events.extend([crash.to_owned(), lost]);
    events.extend([
        r#"{"process":1,"n":2,"clock":[0,2],"lamport":2,"at_us":9,"event":"stop"}"#.to_owned()
    ]);
    assert_eq!(wrong(HEADER, &events), None);
}

#[test]
fn all_say_the_same_of_the_end() {
    changed(12, "complete", "perfect", "is no way to end a run");
    changed(12, r#""complete","text":"""#, r#""cut short","text":"x""#, "what others do not say");
}

#[test]
fn an_event_has_the_fields_of_its_name() {
    changed(3, r#""event":"send""#, r#""event":"request""#, "event request has no peer");
    changed(7, r#""event":"indication""#, r#""event":"init""#, "event init has no value");
    changed(7, r#""event":"indication""#, r#""event":"receive""#, "event receive has no value");
    changed(8, r#""data":null"#, r#""data":1"#, "the data of a timer is not null");
    changed(7, r#""kind":"Heard""#, r#""kind":"""#, "a value has no kind");
}

#[test]
fn long_values_are_cut() {
    let long = "x".repeat(TEXT_MAX + 9);
    changed(7, r#""text":"Heard""#, &format!(r#""text":"{long}""#), "not cut off");
    let long = "x".repeat(DATA_MAX + 1);
    changed(7, r#""data":"Heard""#, &format!(r#""data":"{long}""#), "and not cut");
    let cut = r#""data":{"cut":4097,"sha256":"00"}"#;
    changed(7, r#""data":"Heard""#, cut, "no number of bytes");
}

#[test]
fn a_header_agrees_with_itself() {
    header_changed("greet", "Greet it", "is not the name of a lab");
    header_changed(r#""seed":7"#, r#""seed":8"#, "is called simulated-8, not simulated-7");
    header_changed(r#""verb":"simulate""#, r#""verb":"run""#, "not the name of a real run");
    header_changed(r#""verb":"simulate""#, r#""verb":"dream""#, "none of run, simulate and check");
    header_changed(r#""kind":"safety""#, r#""kind":"liveness""#, "is one of safety");
    let twice = r#"[{"name":"FIFO","kind":"safety"},"#;
    header_changed(r#""properties":["#, &format!(r#""properties":{twice}"#), "two properties");
    header_changed("[0,", "[9,", "p9 is no process");
    header_changed(r#""seed":7"#, r#""seed":7,"setup":{"options":{},"places":[]}"#, "no `setup`");
    header_changed(r#""processes":2"#, r#""processes":3"#, "has 2 entries for 3 processes");
    header_changed(r#""processes":2"#, r#""processes":1"#, "has 2 entries for 1 processes");
}

/// A program that is none of ours need not keep clocks, nor tell of starts.
#[test]
fn a_trace_without_stamps_is_one() {
    let header = HEADER.replace(r#""clocks":true,"#, "");
    let plain = |line: &str| {
        let mut event = parse(line.as_bytes()).unwrap();
        (event.clock, event.lamport) = (None, 0);
        String::from_utf8(crate::trace::format::line(&event)).unwrap().trim_end().to_owned()
    };
    let mut events: Vec<_> = events().iter().map(|line| plain(line)).collect();
    assert_eq!(wrong(&header, &events), None);
    events[8] = events[8].replacen(r#""lamport":0"#, r#""lamport":1"#, 1);
    refused(&header, &events, "is 1, and 0 follows");
}

/// What was lost with a process explains what it sent later.
#[test]
fn clocks_that_come_from_what_is_missing_are_believed() {
    let mut events = events();
    events.retain(|line| !line.starts_with(r#"{"process":0,"#));
    let missing = Some("the trace lacks the events of p0".to_owned());
    assert_eq!(wrong(HEADER, &events), missing);
    // But they do not go back.
    events[2] = events[2].replacen("[3,3]", "[2,3]", 1);
    refused(HEADER, &events, "the entry of p0 in the vector clock of event 3 of p1 is 2, and 3");
}

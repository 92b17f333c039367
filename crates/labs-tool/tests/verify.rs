//! `labs verify`: what a file shows, judged from the file alone.

use std::io::Write;
use std::process::{Command, Output};

const HEADER: &str = r#"{"trace":2,"lab":"any","verb":"run","run":"r","processes":2,"seed":1,"arguments":[],
"properties":[{"name":"mutual exclusion","kind":"safety","pattern":{"pairwise_ordered":{"enter":"Entered","exit":"Left"}}},{"name":"every process enters","kind":"liveness","pattern":{"each":{"says":"Entered","times":{"exactly":1}}}}]}"#;

fn event(process: u32, n: u32, rest: &str) -> String {
    format!(r#"{{"process":{process},"n":{n},"lamport":0,"at_us":{n},{rest}}}"#)
}

fn says(kind: &str) -> String {
    format!(r#""event":"indication","value":{{"kind":"{kind}","text":"{kind}"}}"#)
}

fn message(event: &str, peer: u32) -> String {
    let message = r#"{"id":"0-3","kind":"TOKEN","text":"Token","bytes":4}"#;
    format!(r#""event":"{event}","peer":{peer},"message":{message}"#)
}

fn verify(events: &[String]) -> (Option<i32>, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}", HEADER.replace('\n', "")).unwrap();
    events.iter().for_each(|event| writeln!(file, "{event}").unwrap());
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_labs"))
        .args(["verify"])
        .arg(file.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), said.into_owned())
}

/// p0 enters and leaves, and passes a token to p1, which enters and leaves.
fn in_order() -> Vec<String> {
    let complete = r#""event":"stop","value":{"kind":"complete","text":""}"#;
    vec![
        event(0, 1, &says("Entered")),
        event(0, 2, &says("Left")),
        event(0, 3, &message("send", 1)),
        event(1, 1, &message("receive", 0)),
        event(1, 2, &says("Entered")),
        event(1, 3, &says("Left")),
        event(0, 4, complete),
        event(1, 4, complete),
    ]
}

#[test]
fn what_is_in_order_holds() {
    let (status, said) = verify(&in_order());
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("2 critical sections, pairwise ordered"), "{said}");
}

#[test]
fn without_the_message_the_sections_are_concurrent() {
    let mut events = in_order();
    events.drain(2..4);
    events[2] = event(1, 1, &says("Entered"));
    events[3] = event(1, 2, &says("Left"));
    events[4] = event(0, 3, r#""event":"stop""#);
    events[5] = event(1, 3, r#""event":"stop""#);
    let (status, said) = verify(&events);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("shown by the events p0#1, p0#2, p1#1"), "{said}");
}

#[test]
fn a_trace_without_its_end_breaks_no_liveness() {
    let (status, said) = verify(&in_order()[..3]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("not yet: p1 entered 0 of 1 time"), "{said}");
}

#[test]
fn a_header_that_nobody_can_judge_is_refused() {
    for (header, expected) in [
        (HEADER.replace("\"processes\":2", "\"processes\":0"), "no process at all"),
        (
            HEADER.replace("\"properties\":[", &format!("\"properties\":[{}", FIFO.repeat(5))),
            "want tags",
        ),
        (
            HEADER.replace("\"properties\":[", &format!("\"properties\":[{}", FIFO.repeat(99))),
            "the limit",
        ),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", header.replace('\n', "")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_labs"));
        let output = command.arg("verify").arg(file.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{said}");
    }
}

const FIFO: &str = r#"{"name":"FIFO","kind":"safety","pattern":"fifo"},"#;

#[test]
fn what_no_run_can_do_is_named_with_its_line() {
    let mut events = in_order();
    let sent = events.remove(2);
    let (status, said) = verify(&events);
    assert_eq!(status, Some(2));
    assert!(said.contains("event 4 of p0 follows its event 2"), "{said}");
    let (status, said) = verify(&in_order()[4..]);
    assert_eq!(status, Some(2));
    assert!(said.contains("line 2: the trace lacks the beginning of p1"), "{said}");
    events.insert(3, sent);
    let (status, said) = verify(&events);
    assert_eq!(status, Some(2));
    let reason = "line 5: event 3 of p0 stands behind the receipt of what p0 sent then or later";
    assert!(said.contains(reason), "{said}");
    let mut events = in_order();
    events[2] = event(0, 3, &says("Entered"));
    let (status, said) = verify(&events);
    assert_eq!(status, Some(2));
    assert!(said.contains("line 5: p1 receives message 0-3, which was not sent"), "{said}");
}

/// As if the machine of one process had been cut off.
#[test]
fn verdicts_that_need_what_is_missing_are_unknown() {
    let is_of =
        |process: u32| move |line: &String| line.contains(&format!("\"process\":{process}"));
    // All of p0, the end of p0, all of p1, the end of p1.
    for (process, kept) in [(0, 0), (0, 2), (1, 0), (1, 1)] {
        let mut events = in_order();
        let last = events.iter().rposition(is_of(process)).unwrap();
        let mut seen = 0;
        events.retain(|line| {
            seen += usize::from(is_of(process)(line));
            !is_of(process)(line) || seen <= kept
        });
        assert!(events.len() <= last);
        let (status, said) = verify(&events);
        assert_eq!(status, Some(2), "{said}");
        let who =
            if kept == 0 { String::new() } else { format!(" from its event {} on", kept + 1) };
        let missing = format!("the trace lacks the events of p{process}{who}");
        assert_eq!(said.matches(&format!("not judged to the end: {missing}")).count(), 2, "{said}");
        assert!(said.matches(&missing).count() > 2, "it is a problem of its own: {said}");
    }
}

/// A violation that needs nothing of what is missing is one.
#[test]
fn a_violation_beside_what_is_missing_is_known() {
    let mut events = in_order();
    events.drain(2..4);
    events[2] = event(1, 1, &says("Entered"));
    events[3] = event(1, 2, &says("Left"));
    events.truncate(4);
    events.push(event(1, 3, r#""event":"stop""#));
    let (status, said) = verify(&events);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("shown by the events p0#1, p0#2, p1#1"), "{said}");
    assert!(said.contains("the trace lacks the events of p0 from its event 3 on"), "{said}");

    // Behind a message from p0, whose end is missing, p1 may have been let in.
    let heard = message("receive", 0).replace("0-3", "0-9");
    events[2] = event(1, 1, &heard);
    events[3] = event(1, 2, &says("Entered"));
    let (status, said) = verify(&events);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("from its event 3 on"), "{said}");
}

#[test]
fn whatever_reads_a_trace_refuses_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("t.jsonl");
    // Opening it would wait until somebody writes.
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let verbs: [&[&str]; 5] =
        [&["verify"], &["view"], &["view", "--serve"], &["export", "--shiviz"], &["replay"]];
    for verb in verbs {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labs"));
        let output = command.args(verb).arg(&pipe).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {said}");
        assert!(said.contains("it is not an ordinary file"), "{verb:?}: {said}");
    }
}

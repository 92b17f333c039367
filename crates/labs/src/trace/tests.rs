use proptest::prelude::*;

use super::format::{Reader, line, parse};
use super::{Header, MessageId, MessageNote, Note, TraceEvent, What};
use crate::clocks::Vector;
use crate::process::ProcessId;

fn header() -> Header {
    Header {
        trace: 1,
        lab: "token-ring".to_owned(),
        verb: "simulate".to_owned(),
        run: "sim".to_owned(),
        processes: 4,
        seed: 7,
        arguments: vec!["--laps".to_owned(), "3".to_owned()],
        clocks: true,
        properties: vec![],
    }
}

fn send() -> TraceEvent {
    TraceEvent {
        process: ProcessId(2),
        n: 17,
        clock: Some(Vector::from(vec![3, 9, 17, 2])),
        lamport: 31,
        at_us: 1_234_567,
        what: What::Send {
            peer: ProcessId(3),
            message: MessageNote {
                id: MessageId { process: ProcessId(2), n: 17 },
                kind: "TOKEN".to_owned(),
                text: "Token { lap: 3 }".to_owned(),
                bytes: 12,
            },
        },
    }
}

/// The line that the design shows, letter by letter.
#[test]
fn the_format_is_as_published() {
    let expected = concat!(
        r#"{"process":2,"n":17,"clock":[3,9,17,2],"lamport":31,"at_us":1234567,"event":"send","#,
        r#""peer":3,"message":{"id":"2-17","kind":"TOKEN","text":"Token { lap: 3 }","bytes":12}}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(line(&send())).unwrap(), expected);
}

#[test]
fn a_header_without_later_fields_is_read() {
    let old =
        r#"{"trace":1,"lab":"x","verb":"run","run":"r","processes":2,"seed":0,"arguments":[]}"#;
    let reader = Reader::new(old.as_bytes()).unwrap();
    assert!(reader.header().clocks);
    assert!(reader.header().properties.is_empty());
}

#[test]
fn errors_name_the_line() {
    let mut file = serde_json::to_vec(&header()).unwrap();
    file.push(b'\n');
    file.extend(line(&send()));
    file.extend(b"{\"process\":1}\n");
    let mut reader = Reader::new(file.as_slice()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), send());
    let error = reader.next().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("line 3: missing field"), "{error}");
}

#[test]
fn a_send_needs_its_message() {
    let error =
        parse(br#"{"process":2,"n":1,"lamport":1,"at_us":0,"event":"send","peer":3}"#).unwrap_err();
    assert_eq!(error, "a send event without its message");
}

#[test]
fn what_is_no_trace_is_refused() {
    let error = |text: &str| Reader::new(text.as_bytes()).unwrap_err().to_string();
    assert!(error("").starts_with("this is not a trace"));
    assert!(error("#!/bin/sh\n").starts_with("this is not a trace"));
    let mut newer = header();
    newer.trace = 2;
    let newer = serde_json::to_string(&newer).unwrap();
    assert!(error(&newer).contains("format 2"));
    let mut huge = header();
    huge.processes = u32::MAX;
    let huge = serde_json::to_string(&huge).unwrap();
    assert!(error(&huge).contains("the limit is"));
}

#[test]
fn a_line_without_end_does_not_fill_memory() {
    let mut file = serde_json::to_vec(&header()).unwrap();
    file.push(b'\n');
    file.resize(file.len() + 2 * super::format::LINE_MAX as usize, b'x');
    let mut reader = Reader::new(file.as_slice()).unwrap();
    assert!(reader.next().unwrap().unwrap_err().to_string().contains("longer than"));
}

#[test]
fn the_notation_is_that_of_the_books() {
    assert_eq!(send().to_string(), "p2 ↗ p3 Token { lap: 3 }");
    let told = |what| TraceEvent { what, ..send() }.to_string();
    let note = || Note { kind: "Entered".to_owned(), text: "Entered".to_owned() };
    assert_eq!(told(What::Indication(note())), "p2 ! Entered");
    assert_eq!(told(What::Request(note())), "p2 ? Entered");
    assert_eq!(told(What::Timeout(note())), "p2 ⏰ Entered");
    let What::Send { message, .. } = send().what else { unreachable!() };
    let peer = ProcessId(1);
    assert_eq!(told(What::Receive { peer, message: message.clone() }), "p1 → p2 Token { lap: 3 }");
    assert_eq!(told(What::Drop { peer, message }), "p2 ⇥ p1 Token { lap: 3 }");
}

proptest! {
    #[test]
    fn no_line_makes_the_reader_panic(bytes: Vec<u8>) {
        let _ = parse(&bytes);
        let _ = Reader::new(bytes.as_slice()).map(|reader| reader.take(10).count());
    }

    #[test]
    fn what_is_written_is_read(text: String, kind: String, process: u32, n: u64, lamport: u64) {
        let mut event = send();
        event.process = ProcessId(process);
        (event.n, event.lamport) = (n, lamport);
        event.what = What::Indication(Note { kind, text });
        prop_assert_eq!(parse(&line(&event)).unwrap(), event);
    }
}

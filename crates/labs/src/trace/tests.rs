use proptest::prelude::*;

use super::format::{Reader, Writer, line, parse};
use super::{
    Data, Header, Identity, Meaning, MessageId, MessageNote, Note, TraceEvent, Unreadable, What,
};
use crate::clocks::Vector;
use crate::process::ProcessId;

fn header() -> Header {
    let identity = Identity {
        lab: "token-ring".to_owned(),
        verb: "simulate".to_owned(),
        run: "sim".to_owned(),
        processes: 4,
        seed: 7,
    };
    let arguments = vec!["--laps".to_owned(), "3".to_owned()];
    Header::new(identity, arguments, Vec::new(), Meaning::default())
}

fn token() -> Data {
    serde_json::from_str(r#"{"Token":{"lap":3}}"#).unwrap()
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
                data: token(),
            },
        },
    }
}

/// The line that the design shows, letter by letter.
#[test]
fn the_format_is_as_published() {
    let expected = concat!(
        r#"{"process":2,"n":17,"clock":[3,9,17,2],"lamport":31,"at_us":1234567,"event":"send","#,
        r#""peer":3,"message":{"id":"2-17","kind":"TOKEN","text":"Token { lap: 3 }","bytes":12,"#,
        r#""data":{"Token":{"lap":3}}}}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(line(&send())).unwrap(), expected);
}

#[test]
fn a_header_without_later_fields_is_read() {
    let old =
        r#"{"trace":2,"lab":"x","verb":"run","run":"r","processes":2,"seed":0,"arguments":[]}"#;
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

/// A list of so many numbers, told by a process.
fn told(numbers: u64) -> TraceEvent {
    let list: Vec<_> = (0..numbers).collect();
    let note = Note { kind: "Listed".into(), text: String::new(), data: Data::of(&list) };
    TraceEvent { what: What::Indication(note), ..send() }
}

/// The data of the one event in a file.
fn data_in_file(event: &TraceEvent) -> serde_json::Value {
    let mut writer = Writer::append(Vec::new());
    writer.write(event).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&writer.finish().unwrap()).unwrap();
    line["value"]["data"].clone()
}

#[test]
fn a_large_value_stands_in_a_file_as_its_length_and_its_hash() {
    let small = data_in_file(&told(1_000));
    assert_eq!(small.as_array().unwrap().len(), 1_000);
    let large = told(1_100);
    let sha256 = "cfd5473e364a572657dd9633de008a6af4ffaffc0bca1885f1e2009c2ecd6da0";
    assert_eq!(data_in_file(&large), serde_json::json!({ "cut": 4391, "sha256": sha256 }));
    // A journal has it whole.
    assert_eq!(parse(&line(&large)).unwrap(), large);
    let mut cut = Data::of(&(0..1_100_u64).collect::<Vec<_>>());
    cut.cut();
    assert_eq!(cut.get::<Vec<u64>>(), Err(Unreadable::Cut(4391)));
    let read: Data = serde_json::from_str(&serde_json::to_string(&cut).unwrap()).unwrap();
    assert_eq!(read, cut);
}

/// A message passes by again and again: of a large one a file has the hash of its beginning.
#[test]
fn a_large_message_stands_in_a_file_as_the_hash_of_its_beginning() {
    let list: Vec<_> = (0..1_100_u64).collect();
    let mut large = send();
    let What::Send { message, .. } = &mut large.what else { panic!("it is a sending") };
    message.data = Data::of(&list);
    let mut writer = Writer::append(Vec::new());
    writer.write(&large).unwrap();
    let written = parse(&writer.finish().unwrap()).unwrap();
    let What::Send { message, .. } = written.what else { panic!("it is a sending") };
    assert_eq!(message.data, Data::beginning_of(&list));
    assert_eq!(message.data.get::<Vec<u64>>(), Err(Unreadable::Cut(4_096)));
}

#[test]
fn data_is_equal_where_its_json_is() {
    let (one, same, other) = (Data::of(&[1, 2]), Data::of(&vec![1_u64, 2]), Data::of(&[1, 3]));
    assert_eq!(one, same);
    assert!(one < other);
    assert_ne!(one, Data::default());
    assert_eq!(Data::default().to_string(), "null");
    assert_eq!(one.get::<Vec<u8>>(), Ok(vec![1, 2]));
    assert_eq!(one.get::<String>(), Err(Unreadable::Foreign));
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
    newer.trace = 3;
    let newer = serde_json::to_string(&newer).unwrap();
    assert!(error(&newer).contains("format 3"));
    let older = r#"{"trace":1,"lab":"x","properties":[{"property":"fifo"}]}"#;
    let refused = "the trace has format 1, and this program reads format 2: use the program that \
                   wrote it, or make the run again";
    assert_eq!(error(older), refused);
    let mut huge = header();
    huge.identity.processes = u32::MAX;
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
    let note = || Note { kind: "Entered".into(), text: "Entered".to_owned(), ..Note::default() };
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
        event.what = What::Indication(Note { kind: kind.into(), text, data: token() });
        prop_assert_eq!(parse(&line(&event)).unwrap(), event);
    }
}

use std::collections::BTreeMap;

use super::*;

const HEADER: &str = r#"{"trace":2,"lab":"any","verb":"simulate","run":"r","processes":3,"seed":1,"arguments":[],"clocks":false,"properties":[{"name":"mutual exclusion","kind":"safety","pattern":{"pairwise_ordered":{"enter":"Entered","exit":"Left"}}}]}"#;

/// Numbers and clocks events as a run does.
#[derive(Default)]
struct Run {
    lines: Vec<String>,
    n: [u64; 3],
}

impl Run {
    fn event(mut self, process: usize, rest: &str) -> Self {
        self.n[process] += 1;
        let n = self.n[process];
        self.lines.push(format!(
            r#"{{"process":{process},"n":{n},"lamport":{n},"at_us":{},{rest}}}"#,
            self.lines.len() * 1000
        ));
        self
    }

    fn message(self, what: &str, process: usize, peer: usize, id: &str, text: &str) -> Self {
        let text = serde_json::to_string(text).unwrap();
        let message = format!(r#"{{"id":"{id}","kind":"ASK","text":{text},"bytes":1}}"#);
        self.event(process, &format!(r#""event":"{what}","peer":{peer},"message":{message}"#))
    }

    fn says(self, process: usize, kind: &str) -> Self {
        let value = format!(r#"{{"kind":"{kind}","text":"{kind}"}}"#);
        self.event(process, &format!(r#""event":"indication","value":{value}"#))
    }

    fn export(&self, format: Format) -> Vec<u8> {
        self.export_with(HEADER, format)
    }

    fn export_with(&self, header: &str, format: Format) -> Vec<u8> {
        let text = format!("{header}\n{}\n", self.lines.join("\n"));
        let mut result = Vec::new();
        export(text.as_bytes(), format, &mut result).unwrap();
        result
    }

    fn text(&self, format: Format) -> String {
        String::from_utf8(self.export(format)).unwrap()
    }
}

/// p0 asks p1, which asks p2; a message is lost, one arrives twice, one is under way.
fn run() -> Run {
    Run::default()
        .event(0, r#""event":"init""#)
        .says(0, "Left")
        .message("send", 0, 1, "0-3", "Ask { a: 1 }")
        .message("receive", 1, 0, "0-3", "Ask { a: 1 }")
        .says(1, "Entered")
        .says(1, "Entered")
        .message("send", 1, 2, "1-4", "a;b #c\nd")
        .message("receive", 1, 0, "0-3", "Ask { a: 1 }")
        .message("send", 1, 0, "1-6", "Lost")
        .message("drop", 1, 0, "1-6", "Lost")
        .says(1, "Left")
        .message("receive", 2, 1, "1-4", "a;b #c\nd")
        .message("send", 2, 0, "2-2", "Late")
        .event(2, r#""event":"crash""#)
}

// -----------------------------------------------------------------------------------------------
// ShiViz

/// What ShiViz itself demands of a log, checked as its parser does: see its `VectorTimestamp` and
/// `ModelGraph`.
fn assert_shiviz_takes(log: &str) {
    let mut lines = log.lines();
    assert_eq!(lines.next(), Some(shiviz::EXPRESSION));
    assert_eq!(lines.next(), Some(""), "no delimiter: one run");
    let mut events: BTreeMap<(String, u64), BTreeMap<String, u64>> = BTreeMap::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines {
        let (host, rest) = line.split_once(' ').unwrap();
        let (clock, rest) = rest.split_once("} ").unwrap();
        let clock: BTreeMap<String, u64> = serde_json::from_str(&format!("{clock}}}")).unwrap();
        let (at, event) = rest.split_once(' ').unwrap();
        assert!(!at.is_empty() && !event.is_empty(), "{line}");
        let mine = clock.get(host).copied().expect("a host's clock counts the host itself");
        let before = last.insert(host.to_owned(), mine).unwrap_or(0);
        assert_eq!(mine, before + 1, "a host's clock starts at 1 and rises by 1: {line}");
        events.insert((host.to_owned(), mine), clock);
    }
    assert!(!events.is_empty());
    for ((host, n), clock) in &events {
        for (other, m) in clock {
            let known = events.get(&(other.clone(), *m));
            let known = known.unwrap_or_else(|| panic!("{host} {n} knows {other} {m}: not there"));
            for (third, k) in known {
                assert!(clock.get(third) >= Some(k), "{host} {n} knows less than {other} {m}");
            }
        }
    }
}

#[test]
fn shiviz_takes_the_log() {
    let log = run().text(Format::Shiviz);
    assert_shiviz_takes(&log);
    assert!(log.contains("\np1 {\"p0\":3,\"p1\":1} 3.000ms p0 → p1 Ask { a: 1 }\n"), "{log}");
    assert_eq!(log.lines().count(), 2 + 14, "a line an event, whatever its text");
}

#[test]
#[should_panic(expected = "starts at 1 and rises by 1")]
fn shiviz_would_not_take_a_log_with_a_gap() {
    let log = run().text(Format::Shiviz);
    let gap: Vec<_> =
        log.lines().filter(|line| !line.starts_with("p1 {\"p0\":3,\"p1\":2}")).collect();
    assert_shiviz_takes(&gap.join("\n"));
}

// -----------------------------------------------------------------------------------------------
// Mermaid

#[test]
fn a_sequence_diagram() {
    assert_eq!(
        run().text(Format::Mermaid),
        "\
sequenceDiagram
    participant p0
    participant p1
    participant p2
    Note over p0: Left
    p0->>p1: Ask { a: 1 }
    Note over p1: Entered
    activate p1
    Note over p1: Entered
    p0->>p1: Ask { a: 1 }
    p1-xp0: Lost (lost)
    deactivate p1
    p1->>p2: a#59;b #35;c\u{fffd}d
    Note over p2: crashes
    p2--)p0: Late (under way)
"
    );
}

/// From the third event on, what p0 and p1 say repeats until the run is cut.
#[test]
fn what_repeats_for_ever_is_a_loop() {
    let cycle = r#""cycle_from":{"line":4,"property":"any"},"properties""#;
    let header = HEADER.replacen(r#""properties""#, cycle, 1);
    let run = Run::default()
        .message("send", 0, 1, "0-1", "Ask")
        .says(2, "Before")
        .message("receive", 1, 0, "0-1", "Ask")
        .message("send", 1, 0, "1-2", "Wait")
        .message("receive", 0, 1, "1-2", "Wait")
        .message("send", 0, 1, "0-3", "Ask")
        .event(0, r#""event":"stop""#);
    let text = String::from_utf8(run.export_with(&header, Format::Mermaid)).unwrap();
    let (_, diagram) = text.split_once("participant p2\n").unwrap();
    assert_eq!(
        diagram,
        "    Note over p2: Before
    loop for ever
    p0->>p1: Ask
    p1->>p0: Wait
    end
    p0--)p1: Ask (under way)
"
    );
}

// -----------------------------------------------------------------------------------------------
// Captures

/// The packets of a capture, each from its Ethernet header on.
fn packets(capture: &[u8]) -> Vec<&[u8]> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    assert_eq!(capture[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    let mut rest = &capture[24..];
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let length = number(&rest[8..]);
        assert_eq!(length, number(&rest[12..]));
        packets.push(&rest[16..16 + length]);
        rest = &rest[16 + length..];
    }
    packets
}

#[test]
fn a_message_is_a_packet_and_a_pair_a_connection() {
    let capture = run().export(Format::Pcap);
    let packets = packets(&capture);
    // Three pairs with three packets each to connect, and four messages.
    assert_eq!(packets.len(), 9 + 4);
    let first = packets[3];
    assert_eq!(first[26..34], [10, 0, 0, 1, 10, 0, 0, 2]);
    assert_eq!(first[54 + 32..][..3], *b"ASK");
    assert!(first.ends_with(b"Ask { a: 1 }"));
}

#[test]
fn a_long_message_is_cut_into_segments() {
    let text = "x".repeat(4000);
    let run = Run::default().message("send", 0, 1, "0-1", &text).message("send", 0, 1, "0-2", "y");
    let capture = run.export(Format::Pcap);
    let packets = packets(&capture);
    assert_eq!(packets.len(), 3 + 3 + 1);
    let sequence = |packet: &[u8]| u32::from_be_bytes(packet[38..42].try_into().unwrap());
    assert_eq!(packets[3..].iter().map(|p| sequence(p)).collect::<Vec<_>>()[..3], [1, 1461, 2921]);
    let all: usize = packets[3..6].iter().map(|packet| packet.len() - 54).sum();
    assert_eq!(sequence(packets[6]) as usize, 1 + all);
}

/// Of each packet: who sends and who receives, by the last byte of the address, with the ports.
fn ends(capture: &[u8]) -> Vec<[(u8, u16); 2]> {
    let ends = |packet: &&[u8]| {
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        [(packet[29], port(34)), (packet[33], port(36))]
    };
    packets(capture).iter().map(ends).collect()
}

/// p2 opens connections to lower ranks, and is sent back to on one of them; p1 sends to itself.
#[test]
fn a_port_is_made_from_the_rank_at_the_other_end() {
    let run = Run::default()
        .message("send", 2, 0, "2-1", "x")
        .message("send", 2, 1, "2-2", "x")
        .message("send", 0, 2, "0-1", "x")
        .message("send", 1, 1, "1-1", "x");
    let to = |rank: u8| (rank + 1, pcap::PORT);
    let opened = |rank: u8, other: u8| (rank + 1, 49_152 + u16::from(other));
    let connection = |from, peer| {
        let (mine, theirs) = (opened(from, peer), to(peer));
        [[mine, theirs], [theirs, mine], [mine, theirs], [mine, theirs]]
    };
    let back = [to(0), opened(2, 0)];
    let expected = [&connection(2, 0)[..], &connection(2, 1), &[back], &connection(1, 1)].concat();
    assert_eq!(ends(&run.export(Format::Pcap)), expected);
}

// -----------------------------------------------------------------------------------------------
// What is refused

#[test]
fn what_no_run_can_do_is_refused() {
    let refused = |lines: &str| {
        let text = format!("{HEADER}\n{lines}\n");
        export(text.as_bytes(), Format::Shiviz, &mut Vec::new()).unwrap_err().to_string()
    };
    let unsent = Run::default().message("receive", 1, 0, "0-0", "Ask");
    let reason = "line 2: p1 receives message 0-0, which was not sent to it before this line";
    assert_eq!(refused(&unsent.lines[0]), reason);
    let stranger = unsent.lines[0].replace("\"process\":1", "\"process\":9");
    assert_eq!(refused(&stranger), "line 2: p9 is not one of the 3 processes of the run");
    let gap = r#"{"process":1,"n":2,"lamport":2,"at_us":0,"event":"init"}"#;
    let reason =
        "line 2: the trace lacks the beginning of p1, whose first event here is its event 2";
    assert!(refused(gap).starts_with(reason));
    let elsewhere =
        Run::default().message("send", 0, 1, "0-1", "Ask").message("receive", 2, 0, "0-1", "Ask");
    let reason = "line 3: p2 receives message 0-1, which was not sent to it before this line";
    assert_eq!(refused(&elsewhere.lines.join("\n")), reason);
    let many = HEADER.replace("\"processes\":3", "\"processes\":257");
    for format in [Format::Shiviz, Format::Mermaid] {
        let error = export(many.as_bytes(), format, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("at most 256"), "{error}");
    }
    let one_too_many = format!("\"processes\":{}", pcap::PROCESSES_MAX + 1);
    let many = HEADER.replace("\"processes\":3", &one_too_many);
    let error = export(many.as_bytes(), Format::Pcap, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("at most 16777214"), "{error}");
}

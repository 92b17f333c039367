//! Journals: written, read back, merged and judged. And what is read from a network or a file.

use std::io::{BufReader, Write};

use proptest::prelude::*;

use crate::process::ProcessId;
use crate::run::collect::{Collected, Ended, judge};
use crate::run::conductor::{Member, Phase};
use crate::run::config::Config;
use crate::run::journal::{Entry, Events, Form, Happened, JOURNAL_MAX, Journal, Passage};
use crate::run::wire::{Hello, Part, PeerFrame, ToLauncher, ToParticipant};
use crate::trace::{Header, Identity, Meaning, Note, Stamper, TraceEvent, What, Whereabouts};
use crate::verdict::{End, Property, Times};

const P0: ProcessId = ProcessId(0);
const P1: ProcessId = ProcessId(1);

fn note(kind: &str) -> Note {
    Note { kind: kind.to_owned().into(), text: kind.to_owned(), ..Note::default() }
}

fn indication(kind: &str) -> Entry {
    Happened::Indication.with(note(kind))
}

fn write(journal: &mut Journal, stamper: &mut Stamper, at_us: u64, entries: Vec<Entry>) {
    for entry in entries {
        stamper.tick();
        journal.append(stamper, at_us, entry).unwrap();
    }
}

/// What p0 writes down: it starts, enters and leaves, and passes the token to p1.
fn write_p0(journal: &mut Journal, stamper: &mut Stamper) {
    let token = Happened::Send(Passage { peer: P1, n: 4, bytes: 12 }).with(note("TOKEN"));
    let entries = vec![Happened::Init.into(), indication("Entered"), indication("Left"), token];
    write(journal, stamper, 7, entries);
}

/// What p1 writes down: it starts, receives the token as p0's `n`-th event, enters and leaves.
fn write_p1(journal: &mut Journal, stamper: &mut Stamper, n: u64) {
    write(journal, stamper, 1, vec![Happened::Init.into()]);
    stamper.receive(n, None);
    let token = Happened::Receive(Passage { peer: P0, n, bytes: 12 }).with(note("TOKEN"));
    journal.append(stamper, 8, token).unwrap();
    let entries = vec![indication("Entered"), indication("Left"), Happened::Stop.into()];
    write(journal, stamper, 9, entries);
}

fn whole(journal: &mut Journal) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let Part { bytes, is_last, truncated, .. } = journal.part(all.len() as u64).unwrap();
        assert!(!truncated);
        all.extend(bytes);
        if is_last {
            return all;
        }
    }
}

fn read(process: ProcessId, bytes: &[u8], form: Form) -> Vec<TraceEvent> {
    Events::new(process, BufReader::new(bytes), form).map(Result::unwrap).collect()
}

#[test]
fn a_journal_in_memory_is_read_back() {
    let mut journal = Journal::in_memory();
    write_p0(&mut journal, &mut Stamper::new(P0, 2, false));
    let events = read(P0, &whole(&mut journal), Form::Records);
    assert_eq!(events.iter().map(|event| event.n).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let What::Send { peer, message } = &events[3].what else { panic!("{events:?}") };
    assert_eq!((*peer, message.id.to_string().as_str()), (P1, "0-4"));
    assert_eq!((message.kind.as_str(), message.bytes), ("TOKEN", 12));
}

#[test]
fn a_journal_on_disk_is_read_back_up_to_the_line_that_was_cut_off() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let open = || std::fs::OpenOptions::new().read(true).append(true).open(file.path()).unwrap();
    let mut journal = Journal::File(open());
    write_p0(&mut journal, &mut Stamper::new(P0, 2, true));
    // A `kill -9` in the middle of a write.
    open().write_all(br#"{"process":0,"n":5,"clo"#).unwrap();
    let events = read(P0, &whole(&mut journal), Form::Lines);
    assert_eq!(events.len(), 4);
    assert_eq!(events[3].clock.as_ref().unwrap().entries(), [4, 0]);
}

#[test]
fn a_journal_in_memory_has_a_limit() {
    let mut journal = Journal::in_memory();
    let mut stamper = Stamper::new(P0, 1, false);
    let long = Note { kind: "Long".into(), text: "x".repeat(1 << 20), ..Note::default() };
    for _ in 0..64 {
        stamper.tick();
        journal.append(&stamper, 0, Happened::Indication.with(long.clone())).unwrap();
    }
    let Journal::Memory { bytes, .. } = &journal else { unreachable!() };
    assert!(bytes.len() < JOURNAL_MAX + (2 << 20), "{} bytes", bytes.len());
    assert!(journal.part(0).unwrap().truncated);
}

fn collected(bytes: &[u8]) -> (tempfile::NamedTempFile, Collected) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let journal = Some(file.path().to_owned());
    (file, Collected { journal, truncated: false, lost: false, died: None, misstep: None })
}

fn header() -> Header {
    let identity = Identity {
        lab: "any".to_owned(),
        verb: "run".to_owned(),
        run: "r".to_owned(),
        processes: 2,
        seed: 0,
    };
    let properties = vec![
        Property::pairwise_ordered("mutual exclusion", "Entered", "Left"),
        Property::each("everyone enters", "Entered", Times::Exactly(1)),
    ];
    let header = Header::new(identity, Vec::new(), properties, Meaning::default());
    Header { clocks: false, ..header }
}

/// A run without faults that ended so.
fn ended<'a>(header: &'a Header, end: &'a End) -> Ended<'a> {
    Ended { header, end, form: Form::Records, may_double: false }
}

fn two_journals(n: u64) -> [Vec<u8>; 2] {
    let (mut one, mut other) = (Journal::in_memory(), Journal::in_memory());
    write_p0(&mut one, &mut Stamper::new(P0, 2, false));
    write_p1(&mut other, &mut Stamper::new(P1, 2, false), n);
    [whole(&mut one), whole(&mut other)]
}

#[test]
fn journals_are_merged_in_an_order_that_respects_causality() {
    let [one, other] = two_journals(4);
    let ((_one, one), (_other, other)) = (collected(&one), collected(&other));
    let mut order = Vec::new();
    let judged = judge(&ended(&header(), &End::Complete), &[one, other], None, &mut |event| {
        order.push(event.to_string());
    })
    .unwrap();
    assert!(judged.verdicts.iter().all(|verdict| verdict.holds() == Some(true)));
    let place = |what: &str| order.iter().position(|event| event == what).unwrap();
    assert!(place("p0 ! Left") < place("p1 ! Entered"), "{order:?}");
}

#[test]
fn what_a_lost_journal_leaves_open_is_open() {
    let [_, other] = two_journals(4);
    let (_file, other) = collected(&other);
    let lost =
        Collected { journal: None, truncated: false, lost: false, died: Some(0), misstep: None };
    let end = End::CutShort("p0 died".to_owned());
    let judged = judge(&ended(&header(), &end), &[lost, other], None, &mut |_| ()).unwrap();
    assert!(
        judged.verdicts.iter().all(|verdict| verdict.holds().is_none()),
        "{:?}",
        judged.verdicts
    );
    assert!(judged.gaps[0].contains("the events of p0 are lost"), "{:?}", judged.gaps);
}

#[test]
fn journals_that_contradict_each_other_are_refused() {
    // p1 says that it received what p0 sent as its second event, which was no sending.
    let [one, other] = two_journals(2);
    let ((_one, one), (_other, other)) = (collected(&one), collected(&other));
    let error =
        judge(&ended(&header(), &End::Complete), &[one, other], None, &mut |_| ()).err().unwrap();
    assert!(error.to_string().contains("contradict"), "{error}");
}

#[test]
fn a_process_that_died_crashes_at_the_end_of_its_journal() {
    let [one, other] = two_journals(4);
    let ((_one, one), (_other, mut other)) = (collected(&one), collected(&other));
    other.died = Some(0);
    let mut last = None;
    let end = End::CutShort("p1 died".to_owned());
    judge(&ended(&header(), &end), &[one, other], None, &mut |event| {
        if event.process == P1 {
            last = Some(event.clone());
        }
    })
    .unwrap();
    let last = last.unwrap();
    assert_eq!((last.what, last.n), (What::Crash(None), 6));
}

/// Where it ran, and its log, are of use all the more then.
#[test]
fn who_could_not_be_started_again_is_known_from_before() {
    let mut member = Member::new(0);
    assert_eq!(member.participant("lab01".to_owned()).pid, 0);
    assert_eq!(member.whereabouts(), Whereabouts::default());
    member.former = Some(Hello {
        host: "lab01.room".to_owned(),
        pid: 17,
        address: "10.0.0.1:4711".to_owned(),
        log: "/tmp/labs-me/r/lab-0.log".to_owned(),
    });
    let participant = member.participant("lab01".to_owned());
    assert_eq!((participant.pid, &*participant.log), (17, "/tmp/labs-me/r/lab-0.log"));
    let Whereabouts { host, pid, address } = member.whereabouts();
    assert_eq!((&*host, pid, &*address), ("lab01.room", 17, "10.0.0.1:4711"));
    member.phase = Phase::Launched(18);
    assert_eq!(member.participant("lab01".to_owned()).pid, 18);
}

proptest! {
    /// Whatever arrives in a frame, on standard input or in a file is an error at worst.
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
        let _ = PeerFrame::read(&bytes);
        let _ = netkit::codec::decode::<ToLauncher>(&bytes);
        let _ = netkit::codec::decode::<ToParticipant>(&bytes);
        let _ = Config::read(&mut bytes.as_slice());
        for form in [Form::Records, Form::Lines] {
            let _ = Events::new(P0, BufReader::new(bytes.as_slice()), form).take(100).count();
        }
    }
}

#[test]
fn a_part_travels_as_one_piece_and_not_byte_by_byte() {
    // JSON tells the two apart: only what is read as one piece may be a string there.
    let json = r#"{"offset":7,"bytes":"ab","is_last":true,"truncated":false}"#;
    let part: Part = serde_json::from_str(json).unwrap();
    assert_eq!((part.offset, part.bytes), (7, b"ab".to_vec()));
}

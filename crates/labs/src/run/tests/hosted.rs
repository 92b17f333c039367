//! A process behind the seam, and the frames that the plan of faults keeps back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::Fate;
use crate::lab::Silent;
use crate::process::{Choices, Context, Env, Kind, Process, ProcessId};
use crate::run::hosted::{Bonds, Host, Hosted, Offer, Texts, Wish};
use crate::run::links::Link;

const P1: ProcessId = ProcessId(1);

/// Says back what it is told, and has a timer for each number.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Echo;

#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
struct Word(u32);

impl Kind for Word {
    fn kind(&self) -> &'static str {
        "WORD"
    }
}

impl Process for Echo {
    type Request = Word;
    type Indication = Word;
    type Message = Word;
    type Timer = u32;

    fn on_request(&mut self, ctx: &mut Context<Self>, Word(number): Word) {
        ctx.start_timer(number, Duration::from_millis(number.into()));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, word: Word) {
        ctx.stop_timer(word.0);
        ctx.send(from, word.clone());
        ctx.indicate(word);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, number: u32) {
        ctx.indicate(Word(number));
    }
}

fn host(texts: Texts) -> Host<Echo> {
    let bonds = Bonds {
        application: Box::new(Silent),
        contact: |_| None,
        is_finished: |word: &Word| word.0 == 7,
        lost: |_| None,
        requests: vec![Word(5), Word(6), Word(7)],
        stop: None,
    };
    Host::new(Echo, bonds, texts)
}

/// Lets something happen, and returns what it leads to.
fn happen(host: &mut Host<Echo>, offer: Offer<'_>) -> Vec<Wish> {
    assert!(host.offer(offer).unwrap().is_some());
    host.take(Env { me: ProcessId(0), processes: 2, now: None }, &mut Choices::default()).unwrap();
    std::iter::from_fn(|| host.wish()).collect()
}

fn started(wishes: &[Wish]) -> u32 {
    let [Wish::StartTimer { timer, .. }] = wishes else { panic!("{} wishes", wishes.len()) };
    *timer
}

#[test]
fn timers_are_numbers_that_are_used_again() {
    let mut host = host(Texts::Whole);
    assert!(host.offer(Offer::Request).unwrap().is_none());
    host.ask();
    let numbers = [(); 2].map(|()| started(&happen(&mut host, Offer::Request)));
    assert_eq!(numbers, [0, 1]);
    // The timer that was called 5 runs out: its number is free, and is no timer's any more.
    let wishes = happen(&mut host, Offer::Timeout(0));
    let [Wish::Indicate { indication, is_finished: false, .. }] = &wishes[..] else { panic!() };
    assert_eq!((&*indication.kind, &*indication.text), ("WORD", "Word(5)"));
    assert!(host.offer(Offer::Timeout(0)).unwrap().is_none());
    assert_eq!(started(&happen(&mut host, Offer::Request)), 0);
}

#[test]
fn a_message_is_bytes_and_what_the_journal_keeps_of_it() {
    for (texts, text) in [(Texts::Whole, "Word(7)"), (Texts::KindOnly, "")] {
        let mut host = host(texts);
        let body = [0, 0, 0, 7];
        let note = host.offer(Offer::Message { from: P1, body: &body }).unwrap().unwrap();
        assert_eq!((&*note.kind, &*note.text), ("WORD", text));
        host.take(Env { me: ProcessId(0), processes: 2, now: None }, &mut Choices::default())
            .unwrap();
        assert!(matches!(host.wish(), Some(Wish::StopTimer { .. })));
        assert!(matches!(host.wish(), Some(Wish::Send { to: P1, .. })));
        let mut encoded = Vec::new();
        host.encode(&mut encoded).unwrap();
        assert_eq!(encoded, body);
        assert!(matches!(host.wish(), Some(Wish::Indicate { is_finished: true, .. })));
        assert!(host.wish().is_none());
    }
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let mut host = host(Texts::Whole);
    for body in [&[0, 0, 7][..], &[0, 0, 0, 7, 0]] {
        assert!(host.offer(Offer::Message { from: P1, body }).is_err());
    }
}

const SOON: Duration = Duration::from_millis(1);

fn frames(link: &mut Link, now: Duration) -> String {
    let due = link.release(now);
    due.frames.iter().flatten().map(|&byte| char::from(byte)).collect()
}

#[test]
fn a_late_frame_is_not_overtaken_by_one_that_is_not_late() {
    let mut link = Link::default();
    let late = Fate { delay: SOON, ..Fate::default() };
    link.keep(b"a".to_vec(), late, Duration::ZERO);
    link.keep(b"b".to_vec(), Fate::default(), Duration::ZERO);
    assert_eq!((frames(&mut link, Duration::ZERO), link.next()), (String::new(), Some(SOON)));
    assert_eq!((frames(&mut link, SOON), link.next()), ("ab".to_owned(), None));
}

#[test]
fn a_frame_that_is_held_back_goes_behind_the_next_or_alone() {
    let held = Fate { overtaken_by: Some(3), is_doubled: true, ..Fate::default() };
    let mut link = Link::default();
    assert_eq!(link.keep(b"a".to_vec(), held, Duration::ZERO), None);
    assert_eq!(link.keep(b"b".to_vec(), Fate::default(), Duration::ZERO), Some(3));
    assert_eq!(frames(&mut link, Duration::ZERO), "baa");
    link.keep(b"c".to_vec(), held, Duration::ZERO);
    let until = link.next().unwrap();
    let due = link.release(until);
    assert!(due.is_alone && due.frames.len() == 2);
}

//! A process that is made again from its journal.

use std::fs::OpenOptions;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lab::Silent;
use crate::process::{Choices, Context, Env, Kind, Never, Process, ProcessId};
use crate::replay::recall::{Past, RecallError};
use crate::run::algorithm::{Algorithm, Books, Deed};
use crate::run::hosted::{Bonds, Host, Texts};
use crate::run::journal::Journal;
use crate::run::wire::{MessageHeader, kind_field};
use crate::trace::Stamper;

const P0: ProcessId = ProcessId(0);
const SEED: u64 = 7;

/// Writes down all that a handler may depend on: what it is told, the time, and what it chooses.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Diary {
    lines: Vec<String>,
    /// It starts again without the lines that begin with this.
    forgets: String,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Said {
    Lines(Vec<String>),
    Word(u64),
}

impl Diary {
    fn write(&mut self, ctx: &mut Context<Self>, what: String) {
        let (at, chosen) = (ctx.now(), ctx.choose(1_000));
        self.lines.push(format!("{what} at {at:?}, {chosen}"));
        ctx.indicate(Said::Lines(self.lines.clone()));
    }
}

impl Process for Diary {
    type Request = Never;
    type Indication = Said;
    type Message = Said;
    type Timer = String;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer("first".to_owned(), Duration::from_secs(1));
        self.write(ctx, "started".to_owned());
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, said: Said) {
        ctx.send(from, said.clone());
        self.write(ctx, format!("{said:?} of {from}"));
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: String) {
        ctx.start_timer(format!("after {timer}"), Duration::from_secs(1));
        self.write(ctx, timer);
    }

    fn recovered(&self) -> Option<Self> {
        let mut kept = self.clone();
        kept.lines.retain(|line| self.forgets.is_empty() || !line.starts_with(&self.forgets));
        Some(kept)
    }
}

/// A process with its journal in a file, which outlives it.
struct Life {
    file: tempfile::NamedTempFile,
    algorithm: Algorithm,
}

impl Life {
    fn journal(&self) -> Journal {
        open(self.file.path())
    }

    /// It dies, and starts again from this.
    fn start_again(&mut self, process: Diary) {
        self.algorithm = algorithm(process, self.journal());
        self.algorithm.resume(1_000_000);
        self.rest();
    }

    fn hear(&mut self, number: u64) {
        let header = MessageHeader {
            from: ProcessId(1),
            to: P0,
            n: number,
            lamport: number,
            kind: kind_field("Word"),
            clock: None,
        };
        let mut body = Vec::new();
        netkit::codec::encode(&Said::Word(number), &mut body).unwrap();
        let arrival = self.algorithm.arrive(header, &body).unwrap();
        self.algorithm.receive(arrival);
        self.rest();
    }

    fn time_out(&mut self, timer: u32) {
        self.algorithm.on_timeout(timer);
        self.rest();
    }

    /// What it asks for leaves.
    fn rest(&mut self) {
        while let Some(deed) = self.algorithm.deed() {
            assert!(!matches!(deed, Deed::Fail(_)));
        }
    }

    /// What it is made of, that `process` at first, by its journal.
    fn recall(&self, process: Diary) -> Result<Diary, RecallError> {
        let events = &mut self.journal().events(P0).unwrap();
        Past { me: P0, processes: 2, seed: SEED, events }.recall(process)
    }

    /// What it said last.
    fn last_lines(&self) -> Vec<String> {
        let events = self.journal().events(P0).unwrap().map(Result::unwrap);
        let said = events.filter_map(|event| match event.what {
            crate::trace::What::Indication(note) => note.data.get().ok(),
            _ => None,
        });
        match said.last() {
            Some(Said::Lines(lines)) => lines,
            other => panic!("{other:?}"),
        }
    }
}

fn open(path: &std::path::Path) -> Journal {
    Journal::File(OpenOptions::new().read(true).append(true).open(path).unwrap())
}

fn algorithm(process: Diary, journal: Journal) -> Algorithm {
    let bonds = Bonds {
        application: Box::new(Silent),
        contact: |_| None,
        is_finished: |_| false,
        lost: |_| None,
        requests: Vec::new(),
        stop: None,
    };
    let books = Books::new(Stamper::new(P0, 2, false), journal);
    let env = Env { me: P0, processes: 2, now: None };
    let host = Box::new(Host::new(process, bonds, Texts::Whole));
    Algorithm::new(host, env, Choices::of(P0, SEED), books)
}

fn begun(process: Diary) -> Life {
    let file = tempfile::NamedTempFile::new().unwrap();
    let algorithm = algorithm(process, open(file.path()));
    let mut life = Life { file, algorithm };
    life.algorithm.start();
    life.rest();
    life.hear(17);
    life.time_out(0);
    life
}

#[test]
fn a_process_is_what_it_was_by_its_journal() {
    let life = begun(Diary::default());
    let recalled = life.recall(Diary::default()).unwrap();
    assert_eq!((recalled.lines.len(), &recalled.lines), (3, &life.last_lines()));
}

#[test]
fn it_is_what_it_was_after_a_second_death_too() {
    let first = Diary { forgets: "Word".to_owned(), ..Diary::default() };
    let mut life = begun(first.clone());
    life.start_again(life.recall(first.clone()).unwrap());
    life.hear(18);
    life.time_out(0);
    let recalled = life.recall(first).unwrap();
    // What `recovered` left out is left out, and the word that came since, too.
    let mut lines = life.last_lines();
    assert_eq!(lines.len(), 5);
    lines.retain(|line| !line.starts_with("Word"));
    assert_eq!(recalled.lines, lines);
}

#[test]
fn one_that_died_within_a_step_has_made_it() {
    let life = begun(Diary::default());
    let lines = life.last_lines();
    let text = std::fs::read_to_string(life.file.path()).unwrap();
    let without_last = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(life.file.path(), &text[..without_last]).unwrap();
    assert_eq!(life.recall(Diary::default()).unwrap().lines, lines);
}

#[test]
fn one_that_does_something_else_is_refused() {
    let life = begun(Diary::default());
    let other = Diary { lines: vec!["other".to_owned()], ..Diary::default() };
    let error = life.recall(other).unwrap_err();
    assert!(matches!(error, RecallError::Parted(_)), "{error}");
    assert!(error.to_string().contains("depends on something beside its state"), "{error}");
}

#[test]
fn a_damaged_journal_is_refused() {
    let life = begun(Diary::default());
    let text = std::fs::read_to_string(life.file.path()).unwrap();
    std::fs::write(life.file.path(), text.replace("17", "\"x\"")).unwrap();
    assert!(life.recall(Diary::default()).is_err());
}

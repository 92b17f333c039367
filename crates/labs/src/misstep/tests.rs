use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rehearsal::{compare, is_rehearsed, rehearse};
use super::watchdog::{Watchdog, Whereabouts};
use super::*;
use crate::process::{Choices, Context, Env, Kind, step};
use crate::trace::Note;

/// A process that does what no process may do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Rogue(u64);

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Message {
    Fine,
    Panic,
    Count,
    Secretly,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Process for Rogue {
    type Request = Message;
    type Indication = Message;
    type Message = Message;
    type Timer = u32;

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        match message {
            Message::Fine => ctx.send(from, Message::Fine),
            Message::Panic => panic!("{from} is not my friend"),
            Message::Count => ctx.start_timer(7, Duration::from_millis(count)),
            Message::Secretly => self.0 = count,
        }
    }
}

const ENV: Env = Env { me: ProcessId(1), processes: 2, now: None };

fn event(message: Message) -> EventOf<Rogue> {
    Event::Message { from: ProcessId(0), message }
}

/// What the rehearsal of this message says of it.
fn rehearsed(message: Message) -> Option<Misstep> {
    let (mut rogue, mut choices) = (Rogue(0), Choices::default());
    let when = Occasion::of::<Rogue>(&event(message.clone())).named();
    let first = rehearse(&rogue, ENV, &choices, event(message.clone()))?;
    let effects = step(&mut rogue, ENV, &mut choices, event(message));
    compare(&when, &first, &rogue, &effects)
}

#[test]
fn two_outcomes_of_one_step_are_told() {
    assert_eq!(rehearsed(Message::Fine), None);
    let misstep = rehearsed(Message::Count).unwrap();
    let said = misstep.sentence(ProcessId(1));
    assert!(
        said.starts_with("p1 is not deterministic when Count came from p0: it wanted once"),
        "{said}"
    );
    let misstep = rehearsed(Message::Secretly).unwrap();
    assert!(misstep.what.starts_with("it was once Rogue("), "{misstep:?}");
}

#[test]
fn a_panic_is_caught_with_its_place() {
    let (mut rogue, mut choices) = (Rogue(0), Choices::default());
    let stepped = panics::catch(|| step(&mut rogue, ENV, &mut choices, event(Message::Panic)));
    let panicked = stepped.unwrap_err();
    assert_eq!(panicked.text, "p0 is not my friend");
    assert!(panicked.place.unwrap().contains("misstep/tests.rs:"));
    assert!(rehearse(&Rogue(0), ENV, &choices, event(Message::Panic)).is_none());
}

#[test]
fn a_misstep_survives_a_trace() {
    let misstep = Misstep {
        wrong: Wrong::Hangs,
        when: "when it started".to_owned(),
        what: "it still ran".to_owned(),
        place: Some("src/a.rs:1".to_owned()),
    };
    assert_eq!(Misstep::from_note(&Note::of(&misstep)), Some(misstep));
    assert_eq!(Misstep::from_note(&Note::default()), None);
}

#[test]
fn first_steps_and_then_few_are_rehearsed() {
    let count = |steps: u64| (1..=steps).filter(|&step| is_rehearsed(step)).count() as u64;
    assert_eq!(count(64), 64);
    assert!(count(1_000_000) < 1_000_000 / 100);
}

#[test]
fn a_step_that_does_not_return_is_told() {
    let (told, hears) = channel();
    let whereabouts = Whereabouts::default();
    let limit = Duration::from_millis(50);
    let tell = move |process, misstep| told.send((process, misstep)).unwrap();
    let _watchdog = Watchdog::start(whereabouts.clone(), limit, tell).unwrap();
    whereabouts.enter(ProcessId(0), Occasion::Init);
    whereabouts.leave();
    whereabouts.enter(ProcessId(1), Occasion::Message(ProcessId(0), "TOKEN"));
    let (process, misstep) = hears.recv_timeout(Duration::from_secs(20)).unwrap();
    let said = misstep.sentence(process);
    assert_eq!(
        said,
        "p1 did not return when TOKEN came from p0: the handler still ran after 0.05 s"
    );
}

#[test]
fn no_step_is_no_hanging_one() {
    let (told, hears) = channel();
    let whereabouts = Whereabouts::default();
    let tell = move |process, misstep| told.send((process, misstep)).unwrap();
    let watchdog = Watchdog::start(whereabouts, Duration::from_millis(20), tell).unwrap();
    assert!(hears.recv_timeout(Duration::from_millis(200)).is_err());
    drop(watchdog);
    // Its thread ends with it.
    assert!(hears.recv_timeout(Duration::from_secs(20)).is_err());
}

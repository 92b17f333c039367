use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::{Options, check};
use crate::process::Context;
use crate::record::Recorder;
use crate::simulate::{Chance, Limits, Network, Simulation};
use crate::testing::FileInMemory;
use crate::trace::format::Reader;
use crate::trace::{Header, Identity, Meaning, Note};
use crate::verdict::{Judge, Property};

/// Everything that a handler may depend on: its state, a choice, a timer, the time.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Dice {
    rolls: u32,
    total: u64,
    /// A mistake: what is not in the state of the one that ran.
    adds: u64,
    panics_at: Option<u32>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Rolled(u64);

impl From<&Rolled> for &'static str {
    fn from(_: &Rolled) -> Self {
        "ROLLED"
    }
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Start(u32);

impl From<&Start> for &'static str {
    fn from(_: &Start) -> Self {
        "Start"
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Timer {
    Roll,
    Never,
}

impl Process for Dice {
    type Request = Start;
    type Indication = Rolled;
    type Message = Rolled;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        let pause = 1 + ctx.choose(3) as u64;
        ctx.start_timer(Timer::Roll, Duration::from_millis(pause));
        ctx.start_timer(Timer::Never, Duration::from_millis(1));
        ctx.stop_timer(Timer::Never);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, Start(times): Start) {
        self.rolls += times;
        ctx.start_timer(Timer::Roll, Duration::from_millis(1));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Rolled(number): Rolled) {
        self.total += number + self.adds;
        ctx.indicate(Rolled(self.total));
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, _: Timer) {
        assert_ne!(self.panics_at, Some(self.rolls), "enough");
        let Some(left) = self.rolls.checked_sub(1) else { return };
        self.rolls = left;
        let rolled = 1 + ctx.choose(6) as u64;
        let others = (ctx.processes() - 1) as usize;
        let to = (ctx.me().0 + 1 + ctx.choose(others) as u32) % ctx.processes();
        ctx.send(ProcessId(to), Rolled(rolled));
        ctx.start_timer(Timer::Roll, Duration::from_millis(1));
    }
}

fn header(verb: &str, seed: u64) -> Header {
    let identity = Identity {
        lab: "dice".to_owned(),
        verb: verb.to_owned(),
        run: "test".to_owned(),
        processes: 3,
        seed,
    };
    Header::new(identity, Vec::new(), Vec::new(), Meaning::default())
}

fn fresh() -> Vec<Dice> {
    vec![Dice { rolls: 4, ..Dice::default() }; 3]
}

fn requests() -> Vec<Vec<Start>> {
    vec![vec![Start(2)], Vec::new(), Vec::new()]
}

/// A simulated run of three, on a network that loses, doubles and reorders.
fn simulated(seed: u64) -> (Vec<TraceEvent>, Vec<Dice>) {
    let file = FileInMemory::default();
    let judge = Judge::new(&[], 3);
    let recorder =
        Recorder::writing(&header("simulate", seed), judge, Box::new(file.clone())).unwrap();
    let network = Network {
        loss: Chance::percent(10),
        duplication: Chance::percent(10),
        reordering: Chance::percent(10),
        fifo: false,
        ..Network::default()
    };
    let mut simulation = Simulation::new(seed, network, fresh(), recorder).unwrap();
    simulation.request_at(Duration::from_millis(2), ProcessId(0), Start(2));
    simulation.crash_at(Duration::from_millis(6), ProcessId(2));
    simulation.run(Limits::default());
    let last = simulation.processes().to_vec();
    simulation.into_observer().finish().unwrap();
    let bytes = file.take();
    (Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap).collect(), last)
}

fn replay(events: &[TraceEvent], all: Vec<Dice>, luck: Luck) -> (Replay<Dice>, Option<Parting>) {
    let has_clock = !matches!(luck, Luck::Unknown);
    let mut replay = Replay::new(all, luck, has_clock);
    for (at, event) in events.iter().enumerate() {
        if let Step::Parted(parting) = replay.follow(event, &events[at + 1..]).unwrap() {
            return (replay, Some(parting));
        }
    }
    (replay, None)
}

#[test]
fn a_simulated_run_happens_again_and_ends_in_the_same_states() {
    for seed in 0..20 {
        let (events, last) = simulated(seed);
        let (replay, parted) = replay(&events, fresh(), Luck::of_simulation(seed));
        assert_eq!(parted, None, "seed {seed}");
        assert_eq!(replay.followed(), events.len() as u64);
        assert_eq!(replay.unfollowed(), []);
        for (rank, process) in (0..).zip(last) {
            assert_eq!(replay.state(ProcessId(rank)), Some(format!("{process:?}")));
        }
    }
}

#[test]
fn another_program_or_another_seed_parts_from_the_trace() {
    let (events, _) = simulated(7);
    let mut all = fresh();
    all[1].adds = 1;
    let (_, parted) = replay(&events, all, Luck::of_simulation(7));
    let parted = parted.unwrap().to_string();
    assert!(parted.contains("p1 here does `p1 ! Rolled("), "{parted}");

    let (_, parted) = replay(&events, fresh(), Luck::of_simulation(8));
    assert!(parted.is_some());
}

#[test]
fn what_a_trace_does_not_tell_parts_from_it_too() {
    let (mut events, _) = simulated(7);
    let sending = events.iter().position(|e| matches!(e.what, What::Send { .. })).unwrap();
    let removed = events.remove(sending);
    let (_, parted) = replay(&events, fresh(), Luck::of_simulation(7));
    assert!(parted.unwrap().to_string().contains(&format!("does `{removed}`")));

    let (mut events, _) = simulated(7);
    let sending = events.iter().position(|e| matches!(e.what, What::Send { .. })).unwrap();
    events.insert(sending + 1, events[sending].clone());
    let (_, parted) = replay(&events, fresh(), Luck::of_simulation(7));
    assert!(matches!(parted, Some(Parting::Nothing { .. })), "{parted:?}");

    let (mut events, _) = simulated(7);
    let timeout = events.iter_mut().find(|e| matches!(e.what, What::Timeout(_))).unwrap();
    timeout.what =
        What::Timeout(Note { kind: "Never".into(), text: "Never".into(), ..Note::default() });
    let (_, parted) = replay(&events, fresh(), Luck::of_simulation(7));
    assert!(matches!(parted, Some(Parting::NoTimer { .. })), "{parted:?}");

    let (mut events, _) = simulated(7);
    let receipt = events.iter_mut().find_map(|event| match &mut event.what {
        What::Receive { message, .. } => Some(message),
        _ => None,
    });
    receipt.unwrap().text = "Rolled(77)".to_owned();
    let (_, parted) = replay(&events, fresh(), Luck::of_simulation(7));
    assert!(matches!(parted, Some(Parting::NoMessage { .. })), "{parted:?}");
}

#[test]
fn a_process_asked_for_what_was_cut_is_not_followed() {
    let (mut events, _) = simulated(7);
    for event in &mut events {
        if let What::Request(note) = &mut event.what {
            note.data = serde_json::from_str(r#"{"cut":5000,"sha256":"00"}"#).unwrap();
        }
    }
    let (replay, parted) = replay(&events, fresh(), Luck::of_simulation(7));
    assert_eq!(parted, None);
    let lost: Vec<_> = replay.unfollowed();
    assert!(lost[0].why.contains("5000 bytes and more are too many for a trace"));
    assert!(lost.len() > 1, "others hear from p0, or draw from the same stream: {lost:?}");
    assert!(replay.followed() < events.len() as u64);
    assert_eq!(replay.state(ProcessId(0)), None);
}

#[test]
fn the_choices_of_a_counterexample_are_found() {
    let all: Vec<_> = fresh().into_iter().map(|dice| Dice { rolls: 1, ..dice }).collect();
    let options = Options { timeouts: 2, ..Options::default() };
    // Nobody is rolled for: broken by the first who is.
    let demanded = [Property::never("no roll", "ROLLED")];
    let outcome = check(all.clone(), requests(), &demanded, &options, |_| ());
    let found = outcome.counterexample.expect("somebody is rolled for");
    let file = FileInMemory::default();
    found.save(&header("check", 1), Box::new(file.clone())).unwrap();
    let bytes = file.take();
    let events: Vec<_> = Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap).collect();
    let (replay, parted) = replay(&events, all, Luck::Unknown);
    assert_eq!(parted, None);
    assert_eq!(replay.followed(), events.len() as u64);
    assert!(events.iter().any(|e| matches!(e.what, What::Indication(_))));
}

#[test]
fn a_panic_of_the_checker_is_the_end_here_too_and_nowhere_else() {
    let all: Vec<_> = fresh().into_iter().map(|dice| Dice { panics_at: Some(3), ..dice }).collect();
    let options = Options { timeouts: 2, ..Options::default() };
    let outcome = check(all.clone(), requests(), &[], &options, |_| ());
    let found = outcome.counterexample.expect("the second timeout panics");
    let file = FileInMemory::default();
    found.save(&header("check", 1), Box::new(file.clone())).unwrap();
    let bytes = file.take();
    let events: Vec<_> = Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap).collect();
    let (replayed, parted) = replay(&events, all.clone(), Luck::Unknown);
    assert_eq!(parted, None);
    let (_, misstep) = replayed.misstep().expect("it panics here too");
    assert!(misstep.place.is_some_and(|place| place.contains("replay/tests.rs:")));
    let (_, parted) = replay(&events, fresh(), Luck::Unknown);
    assert!(matches!(parted, Some(Parting::Mended { .. })), "{parted:?}");

    let (events, _) = simulated(7);
    let (_, parted) = replay(&events, all, Luck::of_simulation(7));
    let Some(Parting::Misstep { done, .. }) = parted else { panic!("{parted:?}") };
    assert!(done.contains("panicked when") && done.contains("enough"), "{done}");
}

#[test]
fn a_process_that_there_is_not_is_an_error() {
    let (events, _) = simulated(7);
    let mut replay = Replay::new(vec![Dice::default()], Luck::Unknown, true);
    let stranger = events.iter().find(|event| event.process == ProcessId(2)).unwrap();
    let error = replay.follow(stranger, &[]).unwrap_err();
    assert_eq!(error.to_string(), "the trace has an event of p2, and only 1 processes");
}

/// Keeps what it has heard so far, and starts again with it.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Keeper {
    heard: u64,
}

impl Process for Keeper {
    type Request = Start;
    type Indication = Rolled;
    type Message = Rolled;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.indicate(Rolled(self.heard));
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, Start(times): Start) {
        for _ in 0..times {
            let rolled = ctx.choose(6) as u64;
            ctx.send_to_others(Rolled(rolled));
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Rolled(number): Rolled) {
        self.heard += number;
        ctx.indicate(Rolled(self.heard));
    }

    fn recovered(&self) -> Option<Self> {
        Some(self.clone())
    }
}

#[test]
fn who_starts_again_does_so_from_what_it_kept() {
    let file = FileInMemory::default();
    let recorder =
        Recorder::writing(&header("simulate", 3), Judge::new(&[], 3), Box::new(file.clone()));
    let all = vec![Keeper::default(); 3];
    let mut simulation =
        Simulation::new(3, Network::default(), all.clone(), recorder.unwrap()).unwrap();
    for at in 0..9 {
        simulation.request_at(Duration::from_millis(at * 3), ProcessId(0), Start(1));
    }
    let plan = "kill 2 at 9ms; restart 2 at 15ms".parse().unwrap();
    let mut simulation = simulation.with_faults(&plan, 3).unwrap();
    simulation.run(Limits::default());
    simulation.into_observer().finish().unwrap();
    let bytes = file.take();
    let mut events: Vec<_> = Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap).collect();
    let follow = |events: &[TraceEvent]| {
        let mut replay = Replay::new(all.clone(), Luck::of_simulation(3), true);
        for event in events {
            assert_eq!(replay.follow(event, &[]), Ok(Step::Same));
        }
        replay.unfollowed().into_iter().map(|lost| lost.why).collect::<Vec<_>>()
    };
    assert!(events.iter().any(|event| event.what == What::Recover));
    assert_eq!(follow(&events), [""; 0]);

    // Had it died before its last indication left, nobody could know what it had kept.
    let crash = events.iter().position(|event| event.what == What::Crash(None)).unwrap();
    let is_last = |event: &TraceEvent| {
        event.process == ProcessId(2) && matches!(event.what, What::Indication(_))
    };
    let last = events[..crash].iter().rposition(is_last).unwrap();
    events.remove(last);
    let why = follow(&events);
    assert!(why.iter().any(|why| why.contains("it died within a step")), "{why:?}");
    // All draw from one stream, and nobody knows whether p2 would have.
    assert!(why.iter().any(|why| why.contains("depends on steps that could not be made")));
}

/// As if the machine of p0 had been cut off: what it sent is read where it arrived.
#[test]
fn without_one_of_them_the_others_are_followed() {
    let file = FileInMemory::default();
    let recorder =
        Recorder::writing(&header("simulate", 3), Judge::new(&[], 3), Box::new(file.clone()));
    let all = vec![Keeper::default(); 3];
    let mut simulation =
        Simulation::new(3, Network::default(), all.clone(), recorder.unwrap()).unwrap();
    simulation.request_at(Duration::ZERO, ProcessId(0), Start(3));
    simulation.run(Limits::default());
    let last = simulation.processes().to_vec();
    simulation.into_observer().finish().unwrap();
    let bytes = file.take();
    let events = Reader::new(bytes.as_slice()).unwrap().map(Result::unwrap);
    let mut left: Vec<_> = events.filter(|event| event.process != ProcessId(0)).collect();
    let follow = |events: &[TraceEvent]| {
        let mut replay = Replay::new(all.clone(), Luck::of_simulation(3).of_part(), true);
        for event in events {
            assert_eq!(replay.follow(event, &[]), Ok(Step::Same));
        }
        replay
    };
    let replay = follow(&left);
    assert_eq!((replay.followed(), replay.unfollowed()), (left.len() as u64, Vec::new()));
    assert_eq!(replay.state(ProcessId(2)), Some(format!("{:?}", last[2])));
    assert!(last[2].heard > 0);

    // Nobody can know what was in a message that was cut.
    let cut = left.iter_mut().find_map(|event| match &mut event.what {
        What::Receive { message, .. } => Some(message),
        _ => None,
    });
    cut.unwrap().data = serde_json::from_str(r#"{"cut":5000,"sha256":"00"}"#).unwrap();
    let lost = follow(&left).unfollowed();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].why.contains("5000 bytes and more are too many for a trace"), "{lost:?}");
}

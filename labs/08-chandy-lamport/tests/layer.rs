//! The layer round another application than those of the lab: one that answers messages, hears requests and
//! tells what it heard.

use std::time::Duration;

use chandy_lamport::properties::demanded;
use chandy_lamport::snapshot::{
    Indication, Protocol, Recording, Request, Schedule, Snapshot, Worth,
};
use labs::check::{Options, check};
use labs::process::{Context, Kind, Never, Process, ProcessId};
use labs::record::Recorder;
use labs::simulate::{Ended, Limits, Network, Simulation};
use labs::verdict::{Judge, Property};
use serde::{Deserialize, Serialize};

/// Passes balls on until they have been thrown often enough. Balls are conserved.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Player {
    balls: u64,
}

/// A ball, with the number of throws that are left.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Kind,
)]
enum Message {
    #[strum(serialize = "BALL")]
    Ball(u32),
}

/// Throw a ball that is to be thrown so often.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Kind,
)]
enum Ask {
    Throw(u32),
}

/// A ball was kept.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Kind,
)]
enum Told {
    Kept,
}

impl Process for Player {
    type Request = Ask;
    type Indication = Told;
    type Message = Message;
    type Timer = Never;

    fn on_request(&mut self, ctx: &mut Context<Self>, Ask::Throw(times): Ask) {
        self.balls -= 1;
        ctx.send(ProcessId((ctx.me().0 + 1) % ctx.processes()), Message::Ball(times));
    }

    fn on_message(
        &mut self,
        ctx: &mut Context<Self>,
        from: ProcessId,
        Message::Ball(left): Message,
    ) {
        match left.checked_sub(1) {
            Some(left) => ctx.send(from, Message::Ball(left)),
            None => {
                self.balls += 1;
                ctx.indicate(Told::Kept);
            }
        }
    }
}

impl Worth for Player {
    fn worth(&self) -> u64 {
        self.balls
    }

    fn worth_of(_: &Message) -> u64 {
        1
    }
}

const PROTOCOLS: [Protocol; 2] = [Protocol::ChandyLamport, Protocol::Blocking];

/// Players with two balls each, recorded when they are asked to, so many times in all.
fn players(processes: u64, protocol: Protocol, total: u64) -> Vec<Snapshot<Player>> {
    let schedule = Schedule { waves: 0, every: Duration::ZERO, first: 1, total };
    (0..processes).map(|_| Snapshot::new(Player { balls: 2 }, protocol, schedule)).collect()
}

fn properties(processes: u32, protocol: Protocol, waves: u64) -> Vec<Property> {
    demanded::<Player>(processes, waves, 1, Some(2 * u64::from(processes)), protocol)
}

/// Every order of throws, catches and markers. Answers to what arrives while a process is blocked are
/// held back, and part of its state if another wave cuts it then.
#[test]
fn every_order_holds_round_another_application() {
    let counts = PROTOCOLS.map(|protocol| {
        let requests = vec![
            vec![Request::Application(Ask::Throw(2)), Request::Snapshot],
            vec![Request::Application(Ask::Throw(1)), Request::Snapshot],
        ];
        let all = players(2, protocol, 2);
        let demanded = properties(2, protocol, 2);
        let outcome = check(all, requests, &demanded, &Options::default(), |_| ());
        assert_eq!(outcome.holds(), Some(true), "{protocol:?}: {:?}", outcome.verdicts);
        outcome.states
    });
    assert_eq!(counts, [291, 254]);
}

/// What a blocked process holds back is recorded with its state by another wave, and leaves in the end.
#[test]
fn held_messages_are_part_of_the_state() {
    let mut held = 0;
    for seed in 0..300 {
        let demanded = properties(4, Protocol::Blocking, 8);
        let recorder = Recorder::new(4, Judge::new(&demanded, 4));
        let all = players(4, Protocol::Blocking, 8);
        let simulation = Simulation::new(seed, Network::default(), all, recorder).unwrap();
        let mut simulation = simulation.keeping_indications();
        for process in (0..4).map(ProcessId) {
            simulation.request(process, Request::Application(Ask::Throw(60)));
            simulation.request(process, Request::Application(Ask::Throw(61)));
            for wave in 0..2 {
                let at = Duration::from_millis(20 + 3 * u64::from(process.0) + 60 * wave);
                simulation.request_at(at, process, Request::Snapshot);
            }
        }
        assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
        let has_held = |recording: &Recording<_>| !recording.held.is_empty();
        held += simulation
            .indications()
            .filter(|(_, indication)| match indication {
                Indication::Recorded(part) => part.recording.as_ref().is_some_and(has_held),
                _ => false,
            })
            .count();
        let judge = simulation.into_observer().finish().unwrap();
        let verdicts = judge.verdicts(&Ended::Quiet.end());
        assert!(verdicts.iter().all(|v| v.holds() == Some(true)), "{seed}: {verdicts:?}");
    }
    assert!(held > 100, "{held}");
}

//! A lab that knows nothing but the public names of `crates/labs`, as one in a repository of its own would: it
//! brings its own property, a mistake that breaks it, and what theory predicts.
//!
//! **The algorithm.** p0 sends a list with its own rank to p1; each process adds its rank and passes the list
//! on, until it is back at p0. **Cost.** N messages. The list of a large ring is longer than what a trace keeps
//! of a value.

use std::process::ExitCode;

use labs::lab::{Deployment, Lab, Place, Predictions, World, exactly};
use labs::mutant;
use labs::overlay::Overlay;
use labs::process::{Context, Event, EventOf, Kind, Never, Process, ProcessId};
use labs::verdict::{Check, End, Judgement, Property, Times, Violation, Watch, Witness, counted};
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    labs::cli::main::<RelayLab>()
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    List(Vec<u32>),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Indication {
    /// What the list was when it came.
    Got(Vec<u32>),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Relay;

fn pass(ctx: &mut Context<Relay>, mut list: Vec<u32>) {
    list.push(ctx.me().0);
    ctx.send(ProcessId((ctx.me().0 + 1) % ctx.processes()), Message::List(list));
}

impl Process for Relay {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if ctx.me() == ProcessId(0) {
            pass(ctx, Vec::new());
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Message::List(list): Message) {
        ctx.indicate(Indication::Got(list.clone()));
        if ctx.me() != ProcessId(0) {
            pass(ctx, list);
        }
    }
}

#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Deserialize,
    Serialize,
    clap::ValueEnum,
)]
enum Mistake {
    /// p1 passes the list on as it came.
    ForgetsItself,
}

impl mutant::Mistake<Relay> for Mistake {
    fn happen(&mut self, relay: &mut Relay, ctx: &mut Context<Relay>, event: EventOf<Relay>) {
        match event {
            Event::Message { message: Message::List(list), .. } if ctx.me() == ProcessId(1) => {
                ctx.indicate(Indication::Got(list.clone()));
                ctx.send(ProcessId(2 % ctx.processes()), Message::List(list));
            }
            event => event.happen_to(relay, ctx),
        }
    }
}

/// Each list is that of the ranks before its receiver, in order.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct RanksInOrder {
    lists: u64,
}

impl Watch<Indication> for RanksInOrder {
    fn on_indication(&mut self, at: Witness, Indication::Got(list): &Indication) -> Check {
        self.lists += 1;
        match list.iter().zip(0..).find(|&(&rank, expected)| rank != expected) {
            Some((rank, expected)) => {
                Violation::check(format!("p{rank} stands where p{expected} belongs"), [at])
            }
            None => Ok(()),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(format!("{}, each in order", counted(self.lists, "list")))
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct RelayLab {
    processes: u32,
}

#[derive(clap::Args)]
struct Options {}

impl Lab for RelayLab {
    const NAME: &'static str = "relay";
    const ABOUT: &'static str = "A list goes once round, and everyone adds itself";

    type Options = Options;
    type Process = Relay;
    type Mistake = Mistake;

    fn plan(Options {}: Options, world: &World) -> Result<Self, String> {
        Ok(Self { processes: world.processes::<Self>(None)? })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, _: &Place) -> Relay {
        Relay
    }

    fn properties(&self) -> Vec<Property> {
        vec![
            Property::safety("ranks in order", RanksInOrder::default()),
            Property::each("everyone gets the list", "Got", Times::Exactly(1)),
        ]
    }

    fn predicted(&self) -> Predictions {
        exactly([("LIST", self.processes.into())])
    }

    fn deployment(&self) -> Deployment<Self> {
        Deployment { is_finished: |_| true, ..Deployment::over(Overlay::Complete) }
    }
}

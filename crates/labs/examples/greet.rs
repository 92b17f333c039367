//! The smallest lab there is: every process greets those it is connected to.
//!
//! **The algorithm.** Asked by its application, a process sends HELLO to its neighbours. In the complete
//! graph these are all others; in the star p0's neighbours are all others, and p0 is everyone else's only
//! one. A process has finished when it has heard from all its neighbours.
//!
//! **Assumptions.** Reliable channels. **Cost.** One message for each neighbour of each process: N(N−1) in
//! the complete graph, 2(N−1) in the star.
//!
//! It is the model of a lab, in the order in which one is written: what processes tell each other, the
//! algorithm, and [the lab](GreetLab), which says what is typed, what is demanded of a run and what theory
//! predicts. It runs like any other:
//!
//! ```text
//! cargo run -p labs --example greet -- run --overlay star
//! cargo run -p labs --example greet -- check
//! ```

use std::collections::BTreeSet;
use std::process::ExitCode;

use labs::lab::{Deployment, Lab, Place, Predictions, World, exactly};
use labs::mutant::NoMistake;
use labs::overlay::Overlay;
use labs::process::{Context, Kind, Never, Process, ProcessId};
use labs::verdict::{Property, Times};
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    labs::cli::main::<GreetLab>()
}

/// What processes send to each other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    Hello,
}

/// What the application asks for.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Request {
    /// Greet your neighbours.
    Greet,
}

/// What a process tells its application.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Indication {
    /// All neighbours have greeted.
    Met,
}

/// Which processes are connected.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Deserialize,
    Serialize,
    clap::ValueEnum,
)]
enum Shape {
    /// Everyone with everyone.
    #[default]
    Complete,
    /// Everyone with p0.
    Star,
}

impl Shape {
    fn overlay(self) -> Overlay {
        match self {
            Self::Complete => Overlay::Complete,
            Self::Star => Overlay::Star,
        }
    }

    /// How many channels connect so many processes, one for each direction.
    fn channels(self, processes: u32) -> u64 {
        let n = u64::from(processes);
        match self {
            Self::Complete => n * (n - 1),
            Self::Star => 2 * (n - 1),
        }
    }
}

/// One process.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Greet {
    shape: Shape,
    /// The neighbours that have greeted.
    heard: BTreeSet<ProcessId>,
}

impl Greet {
    fn neighbours(&self, ctx: &Context<Self>) -> Vec<ProcessId> {
        let me = ctx.me();
        let is_neighbour = |other: &ProcessId| match self.shape {
            Shape::Complete => *other != me,
            Shape::Star => (*other == ProcessId(0)) != (me == ProcessId(0)),
        };
        ctx.everyone().filter(is_neighbour).collect()
    }
}

impl Process for Greet {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_request(&mut self, ctx: &mut Context<Self>, Request::Greet: Request) {
        for neighbour in self.neighbours(ctx) {
            ctx.send(neighbour, Message::Hello);
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, Message::Hello: Message) {
        self.heard.insert(from);
        if self.heard.len() == self.neighbours(ctx).len() {
            ctx.indicate(Indication::Met);
        }
    }
}

/// What is typed.
#[derive(clap::Args)]
struct Options {
    /// Which processes are connected
    #[arg(long, value_enum, default_value_t)]
    overlay: Shape,
}

/// What the options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct GreetLab {
    processes: u32,
    shape: Shape,
}

impl Lab for GreetLab {
    const NAME: &'static str = "greet";
    const ABOUT: &'static str = "Every process greets its neighbours";

    type Options = Options;
    type Process = Greet;
    type Mistake = NoMistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        Ok(Self { processes: world.processes::<Self>(None)?, shape: options.overlay })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, _: &Place) -> Greet {
        Greet { shape: self.shape, heard: BTreeSet::new() }
    }

    fn properties(&self) -> Vec<Property> {
        let meets = Property::each("everyone meets its neighbours", "Met", Times::Exactly(1));
        vec![meets, Property::fifo(), Property::exactly_once()]
    }

    fn predicted(&self) -> Predictions {
        exactly([("HELLO", self.shape.channels(self.processes))])
    }

    fn requests(&self, _: ProcessId) -> Vec<Request> {
        vec![Request::Greet]
    }

    fn deployment(&self) -> Deployment<Self> {
        let is_finished = |told: &Indication| *told == Indication::Met;
        Deployment { is_finished, ..Deployment::over(self.shape.overlay()) }
    }
}

//! The smallest lab there is: every process greets those it is connected to.
//!
//! **The algorithm.** Asked by its application, a process sends HELLO to its neighbours. In the complete
//! graph these are all others; in the star p0's neighbours are all others, and p0 is everyone else's only
//! one. A process has finished when it has heard from all its neighbours.
//!
//! **Assumptions.** Reliable channels. **Cost.** One message for each neighbour of each process: N(N−1) in
//! the complete graph, 2(N−1) in the star.
//!
//! It shows what a lab consists of, and runs like one:
//!
//! ```text
//! cargo run -p labs --example greet -- run --overlay star
//! cargo run -p labs --example greet -- check
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::process::ExitCode;

use labs::cli::NoTools;
use labs::lab::{Application, BoxedApplication, Findings, Lab, Place, Prediction, Summary, Verb};
use labs::overlay::{Contact, Overlay};
use labs::process::{Context, Kind, Process, ProcessId};
use labs::trace::Noted;
use labs::verdict::Spec;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    labs::cli::main::<GreetLab>()
}

/// One process.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Greet {
    shape: Shape,
    /// Whom it has heard from.
    heard: BTreeSet<ProcessId>,
}

#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
enum Message {
    Hello,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Request {
    /// Greet your neighbours.
    Greet,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Indication {
    /// All neighbours have greeted.
    Met,
}

/// Who is connected to whom.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
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
    type Timer = Infallible;

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

    fn on_timeout(&mut self, _: &mut Context<Self>, timer: Infallible) {
        match timer {}
    }
}

impl Kind for Message {
    fn kind(&self) -> &'static str {
        "HELLO"
    }
}

impl Kind for Request {
    fn kind(&self) -> &'static str {
        "Greet"
    }
}

impl Kind for Indication {
    fn kind(&self) -> &'static str {
        "Met"
    }
}

/// What the command line needs to know.
struct GreetLab;

#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
struct Options {
    /// Who is connected to whom
    #[arg(long, value_enum, default_value_t)]
    overlay: Shape,
}

/// There is no mistake to make.
#[derive(Clone, Debug, Deserialize, Serialize, clap::ValueEnum)]
enum Broken {}

impl Lab for GreetLab {
    const NAME: &'static str = "greet";
    const ABOUT: &'static str = "Every process greets its neighbours";

    type Process = Greet;
    type BrokenProcess = Greet;
    type Broken = Broken;
    type Options = Options;
    type Findings = Nothing;
    type Tools = NoTools;

    fn prepare(_: &mut Options, _: Verb, _: u32) -> Result<(), String> {
        Ok(())
    }

    fn process(options: &Options, _: &Place) -> Greet {
        Greet { shape: options.overlay, heard: BTreeSet::new() }
    }

    fn broken(_: Greet, how: &Broken) -> Greet {
        match *how {}
    }

    /// Every process meets all its neighbours, once.
    fn properties(_: &Options, _: u32) -> Vec<Spec> {
        vec![Spec::Entries { enter: "Met".to_owned(), times: 1 }, Spec::Fifo, Spec::ExactlyOnce]
    }

    fn predicted(options: &Options, processes: u32) -> BTreeMap<String, Prediction> {
        let n = u64::from(processes);
        let messages = match options.overlay {
            Shape::Complete => n * (n - 1),
            Shape::Star => 2 * (n - 1),
        };
        [("HELLO".to_owned(), Prediction::Exactly(messages))].into()
    }

    fn timeouts(_: &Options) -> u32 {
        0
    }

    fn requests(_: &Options, _: ProcessId, _: u32) -> Vec<Request> {
        vec![Request::Greet]
    }

    fn overlay(options: &Options) -> Overlay {
        match options.overlay {
            Shape::Complete => Overlay::Complete,
            Shape::Star => Overlay::Star,
        }
    }

    fn application(_: &Options, _: &Place) -> io::Result<BoxedApplication<Self>> {
        Ok(Box::new(Nothing))
    }

    fn contact(_: &Indication) -> Option<&Contact> {
        None
    }

    fn is_finished(indication: &Indication) -> bool {
        matches!(indication, Indication::Met)
    }

    fn findings(_: &Options, _: u32) -> Nothing {
        Nothing
    }
}

/// Neither has the lab a result of its own, nor its application anything to do.
struct Nothing;

impl Application<Indication, Request> for Nothing {
    fn on_indication(&mut self, _: &Indication) -> io::Result<Vec<Request>> {
        Ok(Vec::new())
    }
}

impl Findings for Nothing {
    fn on_indication(&mut self, _: ProcessId, _: &dyn Noted, _: u64) {}

    fn lines(&self, _: &Summary) -> Vec<String> {
        Vec::new()
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        serde_json::Value::Null
    }
}

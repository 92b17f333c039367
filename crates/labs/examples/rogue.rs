//! A lab whose algorithm does what no algorithm may do: for tests of what the workbench says then.
//!
//! Each process greets all others. One of them, when it has been greeted often enough, panics, does not return, or
//! does not do the same twice.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use labs::lab::{Deployment, Lab, Place, World};
use labs::mutant::NoMistake;
use labs::process::{Context, Kind, Process, ProcessId};
use labs::verdict::{Property, Times};
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    labs::cli::main::<RogueLab>()
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    Hello,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Request {
    Greet,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Indication {
    Met,
}

/// What is wrong.
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
enum Wrong {
    /// Nothing.
    Nothing,
    /// It panics.
    Panics,
    /// It sends to a process that does not exist.
    Strays,
    /// It does not return.
    Spins,
    /// It waits for so long as a clock says.
    ReadsClock,
    /// It counts in a static.
    Counts,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Rogue {
    wrong: Wrong,
    heard: BTreeSet<ProcessId>,
    count: u64,
}

impl Rogue {
    #[expect(
        clippy::disallowed_methods,
        reason = "what this process must not do is what it is for"
    )]
    fn go_wrong(&mut self, ctx: &mut Context<Self>, from: ProcessId) {
        match self.wrong {
            Wrong::Nothing => {}
            Wrong::Panics => panic!("{from} was one greeting too many"),
            Wrong::Strays => ctx.send(ProcessId(99), Message::Hello),
            Wrong::Spins => loop {
                std::hint::spin_loop();
            },
            Wrong::ReadsClock => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let nanoseconds = now.unwrap_or_default().as_nanos() as u64;
                ctx.start_timer(1, Duration::from_nanos(nanoseconds));
            }
            Wrong::Counts => self.count = COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Process for Rogue {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = u32;

    fn on_request(&mut self, ctx: &mut Context<Self>, Request::Greet: Request) {
        ctx.send_to_others(Message::Hello);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, Message::Hello: Message) {
        self.heard.insert(from);
        if self.heard.len() as u32 + 1 == ctx.processes() {
            if ctx.me() == ProcessId(1) {
                self.go_wrong(ctx, from);
            }
            ctx.indicate(Indication::Met);
        }
    }
}

#[derive(clap::Args)]
struct Options {
    /// What is wrong with p1
    #[arg(long, value_enum, default_value = "nothing")]
    wrong: Wrong,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct RogueLab {
    processes: u32,
    wrong: Wrong,
}

impl Lab for RogueLab {
    const NAME: &'static str = "rogue";
    const ABOUT: &'static str = "A process does what none may do";

    type Options = Options;
    type Process = Rogue;
    type Mistake = NoMistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        Ok(Self { processes: world.processes::<Self>(None)?, wrong: options.wrong })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, _: &Place) -> Rogue {
        Rogue { wrong: self.wrong, heard: BTreeSet::new(), count: 0 }
    }

    fn properties(&self) -> Vec<Property> {
        let meets = Property::each("everyone meets all others", "Met", Times::Exactly(1));
        vec![meets, Property::fifo()]
    }

    fn requests(&self, _: ProcessId) -> Vec<Request> {
        vec![Request::Greet]
    }

    fn deployment(&self) -> Deployment<Self> {
        let is_finished = |told: &Indication| *told == Indication::Met;
        Deployment { is_finished, ..Deployment::over(labs::overlay::Overlay::Complete) }
    }
}

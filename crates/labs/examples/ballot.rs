//! One vote, and a voter that dies and starts again.
//!
//! **The algorithm.** p0 has one vote. Every other process is a candidate: it asks p0 for the vote, each a
//! while after the one before it, and asks again until it has an answer. p0 gives its vote to the first that
//! asks, and refuses it to the others. It is half of an acceptor of Paxos (Lamport, *The part-time
//! parliament*, ACM Transactions on Computer Systems 16(2), 1998), reduced to what such a process must not
//! forget.
//!
//! **Stable storage.** `recovered` says what a process knows when it starts again: all that it knew. With
//! that, `run` and `simulate` do the rest; nothing here reads or writes a file. A voter that forgets its vote
//! gives it away twice (`--broken forgets-vote`).
//!
//! ```text
//! cargo run -p labs --example ballot -- run --faults 'kill 0 at 200ms; restart 0 at 300ms'
//! ```
//!
//! **Assumptions.** None on channels: candidates ask again. **Left out.** More voters than one, of which a
//! majority decides.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use labs::faults::Assumption;
use labs::lab::{Deployment, Lab, Place, World};
use labs::mutant;
use labs::overlay::Overlay;
use labs::process::{Context, Event, EventOf, Kind, Never, Process, ProcessId};
use labs::verdict::Property;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    labs::cli::main::<BallotLab>()
}

/// The process that has a vote.
const VOTER: ProcessId = ProcessId(0);

/// How long a candidate waits behind the one before it.
const GAP: Duration = Duration::from_millis(400);

/// How long a candidate waits for an answer.
const PATIENCE: Duration = Duration::from_millis(50);

/// What processes send to each other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    /// A candidate asks for the vote.
    Ask,
    /// The voter answers.
    Vote { is_yours: bool },
}

/// What a process tells its application.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Indication {
    /// This candidate has the vote.
    Elected,
    /// Another has it.
    Refused,
    /// All candidates have asked.
    Closed,
}

/// The timer of a candidate.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Timer {
    Ask,
}

/// One process.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Ballot {
    /// The voter's: who has its vote, and who has asked for it.
    vote: Option<ProcessId>,
    asked: BTreeSet<ProcessId>,
    /// A candidate's: whether it has an answer.
    is_answered: bool,
}

impl Process for Ballot {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if ctx.me() != VOTER && !self.is_answered {
            ctx.start_timer(Timer::Ask, GAP * (ctx.me().0 - 1) + PATIENCE);
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Ask => {
                let vote = *self.vote.get_or_insert(from);
                ctx.send(from, Message::Vote { is_yours: vote == from });
                if self.asked.insert(from) && self.asked.len() + 1 == ctx.processes() as usize {
                    ctx.indicate(Indication::Closed);
                }
            }
            Message::Vote { is_yours } if !self.is_answered => {
                self.is_answered = true;
                ctx.stop_timer(Timer::Ask);
                ctx.indicate(if is_yours { Indication::Elected } else { Indication::Refused });
            }
            Message::Vote { .. } => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Ask: Timer) {
        ctx.send(VOTER, Message::Ask);
        ctx.start_timer(Timer::Ask, PATIENCE);
    }

    fn recovered(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
enum Mistake {
    /// A process that starts again has forgotten its vote.
    ForgetsVote,
}

impl mutant::Mistake<Ballot> for Mistake {
    fn happen(&mut self, ballot: &mut Ballot, ctx: &mut Context<Ballot>, event: EventOf<Ballot>) {
        if event == Event::Init {
            ballot.vote = None;
        }
        event.happen_to(ballot, ctx);
    }
}

/// There is nothing to be typed.
#[derive(clap::Args)]
struct Options {}

/// What the options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct BallotLab {
    processes: u32,
}

impl Lab for BallotLab {
    const NAME: &'static str = "ballot";
    const ABOUT: &'static str = "One vote, and a voter that dies and starts again";
    const PROCESSES: u32 = 3;
    const ASSUMES: &'static [Assumption] = &[];

    type Options = Options;
    type Process = Ballot;
    type Mistake = Mistake;

    fn plan(Options {}: Options, world: &World) -> Result<Self, String> {
        Ok(Self { processes: world.processes::<Self>(None)? })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, _: &Place) -> Ballot {
        Ballot::default()
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::one("one candidate is elected", "Elected")]
    }

    fn timeouts(&self) -> u32 {
        2
    }

    fn deployment(&self) -> Deployment<Self> {
        Deployment {
            survives_crashes: true,
            // Each process says one thing, and that is its last.
            is_finished: |_| true,
            ..Deployment::over(Overlay::Complete)
        }
    }
}

//! Elections and numberings that are wrong, one mistake each: what the properties must notice.
//!
//! All processes make the mistake, so that it shows whoever has the greatest identity.

use std::convert::Infallible;

use labs::process::{Context, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::election;
use crate::numbering::{Indication, Message, Numbering};

/// The mistakes.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Broken {
    /// Swallows the identity that should win against its own.
    SwallowsGreater,
    /// Passes on the identity that its own wins against, instead of swallowing it.
    ForwardsSmaller,
    /// Takes any identity that comes round for its own.
    ElectsOnAny,
    /// Leaves out a rank.
    NumberingSkips,
    /// All processes have the same identity.
    EqualIdentities,
}

/// A process with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenNumbering {
    numbering: Numbering,
    broken: Broken,
}

/// The identity of all, where all have the same.
const EVERYBODY: u64 = 1;

impl BrokenNumbering {
    /// Puts a mistake into a process.
    pub fn new(numbering: Numbering, broken: Broken) -> Self {
        let numbering = match broken {
            Broken::EqualIdentities => numbering.called(EVERYBODY),
            _ => numbering,
        };
        Self { numbering, broken }
    }

    fn properly(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Numbering, &mut Context<Numbering>),
    ) {
        ctx.wrap(|ctx| event(&mut self.numbering, ctx));
    }

    /// What the process makes of a message before it handles it as it should; nothing if it ends here.
    fn mistake(&mut self, ctx: &mut Context<Self>, message: Message) -> Option<Message> {
        let election::Candidate { identity: own, elect, .. } =
            self.numbering.election().candidate();
        let election = |identity| Message::Election(election::Message::Election(identity));
        match (self.broken, message) {
            (Broken::SwallowsGreater, Message::Election(election::Message::Election(identity)))
                if elect.prefers(identity, own) =>
            {
                None
            }
            (Broken::ForwardsSmaller, Message::Election(election::Message::Election(identity)))
                if elect.prefers(own, identity) =>
            {
                let message = election::Message::Election(identity);
                self.properly(ctx, |numbering, ctx| numbering.pass(ctx, message));
                None
            }
            (Broken::ElectsOnAny, Message::Election(election::Message::Election(_))) => {
                Some(election(own))
            }
            (Broken::NumberingSkips, Message::Number(number)) => {
                Some(Message::Number(number.saturating_add(1)))
            }
            (_, message) => Some(message),
        }
    }
}

impl Process for BrokenNumbering {
    type Request = Infallible;
    type Indication = Indication;
    type Message = Message;
    type Timer = Infallible;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.properly(ctx, Numbering::on_init);
    }

    fn on_request(&mut self, _: &mut Context<Self>, request: Infallible) {
        match request {}
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        if let Some(message) = self.mistake(ctx, message) {
            self.properly(ctx, |numbering, ctx| numbering.on_message(ctx, from, message));
        }
    }

    fn on_timeout(&mut self, _: &mut Context<Self>, timer: Infallible) {
        match timer {}
    }
}

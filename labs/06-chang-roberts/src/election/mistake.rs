//! Mistakes in the election and in the numbering on top of it: what the properties must notice.
//!
//! All processes make the mistake, so that it shows whoever has the greatest identity. What becomes of the
//! numbering is said in `numbering/mistake.rs`.

use labs::mutant;
use labs::process::{Context, Event, EventOf};

use super::{Candidate, Election, Message};

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Mistake {
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

/// The identity of all, where all have the same.
const EVERYBODY: u64 = 1;

impl mutant::Mistake<Election> for Mistake {
    fn happen(
        &mut self,
        election: &mut Election,
        ctx: &mut Context<Election>,
        event: EventOf<Election>,
    ) {
        let Candidate { identity: own, elect, .. } = election.candidate;
        match (*self, event) {
            (Self::EqualIdentities, Event::Init) => {
                election.candidate.identity = EVERYBODY;
                Event::Init.happen_to(election, ctx);
            }
            (
                Self::SwallowsGreater,
                Event::Message { message: Message::Election(identity), .. },
            ) if elect.prefers(identity, own) => {}
            (
                Self::ForwardsSmaller,
                Event::Message { message: Message::Election(identity), .. },
            ) if elect.prefers(own, identity) => {
                election.pass(ctx, Message::Election(identity));
            }
            (Self::ElectsOnAny, Event::Message { message: Message::Election(_), .. }) => {
                election.on_election(ctx, own);
            }
            (_, event) => event.happen_to(election, ctx),
        }
    }
}

//! What the coordinator, the clients and their applications say to each other, the timers, and how long
//! things take. See [`crate::mutex`].

use std::time::Duration;

use labs::process::{Context, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::book::Book;

/// The process that lets the others in.
pub const COORDINATOR: ProcessId = ProcessId(0);

/// How long a client works in its critical section: some milliseconds between these, drawn anew for each section.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Work {
    /// At least so many.
    pub least_ms: u64,
    /// At most so many.
    pub most_ms: u64,
}

impl Work {
    /// Always so many milliseconds.
    pub fn always(ms: u64) -> Self {
        Self { least_ms: ms, most_ms: ms }
    }

    /// How long the next section takes.
    pub fn draw<P: Process>(self, ctx: &mut Context<P>) -> Duration {
        let choices = self.most_ms.saturating_sub(self.least_ms).saturating_add(1);
        let more = match usize::try_from(choices) {
            Ok(choices) if choices > 1 => ctx.choose(choices) as u64,
            _ => 0,
        };
        Duration::from_millis(self.least_ms + more)
    }
}

/// How long things take, in this run.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Times {
    /// How long a client works in its critical section.
    pub work: Work,
    /// How long the coordinator lets a client stay there; zero: for ever.
    pub lease: Duration,
    /// After how long without an answer it asks again; zero: never.
    pub retry: Duration,
    /// How many times in a row it asks again and hears nothing before it gives up.
    pub retries: u32,
}

/// What processes send to each other, in the order of an entry, and then what trouble adds.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// A client wants to enter; it counts its wishes, from 1.
    Request {
        /// Which wish.
        ask: u64,
    },
    /// It may.
    Grant {
        /// Which wish this fulfils.
        ask: u64,
        /// The number of the grant.
        token: u64,
        /// How long it may stay; zero: for ever.
        lease: Duration,
    },
    /// It is out.
    Release {
        /// The number of the grant that is over.
        token: u64,
    },
    /// A client waits, and has heard nothing for a while.
    Retry {
        /// Which wish.
        ask: u64,
    },
    /// It stands in the line.
    Wait,
    /// It was granted before.
    Regrant {
        /// Which wish this fulfils.
        ask: u64,
        /// The number of the grant.
        token: u64,
        /// How long it may stay; zero: for ever.
        lease: Duration,
    },
}

/// What the application asks of a process, beside what it was made to do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Request {
    /// To a client: what it writes to has refused this token.
    Refused(u64),
    /// To the coordinator: the connection to a client has ended.
    Lost(ProcessId),
    /// To a client: want nothing more. It ends its critical section if it is in one.
    Stop,
}

/// What a process tells its application. The coordinator names clients by their rank.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// The coordinator is there.
    Ready,
    /// The client stands in the line now, at its end.
    Queued(u32),
    /// The client was let in, from the front of the line.
    Granted(u32),
    /// The client does not stand in the line any more: it is gone.
    Dropped(u32),
    /// The grant with this token is void.
    Revoked(u64),
    /// The grant with this token is over: its client asks anew, so it left, or never entered.
    Over(u64),
    /// This is to be stored, before anything else happens.
    Stored(Book),
    /// A client wants to enter; which wish.
    Asked(u64),
    /// It is in its critical section, with this token.
    Entered(u64),
    /// It left its critical section, its work done.
    Left(u64),
    /// It left its critical section because the lease is over, its work undone.
    Expired(u64),
    /// It was let in and did not want it any more.
    Declined(u64),
    /// The coordinator does not answer, and the client wants nothing any more.
    GaveUp,
    /// The client has entered as often as it wanted.
    Finished,
    /// It was told to want nothing more, and is done.
    Stopped,
}

/// The timers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// A client's: started on entry; its timeout is the end of the work.
    Work,
    /// Started on entry by the client, and on granting by the coordinator; its timeout is the end of the
    /// lease.
    Lease,
    /// A client's: started on asking; its timeout is when to ask again.
    Retry,
    /// A client's: started after the last section, for no time: what was written in it may still be
    /// refused.
    Rest,
}

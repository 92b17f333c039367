//! What the coordinator writes down: see [`crate::coordinator`].

use std::collections::{BTreeMap, VecDeque};

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

/// What the coordinator must not forget.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Book {
    /// The last token that was given, 0 before the first.
    pub token: u64,
    /// The client that is inside, with the last token.
    pub inside: Option<Wish>,
    /// The clients that wait; the first stands in front.
    pub line: VecDeque<Wish>,
    /// The last wish of each client that is in the line, inside, or fulfilled.
    pub wishes: BTreeMap<ProcessId, u64>,
}

/// One client's wish to enter.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Wish {
    /// The client that has it.
    pub client: ProcessId,
    /// Which of its wishes, counted from 1.
    pub ask: u64,
}

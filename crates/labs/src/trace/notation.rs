//! One event as people write it, everywhere alike: in logs, counterexamples and scripts.
//!
//! | notation | what happened |
//! |---|---|
//! | `p1 → p2 Ask` | p2 received Ask from p1 |
//! | `p1 ↗ p2 Ask` | p1 sent it; left out where only deliveries are listed |
//! | `p1 ⇥ p2 Ask` | the network lost it |
//! | `p1 ? Enter` | the application asked p1 for Enter |
//! | `p1 ! Entered` | p1 told its application Entered |
//! | `p1 ⏰ Retry` | p1's timer Retry ran out |
//! | `p1 starts`, `p1 crashes`, `p1 recovers`, `p1 stops` | so it did |

use std::fmt;

use super::event::{TraceEvent, What};

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let me = self.process;
        match &self.what {
            What::Init => write!(f, "{me} starts"),
            What::Request(value) => write!(f, "{me} ? {}", value.text),
            What::Indication(value) => write!(f, "{me} ! {}", value.text),
            What::Send { peer, message } => write!(f, "{me} ↗ {peer} {}", message.text),
            What::Receive { peer, message } => write!(f, "{peer} → {me} {}", message.text),
            What::Drop { peer, message } => write!(f, "{me} ⇥ {peer} {}", message.text),
            What::Timeout(value) => write!(f, "{me} ⏰ {}", value.text),
            What::Crash(_) => write!(f, "{me} crashes"),
            What::Recover => write!(f, "{me} recovers"),
            What::Stop(_) => write!(f, "{me} stops"),
        }
    }
}

//! What is demanded of a lock with leases, and of no other algorithm.

mod first_come;
mod growing_tokens;
mod leased_exclusion;
mod messages_each;

pub use self::first_come::FirstComeFirstServed;
pub use self::growing_tokens::GrowingTokens;
pub use self::leased_exclusion::LeasedExclusion;
pub use self::messages_each::MessagesEach;

/// Whether any property makes something of indications of this kind. The book that the coordinator stores
/// grows with the number of clients, until a trace cuts it.
fn is_read(kind: &str) -> bool {
    kind != "Stored"
}

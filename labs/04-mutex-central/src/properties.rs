//! What is demanded of a lock with leases, and of no other algorithm.

mod answers;
mod entries;
mod first_come;
mod growing_tokens;
mod messages_each;
mod mutual_exclusion;
mod one_grant;
mod served;
mod steps;
mod taking;

pub use self::answers::{Answers, Rules};
pub use self::entries::Entries;
pub use self::first_come::FirstComeFirstServed;
pub use self::growing_tokens::GrowingTokens;
pub use self::messages_each::MessagesEach;
pub use self::mutual_exclusion::MutualExclusion;
pub use self::one_grant::OneGrant;
pub use self::served::Served;
pub use self::steps::Steps;
pub use self::taking::Taking;

/// Whether any property makes something of indications of this kind. The book that the coordinator stores
/// grows with the number of clients, until a trace cuts it.
fn is_read(kind: &str) -> bool {
    kind != "Stored"
}

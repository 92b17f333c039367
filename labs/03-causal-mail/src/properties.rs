//! What is demanded of mail in causal order.

mod causal_delivery;
mod handover;
mod in_order_of_writing;
mod in_turn;
mod mails;
mod not_held;
mod read_once;
mod stamping;
#[cfg(test)]
mod tests;

pub use self::causal_delivery::CausalDelivery;
pub use self::handover::Handover;
pub use self::in_order_of_writing::InOrderOfWriting;
pub use self::in_turn::InTurn;
pub use self::mails::{Addressees, MAILS_MAX};
pub use self::not_held::NotHeld;
pub use self::read_once::ReadOnce;
pub use self::stamping::Stamping;

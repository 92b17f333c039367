//! What is demanded of mail in causal order.

mod causal_delivery;
mod mails;
mod not_held;
mod read_once;
#[cfg(test)]
mod tests;

pub use self::causal_delivery::CausalDelivery;
pub use self::mails::{Addressees, MAILS_MAX};
pub use self::not_held::NotHeld;
pub use self::read_once::ReadOnce;

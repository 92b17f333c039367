//! What is demanded of two failure detectors and of no other algorithm.

mod book;
mod eventual_accuracy;
mod lists_agree;
mod one_list;
mod strong_completeness;
#[cfg(test)]
mod tests;

pub use self::eventual_accuracy::EventualAccuracy;
pub use self::lists_agree::ListsAgree;
pub use self::one_list::OneList;
pub use self::strong_completeness::StrongCompleteness;

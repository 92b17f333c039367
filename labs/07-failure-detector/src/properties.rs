//! What is demanded of two failure detectors and of no other algorithm.

mod asking;
mod book;
mod eventual_accuracy;
mod lists_agree;
mod one_list;
mod strong_completeness;
mod suspicions;
mod telling;
#[cfg(test)]
mod tests;

use labs::process::ProcessId;

pub use self::asking::Asking;
pub use self::eventual_accuracy::EventualAccuracy;
pub use self::lists_agree::ListsAgree;
pub use self::one_list::OneList;
pub use self::strong_completeness::StrongCompleteness;
pub use self::suspicions::Suspicions;
pub use self::telling::Telling;
use crate::two_levels::DETECTORS;

/// The detector that watches a process. Each watches every second one, and the other detector.
fn watcher(process: ProcessId) -> ProcessId {
    match process.0 {
        0 => DETECTORS[1],
        1 => DETECTORS[0],
        rank => DETECTORS[rank as usize % 2],
    }
}

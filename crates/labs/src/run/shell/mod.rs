//! What blocks: starting participants over SSH, sending them signals, and cleaning up after them.
//!
//! The event loop of a [runner](super::runner) never blocks. Launching and signals have threads of
//! their own, whose results come back through a channel and wake the loop; cleaning up comes after
//! it.

pub(super) mod cleaning;
pub(super) mod hands;
pub(super) mod launching;
